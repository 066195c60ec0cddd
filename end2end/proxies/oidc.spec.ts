// The mode `oidc`: no proxy in front, the console signs people in at a real OpenID provider itself.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test, type Page } from "@playwright/test";
import { Program, until } from "../clusters/program.ts";
import { quorate, run } from "../console/quorate.ts";
import { fixedPorts } from "./ports.ts";
import { CLIENT, OpenId } from "./provider.ts";
import { write } from "./recipe.ts";

interface Stage {
  address: string;
  openId: OpenId;
  token: string;
  stop: () => Promise<void>;
}

/** @param parent a folder of its own is made in it */
async function start(parent: string): Promise<Stage> {
  for (let again = 1; ; again += 1) {
    const folder = join(parent, String(again));
    mkdirSync(folder, { recursive: true });
    const [port] = await fixedPorts(1);
    const address = `http://127.0.0.1:${port}`;
    const openId = await OpenId.start([`${address}/sign-in/callback`], {
      post_logout_redirect_uris: [`${address}/sign-in`],
      backchannel_logout_uri: `${address}/back-channel-logout`,
      backchannel_logout_session_required: true,
    });
    const config = write(
      folder,
      "quorate.toml",
      `[server]
listen = "127.0.0.1:${port}"
data_dir = "${join(folder, "data")}"

[identity]
mode = "oidc"
issuer = "${openId.issuer}"
client_id = "${CLIENT.id}"
client_secret_file = "${write(folder, "secret", CLIENT.secret)}"
scopes = ["openid", "profile", "groups"]
leeway_ms = 1000
provider_name = "Example Corp"

[[identity.grants]]
group = "raft-ops"
role = "operator"
clusters = ["*"]

[[identity.grants]]
group = "raft-watch"
role = "viewer"
clusters = ["*"]

[[clusters]]
name = "blue"
kind = "simulated"
`,
    );
    const console = new Program(quorate(), ["serve", "--config", config], { log: join(folder, "console.log") });
    let over = false;
    void console.ended.then(() => (over = true));
    const ready = await until(
      "the console is ready, or has ended",
      async () => {
        if (over) return "ended";
        try {
          return (await fetch(`${address}/readyz`)).ok ? "ready" : undefined;
        } catch {
          return undefined;
        }
      },
      { patience: 90_000 },
    );
    const stop = async () => {
      await console.stop();
      await openId.stop();
    };
    if (ready === "ready") {
      const token = run("token", "create", "program", "--role", "admin", "--config", config).at(-1)!;
      return { address, openId, token, stop };
    }
    // Somebody else may have taken the port meanwhile.
    await stop();
    if (again === 5) throw new Error(`the console ended at once; its log is in ${folder}`);
  }
}

