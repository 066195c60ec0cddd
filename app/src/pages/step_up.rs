//! The page that asks somebody to prove that it is them: what they are about to do, and each way
//! they have. It stands still; only a passkey needs its small script.

use leptos::prelude::*;
use quorate_control::step_up::{Asked, Deed, Method, PasskeyChallenge};
use quorate_domain::problem::Problem;

use crate::{
    base::{cluster_path, path, segment},
    still::{Frame, notice, page},
    words::step_up as words,
};

/// Has passkeys made and used.
pub const SCRIPT: &str = include_str!("passkey.js");

/// The question under its name.
pub struct Question<'a> {
    pub id: &'a str,
    pub asked: &'a Asked,
    /// Where a passkey is a way.
    pub challenge: Option<&'a PasskeyChallenge>,
    /// What people call the provider that signs them in.
    pub provider: &'a str,
    /// What became of the last try.
    pub problem: Option<&'a str>,
}

#[must_use]
pub fn question(frame: &Frame, question: &Question<'_>) -> String {
    let script = question.challenge.map(|_| SCRIPT);
    page(frame, words::TITLE, script, || asked(question))
}

fn asked(question: &Question<'_>) -> AnyView {
    let deed = &question.asked.deed;
    let place = path(&format!("/step-up/{}", segment(question.id)));
    let ways: Vec<AnyView> = question
        .asked
        .methods
        .iter()
        .filter_map(|method| match method {
            Method::Passkey => question
                .challenge
                .map(|challenge| by_passkey(&place, challenge)),
            Method::Password => Some(by_password(&place)),
            Method::SignIn => Some(by_sign_in(&place, question.provider)),
        })
        .collect();
    let none = ways.is_empty();
    let problem = question.problem.map(words::problem);
    view! {
        {problem.map(|(title, hint)| notice(title, hint))}
        <p class="sign-in-sentence">{words::ABOUT} " " <strong>{deed.words()}</strong> "."</p>
        {why(deed)}
        {none.then(|| notice(words::NO_WAY, words::NO_WAY_HINT))}
        {ways}
        <p class="field-hint">{words::GOOD_ONCE}</p>
        <p><a href=back(deed)>{words::CANCEL}</a></p>
    }
    .into_any()
}

/// Reason and ticket, which the proof covers as well.
fn why(deed: &Deed) -> AnyView {
    if let Deed::Erase {
        subject,
        name,
        reason,
        ..
    } = deed
    {
        let whom = name.as_ref().or(subject.as_ref()).cloned();
        return view! {
            <dl class="facts">
                <div><dt>{words::PERSON}</dt><dd>{whom}</dd></div>
                <div><dt>{words::REASON}</dt><dd>{reason.clone()}</dd></div>
            </dl>
        }
        .into_any();
    }
    let Deed::Change { request, .. } = deed else {
        return ().into_any();
    };
    let ticket = request
        .ticket
        .clone()
        .map(|ticket| view! { <div><dt>{words::TICKET}</dt><dd>{ticket}</dd></div> });
    view! {
        <dl class="facts">
            <div><dt>{words::REASON}</dt><dd>{request.reason.clone()}</dd></div>
            {ticket}
        </dl>
    }
    .into_any()
}

fn by_passkey(place: &str, challenge: &PasskeyChallenge) -> AnyView {
    view! {
        <form
            id="passkey"
            method="post"
            action=place.to_owned()
            data-challenge=challenge.challenge.clone()
            data-site=challenge.site.clone()
            data-credentials=challenge.credentials.join(" ")
        >
            <input type="hidden" name="method" value="passkey"/>
            {hidden(&["credential", "client_data", "authenticator_data", "signature"])}
            <button class="button button-primary" type="submit" hidden=true>{words::BY_PASSKEY}</button>
        </form>
        {failed(words::PASSKEY_FAILED, words::PASSKEY_FAILED_HINT)}
    }
    .into_any()
}

