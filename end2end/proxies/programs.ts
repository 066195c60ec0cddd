// Where the proxies are: `cargo xtask` fetches them into target/tools/proxies and installs nothing.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const TOOLS = process.env.QUORATE_TEST_PROXIES ?? fileURLToPath(new URL("../../target/tools/proxies", import.meta.url));
/** Debian's packages, unpacked. */
export const DEBIAN = join(TOOLS, "debian");

export function program(path: string): string {
  const found = join(TOOLS, path);
  if (!existsSync(found)) throw new Error(`${found} is not there; \`cargo xtask test\` fetches it`);
  return found;
}

/** Apache's libraries lie beside it. */
export const LIBRARIES = { LD_LIBRARY_PATH: join(DEBIAN, "usr/lib/x86_64-linux-gnu") };
