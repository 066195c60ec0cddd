//! The console as the browser sees it.

pub mod live;
