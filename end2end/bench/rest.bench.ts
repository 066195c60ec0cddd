// What the console itself costs while nobody looks, and how fast it answers.

import { mkdirSync, readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { expect, test } from "../console/journey.ts";
import { Rest } from "../console/quorate.ts";
import { Served } from "../console/serve.ts";
import { percentile, say } from "./report.ts";

const SETTLE_MS = 15_000;
const WATCH_MS = 30_000;
const READ_MS = 5_000;
const READERS = 8;

/** Memory of a process in bytes, shared pages counted by share. */
function proportionalMemory(pid: number): number {
  const found = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
  return Number(found![1]) * 1024;
}

/** Processor time a process has used, in seconds. */
function processorTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  const ticks = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
  return (Number(fields[11]) + Number(fields[12])) / ticks;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("memory and processor with three clusters, and reads a second", async ({ demo }, info) => {
  const folder = info.outputPath("served");
  mkdirSync(folder, { recursive: true });
  const seeds = JSON.stringify([...demo.nodes.values()].filter((node) => !node.spare).map((node) => node.address));
  const clusters = ["one", "two", "three"]
    .map((name) => `[[clusters]]\nname = "${name}"\nkind = "agent"\nseeds = ${seeds}\ntoken_file = ${JSON.stringify(demo.tokenFile)}\n`)
    .join("\n");
  const served = await Served.start(folder, clusters);
  try {
    await pause(SETTLE_MS);
    const rest = Rest.withRole(served.address, "viewer", ["--config", served.config]);
    // A console that follows nothing would be cheap too.
    for (const name of ["one", "two", "three"]) {
      expect(await rest.get(`/clusters/${name}`)).toMatchObject({ leader: { status: "agreed" }, quorum: { answering: 3 } });
    }
    const before = processorTime(served.pid);
    await pause(WATCH_MS);
    const used = processorTime(served.pid) - before;
    say("console at rest, three clusters: memory (PSS)", proportionalMemory(served.pid) / 1e6, "MB", "aim 60 MB");
    say("console at rest, three clusters: processor", (used / (WATCH_MS / 1_000)) * 100, "%", "of a core, aim below 2 %");

    const took: number[] = [];
    const end = Date.now() + READ_MS;
    const reader = async () => {
      while (Date.now() < end) {
        const began = performance.now();
        await rest.get("/clusters/one");
        took.push(performance.now() - began);
      }
    };
    await Promise.all(Array.from({ length: READERS }, reader));
    say("REST reads of one cluster", took.length / (READ_MS / 1_000), "/s", `${READERS} at once; aim at least 50 a token`);
    say("REST read of one cluster, 95 of 100", percentile(took, 0.95), "ms");
    say("console after reading: memory (PSS)", proportionalMemory(served.pid) / 1e6, "MB");
  } finally {
    await served.stop();
  }
});
