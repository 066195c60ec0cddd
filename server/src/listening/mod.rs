//! The sockets at which a console answers: bound before anything is begun, served until it stops,
//! and gone afterwards.

mod connections;
pub mod emergency;
mod socket_file;
pub mod tls;

use std::net::SocketAddr;

use anyhow::Context as _;
use quorate_control::Control;
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    configuration::Listen,
    guards::peer::{Local, Prompt},
};
pub use connections::Answers;
use connections::serve;
use socket_file::SocketFile;
use tls::{TlsFiles, TlsListener, Watched};

/// Where people and proxies come in.
pub enum Socket {
    Tcp(TcpListener, SocketAddr),
    Tls(TcpListener, SocketAddr, Box<Watched>),
    Unix(UnixListener, SocketFile),
}

impl Socket {
    /// # Errors
    /// If the address is taken, or the certificates cannot be used.
    pub async fn bind(listen: &Listen, certificates: Option<&TlsFiles>) -> anyhow::Result<Self> {
        let address = match listen {
            Listen::Tcp(address) => address,
            Listen::Unix(path) => {
                socket_file::remove_dead(path).await?;
                let listener = UnixListener::bind(path)
                    .with_context(|| format!("cannot listen on {}", path.display()))?;
                return Ok(Self::Unix(listener, SocketFile::bound(path)?));
            }
        };
        let watched = certificates.map(Watched::read).transpose();
        let watched = watched.map_err(|error| anyhow::anyhow!("server.tls: {error}"))?;
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address}"))?;
        let address = listener.local_addr()?;
        Ok(match watched {
            Some(watched) => Self::Tls(listener, address, Box::new(watched)),
            None => Self::Tcp(listener, address),
        })
    }

    /// 0 on a Unix socket.
    #[must_use]
    pub const fn port(&self) -> u16 {
        match self {
            Self::Tcp(_, address) | Self::Tls(_, address, _) => address.port(),
            Self::Unix(..) => 0,
        }
    }

    /// The address in browsers on this machine, where none is configured.
    ///
    /// # Errors
    /// None that is known of.
    pub fn own_url(&self) -> anyhow::Result<Url> {
        let at = |scheme: &str, address: &SocketAddr| match address.ip().is_unspecified() {
            true => format!("{scheme}://127.0.0.1:{}/", address.port()),
            false => format!("{scheme}://{address}/"),
        };
        let text = match self {
            Self::Tcp(_, address) => at("http", address),
            Self::Tls(_, address, _) => at("https", address),
            Self::Unix(..) => "http://localhost/".to_owned(),
        };
        Url::parse(&text).context("the listener's address")
    }

    /// Answers until `closing` is cancelled, and a little longer for what is under way.
    ///
    /// # Errors
    /// If the socket for TLS has no address.
    pub async fn serve(
        self,
        service: impl Answers,
        control: &Control,
        closing: &CancellationToken,
    ) -> anyhow::Result<()> {
        match self {
            Self::Tcp(listener, _) => serve(Prompt(listener), service, closing).await,
            Self::Tls(listener, _, watched) => {
                let listener = TlsListener::start(listener, *watched, control.clone())?;
                serve(listener, service, closing).await;
            }
            Self::Unix(listener, file) => {
                serve(Local(listener), service, closing).await;
                file.remove();
            }
        }
        Ok(())
    }
}
