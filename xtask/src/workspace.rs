//! Where things are: the checkout, the target folder, what is built into it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// The checkout this program was built from.
    ///
    /// # Errors
    /// If the folder has gone.
    pub fn find() -> anyhow::Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest
            .parent()
            .context("xtask lies in no workspace")?
            .to_path_buf();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(path) => std::path::absolute(path)?,
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    pub fn target(&self) -> &Path {
        &self.target
    }

    /// What is fetched for building and testing: nothing of it is installed on the machine.
    pub fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// All that a browser downloads, ready to be embedded.
    pub fn site(&self) -> PathBuf {
        self.target.join("site")
    }

    /// The program people are told of: always under the checkout, wherever cargo builds.
    pub fn program(&self) -> PathBuf {
        self.root.join("target/release/quorate")
    }
}
