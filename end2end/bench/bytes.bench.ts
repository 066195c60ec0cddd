// What a cold cluster page costs: bytes over the wire, requests, time to read.

import type { CDPSession, Page } from "@playwright/test";
import { test } from "../console/journey.ts";
import { say } from "./report.ts";

interface Wire {
  requests: number;
  transferred: number;
  document: number;
}

/** Counts what is transferred from now on, headers included, as the browser's network panel does. */
async function count(session: CDPSession): Promise<Wire> {
  const wire: Wire = { requests: 0, transferred: 0, document: 0 };
  const documents = new Set<string>();
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  session.on("Network.requestWillBeSent", (event) => {
    if (event.type === "Document") documents.add(event.requestId);
    wire.requests += 1;
  });
  session.on("Network.loadingFinished", (event) => {
    wire.transferred += event.encodedDataLength;
    if (documents.has(event.requestId)) wire.document += event.encodedDataLength;
  });
  return wire;
}

async function paint(page: Page): Promise<number> {
  return page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0);
}

test("bytes of a cold cluster page", async ({ demo, signedIn }) => {
  const page = await signedIn(demo);
  // What the page before still loads would be counted too.
  await page.getByText(/^live, /).waitFor();
  const wire = await count(await page.context().newCDPSession(page));
  await page.goto(`${demo.address}/clusters/demo`);
  await page.getByText(/^live, /).waitFor();
  say("cluster page, cold: server HTML, compressed", wire.document, "bytes", "aim 25,000");
  say("cluster page, cold: everything transferred", wire.transferred, "bytes", "aim 200,000, at most 300,000");
  say("cluster page, cold: requests", wire.requests, "", "the event stream included");
  say("cluster page, cold: first paint", await paint(page), "ms");
  say("cluster page, cold: live after", await page.evaluate(() => performance.now()), "ms", "at most, counted when noticed");
});

test("bytes of OpenBao's own first page, beside it", async ({ openbao, browser }) => {
  const url = `${openbao.nodes.get("n1")!.api}/ui/`;
  const there = await fetch(url);
  if (!there.ok) {
    say("OpenBao's own page", "not served", "", "its build or configuration has no ui");
    return;
  }
  const context = await browser.newContext();
  const page = await context.newPage();
  const wire = await count(await context.newCDPSession(page));
  await page.goto(url, { waitUntil: "networkidle" });
  say("OpenBao's own first page, cold: everything transferred", wire.transferred, "bytes");
  await context.close();
});
