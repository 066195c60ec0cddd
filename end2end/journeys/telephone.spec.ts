// On a telephone: what is pressed is large enough for a finger, and nothing that was asked for lies
// outside the screen.

import { expect, test } from "../console/journey.ts";
import { PAGES } from "../pages/all.ts";
import { ClusterPage } from "../pages/cluster.ts";
import type { Page } from "@playwright/test";

const TELEPHONE = { viewport: { width: 390, height: 844 } };
/** Pixels. Chips are seen smaller than they are felt, links within a text are as high as it is. */
const FINGER = 44;
/** Milliseconds that a busy machine may take to show a page. */
const PATIENCE = { timeout: 30_000 };

/** What is pressed and lower than a finger needs. */
async function tooSmall(page: Page): Promise<string[]> {
  return page.evaluate((least) => {
    const pressed = document.querySelectorAll("button, .button, .quiet, select, summary, nav a.rail-link, input:not([type=checkbox], [type=hidden])");
    return [...pressed]
      .filter((element) => element.checkVisibility() && !element.matches(".chip"))
      .map((element) => [element, Math.round(element.getBoundingClientRect().height)] as const)
      .filter(([, height]) => height < least)
      .map(([element, height]) => `${height} px: ${element.outerHTML.slice(0, 120)}`);
  }, FINGER);
}

test("what is pressed is as high as a finger needs", async ({ demo, signedIn }) => {
  test.setTimeout(240_000);
  const page = await signedIn(demo, TELEPHONE);
  for (const [path] of PAGES) {
    await page.goto(`${demo.address}${path}`);
    await expect(page.getByText(/^live, /)).toBeVisible(PATIENCE);
    await expect.poll(() => tooSmall(page), { ...PATIENCE, message: path }).toEqual([]);
  }
});

test("a member's menu and its details are on the screen at once", async ({ demo, signedIn }) => {
  test.setTimeout(240_000);
  const page = await signedIn(demo, TELEPHONE);
  await page.goto(`${demo.address}/clusters/demo`);
  await expect(page.getByText(/^live, /)).toBeVisible(PATIENCE);
  const row = new ClusterPage(page).row("node-2");
  await row.locator("summary").click();
  const menu = row.locator(".menu-list");
  await expect(menu).toBeVisible(PATIENCE);
  const box = (await menu.boundingBox())!;
  expect(box.x, "the menu begins on the screen").toBeGreaterThanOrEqual(0);
  expect(box.x + box.width, "and ends there").toBeLessThanOrEqual(TELEPHONE.viewport.width);
  await page.keyboard.press("Escape");
  await expect(menu).toBeHidden(PATIENCE);

  await row.getByRole("link", { name: "node-2" }).click();
  const details = page.getByRole("region", { name: "node-2" });
  await expect(details.getByText("Names as leader")).toBeInViewport(PATIENCE);
  await details.getByRole("link", { name: "Close" }).click();
  await expect(details).toBeHidden(PATIENCE);
});
