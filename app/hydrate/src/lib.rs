//! The browser's entry point: nothing but the call into the app.

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
pub fn hydrate(base: String) {
    quorate_app::hydrate(base);
}
