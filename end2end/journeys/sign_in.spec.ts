import { expect, test } from "../console/journey.ts";
import { run } from "../console/quorate.ts";

test.describe("signing in", () => {
  for (const scripts of [true, false]) {
    test(`a one-time link signs in, once, with scripts ${scripts ? "on" : "off"}`, async ({ browser, complaints, demo }) => {
      const link = run("user", "link", "admin", "--data", demo.data).at(-1)!;
      const context = await browser.newContext({ javaScriptEnabled: scripts });
      complaints.listen(context);
      const page = await context.newPage();
      await page.goto(link);
      await page.goto(`${demo.address}/`);
      await expect(page.getByRole("heading", { level: 1, name: "Fleet" })).toBeVisible();
      await expect(page.getByRole("main").locator('a[href$="/clusters/demo"]').first()).toBeVisible();

      await page.getByRole("button", { name: "Sign out" }).click();
      await expect(page).toHaveURL(/\/sign-in/);
      await page.goto(link);
      await expect(page.getByText("This one-time link was used already or has expired.")).toBeVisible();
      await page.goto(`${demo.address}/clusters/demo`);
      await expect(page).toHaveURL(/\/sign-in/);
      await context.close();
    });
  }

  test("a wrong password is refused without saying which part was wrong", async ({ page, demo }) => {
    await page.goto(`${demo.address}/sign-in`);
    await page.getByLabel("Name").fill("nobody");
    await page.getByLabel("Password").fill("not the password of anybody");
    await page.getByLabel("Password").press("Enter");
    await expect(page.getByText("Name or password is wrong.")).toBeVisible();
  });

  test("a session ended elsewhere is said on the page", async ({ ownDemo, signedIn, complaints }) => {
    const demo = await ownDemo();
    const page = await signedIn(demo);
    const other = await signedIn({ address: demo.address, link: run("user", "link", "admin", "--data", demo.data).at(-1)! });
    await page.goto(`${demo.address}/clusters/demo`);
    await expect(page.getByText(/^live, /)).toBeVisible();

    complaints.expect(/401|403|EventSource|Failed to load resource/);
    await other.goto(`${demo.address}/access`);
    // Before scripts run a press is lost.
    await expect(other.getByText(/^live, /)).toBeVisible();
    await other.getByRole("button", { name: /End the session of admin/ }).first().click();
    await expect(page.getByRole("link", { name: "Sign in again" })).toBeVisible();
    await page.reload();
    await expect(page).toHaveURL(/\/sign-in/);
  });
});
