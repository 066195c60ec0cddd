//! Every sentence the console says, by code, in one catalogue. English now, other languages to
//! follow: no other module may hold words meant for people.

mod changes;
mod clusters;
mod console;
mod etcd;
mod figures;
mod findings;
mod groups;
mod reasons;

pub use changes::*;
pub use clusters::*;
pub use console::*;
pub use etcd::is_command;
pub use figures::*;
pub use findings::*;
pub use groups::*;
pub use reasons::*;
