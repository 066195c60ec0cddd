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

use prelude::{AnyView, For, ForProps, IntoAny, Memo};

#[cfg(feature = "hydrate")]
pub mod children;
#[cfg(feature = "hydrate")]
mod piece;

pub mod prelude {
    //! Leptos' prelude with boxes of our own.

    pub use leptos::prelude::*;

    #[cfg(feature = "hydrate")]
    pub use crate::{
        children::ToChildren,
        piece::{ElementChild, IntoAny, IntoMaybeErased},
    };

    pub use crate::{anew, listed, memo};
}

pub mod stock {
    //! What is replaced in the browser, as Leptos has it.

    pub use leptos::children::ToChildren;
}

/// A part of a page that is built anew whenever a signal it reads moves. As `{move || …}` in a
/// view, but the same code for all that is built: for elements, where text needs no more than that.
pub fn anew<T: IntoView + 'static>(mut build: impl FnMut() -> T + Send + 'static) -> AnyView {
    let build: Arc<Mutex<dyn FnMut() -> AnyView + Send>> =
        Arc::new(Mutex::new(move || build().into_any()));
    build.into_any()
}

/// A value derived from signals that is told on only where it differs from the last one. As
/// `Memo::new`, but the same code for all of one type.
pub fn memo<T: PartialEq + Send + Sync + 'static>(
    derive: impl Fn() -> T + Send + Sync + 'static,
) -> Memo<T> {
    let derive: Box<dyn Fn() -> T + Send + Sync> = Box::new(derive);
    Memo::new(move |_| derive())
}

/// A view for each key, in their order: built when its key first comes, taken away with it. As
/// `<For>`, but the same code for all lists.
pub fn listed(
    keys: impl Fn() -> Vec<String> + Send + 'static,
    view: impl Fn(String) -> AnyView + Send + Sync + 'static,
) -> AnyView {
    let keys: Box<dyn Fn() -> Vec<String> + Send> = Box::new(keys);
    let view: Arc<dyn Fn(String) -> AnyView + Send + Sync> = Arc::new(view);
    let all = ForProps::builder()
        .each(keys)
        .key(String::clone)
        .children(move |key| view(key))
        .build();
    For(all).into_any()
}
