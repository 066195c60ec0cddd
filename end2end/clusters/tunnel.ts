// A tunnel to a socket on the console's machine, as `ssh -L port:/path/socket` makes one: what comes by TCP
// goes on by the socket, as this very user.

import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export class Tunnel {
  private readonly open = new Set<Socket>();

  private constructor(private readonly server: Server, private readonly path: string) {}

  static async to(path: string): Promise<Tunnel> {
    const server = createServer();
    const tunnel = new Tunnel(server, path);
    server.on("connection", (near) => tunnel.carry(near));
    await new Promise<void>((resolve, reject) => {
      server.on("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    return tunnel;
  }

  /** As the administrator's browser sees it. */
  get address(): string {
    return `http://localhost:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.open) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private carry(near: Socket) {
    const far = connect(this.path);
    for (const [one, other] of [[near, far], [far, near]] as const) {
      this.open.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}
