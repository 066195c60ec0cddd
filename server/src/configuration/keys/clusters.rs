//! The keys of a cluster's block.

use super::{Holds, Key, key};

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
