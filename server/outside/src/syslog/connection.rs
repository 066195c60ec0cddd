//! Connections to a syslog receiver: TLS with the system's authorities or private ones.

use std::sync::Arc;

use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    },
};

use super::{SyslogSettings, Transport};
use crate::{CONNECT, OutsideError, Tls};

pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub struct Connector {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Connector {
    pub fn new(settings: &SyslogSettings) -> Result<Self, OutsideError> {
        let tls = match settings.transport {
            Transport::Tls => Some((
                TlsConnector::from(Arc::new(configured(&settings.tls)?)),
                server(&settings.host)?,
            )),
            Transport::Tcp => None,
        };
        Ok(Self {
            host: settings.host.clone(),
            port: settings.port,
            tls,
        })
    }

    pub async fn connect(&self) -> Result<Box<dyn Stream>, String> {
        let connected = timeout(CONNECT, self.reach()).await;
        let connected = connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        connected.map_err(|error| match error.kind() {
            std::io::ErrorKind::TimedOut => "it does not answer in time".to_owned(),
            _ => format!("it cannot be reached: {error}"),
        })
    }

    async fn reach(&self) -> std::io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(match &self.tls {
            Some((connector, server)) => Box::new(connector.connect(server.clone(), stream).await?),
            None => Box::new(stream),
        })
    }
}

fn server(host: &str) -> Result<ServerName<'static>, OutsideError> {
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(plain.to_owned()).map_err(wrong)
}

fn configured(tls: &Tls) -> Result<ClientConfig, OutsideError> {
    // An error only says that a provider is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (certificates, key) = match &tls.identity {
        Some(pem) => {
            let pem = pem.reveal().as_bytes();
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
            let key = PrivateKeyDer::from_pem_slice(pem).map_err(wrong)?;
            (chain.map_err(wrong)?, Some(key))
        }
        None => (Vec::new(), None),
    };
    let builder = ClientConfig::builder();
    let builder = match &tls.authorities {
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                roots.add(certificate.map_err(wrong)?).map_err(wrong)?;
            }
            builder.with_root_certificates(roots)
        }
        None if key.is_none() => return ClientConfig::with_platform_verifier().map_err(wrong),
        None => {
            return Err(OutsideError::Certificates(
                "with a client certificate, the receiver's authority is named as well".to_owned(),
            ));
        }
    };
    match key {
        Some(key) => builder
            .with_client_auth_cert(certificates, key)
            .map_err(wrong),
        None => Ok(builder.with_no_client_auth()),
    }
}

fn wrong(error: impl std::fmt::Display) -> OutsideError {
    OutsideError::Certificates(error.to_string())
}
