// Whether everybody can use it: WCAG by axe in both themes, a small screen, the keyboard alone.

import { expect, test } from "../console/journey.ts";
import { tabTo, violations } from "../console/look.ts";
import { PAGES } from "../pages/all.ts";
import { ClusterPage } from "../pages/cluster.ts";

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(`${colorScheme} theme`, () => {
    test("axe finds nothing on any page", async ({ demo, signedIn }) => {
      const page = await signedIn(demo, { colorScheme, reducedMotion: "reduce" });
      for (const [path] of PAGES) {
        await page.goto(`${demo.address}${path}`);
        await expect(page.getByText(/^live, /)).toBeVisible();
        expect(await violations(page), path).toEqual([]);
      }
    });

    test("axe finds nothing in the change dialog and on the sign-in page", async ({ demo, signedIn, browser, complaints }) => {
      const page = await signedIn(demo, { colorScheme, reducedMotion: "reduce" });
      const cluster = await new ClusterPage(page).open(demo.address, "demo");
      const dialog = await cluster.ask("Promote", "node-4");
      await expect(dialog.getByRole("list", { name: "Checks" })).toBeVisible();
      expect(await violations(page)).toEqual([]);

      const stranger = await browser.newContext({ colorScheme, reducedMotion: "reduce" });
      complaints.listen(stranger);
      const signIn = await stranger.newPage();
      await signIn.goto(`${demo.address}/sign-in`);
      expect(await violations(signIn)).toEqual([]);
      await stranger.close();
    });
  });
}

test("nothing scrolls sideways at 390 px, and every function can be reached", async ({ demo, signedIn }) => {
  const page = await signedIn(demo, { viewport: { width: 390, height: 844 } });
  for (const [path] of PAGES) {
    await page.goto(`${demo.address}${path}`);
    await expect(page.getByText(/^live, /)).toBeVisible();
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(overflow, `${path} is wider than the screen`).toBeLessThanOrEqual(0);
  }
  const rail = page.getByRole("navigation", { name: "Main" });
  for (const name of ["Fleet", "Problems", "Changes", "Audit", "Access"]) {
    await expect(rail.getByRole("link", { name })).toBeVisible();
  }
  const cluster = await new ClusterPage(page).open(demo.address, "demo");
  await expect(cluster.button("Add learner")).toBeVisible();
  await expect(cluster.button("Take snapshot")).toBeVisible();
  const dialog = await cluster.ask("Promote", "node-4");
  await expect(dialog.getByLabel(/^Reason/)).toBeVisible();
  const wide = await dialog.evaluate((element) => element.scrollWidth - element.clientWidth);
  expect(wide, "the dialog is wider than the screen").toBeLessThanOrEqual(0);
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await expect(dialog).toBeHidden();
});

test("a learner is promoted by keyboard alone", async ({ ownDemo, signedIn }) => {
  const demo = await ownDemo();
  const page = await signedIn(demo);
  const cluster = await new ClusterPage(page).open(demo.address, "demo");
  const focused = (name: RegExp) => expect(page.locator(":focus")).toHaveAccessibleName(name);

  await tabTo(page, cluster.button("Promote", "node-4"));
  await page.keyboard.press("Enter");
  await expect(cluster.dialog).toBeVisible();
  await focused(/Cancel/);
  await expect(cluster.dialog.getByRole("list", { name: "Checks" })).toBeVisible();
  await tabTo(page, cluster.dialog.getByLabel(/^Reason/), true);
  await page.keyboard.type("Another voter, by keyboard");
  await page.keyboard.press("Enter");
  await expect(cluster.dialog.getByText("succeeded", { exact: true })).toBeVisible({ timeout: 30_000 });
  await focused(/Close/);
  await page.keyboard.press("Enter");
  await expect(cluster.dialog).toBeHidden();
  await expect(cluster.row("node-4").getByText("voter", { exact: true })).toBeVisible();
  expect(await demo.role("node-4")).toBe("voter");
});
