//! The browser's program: compiled, bound to JavaScript, made small.

use std::{
    cmp::Reverse,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context as _, anyhow, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::{
    glue, step,
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

/// The browser's program: files that name each other.
pub struct Bundle {
    /// By name; [`SCRIPT`] and [`WASM`] are what a page starts with, the rest comes when needed.
    pub files: Vec<(String, Vec<u8>)>,
}

pub const SCRIPT: &str = "quorate.js";
pub const WASM: &str = "quorate_bg.wasm";
/// Loaded by [`SCRIPT`]; knows the parts of the program that come later.
pub const PARTS: &str = "quorate_pages.js";

/// What wasm32 code of this Rust may use, said once more because wasm-opt believes nobody.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// They make fewer bytes that are less alike: more once compressed. The compiler has inlined already.
const LEFT_OUT: [&str; 2] = ["--skip-pass=inlining-optimizing", "--skip-pass=local-cse"];

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
            "rustc",
            "--package",
            "quorate-hydrate",
            "--profile",
            profile,
            "--target",
            BROWSER,
            "--",
            // Without relocations nobody could tell which code belongs to which page.
            "-Clink-args=--emit-relocs",
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
    let main = split(compiled, &folder)?;
    Bindgen::new()
        .input_path(main)
        .web(true)
        .map_err(|error| anyhow::anyhow!("{error:#}"))?
        .out_name("quorate")
        .typescript(false)
        .omit_default_module_path(false)
        // The split parts find the main one by its symbols.
        .keep_lld_exports(true)
        .demangle(false)
        .remove_name_section(small)
        .remove_producers_section(small)
        .keep_debug(!small)
        .generate(&folder)
        .map_err(|error| anyhow::anyhow!("wasm-bindgen: {error:#}"))?;
    if folder.join("snippets").exists() {
        bail!("a dependency brings JavaScript of its own; only wasm-bindgen's is served");
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.is_file() && !path.ends_with(MAIN) {
            paths.push(path);
        }
    }
    let mut files = match wasm_opt {
        Some(script) if small => shrunk(script, paths)?,
        _ => paths
            .iter()
            .map(|path| read(path, path))
            .collect::<anyhow::Result<_>>()?,
    };
    files.sort();
    if small {
        make_glue_small(&mut files);
    }
    warn_of_parts(&mut files)?;
    Ok(Bundle { files })
}

/// A part that does not come is said on the page. Where the page is left while its parts are still
/// on their way it is no fault at all: to the browser's console it is a warning, never an error.
fn warn_of_parts(files: &mut [(String, Vec<u8>)]) -> anyhow::Result<()> {
    let parts = files.iter_mut().find(|(name, _)| name == PARTS);
    let (_, script) = parts.context("the script of the lazy parts is not there")?;
    let text = String::from_utf8_lossy(script);
    if !text.contains("console.error(e)") {
        bail!("the script of the lazy parts tells of a failure in another way now");
    }
    *script = text
        .replace("console.error(e)", "console.warn(e)")
        .into_bytes();
    Ok(())
}

fn make_glue_small(files: &mut [(String, Vec<u8>)]) {
    let script = files.iter().find(|(name, _)| name == SCRIPT);
    let script = script.map(|(_, script)| String::from_utf8_lossy(script).into_owned());
    glue::number_names(&script.unwrap_or_default(), files);
    for (_, script) in files.iter_mut().filter(|(name, _)| name.ends_with(".js")) {
        *script = glue::squeeze(&String::from_utf8_lossy(script)).into_bytes();
    }
}

/// Before wasm-bindgen has been over it.
const MAIN: &str = "main.wasm";

/// Takes what only lazy pages need into files of their own; the path of the rest.
fn split(compiled: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let input = fs::read(compiled)?;
    let main = folder.join(MAIN);
    let mut options = wasm_split_cli_support::Options::new(&input);
    options.output_dir = folder;
    options.main_out_path = &main;
    options.main_module = "./quorate.js";
    options.link_name = "./quorate_pages.js";
    let split = wasm_split_cli_support::transform(options)
        .map_err(|error| anyhow::anyhow!("splitting by page: {error:#}"))?;
    step::say(&format!(
        "split off {} parts for lazy pages",
        split.split_modules.len()
    ));
    Ok(main)
}

/// The file under its own name, as it is at `now`.
fn read(path: &Path, now: &Path) -> anyhow::Result<(String, Vec<u8>)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok((name.into_owned(), fs::read(now)?))
}

/// All files, the programs among them made small: as many at once as there are cores, the largest
/// first. Each is a program of its own, and Node uses one core.
fn shrunk(script: &Path, mut paths: Vec<PathBuf>) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    paths.sort_by_key(|path| Reverse(fs::metadata(path).map_or(0, |data| data.len())));
    let next = AtomicUsize::new(0);
    let take = || {
        let mut files = Vec::new();
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            let small = match path.extension() {
                Some(end) if end == "wasm" => shrink(script, path)?,
                _ => path.clone(),
            };
            files.push(read(path, &small)?);
        }
        anyhow::Ok(files)
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(take)).collect();
        let mut files = Vec::new();
        for worker in workers {
            let taken = worker
                .join()
                .map_err(|_| anyhow!("wasm-opt: it panicked"))?;
            files.extend(taken?);
        }
        Ok(files)
    })
}

fn shrink(script: &Path, bound: &Path) -> anyhow::Result<PathBuf> {
    let name = bound.file_name().unwrap_or_default().to_string_lossy();
    let folder = bound.with_file_name("small");
    fs::create_dir_all(&folder)?;
    let out = folder.join(&*name);
    step::run(
        &format!("making {name} small (wasm-opt -Oz)"),
        Command::new("node")
            .arg(script)
            .arg(bound)
            .arg("-Oz")
            .args(LEFT_OUT)
            .args(FEATURES)
            .arg("--output")
            .arg(&out),
    )
    .context("wasm-opt")?;
    Ok(out)
}
