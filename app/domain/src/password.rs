//! How long a password is: the same for the form that asks for one and for the console that takes it.

/// Characters a password has at least.
pub const SHORTEST: usize = 12;
/// Characters a password has at most.
pub const LONGEST: usize = 128;
