//! What was checked, worst first as the preview brings it.

use leptos::prelude::*;
use quorate_domain::preflight::{Check, Level};

use crate::words::actions as words;

/// The list of checks; each says by a shape and a word how it came out.
#[must_use]
pub fn checks(checks: &[Check]) -> AnyView {
    let items: Vec<_> = checks.iter().map(check).collect();
    view! { <ul class="checks" aria-label=words::CHECKS>{items}</ul> }.into_any()
}

fn check(check: &Check) -> AnyView {
    line(check.level, &check.text)
}

/// One of them.
pub fn line(told: Level, text: &str) -> AnyView {
    let level = match told {
        Level::Allow => "allow",
        Level::Warn => "warn",
        Level::Refuse => "refuse",
    };
    view! {
        <li class="check" data-level=level>
            <span class="check-mark" aria-hidden="true">{words::level_mark(told)}</span>
            <span>
                <span class="unseen">{format!("{}: ", words::level(told))}</span>
                {text.to_owned()}
            </span>
        </li>
    }
    .into_any()
}
