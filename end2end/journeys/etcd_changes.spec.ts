// etcd 3.4 as Debian ships it: the console asks for hands where etcd needs them, and the hands do what it
// says. Each change is compared with what etcd's members themselves say.

import { Etcd } from "../clusters/etcd.ts";
import { until } from "../clusters/program.ts";
import { expect, test as base } from "../console/journey.ts";
import { suitsEverybody, tabTo } from "../console/look.ts";
import { Rest } from "../console/quorate.ts";
import { ClusterPage, type Done } from "../pages/cluster.ts";

/** On a machine that has much else to do. */
const SOON = { timeout: 60_000 };

const test = base.extend<{ etcd: Etcd }>({
  etcd: [
    async ({}, use, info) => {
      const etcd = await Etcd.start(info.outputPath("etcd"));
      await use(etcd);
      await etcd.stop();
    },
    { scope: "test", timeout: 120_000 },
  ],
});

test("etcd: a learner started by the printed command, promoted, led by, one removed, one defragmented", async ({ etcd, ownConsole, signedIn }) => {
  test.setTimeout(300_000);
  const console = await ownConsole(`[[clusters]]
name = "keys"
kind = "etcd"
seeds = [${JSON.stringify(etcd.seed)}]
join_allowed = [${JSON.stringify(etcd.newcomer.peer)}]`);
  const page = await signedIn(console);
  const cluster = await new ClusterPage(page).open(console.address, "keys");
  const done: Done[] = [];

  await test.step("by one address all members, their roles and how far behind they are", async () => {
    await expect(async () => {
      await expect(cluster.leaderRow.getByRole("rowheader")).toHaveText(await etcd.leader(), { timeout: 5_000 });
    }).toPass({ timeout: 60_000 });
    for (const name of etcd.places.keys()) await expect(cluster.row(name)).toContainText("in step", SOON);
    await expect(cluster.sentence).toContainText("3 voters");
  });

  let command = "";
  await test.step("the preview of a newcomer prints the command that starts it", async () => {
    done.push(
      await cluster.change("Add learner", undefined, async (dialog) => {
        await dialog.getByLabel("Address of the newcomer").fill(etcd.newcomer.peer);
        await dialog.getByRole("button", { name: "Show what it would do" }).click();
        const printed = dialog.getByText(/^etcd --name /);
        await expect(printed).toBeVisible();
        command = await printed.innerText();
        await suitsEverybody(page, "etcd-add");
      }),
    );
  });
  const added = await until("etcd's own learner", async () => (await etcd.members()).find(({ learner }) => learner));
  expect(added.name).toBe("");

  await test.step("added, and not started", async () => {
    await expect(cluster.row(added.id)).toContainText("not started", SOON);
    await suitsEverybody(page, "etcd-not-started");
  });

  etcd.startByHand(command);
  const newcomer = /--name (\S+)/.exec(command)![1]!;
  await test.step("started, it catches up and votes", async () => {
    await expect(cluster.row(newcomer)).toContainText("in step", SOON);
    done.push(await cluster.change("Promote", newcomer));
    await expect.poll(async () => (await etcd.members()).filter(({ learner }) => learner), SOON).toEqual([]);
  });

  await test.step("it leads", async () => {
    await (await cluster.reach("Make leader", newcomer)).click();
    await expect(cluster.dialog.getByLabel("New leader")).toHaveValue(added.id);
    await cluster.carryOut("Transfer leadership", "Journey: Make leader");
    done.push({ reason: "Journey: Make leader", ...(await cluster.closeAndRead()) });
    await expect.poll(() => etcd.leader(), SOON).toBe(newcomer);
    await expect(cluster.leaderRow.getByRole("rowheader")).toHaveText(newcomer, SOON);
  });

  await test.step("a removal ends by saying what to stop and what to delete", async () => {
    await cluster.ask("Remove", "n3");
    await cluster.dialog.getByLabel("Type n3 to remove it").fill("n3");
    await cluster.carryOut("Remove", "Journey: Remove n3");
    const peer = etcd.places.get("n3")!.peer;
    await expect(cluster.dialog).toContainText(`The process of n3 at ${peer} ends by itself`);
    await expect(cluster.dialog).toContainText("delete its data directory");
    done.push({ reason: "Journey: Remove n3", ...(await cluster.closeAndRead()) });
    await etcd.ended("n3");
    const names = async () => (await etcd.members()).map(({ name }) => name).sort();
    await expect.poll(names, SOON).toEqual([newcomer, "n1", "n2"].sort());
    await expect(cluster.row("n3")).toHaveCount(0);
  });

  await test.step("a member is defragmented, by keyboard alone", async () => {
    await tabTo(page, cluster.row("n2").locator("summary"));
    await page.keyboard.press("Enter");
    await tabTo(page, cluster.button("Defragment", "n2"));
    await page.keyboard.press("Enter");
    await expect(cluster.dialog.getByRole("list", { name: "Checks" })).toBeVisible();
    await tabTo(page, cluster.dialog.getByLabel(/^Reason/), true);
    await page.keyboard.type("Journey: by keyboard");
    await page.keyboard.press("Enter");
    await expect(cluster.dialog.getByText("succeeded", { exact: true })).toBeVisible({ timeout: 60_000 });
    done.push({ reason: "Journey: by keyboard", ...(await cluster.closeAndRead()) });
  });

  await test.step("each is on record", async () => {
    const { items } = await Rest.withRole(console.address, "auditor", ["--config", console.config]).get("/audit?cluster=keys&limit=1000");
    for (const { reason, intent, outcome } of done) {
      const begun = items.find((entry: any) => entry.seq === intent);
      expect(JSON.stringify(begun)).toContain(reason);
      expect(items.find((entry: any) => entry.seq === outcome)).toMatchObject({ kind: "outcome", outcome: "succeeded" });
    }
  });
});
