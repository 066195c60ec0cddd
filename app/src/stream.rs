//! The browser's end of the live document.

pub fn follow() {}
