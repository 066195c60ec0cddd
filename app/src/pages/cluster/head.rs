//! The head of the page: ring, sentence, who leads, facts, and what can be done with the whole.

use leptos::prelude::*;
use quorate_domain::{action::Verb, view::ClusterView};

use super::{
    act::{ActButton, Look, verdict},
    seen::Seen,
};
use crate::{
    base::cluster_path,
    components::ring::{RingSize, ring, ring_members},
    words::{cluster as say, groups as words},
};

#[component]
pub fn Head(seen: Seen) -> impl IntoView {
    let drawn = memo(move || seen.read(|view| (ring_members(view), view.quorum.clone())));
    // Each group has a ring of its own.
    let many = memo(move || seen.read(|view| view.groups.is_some()));
    let title = memo(move || seen.read(ClusterView::place));
    // Of one group: the way back to its program and to the list it stands in.
    let program =
        memo(move || seen.read(|view| view.group.as_ref().map(|_| view.name.to_string())));
    let sentence = memo(move || seen.read(|view| view.sentence.clone()));
    let leader = memo(move || seen.read(|view| view.leader_sentence.clone()));
    let facts = memo(move || seen.read(say::facts));
    let clock = memo(move || {
        seen.look(|view| view.observed_at.map(|at| say::seen_at(&at.clock())))
            .flatten()
    });
    let offers = move |verb| memo(move || seen.read(|v| verdict(v, verb, None).is_some()));
    let (snapshot, add) = (offers(Verb::Snapshot), offers(Verb::AddLearner));
    let integrity = offers(Verb::CheckIntegrity);
    view! {
        <header class="head cluster-head">
            {anew(move || (!many.get()).then(|| view! {
                <div class="cluster-ring">
                    {anew(move || drawn.with(|(members, quorum)| ring(members, quorum, RingSize::Large)))}
                </div>
            }))}
            <div class="head-words">
                {anew(move || program.get().map(|name| {
                    let path = cluster_path(&name);
                    view! {
                        <nav class="head-facts" aria-label=words::WHERE>
                            <a href=path.clone()>{name}</a>
                            " / "
                            <a href=format!("{path}/groups")>{words::GROUPS}</a>
                        </nav>
                    }
                }))}
                <h1 class="head-title">{move || title.get()}</h1>
                <p class="head-sentence">
                    <strong aria-live="polite">{move || sentence.get()}</strong>
                    " "
                    {move || leader.get()}
                </p>
                <p class="head-facts">
                    {move || facts.get()}
                    {move || clock.get().map(|clock| format!(" · {clock}")).unwrap_or_default()}
                </p>
            </div>
            <div class="head-actions">
                {anew(move || integrity.get().then(|| view! {
                    <ActButton seen verb=Verb::CheckIntegrity look=Look::Plain beside=Verb::Snapshot id="act-check-integrity"/>
                }))}
                {anew(move || snapshot.get().then(|| view! {
                    <ActButton seen verb=Verb::Snapshot look=Look::Plain id="act-snapshot"/>
                }))}
                {anew(move || add.get().then(|| view! {
                    <ActButton seen verb=Verb::AddLearner look=Look::Primary beside=Verb::Snapshot id="act-add-learner"/>
                }))}
                <p class="why needs-no-script">{say::ACTIONS_NEED_SCRIPTS}</p>
            </div>
        </header>
    }
    .into_any()
}
