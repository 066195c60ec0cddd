// Whether everybody can use what is shown: axe in both themes, and a telephone's width. Pictures of it
// are kept where `QUORATE_TEST_PICTURES` names a folder.

import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { expect, type Locator, type Page } from "@playwright/test";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** What axe finds on the page as it stands. */
export async function violations(page: Page): Promise<string[]> {
  const result = await new AxeBuilder({ page }).withTags(RULES).analyze();
  return result.violations.map(
    (violation) => `${violation.id}: ${violation.help}; ${violation.nodes.map((node) => `${node.target} ${node.failureSummary}`).join(" | ")}`,
  );
}

/** Leaves the page light, and as wide as it was. */
export async function suitsEverybody(page: Page, name: string) {
  await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
  expect(await violations(page), `${name}, dark`).toEqual([]);
  await picture(page, `${name}-dark`);
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  expect(await violations(page), `${name}, light`).toEqual([]);
  await picture(page, name);

  const wide = page.viewportSize()!;
  await page.setViewportSize({ width: 390, height: 844 });
  const overflow = () =>
    page.evaluate(() => {
      const over = (element: Element | null) => (element === null ? 0 : element.scrollWidth - element.clientWidth);
      return Math.max(over(document.documentElement), over(document.querySelector("dialog[open]")));
    });
  await expect.poll(overflow, `${name} is wider than a telephone`).toBeLessThanOrEqual(0);
  await picture(page, `${name}-390`);
  await page.setViewportSize(wide);
}

/** Presses Tab (or Shift+Tab) until the element has the focus. */
export async function tabTo(page: Page, target: Locator, back = false) {
  for (let presses = 0; presses < 80; presses += 1) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press(back ? "Shift+Tab" : "Tab");
  }
  throw new Error("cannot be reached with the Tab key");
}

async function picture(page: Page, name: string) {
  const folder = process.env.QUORATE_TEST_PICTURES;
  if (folder === undefined) return;
  const fullPage = (await page.locator("dialog[open]").count()) === 0;
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage });
}
