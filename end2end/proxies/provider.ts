// A real OpenID provider: the npm package `oidc-provider`, with three people in it. Any password is
// right; whoever has signed in once is known until their browser forgets it.

import { generateKeyPairSync, webcrypto } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Groups by person. Who is in none may do nothing. */
export const PEOPLE: Record<string, string[]> = {
  anna: ["raft-ops", "everybody"],
  wim: ["raft-watch"],
  eve: ["everybody"],
};

export const CLIENT = { id: "quorate", secret: "a-client-secret-of-the-tests-only" };

export class OpenId {
  /** Seconds the tokens of sign-ins from now on hold. */
  tokenLife = 3_600;

  /** How often its keys were changed. */
  private keys = 0;

  private constructor(
    private readonly server: Server,
    readonly issuer: string,
    private readonly redirects: string[],
    private readonly more: object,
  ) {}

  /**
   * @param redirects where the one client may be led back to
   * @param more what else is registered of it
   */
  static async start(redirects: string[], more: object = {}): Promise<OpenId> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.on("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const openId = new OpenId(server, issuer, redirects, more);
    await openId.changeKeys();
    return openId;
  }

  /** From now on it signs by a new key, and knows the old one no more. Who is signed in stays so. */
  async changeKeys(): Promise<void> {
    this.keys += 1;
    const provider = await this.provider();
    this.server.removeAllListeners("request");
    this.server.on("request", provider.callback());
  }

  private async provider(): Promise<any> {
    // Node 18 has it, and not where the package looks for it.
    (globalThis as any).crypto ??= webcrypto;
    const { default: Provider } = await import("oidc-provider");
    const provider = new Provider(this.issuer, {
      clients: [
        {
          client_id: CLIENT.id,
          client_secret: CLIENT.secret,
          redirect_uris: this.redirects,
          post_logout_redirect_uris: this.redirects.map((address) => `${new URL(address).origin}/`),
          grant_types: ["authorization_code"],
          response_types: ["code"],
          ...this.more,
        },
      ],
      findAccount: (_: unknown, id: string) => ({
        accountId: id,
        claims: () => ({ sub: id, preferred_username: id, groups: PEOPLE[id] ?? [] }),
      }),
      claims: { openid: ["sub"], profile: ["preferred_username"], groups: ["groups"] },
      scopes: ["openid", "profile", "groups"],
      // Who may see what is not asked again.
      loadExistingGrant: async (context: any) => {
        const { oidc } = context;
        const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
        grant.addOIDCScope("openid profile groups");
        await grant.save();
        return grant;
      },
      // Proxies pass the token on; what it does not say they do not know.
      conformIdTokenClaims: false,
      pkce: { required: () => false },
      features: { rpInitiatedLogout: { enabled: true }, backchannelLogout: { enabled: true } },
      jwks: { keys: [signingKey(`key-${this.keys}`)] },
      ttl: {
        IdToken: () => this.tokenLife,
        AccessToken: 3_600,
        AuthorizationCode: 60,
        Grant: 3_600,
        Interaction: 600,
        Session: 3_600,
      },
      cookies: { keys: ["a-key-of-the-tests-only"] },
      // The package hangs up on loopback (see its `helpers/fetch_request.js`), where the console of
      // these tests is told of sign-outs: its own dispatcher is left out.
      fetch: (address: string, { dispatcher: _, ...options }: any) => fetch(address, options),
    });
    // Every person of these tests reaches it by plain HTTP on loopback.
    provider.proxy = false;
    return provider;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function signingKey(kid: string): object {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  return { ...privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" };
}
