//! `cargo xtask bench`: measures the release build and prints; judges nothing but what `check`
//! already does.

use std::process::ExitCode;

use crate::{openbao, step, test, workspace::Workspace};

/// Arguments go to Playwright, to choose among the measurements (`--grep bytes`).
///
/// # Errors
/// If something is missing or a measurement cannot be made.
pub fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<ExitCode> {
    openbao::need_pip()?;
    step::run(
        "measuring",
        test::playwright(workspace)?
            .args(["--config", "bench.config.ts"])
            .args(arguments),
    )?;
    Ok(ExitCode::SUCCESS)
}
