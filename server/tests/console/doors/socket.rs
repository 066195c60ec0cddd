//! A proxy that comes by a Unix socket is known by the system's word on its process.

use quorate::configuration::{Configuration, Listen};
use quorate_domain::audit::Assurance;
use reqwest::Client;
use tempfile::TempDir;

use super::{headers, recorded};
use crate::support::{Running, client_builder};

async fn listening(more: &str) -> (Running, Client, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("console.sock");
    let listen = format!("listen = \"unix:{}\"", path.display());
    let identity = headers(&listen, &format!("trusted_proxies = [\"unix\"]\n{more}"));
    let at = path.clone();
    let console = Running::with(move |settings| {
        settings.identity = identity;
        settings.listen = Listen::Unix(at);
    })
    .await;
    let client = client_builder().unix_socket(path).build().unwrap();
    (console, client, folder)
}

async fn status(client: &Client) -> u16 {
    let request = client
        .get("http://localhost/access")
        .header("accept", "text/html")
        .header("remote-user", "anna")
        .header("remote-groups", "ops");
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_at_the_socket_is_known_by_its_user() {
    let own = rustix::process::geteuid().as_raw().to_string();
    for users in [String::new(), format!("proxy_users = [\"4242\", {own:?}]")] {
        let (console, client, _folder) = listening(&users).await;
        assert_eq!(status(&client).await, 200);
        let came = recorded(&console.control, "sign_in").await;
        assert_eq!(came[0].source.peer.as_deref(), Some("unix"));
        assert_eq!(came[0].source.assurance, Some(Assurance::Socket));
    }
}

/// Tailscale serve (ipn/ipnlocal/serve.go): any process of the machine reaches a backend that asks
/// nobody who they are.
#[tokio::test(flavor = "multi_thread")]
async fn another_user_of_the_machine_is_not_the_proxy() {
    let (console, client, _folder) = listening("proxy_users = [\"4242\"]").await;
    assert_eq!(status(&client).await, 403);
    let refused = recorded(&console.control, "identity_refused").await;
    assert!(refused[0].text.contains("process"), "{}", refused[0].text);
    assert!(recorded(&console.control, "sign_in").await.is_empty());
}

#[test]
fn users_are_only_known_at_a_socket() {
    let text = "[identity]\nmode = \"trusted-header\"\nuser_header = \"Remote-User\"\n\
                trusted_proxies = [\"10.0.0.1\"]\nproxy_users = [\"www-data\"]";
    let error = Configuration::parse(text, []).unwrap_err().to_string();
    assert!(error.starts_with("identity.proxy_users: "), "{error}");
}
