//! `cargo xtask fuzz`: what reads texts from outside, under coverage-guided fuzzing.
//!
//! The corpus in the repository is only read; what a run finds is kept under `fuzz/target`. A text
//! that does harm ends the run and is named: once mended, it goes into the corpus, which every
//! `cargo test` plays again.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, bail};

use crate::{step, workspace::Workspace};

/// libFuzzer is reached by options of the compiler that only a nightly one knows.
const TOOLCHAIN: &str = "nightly";
const SECONDS: u32 = 60;

/// What one target came to.
#[derive(Default)]
struct Tally {
    executions: String,
    edges: String,
}

/// # Errors
/// If something is missing (it says how to get it), or a text does harm.
pub fn run(workspace: &Workspace, arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let (chosen, seconds) = asked(arguments)?;
    let folder = workspace.path("fuzz");
    let targets: Vec<String> = targets(&folder)?
        .into_iter()
        .filter(|name| chosen.is_none_or(|chosen| chosen == name))
        .collect();
    if targets.is_empty() {
        bail!("there is no such target; see fuzz/fuzz_targets");
    }
    need()?;
    build(&folder)?;
    let mut told = Vec::new();
    for target in &targets {
        let tally = one(&folder, target, seconds)?;
        told.push(format!(
            "{target}: {} executions, {} edges",
            tally.executions, tally.edges
        ));
    }
    for line in told {
        step::say(&line);
    }
    Ok(ExitCode::SUCCESS)
}

fn asked<'a>(arguments: &[&'a str]) -> anyhow::Result<(Option<&'a str>, u32)> {
    let (mut chosen, mut seconds) = (None, SECONDS);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if *argument == "--seconds" {
            let text = rest.next().context("--seconds wants a number")?;
            seconds = text.parse().context("--seconds wants a number")?;
        } else if chosen.is_none() && !argument.starts_with('-') {
            chosen = Some(*argument);
        } else {
            bail!("usage: cargo xtask fuzz [TARGET] [--seconds {SECONDS}]");
        }
    }
    Ok((chosen, seconds))
}

fn targets(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for file in fs::read_dir(folder.join("fuzz_targets"))? {
        if let Some(name) = file?.path().file_stem() {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn need() -> anyhow::Result<()> {
    if !step::works("rustup", &["run", TOOLCHAIN, "rustc", "--version"]) {
        bail!(
            "fuzzing needs the Rust toolchain `{TOOLCHAIN}`: \
             `rustup toolchain install {TOOLCHAIN} --profile minimal`"
        );
    }
    if !step::works("cargo", &["fuzz", "--version"]) {
        bail!("fuzzing needs cargo-fuzz: `cargo install cargo-fuzz --locked`");
    }
    Ok(())
}

/// All targets at once, so that one that does not compile is not taken for a text that does harm.
fn build(folder: &Path) -> anyhow::Result<()> {
    step::say("compiling what is fuzzed");
    if !cargo_fuzz(folder, "build").status()?.success() {
        bail!("the targets do not compile");
    }
    Ok(())
}

fn cargo_fuzz(folder: &Path, verb: &str) -> Command {
    let mut command = Command::new("rustup");
    // Nothing of the toolchain that runs this program.
    for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "CARGO_TARGET_DIR"] {
        command.env_remove(name);
    }
    // Our code has no `unsafe`: nothing for a sanitizer of memory to find, and much time saved.
    // Flags set here replace those of `.cargo/config.toml`, and the pages need theirs.
    command
        .env("RUSTFLAGS", "--cfg erase_components")
        .current_dir(folder)
        .args(["run", TOOLCHAIN, "cargo", "fuzz", verb])
        .args(["--sanitizer", "none", "--fuzz-dir", "."])
        .stdin(Stdio::null());
    command
}

fn one(folder: &Path, target: &str, seconds: u32) -> anyhow::Result<Tally> {
    step::say(&format!("fuzzing {target} for {seconds} s"));
    let found = folder.join("target/found").join(target);
    fs::create_dir_all(&found)?;
    let mut command = cargo_fuzz(folder, "run");
    command
        .arg(target)
        .arg(&found)
        .arg(folder.join("corpus").join(target))
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .args(["-print_final_stats=1", "-max_len=16384", "-timeout=10"])
        .stderr(Stdio::piped());
    let mut child = command.spawn().context("could not start rustup")?;
    let errors = child.stderr.take().context("its output is not there")?;
    let mut tally = Tally::default();
    for line in BufReader::new(errors).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        eprintln!("{line}");
        tally.read(&line);
    }
    if !child.wait()?.success() {
        bail!("{target}: a text does harm; it is named above");
    }
    Ok(tally)
}

impl Tally {
    fn read(&mut self, line: &str) {
        if let Some(number) = line.strip_prefix("stat::number_of_executed_units:") {
            number.trim().clone_into(&mut self.executions);
        }
        let mut words = line.split_whitespace();
        if line.starts_with('#')
            && words.any(|word| word == "cov:")
            && let Some(edges) = words.next()
        {
            edges.clone_into(&mut self.edges);
        }
    }
}
