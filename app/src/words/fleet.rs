//! The words of the fleet page.
