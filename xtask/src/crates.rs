//! The tests of every crate that runs on the server, from one build that is linted as it is made:
//! a lint alone would have cargo read all dependencies a second time.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context as _, anyhow, bail};

use crate::{
    golang, step, tally::Tally, test::Extent, toolchain, unsteady::CargoRun, workspace::Workspace,
};

/// The browser's crate has no tests of its own.
const ALL: [&str; 5] = [
    "--workspace",
    "--exclude",
    "quorate-hydrate",
    "--exclude",
    "xtask",
];

/// Tested by itself: what it depends on is compiled already, since it runs, and nothing else needs it.
const THIS: [&str; 2] = ["--package", "xtask"];

/// How the crates are compiled and run.
#[derive(Clone, Copy)]
pub struct Crates<'a> {
    workspace: &'a Workspace,
    extent: Extent,
    go: Option<&'a Path>,
    linted: bool,
}

impl<'a> Crates<'a> {
    /// Compiles all tests, what they start and the examples, by the linter; where that finds
    /// something, or there is none, without it, so that the tests still run.
    ///
    /// # Errors
    /// What the lints complain of.
    pub fn build(
        workspace: &'a Workspace,
        extent: Extent,
        go: Option<&'a Path>,
    ) -> (Self, anyhow::Result<()>) {
        let linted = Self {
            workspace,
            extent,
            go,
            linted: true,
        };
        let lints = [&ALL[..], &THIS]
            .into_iter()
            .try_for_each(|packages| linted.compile("linting and compiling the tests", packages));
        if lints.is_ok() {
            return (linted, lints);
        }
        let plain = Self {
            linted: false,
            ..linted
        };
        // What does not compile is counted when it is run.
        let _ = plain.compile("compiling the tests without the lints", &ALL);
        (plain, lints)
    }

    fn compile(&self, text: &str, packages: &[&str]) -> anyhow::Result<()> {
        step::run(text, self.cargo().args(packages).arg("--no-run"))
    }

    fn cargo(&self) -> Command {
        let mut command = toolchain::cargo();
        command.current_dir(self.workspace.root()).arg("test");
        if self.linted {
            // As `cargo clippy` does it, but for code that is run: not by the environment, which
            // programs under test would inherit.
            command
                .args(["--config", "build.rustc-workspace-wrapper='clippy-driver'"])
                .env("CLIPPY_ARGS", "--deny__CLIPPY_HACKERY__warnings");
        }
        command
    }

    /// Runs and counts them; what fails is tried once more, alone.
    ///
    /// # Errors
    /// If nothing ran, or something that is no test failed.
    pub fn run(&self, tally: &mut Tally) -> anyhow::Result<()> {
        [&ALL[..], &THIS]
            .into_iter()
            .try_for_each(|packages| self.run_these(packages, tally))
    }

    fn run_these(&self, packages: &[&str], tally: &mut Tally) -> anyhow::Result<()> {
        step::say(&format!("testing {}", packages.join(" ")));
        let arguments = [packages, &["--no-fail-fast"]].concat();
        let (run, results, ended) = self.tests(&arguments, Some(tally))?;
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
            // Not of its package alone, for which cargo would compile other features of everything.
            let target = target.iter().skip(2).map(String::as_str);
            let mut arguments: Vec<_> = packages.iter().copied().chain(target).collect();
            arguments.extend(["--", "--exact"]);
            arguments.extend(names.iter().map(String::as_str));
            let (alone, _, ended) = self.tests(&arguments, None)?;
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
    fn tests(
        &self,
        arguments: &[&str],
        mut tally: Option<&mut Tally>,
    ) -> anyhow::Result<(CargoRun, usize, anyhow::Result<()>)> {
        let mut command = self.cargo();
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        self.extent.tell(&mut command);
        golang::on_path(&mut command, self.go);
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
}
