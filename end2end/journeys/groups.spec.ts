// A program of many groups, a real one: the list, a search in it, one group by itself, a change in
// that group alone, and its record.

import { mkdirSync } from "node:fs";
import { Dragonboat } from "../clusters/dragonboat.ts";
import { until } from "../clusters/program.ts";
import { expect, test as base, type SignIn } from "../console/journey.ts";
import { Rest } from "../console/quorate.ts";
import { Served } from "../console/serve.ts";
import { ClusterPage } from "../pages/cluster.ts";

const GROUPS = 12;

const test = base.extend<{ hosts: Dragonboat; many: SignIn & { config: string } }>({
  // Its first run compiles Dragonboat.
  hosts: [
    async ({}, use, info) => {
      const folder = info.outputPath("dragonboat");
      mkdirSync(folder, { recursive: true });
      const hosts = await Dragonboat.start(folder, GROUPS);
      await use(hosts);
      await hosts.stop();
    },
    { scope: "test", timeout: 300_000 },
  ],

  many: async ({ hosts }, use, info) => {
    const folder = info.outputPath("console");
    mkdirSync(folder, { recursive: true });
    const served = await Served.start(
      folder,
      `[[clusters]]
name = "orders"
kind = "agent"
seeds = [${JSON.stringify(hosts.origins.get("host-1"))}]
token_file = ${JSON.stringify(hosts.tokenFile)}`,
    );
    await use({ address: served.address, config: served.config, link: served.newLink("ada", "admin") });
    await served.stop();
  },
});

test("a group is found in the list, led by another host, and the record names it", async ({ hosts, many, signedIn }) => {
  test.setTimeout(300_000);
  const rest = Rest.withRole(many.address, "auditor", ["--config", many.config]);
  const view = Rest.withRole(many.address, "viewer", ["--config", many.config]);
  await until("the console knows all groups and hosts", async () => {
    const { classes, hosts: known } = await view.get("/clusters/orders");
    return classes?.ok === GROUPS && known.length === 3 ? true : undefined;
  }, { patience: 90_000 });

  const page = await signedIn(many);
  await page.goto(`${many.address}/clusters/orders`);
  await expect(page.locator(".head-sentence")).toContainText(`${GROUPS} groups on 3 hosts`);
  const all = page.getByRole("main").getByRole("link", { name: "All groups" });
  await expect(all).toBeVisible();
  await all.click();
  const list = page.getByRole("main").getByRole("table", { name: "Groups", exact: true });
  const numbered = Array.from({ length: GROUPS - 1 }, (_, at) => `group-${at + 2}`);
  await expect(list.getByRole("rowheader")).toHaveText(["default", ...numbered]);

  await test.step("search", async () => {
    await page.getByLabel("Name or leader").fill("GROUP-1");
    await page.getByRole("button", { name: "Show" }).click();
    await expect(list.getByRole("rowheader")).toHaveText(["group-10", "group-11", "group-12"]);
  });

  const before = await hosts.settled(11, "group-11");
  const after = before === "host-1" ? "host-2" : "host-1";
  await list.getByRole("link", { name: "group-11" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("orders/group-11");
  const group = new ClusterPage(page);
  await group.live();
  await expect(group.leaderRow).toContainText(before);

  const reason = "Journey: another host leads this group";
  await group.ask("Transfer leadership", before);
  await group.dialog.getByLabel("New leader").selectOption(after);
  await group.carryOut("Transfer leadership", reason);
  const { intent, outcome } = await group.closeAndRead();
  await expect(group.leaderRow).toContainText(after);
  expect(await until("Dragonboat itself agrees", async () => ((await hosts.leader(11)) === after ? after : undefined))).toBe(after);

  await test.step("the record names the group", async () => {
    const { items } = await rest.get("/audit?cluster=orders&limit=1000");
    const begun = items.find((entry: any) => entry.seq === intent);
    expect(begun).toMatchObject({ kind: "intent", action: "transfer", group: "group-11" });
    expect(JSON.stringify(begun)).toContain(reason);
    expect(items.find((entry: any) => entry.seq === outcome)).toMatchObject({ kind: "outcome", group: "group-11", outcome: "succeeded" });
    expect(JSON.stringify(items)).not.toContain("a-token-for-tests");
  });

  await test.step("the way back leads to the list, which shows it by itself", async () => {
    await page.getByRole("navigation", { name: "Where this is" }).getByRole("link", { name: "Groups" }).click();
    const row = list.getByRole("row").filter({ has: page.getByRole("rowheader", { name: "group-11", exact: true }) });
    await expect(row).toContainText(after, { timeout: 60_000 });
  });
});
