// The program under test, and what of it is run beside the browser.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The release build, unless told otherwise. */
export function quorate(): string {
  return process.env.QUORATE_TEST_PROGRAM ?? fileURLToPath(new URL("../../target/release/quorate", import.meta.url));
}

/** Runs one command to its end; its lines. */
export function run(...args: string[]): string[] {
  const out = execFileSync(quorate(), args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 20_000 });
  return out.trim().split("\n");
}

/** A client of the REST interface with a token of its own. */
export class Rest {
  constructor(private readonly address: string, private readonly token: string) {}

  /** @param where `--data DIR` or `--config FILE` */
  static withRole(address: string, role: string, where: string[]): Rest {
    const lines = run("token", "create", `journey-${role}`, "--role", role, ...where);
    return new Rest(address, lines[lines.length - 1]!);
  }

  async get(path: string): Promise<any> {
    const response = await fetch(`${this.address}/api/v1${path}`, {
      headers: { authorization: `Bearer ${this.token}` },
      signal: AbortSignal.timeout(5_000),
    });
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }
}
