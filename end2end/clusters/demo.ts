// `quorate demo`: a real cluster on openraft with the console in front of it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Program, signal, until } from "./program.ts";
import { quorate } from "../console/quorate.ts";

export interface DemoNode {
  id: string;
  address: string;
  pid: number;
  spare: boolean;
}

/** What a node says of itself, asked without the console. */
export interface NodeView {
  member: string;
  state: string;
  term: number;
  leader: string | null;
  claims_leadership: boolean;
  quorum_evidence_ms: number | null;
  applied_index: number | null;
  snapshot: { term: number; index: number } | null;
  membership: { revision: string; committed: boolean; members: { id: string; role: string }[]; configs: string[][] };
}

const NODE_LINE = /^(\S+)\s+(http:\/\/\S+)\s+pid (\d+)(\s+spare)?\s*$/;

export class Demo {
  private constructor(
    private readonly program: Program,
    readonly data: string,
    /** Where the console is, without a slash at its end. */
    readonly address: string,
    readonly link: string,
  ) {}

  /** @param args beside `--port 0 --data DIR`, for example `--restart-after 0` */
  static async start(folder: string, args: string[] = []): Promise<Demo> {
    const data = join(folder, "data");
    const program = new Program(quorate(), ["demo", "--port", "0", "--data", data, ...args], { log: join(folder, "demo.log") });
    try {
      const [address, link] = await program.until("address and link", (lines) => (lines.length >= 2 ? lines : undefined), 60_000);
      await program.until("its nodes", (lines) => (readNodes(lines).size >= nodesAsked(args) ? true : undefined), 60_000);
      const demo = new Demo(program, data, address!.replace(/\/$/, ""), link!);
      await until("ready", async () => ((await answers(`${demo.address}/readyz`)) ? true : undefined));
      return demo;
    } catch (error) {
      await program.stop();
      throw error;
    }
  }

  /** Its nodes as last printed: one that came back has a new process id. */
  get nodes(): Map<string, DemoNode> {
    return readNodes(this.program.lines);
  }

  get pid(): number {
    return this.program.pid;
  }

  get spare(): DemoNode {
    const spare = [...this.nodes.values()].find((node) => node.spare);
    if (spare === undefined) throw new Error("the demo printed no spare node");
    return spare;
  }

  /** The bearer token of the demo's agents, kept for whoever may read its folder. */
  get tokenFile(): string {
    return join(this.data, "nodes", "token");
  }

  private get authorization(): Record<string, string> {
    return { authorization: `Bearer ${readFileSync(this.tokenFile, "utf8").trim()}` };
  }

  /** A node's own word; undefined if it does not answer within `patience` ms. */
  async view(id: string, patience = 300): Promise<NodeView | undefined> {
    try {
      const response = await fetch(`${this.nodes.get(id)!.address}/quorate/agent/v1/groups/default`, {
        headers: this.authorization,
        signal: AbortSignal.timeout(patience),
      });
      return response.ok ? ((await response.json()) as NodeView) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Who claims to lead with a majority behind it, by the nodes' own words. */
  async leader(except: string[] = []): Promise<NodeView | undefined> {
    const ids = [...this.nodes.keys()].filter((id) => !except.includes(id));
    const views = await Promise.all(ids.map((id) => this.view(id)));
    return views
      .filter((view) => view !== undefined && view.claims_leadership && view.quorum_evidence_ms !== null)
      .sort((one, other) => other!.term - one!.term)[0];
  }

  /** Waits for a leader. */
  async needLeader(except: string[] = []): Promise<NodeView> {
    return until("a leader by the nodes' own words", () => this.leader(except), { every: 10 });
  }

  /** A member's role by the leader's own configuration. */
  async role(id: string): Promise<string> {
    const leader = await this.needLeader();
    return leader.membership.members.find((member) => member.id === id)?.role ?? "gone";
  }

  /** Asks the leader's agent itself for a change, past the console. */
  async change(leader: NodeView, wish: { action: string; member: string }): Promise<void> {
    const response = await fetch(`${this.nodes.get(leader.member)!.address}/quorate/agent/v1/groups/default/changes`, {
      method: "POST",
      headers: { ...this.authorization, "content-type": "application/json" },
      body: JSON.stringify({ ...wish, expected_revision: leader.membership.revision }),
    });
    if (!response.ok) throw new Error(`${wish.action}: ${response.status} ${await response.text()}`);
  }

  kill(id: string) {
    signal(this.nodes.get(id)!.pid, "SIGKILL");
  }

  freeze(id: string) {
    signal(this.nodes.get(id)!.pid, "SIGSTOP");
  }

  thaw(id: string) {
    signal(this.nodes.get(id)!.pid, "SIGCONT");
  }

  async stop(): Promise<void> {
    await this.program.stop();
  }
}

function readNodes(lines: string[]): Map<string, DemoNode> {
  const nodes = new Map<string, DemoNode>();
  for (const line of lines) {
    const found = NODE_LINE.exec(line);
    if (found === null) continue;
    const [, id, address, pid, spare] = found;
    nodes.set(id!, { id: id!, address: address!, pid: Number(pid), spare: spare !== undefined });
  }
  return nodes;
}

/** Voters, learners and spares, as asked for or by default. */
function nodesAsked(args: string[]): number {
  const asked = (name: string, usual: number) => {
    const at = args.indexOf(name);
    return at < 0 ? usual : Number(args[at + 1]);
  };
  return asked("--voters", 3) + asked("--learners", 1) + asked("--spares", 1);
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}
