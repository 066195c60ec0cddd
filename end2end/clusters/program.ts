// A program that is started, read line by line, and ended by its process id.

import { spawn, type ChildProcess } from "node:child_process";
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";

/** Milliseconds a program gets to end by itself after being asked to. */
const PATIENCE = 10_000;

export class Program {
  readonly lines: string[] = [];
  readonly ended: Promise<void>;
  private readonly child: ChildProcess;
  private readonly waiting = new Set<() => void>();
  private over = false;

  /** @param log file that takes what it says on stderr */
  constructor(command: string, args: string[], options: { log: string; env?: Record<string, string>; cwd?: string }) {
    this.child = spawn(command, args, {
      // An open stdin: some programs end when it closes, which it does when this process dies.
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
      cwd: options.cwd,
    });
    this.child.stderr?.pipe(createWriteStream(options.log, { flags: "a" }));
    const lines = createInterface({ input: this.child.stdout! });
    lines.on("line", (line) => {
      this.lines.push(line);
      this.wake();
    });
    this.ended = new Promise<void>((resolve) => {
      this.child.on("error", () => resolve());
      this.child.on("close", () => resolve());
    }).then(() => {
      this.over = true;
      this.wake();
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** A line on its standard input. */
  tell(line: string) {
    this.child.stdin!.write(`${line}\n`);
  }

  /** Waits until what was printed satisfies `ready`, and returns what it found. */
  async until<T>(what: string, ready: (lines: string[]) => T | undefined, patience = 30_000): Promise<T> {
    const deadline = Date.now() + patience;
    for (;;) {
      const found = ready(this.lines);
      if (found !== undefined) return found;
      const left = deadline - Date.now();
      if (this.over || left <= 0) {
        throw new Error(`${what}: ${this.over ? "the program ended" : "nothing in time"}; it said:\n${this.lines.join("\n")}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.waiting.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
      this.waiting.clear();
    }
  }

  /** Asks it to end; ends it if it does not. */
  async stop(): Promise<void> {
    if (!this.over) signal(this.pid, "SIGTERM");
    const timer = setTimeout(() => signal(this.pid, "SIGKILL"), PATIENCE);
    await this.ended;
    clearTimeout(timer);
  }

  private wake() {
    for (const resolve of this.waiting) resolve();
  }
}

/** Sends a signal to a process that may have gone already. */
export function signal(pid: number, name: NodeJS.Signals) {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Asks until the answer is there. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  { patience = 30_000, every = 50 } = {},
): Promise<T> {
  const deadline = Date.now() + patience;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${patience} ms`);
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}
