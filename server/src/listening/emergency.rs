//! The Unix socket for emergencies: for whoever is on this machine as one of a few users, and for
//! nobody else. The file is its owner's alone; the system's word on the process counts all the same.

use std::{
    io,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use axum::serve::Listener;
use quorate_control::Control;
use quorate_domain::audit::Source;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use super::{
    connections::{Answers, serve},
    socket_file::SocketFile,
};
use crate::{
    guards::peer::Peer,
    identity::{self, Shown},
};

/// The socket as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    pub socket: PathBuf,
    /// Users of this machine by name or number; empty: root and the console's own.
    pub users: Vec<String>,
}

/// The socket, bound. Its file goes with it.
pub struct Bound {
    listener: UnixListener,
    users: Vec<u32>,
    file: SocketFile,
}

impl Door {
    /// # Errors
    /// If others may write the folder, something is there already, or a user is unknown.
    pub async fn bind(&self) -> anyhow::Result<Bound> {
        let path = &self.socket;
        let users = match &self.users[..] {
            [] => identity::own(),
            named => identity::numbers(named).map_err(anyhow::Error::msg)?,
        };
        only_ours(path)?;
        make_room(path).await?;
        let listener = UnixListener::bind(path)
            .with_context(|| format!("cannot listen on {}", path.display()))?;
        // Whoever was quicker than this is still asked who they are.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
            .with_context(|| format!("cannot keep others from {}", path.display()))?;
        Ok(Bound {
            listener,
            users,
            file: SocketFile::bound(path)?,
        })
    }
}

/// Whoever may write the folder could put a socket of their own there.
fn only_ours(path: &Path) -> anyhow::Result<()> {
    let Some(folder) = path.parent() else {
        bail!("{} is in no folder", path.display());
    };
    let shown = folder.display();
    let found = std::fs::metadata(folder).with_context(|| format!("cannot use {shown}"))?;
    if found.mode() & 0o022 != 0 {
        bail!("others may write {shown}; the socket for emergencies needs a folder of its own");
    }
    if !identity::own().contains(&found.uid()) {
        bail!("{shown} belongs to another user");
    }
    Ok(())
}

/// What a killed console left behind goes; a socket at which somebody listens stays, and so does
/// everything that is no socket.
async fn make_room(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot use {shown}")),
    };
    if !found.file_type().is_socket() {
        bail!("{shown} is there already and is no socket");
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
                .with_context(|| format!("cannot remove the dead socket {shown}"))
        }
        Ok(_) => bail!("somebody listens on {shown} already"),
        Err(error) => Err(error).with_context(|| format!("cannot use {shown}")),
    }
}

impl Bound {
    /// Answers until `closing` is cancelled, and a little longer for what is under way.
    pub async fn serve(
        self,
        service: impl Answers,
        control: &Control,
        closing: &CancellationToken,
    ) {
        let Self {
            listener,
            users,
            file,
        } = self;
        let socket = file.path().display();
        tracing::info!(%socket, "break-glass: listening for emergencies");
        let asked = Asked {
            listener,
            users,
            control: control.clone(),
        };
        serve(asked, service, closing).await;
        file.remove();
    }
}

/// Lets in who is on the list, and records who is not.
struct Asked {
    listener: UnixListener,
    users: Vec<u32>,
    control: Control,
}

impl Listener for Asked {
    type Io = UnixStream;
    type Addr = Peer;

    async fn accept(&mut self) -> (UnixStream, Peer) {
        loop {
            let (stream, _) = Listener::accept(&mut self.listener).await;
            let user = stream.peer_cred().ok().map(|process| process.uid());
            match user {
                Some(user) if self.users.contains(&user) => {
                    return (stream, peer(user));
                }
                other => refuse(&self.control, other),
            }
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(peer(rustix::process::geteuid().as_raw()))
    }
}

/// The user stands in every record of what is done by the socket.
fn peer(user: u32) -> Peer {
    Peer {
        address: format!("unix:{user}"),
        shown: Shown::Process { user },
    }
}

fn refuse(control: &Control, user: Option<u32>) {
    let user = user.map_or_else(|| "unknown".to_owned(), |user| user.to_string());
    tracing::warn!(user, "break-glass: refused a user who is not on the list");
    let control = control.clone();
    tokio::spawn(async move {
        let text = format!("Break-glass: user {user} of this machine was turned away.");
        let source = Source {
            peer: Some(format!("unix:{user}")),
            ..Source::default()
        };
        let recorded = control.record_refusal("break_glass_refused", &text, &source);
        if let Err(error) = recorded.await {
            tracing::error!("cannot record a refusal: {error}");
        }
    });
}
