//! What `quorate check` says of one cluster: reach, trust and rights, a line each, with a hint.

use std::time::Duration;

use quorate_domain::{
    cluster::Kind,
    observation::{Answer, NodeReport, Note, Observation},
};
use url::Url;

use super::{Openbao, ask::at};
use crate::{
    Diagnosis,
    diagnosis::{fine, notes, problem},
    http::{Wire, address_of, plain_http},
};

impl Openbao {
    pub(super) async fn check(&self) -> Vec<Diagnosis> {
        let mut lines = Vec::new();
        let mut reached = false;
        let seeds = self.memory().directory.seeds().to_vec();
        for seed in &seeds {
            let call = self
                .client
                .get(&at(seed, "sys/seal-status"))
                .within(self.status_timeout);
            let answer = call.json::<super::answers::SealStatus>().await;
            reached |= answer.is_ok();
            lines.push(seed_line(seed, answer.err().as_ref()));
            lines.extend(plain_http(seed).map(|_| plain_line(seed)));
        }
        if self.token.is_none() {
            let text = "No token is configured; OpenBao shows its members to nobody without one.";
            let hint = "Make a policy for the console and name its token's file in `token_file`.";
            lines.push(problem("token-missing", text.to_owned(), hint));
        }
        if reached {
            self.forget_rights();
            let long = self.status_timeout * 2 + Duration::from_millis(500);
            let mut seen = self.look(long).await;
            // From a standby the first look learns who leads, and from the leader where all are.
            if seen.nodes.iter().any(known_and_not_asked) {
                seen = self.look(long).await;
            }
            lines.extend(seen.nodes.iter().map(node_line));
            lines.extend(note_lines(&seen));
            lines.extend(self.kind_line(&seen));
            lines.extend(self.right_lines(&seen));
        }
        lines
    }

    fn forget_rights(&self) {
        self.memory().rights_at = None;
    }

    /// One answers for the other and is treated as what it is; so this is no problem.
    fn kind_line(&self, seen: &Observation) -> Option<Diagnosis> {
        let (is, written) = match seen.kind {
            Kind::Vault => ("Vault", "vault"),
            _ => ("OpenBao", "openbao"),
        };
        let text = format!("This is {is}, and is treated as that; write kind = \"{written}\".");
        (seen.kind != self.kind).then(|| fine("other-kind", &text))
    }

    fn right_lines(&self, seen: &Observation) -> Vec<Diagnosis> {
        let rights = self.memory().rights.clone();
        let Some(rights) = rights else {
            let denied = seen
                .nodes
                .iter()
                .any(|node| matches!(node.answer, Answer::Denied(_)));
            let text = "What the token may do could not be found out.".to_owned();
            let hint = if denied {
                "Check that the token in `token_file` is valid; it may have expired."
            } else {
                "It is asked of any unsealed member; see above why none could be asked."
            };
            return vec![problem("rights-unknown", text, hint)];
        };
        let mut lines: Vec<Diagnosis> = rights
            .missing
            .iter()
            .map(|(path, right)| {
                let text = format!("The token lacks `{right}` on {path}.");
                let mut line = problem("permission-missing", text, "");
                line.hint = Some(format!(
                    "Add to its policy: path \"{path}\" {{ capabilities = [{}] }}",
                    if *right == "sudo" {
                        "\"update\", \"sudo\"".to_owned()
                    } else {
                        format!("\"{right}\"")
                    }
                ));
                line
            })
            .collect();
        if !rights.told {
            lines.push(problem(
                "rights-unknown",
                "What the token may do was not told.".to_owned(),
                "Let it ask: path \"sys/capabilities-self\" { capabilities = [\"update\"] }",
            ));
        } else if lines.is_empty() {
            lines.push(fine(
                "permissions",
                "The token may do all that the console offers.",
            ));
        }
        if let Some(at) = rights.expires {
            lines.push(fine(
                "token-expires",
                format!("The token is valid until {at}."),
            ));
        }
        lines
    }
}

fn seed_line(seed: &Url, why: Option<&Wire>) -> Diagnosis {
    let address = address_of(seed);
    match why {
        None => fine("seed-reached", format!("{address} answers.")),
        // Whatever answers there, it knows of no seal.
        Some(why @ Wire::Status { status: 404, .. }) => problem(
            "not-openbao",
            format!("{address} is neither OpenBao nor Vault: {why}."),
            "Check the port, and that `kind` is what runs there.",
        ),
        Some(why) => problem(why.code(), format!("{address}: {why}."), why.hint()),
    }
}

fn plain_line(seed: &Url) -> Diagnosis {
    let text = format!(
        "{} is reached by plain HTTP: the token can be read on the way.",
        address_of(seed)
    );
    problem(
        "plain-http",
        text,
        "Give OpenBao a TLS listener and use https:// in the seed.",
    )
}

fn known_and_not_asked(node: &NodeReport) -> bool {
    node.asked.is_some() && matches!(node.answer, Answer::NotAsked)
}

