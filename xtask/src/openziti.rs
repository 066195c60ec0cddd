//! The stand-in for OpenZiti's controllers that journeys run against: an example of the drivers', as the
//! build of the tests has made it.

use std::path::PathBuf;

use anyhow::bail;

use crate::workspace::Workspace;

/// Tells the journeys where it is.
pub const STAND_IN: &str = "QUORATE_TEST_OPENZITI";

/// The program.
///
/// # Errors
/// If it is not there.
pub fn stand_in(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let examples = workspace.target().join("debug/examples");
    let stand_in = examples.join("openziti_stand_in");
    if !stand_in.is_file() {
        bail!("{} is not there", stand_in.display());
    }
    Ok(stand_in)
}
