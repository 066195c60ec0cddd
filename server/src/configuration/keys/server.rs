//! The keys of `[server]`.

use super::{Holds, Key, key, later};

pub const LISTEN: &str = "127.0.0.1:7878";
pub const DATA_DIR: &str = "./quorate-data";

pub const SERVER: &[Key] = &[
    key(
        "listen",
        Holds::Text,
        Some("\"127.0.0.1:7878\""),
        "",
        "Address and port, or \"unix:/run/quorate.sock\".",
    ),
    key(
        "external_url",
        Holds::Text,
        None,
        "\"http://127.0.0.1:7878/\"",
        "The address in people's browsers; a path here is the base path. Default: the listener's.",
    ),
    key(
        "data_dir",
        Holds::Text,
        Some("\"./quorate-data\""),
        "",
        "Store, audit log and snapshots; created if it is not there.",
    ),
    key(
        "resolver",
        Holds::Text,
        None,
        "\"127.0.0.1:8600\"",
        "DNS server for \"srv:\" seeds and for the hosts of the clusters' addresses, by number; without it the system's.",
    ),
    key(
        "trusted_proxies",
        Holds::Texts,
        Some("[]"),
        "",
        "Proxies whose X-Forwarded-For says where a request began: addresses, networks or \"unix\"; never everybody. Who somebody is, is not their word by this.",
    ),
    key(
        "stream_renewal_ms",
        Holds::Number,
        Some("60000"),
        "",
        "Behind a sign-on proxy: how long a page stays live before it comes back through the proxy, 5000 to 600000 milliseconds.",
    ),
    key(
        "tls",
        Holds::Table(TLS),
        None,
        "",
        "TLS of the console's own, on server.listen; files are read again when they change.",
    ),
    later("database"),
];

const TLS: &[Key] = &[
    key(
        "cert_file",
        Holds::Text,
        None,
        "\"/etc/quorate/tls.pem\"",
        "The certificate and what leads from it to its authority, as PEM.",
    ),
    key(
        "key_file",
        Holds::Text,
        None,
        "\"/run/secrets/tls.key\"",
        "Its private key.",
    ),
    key(
        "client_ca_file",
        Holds::Text,
        None,
        "\"/etc/quorate/proxy-ca.pem\"",
        "The authority of the proxies' client certificates; see identity.proxy_certificate_names.",
    ),
];
