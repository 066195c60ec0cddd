import { expect, test } from "../console/journey.ts";
import { ClusterPage } from "../pages/cluster.ts";

test.describe("a state set by hand", () => {
  for (const scripts of [true, false]) {
    test(`is shown with its reason and taken back, with scripts ${scripts ? "on" : "off"}`, async ({ demo, signedIn }) => {
      const page = await signedIn(demo, { javaScriptEnabled: scripts });
      const inspected = `${demo.address}/clusters/demo?member=node-4`;
      await page.goto(inspected);
      if (scripts) await new ClusterPage(page).live();
      const inspector = page.getByRole("region", { name: "node-4" });

      await inspector.getByText("Set its state by hand…").click();
      await inspector.getByLabel("Why").fill("its disk is being replaced");
      await inspector.getByLabel("For how long").selectOption("4 hours");
      await inspector.getByRole("button", { name: "Save" }).click();
      await expect(page).toHaveURL(inspected);
      await expect(inspector.getByText(/^admin until .* UTC: its disk is being replaced$/)).toBeVisible();

      await inspector.getByText("Change what is set by hand…").click();
      await inspector.getByLabel("For how long").selectOption("Take it back now");
      await inspector.getByRole("button", { name: "Save" }).click();
      await expect(inspector.getByText("Set its state by hand…")).toBeVisible();
      await expect(inspector.getByText(/its disk is being replaced/)).toHaveCount(0);

      await page.goto(`${demo.address}/audit?q=`);
      await expect(page.getByText(/The state of node-4 on demo was set by hand until/).first()).toBeVisible();
    });
  }

  test("what was not saved says why", async ({ demo, signedIn }) => {
    const page = await signedIn(demo);
    await page.goto(`${demo.address}/clusters/demo?member=node-4`);
    await new ClusterPage(page).live();
    const inspector = page.getByRole("region", { name: "node-4" });
    await inspector.getByText("Set its state by hand…").click();
    await inspector.getByLabel("Why").fill("   ");
    await inspector.getByRole("button", { name: "Save" }).click();
    await expect(inspector.getByRole("alert")).toContainText("Not saved");
  });
});
