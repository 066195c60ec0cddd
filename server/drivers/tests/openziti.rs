//! OpenZiti: the driver against stand-ins for its controllers, and both against upstream's own
//! description of the API. No test here has met a real controller.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "openziti/accidents.rs"]
mod accidents;
#[path = "openziti/bad_input.rs"]
mod bad_input;
#[path = "openziti/check.rs"]
mod check;
#[path = "openziti/described.rs"]
mod described;
#[path = "openziti/description.rs"]
mod description;
#[path = "openziti/faults.rs"]
mod faults;
mod openziti_stand_in;
#[path = "openziti/rounds.rs"]
mod rounds;
#[path = "openziti/sessions.rs"]
mod sessions;
#[path = "openziti/stage.rs"]
mod stage;
