//! The real etcd that tests run against. The tests fetch Debian's packages themselves and unpack
//! them without installing them, and in the slow rounds build the newer etcd from its own modules;
//! here it is seen to that they can.

use std::process::Command;

use anyhow::bail;

use crate::step;

/// Sees to it that apt knows Debian's etcd.
///
/// # Errors
/// If it cannot be had here.
pub fn need() -> anyhow::Result<()> {
    const WHY: &str = "Debian's etcd-server and etcd-client are fetched by apt-get";
    if !step::works("dpkg-deb", &["--version"]) || !step::works("apt-get", &["--version"]) {
        bail!("{WHY}; this is no Debian");
    }
    if can_be_fetched() {
        return Ok(());
    }
    if step::answer("id", &["-u"]).as_deref() != Some("0") {
        bail!("{WHY}: run `sudo apt-get update`, then try again");
    }
    step::run(
        &format!("{WHY}: reading Debian's package lists"),
        Command::new("apt-get").args(["update", "-q"]),
    )?;
    if can_be_fetched() {
        return Ok(());
    }
    bail!("{WHY}, and this system's package lists do not have them");
}

/// Names the addresses of the packages; an empty list of packages names none.
fn can_be_fetched() -> bool {
    let words = ["download", "--print-uris", "etcd-server", "etcd-client"];
    step::answer("apt-get", &words).is_some_and(|uris| uris.lines().count() >= 2)
}
