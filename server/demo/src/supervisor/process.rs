//! Child processes: begun by a thread that lives as long as they may, ended by their own ids.

use std::{
    io,
    process::{ExitStatus, Stdio},
    sync::mpsc,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::oneshot,
    time::timeout,
};

/// How long a process may take to end by itself.
const GRACE: Duration = Duration::from_secs(4);

/// The thread that starts all children. A child is killed when the very thread that started it
/// ends, so a worker of the runtime, which may come and go, will not do.
pub struct Keeper {
    orders: mpsc::Sender<Order>,
}

struct Order {
    command: Command,
    started: oneshot::Sender<io::Result<Child>>,
}

impl Keeper {
    /// Must be called inside a runtime; the thread ends when the keeper is dropped.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start() -> io::Result<Self> {
        let (orders, received) = mpsc::channel::<Order>();
        let runtime = Handle::current();
        std::thread::Builder::new()
            .name("demo-keeper".to_owned())
            .spawn(move || {
                let _inside = runtime.enter();
                while let Ok(Order {
                    mut command,
                    started,
                }) = received.recv()
                {
                    let _ = started.send(command.spawn());
                }
            })?;
        Ok(Self { orders })
    }

    /// Starts `command` in a process group of its own, so that a Ctrl-C at the terminal reaches
    /// only the supervisor, who ends the nodes in good order.
    ///
    /// # Errors
    /// If the program cannot be started.
    pub async fn spawn(&self, mut command: Command) -> io::Result<Child> {
        command
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        let (started, child) = oneshot::channel();
        let gone = |_| io::Error::other("the keeper thread has ended");
        self.orders
            .send(Order { command, started })
            .map_err(|_| gone(()))?;
        child.await.map_err(|_| gone(()))?
    }
}

/// Ends a process: it is asked, woken in case it is frozen, and killed if it does not go.
pub async fn end(child: &mut Child) -> io::Result<ExitStatus> {
    if let Some(pid) = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw)
    {
        for signal in [Signal::TERM, Signal::CONT] {
            // It may have ended just now; waiting tells.
            let _ = kill_process(pid, signal);
        }
    }
    match timeout(GRACE, child.wait()).await {
        Ok(ended) => ended,
        Err(_) => {
            child.start_kill()?;
            child.wait().await
        }
    }
}
