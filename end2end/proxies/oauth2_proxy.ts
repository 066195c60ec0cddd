// The real oauth2-proxy, as docs/proxies/README.md says it is started. Built for the slow round only;
// elsewhere a gate with the same paths and headers stands in for it.

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Program, until } from "../clusters/program.ts";
import { fixedPorts } from "./ports.ts";
import { CLIENT } from "./provider.ts";

/** Where it is; nowhere in the usual round. */
export const OAUTH2_PROXY = process.env.QUORATE_TEST_OAUTH2_PROXY;

export class OAuth2Proxy {
  private constructor(
    private program: Program,
    private readonly port: number,
    private readonly again: () => Program,
  ) {}

  /** @param outside the proxy's address as browsers see it, without a slash at its end */
  static async start(path: string, outside: string, issuer: string, folder: string): Promise<OAuth2Proxy> {
    const [port] = await fixedPorts(1);
    const begin = () =>
      new Program(
        path,
        [
          "--reverse-proxy",
          "--set-xauthrequest",
          "--upstream=static://202",
          `--http-address=127.0.0.1:${port}`,
          "--provider=oidc",
          `--oidc-issuer-url=${issuer}`,
          `--client-id=${CLIENT.id}`,
          `--redirect-url=${outside}/oauth2/callback`,
          "--scope=openid profile groups",
          "--oidc-groups-claim=groups",
          // These people have no addresses.
          "--oidc-email-claim=sub",
          "--email-domain=*",
          "--code-challenge-method=S256",
          "--skip-provider-button",
          "--cookie-name=__Host-oauth2",
        ],
        {
          log: join(folder, "oauth2-proxy.log"),
          env: {
            OAUTH2_PROXY_CLIENT_SECRET: CLIENT.secret,
            // A new one each time: earlier sessions are none any more.
            OAUTH2_PROXY_COOKIE_SECRET: randomBytes(16).toString("hex"),
          },
        },
      );
    const proxy = new OAuth2Proxy(begin(), port!, begin);
    await proxy.ready();
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Nobody is signed in any more. */
  async expire() {
    await this.program.stop();
    this.program = this.again();
    await this.ready();
  }

  async stop(): Promise<void> {
    await this.program.stop();
  }

  private async ready() {
    await until("oauth2-proxy answers", async () => {
      try {
        return (await fetch(`http://${this.address}/ping`)).ok ? true : undefined;
      } catch {
        return undefined;
      }
    }, { patience: 90_000 });
  }
}
