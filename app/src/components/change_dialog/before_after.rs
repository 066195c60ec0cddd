//! Pictures of a membership side by side: what holds now and what would hold, and what was seen of
//! it in the end.

use leptos::prelude::*;
use quorate_domain::{cluster::Role, plan::Picture};

use crate::{
    components::ring::{RingSize, picture_ring},
    words::{actions as words, audit::NOTHING},
};

/// Each is compared with the one before it: what differs is set in bold.
#[must_use]
pub fn before_after(pictures: &[(&str, &Picture)]) -> AnyView {
    let class = if pictures.len() > 2 {
        "before-after before-after-seen"
    } else {
        "before-after"
    };
    let mut earlier = None;
    let mut panels = Vec::with_capacity(pictures.len());
    for (title, picture) in pictures {
        let arrow = earlier
            .map(|_| view! { <span class="before-after-arrow" aria-hidden="true">"→"</span> });
        panels.push(view! { {arrow} {panel(title, picture, earlier)} }.into_any());
        earlier = Some(*picture);
    }
    view! { <div class=class>{panels}</div> }.into_any()
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
