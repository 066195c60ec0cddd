//! Break-glass: in by a link made on the machine, at the machine's own socket and nowhere else.

use std::{
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use quorate::{
    configuration::{Configuration, Listen},
    console::{Application, Settings},
    listening::emergency::Door,
};
use quorate_domain::{
    audit::{Assurance, Means, Outcome},
    permission::Duty,
};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::json;

use super::recorded;
use crate::support::{Events, Form as _, Running, cookie, json as body_of, until};

const REASON: &str = "the provider is away";
/// Where a tunnel (`ssh -L 8443:…`) ends in a browser.
const TUNNEL: &str = "http://localhost:8443";

struct Stage {
    console: Running,
    socket: PathBuf,
    client: Client,
}

impl Stage {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut socket = PathBuf::new();
        let console = Running::with(|settings| {
            socket = settings.data_dir.with_file_name("break-glass.sock");
            settings.break_glass = Some(door(&socket, &[]));
            change(settings);
        })
        .await;
        let client = at(&socket);
        Self {
            console,
            socket,
            client,
        }
    }

    async fn link(&self) -> String {
        let who = self.console.control.command_line_operator();
        let made = self.console.control.break_glass_link(&who, REASON).await;
        format!("/sign-in/break-glass/{}", made.unwrap().reveal())
    }

    /// The session cookie of somebody who came in.
    async fn enters(&self) -> String {
        let link = self.link().await;
        let response = self.get(&link).send().await.unwrap();
        assert_eq!(response.status(), 303);
        let to = response.headers()["location"].to_str().unwrap();
        assert!(to == "/" || to == "/quorate/", "{to}");
        cookie(&response)
    }

    /// As a browser at the tunnel's end asks.
    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{TUNNEL}{path}"))
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{TUNNEL}{path}"))
    }

    async fn html(&self, path: &str, session: &str) -> String {
        let page = self.console.get(path).header("cookie", session);
        page.send().await.unwrap().text().await.unwrap()
    }
}

fn door(socket: &Path, users: &[&str]) -> Door {
    Door {
        socket: socket.to_owned(),
        users: users.iter().map(|user| (*user).to_owned()).collect(),
    }
}

fn at(socket: &Path) -> Client {
    let client = crate::support::client_builder().unix_socket(socket);
    client.build().unwrap()
}

