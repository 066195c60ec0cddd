// All verbs on a real OpenBao cluster, each compared with OpenBao's own configuration and found in
// the audit log.

import { until } from "../clusters/program.ts";
import { expect, test } from "../console/journey.ts";
import { Rest } from "../console/quorate.ts";
import { ClusterPage, type Verb } from "../pages/cluster.ts";

test("the whole round on OpenBao: add, promote, transfer, demote, remove, snapshot", async ({ openbao: bao, openbaoConsole: served, signedIn }) => {
  test.setTimeout(240_000);
  const rest = Rest.withRole(served.address, "auditor", ["--config", served.config]);
  const page = await signedIn(served);
  const cluster = await new ClusterPage(page).open(served.address, "bao");
  const fresh = bao.fresh;
  const done: { action: string; reason: string; intent: number; outcome: number }[] = [];

  const change = async (verb: Verb, action: string, member: string | undefined, prepare?: () => Promise<void>) => {
    const reason = `Journey: ${verb} ${member ?? ""}`.trim();
    await test.step(`${verb} ${member ?? ""}`, async () => {
      await cluster.ask(verb, member);
      await prepare?.();
      await cluster.carryOut(verb, reason);
      done.push({ action, reason, ...(await cluster.closeAndRead()) });
    });
  };

  await change("Add learner", "add_learner", undefined, async () => {
    await cluster.dialog.getByLabel("Address of the newcomer").fill(fresh.api);
    await cluster.dialog.getByRole("button", { name: "Show what it would do" }).click();
  });
  await bao.settled(fresh.node, "learner");

  await change("Promote", "promote", fresh.node);
  await bao.settled(fresh.node, "voter");
  await expect(cluster.row(fresh.node).getByText("voter", { exact: true })).toBeVisible();

  const before = (await until("a leader", () => bao.leader()))!;
  await change("Transfer leadership", "transfer", before, async () => {
    await expect(cluster.dialog.getByText("Chosen by the cluster")).toBeVisible();
    await expect(cluster.dialog.getByLabel("New leader")).toHaveCount(0);
  });
  const after = await until("another leader", async () => {
    const leader = await bao.leader();
    return leader !== undefined && leader !== before ? leader : undefined;
  });
  await expect(cluster.leaderRow).toContainText(after);

  const follower = ["n1", "n2", "n3"].find((id) => id !== after)!;
  await change("Demote", "demote", follower);
  await bao.settled(follower, "learner");

  await change("Remove", "remove", follower, async () => {
    await cluster.dialog.getByLabel(`Type ${follower} to remove it`).fill(follower);
  });
  await bao.settled(follower, "gone");

  await change("Take snapshot", "snapshot", undefined);

  await test.step("each is in the audit log", async () => {
    await page.goto(`${served.address}/audit`);
    for (const { reason } of done) await expect(page.getByRole("main")).toContainText(reason);
    const { items } = await rest.get("/audit?cluster=bao&limit=1000");
    for (const { action, reason, intent, outcome } of done) {
      const begun = items.find((entry: any) => entry.seq === intent);
      expect(begun, `intent of ${action}`).toMatchObject({ kind: "intent", action });
      expect(JSON.stringify(begun)).toContain(reason);
      expect(items.find((entry: any) => entry.seq === outcome)).toMatchObject({ kind: "outcome", action, outcome: "succeeded" });
    }
    // Neither OpenBao's token nor anything like it may be on record.
    expect(JSON.stringify(items)).not.toMatch(/s\.[A-Za-z0-9]{20,}/);
  });
});

test("an address that is not allowed is refused before anything is sent to it", async ({ openbao: bao, openbaoConsole: served, signedIn, complaints }) => {
  // The refusal comes as such; Chromium tells every 4xx on its console.
  complaints.expect(/status of 422/);
  const page = await signedIn(served);
  const cluster = await new ClusterPage(page).open(served.address, "bao");
  await cluster.ask("Add learner");
  await cluster.dialog.getByLabel("Address of the newcomer").fill("http://127.0.0.1:9");
  await cluster.dialog.getByRole("button", { name: "Show what it would do" }).click();
  await expect(cluster.dialog).toContainText(/not allowed|join_allowed/i);
  await cluster.dialog.getByRole("button", { name: "Cancel" }).click();
  expect((await bao.configuration())!.map((server) => server.node_id).sort()).toEqual(["n1", "n2", "n3", "n4"]);
});
