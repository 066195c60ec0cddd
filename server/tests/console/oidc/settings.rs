//! What the configuration of an OpenID client must say.

use quorate::configuration::{Configuration, Mode};

const WHOLE: &str = "issuer = \"https://id.example/realm\"\nclient_id = \"quorate\"\n\
                     client_secret_file = \"/nowhere/secret\"\n";
const GRANT: &str = "[[identity.grants]]\ngroup = \"ops\"\nrole = \"viewer\"\nclusters = [\"*\"]\n";

fn problems(server: &str, identity: &str) -> Vec<String> {
    let text = format!("[server]\n{server}\n[identity]\nmode = \"oidc\"\n{identity}");
    match Configuration::parse(&text, []) {
        Ok(_) => Vec::new(),
        Err(error) => error.problems,
    }
}

#[test]
fn a_client_that_leaves_something_open_refuses_to_start() {
    assert_eq!(
        problems("", &format!("{WHOLE}{GRANT}")),
        Vec::<String>::new()
    );
    let public = WHOLE.replace(
        "client_secret_file = \"/nowhere/secret\"",
        "public_client = true",
    );
    assert_eq!(
        problems("", &format!("{public}{GRANT}")),
        Vec::<String>::new()
    );
    for (identity, expected) in [
        (WHOLE.to_owned(), "identity.grants: missing"),
        (
            WHOLE.replace("https:", "http:") + GRANT,
            "identity.issuer: expected the provider's https",
        ),
        (
            WHOLE.replace("/realm", "/realm?x=1") + GRANT,
            "identity.issuer: expected",
        ),
        (GRANT.to_owned(), "identity.issuer: missing"),
        (
            WHOLE.replace("client_id = \"quorate\"", "") + GRANT,
            "identity.client_id: missing",
        ),
        (
            WHOLE.replace("client_secret_file = \"/nowhere/secret\"", "") + GRANT,
            "identity.client_secret_file: missing; without a secret say public_client",
        ),
        (
            format!("{WHOLE}public_client = true\n{GRANT}"),
            "identity.public_client: a public client has no",
        ),
        (
            format!("{WHOLE}user_header = \"Remote-User\"\n{GRANT}"),
            "identity.user_header: does not belong to the mode \"oidc\"",
        ),
        (
            format!("{WHOLE}jwks_url = \"https://id.example/keys\"\n{GRANT}"),
            "identity.jwks_url: does not belong to the mode \"oidc\"",
        ),
        (
            format!("{WHOLE}leeway_ms = 600000\n{GRANT}"),
            "identity.leeway_ms: expected at most",
        ),
        (
            format!("{WHOLE}scopes = [\"a b\"]\n{GRANT}"),
            "identity.scopes: expected names without spaces",
        ),
    ] {
        let problems = problems("", &identity);
        let named = problems.iter().any(|line| line.starts_with(expected));
        assert!(named, "{identity}\n{problems:#?}");
    }
}

#[test]
fn people_must_come_back_to_a_protected_address() {
    let identity = format!("{WHOLE}{GRANT}");
    for (server, expected) in [
        (
            "external_url = \"http://raft.example/\"",
            "server.external_url: the mode \"oidc\" needs an https",
        ),
        ("listen = \"0.0.0.0:7878\"", "server.external_url: missing"),
        (
            "listen = \"unix:/run/quorate.sock\"",
            "server.external_url: missing",
        ),
    ] {
        let problems = problems(server, &identity);
        let named = problems.iter().any(|line| line.starts_with(expected));
        assert!(named, "{server}\n{problems:#?}");
    }
    for server in [
        "external_url = \"https://raft.example/q/\"\nlisten = \"0.0.0.0:7878\"",
        "external_url = \"http://localhost:7878/\"",
    ] {
        assert_eq!(problems(server, &identity), Vec::<String>::new());
    }
}

#[test]
fn a_secret_that_cannot_be_read_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let here = file.display().to_string();
    let text = format!("[identity]\nmode = \"oidc\"\n{WHOLE}{GRANT}");
    let text = text.replace("/nowhere/secret", &here);
    let identity = || Configuration::parse(&text, []).unwrap().identity.identity();
    assert!(
        identity()
            .unwrap_err()
            .contains("identity.client_secret_file: cannot read")
    );
    std::fs::write(&file, " \n").unwrap();
    assert!(identity().unwrap_err().contains("is empty"));
    std::fs::write(&file, "secret\n").unwrap();
    // An error only says that another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    assert!(identity().is_ok());
}

#[test]
fn the_provider_is_called_by_its_host_unless_it_has_a_name() {
    for (more, expected) in [("", "id.example"), ("provider_name = \"Corp\"\n", "Corp")] {
        let text = format!("[identity]\nmode = \"oidc\"\n{WHOLE}{more}{GRANT}");
        let Mode::Oidc { client, .. } = Configuration::parse(&text, []).unwrap().identity else {
            panic!("another mode");
        };
        assert_eq!(client.name, expected);
    }
}
