//! Where a connection comes from, and what its other end has shown of itself.

use std::{io, net::IpAddr};

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::identity::Shown;

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Without its port; `unix` at a Unix socket.
    pub address: String,
    pub shown: Shown,
}

impl Peer {
    /// Somebody at an address who has shown nothing.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self {
            address: address.to_canonical().to_string(),
            shown: Shown::Nothing,
        }
    }
}

/// A TCP listener whose connections send small events at once.
pub struct Prompt(pub TcpListener);

impl Listener for Prompt {
    type Io = TcpStream;
    type Addr = Peer;

    async fn accept(&mut self) -> (TcpStream, Peer) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Where it cannot be set, events only arrive a little later.
        let _ = stream.set_nodelay(true);
        (stream, Peer::at(address.ip()))
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer::at(self.0.local_addr()?.ip()))
    }
}

/// A Unix socket, where the system tells whose process came.
pub struct Local(pub UnixListener);

impl Listener for Local {
    type Io = UnixStream;
    type Addr = Peer;

    async fn accept(&mut self) -> (UnixStream, Peer) {
        let (stream, _) = Listener::accept(&mut self.0).await;
        let process = stream.peer_cred();
        let shown = process.map_or(Shown::Nothing, |process| Shown::Process {
            user: process.uid(),
        });
        (stream, unix(shown))
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(unix(Shown::Nothing))
    }
}

fn unix(shown: Shown) -> Peer {
    Peer {
        address: "unix".to_owned(),
        shown,
    }
}
