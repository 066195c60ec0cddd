//! HTTP/2 and HTTP/1.1 at the console's own TLS: agreed on by ALPN, pages and streams by each.

use std::time::Duration;

use quorate::listening::tls::TlsFiles;
use quorate_domain::permission::Duty;
use reqwest::{Client, Version};
use tempfile::TempDir;

use super::mutual_tls::{Authority, files, write_own};
use crate::support::{Events, Running, client_builder, cookie};

/// How long a stream may take for its first events.
const SOON: Duration = Duration::from_secs(60);

struct Stage {
    console: Running,
    address: String,
    outside: Authority,
    _folder: TempDir,
}

impl Stage {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let outside = Authority::new();
        let files = TlsFiles {
            client_ca_file: None,
            ..files(folder.path())
        };
        write_own(&outside, &files);
        let console = Running::with(move |settings| settings.certificates = Some(files)).await;
        Self {
            address: console.origin.replace("http://", "https://"),
            console,
            outside,
            _folder: folder,
        }
    }

    fn client(&self, version: Version) -> Client {
        let client = client_builder().tls_certs_only([self.outside.root()]);
        match version {
            Version::HTTP_2 => client.build().unwrap(),
            _ => client.http1_only().build().unwrap(),
        }
    }

    async fn stream(&self, client: &Client, session: &str) -> Events {
        let stream = client.get(format!("{}/events?page=fleet", self.address));
        // One by one, as browsers send them by HTTP/2.
        let stream = stream.header("cookie", "theme=dark");
        let stream = stream.header("cookie", session).timeout(SOON);
        Events::of(stream.send().await.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_live_streams_come_by_http_2_and_by_http_1() {
    let stage = Stage::start().await;
    for (version, name) in [(Version::HTTP_2, "two"), (Version::HTTP_11, "one")] {
        let client = stage.client(version);
        let secret = stage.console.account(name, Duty::Viewer).await;
        let link = client.get(format!("{}/sign-in/link/{secret}", stage.address));
        let came = link.send().await.unwrap();
        assert_eq!(came.version(), version);
        let session = cookie(&came);
        let page = client.get(format!("{}/access", stage.address));
        let page = page.header("cookie", &session).send().await.unwrap();
        assert_eq!((page.status().as_u16(), page.version()), (200, version));
        let mut events = stage.stream(&client, &session).await;
        assert_eq!(events.next().await.unwrap().name, "snapshot");
        assert_eq!(events.next().await.unwrap().name, "delta");
    }
}
