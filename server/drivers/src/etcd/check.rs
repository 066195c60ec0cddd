//! What `quorate check` says of one cluster: reach, trust and rights, a line each, with a hint.

use quorate_domain::observation::{Answer, NodeReport, Note, Observation};
use serde_json::json;
use url::Url;

use super::{
    Etcd,
    answers::{Status, Version},
    failure::Failure,
    gateway::{Missed, at, page, read},
    session::Standing,
};
use crate::{
    Diagnosis,
    diagnosis::{fine, notes, problem},
    http::{Wire, address_of, plain_http},
};

impl Etcd {
    pub(super) async fn check(&self) -> Vec<Diagnosis> {
        let mut lines = Vec::new();
        let mut reached = false;
        let seeds = self.memory().directory.seeds().to_vec();
        for seed in &seeds {
            let line = self.seed_line(seed).await;
            reached |= line.ok;
            lines.push(line);
            lines.extend(plain_http(seed).map(|_| plain_line(seed)));
        }
        if reached {
            let seen = self.look(self.status_timeout * 3).await;
            lines.extend(self.access_line());
            lines.extend(seen.nodes.iter().map(node_line));
            lines.extend(note_lines(&seen));
        }
        lines
    }

    /// Whether etcd's gateway answers at `seed`, and if not, what does.
    async fn seed_line(&self, seed: &Url) -> Diagnosis {
        let address = address_of(seed);
        let version = self.client.get(&page(seed, "version"));
        let version = version.within(self.status_timeout).json::<Version>().await;
        let version = match version {
            Ok(version) => version.etcdserver,
            Err(why @ (Wire::Status { .. } | Wire::NotJson | Wire::Shape(_) | Wire::NotHttp)) => {
                return problem(
                    "not-etcd",
                    format!("{address} is not etcd: {why}."),
                    "Check the port, and that `kind` is what runs there.",
                );
            }
            Err(why) => {
                let why = if self.speaks_plainly(seed).await {
                    Wire::NotTls
                } else {
                    why
                };
                return problem(why.code(), format!("{address}: {why}."), why.hint());
            }
        };
        let status = read::<Status>(
            &self.client,
            self.session.token().as_ref(),
            &at(seed, "maintenance/status"),
            &json!({}),
            self.status_timeout,
        )
        .await;
        match status {
            Ok(status) if status.is_learner => problem(
                "seed-is-learner",
                format!(
                    "{address} is a learner (etcd {version}), and learners tell nobody who the members are."
                ),
                "Name a voter among the seeds.",
            ),
            Ok(_) => fine(
                "seed-reached",
                format!("{address} answers (etcd {version})."),
            ),
            // That is told in its own line.
            Err(Missed::Failed(failure))
                if failure.asks_for_sign_in() || failure.refuses_token() =>
            {
                fine(
                    "seed-reached",
                    format!("{address} answers (etcd {version})."),
                )
            }
            Err(Missed::Wire(Wire::Status { status: 404, .. })) => {
                self.no_gateway(seed, &version).await
            }
            Err(Missed::Failed(failure)) if is_cut_off(&failure) => problem(
                "gateway-cut-off",
                format!(
                    "The gateway at {address} does not reach its own server ({}).",
                    failure.text
                ),
                "With --client-cert-auth it goes there with the server's own certificate: that must be valid for clients too (extended key usage).",
            ),
            Err(why) => problem(
                "status-not-read",
                format!("{address}: {why}."),
                "See the log of the member.",
            ),
        }
    }

    /// Where TLS is expected and plain HTTP spoken, etcd closes the connection without a word.
    async fn speaks_plainly(&self, seed: &Url) -> bool {
        let mut plain = page(seed, "version");
        if seed.scheme() != "https" || plain.set_scheme("http").is_err() {
            return false;
        }
        let version = self.client.get(&plain).within(self.status_timeout);
        version.json::<Version>().await.is_ok()
    }

