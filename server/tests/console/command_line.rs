//! The program's commands, run as people run them.

use std::process::{Command, Output};

use quorate_domain::permission::Duty;

use crate::support::Running;

fn quorate(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command
        .args(arguments)
        .env_remove("QUORATE_URL")
        .env_remove("QUORATE_TOKEN");
    command
        .envs(environment.iter().copied())
        .stdin(std::process::Stdio::null());
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn commands_of_later_versions_say_so() {
    for arguments in [
        &["ctl", "plan", "c", "replace"][..],
        &["ctl", "watch", "c", "--group", "1"],
    ] {
        let output = quorate(arguments, &[("QUORATE_TOKEN", "qt_x")]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(
            stderr(&output).trim(),
            "not in this version",
            "{arguments:?}"
        );
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    for arguments in [
        &["nothing"][..],
        &["serve"],
        &["user", "list"],
        &["user", "list", "--config", "a", "--data", "b"],
        &["user", "add", "x", "--role", "king", "--data", "."],
        &["token", "create", "x", "--expires", "soon", "--data", "."],
        &["ctl", "clusters"],
        &["ctl", "promote", "c", "m"],
        &["ctl", "approve"],
        &["serve", "--config", "/nonexistent/quorate.toml"],
        &["check", "--config", "/nonexistent/quorate.toml"],
    ] {
        assert_eq!(
            quorate(arguments, &[]).status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
}

#[test]
fn the_printed_configuration_is_printed_and_nothing_else() {
    let output = quorate(&["serve", "--print-config"], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        stdout(&output).trim_end(),
        quorate::configuration::printed().trim_end()
    );
    assert_eq!(stderr(&output), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_tokens_are_made_beside_a_running_console() {
    let console = Running::start().await;
    let data = console.data.path().join("data").display().to_string();
    let local = |arguments: &[&str]| {
        let output = quorate(&[arguments, &["--data", &data]].concat(), &[]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{arguments:?} {}",
            stderr(&output)
        );
        stdout(&output)
    };
    let added = local(&["user", "add", "anna", "--role", "operator"]);
    let link = added.lines().last().unwrap();
    assert!(
        link.starts_with(&format!("{}/sign-in/link/", console.address)),
        "{link}"
    );
    let response = console.http.get(link).send().await.unwrap();
    assert_eq!(response.headers()["location"], "/");
    assert!(local(&["user", "list"]).contains("anna  operator on *"));
    let made = local(&["token", "create", "ci", "--role", "viewer"]);
    let token = made.lines().last().unwrap().to_owned();
    assert!(token.starts_with("qt_"));
    let ask = async || {
        let request = console.get("/api/v1/clusters").bearer_auth(&token);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask().await, 200);
    assert!(!local(&["token", "list"]).contains(&token));
    local(&["token", "revoke", "ci"]);
    assert_eq!(ask().await, 401);
    local(&["user", "disable", "anna"]);
    assert!(local(&["user", "list"]).contains("disabled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_remote_client_ends_as_its_answers_say() {
    let console = Running::start().await;
    let admin = console.token(Duty::Admin).await;
    let viewer = console.token(Duty::Viewer).await;
    let run = |arguments: &[&str], token: &str| {
        let environment = [
            ("QUORATE_URL", console.address.as_str()),
            ("QUORATE_TOKEN", token),
        ];
        quorate(&[&["ctl"], arguments].concat(), &environment)
    };
    for (arguments, token, code) in [
        (&["clusters"][..], &viewer, 0),
        (&["show", "sim"], &viewer, 0),
        (&["show", "nowhere"], &viewer, 1),
        (&["clusters"], &"qt_wrong".to_owned(), 7),
        (
            &["promote", "sim", "n4", "--reason", "x", "--yes"],
            &viewer,
            7,
        ),
        (&["promote", "sim", "n4", "--dry-run"], &admin, 0),
        (
            &["remove", "sim", "n1", "--reason", "x", "--yes"],
            &admin,
            3,
        ),
        (&["remove", "sim", "n1", "--dry-run"], &admin, 3),
        (&["promote", "sim", "n4", "--reason", "x"], &admin, 2),
        (
            &["promote", "sim", "n4", "--reason", "x", "--yes", "--wait"],
            &admin,
            0,
        ),
        (&["audit"], &viewer, 7),
        (&["audit"], &admin, 0),
        (&["changes"], &viewer, 0),
    ] {
        let output = run(arguments, token);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?} {}",
            stderr(&output)
        );
    }
    assert_eq!(console.cluster.sent().len(), 1);
    let nobody = [
        ("QUORATE_URL", "http://127.0.0.1:1"),
        ("QUORATE_TOKEN", "qt_x"),
    ];
    assert_eq!(
        quorate(&["ctl", "clusters"], &nobody).status.code(),
        Some(6)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_give_the_consoles_own_json() {
    let console = Running::start().await;
    let token = console.token(Duty::Admin).await;
    let environment = [
        ("QUORATE_URL", console.address.as_str()),
        ("QUORATE_TOKEN", token.as_str()),
    ];
    for arguments in [
        &["clusters"][..],
        &["show", "sim"],
        &["changes"],
        &["audit"],
    ] {
        let output = quorate(&[&["ctl"], arguments, &["--json"]].concat(), &environment);
        let parsed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(parsed.is_object(), "{arguments:?}");
    }
    let preview = quorate(
        &["ctl", "promote", "sim", "n4", "--dry-run", "--json"],
        &environment,
    );
    let preview: serde_json::Value = serde_json::from_slice(&preview.stdout).unwrap();
    assert!(preview["fingerprint"].is_string());
}

#[test]
fn a_check_names_what_is_wrong_and_ends_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("quorate.toml");
    std::fs::write(
        &file,
        "[[clusters]]\nname = \"gone\"\nkind = \"openbao\"\nseeds = [\"http://127.0.0.1:1\"]\n",
    )
    .unwrap();
    let output = quorate(&["check", "--config", file.to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stdout(&output)
            .lines()
            .any(|line| line.starts_with("FAIL  gone")),
        "{}",
        stdout(&output)
    );
}
