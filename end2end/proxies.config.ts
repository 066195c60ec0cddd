import { defineConfig } from "@playwright/test";
import { chromium } from "./console/chromium.ts";

/** Real proxies and a real OpenID provider in front of the console. One file a proxy, two at a time. */
export default defineConfig({
  testDir: "proxies",
  workers: 2,
  fullyParallel: false,
  retries: 1,
  forbidOnly: true,
  timeout: 180_000,
  globalTimeout: 15 * 60_000,
  expect: { timeout: 60_000 },
  outputDir: "test-results/proxies",
  reporter: [
    ["list"],
    ["json", { outputFile: process.env.PLAYWRIGHT_JSON_OUTPUT_FILE ?? "test-results/proxies-report.json" }],
  ],
  use: {
    ...chromium,
    ignoreHTTPSErrors: true,
    navigationTimeout: 60_000,
    actionTimeout: 60_000,
    launchOptions: {
      ...chromium.launchOptions,
      args: [...chromium.launchOptions.args, "--host-resolver-rules=MAP raft.example 127.0.0.1"],
    },
    screenshot: "only-on-failure",
  },
});
