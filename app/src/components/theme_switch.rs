//! System, light or dark; kept in a cookie the server reads, so the next page opens in it.

use leptos::prelude::*;

use crate::{theme::Theme, words};

#[component]
pub fn ThemeSwitch() -> impl IntoView {
    let chosen = use_context::<RwSignal<Theme>>().unwrap_or_default();
    let choice = move |theme: Theme| {
        view! {
            <button
                type="button"
                class="theme-choice"
                aria-pressed=move || if chosen.get() == theme { "true" } else { "false" }
                on:click=move |_| {
                    chosen.set(theme);
                    apply(theme);
                }
            >
                {label(theme)}
            </button>
        }
    };
    view! {
        <div class="theme needs-script" role="group" aria-label=words::THEME>
            {Theme::ALL.map(choice).into_iter().collect_view()}
        </div>
    }
}

const fn label(theme: Theme) -> &'static str {
    match theme {
        Theme::System => words::THEME_SYSTEM,
        Theme::Light => words::THEME_LIGHT,
        Theme::Dark => words::THEME_DARK,
    }
}

#[cfg(feature = "hydrate")]
fn apply(theme: Theme) {
    use wasm_bindgen::JsCast;

    let document = document();
    if let Some(root) = document.document_element() {
        let _ = match theme {
            Theme::System => root.remove_attribute("data-theme"),
            _ => root.set_attribute("data-theme", theme.as_str()),
        };
    }
    if let Ok(html) = document.dyn_into::<web_sys::HtmlDocument>() {
        let cookie = format!(
            "{}={}; Path=/; Max-Age=31536000; SameSite=Lax",
            crate::theme::COOKIE,
            theme.as_str()
        );
        let _ = html.set_cookie(&cookie);
    }
}

#[cfg(not(feature = "hydrate"))]
fn apply(_theme: Theme) {}
