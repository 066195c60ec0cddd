// All verbs on the demo cluster, each confirmed by the nodes' own words and found in the audit log.

import { expect, test } from "../console/journey.ts";
import { Rest } from "../console/quorate.ts";
import { ClusterPage, type Verb } from "../pages/cluster.ts";

test("the whole round: add, promote, transfer, demote, remove, snapshot", async ({ ownDemo, signedIn }) => {
  test.setTimeout(180_000);
  const demo = await ownDemo();
  const rest = Rest.withRole(demo.address, "auditor", ["--data", demo.data]);
  const page = await signedIn(demo);
  const cluster = await new ClusterPage(page).open(demo.address, "demo");
  const spare = demo.spare;
  const done: { verb: Verb; action: string; reason: string; intent: number; outcome: number }[] = [];

  const change = async (verb: Verb, action: string, member: string | undefined, prepare?: () => Promise<void>) => {
    const reason = `Journey: ${verb} ${member ?? ""}`.trim();
    await test.step(`${verb} ${member ?? ""}`, async () => {
      await cluster.ask(verb, member);
      await prepare?.();
      await cluster.carryOut(verb, reason);
      done.push({ verb, action, reason, ...(await cluster.closeAndRead()) });
    });
  };

  await change("Add learner", "add_learner", undefined, async () => {
    await cluster.dialog.getByLabel("Address of the newcomer").fill(spare.address);
    await cluster.dialog.getByRole("button", { name: "Show what it would do" }).click();
  });
  expect(await demo.role(spare.id)).toBe("learner");
  await expect(cluster.row(spare.id).getByText("learner", { exact: true })).toBeVisible();

  await change("Promote", "promote", spare.id);
  expect(await demo.role(spare.id)).toBe("voter");
  await expect(cluster.row(spare.id).getByText("voter", { exact: true })).toBeVisible();

  const before = await demo.needLeader();
  await change("Transfer leadership", "transfer", before.member, async () => {
    await cluster.dialog.getByLabel("New leader").selectOption(spare.id);
  });
  expect((await demo.needLeader()).member).toBe(spare.id);
  await expect(cluster.leaderRow).toContainText(spare.id);

  await change("Demote", "demote", before.member);
  expect(await demo.role(before.member)).toBe("learner");

  await change("Remove", "remove", before.member, async () => {
    await cluster.dialog.getByLabel(`Type ${before.member} to remove it`).fill(before.member);
  });
  expect(await demo.role(before.member)).toBe("gone");
  await expect(cluster.row(before.member)).toHaveCount(0);

  await change("Take snapshot", "snapshot", undefined);
  expect((await demo.needLeader()).snapshot).not.toBeNull();

  await test.step("each is in the audit log: intent before outcome, who, why, what was seen, sent and received", async () => {
    await page.goto(`${demo.address}/audit`);
    for (const { reason } of done) await expect(page.getByRole("main")).toContainText(reason);
    const { items } = await rest.get("/audit?cluster=demo&limit=1000");
    for (const { action, reason, intent, outcome } of done) {
      const begun = items.find((entry: any) => entry.seq === intent);
      const ended = items.find((entry: any) => entry.seq === outcome);
      expect(begun, `intent of ${action}`).toMatchObject({ kind: "intent", action });
      expect(ended, `outcome of ${action}`).toMatchObject({ kind: "outcome", action, outcome: "succeeded" });
      expect(JSON.stringify(begun)).toContain(reason);
      expect(begun.change).toBe(ended.change);
      expect(outcome).toBeGreaterThan(intent);
    }
    await page.goto(`${demo.address}/audit/${done[1]!.intent}`);
    await expect(page.getByRole("main")).toContainText(done[1]!.reason);
    await expect(page.getByRole("main")).toContainText("What was seen");
  });
});

test("a refused change says why and cannot be sent", async ({ ownDemo, signedIn }) => {
  const demo = await ownDemo();
  const page = await signedIn(demo);
  const cluster = await new ClusterPage(page).open(demo.address, "demo");
  const leader = await demo.needLeader();

  const demote = await cluster.reach("Demote", leader.member);
  await expect(demote).toHaveAttribute("aria-disabled", "true");
  await expect(demote).toContainText("Transfer leadership first");
  expect(await demo.role(leader.member)).toBe("voter");
});

test("an open dialog says when the cluster has moved, and nothing is sent", async ({ ownDemo, signedIn }) => {
  const demo = await ownDemo(["--restart-after", "0"]);
  const page = await signedIn(demo);
  const cluster = await new ClusterPage(page).open(demo.address, "demo");
  const leader = await demo.needLeader();
  const dialog = await cluster.ask("Promote", "node-4");
  await expect(dialog.getByRole("list", { name: "Checks" })).toBeVisible();
  await dialog.getByLabel(/^Reason/).fill("Decided before the leader died");

  demo.kill(leader.member);
  await expect(dialog.getByText("The cluster has moved since this was worked out.")).toBeVisible({ timeout: 15_000 });
  await expect(dialog.getByRole("button", { name: "Promote", exact: true })).toHaveAttribute("aria-disabled", "true");
  expect(await demo.role("node-4")).toBe("learner");
});
