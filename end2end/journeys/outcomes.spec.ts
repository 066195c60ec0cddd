// What stays in front of a person when something has been done: not a dialog over the next page,
// and a secret that is shown once where it is seen.

import { expect, test } from "../console/journey.ts";
import { ClusterPage } from "../pages/cluster.ts";

test("a link in the dialog leads to the next page and closes the dialog", async ({ demo, signedIn }) => {
  const page = await signedIn(demo);
  const cluster = await new ClusterPage(page).open(demo.address, "demo");
  const dialog = await cluster.ask("Take snapshot");
  await dialog.getByLabel(/^Reason/).fill("Before it's upgraded");
  await expect(dialog.getByRole("group", { name: "The same as a command" })).toHaveText(
    "quorate ctl snapshot demo --reason 'Before it'\\''s upgraded'",
  );
  await cluster.carryOut("Take snapshot", "Before the upgrade");
  await dialog.getByRole("link", { name: "Open the change" }).click();
  await expect(page).toHaveURL(/\/changes\/./);
  await expect(page.getByRole("dialog")).toBeHidden();
  await expect(page.getByRole("heading", { level: 1, name: /snapshot of demo/ })).toBeVisible();
});

test("a new token is brought into view with the focus on it", async ({ demo, signedIn }) => {
  const page = await signedIn(demo, { viewport: { width: 1280, height: 600 } });
  await page.goto(`${demo.address}/access`);
  await expect(page.getByText(/^live, /)).toBeVisible();
  await page.getByText("New token", { exact: true }).click();
  const form = page.locator("form", { has: page.locator("#new-token-name") });
  await form.getByLabel("Name", { exact: true }).fill("pipeline");
  await form.getByRole("checkbox", { name: /viewer/ }).check();
  await form.getByRole("button", { name: "Create token" }).click();
  const said = page.locator(".said");
  await expect(said).toContainText("Shown only now");
  await expect(said).toBeFocused();
  await expect(said).toBeInViewport();
});
