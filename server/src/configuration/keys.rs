//! Every key of the configuration: its type, its default, what it is for. The one table from
//! which files are checked and `--print-config` is written.

pub const LISTEN: &str = "127.0.0.1:7878";
pub const DATA_DIR: &str = "./quorate-data";

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    Text,
    YesNo,
    /// A whole number, 0 or more.
    Number,
    Texts,
    /// A table of texts by free names.
    TextsByName,
    Table(&'static [Key]),
    /// `[[name]]`, any number of times.
    Tables(&'static [Key]),
    /// Known, and of a later version.
    Later,
}

impl Holds {
    /// What is expected, in words.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Text => "a text in quotes",
            Self::YesNo => "true or false",
            Self::Number => "a whole number, 0 or more",
            Self::Texts => "a list of texts, like [\"a\", \"b\"]",
            Self::TextsByName => "a table of texts, like { \"node-1\" = \"eu1\" }",
            Self::Table(_) => "a table",
            Self::Tables(_) => "a list of tables",
            Self::Later => crate::NOT_IN_THIS_VERSION,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    pub name: &'static str,
    pub holds: Holds,
    /// Its default as TOML; `None`: not set.
    pub default: Option<&'static str>,
    /// A value as TOML for the printed configuration, where there is no default.
    pub example: &'static str,
    pub about: &'static str,
}

const fn key(
    name: &'static str,
    holds: Holds,
    default: Option<&'static str>,
    example: &'static str,
    about: &'static str,
) -> Key {
    Key {
        name,
        holds,
        default,
        example,
        about,
    }
}

const fn later(name: &'static str) -> Key {
    key(name, Holds::Later, None, "", "")
}

pub const ROOT: &[Key] = &[
    key(
        "read_only",
        Holds::YesNo,
        Some("false"),
        "",
        "Takes every change away from everybody; looking stays possible.",
    ),
    key(
        "server",
        Holds::Table(SERVER),
        None,
        "",
        "Where the console listens and keeps its data.",
    ),
    key(
        "identity",
        Holds::Table(IDENTITY),
        None,
        "",
        "Who may come in.",
    ),
    key(
        "audit",
        Holds::Table(AUDIT),
        None,
        "",
        "Where signed checkpoints of the audit log are copied to, and reports by schedule.",
    ),
    key(
        "clusters",
        Holds::Tables(CLUSTER),
        None,
        "",
        "A cluster to watch; one block each.",
    ),
    later("database"),
    later("notify"),
    later("snapshots"),
    later("approvals"),
    later("tls"),
];

const SERVER: &[Key] = &[
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
    later("database"),
    later("tls_cert_file"),
    later("tls_key_file"),
    later("tls"),
];

const AUDIT: &[Key] = &[
    key(
        "copy_files",
        Holds::Texts,
        Some("[]"),
        "",
        "Files to which checkpoints are appended: on another disk, or a share of another machine.",
    ),
    key(
        "copy_webhooks",
        Holds::Texts,
        Some("[]"),
        "",
        "Addresses to which each checkpoint is sent by POST: https, or this machine.",
    ),
    key(
        "copy_token_file",
        Holds::Text,
        None,
        "\"/run/secrets/quorate-copies\"",
        "File with the bearer token that the webhooks are sent.",
    ),
    key(
        "reports_keep_days",
        Holds::Number,
        Some("400"),
        "",
        "How long reports by schedule are kept in their folders; the newest always is.",
    ),
    key(
        "reports_keep_mb",
        Holds::Number,
        Some("2048"),
        "",
        "How much all files of one report may take, in megabytes; the oldest go first.",
    ),
    key(
        "reports",
        Holds::Tables(REPORT),
        None,
        "",
        "A report of the audit log that the console makes by itself; one block each.",
    ),
    later("copy_syslog"),
    later("copy_objects"),
    later("retention"),
];

pub const GROUPS_SEPARATOR: &str = ",";

const IDENTITY: &[Key] = &[
    key(
        "mode",
        Holds::Text,
        Some("\"local\""),
        "",
        "\"local\": accounts of this console, made by `quorate user add`; \"trusted-header\" or \"jwt-header\": a sign-on proxy in front says who it is; \"oidc\": sign-in at an OpenID provider.",
    ),
    key(
        "user_header",
        Holds::Text,
        None,
        "\"Remote-User\"",
        "trusted-header: the header with the person's stable name.",
    ),
    key(
        "name_header",
        Holds::Text,
        None,
        "\"Remote-Name\"",
        "trusted-header: the header with the name to show.",
    ),
    key(
        "email_header",
        Holds::Text,
        None,
        "\"Remote-Email\"",
        "trusted-header: the header with the address to show where there is no name.",
    ),
    key(
        "groups_header",
        Holds::Text,
        None,
        "\"Remote-Groups\"",
        "trusted-header: the header with the groups.",
    ),
    key(
        "groups_separator",
        Holds::Text,
        None,
        "\",\"",
        "trusted-header: what stands between two groups; \"|\" for authentik.",
    ),
    key(
        "trusted_proxies",
        Holds::Texts,
        None,
        "[\"10.1.2.3/32\"]",
        "trusted-header: the proxy's addresses, or \"unix\" if it comes by server.listen = \"unix:…\"; never everybody.",
    ),
    key(
        "proxy_secret_header",
        Holds::Text,
        None,
        "\"X-Proxy-Secret\"",
        "trusted-header: a header that only the proxy can set, because of its value.",
    ),
    key(
        "proxy_secret_file",
        Holds::Text,
        None,
        "\"/run/secrets/proxy\"",
        "trusted-header: file with that value, 16 characters or more.",
    ),
    key(
        "preset",
        Holds::Text,
        None,
        "\"pomerium\"",
        "jwt-header: pomerium, cloudflare-access, google-iap, aws-alb, authentik, teleport or generic.",
    ),
    key(
        "header",
        Holds::Text,
        None,
        "\"X-Assertion\"",
        "jwt-header, preset generic: the header with the signed assertion.",
    ),
    key(
        "issuer",
        Holds::Text,
        None,
        "\"raft.example\"",
        "jwt-header: the issuer it must name; oidc: the provider's address, exactly as it names itself.",
    ),
    key(
        "audience",
        Holds::Text,
        None,
        "\"raft.example\"",
        "jwt-header: the audience it must name; on AWS the client.",
    ),
    key(
        "signer",
        Holds::Text,
        None,
        "\"arn:aws:elasticloadbalancing:…\"",
        "jwt-header, preset aws-alb: the load balancer that must have signed.",
    ),
    key(
        "jwks_url",
        Holds::Text,
        None,
        "\"https://raft.example/.well-known/pomerium/jwks.json\"",
        "jwt-header: where the issuer's keys are; on AWS the address below which each key is.",
    ),
    key(
        "jwks_file",
        Holds::Text,
        None,
        "\"/etc/quorate/jwks.json\"",
        "jwt-header: file with the keys instead.",
    ),
    key(
        "groups_claim",
        Holds::Text,
        None,
        "\"groups\"",
        "jwt-header, oidc: the claim with the groups, or a path like \"/realm_access/roles\".",
    ),
    key(
        "leeway_ms",
        Holds::Number,
        None,
        "30000",
        "jwt-header, oidc: how far clocks may differ, at most 120000 milliseconds.",
    ),
    key(
        "client_id",
        Holds::Text,
        None,
        "\"quorate\"",
        "oidc: the client as which the provider knows this console.",
    ),
    key(
        "client_secret_file",
        Holds::Text,
        None,
        "\"/run/secrets/oidc\"",
        "oidc: file with the client's secret.",
    ),
    key(
        "public_client",
        Holds::YesNo,
        None,
        "true",
        "oidc: the client has no secret; the provider must then demand PKCE of it.",
    ),
    key(
        "scopes",
        Holds::Texts,
        None,
        "[\"openid\", \"profile\", \"email\", \"groups\"]",
        "oidc: what is asked for; without it \"openid\", \"profile\" and \"email\".",
    ),
    key(
        "provider_name",
        Holds::Text,
        None,
        "\"Example Corp\"",
        "oidc: what the sign-in button calls the provider; without it the issuer's host.",
    ),
    key(
        "sign_out_path",
        Holds::Text,
        None,
        "\"/oauth2/sign_out\"",
        "Where the proxy signs people out, on the console's own host.",
    ),
    key(
        "denied_groups",
        Holds::Texts,
        Some("[]"),
        "",
        "Whoever is in one of these groups may do nothing, whatever else is granted.",
    ),
    key(
        "denied_users",
        Holds::Texts,
        Some("[]"),
        "",
        "Nor may these subjects.",
    ),
    key(
        "grants",
        Holds::Tables(GRANT),
        None,
        "",
        "Roles in every mode but local; whoever is in none of these groups may do nothing.",
    ),
];

const REPORT: &[Key] = &[
    key(
        "name",
        Holds::Text,
        None,
        "\"monthly\"",
        "Begins the names of its files: letters, digits, - and _.",
    ),
    key(
        "every",
        Holds::Text,
        None,
        "\"month\"",
        "day, week (on Mondays) or month (on the first); it covers the time since the one before.",
    ),
    key(
        "at",
        Holds::Text,
        None,
        "\"06:00\"",
        "The time of the day, UTC. Default: midnight.",
    ),
    key(
        "folder",
        Holds::Text,
        None,
        "\"/mnt/reports\"",
        "The folder it is delivered to, with its signed digests; a pdf with its bundle.",
    ),
    key(
        "format",
        Holds::Text,
        None,
        "\"pdf\"",
        "pdf, bundle, csv, jsonl or ocsf. Default: pdf.",
    ),
    key(
        "language",
        Holds::Text,
        None,
        "\"en\"",
        "Of a pdf: en or zh. Default: en.",
    ),
    key(
        "cluster",
        Holds::Text,
        None,
        "\"vault-eu\"",
        "Only entries about this cluster.",
    ),
    key(
        "actor",
        Holds::Text,
        None,
        "\"anna\"",
        "Only entries of this person or token.",
    ),
    key(
        "kinds",
        Holds::Texts,
        Some("[]"),
        "",
        "Only these: intent, outcome, refusal, access, console; empty: all.",
    ),
];

const GRANT: &[Key] = &[
    key(
        "group",
        Holds::Text,
        None,
        "\"raft-ops\"",
        "The group, exactly as the proxy writes it.",
    ),
    key(
        "user",
        Holds::Text,
        None,
        "\"anna\"",
        "Or one subject instead of a group.",
    ),
    key(
        "role",
        Holds::Text,
        None,
        "\"operator\"",
        "viewer, operator, admin, approver or auditor.",
    ),
    key(
        "clusters",
        Holds::Texts,
        None,
        "[\"*\"]",
        "Where it holds: names of clusters, or \"*\".",
    ),
    key(
        "tags",
        Holds::Texts,
        Some("[]"),
        "",
        "Only on clusters with one of these tags; empty: on all.",
    ),
];

pub const CLUSTER: &[Key] = &[
    key(
        "name",
        Holds::Text,
        None,
        "\"vault-eu\"",
        "What the console calls it.",
    ),
    key(
        "kind",
        Holds::Text,
        None,
        "\"openbao\"",
        "openbao, vault, etcd, openziti, agent, raftadmin or simulated.",
    ),
    key(
        "seeds",
        Holds::Texts,
        None,
        "[\"https://bao-eu1-a.example:8200\"]",
        "Where to begin; the other members are learned from the cluster. Addresses, \"srv:_raft._tcp.example\", \"consul:https://consul.example:8501/vault\".",
    ),
    key(
        "token_file",
        Holds::Text,
        None,
        "\"/run/secrets/bao\"",
        "File with the backend's token.",
    ),
    key(
        "consul_token_file",
        Holds::Text,
        None,
        "\"/run/secrets/consul\"",
        "File with the token for Consul's catalogue, for \"consul:\" seeds; members are never sent it.",
    ),
    key(
        "username",
        Holds::Text,
        None,
        "\"quorate\"",
        "Name to sign in with, where the backend gives tokens for passwords; with password_file.",
    ),
    key(
        "password_file",
        Holds::Text,
        None,
        "\"/run/secrets/password\"",
        "File with its password.",
    ),
    key(
        "cert_file",
        Holds::Text,
        None,
        "\"/etc/quorate/client.pem\"",
        "Client certificate; together with key_file.",
    ),
    key(
        "key_file",
        Holds::Text,
        None,
        "\"/run/secrets/client.key\"",
        "Its private key.",
    ),
    key(
        "ca_file",
        Holds::Text,
        None,
        "\"/etc/quorate/bao-ca.pem\"",
        "Authorities to trust in addition to the system's.",
    ),
    key(
        "api_address_pattern",
        Holds::Text,
        None,
        "\"https://{host}:8200\"",
        "Where a member's API is, if the cluster does not tell.",
    ),
    key(
        "tags",
        Holds::Texts,
        Some("[]"),
        "",
        "Words to grant roles by.",
    ),
    key(
        "zones",
        Holds::TextsByName,
        Some("{}"),
        "",
        "Zone by member, where the backend says nothing: { \"bao-eu1-a\" = \"eu1\" }.",
    ),
    key(
        "join_allowed",
        Holds::Texts,
        Some("[]"),
        "",
        "Where a new member may be: \"https://10.20.0.0/16:8200\" or an exact address; empty: nowhere.",
    ),
    key(
        "read_only",
        Holds::YesNo,
        Some("false"),
        "",
        "Takes every change of this cluster away.",
    ),
    key(
        "thresholds",
        Holds::Table(THRESHOLDS),
        None,
        "",
        "Limits above which a figure becomes a finding.",
    ),
];

const THRESHOLDS: &[Key] = &[
    key(
        "lag_warn",
        Holds::Number,
        Some("1000"),
        "",
        "Entries behind the leader from which a member counts as catching up.",
    ),
    key(
        "lag_promote",
        Holds::Number,
        Some("100"),
        "",
        "Entries behind the leader up to which a learner may be promoted.",
    ),
    key(
        "silent_after_ms",
        Holds::Number,
        Some("5000"),
        "",
        "Silence after which it is a finding of its own, in milliseconds.",
    ),
];
