//! TLS of the console's own: a proxy is known by a client certificate of a pinned name. Forged
//! headers through every other kind of connection are refused, and recorded.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use quorate::{configuration::Configuration, listening::tls::TlsFiles};
use quorate_domain::audit::Assurance;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use reqwest::{Certificate, Client, Identity, Response};
use tempfile::TempDir;

use super::{headers, recorded};
use crate::support::{Running, client_builder, json as body_of, until};

const NAME: &str = "proxy.example";

pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        let mut root = CertificateParams::new(Vec::<String>::new()).unwrap();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(root, key).unwrap())
    }

    /// What those trust who trust it.
    pub(super) fn root(&self) -> Certificate {
        Certificate::from_pem(self.0.pem().as_bytes()).unwrap()
    }

    /// Certificate and key, as PEM.
    fn signs(&self, names: Vec<SanType>) -> (String, String) {
        let mut wanted = CertificateParams::new(Vec::<String>::new()).unwrap();
        wanted.subject_alt_names = names;
        let key = KeyPair::generate().unwrap();
        let certificate = wanted.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn client(&self, name: &str) -> Identity {
        let (certificate, key) = self.signs(vec![SanType::DnsName(name.try_into().unwrap())]);
        Identity::from_pem(format!("{certificate}\n{key}").as_bytes()).unwrap()
    }
}

struct Stage {
    console: Running,
    address: String,
    /// Signs the console's certificate.
    outside: Authority,
    /// Signs the proxies'.
    proxies: Authority,
    files: TlsFiles,
    _folder: TempDir,
}

pub(super) fn files(folder: &Path) -> TlsFiles {
    TlsFiles {
        cert_file: folder.join("tls.pem"),
        key_file: folder.join("tls.key"),
        client_ca_file: Some(folder.join("proxies.pem")),
    }
}

pub(super) fn write_own(outside: &Authority, files: &TlsFiles) {
    let (certificate, key) = outside.signs(vec![SanType::IpAddress([127, 0, 0, 1].into())]);
    std::fs::write(&files.cert_file, certificate).unwrap();
    std::fs::write(&files.key_file, key).unwrap();
}

fn write_proxies(proxies: &Authority, files: &TlsFiles) {
    let file = files.client_ca_file.as_ref().unwrap();
    std::fs::write(file, proxies.0.pem()).unwrap();
}

impl Stage {
    async fn start(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (outside, proxies) = (Authority::new(), Authority::new());
        let files = files(folder.path());
        write_own(&outside, &files);
        write_proxies(&proxies, &files);
        let tls = "tls = { cert_file = \"a\", key_file = \"b\", client_ca_file = \"c\" }";
        let pinned = format!("proxy_certificate_names = [{NAME:?}]\n{more}");
        let identity = headers(tls, &pinned);
        let given = files.clone();
        let console = Running::with(move |settings| {
            settings.identity = identity;
            settings.certificates = Some(given);
        })
        .await;
        Self {
            address: console.origin.replace("http://", "https://"),
            console,
            outside,
            proxies,
            files,
            _folder: folder,
        }
    }

    /// A new connection each time: what was agreed before is not what is asked about.
    fn client(&self, identity: Option<Identity>) -> Client {
        let mut client = client_builder().tls_certs_only([self.outside.root()]);
        if let Some(identity) = identity {
            client = client.identity(identity);
        }
        client.build().unwrap()
    }

    /// Says to be root, as somebody with this certificate.
    async fn forges(&self, identity: Option<Identity>) -> Result<Response, reqwest::Error> {
        let request = self
            .client(identity)
            .get(format!("{}/access", self.address))
            .header("accept", "text/html")
            .header("remote-user", "root")
            .header("remote-groups", "ops");
        request.send().await
    }

