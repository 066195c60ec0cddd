//! Any view in one box. Knows how to build, rebuild and hydrate it; renders no HTML, which is the
//! server's work.

use std::any::{Any, TypeId};

use leptos::{
    prelude::{AnyView, Mountable, Render, RenderHtml},
    tachys::{
        html::attribute::any_attribute::AnyAttribute,
        hydration::Cursor,
        no_attrs,
        renderer::{
            Rndr,
            types::{Element, Node, Placeholder},
        },
        view::{self, Position, PositionState},
    },
};

/// Puts a view into a box.
pub trait IntoAny {
    fn into_any(self) -> AnyView;
}

impl<T: RenderHtml> IntoAny for T {
    fn into_any(self) -> AnyView {
        let mut own = Some(self.into_owned());
        // What is in a box already stays in it.
        let boxed: &mut dyn Any = &mut own;
        if let Some(view) = boxed
            .downcast_mut::<Option<AnyView>>()
            .and_then(Option::take)
        {
            return view;
        }
        match own {
            Some(own) => view::any_view::IntoAny::into_any(Piece::of(own)),
            None => view::any_view::IntoAny::into_any(()),
        }
    }
}

/// What the macros call on the children of an element and on a component's view.
pub trait IntoMaybeErased {
    fn into_maybe_erased(self) -> AnyView;
}

impl<T: RenderHtml> IntoMaybeErased for T {
    fn into_maybe_erased(self) -> AnyView {
        IntoAny::into_any(self)
    }
}

/// What the macros call to put a child into an element.
pub trait ElementChild<Child> {
    type Output;

    fn child(self, child: Child) -> Self::Output;
}

impl<Parent, Child> ElementChild<Child> for Parent
where
    Parent: leptos::prelude::ElementChild<AnyView>,
    Child: RenderHtml,
{
    type Output = <Parent as leptos::prelude::ElementChild<AnyView>>::Output;

    fn child(self, child: Child) -> Self::Output {
        leptos::prelude::ElementChild::child(self, IntoAny::into_any(child))
    }
}

/// A view whose type is forgotten.
pub struct Piece {
    kind: TypeId,
    view: Box<dyn Whole>,
}

impl Piece {
    fn of<T: RenderHtml + 'static>(view: T) -> Self {
        Self {
            kind: TypeId::of::<T>(),
            view: Box::new(view),
        }
    }

    fn standing(kind: TypeId, stands: (Box<dyn Stands>, Option<Placeholder>)) -> PieceState {
        let (stands, placeholder) = stands;
        PieceState {
            kind,
            stands,
            placeholder,
        }
    }
}

/// What can be done with a view of whatever type. A view without any node, like `()`, leaves a
/// placeholder behind, as it does in Leptos' own boxes.
trait Whole: Send {
    fn build(self: Box<Self>) -> (Box<dyn Stands>, Option<Placeholder>);
    fn hydrate(
        self: Box<Self>,
        cursor: &Cursor,
        position: &PositionState,
    ) -> (Box<dyn Stands>, Option<Placeholder>);
    fn rebuild(self: Box<Self>, state: &mut dyn Any);
}

impl<T: RenderHtml + 'static> Whole for T {
    fn build(self: Box<Self>) -> (Box<dyn Stands>, Option<Placeholder>) {
        let state = Box::new((*self).build());
        (state, (!T::EXISTS).then(Rndr::create_placeholder))
    }

    fn hydrate(
        self: Box<Self>,
        cursor: &Cursor,
        position: &PositionState,
    ) -> (Box<dyn Stands>, Option<Placeholder>) {
        let state = Box::new((*self).hydrate::<true>(cursor, position));
        let placeholder = (!T::EXISTS).then(|| cursor.next_placeholder(position));
        (state, placeholder)
    }

    fn rebuild(self: Box<Self>, state: &mut dyn Any) {
        if let Some(state) = state.downcast_mut::<T::State>() {
            (*self).rebuild(state);
        }
    }
}

/// What a view became in the document.
trait Stands: Mountable + Any {}

impl<T: Mountable + Any> Stands for T {}

/// A [`Piece`] in the document.
pub struct PieceState {
    kind: TypeId,
    stands: Box<dyn Stands>,
    placeholder: Option<Placeholder>,
}

impl Render for Piece {
    type State = PieceState;

    fn build(self) -> PieceState {
        Self::standing(self.kind, self.view.build())
    }

    fn rebuild(self, state: &mut PieceState) {
        if self.kind == state.kind {
            return self.view.rebuild(&mut *state.stands);
        }
        let mut new = self.build();
        state.insert_before_this(&mut new);
        state.unmount();
        *state = new;
    }
}

impl RenderHtml for Piece {
    type AsyncOutput = Self;
    type Owned = Self;

    const MIN_LENGTH: usize = 0;

    fn dry_resolve(&mut self) {}

    async fn resolve(self) -> Self {
        self
    }

    /// Never asked for in the browser.
    fn to_html_with_buf(
        self,
        _buf: &mut String,
        _position: &mut Position,
        _escape: bool,
        _mark_branches: bool,
        _extra_attrs: Vec<AnyAttribute>,
    ) {
    }

    fn hydrate<const FROM_SERVER: bool>(
        self,
        cursor: &Cursor,
        position: &PositionState,
    ) -> PieceState {
        Self::standing(self.kind, self.view.hydrate(cursor, position))
    }

    fn into_owned(self) -> Self {
        self
    }
}

// Attributes spread onto a box are Leptos' matter: `AnyView` puts them on the elements it finds.
no_attrs!(Piece);

impl Mountable for PieceState {
    fn unmount(&mut self) {
        self.stands.unmount();
        if let Some(placeholder) = &mut self.placeholder {
            placeholder.unmount();
        }
    }

    fn mount(&mut self, parent: &Element, marker: Option<&Node>) {
        self.stands.mount(parent, marker);
        if let Some(placeholder) = &mut self.placeholder {
            placeholder.mount(parent, marker);
        }
    }

    fn insert_before_this(&self, child: &mut dyn Mountable) -> bool {
        self.stands.insert_before_this(child)
            || self
                .placeholder
                .as_ref()
                .is_some_and(|placeholder| placeholder.insert_before_this(child))
    }

    fn elements(&self) -> Vec<Element> {
        self.stands.elements()
    }
}
