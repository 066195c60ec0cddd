//! A second address of a server: what comes there is passed on, until this is dropped.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

pub struct Relay {
    pub port: u16,
    task: AbortHandle,
}

impl Relay {
    pub async fn to(server: SocketAddr) -> Self {
        Self::with(server, None).await
    }

    /// Speaks TLS before it passes on, with the certificate that the tests' authority gave to
    /// 127.0.0.1.
    pub async fn by_tls(server: SocketAddr) -> Self {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let certificate = CertificateDer::from_pem_file(tls_file("here.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(tls_file("here.key")).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Self::with(server, Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn with(server: SocketAddr, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            // They end with this task.
            let mut connections = JoinSet::new();
            while let Ok((here, _)) = listener.accept().await {
                connections.spawn(pass_on(here, server, tls.clone()));
            }
        })
        .abort_handle();
        Self { port, task }
    }
}

async fn pass_on(mut here: TcpStream, server: SocketAddr, tls: Option<TlsAcceptor>) {
    let Ok(mut there) = TcpStream::connect(server).await else {
        return;
    };
    let _ended = match tls {
        None => copy_bidirectional(&mut here, &mut there).await,
        Some(tls) => match tls.accept(here).await {
            Ok(mut here) => copy_bidirectional(&mut here, &mut there).await,
            Err(refused) => Err(refused),
        },
    };
}

pub fn tls_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tls")
        .join(name)
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
