// What every journey stands on: clusters to look at, a signed-in page, and the rule that the
// browser's console stays empty.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test as base, expect, type Browser, type BrowserContext, type Page } from "@playwright/test";
import { Demo } from "../clusters/demo.ts";
import { OpenBao } from "../clusters/openbao.ts";
import { Served } from "./serve.ts";

/** What the browser complained of. A journey that provokes something says so beforehand. */
export class Complaints {
  private readonly heard: string[] = [];
  private readonly expected: RegExp[] = [];

  listen(context: BrowserContext) {
    context.on("console", (message) => {
      if (message.type() === "error") {
        this.heard.push(`${message.type()}: ${message.text()} (${message.location().url})`);
      }
    });
    context.on("weberror", (error) => this.heard.push(`uncaught: ${error.error().stack ?? error.error().message}`));
  }

  /** From here on, complaints that match are part of the journey. */
  expect(pattern: RegExp) {
    this.expected.push(pattern);
  }

  get all(): string[] {
    return this.heard.filter((text) => !this.expected.some((pattern) => pattern.test(text)));
  }
}

interface Journey {
  complaints: Complaints;
  /** A cluster of this journey alone: to be killed, frozen and changed. */
  ownDemo: (args?: string[]) => Promise<Demo>;
  /** A real OpenBao cluster of this journey alone. */
  openbao: OpenBao;
  /** A console that watches it under the name `bao`, and a link for an admin. */
  openbaoConsole: SignIn & { config: string };
  /** A console of this journey alone, with these tables in its configuration, and a link for an admin. */
  ownConsole: (tables: string) => Promise<SignIn & { config: string }>;
  /** Opens a signed-in page in a browser context of its own. */
  signedIn: (link: SignIn, options?: Parameters<Browser["newContext"]>[0]) => Promise<Page>;
}

interface Shared {
  /** A cluster that is only looked at. */
  demo: Demo;
}

/** Where a browser gets in: a demo's link works once, so its session is kept and used again. */
export interface SignIn {
  address: string;
  link: string;
}

/** Sessions by link, for links that were used. */
const sessions = new Map<string, Awaited<ReturnType<BrowserContext["storageState"]>>>();

export const test = base.extend<Journey, Shared>({
  demo: [
    async ({}, use, info) => {
      const demo = await Demo.start(folderOf(info.project.outputDir, `demo-${info.workerIndex}`));
      await use(demo);
      await demo.stop();
    },
    { scope: "worker", timeout: 90_000 },
  ],

  ownDemo: async ({}, use, info) => {
    const running: Demo[] = [];
    await use(async (args = []) => {
      const demo = await Demo.start(folderOf(info.outputPath(), `demo-${running.length}`), args);
      running.push(demo);
      return demo;
    });
    await Promise.all(running.map((demo) => demo.stop()));
  },

  openbao: async ({}, use, info) => {
    const bao = await OpenBao.start(folderOf(info.outputPath(), "openbao"));
    await use(bao);
    await bao.stop();
  },

  openbaoConsole: async ({ openbao }, use, info) => {
    const served = await Served.start(
      folderOf(info.outputPath(), "console"),
      `[[clusters]]
name = "bao"
kind = "openbao"
seeds = ${JSON.stringify(openbao.seeds)}
token_file = ${JSON.stringify(openbao.tokenFile)}
join_allowed = [${JSON.stringify(openbao.fresh.api)}]`,
    );
    await use({ address: served.address, config: served.config, link: served.newLink("ada", "admin") });
    await served.stop();
  },

  ownConsole: async ({}, use, info) => {
    const running: Served[] = [];
    await use(async (tables) => {
      const served = await Served.start(folderOf(info.outputPath(), `console-${running.length}`), tables);
      running.push(served);
      return { address: served.address, config: served.config, link: served.newLink("ada", "admin") };
    });
    await Promise.all(running.map((served) => served.stop()));
  },

  complaints: [
    async ({}, use) => {
      const complaints = new Complaints();
      await use(complaints);
      expect(complaints.all, "the browser's console stays empty").toEqual([]);
    },
    { auto: true },
  ],

  context: async ({ context, complaints }, use) => {
    complaints.listen(context);
    await use(context);
  },

  signedIn: async ({ browser, complaints }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async ({ address, link }, options = {}) => {
      const context = await browser.newContext({ ...options, storageState: sessions.get(link) });
      contexts.push(context);
      complaints.listen(context);
      const page = await context.newPage();
      if (!sessions.has(link)) {
        // Without rendering the page it leads to: that page would be left while it still loads.
        await context.request.get(link);
        sessions.set(link, await context.storageState());
      }
      await page.goto(`${address}/`);
      return page;
    });
    await Promise.all(contexts.map((context) => context.close()));
  },
});

export { expect };

function folderOf(parent: string, name: string): string {
  const folder = join(parent, name);
  mkdirSync(folder, { recursive: true });
  return folder;
}
