//! `cargo xtask test`: every check and every test, and their number.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, bail};

use crate::{
    browsers, check, compile, etcd, golang, node, openbao, step, tally::Tally, toolchain,
    workspace::Workspace,
};

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    Usual,
    /// With the slow rounds: cargo tests see `QUORATE_TEST_SLOW=1`, journeys marked `@slow` run.
    All,
}

impl Extent {
    /// Lets what is run know.
    pub fn tell(self, command: &mut Command) {
        if self == Self::All {
            command.env("QUORATE_TEST_SLOW", "1");
        }
    }
}

/// # Errors
/// None of its own: what fails is counted, and the rest still runs.
pub fn run(workspace: &Workspace, extent: Extent) -> anyhow::Result<ExitCode> {
    let mut tally = Tally::default();
    step::say("test: checks, tests of all crates, a release build, journeys in a browser");
    // Tests that find no OpenBao say so and pass; here that is a failure.
    if let Err(error) = openbao::need_pip() {
        tally.fail(format!("OpenBao: {error:#}"));
    }
    if let Err(error) = etcd::need() {
        tally.fail(format!("etcd: {error:#}"));
    }
    check::all(workspace, &mut tally);
    let go = match golang::need(workspace) {
        Ok(go) => go,
        Err(error) => {
            tally.fail(format!("Go: {error:#}"));
            None
        }
    };
    tally.check("agents in Go", golang::check(workspace, go.as_deref()));
    if let Err(error) = golang::test(workspace, go.as_deref(), extent, &mut tally) {
        tally.fail(format!("go test: {error:#}"));
    }
    if let Err(error) = crates(workspace, extent, go.as_deref(), &mut tally) {
        tally.fail(format!("cargo test: {error:#}"));
    }
    if let Err(error) = journeys(workspace, extent, &mut tally) {
        tally.fail(format!("journeys: {error:#}"));
    }
    Ok(tally.end())
}

/// The tests of every crate that runs on the server; the browser's has none of its own.
fn crates(
    workspace: &Workspace,
    extent: Extent,
    go: Option<&Path>,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    step::say("testing all crates");
    let mut command = toolchain::cargo();
    command
        .current_dir(workspace.root())
        .args([
            "test",
            "--workspace",
            "--exclude",
            "quorate-hydrate",
            "--no-fail-fast",
        ])
        .stdout(Stdio::piped());
    extent.tell(&mut command);
    golang::on_path(&mut command, go);
    let mut child = command.spawn().context("could not start cargo")?;
    let out = child.stdout.take().context("cargo's output is not there")?;
    let mut results = 0;
    for line in BufReader::new(out).lines() {
        let line = line?;
        eprintln!("{line}");
        if tally.read_cargo(&line) {
            results += 1;
        }
    }
    let status = child.wait()?;
    // Failed tests are counted already; a crate that did not compile has counted nothing.
    if results == 0 || (!status.success() && !tally.has_failures()) {
        bail!("ended with {status}");
    }
    Ok(())
}

/// Playwright's journeys against the release build.
fn journeys(workspace: &Workspace, extent: Extent, tally: &mut Tally) -> anyhow::Result<()> {
    let report = workspace.target().join("journeys.json");
    let _ = fs::remove_file(&report);
    let mut command = playwright(workspace)?;
    command.env("PLAYWRIGHT_JSON_OUTPUT_FILE", &report);
    extent.tell(&mut command);
    if extent == Extent::Usual {
        command.args(["--grep-invert", "@slow"]);
    }
    let ended = step::run(
        "journeys in Chromium, on the demo cluster and on OpenBao",
        &mut command,
    );
    let report = fs::read(&report)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
    let Some(report) = report else {
        ended?;
        bail!("no report was written");
    };
    let stats = |key: &str| report["stats"][key].as_u64().unwrap_or(0);
    let failed = stats("unexpected") + stats("flaky");
    tally.add("journeys", stats("expected"), failed);
    if stats("expected") + failed == 0 {
        bail!("none ran");
    }
    if failed == 0 {
        ended?;
    }
    Ok(())
}

/// Playwright, with all that journeys and measurements need built and fetched.
///
/// # Errors
/// If something does not build or cannot be fetched.
pub fn playwright(workspace: &Workspace) -> anyhow::Result<Command> {
    node::need_journeys(workspace)?;
    let chromium = browsers::need()?;
    let program = compile::release(workspace)?;
    let launcher = openbao::launcher(workspace)?;
    let mut command = Command::new("npx");
    command
        .current_dir(workspace.path("end2end"))
        .args(["--no-install", "playwright", "test"])
        .env("QUORATE_TEST_PROGRAM", program)
        .env("QUORATE_TEST_CHROMIUM", chromium)
        .env("QUORATE_TEST_OPENBAO", launcher);
    Ok(command)
}
