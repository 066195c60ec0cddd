// Programs around hashicorp/raft that raftadmin administers: the drivers' own test program, each node a
// process. Past the console its switch tells what Raft itself says.

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Program, until } from "./program.ts";

interface Node {
  program: Program;
  /** `127.0.0.1:…`, where Raft and raftadmin answer, both. */
  address: string;
  control: string;
}

/** Leadership stays where it is on a machine that has much else to do. */
const TIMEOUT = "3s";

export class Raftadmin {
  private readonly nodes = new Map<string, Node>();

  private constructor(private readonly folder: string, private readonly program: string) {}

  /** A cluster of the node `a` alone. */
  static async start(folder: string): Promise<Raftadmin> {
    mkdirSync(folder, { recursive: true });
    // What Go has built before at that very place is not built again.
    const program = fileURLToPath(new URL("../../target/tmp/raftadmin-cluster-journeys", import.meta.url));
    execFileSync("go", ["build", "-o", program, "."], {
      cwd: fileURLToPath(new URL("../../server/drivers/tests/raftadmin_cluster", import.meta.url)),
      env: { ...process.env, CGO_ENABLED: "0" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const cluster = new Raftadmin(folder, program);
    try {
      await cluster.run("a", ["-bootstrap"]);
      await cluster.leader("a");
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** One more, of no cluster. Its Raft address. */
  async newcomer(id: string): Promise<string> {
    await this.run(id, []);
    return this.address(id);
  }

  address(id: string): string {
    return this.nodes.get(id)!.address;
  }

  /** Whom Raft itself names as leading, by a node's word; waits until there is somebody. */
  async leader(at: string): Promise<string> {
    return until(`a leader by the word of ${at}`, async () => (await this.words(at))?.leader || undefined, { patience: 60_000 });
  }

  /** Who votes (true) and who does not, by Raft's own configuration. */
  async votes(at: string): Promise<Record<string, boolean>> {
    const { servers } = await until(`the words of ${at}`, () => this.words(at));
    return Object.fromEntries(servers.map((server: any) => [server.ID, server.Suffrage === 0]));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.nodes.values()].map(({ program }) => program.stop()));
  }

  private async words(at: string): Promise<any> {
    try {
      const response = await fetch(`http://${this.nodes.get(at)!.control}/words`, { signal: AbortSignal.timeout(2_000) });
      return response.ok ? await response.json() : undefined;
    } catch {
      return undefined;
    }
  }

  private async run(id: string, more: string[]) {
    const args = ["-id", id, "-dir", join(this.folder, id), "-timeout", TIMEOUT, ...more];
    const program = new Program(this.program, args, { log: join(this.folder, `${id}.log`) });
    // `a raft 127.0.0.1:41 admin 127.0.0.1:41 control 127.0.0.1:42`
    const told = (lines: string[]) => /^\S+ raft (\S+) admin \S+ control (\S+)$/.exec(lines[0] ?? "") ?? undefined;
    try {
      const [, address, control] = await program.until(`node ${id}`, told, 60_000);
      this.nodes.set(id, { program, address: address!, control: control! });
    } catch (error) {
      await program.stop();
      throw error;
    }
  }
}
