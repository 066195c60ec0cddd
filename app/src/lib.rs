//! The console as the browser sees it: pages, components, and the server functions they call.
//!
//! The same views are rendered by the server (feature `ssr`) and taken over by the browser
//! (feature `hydrate`); nothing here decides anything about a cluster, that is `quorate_domain`.

#![recursion_limit = "256"]
// In a view `move || named()` is boxed by the macro and shares its code with all closures of the
// same result; `named` itself would get code of its own.
#![allow(clippy::redundant_closure)]

#[cfg(all(test, not(feature = "ssr")))]
compile_error!(
    "pages are tested as the server renders them: cargo test -p quorate-app --features ssr"
);

pub mod api;
pub mod app;
pub mod assets;
pub mod base;
pub mod components;
pub mod live;
pub mod opening;
pub mod pages;
pub mod part;
pub mod reading;
#[cfg(all(test, feature = "ssr"))]
mod rendered;
#[cfg(test)]
mod sample;
pub mod session;
#[cfg(feature = "ssr")]
pub mod shell;
#[cfg(feature = "ssr")]
pub mod still;
pub mod theme;
pub mod title;
pub mod words;

#[cfg(feature = "hydrate")]
mod stream;

/// Takes over the page the server rendered below `base`, once the part of the program it needs is
/// there. Without that part the page stays as it was rendered, and says so.
#[cfg(feature = "hydrate")]
pub fn hydrate(base: String) {
    // Where nobody is signed in there is no rail, and nothing but forms.
    let rail = leptos::prelude::document().query_selector(".rail");
    if !rail.is_ok_and(|rail| rail.is_some()) {
        return;
    }
    wasm_bindgen_futures::spawn_local(async {
        let location = leptos::prelude::window().location();
        let path = location.pathname().unwrap_or_default();
        let query = location.search().unwrap_or_default();
        // Server functions are called by their path from the root, unless told where that is.
        let _told_already = server_fn::client::try_set_server_url(String::leak(base.clone()));
        match pages::later::load(base::BasePath(base).strip(&path), &query).await {
            Ok(()) => leptos::mount::hydrate_body(app::App),
            Err(part::Missing) => stays_still(),
        }
    });
}

/// Written by hand: what writes pages otherwise would first have to take this one over.
#[cfg(feature = "hydrate")]
fn stays_still() {
    let notice = format!(
        "<p class=\"notice tone-warn\" role=\"alert\">{}. {} <a href=\"\">{}</a></p>",
        words::PART_MISSING,
        words::PART_MISSING_HINT,
        words::RELOAD
    );
    if let Some(content) = leptos::prelude::document().get_element_by_id("content") {
        // Where even this fails the page is still what the server rendered.
        let _ = content.insert_adjacent_html("afterbegin", &notice);
    }
}
