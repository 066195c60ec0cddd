//! The browser's program: compiled, bound to JavaScript, made small.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::{
    step,
    toolchain::{self, BROWSER},
    workspace::Workspace,
};

/// How the browser's program is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Small, for everybody.
    Release,
    /// Quick to build, for working on it.
    Development,
}

/// The two files a page loads.
pub struct Bundle {
    pub script: String,
    pub wasm: Vec<u8>,
}

/// What wasm32 code of this Rust may use, said once more because wasm-opt believes nobody.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// Compiles the crate `quorate-hydrate`; quick if nothing changed.
///
/// # Errors
/// If it does not compile.
pub fn compile(workspace: &Workspace, finish: Finish) -> anyhow::Result<PathBuf> {
    toolchain::need_browser_target()?;
    let (profile, folder) = match finish {
        Finish::Release => ("wasm-release", "wasm-release"),
        Finish::Development => ("dev", "debug"),
    };
    step::run(
        "compiling the browser's program",
        toolchain::cargo().current_dir(workspace.root()).args([
            "build",
            "--package",
            "quorate-hydrate",
            "--profile",
            profile,
            "--target",
            BROWSER,
        ]),
    )?;
    Ok(workspace
        .target()
        .join(BROWSER)
        .join(folder)
        .join("quorate_hydrate.wasm"))
}

/// Writes the JavaScript for compiled code and, for a release, makes the code smaller.
///
/// # Errors
/// If the code was not made for this version of wasm-bindgen, or wasm-opt fails.
pub fn bind(
    workspace: &Workspace,
    compiled: &Path,
    finish: Finish,
    wasm_opt: Option<&Path>,
) -> anyhow::Result<Bundle> {
    step::say("binding it to JavaScript");
    let folder = workspace.target().join("bundle");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let small = finish == Finish::Release;
    Bindgen::new()
        .input_path(compiled)
        .web(true)
        .map_err(|error| anyhow::anyhow!("{error:#}"))?
        .out_name("quorate")
        .typescript(false)
        .omit_default_module_path(false)
        .remove_name_section(small)
        .remove_producers_section(small)
        .keep_debug(!small)
        .generate(&folder)
        .map_err(|error| anyhow::anyhow!("wasm-bindgen: {error:#}"))?;
    if folder.join("snippets").exists() {
        bail!("a dependency brings JavaScript of its own; only wasm-bindgen's is served");
    }
    let bound = folder.join("quorate_bg.wasm");
    let smallest = match wasm_opt {
        Some(script) if small => shrink(script, &bound)?,
        _ => bound,
    };
    Ok(Bundle {
        script: fs::read_to_string(folder.join("quorate.js"))?,
        wasm: fs::read(smallest)?,
    })
}

fn shrink(script: &Path, bound: &Path) -> anyhow::Result<PathBuf> {
    let out = bound.with_file_name("quorate_small.wasm");
    step::run(
        "making it small (wasm-opt -Oz)",
        Command::new("node")
            .arg(script)
            .arg(bound)
            .arg("-Oz")
            .args(FEATURES)
            .arg("--output")
            .arg(&out),
    )
    .context("wasm-opt")?;
    Ok(out)
}
