//! An authority of its own for each stand-in, controllers' certificates with their SPIFFE ids, and
//! the console's.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType,
};
use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

/// The network's root.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its trust domain.
    pub domain: String,
}

/// A certificate and its key, as one file of PEM.
pub struct Identified {
    pub pem: String,
    pub certificate: Vec<u8>,
}

impl Authority {
    pub fn new(domain: &str) -> Self {
        let mut root = CertificateParams::new(Vec::<String>::new()).unwrap();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            issuer: CertifiedIssuer::self_signed(root, key).unwrap(),
            domain: domain.to_owned(),
        }
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    fn sign(&self, names: Vec<SanType>) -> (Certificate, KeyPair) {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.subject_alt_names = names;
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate, key)
    }

    /// A client's certificate.
    pub fn client(&self, name: &str) -> Identified {
        let (certificate, key) = self.sign(vec![SanType::DnsName(name.try_into().unwrap())]);
        Identified {
            pem: format!("{}\n{}", certificate.pem(), key.serialize_pem()),
            certificate: certificate.der().to_vec(),
        }
    }

    /// TLS for the controller `id`: it asks for a client's certificate and takes any or none,
    /// for who somebody is is only settled at the sign-in.
    /// Without `names_it` the certificate is that of a web server of any kind.
    pub fn server(&self, id: &str, names_it: bool) -> Arc<ServerConfig> {
        let uri = format!("spiffe://{}/controller/{id}", self.domain);
        let mut names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        if names_it {
            names.push(SanType::URI(uri.as_str().try_into().unwrap()));
        }
        let (certificate, key) = self.sign(names);
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(Arc::new(TakesAny(provider)))
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }
}

#[derive(Debug)]
struct TakesAny(Arc<CryptoProvider>);

impl ClientCertVerifier for TakesAny {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
