//! Programs for tests that are built from their own Go modules, once, into `target/tools`. A
//! folder with a `main.go`, a `go.mod` and the hashes of all modules says what is built.
#![allow(dead_code)]

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use tokio::process::Command;

/// The path of `name`, built on first use from `server/drivers/tests/{modules}`.
pub async fn program(name: &str, version: &str, modules: &str) -> Result<PathBuf, String> {
    let home = tools()?.join(format!("{name}-{version}"));
    let program = home.join(name);
    if program.is_file() {
        return Ok(program);
    }
    eprintln!(
        "building {name} {version} from its modules (minutes, once) into {}",
        home.display()
    );
    let made = tempfile::tempdir_in(tools()?).map_err(|error| error.to_string())?;
    let home_made = made.path().join("home");
    let source = root().join("server/drivers/tests").join(modules);
    let mut build = Command::new("go");
    build
        .args(["build", "-trimpath", "-ldflags", "-s -w", "-o"])
        .arg(home_made.join(name))
        .arg(".")
        .current_dir(source)
        .env("CGO_ENABLED", "0");
    run(&mut build).await?;
    settle(&home_made, &home, &program)
}

/// Somebody else may have been faster; then theirs is as good.
pub fn settle(made: &Path, home: &Path, program: &Path) -> Result<PathBuf, String> {
    let _ = fs::rename(made, home);
    fs::canonicalize(program).map_err(|error| format!("{}: {error}", program.display()))
}

pub async fn run(command: &mut Command) -> Result<(), String> {
    let name = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    let output = command.output().await;
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{name}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}

/// Where the tools of all tests are kept.
pub fn tools() -> Result<PathBuf, String> {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let tools = target.join("tools");
    fs::create_dir_all(&tools).map_err(|error| error.to_string())?;
    fs::canonicalize(tools).map_err(|error| error.to_string())
}

/// Beside the lock file, whichever crate's tests these are.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut above = here.ancestors();
    above
        .find(|dir| dir.join("Cargo.lock").is_file())
        .unwrap_or(here)
}

/// Whether the slow rounds are wanted.
#[must_use]
pub fn is_slow_round() -> bool {
    env::var_os("QUORATE_TEST_SLOW").is_some_and(|value| value == "1")
}
