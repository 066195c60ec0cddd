//! A text to be used elsewhere: the same change as a command line, a link, a token.

use leptos::{prelude::*, task::spawn_local};

use crate::words::actions as words;

/// Shows a text to be used elsewhere, with a button that copies it. `label` names it.
#[component]
pub fn Command(
    command: String,
    #[prop(default = words::SAME_AS_COMMAND)] label: &'static str,
) -> impl IntoView {
    let said = RwSignal::new("");
    let text = command.clone();
    let copy = move |_| {
        let text = text.clone();
        spawn_local(async move {
            let copied = copy(&text).await;
            let _closed = said.try_set(if copied {
                words::COPIED
            } else {
                words::COPY_FAILED
            });
        });
    };
    view! {
        <div class="command">
            <code class="command-text" role="group" aria-label=label>{command}</code>
            <button type="button" class="quiet"
                aria-label=format!("{}: {label}", words::COPY) on:click=copy>
                {words::COPY}
            </button>
            <span class="command-said" role="status">{move || said.get()}</span>
        </div>
    }
}

/// Whether `text` is in the clipboard now. Over plain HTTP beyond loopback browsers have none.
#[cfg(feature = "hydrate")]
pub async fn copy(text: &str) -> bool {
    use wasm_bindgen::{JsCast, JsValue};
    use web_sys::js_sys::{Function, Promise, Reflect};

    let written = || -> Option<Promise> {
        let navigator = Reflect::get(&window(), &"navigator".into()).ok()?;
        let clipboard = Reflect::get(&navigator, &"clipboard".into()).ok()?;
        let write: Function = Reflect::get(&clipboard, &"writeText".into())
            .ok()?
            .dyn_into()
            .ok()?;
        write
            .call1(&clipboard, &JsValue::from_str(text))
            .ok()?
            .dyn_into()
            .ok()
    };
    match written() {
        Some(promise) => wasm_bindgen_futures::JsFuture::from(promise).await.is_ok(),
        None => false,
    }
}

/// A server has no clipboard.
#[cfg(not(feature = "hydrate"))]
#[expect(
    clippy::unused_async,
    reason = "the browser's side waits for the clipboard"
)]
pub async fn copy(_text: &str) -> bool {
    false
}
