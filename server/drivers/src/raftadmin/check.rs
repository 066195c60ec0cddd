//! What `quorate check` says of one cluster: reach, trust and what stands open, a line each, with
//! a hint. Changes nothing.

use futures::future::join_all;
use quorate_domain::observation::{Answer, NodeReport};
use url::Url;

use super::{
    Raftadmin,
    answers::State,
    ask::{Words, words},
    grpc::Missed,
};
use crate::{
    Diagnosis,
    diagnosis::{fine, notes, problem},
    http::{Wire, address_of, plain_http},
};

impl Raftadmin {
    pub(super) async fn check(&self) -> Vec<Diagnosis> {
        let seeds = self.memory().seeds.clone();
        if seeds.is_empty() {
            let text = "No address is configured.".to_owned();
            return vec![problem("no-seeds", text, "Give `seeds`.")];
        }
        let found = join_all(seeds.iter().map(|seed| self.seed_line(seed))).await;
        let reached = found.iter().any(|line| line.ok);
        let mut lines = found;
        lines.extend(seeds.iter().filter_map(plain_line));
        if reached {
            lines.push(open_door());
            let seen = self.look(self.status_timeout * 3).await;
            lines.extend(seen.nodes.iter().map(node_line));
            lines.extend(notes(&seen, |_| None));
        }
        lines
    }

    async fn seed_line(&self, seed: &Url) -> Diagnosis {
        let address = address_of(seed);
        match self.words_of_seed(seed).await {
            Ok(words) => met(&address, &words),
            Err(why) if why.has_no_such_service() => problem(
                "not-raftadmin",
                format!("{address}: {why}."),
                "Check the port, and that the program registers raftadmin on this server.",
            ),
            Err(Missed::Wire(why)) => {
                let why = if why == Wire::Broken && self.speaks_tls(seed).await {
                    Wire::NeedsTls
                } else {
                    why
                };
                wire_line(&address, &why)
            }
            Err(why) => problem(
                "not-answered",
                format!("{address}: {why}."),
                "See the log of the node.",
            ),
        }
    }

    /// A connection that breaks may break before its cause has come through; it is asked for again.
    async fn words_of_seed(&self, seed: &Url) -> Result<Words, Missed> {
        let mut told = words(&self.clients.reads, seed, self.status_timeout).await;
        for _ in 0..2 {
            if !matches!(told, Err(Missed::Wire(Wire::Broken))) {
                break;
            }
            told = words(&self.clients.reads, seed, self.status_timeout).await;
        }
        told
    }

    /// Whether TLS is spoken where plain gRPC was cut off: servers in Go do that without a word.
    async fn speaks_tls(&self, seed: &Url) -> bool {
        let mut secure = seed.clone();
        if seed.scheme() != "http" || secure.set_scheme("https").is_err() {
            return false;
        }
        match words(&self.clients.reads, &secure, self.status_timeout).await {
            Ok(_) | Err(Missed::Said { .. }) => true,
            Err(Missed::Wire(Wire::Handshake(why))) => why.starts_with("it says"),
            Err(Missed::Wire(why)) => matches!(why, Wire::Untrusted(_)),
        }
    }
}

fn met(address: &str, words: &Words) -> Diagnosis {
    let members = words.configuration.members.len();
    if words.stats.state == State::Shutdown {
        return problem(
            "member-fault",
            format!("{address} answers, and its Raft has been shut down."),
            "Restart its process.",
        );
    }
    if members == 0 {
        return problem(
            "outside",
            format!("{address} runs and belongs to no cluster."),
            "Give the address of a member.",
        );
    }
    Diagnosis {
        ok: true,
        code: "seed-reached".to_owned(),
        text: format!("{address} answers (raftadmin, a cluster of {members})."),
        hint: None,
    }
}

fn wire_line(address: &str, why: &Wire) -> Diagnosis {
    let hint = match why {
        Wire::Broken => {
            "Check that it is the port of raftadmin, not Raft's own (where they differ, set `api_address_pattern`), and whether it asks for a client certificate."
        }
        Wire::Shape(_) => "Check that `kind` is what runs there.",
        other => other.hint(),
    };
    problem(why.code(), format!("{address}: {why}."), hint)
}

/// Not a fault of this console's access, and nothing that could be mended here: said every time.
fn open_door() -> Diagnosis {
    Diagnosis {
        ok: true,
        code: "no-authentication".to_owned(),
        text: "raftadmin asks nobody who they are: whoever reaches a member's port may change the membership, write to the log and shut members down.".to_owned(),
        hint: Some(
            "Let it listen on loopback, or ask for client certificates and deny ApplyLog and Shutdown by an interceptor."
                .to_owned(),
        ),
    }
}

fn plain_line(seed: &Url) -> Option<Diagnosis> {
    plain_http(seed)?;
    let text = format!(
        "{} is reached by gRPC without TLS beyond this machine.",
        address_of(seed)
    );
    let hint = "Give the program's gRPC server a certificate and use https:// in the seed.";
    Some(problem("plain-http", text, hint))
}

fn node_line(node: &NodeReport) -> Diagnosis {
    let place = node.asked.as_deref().unwrap_or("unknown address");
    let elsewhere = "Where raftadmin is not at the member's Raft address, set `api_address_pattern` (\"http://{host}:9000\").";
    let (code, why, hint) = match &node.answer {
        Answer::Answered => {
            return fine("member-reached", format!("{} answers at {place}.", node.id));
        }
        Answer::NotStarted | Answer::Sealed => (
            "not-started",
            "it runs and has not heard of the cluster yet",
            "It joins once the leader reaches it; check its Raft address.",
        ),
        Answer::NotAsked => (
            "address-unknown",
            "no address of raftadmin comes of its Raft address",
            elsewhere,
        ),
        Answer::Silent(why) => ("silent", why.as_str(), elsewhere),
        Answer::Misread(why) => ("misread", why.as_str(), elsewhere),
        Answer::Denied(why) => (
            "denied",
            why.as_str(),
            "Check `cert_file` and `key_file`, and what stands before raftadmin.",
        ),
    };
    problem(code, format!("{} at {place}: {why}.", node.id), hint)
}
