//! Where the real programs come from: etcd 3.4 is Debian's, unpacked without being installed (an
//! installed one would start a server of its own); etcd 3.6 is built from its own modules, whose
//! hashes stand in `v36/go.sum`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use tokio::process::Command;

pub const BUILT: &str = "3.6.14";

/// Which etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 3.4, from Debian.
    Old,
    /// 3.6, built here.
    New,
}

/// The path of the server, fetched or built on first use into `target/tools`.
pub async fn fetch(version: Version) -> Result<PathBuf, String> {
    match version {
        Version::Old => debian("etcd").await,
        Version::New => built().await,
    }
}

/// The path of Debian's `etcdctl`.
pub async fn etcdctl() -> Result<PathBuf, String> {
    debian("etcdctl").await
}

async fn debian(name: &str) -> Result<PathBuf, String> {
    let home = tools()?.join("etcd-debian");
    let program = home.join("usr/bin").join(name);
    if program.is_file() {
        return Ok(program);
    }
    eprintln!(
        "fetching Debian's etcd-server and etcd-client into {}",
        home.display()
    );
    let fetched = tempfile::tempdir_in(tools()?).map_err(|error| error.to_string())?;
    let packages = ["etcd-server", "etcd-client"];
    let mut download = Command::new("apt-get");
    download
        .arg("download")
        .args(packages)
        .current_dir(fetched.path());
    run(&mut download).await?;
    let unpacked = fetched.path().join("unpacked");
    for file in fs::read_dir(fetched.path())
        .map_err(|error| error.to_string())?
        .flatten()
    {
        if file.path().extension().is_some_and(|kind| kind == "deb") {
            run(Command::new("dpkg-deb")
                .arg("-x")
                .arg(file.path())
                .arg(&unpacked))
            .await?;
        }
    }
    settle(&unpacked, &home, &program)
}

async fn built() -> Result<PathBuf, String> {
    let home = tools()?.join(format!("etcd-{BUILT}"));
    let program = home.join("etcd");
    if program.is_file() {
        return Ok(program);
    }
    eprintln!(
        "building etcd {BUILT} from its modules (some minutes, once) into {}",
        home.display()
    );
    let made = tempfile::tempdir_in(tools()?).map_err(|error| error.to_string())?;
    let home_made = made.path().join("home");
    let source = root().join("server/drivers/tests/etcd_cluster/v36");
    let mut build = Command::new("go");
    build
        .args(["build", "-trimpath", "-ldflags", "-s -w", "-o"])
        .arg(home_made.join("etcd"))
        .arg(".")
        .current_dir(source)
        .env("CGO_ENABLED", "0");
    run(&mut build).await?;
    settle(&home_made, &home, &program)
}

/// Somebody else may have been faster; then theirs is as good.
fn settle(made: &Path, home: &Path, program: &Path) -> Result<PathBuf, String> {
    let _ = fs::rename(made, home);
    fs::canonicalize(program).map_err(|error| format!("{}: {error}", program.display()))
}

async fn run(command: &mut Command) -> Result<(), String> {
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
fn tools() -> Result<PathBuf, String> {
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
