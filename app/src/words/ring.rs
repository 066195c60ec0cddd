//! The ring in words, for those who do not see it.

pub const NOTHING_KNOWN: &str = "No membership is known.";
pub const IN_STEP: &str = "in step";
pub const CHANGED: &str = "changed";
pub const BEHIND: &str = "behind";
pub const ANSWERING: &str = "answering with a lag not known";
pub const SILENT: &str = "not answering";
pub const UNKNOWN: &str = "unknown";
pub const LEARNER: &str = "learner";
pub const LEARNERS: &str = "learners";
pub const JOINT: &str = "two voter sets at once";

/// "4 of 5 voters answer, 3 are needed:"
#[must_use]
pub fn answering(answering: u32, voters: u32, majority: u32) -> String {
    let needed = if majority == 1 { "is" } else { "are" };
    format!("{answering} of {voters} voters answer, {majority} {needed} needed:")
}
