// A page that stays open while the console is upgraded: parts of its version are gone, and the
// page says so instead of breaking.

import { type Page } from "@playwright/test";
import { expect, test } from "../console/journey.ts";
import { ClusterPage } from "../pages/cluster.ts";

const PART = /\/assets\/(split|chunk)_[^/]*\.wasm/;
const SAID = "This part of the console could not be loaded";

/** As if the console knew only the parts of another version. */
async function withoutParts(page: Page) {
  await page.route(PART, (route) => route.fulfill({ status: 404, body: "" }));
}

test("a page whose part is gone says so, and loads once it is there again", async ({ demo, signedIn, complaints }) => {
  complaints.expect(/404|WebAssembly|wasm|HTTP status/i);
  const page = await signedIn(demo);
  const cluster = await new ClusterPage(page).open(demo.address, "demo");
  await withoutParts(page);

  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Changes" }).click();
  const said = page.getByRole("alert").filter({ hasText: SAID });
  await expect(said).toBeVisible();
  await expect(said).toContainText("Nothing was lost");
  // The rest of the page lives on.
  await expect(page.getByText(/^live, /)).toBeVisible();
  await page.goBack();
  await expect(cluster.leaderRow).toHaveCount(1);

  await page.goForward();
  await expect(said).toBeVisible();
  await page.unroute(PART);
  await said.getByRole("link", { name: "Reload" }).click();
  await expect(page).toHaveURL(`${demo.address}/changes`);
  await expect(page.getByRole("heading", { level: 1, name: "Changes" })).toBeVisible();
  await expect(page.getByText(/^live, /)).toBeVisible();
});

test("a dialog whose part is gone says so, and opens once it is there again", async ({ demo, signedIn, complaints }) => {
  complaints.expect(/404|WebAssembly|wasm|HTTP status/i);
  const page = await signedIn(demo);
  const cluster = await new ClusterPage(page).open(demo.address, "demo");
  await withoutParts(page);

  await cluster.ask("Take snapshot");
  await expect(cluster.dialog).toContainText(SAID);
  await expect(cluster.dialog.getByRole("link", { name: "Reload" })).toBeVisible();
  await cluster.dialog.getByRole("button", { name: "Close" }).click();
  await expect(cluster.dialog).toBeHidden();
  await expect(cluster.button("Take snapshot")).toBeFocused();

  await page.unroute(PART);
  await cluster.ask("Take snapshot");
  await expect(cluster.dialog.getByLabel(/^Reason/)).toBeVisible();
  await cluster.dialog.getByRole("button", { name: "Cancel" }).click();
});

test("a page that cannot be taken over stays as it was rendered, and says so", async ({ demo, signedIn, complaints }) => {
  complaints.expect(/404|WebAssembly|wasm|HTTP status/i);
  const page = await signedIn(demo);
  await withoutParts(page);
  await page.goto(`${demo.address}/`);
  await expect(page.getByRole("alert").filter({ hasText: SAID })).toBeVisible();
  await expect(page.getByRole("main").locator('a[href$="/clusters/demo"]').first()).toBeVisible();

  await page.unroute(PART);
  await page.getByRole("alert").getByRole("link", { name: "Reload" }).click();
  await expect(page.getByText(/^live, /)).toBeVisible();
});

test("a console of another build is told of while the page is still whole", async ({ demo, signedIn }) => {
  const page = await signedIn(demo);
  const state = { fleet: [], cluster: null, events: [], changes: [], running_changes: 0, build: "/assets/another.js" };
  await page.route(/\/events\?/, (route) =>
    route.fulfill({ contentType: "text/event-stream", body: `id: 1\nevent: snapshot\ndata: ${JSON.stringify(state)}\n\n` }),
  );
  await page.goto(`${demo.address}/audit`);
  const said = page.getByRole("status").filter({ hasText: "older version" });
  await expect(said).toBeVisible();

  await page.unroute(/\/events\?/);
  await said.getByRole("link", { name: "Reload" }).click();
  await expect(page.getByText(/^live, /)).toBeVisible();
  await expect(said).toBeHidden();
});
