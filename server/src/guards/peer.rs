//! Where a connection comes from, and what its other end has shown of itself.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::net::{TcpListener, TcpStream, UnixListener};

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
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Where it cannot be set, events only arrive a little later.
        let _ = stream.set_nodelay(true);
        (stream, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Prompt>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Prompt>) -> Self {
        Self::at(stream.remote_addr().ip())
    }
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        let process = stream.io().peer_cred();
        Self {
            address: "unix".to_owned(),
            shown: process.map_or(Shown::Nothing, |process| Shown::Process {
                user: process.uid(),
            }),
        }
    }
}
