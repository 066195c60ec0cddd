//! The head of a page: its title, the one sentence that answers its question, its actions.

use leptos::prelude::*;

#[component]
pub fn PageHead(
    #[prop(into)] title: Signal<String>,
    /// The answer, in bold.
    #[prop(into, optional)]
    sentence: Signal<String>,
    /// What supports it, after it.
    #[prop(into, optional)]
    rest: Signal<String>,
    /// Actions of the page, at its right.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <header class="head">
            <div class="head-words">
                <h1 class="head-title">{move || title.get()}</h1>
                <p class="head-sentence" aria-live="polite">
                    <strong>{move || sentence.get()}</strong>
                    " "
                    {move || rest.get()}
                </p>
            </div>
            {children.map(|children| view! { <div class="head-actions">{children()}</div> })}
        </header>
    }
}
