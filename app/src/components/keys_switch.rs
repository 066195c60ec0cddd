//! Whether single keys do something, like `/` for the filter; kept in this browser. People who
//! speak to their browser press letters without meaning to.

use leptos::prelude::*;

use crate::words;

#[cfg(feature = "hydrate")]
const STORED_AS: &str = "quorate-single-keys";

#[component]
pub fn KeysSwitch() -> impl IntoView {
    let on = RwSignal::new(true);
    Effect::new(move |_| on.set(are_on()));
    view! {
        <label class="keys needs-script">
            <input
                type="checkbox"
                prop:checked=on
                on:change=move |event| {
                    let checked = event_target_checked(&event);
                    on.set(checked);
                    keep(checked);
                }
            />
            {words::SINGLE_KEYS}
        </label>
    }
}

/// As it was chosen; on where nothing was.
#[cfg(feature = "hydrate")]
#[must_use]
pub fn are_on() -> bool {
    storage().is_none_or(|it| it.get_item(STORED_AS).ok().flatten().as_deref() != Some("off"))
}

#[cfg(not(feature = "hydrate"))]
#[must_use]
pub fn are_on() -> bool {
    true
}

#[cfg(feature = "hydrate")]
fn keep(on: bool) {
    if let Some(storage) = storage() {
        // Where nothing may be kept it holds as long as the page: no more can be done.
        let _ = storage.set_item(STORED_AS, if on { "on" } else { "off" });
    }
}

#[cfg(not(feature = "hydrate"))]
fn keep(_on: bool) {}

#[cfg(feature = "hydrate")]
fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}
