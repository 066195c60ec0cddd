// What must hold behind every proxy, told once.

import { mkdirSync } from "node:fs";
import { expect, test, type BrowserContext, type Page } from "@playwright/test";
import { until } from "../clusters/program.ts";
import { Front, type Kind } from "./front.ts";

/** Generous, and far below what a proxy that gathers answers would take. */
const AT_ONCE = 20_000;
const NAVIGATES = { "sec-fetch-mode": "navigate", accept: "text/html" };

export function journeys(kind: Kind) {
  test.describe(`behind ${kind.name}`, () => {
    test.describe.configure({ mode: "default" });
    let front: Front;

    test.beforeAll(async ({}, info) => {
      test.setTimeout(180_000);
      front = await Front.start(kind, folderOf(info, "front"));
    });
    test.afterAll(async () => front?.stop());

    test("nobody is somebody by forged headers, and data is asked for with a plain refusal or a redirect", async () => {
      const page = await front.ask("/access", { headers: NAVIGATES });
      expect([302, 303, 307]).toContain(page.status);
      for (const name of [undefined, ...kind.forged]) {
        const forged: Record<string, string> = name === undefined ? {} : { [name]: "root" };
        const data = await front.ask("/events?page=fleet", { headers: { "sec-fetch-mode": "cors", ...forged } });
        expect([302, 303, 307, 400, 401], `${name}: ${data.body}`).toContain(data.status);
        const api = await front.ask("/api/v1/clusters", { headers: forged });
        expect([400, 401], `${name}: ${api.body}`).toContain(api.status);
      }
    });

    test("a program with a token goes past the sign-on page, and its address is the client's", async () => {
      const without = await front.ask("/api/v1/clusters");
      expect(without.status).toBe(401);
      expect(without.headers["content-type"]).toContain("application/problem+json");
      const clusters = await front.rest("GET", "/clusters");
      expect(clusters.status, clusters.body).toBe(200);
      const set = await setByHand(front, "n2", { "x-forwarded-for": "203.0.113.9", forwarded: "for=203.0.113.9" });
      expect(set.status, set.body).toBe(200);
      const log = JSON.parse((await front.rest("GET", "/audit?limit=1000")).body);
      const entry = log.items.find((entry: any) => entry.action === "override_set");
      expect(entry.source, JSON.stringify(entry)).toMatchObject({ peer: "127.0.0.1", client: "127.0.0.2" });
    });

    test("a sign-in leads back to the page asked for, which is live over HTTP/2 and HTTP/1.1", async ({ context, page }) => {
      await signIn(page, front, "/clusters/blue?from=here", "anna");
      expect(new URL(page.url()).search).toBe("?from=here");
      await live(page);
      const protocol = await page.evaluate(() => (performance.getEntriesByType("navigation")[0] as any).nextHopProtocol);
      expect(protocol).toBe("h2");

      // An event on the console's side, until it is on the page.
      const began = Date.now();
      const set = await setByHand(front, "n3");
      expect(set.status, set.body).toBe(200);
      await expect(page.getByText("set by hand").first()).toBeVisible({ timeout: AT_ONCE });
      expect(Date.now() - began).toBeLessThan(AT_ONCE);
      await eventsArriveAtOnce(front, context);

      // Forged headers beside a real sign-in: still anna, or refused.
      const cookie = await cookies(context, front);
      for (const name of kind.forged) {
        const answer = await front.ask("/access", { headers: { ...NAVIGATES, cookie, [name]: "root" } });
        const annas = answer.status === 200 && answer.body.includes("anna") && !answer.body.includes("root");
        expect(annas || answer.status === 400, `${name}: ${answer.status}`).toBe(true);
      }
    });

    test("groups are roles, by the table alone, with scripts off", async ({ browser }) => {
      for (const [person, word] of [["anna", "operator"], ["wim", "viewer"], ["eve", undefined]] as const) {
        const context = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false });
        const page = await context.newPage();
        await signIn(page, front, "/access", person);
        const you = page.getByRole("region", { name: "You" });
        await expect(you.getByText(person, { exact: true })).toBeVisible();
        const roles = you.getByText(/^(viewer|operator|admin|approver|auditor) on /);
        if (word === undefined) await expect(roles).toHaveCount(0);
        else await expect(roles).toHaveText([`${word} on all clusters`]);
        await context.close();
      }
    });

    test("when the sign-on ends the page says signed out, and leads back to where one was", async ({ page }) => {
      // A token that ends soon; whoever signs in after this test gets the usual one.
      if (kind.signsIn === "itself") front.openId.tokenLife = 30;
      await signIn(page, front, "/clusters/blue?from=here", "anna");
      const there = page.url();
      if (kind.signsIn === "gate") {
        await live(page);
        await front.expire();
      }
      const again = page.getByRole("link", { name: "Sign in again" });
      await expect(again).toBeVisible({ timeout: 120_000 });
      await expect(page.getByText("Signed out").first()).toBeVisible();
      front.openId.tokenLife = 3_600;
      await again.click();
      await live(page);
      expect(page.url()).toBe(there);
    });

    // Some proxies answer with their sign-in page itself; which one is in front makes no difference.
    if (kind.name === "nginx") test("a sign-in page in place of data is no console that cannot be reached", async ({ page }) => {
      await signIn(page, front, "/clusters/blue", "anna");
      const portal = { status: 200, contentType: "text/html", body: "<h1>Please sign in</h1>" };
      await page.route(/\/events\?/, (route) => route.fulfill(portal));
      await page.reload();
      await expect(page.getByRole("link", { name: "Sign in again" })).toBeVisible();
      await page.unroute(/\/events\?/);
      await page.getByRole("link", { name: "Sign in again" }).click();
      await live(page);
    });

    test("signing out ends both sessions", async ({ context, page }) => {
      await signIn(page, front, "/", "anna");
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.waitForURL((url) => !url.pathname.endsWith("/sign-out") && url.pathname !== `${front.mount}/`);
      const cookie = await cookies(context, front);
      const data = await front.ask("/events?page=fleet", { headers: { "sec-fetch-mode": "cors", cookie } });
      expect([302, 303, 307, 401]).toContain(data.status);
      const log = JSON.parse((await front.rest("GET", "/audit?limit=1000")).body);
      expect(log.items.map((entry: any) => entry.action)).toContain("sign_out");
    });

    test("on a host of its own, by the same recipe without the path", async ({ page }, info) => {
      const own = await Front.start(kind, folderOf(info, "own"), "");
      try {
        await signIn(page, own, "/clusters/blue", "anna");
        await live(page);
        expect((await own.rest("GET", "/clusters")).status).toBe(200);
      } finally {
        await own.stop();
      }
    });
  });
}

