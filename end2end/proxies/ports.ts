// Ports that must be known before they are used: a proxy's address stands in the provider's list of
// clients, the console's in the proxy's recipe.

import { createServer } from "node:net";

/** Below what systems give to outgoing connections and to whoever takes port 0. */
const FROM = 10_240;
const TO = 32_000;

/** Free ports on loopback, each another one. Whoever is unlucky all the same tries again with others. */
export async function fixedPorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = FROM + Math.floor(Math.random() * (TO - FROM));
    if (await isFree(port)) found.add(port);
  }
  return [...found];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
