//! Signing in: a plain form that works with scripts off, and what became of the last try.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::{
    base::{path, segment},
    components::ring::mark,
    session::{Proxied, SignOn, use_session},
    words::{self as all, access as words},
};

#[component]
pub fn SignInPage() -> impl IntoView {
    let parameters = use_query_map().get_untracked();
    let Proxied(proxied) = use_context::<Proxied>().unwrap_or_default();
    let SignOn(sign_on) = use_context::<SignOn>().unwrap_or_default();
    let sentence = if proxied {
        words::SIGN_IN_BY_PROXY
    } else {
        words::SIGN_IN_SENTENCE
    };
    let next = parameters.get("next").unwrap_or_default();
    let problem = parameters
        .get("problem")
        .map(|code| words::sign_in_problem(&code));
    view! {
        <div class="sign-in">
            <p class="sign-in-brand">{mark()} <span>{all::PRODUCT}</span></p>
            <h1 class="head-title">{all::SIGN_IN}</h1>
            <p class="sign-in-sentence">{sentence}</p>
            {problem.map(|(title, hint)| notice(title, hint))}
            {use_session().map(|session| already(&session.name))}
            {match sign_on {
                Some(name) => at_the_provider(&name, &next),
                None if proxied => again(&next),
                None => local(next),
            }}
        </div>
    }
}

fn local(next: String) -> AnyView {
    view! {
        {form(next)}
        <p class="field-hint">{words::NO_PASSWORD_YET} " " <code>{words::LINK_COMMAND}</code></p>
    }
    .into_any()
}

/// Away to the provider, which sends back to where one was. A plain link, as above.
fn at_the_provider(name: &str, next: &str) -> AnyView {
    let place = path(&format!("/sign-in/oidc?next={}", segment(next)));
    view! {
        <p><a class="button button-primary" rel="external" href=place>{words::sign_in_with(name)}</a></p>
    }
    .into_any()
}

/// Back to where one was, through the proxy. A plain link, so that the browser really asks it.
fn again(next: &str) -> AnyView {
    let inside = next.starts_with('/') && !next.starts_with("//") && !next.contains('\\');
    let place = path(if inside { next } else { "/" });
    view! {
        <p><a class="button button-primary" rel="external" href=place>{words::SIGN_IN_AGAIN}</a></p>
    }
    .into_any()
}

fn notice(title: &'static str, hint: &'static str) -> AnyView {
    view! {
        <div class="notice tone-warn" role="alert">
            <p class="notice-title"><strong>{title}</strong></p>
            <p>{hint}</p>
        </div>
    }
    .into_any()
}

fn already(name: &str) -> AnyView {
    view! {
        <p>{words::already(name)} " " <a href=path("/")>{all::TO_FLEET}</a></p>
    }
    .into_any()
}

fn form(next: String) -> AnyView {
    view! {
        <form class="stacked-form" method="post" action=path("/sign-in")>
            <input type="hidden" name="next" value=next/>
            <div class="field">
                <label class="field-label" for="name">{words::NAME}</label>
                <input
                    class="input"
                    id="name"
                    name="name"
                    type="text"
                    autocomplete="username"
                    autocapitalize="none"
                    spellcheck="false"
                    required=true
                    autofocus=true
                />
            </div>
            <div class="field">
                <label class="field-label" for="password">{words::PASSWORD}</label>
                <input
                    class="input"
                    id="password"
                    name="password"
                    type="password"
                    autocomplete="current-password"
                    required=true
                />
            </div>
            <button class="button button-primary" type="submit">{all::SIGN_IN}</button>
        </form>
    }
    .into_any()
}
