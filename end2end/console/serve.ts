// `quorate serve` with a configuration of its own.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "../clusters/ports.ts";
import { Program, until } from "../clusters/program.ts";
import { quorate, run } from "./quorate.ts";

export class Served {
  private constructor(
    private readonly program: Program,
    readonly config: string,
    readonly address: string,
    /** As browsers see it. */
    readonly outside: string,
  ) {}

  /**
   * @param clusters the configuration's `[[clusters]]` tables
   * @param outside where browsers reach it, if not directly; may be made of its port
   */
  static async start(folder: string, clusters: string, outside?: string | ((port: number) => string)): Promise<Served> {
    const [port] = await freePorts(1);
    const address = `http://127.0.0.1:${port}`;
    const reached = typeof outside === "function" ? outside(port!) : outside ?? address;
    const config = join(folder, "quorate.toml");
    writeFileSync(
      config,
      `[server]\nlisten = "127.0.0.1:${port}"\nexternal_url = "${reached}/"\ndata_dir = "${join(folder, "console")}"\n\n${clusters}\n`,
    );
    const program = new Program(quorate(), ["serve", "--config", config], { log: join(folder, "console.log") });
    const served = new Served(program, config, address, reached);
    try {
      await until("the console is ready", async () => {
        try {
          return (await fetch(`${address}/readyz`)).ok ? true : undefined;
        } catch {
          return undefined;
        }
      });
    } catch (error) {
      await program.stop();
      throw error;
    }
    return served;
  }

  get pid(): number {
    return this.program.pid;
  }

  /** A one-time link for an account that is made now. */
  newLink(name: string, role: string): string {
    const lines = run("user", "add", name, "--role", role, "--config", this.config);
    const link = lines.map((line) => /https?:\/\/\S+\/sign-in\/link\/\S+/.exec(line)?.[0]).find((found) => found !== undefined);
    if (link === undefined) throw new Error(`user add printed no link:\n${lines.join("\n")}`);
    return link;
  }

  async stop(): Promise<void> {
    await this.program.stop();
  }
}
