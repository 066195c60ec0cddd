//! `cargo xtask check`: what is looked at without running anything.

use std::process::{Command, ExitCode};

use anyhow::bail;

use crate::{
    bundle::Finish,
    node, site, step,
    tally::Tally,
    toolchain::{self, BROWSER},
    workspace::Workspace,
};

/// What a cold cluster page may cost over the wire: script, program and style together. Its own HTML,
/// 6 to 8 kB, comes on top; both stay well below the 300 kB that are promised.
const BUDGET: u64 = 240_000;
/// Without wasm-opt.
const BUDGET_WITHOUT_WASM_OPT: u64 = 250_000;

/// # Errors
/// None of its own: what fails is counted.
pub fn run(workspace: &Workspace) -> anyhow::Result<ExitCode> {
    let mut tally = Tally::default();
    all(workspace, &mut tally);
    Ok(tally.end())
}

/// Every check, whatever became of the one before.
fn all(workspace: &Workspace, tally: &mut Tally) {
    tally.check("format", format(workspace));
    tally.check("lints for the server", server_lints(workspace));
    tally.check(BROWSER_LINTS, browser_lints(workspace));
    tally.check(SIZE, size(workspace));
}

pub const BROWSER_LINTS: &str = "lints for the browser";
pub const SIZE: &str = "size of what the browser downloads";

/// # Errors
/// If `cargo fmt` would change anything.
pub fn format(workspace: &Workspace) -> anyhow::Result<()> {
    step::run(
        "checking the format",
        cargo(workspace).args(["fmt", "--all", "--check"]),
    )
}

fn server_lints(workspace: &Workspace) -> anyhow::Result<()> {
    step::run(
        "linting all that runs on the server",
        cargo(workspace)
            .args([
                "clippy",
                "--workspace",
                "--exclude",
                "quorate-hydrate",
                "--all-targets",
            ])
            .args(["--", "--deny", "warnings"]),
    )
}

/// # Errors
/// What the lints complain of.
pub fn browser_lints(workspace: &Workspace) -> anyhow::Result<()> {
    toolchain::need_browser_target()?;
    step::run(
        "linting all that runs in the browser",
        cargo(workspace)
            .args([
                "clippy",
                "--package",
                "quorate-hydrate",
                "--package",
                "quorate-app",
            ])
            .args(["--features", "quorate-app/hydrate", "--target", BROWSER])
            .args(["--", "--deny", "warnings"]),
    )
}

/// Builds the site.
///
/// # Errors
/// If it does not build or is too large.
pub fn size(workspace: &Workspace) -> anyhow::Result<()> {
    let folder = site::build(workspace, Finish::Release)?;
    let files = site::compressed_size(&folder)?;
    for (name, bytes) in &files {
        step::say(&format!("  {bytes:>7} bytes  {name}"));
    }
    let budget = if node::wasm_opt(workspace).is_some() {
        BUDGET
    } else {
        BUDGET_WITHOUT_WASM_OPT
    };
    let total: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    step::say(&format!("  {total:>7} bytes together, of at most {budget}"));
    if total > budget {
        bail!("the browser downloads {total} bytes, more than {budget}");
    }
    Ok(())
}

fn cargo(workspace: &Workspace) -> Command {
    let mut command = toolchain::cargo();
    command.current_dir(workspace.root());
    command
}
