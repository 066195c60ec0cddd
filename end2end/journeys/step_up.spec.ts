// Before a member is removed, its person proves to be there: by a passkey that a device of the
// browser's makes and keeps. The cluster is the demo's; the console is one that asks for it.

import { mkdirSync } from "node:fs";
import type { CDPSession, Page } from "@playwright/test";
import { expect, test } from "../console/journey.ts";
import { Served } from "../console/serve.ts";
import { ClusterPage } from "../pages/cluster.ts";

/** A device with a finger on it, as the browser itself plays one. */
class Device {
  private constructor(private readonly session: CDPSession, private readonly authenticatorId: string) {}

  static async in(page: Page): Promise<Device> {
    const session = await page.context().newCDPSession(page);
    await session.send("WebAuthn.enable");
    const { authenticatorId } = await session.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        transport: "internal",
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    return new Device(session, authenticatorId);
  }

  /** Whether it knows the finger. */
  async knows(isUserVerified: boolean) {
    await this.session.send("WebAuthn.setUserVerified", { authenticatorId: this.authenticatorId, isUserVerified });
  }
}

test("a member is removed with a passkey, and not without", async ({ ownDemo, signedIn, complaints }, info) => {
  test.setTimeout(240_000);
  const demo = await ownDemo();
  const seeds = [...demo.nodes.values()].map((node) => node.address);
  const folder = info.outputPath("console");
  mkdirSync(folder, { recursive: true });
  // Passkeys belong to names: browsers know none at 127.0.0.1.
  const served = await Served.start(
    folder,
    `[identity.step_up]
actions = ["remove"]

[[clusters]]
name = "demo"
kind = "agent"
seeds = ${JSON.stringify(seeds)}
token_file = ${JSON.stringify(demo.tokenFile)}`,
    (port) => `http://localhost:${port}`,
  );
  try {
    // What is refused until it is proved, or until it is reviewed again, is an answer like any other.
    complaints.expect(/403|409/);
    const address = served.outside;
    const page = await signedIn({ address, link: served.newLink("ada", "admin") });
    const device = await Device.in(page);

    await test.step("a passkey is made", async () => {
      await page.goto(`${address}/access`);
      await page.getByRole("link", { name: "Your passkeys" }).click();
      await page.getByLabel("Name of the device").fill("laptop");
      await page.getByRole("button", { name: "Add a passkey" }).click();
      await page.getByRole("button", { name: "Make the passkey now" }).click();
      await expect(page.getByText("The passkey was added.")).toBeVisible();
      await expect(page.getByText("laptop")).toBeVisible();
    });

    const cluster = await new ClusterPage(page).open(address, "demo");
    const leader = await demo.needLeader();
    const member = leader.membership.members.find(({ id, role }) => role === "voter" && id !== leader.member)!.id;

    await test.step("the removal asks for it", async () => {
      await cluster.ask("Remove", member);
      await cluster.dialog.getByLabel(`Type ${member} to remove it`).fill(member);
      await cluster.dialog.getByLabel(/^Reason/).fill("Journey: step-up");
      const confirm = cluster.dialog.getByRole("button", { name: "Remove", exact: true });
      const again = cluster.dialog.getByRole("button", { name: "Review again" });
      // A busy machine costs a leader its following now and then: then it is reviewed again.
      await expect(async () => {
        if (await again.isVisible()) await again.click();
        await expect(confirm).not.toHaveAttribute("aria-disabled", "true", { timeout: 10_000 });
        await confirm.click();
        await expect(page).toHaveURL(/\/step-up\//, { timeout: 10_000 });
      }).toPass({ timeout: 60_000 });
      await expect(page.getByText(`remove ${member} in demo`)).toBeVisible();
    });

    await test.step("a finger that the device does not know removes nothing", async () => {
      await device.knows(false);
      await page.getByRole("button", { name: "Use a passkey" }).click();
      await expect(page.getByText("The passkey was not used.")).toBeVisible({ timeout: 90_000 });
      expect(await demo.role(member)).toBe("voter");
    });

    await test.step("the right one does", async () => {
      await device.knows(true);
      await page.getByRole("button", { name: "Use a passkey" }).click();
      await expect(page).toHaveURL(/\/changes\//, { timeout: 30_000 });
      await expect(page.getByText("succeeded", { exact: true }).first()).toBeVisible({ timeout: 90_000 });
      expect(await demo.role(member)).toBe("gone");
      await page.goto(`${address}/audit?q=`);
      await expect(page.getByText("ada proved by the passkey laptop").first()).toBeVisible();
    });
    // A page that is left open would ask a console that has ended.
    await page.close();
  } finally {
    await served.stop();
  }
});
