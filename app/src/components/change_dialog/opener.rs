//! The button that opened the dialog, which gets the focus back when it closes.

use leptos::{prelude::*, web_sys::HtmlElement};

#[derive(Clone, Copy)]
pub struct Opener(StoredValue<Option<HtmlElement>, LocalStorage>);

impl Opener {
    #[must_use]
    pub fn new() -> Self {
        Self(StoredValue::new_local(None))
    }

    /// Remembers what has the focus now.
    #[cfg(feature = "hydrate")]
    pub fn remember(self) {
        use wasm_bindgen::JsCast;

        let focused = document().active_element();
        self.0.set_value(focused.and_then(|it| it.dyn_into().ok()));
    }

    #[cfg(not(feature = "hydrate"))]
    pub fn remember(self) {}

    /// Gives the focus back. A live update may have replaced the button by another of its id.
    #[cfg(feature = "hydrate")]
    pub fn focus(self) {
        use wasm_bindgen::JsCast;

        let Some(button) = self.0.try_update_value(Option::take).flatten() else {
            return;
        };
        let button = if button.is_connected() {
            Some(button)
        } else {
            document()
                .get_element_by_id(&button.id())
                .and_then(|it| it.dyn_into().ok())
        };
        if let Some(button) = button {
            let _unfocusable = button.focus();
        }
    }

    #[cfg(not(feature = "hydrate"))]
    pub fn focus(self) {}
}