/** Asks for a page and goes through the provider's sign-in, if it asks. */
async function signIn(page: Page, front: Front, path: string, person: string) {
  await page.goto(`${front.address}${path}`);
  await page.locator('input[name="login"]').fill(person);
  await page.locator('input[name="password"]').fill("any");
  await page.locator('button[type="submit"]').click();
  await page.waitForURL(`${front.address}${path}`);
}

async function live(page: Page) {
  await expect(page.getByText(/^live, /)).toBeVisible();
}

async function cookies(context: BrowserContext, front: Front): Promise<string> {
  const all = await context.cookies(front.address);
  return all.map(({ name, value }) => `${name}=${value}`).join("; ");
}

function setByHand(front: Front, member: string, headers: Record<string, string> = {}) {
  const until = new Date(Date.now() + 600_000).toISOString();
  return front.rest("POST", "/clusters/blue/overrides", { member, until, reason: "a journey" }, headers);
}

/** Reads the stream by HTTP/1.1: the page's document first, then what happens, one by one. */
async function eventsArriveAtOnce(front: Front, context: BrowserContext) {
  const headers = { "sec-fetch-mode": "cors", "sec-fetch-site": "same-origin", cookie: await cookies(context, front) };
  const began = Date.now();
  const stream = await front.open("/events?page=cluster&name=blue", { headers });
  expect(stream.statusCode).toBe(200);
  expect(stream.headers["content-type"]).toContain("text/event-stream");
  let text = "";
  stream.setEncoding("utf8");
  stream.on("data", (piece: string) => (text += piece));
  stream.on("error", () => {});
  const events = () => text.split("\n\n").filter((block) => block.includes("event:")).length;
  try {
    await until("a snapshot and a delta while the stream is open", async () => (events() >= 2 ? true : undefined), {
      patience: AT_ONCE,
    });
    expect(Date.now() - began).toBeLessThan(AT_ONCE);
  } finally {
    stream.destroy();
  }
}

function folderOf(info: { project: { outputDir: string }; workerIndex: number }, name: string): string {
  const folder = `${info.project.outputDir}/${name}-${info.workerIndex}-${process.pid}-${Date.now()}`;
  mkdirSync(folder, { recursive: true });
  return folder;
}
