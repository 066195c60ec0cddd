//! Who I am and what I may do; my sessions; and for administrators accounts, tokens and the
//! sessions of others.

mod accounts;
mod desk;
#[cfg(feature = "ssr")]
pub mod erasure;
mod grants;
#[cfg(feature = "ssr")]
pub mod passkeys;
mod password;
mod sessions;
#[cfg(all(test, feature = "ssr"))]
mod tests;
mod tokens;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use quorate_domain::permission::{Duty, Grant};

use self::{accounts::accounts, desk::Desk, sessions::sessions, tokens::tokens};
use crate::{
    api::{self, access::Access},
    base::path,
    components::{
        page_head::PageHead,
        panel::Panel,
        states::{ErrorState, LoadingState},
    },
    words::{self as all, access as words},
};

#[component]
pub fn AccessPage() -> impl IntoView {
    let access = Resource::new(|| (), |()| api::access::read());
    let desk = Desk::new(Callback::new(move |()| access.refetch()));
    let sentence = move || match access.get() {
        Some(Ok(access)) => words::sentence(&access.me.name, &words::grants(&access.grants)),
        _ => String::new(),
    };
    view! {
        <Transition fallback=|| view! { <LoadingState/> }>
            <PageHead title=all::ACCESS sentence=Signal::derive(sentence)/>
        </Transition>
        {password::answer(use_query_map())}
        <desk::Said desk/>
        <Transition>
            {move || access.get().map(|answer| match answer {
                Ok(access) => whole(&access, desk),
                Err(failure) => view! { <ErrorState problem=failure.0/> }.into_any(),
            })}
        </Transition>
    }
}

/// All panels the caller may see.
fn whole(access: &Access, desk: Desk) -> AnyView {
    let administration = access.administration.as_ref().map_or_else(
        || view! { <p class="field-hint">{words::NEEDS_ADMIN}</p> }.into_any(),
        |it| {
            let me = &access.me.name;
            view! {
                {accounts(it, me, desk)}
                {tokens(it, access.now, desk)}
                <p><a class="button" href=path("/access/erase") rel="external">{words::ERASE}</a></p>
            }
            .into_any()
        },
    );
    view! {
        <div class="columns">
            {you(access)}
            {password::panel(access)}
        </div>
        <p><a class="button" href=path("/access/passkeys") rel="external">{words::PASSKEYS}</a></p>
        {sessions(&access.sessions, access.now, desk)}
        <p class="needs-no-script">{words::SCRIPTS_NEEDED}</p>
        {administration}
    }
    .into_any()
}

fn you(access: &Access) -> AnyView {
    let body = view! {
        <dl class="facts">
            <div><dt>{words::NAME}</dt><dd>{access.me.name.clone()}</dd></div>
            <div><dt>{words::IDENTIFIED_BY}</dt><dd>{all::means(access.me.means)}</dd></div>
            <div><dt>{words::MY_ROLES}</dt><dd>{roles(&access.grants)}</dd></div>
        </dl>
    };
    view! { <Panel id="you" title=words::YOU>{body}</Panel> }.into_any()
}

/// Each grant with what its role may do.
fn roles(grants: &[Grant]) -> AnyView {
    if grants.is_empty() {
        return words::NO_ROLE.into_any();
    }
    let items: Vec<_> = grants
        .iter()
        .map(|grant| {
            view! {
                <li>
                    <strong>{words::grant(grant)}</strong>
                    <p class="under">{words::duty(grant.role)}</p>
                </li>
            }
        })
        .collect();
    view! { <ul class="stacked">{items}</ul> }.into_any()
}

/// The roles that can be given.
const DUTIES: [Duty; 5] = Duty::ALL;
