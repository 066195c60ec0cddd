//! Children of components, put into our own boxes.

pub use leptos::children::*;
use leptos::prelude::{AnyView, RenderHtml};

use crate::piece::IntoAny;

/// What the macros call on what stands inside a component.
pub trait ToChildren<F> {
    fn to_children(children: F) -> Self;
}

impl<F, C> ToChildren<F> for Children
where
    F: FnOnce() -> C + Send + 'static,
    C: RenderHtml + Send + 'static,
{
    fn to_children(children: F) -> Self {
        Box::new(move || -> AnyView { IntoAny::into_any(children()) })
    }
}

impl<F, C> ToChildren<F> for TypedChildren<C>
where
    F: FnOnce() -> C + Send + 'static,
    C: RenderHtml + Send + 'static,
{
    fn to_children(children: F) -> Self {
        leptos::children::ToChildren::to_children(children)
    }
}
