// A console with a real proxy in front, a real OpenID provider, and what stands between them.

import type { IncomingMessage } from "node:http";
import { request as ask } from "node:https";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Program, until } from "../clusters/program.ts";
import { quorate, run } from "../console/quorate.ts";
import { Gate } from "./gate.ts";
import { OAUTH2_PROXY, OAuth2Proxy } from "./oauth2_proxy.ts";
import { fixedPorts } from "./ports.ts";
import { OpenId, CLIENT } from "./provider.ts";
import { certificate, recipe, write, type Values } from "./recipe.ts";

export const HOST = "raft.example";
/** Seconds a page stays live on one word of the proxy, here: the least that can be configured. */
export const RENEWAL = 5;
const SECRET = "a-proxy-secret-of-the-tests-only";

export interface Place {
  folder: string;
  port: number;
  /** `/quorate`, or empty. */
  mount: string;
  secret: string;
  /** A recipe with everything put in. */
  recipe: (file: string) => string;
  write: (name: string, text: string) => string;
}

/** One proxy: its recipe made ready to run, and how it is run. */
export interface Kind {
  name: string;
  /** The console's side. */
  console: "trusted-header.toml" | "jwt-header.toml";
  /** The provider's tokens end by themselves; a gate's sessions are ended. */
  signsIn: "gate" | "itself";
  start: (place: Place) => Program;
  /** A header that would make somebody root, if the proxy let it through and the console believed it. */
  forged: string[];
}

export class Front {
  private constructor(
    readonly kind: Kind,
    readonly port: number,
    readonly mount: string,
    /** Where browsers go, without a slash at its end. */
    readonly address: string,
    readonly openId: OpenId,
    readonly gate: Gate | OAuth2Proxy | undefined,
    readonly token: string,
    private readonly programs: Program[],
  ) {}

  /** @param parent a folder of its own is made in it */
  static async start(kind: Kind, parent: string, mount = "/quorate"): Promise<Front> {
    for (let again = 1; ; again += 1) {
      const folder = join(parent, String(again));
      mkdirSync(folder, { recursive: true });
      try {
        return await Front.begin(kind, folder, mount);
      } catch (error) {
        // Somebody else may have taken a port meanwhile.
        if (!(error instanceof EndedAtOnce) || again === 5) throw error;
      }
    }
  }

  private static async begin(kind: Kind, folder: string, mount: string): Promise<Front> {
    const [port, inner] = await fixedPorts(2);
    const outside = `https://${HOST}:${port}`;
    const openId = await OpenId.start([`${outside}/oauth2/callback`, `${outside}/quorate-sso`]);
    const gate = kind.signsIn === "gate" ? await signOn(outside, openId.issuer, folder) : undefined;
    const { certificate: cert, key } = certificate(folder);
    const values: Values = {
      "/etc/ssl/raft.example.pem": cert,
      "/etc/ssl/raft.example.key": key,
      "/run/secrets/quorate-proxy": write(folder, "proxy-secret", SECRET),
      "/var/lib/quorate": join(folder, "data"),
      "127.0.0.1:7878": `127.0.0.1:${inner}`,
      "127.0.0.1:4180": gate?.address ?? "127.0.0.1:1",
      "https://raft.example": outside,
      "https%3A%2F%2Fraft.example": encodeURIComponent(outside),
      "https://sso.example": openId.issuer,
      "[server]\n": `[server]\nstream_renewal_ms = ${RENEWAL * 1_000}\n`,
    };
    const clusters = `\n[[clusters]]\nname = "blue"\nkind = "simulated"\n`;
    const config = write(folder, "quorate.toml", recipe(kind.console, values, mount) + clusters);
    const console = new Program(quorate(), ["serve", "--config", config], { log: join(folder, "console.log") });
    const programs = [console];
    try {
      const consoleEnded = endOf(console);
      await until("the console is ready", async () => {
        consoleEnded("the console", folder);
        try {
          return (await fetch(`http://127.0.0.1:${inner}/readyz`)).ok ? true : undefined;
        } catch {
          return undefined;
        }
      }, { patience: 90_000 });
      const lines = run("token", "create", "program", "--role", "admin", "--config", config);
      const place: Place = {
        folder,
        port: port!,
        mount,
        secret: SECRET,
        recipe: (file) => recipe(file, values, mount),
        write: (name, text) => write(folder, name, text),
      };
      const proxy = kind.start(place);
      programs.push(proxy);
      const proxyEnded = endOf(proxy);
      const front = new Front(kind, port!, mount, `${outside}${mount}`, openId, gate, lines.at(-1)!, programs);
      await until(`${kind.name} answers`, async () => {
        proxyEnded(kind.name, folder);
        try {
          return (await front.ask("/api/v1/clusters")).status === 401 ? true : undefined;
        } catch {
          return undefined;
        }
      }, { patience: 90_000, every: 200 });
      return front;
    } catch (error) {
      await stop(programs, openId, gate);
      throw error;
    }
  }

  /** An HTTP/1.1 request through the proxy, from 127.0.0.2; redirects are not followed. */
  async ask(path: string, options: Asked = {}): Promise<Answered> {
    const answer = await this.open(path, options);
    answer.setEncoding("utf8");
    let body = "";
    for await (const piece of answer) body += piece;
    return { status: answer.statusCode ?? 0, headers: answer.headers, body };
  }

  /** The same, as soon as its head is there. */
  open(path: string, { method = "GET", headers = {}, body }: Asked = {}): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = ask(
        {
          host: "127.0.0.1",
          localAddress: "127.0.0.2",
          port: this.port,
          path: `${this.mount}${path}`,
          method,
          servername: HOST,
          headers: { host: `${HOST}:${this.port}`, ...headers },
          // The certificate was made a moment ago, by nobody.
          rejectUnauthorized: false,
          agent: false,
          timeout: 60_000,
        },
        resolve,
      );
      request.on("error", reject);
      request.on("timeout", () => request.destroy(new Error(`${path}: no answer`)));
      request.end(body);
    });
  }

  /** As a program does it, with the console's token. */
  async rest(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answered> {
    return this.ask(`/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, "content-type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }

  /** Ends the sign-on of everybody who signed in. */
  async expire() {
    await this.gate?.expire();
  }

  async stop(): Promise<void> {
    await stop(this.programs, this.openId, this.gate);
  }
}

export interface Asked {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
}

export interface Answered {
  status: number;
  headers: IncomingMessage["headers"];
  body: string;
}

class EndedAtOnce extends Error {}

/** Throws once the program has ended. */
function endOf(program: Program): (name: string, folder: string) => void {
  let over = false;
  void program.ended.then(() => (over = true));
  return (name, folder) => {
    if (over) throw new EndedAtOnce(`${name} ended at once; its log is in ${folder}`);
  };
}

/** oauth2-proxy itself where it is there, else what stands in for it. */
function signOn(outside: string, issuer: string, folder: string): Promise<Gate | OAuth2Proxy> {
  if (OAUTH2_PROXY === undefined) return Gate.start(outside, issuer);
  return OAuth2Proxy.start(OAUTH2_PROXY, outside, issuer, folder);
}

async function stop(programs: Program[], openId: OpenId, gate: Gate | OAuth2Proxy | undefined) {
  await Promise.all(programs.map((program) => program.stop()));
  await Promise.all([openId.stop(), gate?.stop()]);
}

export { CLIENT };
