// Two people and one change: one asks, the other approves, with scripts off.

import { mkdirSync } from "node:fs";
import { Served } from "../console/serve.ts";
import { expect, test } from "../console/journey.ts";
import { ClusterPage } from "../pages/cluster.ts";
import type { Page } from "@playwright/test";

const REASON = "the third region goes live";

/** Asks for node-4 to be promoted and opens the change's page. */
async function ask(page: Page, address: string): Promise<string> {
  const cluster = await new ClusterPage(page).open(address, "approved");
  const dialog = await cluster.ask("Promote", "node-4");
  const confirm = dialog.getByRole("button", { name: "Promote", exact: true });
  const again = dialog.getByRole("button", { name: "Review again" });
  const waits = dialog.getByText("waits for approval", { exact: true });
  await expect(dialog.getByText(/1 other person with the role approver must approve this/)).toBeVisible({ timeout: 30_000 });
  await dialog.getByLabel(/^Reason/).fill(REASON);
  // A busy machine costs a leader its following now and then: reviewed again, as a person would.
  for (let attempt = 0; attempt < 4; attempt += 1) {
    await expect(confirm.or(again)).toBeVisible({ timeout: 30_000 });
    if (!(await again.isVisible())) {
      await expect(confirm).not.toHaveAttribute("aria-disabled", "true", { timeout: 30_000 });
      await confirm.click();
      await expect(waits.or(again)).toBeVisible({ timeout: 45_000 });
    }
    if (await waits.isVisible()) break;
    await again.click();
  }
  await expect(waits).toBeVisible();
  const link = dialog.getByRole("link", { name: "Open the change" });
  const path = await link.getAttribute("href");
  await dialog.getByRole("button", { name: "Close" }).click();
  return path!;
}

test("a change that one asks for is done when another approves it", async ({ ownDemo, signedIn, complaints }, info) => {
  test.setTimeout(240_000);
  const demo = await ownDemo();
  await demo.needLeader();
  const members = [...demo.nodes.values()].filter((node) => !node.spare);
  const folder = info.outputPath("console");
  mkdirSync(folder, { recursive: true });
  const served = await Served.start(
    folder,
    `[[clusters]]
name = "approved"
kind = "agent"
seeds = ${JSON.stringify(members.map((node) => node.address))}
token_file = ${JSON.stringify(demo.tokenFile)}

[[approvals]]
actions = ["promote"]`,
  );
  try {
    // A cluster that moved while it was read is an answer like any other.
    complaints.expect(/409/);
    const ada = await signedIn({ address: served.address, link: served.newLink("ada", "operator") });
    const dana = await signedIn({ address: served.address, link: served.newLink("dana", "approver") }, { javaScriptEnabled: false });
    // An election between asking and approving makes the request void, as it must: asked again then.
    let done = false;
    for (let attempt = 0; attempt < 4 && !done; attempt += 1) {
      const path = await ask(ada, served.address);
      await ada.goto(`${served.address}${path}`);
      await expect(ada.getByText("You asked for it: somebody else must approve it.")).toBeVisible();
      await expect(ada.getByRole("button", { name: "Take it back" })).toBeVisible();

      await dana.goto(`${served.address}/changes`);
      const waiting = dana.getByRole("region", { name: "Waiting for approval" });
      await expect(waiting.getByText(REASON).first()).toBeVisible();
      await dana.goto(`${served.address}${path}`);
      await expect(dana.getByText("0 of 1", { exact: true })).toBeVisible();
      await dana.getByLabel(/^Your reason/).fill("looked at it");
      await dana.getByRole("button", { name: "Approve", exact: true }).click();
      await expect(dana).toHaveURL(new RegExp(`${path}(\\?problem=cluster-moved)?$`));

      const ended = ada.getByText(/^(succeeded|cancelled|failed|outcome unknown)$/).first();
      await expect(ended).toBeVisible({ timeout: 90_000 });
      done = (await ended.innerText()) === "succeeded";
    }
    expect(done, "approved and done").toBe(true);
    const approval = ada.getByRole("region", { name: "Approval" });
    await expect(approval.getByText("dana", { exact: true })).toBeVisible();
    await expect(approval.getByText(/looked at it$/)).toBeVisible();
    expect(await demo.role("node-4")).toBe("voter");
    // A page that is left open would ask a console that has ended.
    await Promise.all([ada.close(), dana.close()]);
  } finally {
    await served.stop();
  }
});
