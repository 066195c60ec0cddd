//! `cargo xtask test`: every check and every test, and their number.

use std::{
    fs,
    path::Path,
    process::{Command, ExitCode},
    thread,
};

use anyhow::{anyhow, bail};

use crate::{
    browsers, check, compile, crates::Crates, etcd, golang, node, openbao, openziti, proxies, step,
    tally::Tally, unsteady, workspace::Workspace,
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
    tally.check("format", check::format(workspace));
    let go = match golang::need(workspace) {
        Ok(go) => go,
        Err(error) => {
            tally.fail(format!("Go: {error:#}"));
            None
        }
    };
    let crates = built(workspace, extent, go.as_deref(), &mut tally);
    if let Err(error) = golang::test(workspace, go.as_deref(), extent, &mut tally) {
        tally.fail(format!("go test: {error:#}"));
    }
    if let Err(error) = crates.run(&mut tally) {
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

/// Compiles everything, two things at a time: each leaves a core idle now and then, and none waits
/// for the other's folders. First the site, since the console's tests are compiled with it inside.
/// Nothing is compiled any more when the first test runs: tests have the machine to themselves.
fn built<'a>(
    workspace: &'a Workspace,
    extent: Extent,
    go: Option<&'a Path>,
    tally: &mut Tally,
) -> Crates<'a> {
    let size = thread::scope(|scope| {
        let site = scope.spawn(|| check::size(workspace));
        tally.check("agents in Go", golang::check(workspace, go));
        tally.check(check::BROWSER_LINTS, check::browser_lints(workspace));
        let panicked = |_| Err(anyhow!("it panicked"));
        site.join().unwrap_or_else(panicked)
    });
    tally.check(check::SIZE, size);
    thread::scope(|scope| {
        let console = scope.spawn(|| compile::release(workspace));
        let (crates, lints) = Crates::build(workspace, extent, go);
        tally.check("lints for the server", lints);
        // Whether it compiles is told by the journeys, which ask for it again.
        let _ = console.join();
        crates
    })
}

/// Playwright's journeys against the release build.
fn journeys(workspace: &Workspace, extent: Extent, tally: &mut Tally) -> anyhow::Result<()> {
    let mut command = playwright(workspace)?;
    command.env(openbao::LAUNCHER, openbao::launcher_of_tests(workspace)?);
    command.env(openziti::STAND_IN, openziti::stand_in(workspace)?);
    // Journeys build the example of the agent for Dragonboat, and the program that raftadmin runs.
    golang::on_path(&mut command, golang::need(workspace)?.as_deref());
    let text = "journeys in Chromium, on the demo, on a stand-in for OpenZiti and on real clusters";
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
    let mut command = Command::new("npx");
    command
        .current_dir(workspace.path("end2end"))
        .args(["--no-install", "playwright", "test"])
        .env("QUORATE_TEST_PROGRAM", program)
        .env("QUORATE_TEST_CHROMIUM", chromium);
    Ok(command)
}
