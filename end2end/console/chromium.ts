/** The system's browser, without anything that talks to the outside or needs a screen. */
export const chromium = {
  browserName: "chromium" as const,
  headless: true,
  viewport: { width: 1280, height: 900 },
  launchOptions: {
    executablePath: process.env.QUORATE_TEST_CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  },
};
