// A real Dragonboat program with many groups: three hosts and a spare one, each a process that embeds the
// agent. It is the agent's own example, built here; past the console it is asked what Dragonboat itself says.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Program, until } from "./program.ts";

/** The example's own. */
const TOKEN = "a-token-for-tests";
/** Sooner after its start a host is not offered leadership. */
const GRACE_MS = 3_500;

export class Dragonboat {
  private constructor(
    private readonly program: Program,
    /** Where each host's agent answers. */
    readonly origins: Map<string, string>,
    readonly tokenFile: string,
  ) {}

  static async start(folder: string, groups: number): Promise<Dragonboat> {
    const example = join(folder, "example");
    execFileSync("go", ["build", "-o", example, "./example"], {
      cwd: fileURLToPath(new URL("../../agents/dragonboat", import.meta.url)),
      env: { ...process.env, CGO_ENABLED: "0" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const tokenFile = join(folder, "token");
    writeFileSync(tokenFile, TOKEN, { mode: 0o600 });
    const arguments_ = ["cluster", "--groups", `${groups}`, "--rtt", "40", "--dir", join(folder, "hosts")];
    const program = new Program(example, arguments_, { log: join(folder, "dragonboat.log") });
    try {
      return new Dragonboat(program, await program.until("four hosts", announced, 120_000), tokenFile);
    } catch (error) {
      await program.stop();
      throw error;
    }
  }

  /** Who leads a group, by Dragonboat's own word on all three hosts. */
  async leader(shard: number): Promise<string | undefined> {
    const told = await Promise.all(["host-1", "host-2", "host-3"].map((host) => this.ask(host, `/switches/truth?shard=${shard}`)));
    const leaders = new Set(told.map((truth) => (truth?.Valid === true ? truth.Leader : undefined)));
    const [leader] = leaders;
    return leaders.size === 1 && leader !== undefined ? `host-${leader}` : undefined;
  }

  /** Waits until leadership of a group can be handed to anybody. */
  async settled(shard: number, group: string): Promise<string> {
    for (const host of ["host-1", "host-2", "host-3"]) {
      await until(`${host} has run for a while`, async () => {
        const view = await this.ask(host, `/quorate/agent/v1/groups/${group}`);
        return view?.readiness?.phase === "ready" && view.readiness.since_ms > GRACE_MS ? true : undefined;
      }, { patience: 120_000 });
    }
    return until(`a leader of ${group}`, () => this.leader(shard), { patience: 60_000 });
  }

  async stop(): Promise<void> {
    await this.program.stop();
  }

  private async ask(host: string, path: string): Promise<any> {
    try {
      const response = await fetch(`${this.origins.get(host)}${path}`, {
        headers: { authorization: `Bearer ${TOKEN}` },
        signal: AbortSignal.timeout(5_000),
      });
      return response.ok ? await response.json() : undefined;
    } catch {
      return undefined;
    }
  }
}

/** `host-1  http://127.0.0.1:43117  raft 127.0.0.1:38561  pid 4711` */
function announced(lines: string[]): Map<string, string> | undefined {
  const hosts = lines.map((line) => line.split(/\s+/)).filter(([name]) => name?.startsWith("host-"));
  return hosts.length === 4 ? new Map(hosts.map(([name, origin]) => [name!, origin!])) : undefined;
}
