//! `cargo xtask dev`: the demo, rebuilt and started anew whenever a source changes.
//!
//! Its data stays between restarts, and the page finds the new console by reconnecting.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, SystemTime},
};

use crate::{compile, step, workspace::Workspace};

const WATCHED: [&str; 6] = ["app", "server", "agents", "style", "public", "Cargo.lock"];
const LOOK_EVERY: Duration = Duration::from_millis(700);
const PORT: &str = "7878";

/// Runs until it is interrupted.
///
/// # Errors
/// If the sources cannot be read. A build that fails is shown, and the next change tries again.
pub fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<()> {
    let mut console: Option<Child> = None;
    loop {
        let built_from = newest(workspace)?;
        match compile::debug(workspace) {
            Ok(program) => {
                stop(console.take())?;
                console = Some(start(workspace, &program, arguments)?);
            }
            Err(error) => step::say(&format!("{error:#}")),
        }
        step::say("watching for changes");
        while newest(workspace)? == built_from {
            thread::sleep(LOOK_EVERY);
        }
        step::say("a source changed");
    }
}

fn start(workspace: &Workspace, program: &Path, arguments: &[String]) -> anyhow::Result<Child> {
    let mut command = Command::new(program);
    command.arg("demo");
    if !arguments
        .iter()
        .any(|argument| argument.starts_with("--port"))
    {
        command.args(["--port", PORT]);
    }
    if !arguments
        .iter()
        .any(|argument| argument.starts_with("--data"))
    {
        command
            .arg("--data")
            .arg(workspace.target().join("dev-data"));
    }
    Ok(command.args(arguments).spawn()?)
}

/// Asks the console to end, which ends its nodes; it does so within ten seconds.
fn stop(console: Option<Child>) -> anyhow::Result<()> {
    if let Some(mut console) = console {
        let id = console.id().to_string();
        step::run(
            "ending the running demo",
            Command::new("kill").args(["-TERM", &id]),
        )?;
        console.wait()?;
    }
    Ok(())
}

/// The newest change among the sources, and how many there are: a removed file counts too.
fn newest(workspace: &Workspace) -> anyhow::Result<(SystemTime, usize)> {
    let mut newest = SystemTime::UNIX_EPOCH;
    let mut count = 0;
    let mut waiting: Vec<PathBuf> = WATCHED.iter().map(|name| workspace.path(name)).collect();
    while let Some(path) = waiting.pop() {
        // Editors replace files; one that is gone this instant is seen at the next look.
        let Ok(metadata) = fs::metadata(&path) else {
            continue;
        };
        if metadata.is_dir() {
            for entry in fs::read_dir(&path)? {
                waiting.push(entry?.path());
            }
        } else {
            newest = newest.max(metadata.modified()?);
            count += 1;
        }
    }
    Ok((newest, count))
}
