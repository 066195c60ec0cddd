//! One's own password: a plain form that works with scripts off.

use leptos::prelude::*;
use leptos_router::params::ParamsMap;
use quorate_domain::{
    audit::Means,
    password::{LONGEST, SHORTEST},
};

use crate::{api::access::Access, base::path, components::panel::Panel, words::access as words};

/// What became of the form, as the address says it.
pub fn answer(parameters: Memo<ParamsMap>) -> impl IntoView {
    move || {
        let parameters = parameters.get();
        if let Some(code) = parameters.get("problem") {
            let (title, hint) = words::password_problem(&code);
            return view! {
                <div class="notice tone-bad" role="alert">
                    <p class="notice-title"><strong>{title}</strong></p>
                    <p>{hint}</p>
                </div>
            }
            .into_any();
        }
        if parameters.get("password").as_deref() == Some("set") {
            return view! {
                <div class="notice tone-ok" role="status">
                    <p class="notice-title">{words::PASSWORD_SAVED}</p>
                </div>
            }
            .into_any();
        }
        ().into_any()
    }
}

/// The form. Only an account of this console has a password.
pub fn panel(access: &Access) -> AnyView {
    if !matches!(access.me.means, Means::Password | Means::SignInLink) {
        return ().into_any();
    }
    let (title, sentence) = if access.has_password {
        (words::CHANGE_PASSWORD, words::ENDS_OTHERS)
    } else {
        (words::SET_PASSWORD, words::SET_PASSWORD_SENTENCE)
    };
    let current = (access.has_password && access.me.means != Means::SignInLink).then(|| {
        view! {
            <div class="field">
                <label class="field-label" for="current-password">{words::CURRENT_PASSWORD}</label>
                <input
                    class="input"
                    id="current-password"
                    name="current"
                    type="password"
                    autocomplete="current-password"
                    required=true
                />
            </div>
        }
    });
    let form = view! {
        <form class="panel-body stacked-form" method="post" action=path("/password")>
            <p>{sentence}</p>
            // Password keepers look for the name beside the password.
            <input type="text" name="name" value=access.me.name.clone() autocomplete="username" disabled=true hidden=true/>
            {current}
            <div class="field">
                <label class="field-label" for="new-password">{words::NEW_PASSWORD}</label>
                <input
                    class="input"
                    id="new-password"
                    name="new"
                    type="password"
                    autocomplete="new-password"
                    minlength=SHORTEST.to_string()
                    maxlength=LONGEST.to_string()
                    required=true
                    aria-describedby="password-rule"
                />
                <p class="field-hint" id="password-rule">{words::password_rule()}</p>
            </div>
            <button class="button" type="submit">{words::SAVE}</button>
        </form>
    };
    view! { <Panel id="password" title=title>{form}</Panel> }.into_any()
}
