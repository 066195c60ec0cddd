// The console in a folder of a host that belongs to others, behind a reverse proxy.

import { mkdirSync } from "node:fs";
import { expect, test } from "../console/journey.ts";
import { Proxy } from "../console/proxy.ts";
import { Served } from "../console/serve.ts";
import { ClusterPage } from "../pages/cluster.ts";

for (const strip of [true, false]) {
  test(`everything works under a base path that the proxy ${strip ? "takes off" : "leaves on"}`, async ({ ownDemo, signedIn }, info) => {
    const demo = await ownDemo();
    const proxy = await Proxy.listen("/quorate");
    const folder = info.outputPath("console");
    mkdirSync(folder, { recursive: true });
    const seeds = [...demo.nodes.values()].filter((node) => !node.spare).map((node) => node.address);
    const clusters = `[[clusters]]\nname = "raft"\nkind = "agent"\nseeds = ${JSON.stringify(seeds)}\ntoken_file = ${JSON.stringify(demo.tokenFile)}`;
    const served = await Served.start(folder, clusters, proxy.address);
    proxy.forward(served.address, { strip });
    try {
      const link = served.newLink("ada", "admin");
      expect(link.startsWith(`${proxy.address}/`), link).toBe(true);
      const page = await signedIn({ address: proxy.address, link });
      await expect(page.getByRole("heading", { level: 1, name: "Fleet" })).toBeVisible();

      // A link, the event stream, and parts loaded later.
      await page.getByRole("main").locator('a[href$="/quorate/clusters/raft"]').first().click();
      await expect(page).toHaveURL(`${proxy.address}/clusters/raft`);
      const cluster = new ClusterPage(page);
      await cluster.live();
      await expect(cluster.leaderRow).toHaveCount(1);
      const rail = page.getByRole("navigation", { name: "Main" });
      for (const name of ["Problems", "Changes", "Audit", "Access"]) {
        await rail.getByRole("link", { name }).click();
        await expect(page.getByRole("heading", { level: 1 })).toHaveText(new RegExp(name));
        await expect(page).toHaveURL(`${proxy.address}/${name.toLowerCase()}`);
      }
      await page.goBack();
      await expect(page).toHaveURL(`${proxy.address}/audit`);

      // Paths are told apart by the console alone, so what follows is the same either way.
      if (!strip) return;

      // A change, from the dialog to its page.
      await cluster.open(proxy.address, "raft");
      await cluster.ask("Take snapshot");
      await cluster.carryOut("Take snapshot", "Before the proxy is changed");
      const { intent } = await cluster.closeAndRead();
      await page.goto(`${proxy.address}/audit/${intent}`);
      await expect(page.getByRole("main")).toContainText("Before the proxy is changed");

      // Out, and in again at the door.
      await page.getByRole("button", { name: "Sign out" }).click();
      await expect(page).toHaveURL(new RegExp(`^${proxy.address}/sign-in`));
      await page.goto(`${proxy.address}/clusters/raft`);
      await expect(page).toHaveURL(new RegExp(`^${proxy.address}/sign-in\\?`));
      await page.getByLabel("Name").fill("ada");
      await page.getByLabel("Password").fill("not the one");
      await page.getByLabel("Password").press("Enter");
      await expect(page.getByText("Name or password is wrong.")).toBeVisible();
      await expect(page).toHaveURL(new RegExp(`^${proxy.address}/sign-in`));
    } finally {
      expect.soft(proxy.strays.filter((path) => path !== "/favicon.ico"), "asked for outside the base path").toEqual([]);
      await served.stop();
      await proxy.stop();
    }
  });
}
