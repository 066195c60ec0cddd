//! One process: its life and its accidents. Knows nothing of what runs in it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

pub struct Process {
    program: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    pub fn new(program: &Path, log: PathBuf) -> Self {
        Self {
            program: program.to_owned(),
            log,
            child: None,
        }
    }

    pub fn start(&mut self, arguments: &[String]) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .unwrap();
        // Where there is setpriv, it ends with the thread that started it, whatever kills the test.
        let setpriv = Path::new("/usr/bin/setpriv");
        let mut command = match setpriv.is_file() {
            true => {
                let mut command = Command::new(setpriv);
                command
                    .args(["--pdeathsig", "KILL", "--"])
                    .arg(&self.program);
                command
            }
            false => Command::new(&self.program),
        };
        let child = command
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether it runs; one that has ended by itself does not.
    pub fn runs(&mut self) -> bool {
        let ended = |child: &mut Child| child.try_wait().unwrap().is_some();
        if self.child.as_mut().is_some_and(ended) {
            self.child = None;
        }
        self.child.is_some()
    }

    /// Stands still: accepts connections, answers nothing. Returns once all its threads stand.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        let start = Instant::now();
        while !self.stands() {
            assert!(
                start.elapsed() < Duration::from_secs(5),
                "{} does not freeze",
                self.log.display()
            );
            std::thread::yield_now();
        }
    }

    fn stands(&self) -> bool {
        let Some(pid) = self.pid() else { return true };
        let threads = fs::read_dir(format!("/proc/{pid}/task"));
        threads.into_iter().flatten().flatten().all(|thread| {
            let text = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            text.rsplit_once(") ")
                .is_none_or(|(_, rest)| rest.starts_with('T'))
        })
    }

    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Gone at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
