//! The console as the browser sees it: pages, components, and the server functions they call.
//!
//! The same views are rendered by the server (feature `ssr`) and taken over by the browser
//! (feature `hydrate`); nothing here decides anything about a cluster, that is `quorate_domain`.

#![recursion_limit = "256"]

pub mod api;
pub mod app;
pub mod assets;
pub mod base;
pub mod components;
pub mod live;
pub mod opening;
pub mod pages;
#[cfg(all(test, feature = "ssr"))]
mod rendered;
#[cfg(test)]
mod sample;
pub mod session;
#[cfg(feature = "ssr")]
pub mod shell;
pub mod theme;
pub mod title;
pub mod words;

#[cfg(feature = "hydrate")]
mod stream;

/// Takes over the page the server rendered below `base`, once the part of the program it needs is
/// there.
#[cfg(feature = "hydrate")]
pub fn hydrate(base: String) {
    wasm_bindgen_futures::spawn_local(async {
        let path = leptos::prelude::window()
            .location()
            .pathname()
            .unwrap_or_default();
        pages::later::load(base::BasePath(base).strip(&path)).await;
        leptos::mount::hydrate_body(app::App);
    });
}
