// OpenZiti's controllers, by a stand-in: a change of role is a removal and an addition there, and the
// dialog says so before it is asked for. Each change is compared with what the simulated Raft holds.

import { OpenZiti } from "../clusters/openziti.ts";
import { expect, test as base } from "../console/journey.ts";
import { suitsEverybody } from "../console/look.ts";
import { ClusterPage } from "../pages/cluster.ts";

/** On a machine that has much else to do. */
const SOON = { timeout: 60_000 };

const test = base.extend<{ ziti: OpenZiti }>({
  ziti: async ({}, use, info) => {
    const ziti = await OpenZiti.start(info.outputPath("openziti"));
    await use(ziti);
    await ziti.stop();
  },
});

test("OpenZiti: added, promoted by a removal and an addition, led by, removed, and copied", async ({ ziti, ownConsole, signedIn }) => {
  test.setTimeout(240_000);
  const console = await ownConsole(ziti.configuration("ziti"));
  const page = await signedIn(console);
  const cluster = await new ClusterPage(page).open(console.address, "ziti");
  const leader = cluster.leaderRow.getByRole("rowheader");
  const newcomer = ziti.newcomer.node;

  await test.step("by one address all controllers and their roles", async () => {
    await expect(leader).toHaveText("n1", SOON);
    for (const name of ["n2", "n3"]) await expect(cluster.row(name).getByText("voter", { exact: true })).toBeVisible();
    await expect(cluster.row("n4").getByText("learner", { exact: true })).toBeVisible();
  });

  await test.step("a newcomer is added by its control address", async () => {
    await cluster.change("Add learner", undefined, async (dialog) => {
      await dialog.getByLabel("Address of the newcomer").fill(ziti.newcomer.address);
      await dialog.getByRole("button", { name: "Show what it would do" }).click();
    });
    expect((await ziti.truth()).votes[newcomer]).toBe(false);
    await expect(cluster.row(newcomer)).toContainText("in step", SOON);
  });

  await test.step("its promotion says that it is removed and added again", async () => {
    await cluster.change("Promote", newcomer, async (dialog) => {
      await expect(dialog).toContainText(`remove ${newcomer} and to add it again as a voter`);
      await suitsEverybody(page, "openziti-promote");
    });
    expect((await ziti.truth()).votes[newcomer]).toBe(true);
  });

  await test.step("it leads", async () => {
    await cluster.change("Transfer leadership", "n1", async (dialog) => {
      await dialog.getByLabel("New leader").selectOption(newcomer);
    });
    expect((await ziti.truth()).leader).toBe(newcomer);
    await expect(leader).toHaveText(newcomer, SOON);
  });

  await test.step("who led before is removed", async () => {
    await cluster.change("Remove", "n1", async (dialog) => {
      await dialog.getByLabel("Type n1 to remove it").fill("n1");
    });
    expect((await ziti.truth()).votes).not.toHaveProperty("n1");
  });

  await test.step("a copy of the model is made on the leader's disk", async () => {
    await cluster.change("Take snapshot", undefined, async (dialog) => {
      await expect(dialog).toContainText("on the leader's own disk");
    });
  });
});