async fn code(response: Response, status: u16) -> String {
    assert_eq!(response.status(), status);
    body_of(response).await["code"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_comes_in_by_the_socket_and_everybody_else_is_told() {
    let stage = Stage::start().await;
    let vera = stage.console.session(Duty::Viewer).await;
    assert!(!stage.html("/changes", &vera).await.contains("Break-glass"));
    let nobody = stage.get("/").send().await.unwrap();
    assert_eq!(code(nobody, 401).await, "break-glass-link-needed");

    let session = stage.enters().await;
    assert!(session.starts_with("quorate-break-glass="), "{session}");
    let page = stage.get("/access").header("cookie", &session);
    let html = page.send().await.unwrap().text().await.unwrap();
    assert!(html.contains("Break-glass, by the socket") && html.contains("admin"));
    // Allowed, and too late.
    let wish = json!({ "wish": {
        "cluster": "sim", "action": { "action": "remove", "member": "n3" },
        "fingerprint": "stale", "reason": "test", "ticket": null, "key": "k",
    } });
    let ask = stage
        .post("/api/ui/submit")
        .header("cookie", &session)
        .header("origin", TUNNEL);
    let asked = ask.json(&wish).send().await.unwrap();
    assert_eq!(asked.status(), 400, "{}", asked.text().await.unwrap());

    let entry = recorded(&stage.console.control, "break_glass_sign_in")
        .await
        .remove(0);
    let own = rustix::process::geteuid().as_raw();
    assert_eq!(entry.actor.means, Means::BreakGlass);
    assert_eq!(entry.actor.issuer, "local");
    assert_eq!(entry.outcome, Some(Outcome::Succeeded));
    assert_eq!(entry.reason.as_deref(), Some(REASON));
    assert_eq!(entry.source.peer, Some(format!("unix:{own}")));
    assert_eq!(entry.source.assurance, Some(Assurance::Socket));

    for path in ["/", "/changes", "/clusters/sim", "/problems", "/access"] {
        until("the banner", async || {
            let html = stage.html(path, &vera).await;
            html.contains("Break-glass is open") && html.contains(REASON)
        })
        .await;
    }
    let out = stage
        .post("/sign-out")
        .header("cookie", &session)
        .header("sec-fetch-site", "same-origin");
    assert_eq!(out.form(&[]).send().await.unwrap().status(), 303);
    let after = stage.get("/").header("cookie", &session).send().await;
    assert_eq!(after.unwrap().status(), 401);
    until("the finding afterwards", async || {
        let html = stage.html("/problems", &vera).await;
        html.contains("Break-glass was used") && !html.contains("Break-glass is open")
    })
    .await;
    let out = recorded(&stage.console.control, "sign_out").await;
    assert_eq!(out[0].actor.means, Means::BreakGlass);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_good_once_and_a_made_up_one_never() {
    let stage = Stage::start().await;
    let link = stage.link().await;
    assert_eq!(stage.get(&link).send().await.unwrap().status(), 303);
    for wrong in [link.as_str(), "/sign-in/break-glass/made-up"] {
        let again = stage.get(wrong).send().await.unwrap();
        assert!(again.headers().get("set-cookie").is_none());
        assert_eq!(code(again, 401).await, "break-glass-link-needed");
    }
    let entries = recorded(&stage.console.control, "break_glass_sign_in").await;
    let outcomes: Vec<_> = entries.iter().map(|entry| entry.outcome).collect();
    let failed = Some(Outcome::Failed);
    assert_eq!(outcomes, [Some(Outcome::Succeeded), failed, failed]);
    let account = stage.console.account("anna", Duty::Admin).await;
    let other = stage.get(&format!("/sign-in/link/{account}")).send().await;
    assert_eq!(code(other.unwrap(), 404).await, "not-in-this-mode");
}

/// Never by TCP: neither the link, nor a session that began at the socket, nor its bearer token.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_it_leads_in_by_tcp() {
    let stage = Stage::start().await;
    let console = &stage.console;
    let link = stage.link().await;
    let refused = console.get(&link).send().await.unwrap();
    assert_eq!(code(refused, 404).await, "not-in-this-mode");
    // It was not used up by that.
    let response = stage.get(&link).send().await.unwrap();
    let session = cookie(&response);
    let (_, id) = session.split_once('=').unwrap();
    for carried in [session.clone(), format!("quorate={id}")] {
        let page = console.get("/").header("cookie", &carried);
        let page = page.send().await.unwrap();
        assert_eq!(page.headers()["location"], "/sign-in", "{carried}");
        let stream = console.get("/events?page=fleet").header("cookie", &carried);
        assert_eq!(stream.send().await.unwrap().status(), 401);
    }
    let bearer = format!("qg_{id}");
    let rest = console.get("/api/v1/clusters").bearer_auth(&bearer);
    assert_eq!(rest.send().await.unwrap().status(), 401);
    // And what is somebody elsewhere is nobody here.
    let admin = console.session(Duty::Admin).await;
    let (_, id) = admin.split_once('=').unwrap();
    for carried in [admin.clone(), format!("quorate-break-glass={id}")] {
        let page = stage.get("/").header("cookie", &carried).send().await;
        assert_eq!(page.unwrap().status(), 401, "{carried}");
    }
    let forged = stage.get("/").header("remote-user", "root");
    assert_eq!(forged.send().await.unwrap().status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_at_the_socket_send_the_session_as_a_bearer_token() {
    let stage = Stage::start().await;
    let session = stage.enters().await;
    let (_, id) = session.split_once('=').unwrap();
    let ask = async |token: String| {
        let request = stage.get("/api/v1/clusters").bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask(format!("qg_{id}")).await, 200);
    let change = json!({
        "action": "remove", "member": "n3", "revision": "stale", "reason": "test",
    });
    let change = stage
        .post("/api/v1/clusters/sim/changes")
        .bearer_auth(format!("qg_{id}"))
        .json(&change);
    assert_eq!(change.send().await.unwrap().status(), 409);
    // Whoever is named in the log by another means comes by another way.
    let token = stage.console.token(Duty::Admin).await;
    for wrong in [token, format!("qt_{id}"), id.to_owned(), "qg_".to_owned()] {
        assert_eq!(ask(wrong).await, 401);
    }
    // A cookie is no bearer token.
    let carried = stage.get("/api/v1/clusters").header("cookie", &session);
    assert_eq!(carried.send().await.unwrap().status(), 401);
}

/// The configured address is another one than a tunnel's; DNS rebinding leads other names here.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_at_the_tunnels_end_is_at_home_and_no_other_site_is() {
    let stage = Stage::with(|settings| {
        settings.external_url = Some("https://raft.example/quorate/".parse().unwrap());
    })
    .await;
    let session = stage.enters().await;
    let page = stage.get("/quorate/access").header("cookie", &session);
    let page = page.send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.headers().get("strict-transport-security").is_none());
    let ask = async |headers: &[(&str, &str)]| {
        let mut request = stage.post("/api/ui/access").header("cookie", &session);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.json(&json!({})).send().await.unwrap();
        response.status().as_u16()
    };
    assert_eq!(ask(&[("sec-fetch-site", "same-origin")]).await, 200);
    assert_eq!(ask(&[("origin", TUNNEL)]).await, 200);
    for site in ["same-site", "cross-site", "none"] {
        assert_eq!(ask(&[("sec-fetch-site", site)]).await, 403, "{site}");
    }
    for origin in [
        "https://raft.example",
        "http://localhost:3000",
        "http://127.0.0.1:8443",
        "https://localhost:8443",
        "null",
    ] {
        assert_eq!(ask(&[("origin", origin)]).await, 403, "{origin}");
    }
    assert_eq!(ask(&[]).await, 403);
    for host in ["evil.example", "evil.example:8443", "raft.example"] {
        let page = stage
            .client
            .get(format!("http://{host}/"))
            .header("cookie", &session)
            .header("sec-fetch-site", "same-origin");
        assert_eq!(code(page.send().await.unwrap(), 421).await, "other-host");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_ends_it_and_its_stream_ends_too() {
    let stage = Stage::start().await;
    let session = stage.enters().await;
    let open = stage
        .get("/events?page=fleet")
        .header("cookie", &session)
        .header("sec-fetch-site", "same-origin");
    let mut events = Events::of(open.send().await.unwrap());
    assert_eq!(events.next().await.unwrap().name, "snapshot");
    let control = &stage.console.control;
    let who = control.command_line_operator();
    let sessions = control.sessions(&who).await.unwrap();
    let found = sessions.iter().find(|it| it.account == "break-glass");
    let hash = &found.expect("the session in the list").hash;
    control.session_end(&who, hash).await.unwrap();
    let mut last = String::new();
    while let Some(event) = events.next().await {
        last = event.name;
    }
    assert_eq!(last, "signed-out");
    let page = stage.get("/").header("cookie", &session).send().await;
    assert_eq!(page.unwrap().status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_who_are_not_on_the_list_are_turned_away_and_recorded() {
    let mut socket = PathBuf::new();
    let console = Running::with(|settings| {
        socket = settings.data_dir.with_file_name("break-glass.sock");
        settings.break_glass = Some(door(&socket, &["4242"]));
    })
    .await;
    assert!(at(&socket).get(TUNNEL).send().await.is_err());
    until("the record", async || {
        let found = recorded(&console.control, "break_glass_refused").await;
        let own = rustix::process::geteuid().as_raw();
        found
            .first()
            .is_some_and(|entry| entry.source.peer == Some(format!("unix:{own}")))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_is_its_owners_alone_and_goes_with_the_console() {
    let stage = Stage::start().await;
    let socket = stage.socket.clone();
    let found = std::fs::symlink_metadata(&socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    let mut console = stage.console;
    console.stop.cancel();
    console.running.take().unwrap().await.unwrap().unwrap();
    assert!(!socket.exists());
    // Its folder is still there: it did not go along with that.
    assert!(console.data.path().exists());
}

async fn start(folder: &Path, socket: &Path) -> anyhow::Result<Application> {
    let listen = Listen::Tcp((std::net::Ipv4Addr::LOCALHOST, 0).into());
    let mut settings = Settings::new(folder.join("data"), listen);
    settings.break_glass = Some(door(socket, &[]));
    Application::build(settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_socket_is_replaced_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("break-glass.sock");
    let alive = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let refused = start(folder.path(), &socket).await.err().unwrap();
    assert!(format!("{refused:#}").contains("listens"), "{refused:#}");
    drop(alive);
    assert!(socket.exists(), "as a killed console leaves it behind");
    drop(start(folder.path(), &socket).await.unwrap());
    std::fs::remove_file(&socket).unwrap();
    std::fs::write(&socket, "somebody's file").unwrap();
    let refused = start(folder.path(), &socket).await.err().unwrap();
    assert!(format!("{refused:#}").contains("no socket"), "{refused:#}");
    assert_eq!(std::fs::read(&socket).unwrap(), b"somebody's file");

    let open = folder.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let refused = start(folder.path(), &open.join("s")).await.err().unwrap();
    assert!(format!("{refused:#}").contains("others may write"));
}

/// It is for when the provider is away, and needs nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn it_works_while_the_provider_is_away_and_beside_a_proxys_mode() {
    let grants = super::GRANTS;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "a secret of the client").unwrap();
    let away = format!(
        "[identity]\nmode = \"oidc\"\nissuer = \"http://127.0.0.1:1\"\nclient_id = \"quorate\"\n\
         client_secret_file = {:?}\n{grants}",
        secret.display().to_string()
    );
    let behind = format!(
        "[identity]\nmode = \"trusted-header\"\nuser_header = \"Remote-User\"\n\
         trusted_proxies = [\"192.0.2.7\"]\n{grants}"
    );
    for text in [away, behind] {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let configuration = Configuration::parse(&text, []).unwrap();
        let identity = configuration.identity.identity().unwrap();
        let stage = Stage::with(move |settings| settings.identity = identity).await;
        let session = stage.enters().await;
        let page = stage.get("/clusters/sim").header("cookie", &session);
        assert_eq!(page.send().await.unwrap().status(), 200);
    }
}

fn quorate(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.args(arguments).stdin(std::process::Stdio::null());
    command.output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_prints_a_link_and_records_why() {
    let stage = Stage::start().await;
    let data = stage.console.data.path().join("data");
    let data = data.to_str().unwrap();
    let made = quorate(&["break-glass", "--data", data, "--reason", REASON]);
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let printed = String::from_utf8(made.stdout).unwrap();
    let link = printed
        .trim()
        .strip_prefix("http://localhost")
        .expect("a link");
    assert_eq!(stage.get(link).send().await.unwrap().status(), 303);
    let entry = recorded(&stage.console.control, "break_glass_link")
        .await
        .remove(0);
    assert_eq!(entry.actor.means, Means::CommandLine);
    assert_eq!(entry.reason.as_deref(), Some(REASON));
    for wrong in [
        &["break-glass", "--data", data][..],
        &["break-glass", "--data", data, "--reason", " "],
        &["break-glass", "--reason", REASON],
    ] {
        assert!(!quorate(wrong).status.success(), "{wrong:?}");
    }
    // Nobody makes one from afar, whatever their role.
    let mut afar = stage.console.control.command_line_operator();
    afar.actor.means = Means::Password;
    let refused = stage.console.control.break_glass_link(&afar, REASON).await;
    assert!(refused.is_err());
}

#[test]
fn the_place_of_the_socket_is_a_whole_path() {
    for socket in ["socket = \"break-glass.sock\"", "socket = \"\"", ""] {
        let text = format!("[identity.break_glass]\n{socket}");
        let error = Configuration::parse(&text, []).unwrap_err().to_string();
        let key = "identity.break_glass.socket: ";
        assert!(error.starts_with(key), "{error}");
    }
    assert!(Configuration::parse("", []).unwrap().break_glass.is_none());
}
