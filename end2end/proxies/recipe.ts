// The tested recipes: what docs/proxies/ prints, with this run's ports and paths put in.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What is put in for what; a text that a recipe does not hold is no mistake, one it keeps is. */
export type Values = Record<string, string>;

/** @param mount `/quorate` as the recipes have it, or empty for a host of the console's own */
export function recipe(file: string, values: Values, mount: string): string {
  const path = fileURLToPath(new URL(`../../docs/proxies/${file}`, import.meta.url));
  let text = readFileSync(path, "utf8");
  if (mount === "") text = text.replaceAll("/quorate/", "/");
  // Longer texts first, so that none is found within another.
  const wanted = Object.keys(values).sort((a, b) => b.length - a.length);
  for (const name of wanted) text = text.replaceAll(name, values[name]!);
  return text;
}

/** A key and a certificate for `raft.example`, made now. */
export function certificate(folder: string): { certificate: string; key: string } {
  const made = { certificate: join(folder, "raft.example.pem"), key: join(folder, "raft.example.key") };
  execFileSync(
    "openssl",
    [
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
      "-subj", "/CN=raft.example", "-addext", "subjectAltName=DNS:raft.example",
      "-keyout", made.key, "-out", made.certificate,
    ],
    { stdio: "ignore", timeout: 60_000 },
  );
  return made;
}

export function write(folder: string, name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}
