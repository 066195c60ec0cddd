//! `/` goes to the filter; inside the table `j` and `k` go down and up.

#[cfg(not(feature = "hydrate"))]
pub fn listen() {}

#[cfg(feature = "hydrate")]
pub fn listen() {
    use leptos::{ev, prelude::*};

    use crate::components::keys_switch::are_on;

    Effect::new(|_| {
        let handle = window_event_listener(ev::keydown, |event| {
            if event.ctrl_key() || event.meta_key() || event.alt_key() || is_typing() || !are_on() {
                return;
            }
            let moved = match event.key().as_str() {
                "/" => focus("#fleet-filter"),
                "j" => step(Direction::Down),
                "k" => step(Direction::Up),
                _ => false,
            };
            if moved {
                event.prevent_default();
            }
        });
        on_cleanup(move || handle.remove());
    });
}

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::prelude::document;
    use wasm_bindgen::JsCast;
    use web_sys::HtmlElement;

    pub enum Direction {
        Down,
        Up,
    }

    pub fn is_typing() -> bool {
        document().active_element().is_some_and(|element| {
            matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT")
        }) || document()
            .query_selector("dialog[open]")
            .ok()
            .flatten()
            .is_some()
    }

    pub fn focus(selector: &str) -> bool {
        let element = document().query_selector(selector).ok().flatten();
        let element = element.and_then(|element| element.dyn_into::<HtmlElement>().ok());
        element.is_some_and(|element| element.focus().is_ok())
    }

    /// From the row that has the focus to its neighbour; single letters do nothing elsewhere.
    pub fn step(direction: Direction) -> bool {
        let here = document()
            .active_element()
            .and_then(|e| e.closest(".fleet tbody tr").ok());
        let Some(row) = here.flatten() else {
            return false;
        };
        let next = match direction {
            Direction::Down => row.next_element_sibling(),
            Direction::Up => row.previous_element_sibling(),
        };
        let link = next.and_then(|row| row.query_selector("a").ok().flatten());
        let link = link.and_then(|link| link.dyn_into::<HtmlElement>().ok());
        link.is_some_and(|link| link.focus().is_ok())
    }
}

#[cfg(feature = "hydrate")]
use browser::{Direction, focus, is_typing, step};
