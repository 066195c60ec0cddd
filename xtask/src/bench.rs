//! `cargo xtask bench`: measures the release build and prints; judges nothing but what `check`
//! already does.

use std::process::ExitCode;

use crate::{openbao, step, test, toolchain, workspace::Workspace};

/// `audit` measures the audit log alone. Other arguments go to Playwright, to choose among the
/// measurements (`--grep bytes`).
///
/// # Errors
/// If something is missing or a measurement cannot be made.
pub fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<ExitCode> {
    if arguments.is_empty() || arguments == ["audit"] {
        step::run(
            "measuring the audit log",
            toolchain::cargo().current_dir(workspace.root()).args([
                "run",
                "--release",
                "--package",
                "quorate-control",
                "--example",
                "audit_bench",
            ]),
        )?;
    }
    if arguments == ["audit"] {
        return Ok(ExitCode::SUCCESS);
    }
    openbao::need_pip()?;
    step::run(
        "measuring",
        test::playwright(workspace)?
            .env(openbao::LAUNCHER, openbao::launcher(workspace)?)
            .args(["--config", "bench.config.ts"])
            .args(arguments),
    )?;
    Ok(ExitCode::SUCCESS)
}
