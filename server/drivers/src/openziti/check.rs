//! What `quorate check` says of one cluster: reach, trust, sign-in and rights, a line each, with
//! a hint.

use std::time::Duration;

use quorate_domain::observation::{Answer, NodeReport, Note, Observation};
use url::Url;

use super::{
    Openziti,
    ask::Why,
    sign_in::{Credentials, SignInError, version},
};
use crate::{
    Diagnosis,
    diagnosis::{fine, notes, problem},
    http::{Wire, address_of},
};

/// A sign-in may take this long here: nobody waits for a page.
const PATIENCE: Duration = Duration::from_secs(10);

impl Openziti {
    pub(super) async fn check(&self) -> Vec<Diagnosis> {
        self.asker.sessions.forget_refusals();
        let mut lines = Vec::new();
        let mut good = false;
        let mut denied = false;
        let seeds = self.memory().directory.seeds().to_vec();
        for seed in &seeds {
            let line = self.check_seed(seed).await;
            good |= line.ok;
            let of_identity = line.code == "sign-in-refused" || line.code == "permission-missing";
            // The same identity is refused everywhere for the same reason.
            if !(denied && of_identity) {
                lines.push(line);
            }
            denied |= of_identity;
        }
        if good {
            let seen = self.look(self.status_timeout * 3).await;
            let seen = if seen.nodes.iter().any(|node| !node.answered()) {
                self.look(self.status_timeout * 3).await
            } else {
                seen
            };
            lines.extend(seen.nodes.iter().map(node_line));
            lines.extend(note_lines(&seen));
            lines.push(fine(
                "permissions",
                "The console's identity may see and change the members.",
            ));
        }
        lines
    }

    /// The first thing that is wrong there, in one line.
    async fn check_seed(&self, seed: &Url) -> Diagnosis {
        let address = address_of(seed);
        if let Err(why) = version(&self.asker.client, seed, self.status_timeout).await {
            return self.sign_in_line(&address, &why);
        }
        match self.asker.list(seed, PATIENCE).await {
            Ok(_) => fine(
                "seed-reached",
                format!("{address} answers and lists its members."),
            ),
            Err(Why::SignIn(why)) => self.sign_in_line(&address, &why),
            Err(Why::Wire(why)) => wire_line(&address, &why),
            Err(Why::NoRight) => problem(
                "permission-missing",
                format!("{address} signs the console in and does not let it list the members."),
                "Make the identity an administrator: OpenZiti has no smaller right for this.",
            ),
            Err(why @ Why::NotClustered) => problem(
                "not-clustered",
                format!("{address}: {}.", words(&why)),
                "Only controllers that run as a cluster have members to show.",
            ),
            Err(why @ Why::Problem(..)) => problem(
                "unexpected-status",
                format!("{address}: {}.", words(&why)),
                "See the log of the controller.",
            ),
        }
    }

    fn sign_in_line(&self, address: &str, why: &SignInError) -> Diagnosis {
        let text = format!("{address}: {why}.");
        match why {
            SignInError::Wire(why) => wire_line(address, why),
            SignInError::Missing => problem(
                "credentials-missing",
                text,
                "Give username and password_file, or cert_file and key_file.",
            ),
            SignInError::Refused(_) => problem(
                "sign-in-refused",
                text,
                match self.asker.sessions.credentials() {
                    Credentials::Password(_) => {
                        "Check username and password_file, and that the identity is not locked."
                    }
                    _ => "Check that the certificate in cert_file belongs to an identity there.",
                },
            ),
            SignInError::SecondFactor => problem(
                "second-factor",
                text,
                "Give the console an identity of its own, without a second factor.",
            ),
            SignInError::NotOpenziti => problem(
                "not-openziti",
                text,
                "Check kind and address: it must be the address of the management API.",
            ),
            SignInError::TooOld(_) => {
                problem("version-too-old", text, "Update the controllers first.")
            }
            SignInError::NotTls => problem("plain-http", text, "Use https:// in the seed."),
            SignInError::Elsewhere => problem(
                "redirected-elsewhere",
                text,
                "Give the controller's own address, as its configuration names it.",
            ),
        }
    }
}

fn words(why: &Why) -> String {
    match why.answer() {
        Answer::Misread(text) | Answer::Denied(text) | Answer::Silent(text) => text,
        _ => String::new(),
    }
}

fn wire_line(address: &str, why: &Wire) -> Diagnosis {
    problem(why.code(), format!("{address}: {why}."), why.hint())
}

fn node_line(node: &NodeReport) -> Diagnosis {
    let place = node.asked.as_deref().unwrap_or("an unknown address");
    let (code, why, hint) = match &node.answer {
        Answer::Answered if node.asked.is_none() => {
            let text = format!("{} answers through another controller.", node.id);
            return problem(
                "address-unknown",
                text,
                "Set `api_address_pattern`, for example \"https://{host}:1280\".",
            );
        }
        Answer::Answered => {
            return fine("member-reached", format!("{} answers at {place}.", node.id));
        }
        Answer::NotAsked => (
            "address-unknown",
            "the cluster does not tell where its API answers",
            "Set `api_address_pattern`, for example \"https://{host}:1280\".",
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
            "The identity is known there once its data has replicated; else see above.",
        ),
        Answer::Sealed | Answer::NotStarted => ("not-started", "it takes no part", "Start it."),
    };
    problem(code, format!("{} at {place}: {why}.", node.id), hint)
}

fn note_lines(seen: &Observation) -> Vec<Diagnosis> {
    notes(seen, |note| match note {
        Note::BackendUnhealthy { text } => Some(problem(
            "backend-unhealthy",
            text.clone(),
            "Bring all members to the same build, or mend what a check of integrity found.",
        )),
        _ => None,
    })
}
