//! Saying what is done before it is done, and running it.

use std::{
    ffi::OsStr,
    process::{Command, Stdio},
    sync::OnceLock,
    time::Instant,
};

use anyhow::{Context as _, bail};

/// Prints one line with the seconds since the start.
pub fn say(text: &str) {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed().as_secs();
    eprintln!("[{:>2}:{:02}] {text}", elapsed / 60, elapsed % 60);
}

/// Says `text`, then runs the command with its own output shown.
///
/// # Errors
/// If it cannot be started or does not end with 0.
pub fn run(text: &str, command: &mut Command) -> anyhow::Result<()> {
    say(text);
    let name = command.get_program().to_string_lossy().into_owned();
    // What is run may print to stdout; ours is kept for results.
    let status = command
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("could not start {name}"))?;
    if !status.success() {
        bail!("{name} ended with {status}");
    }
    Ok(())
}

/// Whether the command can be started and ends with 0, quietly.
pub fn works(program: impl AsRef<OsStr>, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The command's output, trimmed, if it ends with 0.
pub fn answer(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
