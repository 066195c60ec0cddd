// A real OpenBao cluster: three voters, a learner, and a fresh node that belongs to nothing. The
// drivers' own launcher starts it; here it is asked what it says itself, past the console.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Program, signal, until } from "./program.ts";

export interface Server {
  node_id: string;
  address: string;
  leader: boolean;
  voter: boolean;
}

export interface BaoNode {
  node: string;
  api: string;
  pid: number;
  member: boolean;
}

export class OpenBao {
  private constructor(
    private readonly program: Program,
    readonly nodes: Map<string, BaoNode>,
    readonly seeds: string[],
    /** Holds a token that may do what a console needs, and no more. */
    readonly tokenFile: string,
  ) {}

  /** Takes about ten seconds; the first time ever it fetches OpenBao. */
  static async start(folder: string): Promise<OpenBao> {
    const launcher = process.env.QUORATE_TEST_OPENBAO;
    if (launcher === undefined) throw new Error("QUORATE_TEST_OPENBAO names no launcher; run `cargo xtask test`");
    const program = new Program(launcher, [join(folder, "nodes")], { log: join(folder, "openbao.log") });
    try {
      const said = await program.until("an OpenBao cluster", announced, 120_000);
      const nodes = said.flatMap((line) => (line.node === undefined ? [] : [line as BaoNode]));
      const end = said[said.length - 1];
      return new OpenBao(program, new Map(nodes.map((node) => [node.node, node])), end.seeds, end.token_file);
    } catch (error) {
      await program.stop();
      throw error;
    }
  }

  /** The node that belongs to no cluster yet. */
  get fresh(): BaoNode {
    return [...this.nodes.values()].find((node) => !node.member)!;
  }

  /** OpenBao's own configuration, as its leader tells it; undefined while there is none. */
  async configuration(): Promise<Server[] | undefined> {
    const leader = await this.leader();
    if (leader === undefined) return undefined;
    return (await this.ask(leader, "GET", "sys/storage/raft/configuration"))?.data?.config?.servers;
  }

  /** The node that itself claims to be active. */
  async leader(): Promise<string | undefined> {
    const claims = await Promise.all(
      [...this.nodes.keys()].map(async (id) => ((await this.ask(id, "GET", "sys/leader"))?.is_self === true ? id : undefined)),
    );
    return claims.find((id) => id !== undefined);
  }

  /** Lets leadership move on, to whom OpenBao chooses. */
  async stepDown(): Promise<void> {
    await this.ask((await until("a leader", () => this.leader()))!, "PUT", "sys/step-down", {});
  }

  /** Waits until its own configuration has the member in this role, or not at all. */
  async settled(id: string, role: "voter" | "learner" | "gone"): Promise<void> {
    await until(`${id} ${role} by OpenBao's own configuration`, async () => {
      const servers = await this.configuration();
      if (servers === undefined) return undefined;
      const server = servers.find((candidate) => candidate.node_id === id);
      const now = server === undefined ? "gone" : server.voter ? "voter" : "learner";
      return now === role ? true : undefined;
    });
  }

  /** One call to one node: undefined if it does not answer or refuses. */
  async ask(id: string, method: string, path: string, body?: unknown, patience = 2_000): Promise<any> {
    try {
      const response = await fetch(`${this.nodes.get(id)!.api}/v1/${path}`, {
        method,
        headers: { "X-Vault-Token": readFileSync(this.tokenFile, "utf8").trim() },
        body: body === undefined ? undefined : JSON.stringify(body),
        redirect: "manual",
        signal: AbortSignal.timeout(patience),
      });
      const text = await response.text();
      if (!response.ok) return undefined;
      return text === "" ? {} : JSON.parse(text);
    } catch {
      return undefined;
    }
  }

  async stop(): Promise<void> {
    for (const node of this.nodes.values()) signal(node.pid, "SIGCONT");
    await this.program.stop();
  }
}

/** The launcher's lines, once the last one has come. */
function announced(lines: string[]): any[] | undefined {
  const said = lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  return said.some((line) => line.token_file !== undefined) ? said : undefined;
}
