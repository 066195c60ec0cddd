import { expect, test } from "../console/journey.ts";
import { ClusterPage } from "../pages/cluster.ts";
import { PAGES } from "../pages/all.ts";

test.describe("reading", () => {
  test("from the fleet to a cluster", async ({ demo, signedIn }) => {
    const page = await signedIn(demo);
    await page.getByRole("main").locator('a[href$="/clusters/demo"]').first().click();
    await expect(page).toHaveURL(/\/clusters\/demo$/);
    const cluster = new ClusterPage(page);
    await cluster.live();
    await expect(cluster.row("node-1")).toBeVisible();
    await expect(cluster.leaderRow).toHaveCount(1);
  });

  test("every page can be read with scripts off", async ({ demo, signedIn }) => {
    const page = await signedIn(demo, { javaScriptEnabled: false });
    for (const [path, heading] of PAGES) {
      const response = await page.goto(`${demo.address}${path}`);
      expect(response?.status(), path).toBe(200);
      await expect(page.getByRole("heading", { level: 1 }), path).toHaveText(heading);
      await expect(page.getByText(/^As of \d\d:\d\d:\d\d UTC/), path).toBeVisible();
      await expect(page.getByRole("link", { name: "Reload" }), path).toBeVisible();
    }
    await page.goto(`${demo.address}/clusters/demo`);
    const members = page.getByRole("main").getByRole("table").getByRole("row");
    for (const name of ["node-1", "node-2", "node-3", "node-4"]) {
      await expect(members.filter({ hasText: name })).toHaveCount(1);
    }
  });

  test("an address that leads nowhere says so", async ({ demo, signedIn, complaints }) => {
    complaints.expect(/404/);
    const page = await signedIn(demo);
    const response = await page.goto(`${demo.address}/clusters/no-such-cluster`);
    expect(response?.status()).toBe(404);
    expect(await response!.text()).toContain("No cluster named no-such-cluster");
    await expect(page.getByRole("main")).toContainText("No cluster named no-such-cluster");
  });

  test("going from page to page and back stays live", async ({ demo, signedIn }) => {
    const page = await signedIn(demo);
    const rail = page.getByRole("navigation", { name: "Main" });
    for (const name of ["Problems", "Changes", "Audit", "Access", "Fleet"]) {
      await rail.getByRole("link", { name }).click();
      await expect(page.getByRole("heading", { level: 1 })).toHaveText(new RegExp(name));
    }
    await page.goBack();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(/Access/);
    await expect(page.getByText(/^live, /)).toBeVisible();
  });

  test("a member is inspected, chosen on the page or by its address", async ({ demo, signedIn }) => {
    const page = await signedIn(demo);
    const cluster = await new ClusterPage(page).open(demo.address, "demo");
    const inspector = page.getByRole("region", { name: "node-2" });
    await cluster.row("node-2").getByRole("link", { name: "node-2" }).click();
    await expect(page).toHaveURL(/\?member=node-2$/);
    await expect(inspector.getByText("Names as leader")).toBeVisible();

    await page.reload();
    await cluster.live();
    await expect(inspector.getByText("Names as leader")).toBeVisible();
    await expect(cluster.leaderRow).toHaveCount(1);
    await inspector.getByRole("link", { name: "Close" }).click();
    await expect(inspector).toBeHidden();
    await cluster.row("node-3").getByRole("link", { name: "node-3" }).click();
    await expect(page.getByRole("region", { name: "node-3" })).toBeVisible();
  });

  test("the chosen theme stays", async ({ demo, signedIn }) => {
    const page = await signedIn(demo);
    await expect(page.getByText(/^live, /)).toBeVisible();
    await page.getByRole("button", { name: "Dark" }).click();
    await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
    await page.goto(`${demo.address}/audit`);
    await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
    await expect(page.getByRole("button", { name: "Dark" })).toHaveAttribute("aria-pressed", "true");
  });
});
