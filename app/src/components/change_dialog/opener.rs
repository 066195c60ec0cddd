//! The button that opened the dialog, which gets the focus back when it closes.

#[cfg(feature = "hydrate")]
use leptos::{__reexports::send_wrapper::SendWrapper, prelude::*, web_sys::HtmlElement};

/// On the server it holds nothing: a page's render ends on another thread than it began on, and
/// what belongs to one thread must not be dropped there.
#[derive(Clone, Copy)]
pub struct Opener {
    #[cfg(feature = "hydrate")]
    button: StoredValue<Option<SendWrapper<HtmlElement>>>,
}

impl Opener {
    #[must_use]
    pub fn new() -> Self {
        Self {
            #[cfg(feature = "hydrate")]
            button: StoredValue::new(None),
        }
    }

    /// Remembers what has the focus now.
    #[cfg(feature = "hydrate")]
    pub fn remember(self) {
        use wasm_bindgen::JsCast;

        let focused = document().active_element();
        let focused = focused.and_then(|it| it.dyn_into().ok());
        self.button.set_value(focused.map(SendWrapper::new));
    }

    #[cfg(not(feature = "hydrate"))]
    pub fn remember(self) {}

    /// Gives the focus back. A live update may have replaced the button by another of its id.
    #[cfg(feature = "hydrate")]
    pub fn focus(self) {
        use wasm_bindgen::JsCast;

        let Some(button) = self.button.try_update_value(Option::take).flatten() else {
            return;
        };
        let button = button.take();
        let button = if button.is_connected() {
            Some(button)
        } else {
            // With the row of a removed member it is gone for good; then the page has it.
            document()
                .get_element_by_id(&button.id())
                .or_else(|| document().get_element_by_id("content"))
                .and_then(|it| it.dyn_into().ok())
        };
        if let Some(button) = button {
            let _unfocusable = button.focus();
        }
    }

    #[cfg(not(feature = "hydrate"))]
    pub fn focus(self) {}
}
