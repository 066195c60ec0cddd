//! The embedded default cluster: a small replicated key-value program on openraft.
//!
//! Each node is a process ([`node`]); [`supervisor`] starts, restarts and ends them. The program
//! knows nothing of the console: what the console sees of it, it sees through the agent that each
//! node embeds.

mod client;
mod faults;
mod host;
mod identity;
mod load;
mod log;
mod machine;
mod network;
pub mod node;
mod routes;
mod snapshot;
pub mod supervisor;
pub mod types;
mod writer;

pub use log::LogStore;
pub use machine::Machine;
