import { defineConfig } from "@playwright/test";
import { chromium } from "./console/chromium.ts";

/** Measurements print what they find and judge nothing. */
export default defineConfig({
  testDir: "bench",
  testMatch: "*.bench.ts",
  workers: 1,
  retries: 0,
  timeout: 10 * 60_000,
  outputDir: "test-results/bench",
  reporter: [["line"]],
  use: { ...chromium },
});
