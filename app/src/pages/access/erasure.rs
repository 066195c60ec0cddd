//! Erasing a person from the audit log: whom and why, then what would become unreadable and what
//! stays. It stands still and works by plain forms; that it is really them is proved on another page.

use leptos::prelude::*;
use quorate_control::{ErasurePreview, Hold};

use crate::{
    base::path,
    still::{Frame, notice, page},
    words::erasure as words,
};

/// Who is meant, and why, as it was given.
pub struct Wish<'a> {
    /// `name` or `subject`.
    pub by: &'a str,
    pub whom: &'a str,
    pub reason: &'a str,
}

/// The form, with the holds in force, and what became of the last try.
#[must_use]
pub fn form(frame: &Frame, holds: &[Hold], done: Option<&str>, problem: Option<&str>) -> String {
    page(frame, words::TITLE, None, || {
        let done = done.map(|code| match code {
            "unsettled" => words::UNSETTLED,
            _ => words::DONE,
        });
        view! {
            <p class="sign-in-sentence">{words::SENTENCE}</p>
            {done.map(|text| view! { <p class="notice tone-ok" role="status">{text}</p> })}
            {problem.map(words::problem).map(|(title, hint)| notice(title, hint))}
            {asking()}
            {kept(holds)}
            <p><a href=path("/access")>{crate::words::step_up::BACK_TO_ACCESS}</a></p>
        }
        .into_any()
    })
}

fn asking() -> AnyView {
    view! {
        <form class="stacked-form" method="post" action=path("/access/erase")>
            <div class="field">
                <label class="field-label" for="by">{words::BY}</label>
                <select class="input" id="by" name="by">
                    <option value="name">{words::BY_NAME}</option>
                    <option value="subject">{words::BY_SUBJECT}</option>
                </select>
            </div>
            <div class="field">
                <label class="field-label" for="whom">{words::WHOM}</label>
                <input class="input" id="whom" name="whom" type="text" maxlength="256" autocomplete="off" required=true/>
            </div>
            <div class="field">
                <label class="field-label" for="reason">{words::REASON}</label>
                <input
                    class="input"
                    id="reason"
                    name="reason"
                    type="text"
                    minlength="3"
                    pattern=words::REASON_PATTERN
                    title=words::REASON_LEAST
                    maxlength="500"
                    autocomplete="off"
                    required=true
                />
            </div>
            <button class="button" type="submit">{words::PREVIEW}</button>
        </form>
    }
    .into_any()
}

fn kept(holds: &[Hold]) -> Option<AnyView> {
    if holds.is_empty() {
        return None;
    }
    let items: Vec<_> = holds
        .iter()
        .map(|hold| {
            let (from, to) = (
                hold.from.map(|it| it.in_words()),
                hold.to.map(|it| it.in_words()),
            );
            let text = words::hold(from.as_deref(), to.as_deref(), &hold.reason);
            view! { <li>{text}</li> }
        })
        .collect();
    Some(
        view! { <section class="notes"><h2>{words::HOLDS}</h2><ul>{items}</ul></section> }
            .into_any(),
    )
}

/// What it would do, and the button that does it, unless a hold stands against it.
#[must_use]
pub fn preview(frame: &Frame, wish: &Wish<'_>, found: &ErasurePreview) -> String {
    page(frame, words::TITLE, None, || {
        let people: Vec<_> = found
            .people
            .iter()
            .map(|(issuer, subject, name)| {
                let text = words::person(issuer, subject, name);
                view! { <p>{text}</p> }
            })
            .collect();
        let stays: Vec<_> = words::STAYING
            .iter()
            .map(|text| view! { <p>{*text}</p> })
            .collect();
        let go = match found.held {
            Some(seq) => {
                view! { <p class="notice tone-warn" role="alert">{words::held(seq)}</p> }.into_any()
            }
            None => confirm(wish),
        };
        view! {
            <dl class="facts">
                <div><dt>{words::PEOPLE}</dt><dd class="stacked">{people}</dd></div>
                <div><dt>{words::BECOMES}</dt><dd>{words::entries(found.entries)}</dd></div>
                <div><dt>{words::STAYS}</dt><dd class="stacked">{stays}</dd></div>
                <div><dt>{words::GIVEN_REASON}</dt><dd>{wish.reason.to_owned()}</dd></div>
            </dl>
            {go}
            <p><a href=path("/access/erase")>{words::BACK}</a></p>
        }
        .into_any()
    })
}

fn confirm(wish: &Wish<'_>) -> AnyView {
    view! {
        <form method="post" action=path("/access/erase")>
            <input type="hidden" name="by" value=wish.by.to_owned()/>
            <input type="hidden" name="whom" value=wish.whom.to_owned()/>
            <input type="hidden" name="reason" value=wish.reason.to_owned()/>
            <button class="button button-primary" type="submit" name="confirmed" value="yes">
                {words::ERASE}
            </button>
        </form>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::BasePath;

    fn frame() -> Frame {
        Frame {
            base: BasePath("/q".to_owned()),
            ..Frame::default()
        }
    }

    fn shown(held: Option<u64>) -> String {
        let wish = Wish {
            by: "name",
            whom: "<anna>",
            reason: "letter \"7\"",
        };
        let found = ErasurePreview {
            people: vec![
                ("local".to_owned(), "0193".to_owned(), "<anna>".to_owned()),
                (
                    "none".to_owned(),
                    "unauthenticated".to_owned(),
                    "<anna>".to_owned(),
                ),
            ],
            entries: 1_200,
            held,
        };
        preview(&frame(), &wish, &found)
    }

    #[test]
    fn it_says_what_becomes_unreadable_and_what_stays_before_it_is_done() {
        let html = shown(None);
        for said in [
            "&lt;anna&gt; (local/0193)",
            "as it was typed or told",
            "in 1,200 entries",
            "backups of the data directory",
            "action=\"/q/access/erase\"",
            "name=\"confirmed\"",
        ] {
            assert!(html.contains(said), "{said}: {html}");
        }
        assert!(!html.contains("<anna>") && !html.contains("<script"));
    }

    #[test]
    fn what_somebody_holds_is_not_erased_and_the_page_has_no_button_for_it() {
        let html = shown(Some(41));
        assert!(html.contains("A hold keeps entry 41"), "{html}");
        assert!(!html.contains("<form"), "{html}");
    }

    #[test]
    fn the_form_says_what_became_of_the_last_try() {
        let html = form(&frame(), &[], None, Some("not-found"));
        assert!(html.contains("sealed for such a person"), "{html}");
        assert!(!html.contains(words::HOLDS));
        assert!(form(&frame(), &[], Some("erased"), None).contains("keys are destroyed"));
    }
}
