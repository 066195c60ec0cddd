//! Ages that count on: the age in the data plus the time since it was received.

use leptos::prelude::*;

use crate::live::use_live;

/// The age of something that was `age_ms` old in the newest document, as it stands now.
#[must_use]
pub fn age_now(age_ms: Signal<Option<u64>>) -> Signal<Option<u64>> {
    let elapsed = use_live().elapsed_ms;
    Signal::derive(move || age_ms.get().map(|age| age.saturating_add(elapsed.get())))
}
