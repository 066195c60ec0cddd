//! Where real receivers come from: rsyslog is Debian's, unpacked without being installed; the
//! object storage is the Python package `moto`, by versions and hashes. Both are fetched on first
//! use into `target/tools`. A test that cannot have its receiver fails and says what it lacks.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

const RSYSLOG: [&str; 5] = [
    "rsyslog",
    "rsyslog-gnutls",
    "libestr0",
    "libfastjson4",
    "liblognorm5",
];
const STORAGE: &str = include_str!("storage.txt");

/// A process that ends with the test.
pub struct Program(pub Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    /// Starts it and gives the first line that it says.
    pub fn start(command: &mut Command) -> (Self, String) {
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut program = Self(child);
        let out = program.0.stdout.take().unwrap();
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "{command:?} ended before it listened");
        (program, line.trim().to_owned())
    }

    /// Asks it to end, and waits until it has.
    pub fn end(mut self) {
        let pid = self.0.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(asked.success());
        self.0.wait().unwrap();
    }
}

fn tools() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    fs::create_dir_all(&tools).unwrap();
    fs::canonicalize(tools).unwrap()
}

/// The folder that rsyslog is unpacked in.
pub fn rsyslog() -> PathBuf {
    let home = tools().join("rsyslog-debian");
    if home.join("usr/sbin/rsyslogd").is_file() {
        return home;
    }
    let fetched = tempfile::tempdir_in(tools()).unwrap();
    let folder = fetched.path();
    if !download(folder) {
        let _ = Command::new("apt-get").args(["update", "-q"]).status();
        assert!(
            download(folder),
            "syslog is tested with Debian's rsyslog, fetched by apt-get: run `sudo apt-get \
             update`, then try again"
        );
    }
    let unpacked = folder.join("unpacked");
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_some_and(|kind| kind == "deb") {
            run(Command::new("dpkg-deb").arg("-x").arg(file).arg(&unpacked));
        }
    }
    settle(&unpacked, &home)
}

fn download(folder: &Path) -> bool {
    let mut command = Command::new("apt-get");
    command.args(["download", "-q"]).args(RSYSLOG);
    let status = command.current_dir(folder).stdout(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// The folder of Python's packages with the object storage.
pub fn storage() -> PathBuf {
    let home = tools().join("moto-5.2.5");
    if home.join("moto").is_dir() {
        return home;
    }
    let fetched = tempfile::tempdir_in(tools()).unwrap();
    let wanted = fetched.path().join("wanted.txt");
    fs::write(&wanted, STORAGE).unwrap();
    let folder = fetched.path().join("packages");
    let mut command = Command::new("python3");
    command
        .args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .args(["--require-hashes", "--only-binary=:all:"])
        .args(["--disable-pip-version-check", "--target"])
        .arg(&folder)
        .arg("--requirement")
        .arg(&wanted);
    eprintln!("fetching moto by pip (24 MB, once)");
    run(&mut command);
    settle(&folder, &home)
}

fn run(command: &mut Command) {
    let status = command.stdout(Stdio::null()).status();
    let done = status.as_ref().is_ok_and(std::process::ExitStatus::success);
    assert!(done, "{command:?}: {status:?}");
}

/// Somebody else may have been faster; then theirs is as good.
fn settle(made: &Path, home: &Path) -> PathBuf {
    let _ = fs::rename(made, home);
    home.to_owned()
}
