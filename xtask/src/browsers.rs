//! The browser the journeys run in: the system's own Chromium.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::packages;

const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// The browser's path, installed if need be. `QUORATE_TEST_CHROMIUM` names another one.
///
/// # Errors
/// If there is none and none can be installed.
pub fn need() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("QUORATE_TEST_CHROMIUM") {
        return Ok(path.into());
    }
    if let Some(path) = find() {
        return Ok(path);
    }
    packages::install("the journeys need Chromium", &["chromium"])?;
    find().context("Chromium was installed, but is not on the path")
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| NAMES.map(|name| folder.join(name)))
        .find(|candidate| candidate.is_file())
}
