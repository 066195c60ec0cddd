//! Leptos as this console uses it. The app depends on this crate under the name `leptos`, so that
//! what Leptos' macros write goes through here too; everything not named below is Leptos' own.
//!
//! With `--cfg erase_components` every element's children are put into boxes, Leptos' `AnyView`.
//! For each type that goes into one, the browser's program gets ten functions, one of them a second
//! way of hydrating (waiting for parts of the page) that this console never takes: it loads what a
//! page needs first and hydrates then. In the browser views are therefore put into a [`Piece`],
//! which needs three functions a type, and only pieces into `AnyView`. The server, where size does
//! not matter, uses Leptos' own boxes. Both make the same document.

use std::sync::{Arc, Mutex};

pub use leptos::*;

use prelude::{AnyView, IntoAny};

#[cfg(feature = "hydrate")]
mod piece;

pub mod prelude {
    //! Leptos' prelude with boxes of our own.

    pub use leptos::prelude::*;

    #[cfg(feature = "hydrate")]
    pub use crate::piece::{ElementChild, IntoAny, IntoMaybeErased};

    pub use crate::anew;
}

/// A part of a page that is built anew whenever a signal it reads moves. As `{move || …}` in a
/// view, but the same code for all that is built: for elements, where text needs no more than that.
pub fn anew<T: IntoView + 'static>(mut build: impl FnMut() -> T + Send + 'static) -> AnyView {
    let build: Arc<Mutex<dyn FnMut() -> AnyView + Send>> =
        Arc::new(Mutex::new(move || build().into_any()));
    build.into_any()
}
