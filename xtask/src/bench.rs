//! `cargo xtask bench`: measures the release build and prints; judges nothing but what `check`
//! already does.

use std::process::ExitCode;

use crate::{browsers, compile, node, openbao, step, test, workspace::Workspace};

/// Arguments go to Playwright, to choose among the measurements (`--grep bytes`).
///
/// # Errors
/// If something is missing or a measurement cannot be made.
pub fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<ExitCode> {
    node::need_journeys(workspace)?;
    let chromium = browsers::need()?;
    let bao = openbao::need(workspace)?;
    let program = compile::release(workspace)?;
    step::run(
        "measuring",
        test::playwright(workspace, &program, &chromium)
            .args(["--config", "bench.config.ts"])
            .args(arguments)
            .env("QUORATE_BAO", bao),
    )?;
    Ok(ExitCode::SUCCESS)
}
