//! TLS of the console's own: its certificate, and whose client certificates are believed. All of it
//! is read again when a file changes; what cannot be used then leaves what there was.
//!
//! A client certificate is asked for, not demanded: programs with a token, and whoever asks for
//! health, have none. One that the configured authority has not signed ends the connection. Whether
//! its name is a proxy's is not decided here.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::serve::Listener;
use quorate_control::Control;
use quorate_domain::audit::Source;
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    guards::peer::{Peer, Prompt},
    identity::Shown,
};

/// How often files are looked at again, while somebody connects.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a client may take to agree on keys.
const PATIENCE: Duration = Duration::from_secs(10);
/// Clients that may be at it at once.
const HANDSHAKES: usize = 1_024;
/// Connections ready and not yet taken.
const READY: usize = 64;

/// The files, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
    /// Whose client certificates are believed; `None`: none is asked for.
    pub client_ca_file: Option<PathBuf>,
}

/// The files' content.
#[derive(PartialEq, Eq)]
struct Content {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// The files, what they held when they were last of use, and what follows from it.
pub struct Watched {
    files: TlsFiles,
    used: Content,
    /// What could not be used, so that it is told once.
    useless: Option<Content>,
    config: Arc<ServerConfig>,
    looked: Instant,
}

impl Watched {
    /// # Errors
    /// In words, by the key of the configuration.
    pub fn read(files: &TlsFiles) -> Result<Self, String> {
        let used = content(files)?;
        Ok(Self {
            files: files.clone(),
            config: configured(&used)?,
            used,
            useless: None,
            looked: Instant::now(),
        })
    }

    /// What holds now.
    async fn config(&mut self) -> Arc<ServerConfig> {
        if self.looked.elapsed() >= LOOK_EVERY {
            self.looked = Instant::now();
            let files = self.files.clone();
            let found = tokio::task::spawn_blocking(move || content(&files)).await;
            match found {
                Ok(Ok(found)) => self.take(found),
                Ok(Err(error)) => tracing::warn!("server.tls: {error}; the old ones go on"),
                Err(_) => {}
            }
        }
        Arc::clone(&self.config)
    }

    fn take(&mut self, found: Content) {
        if found == self.used || self.useless.as_ref() == Some(&found) {
            return;
        }
        match configured(&found) {
            Ok(config) => {
                tracing::info!("server.tls: new certificates are in use");
                (self.config, self.used, self.useless) = (config, found, None);
            }
            Err(error) => {
                tracing::warn!("server.tls: {error}; the old ones go on");
                self.useless = Some(found);
            }
        }
    }
}

fn content(files: &TlsFiles) -> Result<Content, String> {
    let read = |key: &str, path: &Path| {
        std::fs::read(path)
            .map_err(|error| format!("{key}: cannot read {}: {error}", path.display()))
    };
    let authority = files.client_ca_file.as_deref();
    Ok(Content {
        cert: read("cert_file", &files.cert_file)?,
        key: read("key_file", &files.key_file)?,
        client_ca: authority
            .map(|path| read("client_ca_file", path))
            .transpose()?,
    })
}

fn configured(content: &Content) -> Result<Arc<ServerConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match &content.client_ca {
        None => builder.with_no_client_auth(),
        Some(text) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates("client_ca_file", text)? {
                roots
                    .add(authority)
                    .map_err(|error| format!("client_ca_file: {error}"))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| format!("client_ca_file: {error}"))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = certificates("cert_file", &content.cert)?;
    let key = PrivateKeyDer::from_pem_slice(&content.key)
        .map_err(|_| "key_file: holds no private key as PEM".to_owned())?;
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| format!("cert_file and key_file: {error}"))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(key: &str, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(format!("{key}: holds no certificates as PEM")),
    }
}

/// Connections that have agreed on keys. Slow ones hold nobody up.
pub struct TlsListener {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, Peer)>,
    local: Peer,
    accepting: JoinHandle<()>,
}

impl TlsListener {
    /// # Errors
    /// If the socket has no address.
    pub fn start(listener: TcpListener, watched: Watched, control: Control) -> io::Result<Self> {
        let local = Peer::at(listener.local_addr()?.ip());
        let (out, ready) = mpsc::channel(READY);
        Ok(Self {
            ready,
            local,
            accepting: tokio::spawn(accept_all(Prompt(listener), watched, control, out)),
        })
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = Peer;

    async fn accept(&mut self) -> (Self::Io, Peer) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // Only once the task is gone, which is when this is dropped.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(self.local.clone())
    }
}

async fn accept_all(
    mut listener: Prompt,
    mut watched: Watched,
    control: Control,
    out: mpsc::Sender<(TlsStream<TcpStream>, Peer)>,
) {
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let (stream, peer) = listener.accept().await;
        let acceptor = TlsAcceptor::from(watched.config().await);
        let (control, out) = (control.clone(), out.clone());
        tokio::spawn(async move {
            if let Some(connection) = agreed(&acceptor, stream, peer, &control).await {
                drop(place);
                let _ = out.send(connection).await;
            }
        });
    }
}

async fn agreed(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    mut peer: Peer,
    control: &Control,
) -> Option<(TlsStream<TcpStream>, Peer)> {
    let agreed = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await;
    match agreed.ok()? {
        Ok(stream) => {
            peer.shown = shown(stream.get_ref().1.peer_certificates());
            Some((stream, peer))
        }
        Err(error) => {
            if is_about_a_certificate(&error) {
                refuse(control, peer.address).await;
            }
            None
        }
    }
}

/// The names in the first certificate, which is the client's own and has been verified.
fn shown(certificates: Option<&[CertificateDer<'_>]>) -> Shown {
    let Some(own) = certificates.and_then(|all| all.first()) else {
        return Shown::Nothing;
    };
    let Ok(own) = webpki::EndEntityCert::try_from(own) else {
        return Shown::Nothing;
    };
    let names = own.valid_dns_names().chain(own.valid_uri_names());
    Shown::Certificate(names.map(str::to_owned).collect())
}

fn is_about_a_certificate(error: &io::Error) -> bool {
    let cause = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
}

/// Floods are cut by whoever keeps the log.
async fn refuse(control: &Control, address: String) {
    metrics::counter!("quorate_identity_refusals_total").increment(1);
    tracing::warn!(peer = address, "refused a client certificate");
    let source = Source {
        peer: Some(address),
        ..Source::default()
    };
    let text = "Not let in: the client certificate is not one of the configured authority's.";
    let recorded = control.record_refusal("identity_refused", text, &source);
    if let Err(error) = recorded.await {
        tracing::error!("cannot record a refusal: {error}");
    }
}
