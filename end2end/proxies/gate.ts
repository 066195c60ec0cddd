// A sign-on service beside a proxy, with the paths and headers of oauth2-proxy: asked by the proxy on
// every request, it answers who that is, and signs people in at the OpenID provider. It stands in for
// oauth2-proxy and keeps its sessions in memory, so that a test can end them.

import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { CLIENT } from "./provider.ts";

const COOKIE = "__Host-gate";

interface Person {
  sub: string;
  name: string;
  groups: string[];
}

export class Gate {
  private readonly sessions = new Map<string, Person>();
  /** Where to go after the provider's answer, by its state. */
  private readonly waiting = new Map<string, string>();

  private constructor(private readonly server: Server, private readonly outside: string, private readonly issuer: string) {}

  /** @param outside the proxy's address as browsers see it, without a slash at its end */
  static async start(outside: string, issuer: string): Promise<Gate> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.on("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    const gate = new Gate(server, outside, issuer);
    server.on("request", (request, response) => {
      gate.answer(request, response).catch((error) => response.writeHead(500).end(String(error)));
    });
    return gate;
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Nobody is signed in any more. */
  expire() {
    this.sessions.clear();
  }

  private async answer(request: IncomingMessage, response: ServerResponse) {
    const url = new URL(request.url ?? "/", this.outside);
    switch (url.pathname) {
      case "/oauth2/auth":
        return this.judge(request, response, () => response.writeHead(401).end());
      case "/oauth2/start":
        return this.begin(url.searchParams.get("rd") ?? "/", response);
      case "/oauth2/callback":
        return this.finish(url.searchParams, response);
      case "/oauth2/sign_out":
        this.sessions.delete(cookie(request));
        response.setHeader("set-cookie", `${COOKIE}=; Path=/; Secure; HttpOnly; Max-Age=0`);
        return response.writeHead(200, { "content-type": "text/html" }).end("<h1>You have signed out</h1>");
      // For proxies that pass on whatever is answered to whoever is not signed in.
      default: {
        const asked = request.headers["x-forwarded-uri"];
        return this.judge(request, response, () => this.begin(String(asked ?? "/"), response));
      }
    }
  }

  private judge(request: IncomingMessage, response: ServerResponse, otherwise: () => unknown) {
    const person = this.sessions.get(cookie(request));
    if (person === undefined) return otherwise();
    response.setHeader("x-auth-request-user", person.sub);
    response.setHeader("x-auth-request-preferred-username", person.name);
    if (person.groups.length > 0) response.setHeader("x-auth-request-groups", person.groups.join(","));
    return response.writeHead(202).end();
  }

  private begin(after: string, response: ServerResponse) {
    const state = randomBytes(16).toString("hex");
    // Nobody is led to another site.
    this.waiting.set(state, /^\/(?![/\\])/.test(after) ? after : "/");
    const query = new URLSearchParams({
      client_id: CLIENT.id,
      response_type: "code",
      scope: "openid profile groups",
      redirect_uri: `${this.outside}/oauth2/callback`,
      state,
    });
    response.writeHead(302, { location: `${this.issuer}/auth?${query}` }).end();
  }

  private async finish(query: URLSearchParams, response: ServerResponse) {
    const after = this.waiting.get(query.get("state") ?? "");
    if (after === undefined) return response.writeHead(400).end("no such sign-in");
    this.waiting.delete(query.get("state")!);
    const answer = await fetch(`${this.issuer}/token`, {
      method: "POST",
      headers: { authorization: `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString("base64")}` },
      body: new URLSearchParams({
        grant_type: "authorization_code",
        code: query.get("code") ?? "",
        redirect_uri: `${this.outside}/oauth2/callback`,
      }),
      signal: AbortSignal.timeout(30_000),
    });
    if (!answer.ok) return response.writeHead(403).end("the provider refused");
    const { id_token: token } = (await answer.json()) as { id_token: string };
    // It came straight from the provider, over a connection of our own.
    const claims = JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());
    const id = randomBytes(32).toString("hex");
    this.sessions.set(id, { sub: claims.sub, name: claims.preferred_username, groups: claims.groups ?? [] });
    response.setHeader("set-cookie", `${COOKIE}=${id}; Path=/; Secure; HttpOnly; SameSite=Lax`);
    response.writeHead(302, { location: after }).end();
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function cookie(request: IncomingMessage): string {
  const pairs = (request.headers.cookie ?? "").split(";").map((pair) => pair.trim().split("="));
  return pairs.find(([name]) => name === COOKIE)?.[1] ?? "";
}
