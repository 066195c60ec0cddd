// In by the socket for emergencies, as an administrator is through a tunnel: the console is the usual one,
// a change works, everybody sees that somebody is in, and the log says how.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tunnel } from "../clusters/tunnel.ts";
import { expect, test as base } from "../console/journey.ts";
import { suitsEverybody } from "../console/look.ts";
import { run } from "../console/quorate.ts";
import { ClusterPage } from "../pages/cluster.ts";
import { PAGES } from "../pages/all.ts";

const REASON = "the provider is away";

const test = base.extend<{ socket: string; tunnel: Tunnel }>({
  // A path that a socket can have is short, and nobody else may write its folder.
  socket: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), "quorate-"));
    await use(join(folder, "break-glass.sock"));
    rmSync(folder, { recursive: true, force: true });
  },
  tunnel: async ({ socket }, use) => {
    const tunnel = await Tunnel.to(socket);
    await use(tunnel);
    await tunnel.stop();
  },
});

test("break-glass: in through a tunnel, seen by everybody on every page, and on record", async ({ demo, socket, tunnel, ownConsole, signedIn, context, complaints }) => {
  test.setTimeout(240_000);
  const console = await ownConsole(`[identity.break_glass]
socket = ${JSON.stringify(socket)}

[[clusters]]
name = "demo"
kind = "agent"
seeds = ${JSON.stringify([...demo.nodes.values()].filter(({ spare }) => !spare).map(({ address }) => address))}
token_file = ${JSON.stringify(demo.tokenFile)}`);
  const everybody = await signedIn(console);
  const banner = (page: typeof everybody) => page.getByRole("alert").filter({ hasText: "Break-glass is open" });
  await expect(everybody.getByText(/^live, /)).toBeVisible();
  await expect(banner(everybody)).toHaveCount(0);

  const page = await context.newPage();
  await test.step("without the link nobody gets in; with it, once", async () => {
    complaints.expect(/status of 401/);
    expect((await page.goto(`${tunnel.address}/`))?.status()).toBe(401);
    const [printed] = run("break-glass", "--config", console.config, "--reason", REASON).filter((line) => line.includes("/sign-in/"));
    const link = printed!.replace(/^http:\/\/localhost/, tunnel.address);
    expect((await page.goto(link))?.status()).toBe(200);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Fleet");
    const again = await (await context.newPage()).goto(link);
    expect(again?.status()).toBe(401);
  });

  await test.step("every page says so, to who is in and to everybody else", async () => {
    await expect(banner(everybody)).toContainText(REASON, { timeout: 60_000 });
    for (const [who, address] of [[page, tunnel.address], [everybody, console.address]] as const) {
      for (const [path] of PAGES) {
        await who.goto(`${address}${path}`);
        await expect(banner(who), `${address}${path}`).toContainText(REASON);
      }
    }
  });

  const cluster = await new ClusterPage(page).open(tunnel.address, "demo");
  await suitsEverybody(page, "break-glass");
  const { intent } = await test.step("a change works", () => cluster.change("Take snapshot"));

  await test.step("the log says how it was done", async () => {
    await everybody.goto(`${console.address}/audit/${intent}`);
    await expect(everybody.getByRole("main")).toContainText("Break-glass, by the socket on the console's machine");
  });

  await test.step("signed out, it is over, and Problems remembers", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await expect(banner(everybody)).toHaveCount(0, { timeout: 60_000 });
    await everybody.goto(`${console.address}/problems`);
    await expect(everybody.getByRole("main")).toContainText("Break-glass was used");
  });
});
