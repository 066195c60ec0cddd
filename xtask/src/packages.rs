//! Debian packages for what tests need and a fresh machine lacks.

use std::process::Command;

use anyhow::bail;

use crate::step;

/// Installs the packages, where that is possible without asking anybody.
///
/// # Errors
/// Says which packages to install by hand where this is not Debian or not root, and whatever
/// apt-get complains of.
pub fn install(why: &str, packages: &[&str]) -> anyhow::Result<()> {
    let list = packages.join(" ");
    if !step::works("apt-get", &["--version"]) {
        bail!("{why}: install what Debian calls {list}, then try again");
    }
    if step::answer("id", &["-u"]).as_deref() != Some("0") {
        bail!("{why}: run `sudo apt-get install {list}`, then try again");
    }
    step::run(
        &format!("{why}: reading Debian's package lists"),
        Command::new("apt-get").args(["update", "-q"]),
    )?;
    step::run(
        &format!("installing {list} by apt-get"),
        Command::new("apt-get")
            .args(["install", "-q", "-y", "--no-install-recommends"])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}
