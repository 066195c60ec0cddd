//! A person's passkeys: the list, a new one, removing one. It stands still, and works by plain forms;
//! only making a passkey needs its small script.

use leptos::prelude::*;
use quorate_control::step_up::{Offer, Passkey};

use crate::{
    base::{path, segment},
    components::moment::moment,
    pages::step_up::{SCRIPT, failed, hidden},
    still::{Frame, notice, page},
    words::step_up as words,
};

/// The list as it is shown.
pub struct List<'a> {
    pub passkeys: &'a [Passkey],
    /// Whether browsers know passkeys at this address.
    pub possible: bool,
    /// What was just done.
    pub done: Option<&'a str>,
    pub problem: Option<&'a str>,
}

#[must_use]
pub fn list(frame: &Frame, list: &List<'_>) -> String {
    page(frame, words::PASSKEYS, None, || listed(list))
}

fn listed(list: &List<'_>) -> AnyView {
    let done = match list.done {
        Some("added") => Some(words::ADDED),
        Some("removed") => Some(words::REMOVED),
        _ => None,
    };
    let problem = list.problem.map(words::passkey_problem);
    let items: Vec<_> = list.passkeys.iter().map(item).collect();
    let form = match list.possible {
        true => form(),
        false => notice(words::NOT_POSSIBLE, words::NOT_POSSIBLE_HINT),
    };
    view! {
        <p class="sign-in-sentence">{words::PASSKEYS_SENTENCE}</p>
        {done.map(|text| view! { <p class="notice tone-ok" role="status">{text}</p> })}
        {problem.map(|(title, hint)| notice(title, hint))}
        {match items.is_empty() {
            true => view! { <p class="field-hint">{words::NONE}</p> }.into_any(),
            false => view! { <ul class="stacked" aria-label=words::PASSKEYS_TABLE>{items}</ul> }.into_any(),
        }}
        {form}
        <p><a href=path("/access")>{words::BACK_TO_ACCESS}</a></p>
    }
    .into_any()
}

fn item(passkey: &Passkey) -> AnyView {
    let used = match passkey.last_used {
        Some(at) => view! { {words::USED_AT} " " {moment(at)} }.into_any(),
        None => words::NEVER_USED.into_any(),
    };
    let whose = (!passkey.own).then(|| format!(" {}", words::of(&passkey.person)));
    view! {
        <li>
            <strong>{passkey.name.clone()}</strong> {whose}
            <p class="under">{words::ADDED_AT} " " {moment(passkey.created_at)} ", " {used}</p>
            <form method="post" action=path("/access/passkeys/remove")>
                <input type="hidden" name="id" value=passkey.id.clone()/>
                <button
                    class="button button-small"
                    type="submit"
                    aria-label=words::remove(&passkey.name)
                >
                    {words::REMOVE}
                </button>
            </form>
        </li>
    }
    .into_any()
}

fn form() -> AnyView {
    view! {
        <form class="stacked-form" method="post" action=path("/access/passkeys")>
            <div class="field">
                <label class="field-label" for="name">{words::NAME}</label>
                <input
                    class="input"
                    id="name"
                    name="name"
                    type="text"
                    maxlength="64"
                    autocomplete="off"
                    required=true
                />
            </div>
            <button class="button button-primary" type="submit">{words::ADD}</button>
        </form>
    }
    .into_any()
}

/// Where the passkey begun as `id` is made.
#[must_use]
pub fn making(frame: &Frame, id: &str, offer: &Offer) -> String {
    page(frame, words::ADD, Some(SCRIPT), || {
        let kinds: Vec<String> = offer.kinds.iter().map(ToString::to_string).collect();
        view! {
            <p class="sign-in-sentence">{words::making(&offer.name)}</p>
            <form
                id="passkey"
                method="post"
                action=path(&format!("/access/passkeys/new/{}", segment(id)))
                data-challenge=offer.challenge.clone()
                data-site=offer.site.clone()
                data-user=offer.user.clone()
                data-user-name=offer.user_name.clone()
                data-kinds=kinds.join(" ")
                data-credentials=offer.credentials.join(" ")
            >
                {hidden(&["client_data", "authenticator_data"])}
                <button class="button button-primary" type="submit" hidden=true>{words::MAKE}</button>
            </form>
            {failed(words::NOT_MADE, words::NOT_MADE_HINT)}
            <p><a href=path("/access/passkeys")>{words::CANCEL}</a></p>
        }
        .into_any()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendered::at;

    #[test]
    fn the_list_names_others_keys_and_removes_by_a_form() {
        let passkey = |name: &str, own: bool| Passkey {
            id: format!("id-{name}"),
            name: name.to_owned(),
            person: "ada".to_owned(),
            own,
            created_at: at(0),
            last_used: None,
        };
        let passkeys = [passkey("<laptop>", true), passkey("phone", false)];
        let shown = |possible: bool| {
            let it = List {
                passkeys: &passkeys,
                possible,
                done: Some("removed"),
                problem: None,
            };
            list(&Frame::default(), &it)
        };
        let html = shown(true);
        for said in [
            "&lt;laptop&gt;",
            "of ada",
            "value=\"id-phone\"",
            "action=\"/access/passkeys/remove\"",
            words::REMOVED,
            words::NEVER_USED,
        ] {
            assert!(html.contains(said), "{said}: {html}");
        }
        assert!(!html.contains("<script"));
        assert!(shown(false).contains(words::NOT_POSSIBLE));
    }

    #[test]
    fn making_one_says_what_the_browser_needs() {
        let offer = Offer {
            site: "raft.example".to_owned(),
            challenge: "Yw".to_owned(),
            user: "dQ".to_owned(),
            user_name: "ada \"A\"".to_owned(),
            name: "laptop".to_owned(),
            kinds: vec![-7, -8, -257],
            credentials: Vec::new(),
        };
        let html = making(&Frame::default(), "make-1", &offer);
        assert!(html.contains("data-kinds=\"-7 -8 -257\""), "{html}");
        assert!(
            html.contains("data-user-name=\"ada &quot;A&quot;\""),
            "{html}"
        );
        assert!(
            html.contains("action=\"/access/passkeys/new/make-1\""),
            "{html}"
        );
    }
}
