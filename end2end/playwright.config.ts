import { defineConfig } from "@playwright/test";
import { chromium } from "./console/chromium.ts";

/** One worker: the machine's two cores belong to the clusters under test. */
export default defineConfig({
  testDir: "journeys",
  workers: 1,
  fullyParallel: false,
  // What passes at its second try only is named at the end of `cargo xtask test`.
  retries: 1,
  forbidOnly: true,
  timeout: 60_000,
  globalTimeout: 20 * 60_000,
  expect: { timeout: 10_000 },
  outputDir: "test-results",
  reporter: [["list"], ["json", { outputFile: process.env.PLAYWRIGHT_JSON_OUTPUT_FILE ?? "test-results/report.json" }]],
  use: { ...chromium, screenshot: "only-on-failure", trace: "retain-on-failure" },
});
