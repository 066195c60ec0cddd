// How each proxy is started on its recipe, without being installed and without rights of root.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Program } from "../clusters/program.ts";
import { CLIENT, type Kind, type Place } from "./front.ts";
import { DEBIAN, LIBRARIES, program } from "./programs.ts";

const HEADERS = ["X-Auth-Request-User", "X_Auth_Request_User", "x-auth-request_user", "X-Forwarded-User", "Remote-User"];

function log(place: Place, name: string) {
  return join(place.folder, `${name}.log`);
}

export const nginx: Kind = {
  name: "nginx",
  console: "trusted-header.toml",
  signsIn: "gate",
  forged: HEADERS,
  start: (place) => {
    const secret = place.write("quorate-secret.conf", `proxy_set_header X-Proxy-Secret "${place.secret}";\n`);
    const site = place
      .recipe("nginx/raft.conf")
      .replace("/etc/nginx/quorate-secret.conf", secret)
      .replace("listen 443 ", `listen 127.0.0.1:${place.port} `);
    const folder = (name: string) => `${name}_temp_path ${join(place.folder, name)};`;
    const main = place.write(
      "nginx.conf",
      `daemon off; master_process off; pid ${join(place.folder, "nginx.pid")}; error_log stderr;
events {}
http {
access_log off;
${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(folder).join("\n")}
${site}
}
`,
    );
    return new Program(program("debian/usr/sbin/nginx"), ["-p", place.folder, "-c", main, "-e", "stderr"], {
      log: log(place, "nginx"),
    });
  },
};

export const caddy: Kind = {
  name: "Caddy",
  console: "trusted-header.toml",
  signsIn: "gate",
  forged: HEADERS,
  start: (place) => {
    const site = place.recipe("caddy/Caddyfile").replace("\nraft.example {", `\nraft.example:${place.port} {\n    bind 127.0.0.1`);
    const options = "{\n    admin off\n    auto_https disable_redirects\n    persist_config off\n}\n";
    const file = place.write("Caddyfile", options + site);
    return new Program(program("python/bin/caddy"), ["run", "--adapter", "caddyfile", "--config", file], {
      log: log(place, "caddy"),
      env: { HOME: place.folder, XDG_DATA_HOME: place.folder, XDG_CONFIG_HOME: place.folder },
    });
  },
};

export const traefik: Kind = {
  name: "Traefik",
  console: "trusted-header.toml",
  signsIn: "gate",
  forged: HEADERS,
  start: (place) => {
    const dynamic = place.write("raft.yml", place.recipe("traefik/raft.yml"));
    const options = "global:\n  checkNewVersion: false\n  sendAnonymousUsage: false\n";
    const fixed = place
      .recipe("traefik/traefik.yml")
      .replace('":443"', `"127.0.0.1:${place.port}"`)
      .replace("/etc/traefik/raft.yml", dynamic);
    const file = place.write("traefik.yml", options + fixed);
    return new Program(program("python/bin/traefik"), ["--configFile", file], {
      log: log(place, "traefik"),
      env: { HOME: place.folder, QUORATE_PROXY_SECRET: place.secret },
    });
  },
};

export const apache: Kind = {
  name: "Apache",
  console: "jwt-header.toml",
  signsIn: "itself",
  forged: ["OIDC_id_token", "OIDC-id-token", "oidc_id-token", "OIDC_CLAIM_sub", "Remote-User"],
  start: (place) => {
    const secrets = place.write(
      "quorate-secrets.conf",
      `OIDCClientSecret "${CLIENT.secret}"\nOIDCCryptoPassphrase "a-passphrase-of-the-tests-only"\n`,
    );
    const site = place
      .recipe("apache/raft.conf")
      .replace("/etc/apache2/quorate-secrets.conf", secrets)
      .replace("*:443", `127.0.0.1:${place.port}`)
      .replace("ServerName raft.example", `ServerName raft.example:${place.port}`);
    const modules = join(DEBIAN, "usr/lib/apache2/modules");
    const names = ["mpm_event", "authn_core", "authz_core", "authz_user", "headers", "proxy", "proxy_http", "ssl", "http2", "socache_shmcb", "auth_openidc"];
    const runtime = join(place.folder, "apache");
    mkdirSync(runtime, { recursive: true });
    const main = place.write(
      "apache.conf",
      `ServerRoot "${runtime}"
DefaultRuntimeDir "${runtime}"
PidFile "${join(runtime, "pid")}"
Mutex posixsem
User www-data
Group www-data
Listen 127.0.0.1:${place.port}
ServerName raft.example
ErrorLog "${log(place, "apache")}"
LogLevel warn
ServerLimit 1
StartServers 1
ThreadsPerChild 64
MaxRequestWorkers 64
MinSpareThreads 1
MaxSpareThreads 64
${names.map((name) => `LoadModule ${name}_module ${join(modules, `mod_${name}.so`)}`).join("\n")}
${site}
`,
    );
    return new Program(program("debian/usr/sbin/apache2"), ["-DFOREGROUND", "-f", main], {
      log: log(place, "apache"),
      env: LIBRARIES,
    });
  },
};
