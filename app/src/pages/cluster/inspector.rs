//! One member with everything known of it.

use leptos::prelude::*;
use quorate_domain::{
    cluster::MemberId,
    health::FindingCode,
    view::{ClusterView, MemberView},
};

use super::{
    by_hand::ByHand,
    seen::{Seen, name_of},
};
use crate::{
    base::segment,
    components::tags::{RoleTag, StateTag},
    part::part,
    words::{self, cluster as say, figures},
};

/// The address of the same page with this member inspected.
#[must_use]
pub fn address(id: &str) -> String {
    format!("?member={}", segment(id))
}

part! {
    /// Most pages are opened without a member chosen, so this is not part of the first load.
    inspected: pub fn inspected / preload_inspected (seen: Seen, id: MemberId, problem: Option<String>) {
        view! { <Inspector seen id problem/> }.into_any()
    }
}

#[component]
pub fn Inspector(
    seen: Seen,
    #[prop(into)] id: MemberId,
    #[prop(optional_no_strip)] problem: Option<String>,
) -> impl IntoView {
    let of = id.clone();
    let head = memo(move || {
        seen.member(&of, |view, m| {
            (
                m.name.clone(),
                m.role,
                super::seen::leads(view, &m.id),
                m.state,
                m.manual.is_some(),
            )
        })
    });
    let of = id.clone();
    let said = memo(move || {
        seen.member(&of, |_, member| member.state_text.clone())
            .flatten()
    });
    let of = id.clone();
    let facts = memo(move || seen.member(&of, facts).unwrap_or_default());
    let of = id.clone();
    let findings = memo(move || {
        seen.member(&of, |view, member| {
            let own = view
                .findings
                .iter()
                // What is set by hand stands among the facts, with who set it and why.
                .filter(|f| f.member.as_ref() == Some(&member.id))
                .filter(|f| f.code != FindingCode::OverrideActive);
            own.map(|finding| finding.text.clone()).collect::<Vec<_>>()
        })
        .unwrap_or_default()
    });
    view! {
        <section class="panel inspector" aria-labelledby="inspector-title">
            <div class="panel-head">
                <h2 class="panel-title inspector-title" id="inspector-title">
                    {move || head.get().map(|(name, ..)| name).unwrap_or_default()}
                </h2>
                <a class="quiet" href="?" data-noscroll="true">{say::INSPECTOR_CLOSE}</a>
            </div>
            <div class="panel-body">
                <p class="inspector-tags">
                    {anew(move || head.get().map(|(_, role, leads, state, overridden)| view! {
                        <RoleTag role leads/> " " <StateTag state overridden/>
                    }))}
                </p>
                {anew(move || said.get().map(|said| view! { <p class="inspector-said">{said}</p> }))}
                <dl class="inspector-facts">
                    {anew(move || facts.get().into_iter().map(|(term, value)| view! {
                        <div><dt>{term}</dt><dd>{value}</dd></div>
                    }).collect_view())}
                </dl>
                {anew(move || {
                    let findings = findings.get();
                    (!findings.is_empty()).then(|| view! {
                        <ul class="inspector-findings">
                            {findings.into_iter().map(|text| view! { <li>{text}</li> }).collect_view()}
                        </ul>
                    })
                })}
                <ByHand seen id problem/>
            </div>
        </section>
    }
    .into_any()
}

/// What is known, in the order one asks for it; what a backend never tells is left out.
fn facts(view: &ClusterView, member: &MemberView) -> Vec<(&'static str, String)> {
    let known = |text: &Option<String>| text.clone();
    let figure =
        |value: Option<u64>| Some(value.map_or(say::NOT_KNOWN.to_owned(), figures::number));
    let named = member.names_leader.as_ref().map(|id| name_of(view, id));
    let mut named = named.unwrap_or_else(|| say::NOBODY.to_owned());
    if member.claims_leadership {
        named = format!("{named}, {}", say::CLAIMS);
    }
    let manual = member.manual.as_ref();
    let rows = [
        (say::ID, Some(member.id.to_string())),
        (say::ADDRESS, Some(member.address.clone())),
        (say::API_ADDRESS, known(&member.api_address)),
        (say::ZONE, known(&member.zone)),
        (say::INSTANCE, known(&member.instance)),
        (
            say::WANTED_ROLE,
            member.wanted_role.map(|role| words::role(role).to_owned()),
        ),
        (say::TERM, member.term.map(|term| term.to_string())),
        (say::LAST_INDEX, figure(member.last_index)),
        (say::APPLIED, figure(member.applied_index)),
        (say::BEHIND, figure(member.lag)),
        (say::NAMES_LEADER, Some(named)),
        (say::LAST_CONTACT, member.last_contact_ms.map(figures::seen)),
        (
            say::SEEN,
            Some(figures::answered(member.answered_ms(), member.answering)),
        ),
        (say::RESTARTED, member.restarted_ms.map(figures::ago)),
        (
            say::READINESS,
            Some(words::readiness(member.readiness).to_owned()),
        ),
        (say::READS, Some(words::reads(member.reads).to_owned())),
        (
            say::OVERRIDE,
            manual.map(|set| say::override_line(&set.by, &set.reason, set.until)),
        ),
    ];
    rows.into_iter()
        .filter_map(|(term, value)| value.map(|value| (term, value)))
        .collect()
}
