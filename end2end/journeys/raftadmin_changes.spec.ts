// A program that raftadmin administers, on real nodes: it asks nobody who they are, and the page says so;
// each change is compared with what Raft itself says.

import { Raftadmin } from "../clusters/raftadmin.ts";
import { expect, test as base } from "../console/journey.ts";
import { suitsEverybody } from "../console/look.ts";
import { ClusterPage } from "../pages/cluster.ts";

/** On a machine that has much else to do. */
const SOON = { timeout: 60_000 };

const test = base.extend<{ queue: Raftadmin }>({
  // Its first run compiles the program.
  queue: [
    async ({}, use, info) => {
      const queue = await Raftadmin.start(info.outputPath("queue"));
      await use(queue);
      await queue.stop();
    },
    { scope: "test", timeout: 300_000 },
  ],
});

test("raftadmin: open to everybody, and changed as Raft itself says", async ({ queue, ownConsole, signedIn }) => {
  test.setTimeout(240_000);
  const address = await queue.newcomer("b");
  const console = await ownConsole(`[[clusters]]
name = "queue"
kind = "raftadmin"
seeds = ["http://${queue.address("a")}"]
join_allowed = ["${address}"]`);
  const page = await signedIn(console);
  const cluster = await new ClusterPage(page).open(console.address, "queue");
  const leader = cluster.leaderRow.getByRole("rowheader");
  await expect(leader).toHaveText("a", SOON);

  await test.step("it says that it is open to everybody", async () => {
    await expect(page.getByRole("main")).toContainText("raftadmin asks nobody who they are");
    await suitsEverybody(page, "raftadmin");
  });

  await test.step("a newcomer is added by its address and its id, and in step", async () => {
    await cluster.change("Add learner", undefined, async (dialog) => {
      await dialog.getByLabel("Address of the newcomer").fill(address);
      await dialog.getByLabel(/^Its id/).fill("b");
      await dialog.getByRole("button", { name: "Show what it would do" }).click();
    });
    await expect.poll(() => queue.votes("a"), SOON).toEqual({ a: true, b: false });
    await expect(cluster.row("b")).toContainText("in step", SOON);
  });

  await test.step("it votes", async () => {
    await cluster.change("Promote", "b");
    await expect.poll(() => queue.votes("a"), SOON).toEqual({ a: true, b: true });
  });

  await test.step("it leads, by its own word", async () => {
    await cluster.change("Transfer leadership", "a", async (dialog) => {
      await expect(dialog.getByLabel("New leader")).toHaveValue("b");
    });
    await expect.poll(() => queue.leader("b"), SOON).toBe("b");
    await expect(leader).toHaveText("b", SOON);
  });

  await test.step("who led before is removed", async () => {
    await cluster.change("Remove", "a", async (dialog) => {
      await dialog.getByLabel("Type a to remove it").fill("a");
    });
    await expect.poll(() => queue.votes("b"), SOON).toEqual({ b: true });
    await expect(cluster.row("a")).toHaveCount(0, SOON);
  });
});
