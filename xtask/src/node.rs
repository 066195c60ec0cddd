//! Node and what comes by npm: wasm-opt for release builds, Playwright for the journeys.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{packages, step, workspace::Workspace};

/// Changing it rebuilds the site.
const BINARYEN: &str = "132.0.0";

pub fn is_there() -> bool {
    step::works("node", &["--version"]) && step::works("npm", &["--version"])
}

/// # Errors
/// If Node is missing and cannot be installed.
pub fn need() -> anyhow::Result<()> {
    if is_there() {
        return Ok(());
    }
    packages::install(
        "the journeys need Node 18 or newer, with npm",
        &["nodejs", "npm"],
    )
}

/// `wasm-opt` as a script for Node, fetched the first time; `None`, and why, where that fails:
/// the bundle works without it and is a third larger.
pub fn wasm_opt(workspace: &Workspace) -> Option<PathBuf> {
    let folder = workspace.tools().join(format!("binaryen-{BINARYEN}"));
    let script = folder.join("node_modules/binaryen/bin/wasm-opt");
    if !is_there() {
        step::say(
            "no Node here: the browser's bundle is not passed through wasm-opt (larger, same function)",
        );
        return None;
    }
    if script.is_file() {
        return Some(script);
    }
    let fetched = fs::create_dir_all(&folder)
        .map_err(anyhow::Error::from)
        .and_then(|()| {
            step::run(
                &format!(
                    "fetching wasm-opt (npm package binaryen {BINARYEN}) into {}",
                    folder.display()
                ),
                npm(&folder)
                    .args(["install", "--no-save", "--ignore-scripts"])
                    .arg(format!("binaryen@{BINARYEN}")),
            )
        });
    match fetched {
        Ok(()) => Some(script),
        Err(error) => {
            step::say(&format!(
                "wasm-opt could not be fetched ({error:#}): going on without it"
            ));
            None
        }
    }
}

/// Playwright and what else the journeys import, exactly as locked.
///
/// # Errors
/// Whatever npm complains of.
pub fn need_journeys(workspace: &Workspace) -> anyhow::Result<()> {
    need()?;
    let folder = workspace.path("end2end");
    let lock = fs::read(folder.join("package-lock.json"))?;
    let mark = folder.join("node_modules/.locked");
    if fs::read(&mark).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    step::run(
        "installing the journeys' npm packages (Playwright, axe)",
        npm(&folder).args(["ci", "--ignore-scripts"]),
    )?;
    fs::write(mark, lock)?;
    Ok(())
}

fn npm(folder: &Path) -> Command {
    let mut command = Command::new("npm");
    command
        .current_dir(folder)
        .args([
            "--no-audit",
            "--no-fund",
            "--no-update-notifier",
            "--prefix",
        ])
        .arg(folder)
        .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
    command
}
