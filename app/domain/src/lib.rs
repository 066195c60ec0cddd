//! Pure rules: what a cluster is, what is wrong with it, what may be done, what would follow.
//!
//! Nothing here does I/O, awaits, reads a clock (`now` is a parameter) or knows Leptos. The same
//! functions decide on the server and grey out buttons in the browser.

#[cfg(test)]
mod accidents;
pub mod action;
pub mod approval;
pub mod audit;
pub mod capability;
pub mod cluster;
pub mod event;
mod findings;
mod following;
mod foreseen;
pub mod groups;
pub mod health;
pub mod job;
pub mod lag;
pub mod leader;
pub mod letters;
pub mod moment;
pub mod observation;
pub mod password;
pub mod permission;
pub mod plan;
pub mod preflight;
pub mod problem;
#[cfg(test)]
mod properties;
pub mod quorum;
pub mod readiness;
mod render;
#[cfg(test)]
mod stage;
mod standing;
pub mod text;
pub mod view;
