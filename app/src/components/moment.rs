//! A point in time on a page: always UTC, always labelled, the same on server and browser.

use leptos::prelude::*;
use quorate_domain::moment::Timestamp;

/// `2026-11-21 14:02:52`, where the column or label says UTC.
#[must_use]
pub fn moment(at: Timestamp) -> AnyView {
    view! {
        <time class="moment" datetime=at.to_string()>
            <span class="moment-day">{at.day()}</span>
            " "
            <span>{at.clock()}</span>
        </time>
    }
    .into_any()
}

/// `2026-11-21 14:02:52 UTC`, where nothing else says so.
#[must_use]
pub fn moment_utc(at: Timestamp) -> AnyView {
    view! { {moment(at)} " UTC" }.into_any()
}
