//! Two pictures of a membership side by side: what holds now and what would hold, or what was
//! foreseen and what was seen.

use leptos::prelude::*;
use quorate_domain::{cluster::Role, plan::Picture};

use crate::{
    components::ring::{RingSize, picture_ring},
    words::{actions as words, audit::NOTHING},
};

/// `after` is compared with `before`: what differs is set in bold.
#[must_use]
pub fn before_after(before: (&str, &Picture), after: (&str, &Picture)) -> AnyView {
    view! {
        <div class="before-after">
            {panel(before.0, before.1, None)}
            <span class="before-after-arrow" aria-hidden="true">"→"</span>
            {panel(after.0, after.1, Some(before.1))}
        </div>
    }
    .into_any()
}

/// One picture with its facts.
#[must_use]
pub fn panel(title: &str, picture: &Picture, other: Option<&Picture>) -> AnyView {
    let theirs = other.map(facts);
    let rows: Vec<_> = facts(picture)
        .into_iter()
        .enumerate()
        .map(|(index, (name, value))| {
            let changed = theirs
                .as_ref()
                .and_then(|theirs| theirs.get(index))
                .is_some_and(|(_, before)| *before != value);
            let value = if changed {
                view! { <strong>{value}</strong> }.into_any()
            } else {
                value.into_any()
            };
            view! { <div><dt>{name}</dt><dd>{value}</dd></div> }
        })
        .collect();
    view! {
        <div class="picture" role="group" aria-label=title.to_owned()>
            {picture_ring(picture, RingSize::Large)}
            <div>
                <h3 class="picture-title">{title.to_owned()}</h3>
                <dl class="picture-facts">{rows}</dl>
            </div>
        </div>
    }
    .into_any()
}

fn facts(picture: &Picture) -> Vec<(&'static str, String)> {
    let quorum = &picture.quorum;
    let learners = picture
        .members
        .iter()
        .filter(|member| member.role == Role::Learner)
        .count();
    let leader = picture.leader.as_ref().map(|id| {
        let member = picture.members.iter().find(|member| member.id == *id);
        member.map_or_else(|| id.to_string(), |member| member.name.clone())
    });
    vec![
        (
            words::VOTERS,
            words::voters(quorum.voters, quorum.answering),
        ),
        (words::MAJORITY, quorum.majority.to_string()),
        (words::MAY_FAIL, words::may_fail(quorum.tolerates)),
        (
            words::LEARNERS,
            if learners == 0 {
                words::NONE.to_owned()
            } else {
                learners.to_string()
            },
        ),
        (words::LEADER, leader.unwrap_or_else(|| NOTHING.to_owned())),
    ]
}
