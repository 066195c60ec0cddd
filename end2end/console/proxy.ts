// A reverse proxy as people put one in front: it serves one folder of a host, and nothing else there.

import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export class Proxy {
  /** Paths asked for outside the folder: whoever asks for them does not know where it is. */
  readonly strays: string[] = [];

  private constructor(private readonly server: Server, private readonly base: string) {}

  /** @param base the folder, like `/quorate`, without a slash at its end */
  static async listen(base: string): Promise<Proxy> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.on("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    return new Proxy(server, base);
  }

  /** Where browsers go, without a slash at its end. */
  get address(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${this.base}`;
  }

  /** Hands on to `target`; with `strip` the folder is taken off the path on the way. */
  forward(target: string, { strip }: { strip: boolean }) {
    this.server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) => {
      const path = incoming.url ?? "/";
      if (path !== this.base && !path.startsWith(`${this.base}/`)) {
        this.strays.push(path);
        outgoing.writeHead(404).end();
        return;
      }
      const inside = strip ? path.slice(this.base.length) || "/" : path;
      const onward = request(`${target}${inside}`, { method: incoming.method, headers: incoming.headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      onward.on("error", () => outgoing.destroy());
      // A reader that leaves takes its stream with it.
      outgoing.on("close", () => onward.destroy());
      incoming.pipe(onward);
    });
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
