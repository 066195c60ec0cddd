// Stand-ins for OpenZiti controllers: three voters, a learner, and one that belongs to nothing. They are
// not OpenZiti; they answer as its API is described. The drivers' own example runs them, and tells past
// the console what the simulated Raft holds.

import { mkdirSync } from "node:fs";
import { Program } from "./program.ts";

export interface Controller {
  node: string;
  /** `https://…`, where its API is. */
  api: string;
  /** `tls:…`, its control address, by which it is added. */
  address: string;
  member: boolean;
}

interface Told {
  leader: string | null;
  /** Members and whether they vote. */
  votes: Record<string, boolean>;
}

export class OpenZiti {
  private constructor(
    private readonly program: Program,
    readonly controllers: Controller[],
    private readonly table: Record<string, unknown>,
  ) {}

  static async start(folder: string): Promise<OpenZiti> {
    const standIn = process.env.QUORATE_TEST_OPENZITI;
    if (standIn === undefined) throw new Error("QUORATE_TEST_OPENZITI names no stand-in; run `cargo xtask test`");
    mkdirSync(folder, { recursive: true });
    const program = new Program(standIn, [folder], { log: `${folder}/openziti.log` });
    try {
      const said = await program.until("controllers", announced, 60_000);
      const controllers = said.filter((line) => line.node !== undefined);
      return new OpenZiti(program, controllers, said[said.length - 1]);
    } catch (error) {
      await program.stop();
      throw error;
    }
  }

  /** A configuration's table that watches it. */
  configuration(name: string): string {
    const keys = Object.entries({ name, ...this.table, join_allowed: [this.newcomer.address] });
    return `[[clusters]]\n${keys.map(([key, value]) => `${key} = ${JSON.stringify(value)}`).join("\n")}`;
  }

  /** The one that belongs to nothing. */
  get newcomer(): Controller {
    return this.controllers.find(({ member }) => !member)!;
  }

  /** What the simulated Raft holds now. */
  async truth(): Promise<Told> {
    const before = this.program.lines.length;
    this.program.tell("tell");
    return this.program.until("what it holds", (lines) => {
      const line = lines.slice(before).find((line) => line.startsWith('{"leader"'));
      return line === undefined ? undefined : (JSON.parse(line) as Told);
    });
  }

  async stop(): Promise<void> {
    await this.program.stop();
  }
}

/** Its lines, once the last one has come: what a configuration needs. */
function announced(lines: string[]): any[] | undefined {
  const said = lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  return said.some((line) => line.kind === "openziti") ? said : undefined;
}