fn node_line(node: &NodeReport) -> Diagnosis {
    let place = node.asked.as_deref().unwrap_or("unknown address");
    let (code, why, hint) = match &node.answer {
        Answer::Answered => {
            return fine("member-reached", format!("{} answers at {place}.", node.id));
        }
        Answer::Sealed => ("sealed", "it is sealed", "Unseal it."),
        Answer::NotStarted => (
            "not-initialised",
            "it was never initialised",
            "Let it join.",
        ),
        Answer::NotAsked => (
            "address-unknown",
            "nobody tells where its API answers",
            "Set `api_address_pattern`, for example \"https://{host}:8200\".",
        ),
        Answer::Silent(why) => (
            "silent",
            why.as_str(),
            "Check that it runs and can be reached from here.",
        ),
        Answer::Misread(why) => (
            "misread",
            why.as_str(),
            "Check that its API address is right.",
        ),
        Answer::Denied(why) => (
            "denied",
            why.as_str(),
            "Check that the token is valid and its policy lets it read sys/storage/raft/configuration.",
        ),
    };
    problem(code, format!("{} at {place}: {why}.", node.id), hint)
}

fn note_lines(seen: &Observation) -> Vec<Diagnosis> {
    notes(seen, |note| match note {
        Note::CredentialExpires { at } => Some(problem(
            "token-ends-soon",
            format!("The token ends at {at} and cannot be renewed."),
            "Make a new one, best a periodic one, which can be renewed for ever.",
        )),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use axum::{
        Router,
        http::{StatusCode, Uri},
    };
    use quorate_domain::cluster::Kind;
    use serde_json::Value;
    use tokio::net::TcpListener;

    use super::*;
    use crate::{Connection, Lookups, Secret};

    macro_rules! recorded {
        ($name:literal) => {
            include_str!(concat!(
                "../../tests/recorded/openbao-2.7.2/",
                $name,
                ".json"
            ))
        };
    }

    fn recording(path: &str, leads: bool) -> &'static str {
        match (path, leads) {
            ("sys/seal-status", _) => {
                r#"{"response":{"status":200,"body":{"type":"static","initialized":true}}}"#
            }
            ("sys/health", true) => recorded!("health-leader"),
            ("sys/health", false) => recorded!("health-standby"),
            ("sys/leader", true) => recorded!("sys-leader-at-leader"),
            ("sys/leader", false) => recorded!("sys-leader-at-standby"),
            ("sys/storage/raft/configuration", _) => recorded!("configuration-leader"),
            ("sys/storage/raft/autopilot/state", true) => recorded!("autopilot-state"),
            ("sys/ha-status", true) => recorded!("ha-status-leader"),
            ("sys/capabilities-self", _) => recorded!("capabilities-self-operator"),
            _ => r#"{"response":{"status":404,"body":{"errors":[]}}}"#,
        }
    }

    /// The recorded cluster of four, of which the first leads; their addresses.
    async fn four_nodes() -> Vec<String> {
        let mut listeners = Vec::new();
        for recorded in ["9200", "9210", "9220", "9230"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            listeners.push((listener, format!("127.0.0.1:{recorded}\""), port));
        }
        let places: Vec<(String, u16)> = listeners
            .iter()
            .map(|(_, recorded, port)| (recorded.clone(), *port))
            .collect();
        let places = Arc::new(places);
        let mut addresses = Vec::new();
        for (at, (listener, _, port)) in listeners.into_iter().enumerate() {
            let places = Arc::clone(&places);
            let answer = move |uri: Uri| async move {
                let path = uri.path().trim_start_matches("/v1/");
                let told: Value = serde_json::from_str(recording(path, at == 0)).unwrap();
                let told = &told["response"];
                let status = u16::try_from(told["status"].as_u64().unwrap()).unwrap();
                let mut body = told["body"].to_string();
                for (recorded, port) in places.iter() {
                    body = body.replace(recorded, &format!("127.0.0.1:{port}\""));
                }
                let id = [("x-vault-raft-node-id", format!("n{}", at + 1))];
                (StatusCode::from_u16(status).unwrap(), id, body)
            };
            let router = Router::new().fallback(answer);
            tokio::spawn(async move { axum::serve(listener, router).await });
            addresses.push(format!("http://127.0.0.1:{port}"));
        }
        addresses
    }

    /// A standby tells where its leader is, and only the leader where all others are.
    #[tokio::test]
    async fn the_check_reaches_every_member_from_whatever_seed() {
        let addresses = four_nodes().await;
        for seed in &addresses {
            let driver = Openbao::new(Connection {
                name: "recorded".to_owned(),
                kind: Kind::Openbao,
                seeds: vec![seed.clone()],
                token: Some(Secret::new("s.recorded-token")),
                login: None,
                ca_pem: None,
                client_pem: None,
                api_address_pattern: None,
                remembered: Vec::new(),
                lookups: Lookups::default(),
                status_timeout: Duration::from_secs(30),
                change_timeout: Duration::from_secs(30),
            })
            .unwrap();
            let lines = driver.check().await;
            let reached = lines.iter().filter(|line| line.code == "member-reached");
            assert_eq!(reached.count(), 4, "from {seed}: {lines:?}");
        }
    }
}