    async fn refusals(&self) -> Vec<String> {
        let entries = recorded(&self.console.control, "identity_refused").await;
        entries.into_iter().map(|entry| entry.text).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_certificate_of_the_pinned_name_speaks_for_people() {
    let stage = Stage::start("").await;
    let came = stage
        .forges(Some(stage.proxies.client(NAME)))
        .await
        .unwrap();
    assert_eq!(came.status(), 200);
    let html = came.text().await.unwrap();
    assert!(html.contains("Unsigned identity") && html.contains("root"));
    let entry = recorded(&stage.console.control, "sign_in").await.remove(0);
    assert_eq!(entry.source.assurance, Some(Assurance::Mtls));
    assert_eq!(entry.source.peer.as_deref(), Some("127.0.0.1"));

    let wrong = [
        None,
        Some("other.example"),
        Some("*.example"),
        Some("proxy.example.evil.example"),
        Some("PROXY.EXAMPLE.evil"),
    ];
    for name in wrong {
        let identity = name.map(|name| stage.proxies.client(name));
        let refused = stage.forges(identity).await.unwrap();
        assert_eq!(refused.status(), 403, "{name:?}");
        assert_eq!(body_of(refused).await["code"], "identity-refused");
    }
    let refusals = stage.refusals().await;
    assert_eq!(refusals.len(), wrong.len(), "{refusals:?}");
    for text in refusals {
        assert!(text.contains("no client certificate"), "{text}");
    }
    assert_eq!(recorded(&stage.console.control, "sign_in").await.len(), 1);
}

/// The right name by the wrong authority: that connection does not come about.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_ends_the_connection_and_is_recorded() {
    let stage = Stage::start("").await;
    for stranger in [Authority::new().client(NAME), stage.outside.client(NAME)] {
        assert!(stage.forges(Some(stranger)).await.is_err());
    }
    until("both records", async || {
        let refusals = stage.refusals().await;
        refusals.len() == 2 && refusals.iter().all(|text| text.contains("authority"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_certificate_there_are_health_and_tokens_but_no_plain_http() {
    let stage = Stage::start("").await;
    let client = stage.client(None);
    let health = client.get(format!("{}/healthz", stage.address));
    assert_eq!(health.send().await.unwrap().status(), 200);
    let token = stage
        .console
        .token(quorate_domain::permission::Duty::Viewer)
        .await;
    let rest = client.get(format!("{}/api/v1/clusters", stage.address));
    let rest = rest.bearer_auth(&token).header("remote-user", "root");
    assert_eq!(rest.send().await.unwrap().status(), 200);
    assert!(stage.console.get("/healthz").send().await.is_err());
}

/// All that is configured must hold: a certificate does not stand in for the address.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_does_not_stand_in_for_what_else_is_demanded() {
    let stage = Stage::start("trusted_proxies = [\"192.0.2.7\"]").await;
    let refused = stage
        .forges(Some(stage.proxies.client(NAME)))
        .await
        .unwrap();
    assert_eq!(refused.status(), 403);
    let refusals = stage.refusals().await;
    assert!(refusals[0].contains("trusted proxy"), "{refusals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn new_certificates_are_taken_without_a_restart_and_broken_ones_are_not() {
    let mut stage = Stage::start("").await;
    let old = stage.proxies.client(NAME);
    assert_eq!(stage.forges(Some(old.clone())).await.unwrap().status(), 200);
    // A key that does not belong to the certificate, as in the middle of a renewal.
    let right = std::fs::read(&stage.files.key_file).unwrap();
    let (_, other) = Authority::new().signs(Vec::new());
    std::fs::write(&stage.files.key_file, other).unwrap();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    for _ in 0..2 {
        assert_eq!(stage.forges(Some(old.clone())).await.unwrap().status(), 200);
    }
    std::fs::write(&stage.files.key_file, right).unwrap();

    let (outside, proxies) = (Authority::new(), Authority::new());
    write_own(&outside, &stage.files);
    write_proxies(&proxies, &stage.files);
    (stage.outside, stage.proxies) = (outside, proxies);
    until("the new certificates", async || {
        let asked = stage.forges(Some(stage.proxies.client(NAME))).await;
        asked.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
    assert!(stage.forges(Some(old)).await.is_err());
}

#[test]
fn names_of_proxies_need_an_authority_and_are_whole() {
    let text = |server: &str, more: &str| {
        format!(
            "[server]\n{server}\n[identity]\nmode = \"trusted-header\"\n\
             user_header = \"Remote-User\"\n{more}"
        )
    };
    let pinned = "proxy_certificate_names = [\"proxy.example\"]";
    let own = "tls = { cert_file = \"a\", key_file = \"b\" }";
    let both = "tls = { cert_file = \"a\", key_file = \"b\", client_ca_file = \"c\" }";
    for (server, more, key) in [
        ("", pinned, "identity.proxy_certificate_names"),
        (own, pinned, "identity.proxy_certificate_names"),
        (
            both,
            "proxy_certificate_names = [\"*.example\"]",
            "identity.proxy_certificate_names",
        ),
        (
            both,
            "proxy_certificate_names = []",
            "identity.trusted_proxies",
        ),
        ("tls = { cert_file = \"a\" }", pinned, "server.tls.key_file"),
        (
            "listen = \"unix:/run/quorate.sock\"\ntls = { cert_file = \"a\", key_file = \"b\", client_ca_file = \"c\" }",
            pinned,
            "server.tls",
        ),
    ] {
        let error = Configuration::parse(&text(server, more), []).unwrap_err();
        let found = error
            .problems
            .iter()
            .any(|line| line.starts_with(&format!("{key}: ")));
        assert!(found, "{server} {more}: {error}");
    }
    let right = Configuration::parse(&text(both, pinned), []).unwrap();
    let expected = PathBuf::from("c");
    assert_eq!(right.certificates.unwrap().client_ca_file, Some(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_cannot_be_used_refuse_to_start() {
    use quorate::{
        configuration::Listen,
        console::{Application, Settings},
    };

    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let start = async || {
        let listen = Listen::Tcp((std::net::Ipv4Addr::LOCALHOST, 0).into());
        let mut settings = Settings::new(folder.path().join("data"), listen);
        settings.certificates = Some(files.clone());
        match Application::build(settings).await {
            Ok(_) => String::new(),
            Err(error) => format!("{error:#}"),
        }
    };
    assert!(
        start()
            .await
            .starts_with("server.tls: cert_file: cannot read")
    );
    write_own(&Authority::new(), &files);
    std::fs::write(files.client_ca_file.as_ref().unwrap(), "nothing").unwrap();
    assert!(start().await.starts_with("server.tls: client_ca_file: "));
}
