//! The browser's entry point: nothing but the call into the app.

#![allow(unsafe_code, reason = "wasm-bindgen's macro writes an exported symbol")]

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
pub fn hydrate() {
    quorate_app::hydrate();
}
