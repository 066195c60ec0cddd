// A real etcd 3.4 cluster: three members, each a process of Debian's program, and a place where a newcomer
// is started by the command that the console prints. Past the console its members are asked themselves.

import { existsSync, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Program, signal, until } from "./program.ts";

/** What a member lists. One that was never started has no name. */
export interface Listed {
  id: string;
  name: string;
  learner: boolean;
}

interface Place {
  client: string;
  peer: string;
}

/** The tests of the drivers fetch Debian's packages to there and unpack them. */
const PROGRAM = fileURLToPath(new URL("../../target/tools/etcd-debian/usr/bin/etcd", import.meta.url));
/** Leadership stays where it is on a machine that has much else to do. */
const STEADY = ["--heartbeat-interval", "200", "--election-timeout", "2000"];

export class Etcd {
  private readonly running = new Map<string, Program>();

  private constructor(private readonly folder: string, readonly places: Map<string, Place>, readonly newcomer: Place) {}

  static async start(folder: string): Promise<Etcd> {
    if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is not there; \`cargo test -p quorate-drivers --test etcd\` fetches it`);
    mkdirSync(folder, { recursive: true });
    const [newcomer, ...places] = await freePlaces(4);
    const etcd = new Etcd(folder, new Map(places.map((place, at) => [`n${at + 1}`, place])), newcomer!);
    try {
      const all = [...etcd.places].map(([name, { peer }]) => `${name}=${peer}`).join(",");
      for (const [name, place] of etcd.places) etcd.run(name, [PROGRAM, ...first(name, place, all)]);
      await etcd.leader();
      return etcd;
    } catch (error) {
      await etcd.stop();
      throw error;
    }
  }

  /** Where one of its members is asked; the others are learned from there. */
  get seed(): string {
    return this.places.get("n1")!.client;
  }

  /** Starts the newcomer as a person would: by that line, with the times that the others have. */
  startByHand(command: string) {
    const rest = /^etcd (.*)$/.exec(command)?.[1];
    if (rest === undefined) throw new Error(`not a command for etcd: ${command}`);
    this.run("newcomer", ["/bin/sh", "-c", `exec ${PROGRAM} ${rest} ${STEADY.join(" ")}`]);
  }

  /** Resolves when a member's process has ended. */
  async ended(name: string): Promise<void> {
    await this.running.get(name)!.ended;
  }

  /** The members by etcd's own list, as one of them tells it. */
  async members(at = this.seed): Promise<Listed[]> {
    return until("etcd's own list", async () => {
      const rows = (await ask(at, "cluster/member/list"))?.members as any[] | undefined;
      return rows?.map((row) => ({ id: hex(row.ID), name: row.name ?? "", learner: row.isLearner === true }));
    });
  }

  /** The name of the member that itself says it leads; waits until there is one. */
  async leader(): Promise<string> {
    return until("a leader by etcd's own word", async () => {
      for (const { client } of [...this.places.values(), this.newcomer]) {
        const told = await ask(client, "maintenance/status");
        if (told?.leader === undefined || told.leader !== told.header.member_id) continue;
        return (await this.members(client)).find(({ id }) => id === hex(told.leader))?.name;
      }
      return undefined;
    }, { patience: 90_000 });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.running.values()].map((program) => program.stop()));
  }

  private run(name: string, [command, ...args]: string[]) {
    const program = new Program(command!, args, { log: join(this.folder, `${name}.log`), cwd: this.folder });
    this.running.set(name, program);
    // It does not look whether whoever started it is still there.
    const end = () => signal(program.pid, "SIGKILL");
    process.once("exit", end);
    void program.ended.then(() => process.off("exit", end));
  }
}

function first(name: string, { client, peer }: Place, all: string): string[] {
  return [
    ...["--name", name, "--data-dir", name, ...STEADY],
    ...["--listen-client-urls", client, "--advertise-client-urls", client],
    ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
    ...["--initial-cluster", all, "--initial-cluster-state", "new", "--initial-cluster-token", "journey"],
  ];
}

async function ask(client: string, path: string): Promise<any> {
  try {
    const response = await fetch(`${client}/v3/${path}`, { method: "POST", body: "{}", signal: AbortSignal.timeout(2_000) });
    return response.ok ? await response.json() : undefined;
  } catch {
    return undefined;
  }
}

/** Numbers of 64 bits come as decimal texts; the console shows them as etcd's own tools do. */
function hex(id: string): string {
  return BigInt(id).toString(16);
}

/** Two neighbouring ports each, as etcd is usually run, below those the system gives out by itself. */
async function freePlaces(count: number): Promise<Place[]> {
  const places: Place[] = [];
  let port = 21_000 + (process.pid % 400) * 20;
  while (places.length < count) {
    if ((await isFree(port)) && (await isFree(port + 1))) {
      places.push({ client: `http://127.0.0.1:${port}`, peer: `http://127.0.0.1:${port + 1}` });
    }
    port += 2;
    if (port > 32_000) throw new Error("no free ports");
  }
  return places;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
