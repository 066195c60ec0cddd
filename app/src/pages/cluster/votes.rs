//! Who names whom, while no leader is agreed: no guess, only what each says.

use leptos::prelude::*;
use quorate_domain::view::LeaderStatus;

use super::seen::{Seen, name_of};
use crate::words::cluster as say;

#[component]
pub fn Votes(seen: Seen) -> impl IntoView {
    let votes = memo(move || {
        seen.read(|view| {
            if view.leader.status == LeaderStatus::Agreed {
                return Vec::new();
            }
            let lines = view.leader.votes.iter().filter(|(_, by)| !by.is_empty());
            lines
                .map(|(named, by)| {
                    let by: Vec<String> = by.iter().map(|id| name_of(view, id)).collect();
                    (say::named_by(&name_of(view, named), &by), by.len())
                })
                .collect::<Vec<_>>()
        })
    });
    anew(move || {
        let votes = votes.get();
        (!votes.is_empty()).then(|| {
            let lines = votes
                .into_iter()
                .map(|(line, _)| view! { <li>{line}</li> })
                .collect_view();
            view! {
                <section class="votes" aria-label=say::WHO_NAMES_WHOM>
                    <h2 class="votes-title">{say::WHO_NAMES_WHOM}</h2>
                    <ul>{lines}</ul>
                </section>
            }
        })
    })
}
