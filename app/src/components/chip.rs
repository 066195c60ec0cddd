//! A filter that is a link: its state is the URL, so it works with scripts off.

use leptos::prelude::*;

#[component]
pub fn Chip(
    #[prop(into)] href: Signal<String>,
    #[prop(into)] label: Signal<String>,
    /// Shown after the label.
    #[prop(into, optional)]
    count: MaybeProp<u64>,
    #[prop(into)] chosen: Signal<bool>,
) -> impl IntoView {
    view! {
        <a class="chip" href=move || href.get() aria-current=move || chosen.get().then_some("true")>
            {move || label.get()}
            {anew(move || count.get().map(|count| view! { " " <span class="chip-count">{count.to_string()}</span> }))}
        </a>
    }
}
