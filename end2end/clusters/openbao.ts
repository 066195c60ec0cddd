// A real OpenBao cluster: three voters, a non-voter, and a fresh node that belongs to nothing.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "./ports.ts";
import { Program, signal, until } from "./program.ts";

/** All nodes open the same seal with it; the data lives for one test. */
const SEAL_KEY = "5b".repeat(32);
const MEMBERS = ["n1", "n2", "n3", "n4"];
const FRESH = "n5";

export interface Server {
  node_id: string;
  address: string;
  leader: boolean;
  voter: boolean;
}

export interface BaoNode {
  id: string;
  /** API address. */
  address: string;
  program: Program;
}

export class OpenBao {
  readonly nodes = new Map<string, BaoNode>();
  /** May do everything: for tests, never for a console. */
  rootToken = "";
  private constructor(private readonly folder: string, private readonly ports: Map<string, number>) {}

  static async start(folder: string): Promise<OpenBao> {
    const names = [...MEMBERS, FRESH];
    const free = await freePorts(names.length * 2);
    const bao = new OpenBao(folder, new Map(names.map((name, index) => [name, free[index * 2]!])));
    names.forEach((name, index) => bao.run(name, free[index * 2]!, free[index * 2 + 1]!));
    try {
      await bao.form();
    } catch (error) {
      await bao.stop();
      throw error;
    }
    return bao;
  }

  get fresh(): BaoNode {
    return this.nodes.get(FRESH)!;
  }

  get seeds(): string[] {
    return MEMBERS.map((name) => this.nodes.get(name)!.address);
  }

  /** OpenBao's own configuration, as its leader tells it; undefined while there is none. */
  async configuration(): Promise<Server[] | undefined> {
    const leader = await this.leader();
    if (leader === undefined) return undefined;
    const answer = await this.ask(leader, "GET", "sys/storage/raft/configuration");
    return answer?.data?.config?.servers;
  }

  /** The node that itself claims to be active. */
  async leader(): Promise<string | undefined> {
    const claims = await Promise.all(
      [...this.nodes.keys()].map(async (id) => ((await this.ask(id, "GET", "sys/leader"))?.is_self === true ? id : undefined)),
    );
    return claims.find((id) => id !== undefined);
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

  /** A token that may do exactly what a console needs. */
  async consoleToken(): Promise<string> {
    const leader = await until("a leader", () => this.leader());
    await this.need(leader, "PUT", "sys/policies/acl/quorate", { policy: CONSOLE_POLICY });
    const made = await this.need(leader, "POST", "auth/token/create", { policies: ["quorate"], ttl: "4h" });
    return made.auth.client_token;
  }

  /** One call to one node: undefined if it does not answer or refuses. */
  async ask(id: string, method: string, path: string, body?: unknown): Promise<any> {
    try {
      return await this.need(id, method, path, body);
    } catch {
      return undefined;
    }
  }

  async need(id: string, method: string, path: string, body?: unknown): Promise<any> {
    const response = await fetch(`${this.nodes.get(id)!.address}/v1/${path}`, {
      method,
      headers: this.rootToken === "" ? {} : { "X-Vault-Token": this.rootToken },
      body: body === undefined ? undefined : JSON.stringify(body),
      redirect: "manual",
      signal: AbortSignal.timeout(5_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} at ${id}: ${response.status} ${text}`);
    return text === "" ? {} : JSON.parse(text);
  }

  async stop(): Promise<void> {
    for (const node of this.nodes.values()) signal(node.program.pid, "SIGCONT");
    await Promise.all([...this.nodes.values()].map((node) => node.program.stop()));
  }

  private run(id: string, port: number, clusterPort: number) {
    const data = join(this.folder, id);
    mkdirSync(data, { recursive: true });
    const config = join(this.folder, `${id}.hcl`);
    const seed = `http://127.0.0.1:${this.ports.get(MEMBERS[0]!)}`;
    const joins = id === FRESH || id === MEMBERS[0] ? "" : `retry_join {\n    leader_api_addr = "${seed}"\n  }`;
    writeFileSync(config, nodeConfig({ id, data, port, clusterPort, joins, learner: id === "n4" }));
    const bao = process.env.QUORATE_BAO;
    if (bao === undefined) throw new Error("QUORATE_BAO names no bao program; run `cargo xtask test`");
    const program = new Program(bao, ["server", `-config=${config}`], { log: join(this.folder, `${id}.log`) });
    this.nodes.set(id, { id, address: `http://127.0.0.1:${port}`, program });
  }

  private async form(): Promise<void> {
    const first = MEMBERS[0]!;
    await until("the first node answers", () => this.ask(first, "GET", "sys/seal-status"));
    const made = await this.need(first, "PUT", "sys/init", { recovery_shares: 1, recovery_threshold: 1 });
    this.rootToken = made.root_token;
    await until("the first node is active", async () => ((await this.leader()) === undefined ? undefined : true));
    await this.need(first, "POST", "sys/storage/raft/autopilot/configuration", { server_stabilization_time: "1s" });
    await until(
      "three voters and a learner",
      async () => {
        const servers = (await this.configuration()) ?? [];
        return servers.length === 4 && servers.filter((server) => server.voter).length === 3 ? true : undefined;
      },
      { patience: 60_000, every: 200 },
    );
    await until("the fresh node answers", () => this.ask(FRESH, "GET", "sys/seal-status"));
  }
}

interface NodeConfig {
  id: string;
  data: string;
  port: number;
  clusterPort: number;
  joins: string;
  learner: boolean;
}

// Short intervals, so that a test does not wait ten seconds for every promotion.
const nodeConfig = (node: NodeConfig) => `
ui = false
disable_mlock = true
enable_response_header_raft_node_id = true
listener "tcp" {
  address = "127.0.0.1:${node.port}"
  cluster_address = "127.0.0.1:${node.clusterPort}"
  tls_disable = true
}
api_addr = "http://127.0.0.1:${node.port}"
cluster_addr = "https://127.0.0.1:${node.clusterPort}"
storage "raft" {
  path = "${node.data}"
  node_id = "${node.id}"
  performance_multiplier = 1
  autopilot_update_interval = "100ms"
  autopilot_reconcile_interval = "300ms"
  ${node.learner ? "retry_join_as_non_voter = true" : ""}
  ${node.joins}
}
seal "static" {
  current_key_id = "t1"
  current_key = "${SEAL_KEY}"
}
`;

/** The policy the README gives. */
export const CONSOLE_POLICY = [
  ...["configuration", "autopilot/state", "autopilot/configuration", "snapshot"].map((path) => rule(`storage/raft/${path}`, ["read"])),
  ...["ha-status", "metrics"].map((path) => rule(path, ["read"])),
  ...["promote", "demote", "remove-peer"].map((path) => rule(`storage/raft/${path}`, ["update"])),
  rule("step-down", ["update", "sudo"]),
].join("\n");

function rule(path: string, capabilities: string[]): string {
  return `path "sys/${path}" { capabilities = ${JSON.stringify(capabilities)} }`;
}
