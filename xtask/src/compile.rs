//! The console as one program with the site inside.

use std::{fs, path::PathBuf};

use crate::{bundle::Finish, site, step, toolchain, workspace::Workspace};

/// `target/release/quorate`.
///
/// # Errors
/// If anything does not build.
pub fn release(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let built = console(workspace, Finish::Release, &["--release"], "release")?;
    let program = workspace.program();
    if built != program {
        if let Some(folder) = program.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(&built, &program)?;
    }
    Ok(program)
}

/// `target/debug/quorate`.
///
/// # Errors
/// If anything does not build.
pub fn debug(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    console(workspace, Finish::Development, &[], "debug")
}

fn console(
    workspace: &Workspace,
    finish: Finish,
    profile: &[&str],
    folder: &str,
) -> anyhow::Result<PathBuf> {
    let site = site::build(workspace, finish)?;
    step::run(
        "compiling the console with the site inside (minutes the first time)",
        toolchain::cargo()
            .current_dir(workspace.root())
            .args(["build", "--package", "quorate", "--bin", "quorate"])
            .args(profile)
            .env("QUORATE_SITE", &site),
    )?;
    Ok(workspace.target().join(folder).join("quorate"))
}
