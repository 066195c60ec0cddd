// A dead and a frozen leader: when the page stops showing it, and when it shows the new one.

import { expect, test } from "../console/journey.ts";
import { until } from "../clusters/program.ts";
import { ClusterPage, recordLeader, shownLeaders } from "../pages/cluster.ts";

for (const [how, fault] of [["killed", "kill"], ["frozen", "freeze"]] as const) {
  test(`a ${how} leader stops being shown as leading, and the new one is shown once it leads`, async ({ ownDemo, signedIn }) => {
    const demo = await ownDemo(["--restart-after", "0"]);
    const page = await signedIn(demo);
    const cluster = await new ClusterPage(page).open(demo.address, "demo");
    const old = await demo.needLeader();
    await expect(cluster.leaderRow).toContainText(old.member);
    await recordLeader(page);

    const struck = Date.now();
    demo[fault](old.member);
    const elected = await demo.needLeader([old.member]);
    const electedAt = Date.now();
    expect(elected.term).toBeGreaterThan(old.term);
    await expect(cluster.leaderRow).toContainText(elected.member);

    const shown = await shownLeaders(page);
    const gone = shown.find((moment) => moment.at >= struck && moment.leader !== old.member);
    const fresh = shown.find((moment) => moment.at >= struck && moment.leader === elected.member);
    // The aims are 3 s and 1 s; `cargo xtask bench` measures them. A busy machine that tests
    // must not fail for its own slowness, so the limits here are four times as wide.
    const oldShown = gone!.at - struck;
    const newLate = fresh!.at - electedAt;
    test.info().annotations.push({ type: "ms", description: `old shown for ${oldShown}, new late by ${newLate}` });
    expect(oldShown, "the old one was shown for so many ms").toBeLessThanOrEqual(12_000);
    expect(newLate, "the new one was shown so many ms after it led").toBeLessThanOrEqual(4_000);

    await expect(cluster.row(old.member).getByText("unreachable")).toBeVisible();
    await expect(cluster.sentence).toContainText(/2 of 3 voters answer/);
  });
}

test("a killed node comes back and the page says so without a reload", async ({ ownDemo, signedIn }) => {
  const demo = await ownDemo(["--restart-after", "2"]);
  const page = await signedIn(demo);
  const cluster = await new ClusterPage(page).open(demo.address, "demo");
  const leader = await demo.needLeader();
  const victim = ["node-1", "node-2", "node-3"].find((id) => id !== leader.member)!;
  const before = demo.nodes.get(victim)!.pid;

  demo.kill(victim);
  await expect(cluster.row(victim).getByText("unreachable")).toBeVisible();
  await until("its line printed again", async () => (demo.nodes.get(victim)!.pid !== before ? true : undefined));
  await expect(cluster.row(victim).getByText("in step")).toBeVisible({ timeout: 20_000 });
  await expect(cluster.sentence).toContainText(/3 of 3 voters answer|All 3 voters answer/);
});

test("a majority lost is said, refuses changes with the reason, and is over when it is over", async ({ ownDemo, signedIn }) => {
  const demo = await ownDemo(["--restart-after", "0"]);
  const page = await signedIn(demo);
  const cluster = await new ClusterPage(page).open(demo.address, "demo");
  const voters = ["node-1", "node-2", "node-3"];
  const leader = await demo.needLeader();
  const frozen = voters.filter((id) => id !== leader.member);

  for (const id of frozen) demo.freeze(id);
  await expect(cluster.leaderRow).toHaveCount(0);
  await expect(cluster.sentence).toContainText(/1 of 3/);
  const promote = cluster.button("Promote", "node-4");
  await expect(promote).toHaveAttribute("aria-disabled", "true");

  for (const id of frozen) demo.thaw(id);
  await expect(cluster.leaderRow).toHaveCount(1, { timeout: 20_000 });
  await expect(promote).not.toHaveAttribute("aria-disabled", "true", { timeout: 20_000 });
});

test("when the console goes away the page says so and recovers by itself", async ({ ownDemo, signedIn, complaints }) => {
  const demo = await ownDemo();
  const page = await signedIn(demo);
  const cluster = await new ClusterPage(page).open(demo.address, "demo");
  complaints.expect(/ERR_INTERNET_DISCONNECTED|ERR_CONNECTION|ERR_NETWORK|Failed to load/);

  await page.context().setOffline(true);
  await page.evaluate(() => dispatchEvent(new Event("offline")));
  process.kill(demo.pid, "SIGSTOP");
  await expect(page.getByText(/Reconnecting|Console unreachable/)).toBeVisible({ timeout: 30_000 });
  process.kill(demo.pid, "SIGCONT");
  await page.context().setOffline(false);
  await expect(page.getByText(/^live, /)).toBeVisible({ timeout: 30_000 });
  await expect(cluster.leaderRow).toHaveCount(1);
});