test.describe("signing in at an OpenID provider", () => {
  test.describe.configure({ mode: "default" });
  let stage: Stage;

  test.beforeAll(async ({}, info) => {
    test.setTimeout(180_000);
    stage = await start(`${info.project.outputDir}/oidc-${info.workerIndex}-${process.pid}-${Date.now()}`);
  });
  test.afterAll(async () => stage?.stop());

  /** From the console's sign-in page to the page asked for. */
  async function signIn(page: Page, path: string, person: string) {
    await page.goto(`${stage.address}${path}`);
    await page.getByRole("link", { name: "Sign in with Example Corp" }).click();
    await answer(page, person);
    await page.waitForURL(`${stage.address}${path}`);
  }

  /** What the provider asks. */
  async function answer(page: Page, person: string) {
    await page.locator('input[name="login"]').fill(person);
    await page.locator('input[name="password"]').fill("any");
    await page.locator('button[type="submit"]').click();
  }

  async function live(page: Page) {
    await expect(page.getByText(/^live, /)).toBeVisible();
  }

  async function log(): Promise<{ action: string; text: string; actor: { means: string; issuer: string } }[]> {
    const answer = await fetch(`${stage.address}/api/v1/audit?limit=1000`, {
      headers: { authorization: `Bearer ${stage.token}` },
      signal: AbortSignal.timeout(30_000),
    });
    return ((await answer.json()) as { items: never[] }).items;
  }

  test("people come in with the roles of their groups, with scripts off", async ({ browser }) => {
    for (const [person, word] of [["anna", "operator"], ["wim", "viewer"], ["eve", undefined]] as const) {
      const context = await browser.newContext({ javaScriptEnabled: false });
      const page = await context.newPage();
      await signIn(page, "/access", person);
      const you = page.getByRole("region", { name: "You" });
      await expect(you.getByText(person, { exact: true })).toBeVisible();
      await expect(you.getByText("OpenID Connect (oidc)")).toBeVisible();
      const roles = you.getByText(/^(viewer|operator|admin|approver|auditor) on /);
      if (word === undefined) await expect(roles).toHaveCount(0);
      else await expect(roles).toHaveText([`${word} on all clusters`]);
      await context.close();
    }
    const came = (await log()).filter(({ action }) => action === "sign_in");
    expect(came.every(({ actor }) => actor.means === "oidc" && actor.issuer === stage.openId.issuer)).toBe(true);
  });

  test("signing out here goes on to the provider, and comes back", async ({ page }) => {
    await signIn(page, "/", "anna");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL((url) => url.origin === stage.openId.issuer);
    await page.locator('button[name="logout"]').click();
    await page.waitForURL((url) => url.origin === stage.address && url.pathname === "/sign-in");
    // There too: the provider asks for the password again.
    await page.getByRole("link", { name: "Sign in with Example Corp" }).click();
    await expect(page.locator('input[name="password"]')).toBeVisible();
  });

  test("signing out at the provider ends the session here, and the live page says so", async ({ context, page }) => {
    await signIn(page, "/clusters/blue?from=here", "anna");
    await live(page);
    const before = (await log()).length;

    // Elsewhere in the same browser; the console has no part in it but what the provider tells it.
    const elsewhere = await context.newPage();
    await elsewhere.goto(`${stage.openId.issuer}/session/end`);
    await elsewhere.locator('button[name="logout"]').click();
    await elsewhere.waitForURL((url) => url.pathname === "/session/end/success");
    await elsewhere.close();

    const again = page.getByRole("link", { name: "Sign in again" });
    await expect(again).toBeVisible();
    await expect(page.getByText("Signed out").first()).toBeVisible();
    // Sessions end first, then it is recorded.
    const told = await until("the record", async () => {
      return (await log()).slice(before).find(({ action }) => action === "sign_out");
    });
    expect(told.text).toBe("The OpenID provider says that anna signed out; 1 sessions ended.");
    expect(told.actor).toMatchObject({ means: "oidc", issuer: stage.openId.issuer });

    // There too it is over: the provider asks for the password, and leads back to where one was.
    await again.click();
    await page.getByRole("link", { name: "Sign in with Example Corp" }).click();
    await answer(page, "anna");
    await live(page);
    expect(page.url()).toBe(`${stage.address}/clusters/blue?from=here`);
  });

  test("when the ID token ends under a live page it says signed out, and leads back to where one was", async ({ browser }) => {
    // On a slow machine a short token is over before the page is there.
    for (const life of [8, 30, 90]) {
      const context = await browser.newContext();
      const page = await context.newPage();
      stage.openId.tokenLife = life;
      await page.goto(`${stage.address}/clusters/blue?from=here`);
      const signIn = page.getByRole("link", { name: "Sign in with Example Corp" });
      await signIn.click();
      await answer(page, "anna");
      const again = page.getByRole("link", { name: "Sign in again" });
      await expect(again.or(signIn).first()).toBeVisible({ timeout: 120_000 });
      // The token was given long before; whoever signs in from now on gets the usual one.
      stage.openId.tokenLife = 3_600;
      if (await again.isVisible()) {
        await expect(page.getByText("Signed out").first()).toBeVisible();
        const there = page.url();
        expect(there).toBe(`${stage.address}/clusters/blue?from=here`);
        await again.click();
        // The provider knows them still, and asks for nothing.
        await signIn.click();
        await live(page);
        expect(page.url()).toBe(there);
        await context.close();
        return;
      }
      await context.close();
    }
    throw new Error("no page was there before its token was over");
  });

  test("a new key of the provider is learned", async ({ page }) => {
    await signIn(page, "/", "anna");
    await stage.openId.changeKeys();
    const other = await page.context().browser()!.newContext();
    const second = await other.newPage();
    // Keys are asked for anew every ten seconds at most.
    await until("a sign-in by the new key", async () => {
      await second.goto(`${stage.address}/sign-in`);
      await second.getByRole("link", { name: "Sign in with Example Corp" }).click();
      const login = second.locator('input[name="login"]');
      const here = (url: URL) => url.origin === stage.address;
      if (await Promise.race([login.waitFor().then(() => true), second.waitForURL(here).then(() => false)])) {
        await login.fill("wim");
        await second.locator('input[name="password"]').fill("any");
        await second.locator('button[type="submit"]').click();
      }
      await second.waitForURL(here);
      return new URL(second.url()).pathname === "/" ? true : undefined;
    }, { patience: 120_000, every: 1_000 });
    await other.close();
    // Nobody was signed out by it.
    await page.reload();
    await live(page);
  });
});
