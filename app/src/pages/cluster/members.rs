//! The members as a table: the graph's accessible twin, with the same data and the same actions.

use leptos::prelude::*;
use quorate_domain::{
    action::Verb,
    cluster::MemberId,
    preflight::ReasonCode,
    view::{ClusterView, MemberState, MemberView},
};

use super::{
    act::{ActButton, Look},
    inspector,
    menu::{self, menu},
    seen::{Seen, leads},
};
use crate::{
    components::{
        age::age_now,
        tags::{RoleTag, StateTag},
    },
    words::{cluster as say, figures},
};

#[component]
pub fn Members(seen: Seen, chosen: Memo<Option<String>>) -> impl IntoView {
    let ids = memo(move || seen.read(in_order));
    let zoned = memo(move || seen.read(|view| view.members.iter().any(|m| m.zone.is_some())));
    let none = memo(move || ids.with(Vec::is_empty));
    menu::close_from_outside();
    view! {
        <section class="panel members-panel" aria-label=say::MEMBERS>
            <table class="members" class:members-unzoned=move || !zoned.get()>
                <caption class="unseen">{say::MEMBERS}</caption>
                <thead>
                    <tr>
                        <th scope="col">{say::MEMBER}</th>
                        <th scope="col">{say::ROLE}</th>
                        <th scope="col">{say::STATE}</th>
                        <th scope="col" class="members-zone">{say::ZONE}</th>
                        <th scope="col" class="num">{say::APPLIED}</th>
                        <th scope="col" class="num">{say::BEHIND}</th>
                        <th scope="col">{say::SEEN}</th>
                        <th scope="col"><span class="unseen">{say::ACTIONS}</span></th>
                    </tr>
                </thead>
                <tbody>
                    {listed(
                        move || ids.with(|ids| ids.iter().map(ToString::to_string).collect()),
                        move |id| row(seen, MemberId(id), chosen),
                    )}
                </tbody>
            </table>
            {anew(move || none.get().then(|| view! { <p class="topo-none">{say::NO_MEMBERS}</p> }))}
        </section>
    }
    .into_any()
}

/// Voters before learners, each by name: a new leader moves no row.
pub(super) fn in_order(view: &ClusterView) -> Vec<MemberId> {
    let rank = |member: &MemberView| (!member.role.votes(), natural(&member.name));
    let mut ranked: Vec<&MemberView> = Vec::new();
    for member in &view.members {
        // The few members of a cluster need no sorting in general, which is large in the browser.
        let place = ranked.partition_point(|before| rank(before) <= rank(member));
        ranked.insert(place, member);
    }
    ranked.into_iter().map(|member| member.id.clone()).collect()
}

/// So that `node-10` comes after `node-9`.
fn natural(name: &str) -> (String, u64, String) {
    let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (stem, number) = name.split_at(name.len() - digits);
    (
        stem.to_owned(),
        number.parse().unwrap_or(0),
        name.to_owned(),
    )
}

fn row(seen: Seen, id: MemberId, chosen: Memo<Option<String>>) -> AnyView {
    let of = move |id: MemberId, cell: fn(&ClusterView, &MemberView) -> String| {
        memo(move || seen.member(&id, cell).unwrap_or_default())
    };
    let name = of(id.clone(), |_, member| member.name.clone());
    let zone = of(id.clone(), |_, member| {
        member.zone.clone().unwrap_or_default()
    });
    let applied = of(id.clone(), |_, member| figure(member.applied_index));
    let behind = of(id.clone(), |view, member| {
        match (leads(view, &member.id), member.answering) {
            (true, _) => "–".to_owned(),
            (false, true) => figure(member.lag),
            (false, false) => "?".to_owned(),
        }
    });
    let tags = {
        let id = id.clone();
        memo(move || {
            seen.member(&id, |view, m| {
                (m.role, leads(view, &m.id), m.state, m.manual.is_some())
            })
        })
    };
    let age = {
        let id = id.clone();
        Signal::derive(move || seen.member(&id, |_, member| member.answered_ms()).flatten())
    };
    let age = age_now(age);
    let answered = {
        let id = id.clone();
        memo(move || {
            let age = age.get();
            seen.member(&id, |_, member| figures::answered(age, member.answering))
                .unwrap_or_default()
        })
    };
    let selected = {
        let id = id.clone();
        move || {
            chosen
                .with(|chosen| chosen.as_deref() == Some(id.as_str()))
                .then_some("true")
        }
    };
    let href = inspector::address(id.as_str());
    view! {
        <tr>
            <th scope="row" class="members-name" data-zone=move || zone.get()>
                <a href=href data-noscroll="true" aria-current=move || selected()>{move || name.get()}</a>
            </th>
            <td class="members-role">{anew(move || tags.get().map(|(role, leads, _, _)| view! { <RoleTag role leads/> }))}</td>
            <td class="members-state">{anew(move || tags.get().map(|(_, _, state, overridden)| view! { <StateTag state overridden/> }))}</td>
            <td class="members-zone">{move || zone.get()}</td>
            <td class="num mono" data-label=say::APPLIED>{move || applied.get()}</td>
            <td class="num mono" data-label=say::BEHIND>{move || behind.get()}</td>
            <td class="members-seen" data-label=say::SEEN><span class="age">{move || answered.get()}</span></td>
            <td class="members-act">{actions(seen, id)}</td>
        </tr>
    }
    .into_any()
}

fn figure(value: Option<u64>) -> String {
    value.map_or_else(|| "?".to_owned(), figures::number)
}

/// The action one most likely came for, and the others behind "More".
fn actions(seen: Seen, id: MemberId) -> AnyView {
    let offered = {
        let id = id.clone();
        memo(move || {
            seen.member(&id, |view, member| {
                let leads = leads(view, &member.id);
                let verbs: Vec<Verb> = member
                    .actions
                    .iter()
                    .map(|verdict| verdict.action)
                    .collect();
                // What the backend cannot do stands behind "More", with the reason.
                let offered = |verb: &Verb| {
                    let mut verdicts = member.actions.iter();
                    let verdict = verdicts.find(|verdict| verdict.action == *verb);
                    verdict.is_some_and(|it| !it.reasons.contains(&ReasonCode::NotSupported))
                };
                let first = primary(member, leads).filter(offered);
                (
                    leads,
                    member.name.clone(),
                    first.or_else(|| verbs.first().copied()),
                    verbs,
                )
            })
        })
    };
    let offer = move || {
        let (leads, name, first, verbs) = offered.get()?;
        let first = first?;
        let more: Vec<Verb> = verbs.into_iter().filter(|verb| *verb != first).collect();
        let button = format!("act-{}-{id}", first.as_str());
        let menu = (!more.is_empty()).then(|| menu(seen, &id, &name, leads, more));
        Some(view! {
            <div class="members-acts">
                <ActButton seen verb=first member=id.clone() leads look=Look::Small id=button/>
                {menu}
            </div>
        })
    };
    anew(offer)
}

const fn primary(member: &MemberView, leads: bool) -> Option<Verb> {
    if leads {
        Some(Verb::Transfer)
    } else if matches!(member.state, MemberState::Unreachable) {
        Some(Verb::Remove)
    } else if member.role.votes() {
        Some(Verb::Demote)
    } else {
        Some(Verb::Promote)
    }
}

#[cfg(test)]
mod tests {
    use super::natural;

    #[test]
    fn numbers_at_the_end_of_a_name_sort_as_numbers() {
        assert!(natural("node-9") < natural("node-10"));
        assert!(natural("a") < natural("b1"));
    }
}
