//! The Rust side of what is needed: cargo itself and the browser's target.

use std::{path::Path, process::Command};

use anyhow::bail;

use crate::step;

pub const BROWSER: &str = "wasm32-unknown-unknown";

/// The cargo that runs this program, else the one on the path.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Sees to it that code for the browser can be compiled. `rust-toolchain.toml` names the target,
/// but not every rustup installs what that file names.
///
/// # Errors
/// If the target is missing and there is no rustup to add it.
pub fn need_browser_target() -> anyhow::Result<()> {
    if has_browser_target() {
        return Ok(());
    }
    if !step::works("rustup", &["--version"]) {
        bail!(
            "the Rust target {BROWSER} is missing and there is no rustup to add it; \
             install Rust by rustup, or the standard library for {BROWSER} beside your Rust"
        );
    }
    step::run(
        &format!("adding the Rust target {BROWSER}"),
        Command::new("rustup").args(["target", "add", BROWSER]),
    )
}

fn has_browser_target() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    step::answer(rustc, &["--print", "sysroot"]).is_some_and(|sysroot| {
        Path::new(&sysroot)
            .join("lib/rustlib")
            .join(BROWSER)
            .join("lib")
            .is_dir()
    })
}
