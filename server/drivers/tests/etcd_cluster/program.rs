//! Where the real programs come from: etcd 3.4 is Debian's, unpacked without being installed (an
//! installed one would start a server of its own); 3.5 and 3.6 are built from their own modules,
//! whose hashes stand in `v35/go.sum` and `v36/go.sum`.

use std::{fs, path::PathBuf};

use tokio::process::Command;

use super::built::{self, run, settle, tools};

/// Which etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 3.4, from Debian.
    Old,
    /// 3.5, built here.
    Middle,
    /// 3.6, built here.
    New,
}

impl Version {
    #[must_use]
    pub const fn number(self) -> &'static str {
        match self {
            Self::Old => "3.4.23",
            Self::Middle => "3.5.21",
            Self::New => "3.6.14",
        }
    }
}

/// The path of the server, fetched or built on first use into `target/tools`.
pub async fn fetch(version: Version) -> Result<PathBuf, String> {
    match version {
        Version::Old => debian("etcd").await,
        Version::Middle => built::program("etcd", version.number(), "etcd_cluster/v35").await,
        Version::New => built::program("etcd", version.number(), "etcd_cluster/v36").await,
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