    /// etcd speaks there, and its gateway does not: the port for members among themselves, or a
    /// client port without the gateway.
    async fn no_gateway(&self, seed: &Url, version: &str) -> Diagnosis {
        let address = address_of(seed);
        let members = self.client.get(&page(seed, "members"));
        let peer = members.within(self.status_timeout).send().await;
        if peer.is_ok_and(|reply| reply.status == 200) {
            return problem(
                "peer-port",
                format!("{address} is where members of etcd speak to one another."),
                "Give the address for clients (advertise-client-urls, usually port 2379).",
            );
        }
        problem(
            "no-gateway",
            format!("{address} is etcd {version} without its JSON gateway."),
            "It needs etcd 3.4 or newer without --enable-grpc-gateway=false; with listen-client-http-urls give that address.",
        )
    }

    fn access_line(&self) -> Option<Diagnosis> {
        let user = self.session.username().unwrap_or_default();
        Some(match self.session.standing() {
            Standing::Unknown => return None,
            Standing::Open => {
                let text = "etcd asks nobody who they are: whoever reaches it may do anything.";
                fine("authentication-off", text.to_owned())
            }
            Standing::Token => fine("token-known", "etcd knows the token.".to_owned()),
            Standing::SignedIn { root: true } => fine(
                "permissions",
                format!("{user} may do all that the console offers."),
            ),
            Standing::SignedIn { root: false } => problem(
                "permission-missing",
                format!("The user {user} has not the role root: it may look and change nothing."),
                "Members are changed with the role root only: etcdctl user grant-role NAME root.",
            ),
            Standing::Needed => problem(
                "sign-in-needed",
                "etcd asks for a name and a password, and none are configured.".to_owned(),
                "Set `username` and `password_file`.",
            ),
            Standing::Refused(why) => problem(
                "sign-in-refused",
                format!("etcd does not let the console in: {why}."),
                "Check `username` and `password_file`, or the token in `token_file`.",
            ),
        })
    }
}

/// What the gateway says when its server refuses its certificate.
fn is_cut_off(failure: &Failure) -> bool {
    failure.code == Some(14)
        && [
            "connection closed",
            "handshake failed",
            "connection error",
            "error reading server preface",
        ]
        .iter()
        .any(|text| failure.says(text))
}

fn plain_line(seed: &Url) -> Diagnosis {
    let text = format!(
        "{} is reached by plain HTTP: passwords and answers can be read on the way.",
        address_of(seed)
    );
    problem(
        "plain-http",
        text,
        "Give etcd certificates (--cert-file, --key-file) and use https:// in the seed.",
    )
}

fn node_line(node: &NodeReport) -> Diagnosis {
    let place = node.asked.as_deref().unwrap_or("unknown address");
    let (code, why, hint) = match &node.answer {
        Answer::Answered => {
            return fine("member-reached", format!("{} answers at {place}.", node.id));
        }
        Answer::NotStarted | Answer::Sealed => (
            "not-started",
            "it was added and has not started yet",
            "Start its process, or remove the member.",
        ),
        Answer::NotAsked => (
            "address-unknown",
            "it advertises no address that can be reached from here",
            "Set its advertise-client-urls, or `api_address_pattern` (\"https://{host}:2379\").",
        ),
        Answer::Silent(why) => (
            "silent",
            why.as_str(),
            "Check that it runs and can be reached from here.",
        ),
        Answer::Misread(why) => (
            "misread",
            why.as_str(),
            "Check that its client address is right.",
        ),
        Answer::Denied(why) => (
            "denied",
            why.as_str(),
            "Check `username` and `password_file`.",
        ),
    };
    problem(code, format!("{} at {place}: {why}.", node.id), hint)
}

fn note_lines(seen: &Observation) -> Vec<Diagnosis> {
    notes(seen, |note| match note {
        Note::Alarm { member, alarm } => Some(problem(
            "alarm",
            format!("etcd has raised the alarm {alarm} about {member}."),
            "See `etcdctl alarm list`; until it is disarmed nothing can be written.",
        )),
        _ => None,
    })
}
