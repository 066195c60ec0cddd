//! `cargo xtask demo`: build, then become the demo.

use std::{
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use anyhow::Context as _;

use crate::{compile, step, workspace::Workspace};

/// Returns only if the program cannot be started: signals then reach the demo itself.
///
/// # Errors
/// If the build fails or the program cannot be started.
pub fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let program = compile::release(workspace)?;
    step::say("starting the demo: its address, a one-time sign-in link, then its nodes");
    let error = Command::new(&program).arg("demo").args(arguments).exec();
    Err(error).with_context(|| format!("could not start {}", program.display()))
}
