//! A framed part of a page with a heading.

use leptos::prelude::*;

#[component]
pub fn Panel(
    /// Unique on the page; names the heading.
    #[prop(into)]
    id: String,
    #[prop(into)] title: String,
    /// At the right of the heading.
    #[prop(optional)]
    aside: Option<AnyView>,
    children: Children,
) -> impl IntoView {
    let heading = format!("{id}-title");
    view! {
        <section class="panel" id=id aria-labelledby=heading.clone()>
            <div class="panel-head">
                <h2 class="panel-title" id=heading.clone()>{title}</h2>
                {aside}
            </div>
            {children()}
        </section>
    }
}
