//! `cargo xtask test`: every check and every test, and their number.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, ExitCode, Stdio},
    thread,
};

use anyhow::{Context as _, anyhow, bail};

use crate::{
    browsers, check, compile, etcd, golang, node, openbao, proxies, step,
    tally::Tally,
    toolchain,
    unsteady::{self, CargoRun},
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
    if let Err(error) = proxies::journeys(workspace, extent, &mut tally) {
        tally.fail(format!("journeys behind proxies: {error:#}"));
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
    let all = [
        "--workspace",
        "--exclude",
        "quorate-hydrate",
        "--no-fail-fast",
    ];
    let (run, results, ended) = cargo_tests(workspace, extent, go, &all, Some(tally))?;
    // Failed tests are counted already; a crate that did not compile has counted nothing.
    if results == 0 || (ended.is_err() && !run.has_failures()) {
        return ended.and_then(|()| bail!("no test ran"));
    }
    let Some((names, targets)) = run.again() else {
        return Ok(());
    };
    let mut steady = CargoRun::default();
    for target in targets {
        step::say(&format!("once more, alone: {}", target.join(" ")));
        let mut arguments: Vec<_> = target.iter().map(String::as_str).collect();
        arguments.extend(["--", "--exact"]);
        arguments.extend(names.iter().map(String::as_str));
        let (alone, _, ended) = cargo_tests(workspace, extent, go, &arguments, None)?;
        steady.join(alone);
        if ended.is_err() {
            return Ok(());
        }
    }
    if steady.has_passed(names) {
        tally.steadied("cargo test", names);
    }
    Ok(())
}

/// One run of `cargo test`: what it said, how many programs gave a result, and how it ended.
fn cargo_tests(
    workspace: &Workspace,
    extent: Extent,
    go: Option<&Path>,
    arguments: &[&str],
    mut tally: Option<&mut Tally>,
) -> anyhow::Result<(CargoRun, usize, anyhow::Result<()>)> {
    let mut command = toolchain::cargo();
    command
        .current_dir(workspace.root())
        .arg("test")
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    extent.tell(&mut command);
    golang::on_path(&mut command, go);
    let mut child = command.spawn().context("could not start cargo")?;
    let out = child.stdout.take().context("cargo's output is not there")?;
    let err = child
        .stderr
        .take()
        .context("cargo's errors are not there")?;
    let errors = thread::spawn(move || {
        let mut lines = Vec::new();
        for line in BufReader::new(err).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            eprintln!("{line}");
            lines.push(line);
        }
        lines
    });
    let (mut run, mut results) = (CargoRun::default(), 0);
    for line in BufReader::new(out).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        eprintln!("{line}");
        run.read_out(&line);
        if let Some(tally) = &mut tally {
            results += usize::from(tally.read_cargo(&line));
        }
    }
    let status = child.wait()?;
    for line in errors.join().unwrap_or_default() {
        run.read_err(&line);
    }
    let ended = if status.success() {
        Ok(())
    } else {
        Err(anyhow!("ended with {status}"))
    };
    Ok((run, results, ended))
}

/// Playwright's journeys against the release build.
fn journeys(workspace: &Workspace, extent: Extent, tally: &mut Tally) -> anyhow::Result<()> {
    let mut command = playwright(workspace)?;
    let text = "journeys in Chromium, on the demo cluster and on OpenBao";
    counted(workspace, text, "journeys", &mut command, extent, tally)
}

/// Runs journeys and counts them under `name`.
///
/// # Errors
/// If none ran, or the runner failed although no journey did.
pub fn counted(
    workspace: &Workspace,
    text: &str,
    name: &str,
    command: &mut Command,
    extent: Extent,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let report = workspace.target().join(format!("{name}.json"));
    let _ = fs::remove_file(&report);
    command.env("PLAYWRIGHT_JSON_OUTPUT_FILE", &report);
    extent.tell(command);
    if extent == Extent::Usual {
        command.args(["--grep-invert", "@slow"]);
    }
    let ended = step::run(text, command);
    let report = fs::read(&report)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
    let Some(report) = report else {
        ended?;
        bail!("no report was written");
    };
    let stats = |key: &str| report["stats"][key].as_u64().unwrap_or(0);
    let unsteady = unsteady::journeys(&report);
    let (mut passed, mut failed) = (stats("expected") + stats("flaky"), stats("unexpected"));
    if unsteady.len() > unsteady::AT_MOST {
        passed = stats("expected");
        failed += stats("flaky");
    }
    tally.add(name, passed, failed);
    tally.unsteady(name, &unsteady);
    if passed + failed == 0 {
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
