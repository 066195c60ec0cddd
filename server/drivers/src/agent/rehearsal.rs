//! What fuzzing reaches of agents: two answers of one node, put together to a look and judged as
//! the console would.

use std::collections::BTreeMap;

use quorate_domain::{
    action::Action,
    cluster::{ClusterName, Kind, MemberId, Thresholds},
    health::{ClusterState, Memory, Registration, remember},
    observation::Observation,
    plan,
    view::render,
};
use url::Url;

use super::{
    answers::{Identity, View},
    ask::{self, Asked},
    book::Book,
    picture::picture,
};
use crate::clock;

/// Whether both answers could be read; then all that is decided by them has been decided.
#[must_use]
pub fn judged(identity: &[u8], view: &[u8]) -> bool {
    let Some(seen) = look(identity, view) else {
        return false;
    };
    let members: Vec<MemberId> = seen.nodes.iter().map(|node| node.id.clone()).collect();
    let registration = Registration {
        name: ClusterName::from("rehearsed"),
        kind: Kind::Agent,
        tags: Vec::new(),
        zones: BTreeMap::new(),
        thresholds: Thresholds::default(),
        read_only: false,
    };
    let now = clock::now();
    let memory = remember(Memory::default(), &registration, &seen, &[], now);
    let state = ClusterState {
        registration,
        observation: Some(seen),
        memory,
        overrides: Vec::new(),
        running_change: None,
    };
    let view = render(&state, now);
    for member in members.into_iter().take(8) {
        for action in [
            Action::Promote {
                member: member.clone(),
            },
            Action::Demote {
                member: member.clone(),
            },
            Action::Remove {
                member: member.clone(),
            },
            Action::Transfer {
                member: Some(member),
            },
        ] {
            let _checked = plan::preview(&view, &action);
        }
    }
    true
}

fn look(identity: &[u8], view: &[u8]) -> Option<Observation> {
    let url = Url::parse("http://10.0.0.1:7000").ok()?;
    let identity: Identity = serde_json::from_slice(identity).ok()?;
    let view: View = serde_json::from_slice(view).ok()?;
    let answer = ask::read(url.clone(), clock::now(), identity, view);
    let mut book = Book::new(vec![url.clone()], Vec::new());
    let answers: Vec<Asked> = vec![answer];
    book.learn(&answers);
    let asked = answers
        .into_iter()
        .map(|asked| (url.clone(), asked))
        .collect();
    Some(picture(&mut book, &asked))
}