/// Fields that the script fills.
pub(crate) fn hidden(names: &[&'static str]) -> Vec<AnyView> {
    names
        .iter()
        .map(|name| view! { <input type="hidden" name=*name/> }.into_any())
        .collect()
}

/// What is said when the browser brings no passkey, or runs no scripts.
pub(crate) fn failed(title: &'static str, hint: &'static str) -> AnyView {
    view! {
        <div id="passkey-told" hidden=true>{notice(title, hint)}</div>
        <noscript><p class="field-hint">{words::PASSKEY_SCRIPT}</p></noscript>
    }
    .into_any()
}

fn by_password(place: &str) -> AnyView {
    view! {
        <form class="stacked-form" method="post" action=place.to_owned()>
            <input type="hidden" name="method" value="password"/>
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
            <button class="button" type="submit">{words::BY_PASSWORD}</button>
        </form>
    }
    .into_any()
}

fn by_sign_in(place: &str, provider: &str) -> AnyView {
    view! {
        <p><a class="button" href=format!("{place}/sign-in")>{words::by_sign_in(provider)}</a></p>
    }
    .into_any()
}

/// Where somebody goes who does not go on.
fn back(deed: &Deed) -> String {
    match deed {
        Deed::Change {
            cluster, request, ..
        } => match &request.group {
            Some(group) => cluster_path(&format!("{cluster}/{group}")),
            None => cluster_path(cluster.as_str()),
        },
        Deed::Approve { change, .. } => crate::base::change_path(&change.0),
        Deed::Passkey { .. } => path("/access/passkeys"),
        Deed::Erase { .. } => path("/access/erase"),
    }
}

/// The question is over, or was another's.
#[must_use]
pub fn over(frame: &Frame) -> String {
    page(frame, words::TITLE, None, || {
        view! {
            {notice(words::OVER, words::OVER_HINT)}
            <p><a href=path("/")>{crate::words::TO_FLEET}</a></p>
        }
        .into_any()
    })
}

/// It was proved, and the console refused it all the same.
#[must_use]
pub fn not_done(frame: &Frame, deed: &Deed, problem: &Problem) -> String {
    page(frame, words::NOT_DONE, None, || {
        let moved: Vec<_> = problem
            .moved
            .iter()
            .map(|text| view! { <li>{text.clone()}</li> })
            .collect();
        view! {
            {notice(&problem.title, &problem.hint)}
            {(!moved.is_empty()).then(|| view! { <ul>{moved}</ul> })}
            <p><a href=back(deed)>{words::BACK_TO_CLUSTER}</a></p>
        }
        .into_any()
    })
}

#[cfg(test)]
mod tests {
    use quorate_control::Request;
    use quorate_domain::action::Action;

    use super::*;
    use crate::base::BasePath;

    fn deed() -> Deed {
        Deed::Change {
            cluster: "blue".into(),
            action: Action::Remove {
                member: "<n3>".into(),
            },
            request: Box::new(Request {
                reason: "disk \"broken\"".to_owned(),
                ..Request::default()
            }),
        }
    }

    fn frame() -> Frame {
        Frame {
            base: BasePath("/q".to_owned()),
            ..Frame::default()
        }
    }

    fn shown(methods: &[Method], challenge: Option<&PasskeyChallenge>) -> String {
        let asked = Asked {
            deed: deed(),
            methods: methods.to_vec(),
        };
        question(
            &frame(),
            &Question {
                id: "a/b",
                asked: &asked,
                challenge,
                provider: "Example",
                problem: Some("sign-in-failed"),
            },
        )
    }

    #[test]
    fn the_page_says_what_is_about_to_be_done_and_offers_what_the_person_has() {
        let html = shown(&[Method::Password, Method::SignIn], None);
        for said in [
            "remove &lt;n3&gt; in blue",
            "action=\"/q/step-up/a%2Fb\"",
            "href=\"/q/step-up/a%2Fb/sign-in\"",
            "Sign in again with Example",
            "This did not prove it.",
            "href=\"/q/clusters/blue\"",
        ] {
            assert!(html.contains(said), "{said}: {html}");
        }
        assert!(!html.contains("<script") && !html.contains("id=\"passkey\""));
        let none = shown(&[], None);
        assert!(none.contains(words::NO_WAY), "{none}");
    }

    #[test]
    fn a_passkey_comes_with_its_challenge_and_its_script() {
        let challenge = PasskeyChallenge {
            site: "raft.example".to_owned(),
            challenge: "Y2hhbGxlbmdl".to_owned(),
            credentials: vec!["YQ".to_owned(), "Yg".to_owned()],
        };
        let html = shown(&[Method::Passkey], Some(&challenge));
        assert!(html.contains("data-challenge=\"Y2hhbGxlbmdl\""), "{html}");
        assert!(html.contains("data-credentials=\"YQ Yg\""), "{html}");
        // Written as it is: escaped it would be no script.
        assert!(html.contains("(event) => {"), "{html}");
        assert!(!html.contains("type=\"password\""));
    }
}
