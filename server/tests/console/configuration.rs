//! What a wrong configuration says, and that the printed one is right.

use quorate::configuration::{Configuration, Listen, printed};

fn problems(text: &str) -> Vec<String> {
    Configuration::parse(text, [])
        .expect_err("an error")
        .problems
}

fn from_environment(text: &str, pairs: &[(&str, &str)]) -> Result<Configuration, Vec<String>> {
    let pairs = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Configuration::parse(text, pairs).map_err(|error| error.problems)
}

#[test]
fn every_mistake_is_named_with_its_key_and_what_is_expected() {
    let cluster =
        |line: &str| format!("[[clusters]]\nname = \"a\"\nkind = \"simulated\"\n{line}\n");
    for (text, expected) in [
        (
            "read_onyl = true",
            "read_onyl: unknown key; did you mean \"read_only\"?",
        ),
        (
            "read_only = \"yes\"",
            "read_only: expected true or false, found a text",
        ),
        (
            "[server]\nlisten = 7878",
            "server.listen: expected a text in quotes, found 7878",
        ),
        (
            "[server]\nlisten = \"7878\"",
            "server.listen: expected an address and port",
        ),
        (
            "[server]\nlisten = \"unix:quorate.sock\"",
            "server.listen: expected",
        ),
        (
            "[server]\nlissten = \"\"",
            "server.lissten: unknown key; did you mean \"listen\"?",
        ),
        (
            "[server]\nexternal_url = \"ftp://a\"",
            "server.external_url: expected an address",
        ),
        (
            "[server]\nexternal_url = \"http://u:p@a/\"",
            "server.external_url: expected an address",
        ),
        ("[servr]", "servr: unknown key; did you mean \"server\"?"),
        ("server = 3", "server: expected a table, found 3"),
        (
            "[identity]\nmode = \"oidc\"",
            "identity.issuer: missing; the mode \"oidc\" needs it",
        ),
        (
            "[identity]\nmode = \"ldap\"",
            "identity.mode: expected \"local\", \"trusted-header\", \"jwt-header\" or \"oidc\"; found \"ldap\"",
        ),
        (
            "[identity]\nmode = \"jwt-header\"\nclient_id = \"x\"",
            "identity.client_id: does not belong to the mode \"jwt-header\"",
        ),
        (
            "[server]\ndatabase = \"postgres://x\"",
            "server.database: not in this version",
        ),
        (
            "[[clusters]]\nkind = \"simulated\"",
            "clusters[0].name: missing",
        ),
        (
            "[[clusters]]\nname = \"a b\"\nkind = \"simulated\"",
            "clusters[0].name: expected letters",
        ),
        (
            "[[clusters]]\nname = \"a\"\nkind = \"etcd\"\nseeds = [\"x\"]\nusername = \"ada\"",
            "clusters[0]: username and password_file belong together",
        ),
        (
            "[[clusters]]\nname = \"a\"\nkind = \"bao\"\nseeds = [\"x\"]",
            "clusters[0].kind: expected openbao",
        ),
        (
            "[[clusters]]\nname = \"a\"\nkind = \"hashicorp-raft\"\nseeds = [\"x\"]",
            "clusters[0].kind: expected openbao, vault, etcd, openziti, agent, raftadmin or simulated; \
             found \"hashicorp-raft\"; programs that embed one of the agents are of the kind agent",
        ),
        (
            &cluster("join_allowed = [\"10.20.0.0/16\"]"),
            "clusters[0].join_allowed: expected a network with port",
        ),
        (
            "[[clusters]]\nname = \"a\"\nkind = \"openbao\"",
            "clusters[0].seeds: missing",
        ),
        (
            "[[clusters]]\nname = \"a\"\nkind = \"openbao\"\nseeds = [\"srv:_raft\"]",
            "clusters[0].seeds: seed `srv:_raft`: the name needs a domain",
        ),
        (
            "[[clusters]]\nname = \"a\"\nkind = \"openbao\"\nseeds = [\"consul:https://host:8501\"]",
            "clusters[0].seeds: seed `consul:https://host:8501`: expected an address and a service",
        ),
        (
            "[server]\nresolver = \"dns.example\"",
            "server.resolver: expected a number with or without port",
        ),
        (
            &cluster("tags = \"a\""),
            "clusters[0].tags: expected a list of texts",
        ),
        (
            &cluster("zones = { a = 1 }"),
            "clusters[0].zones: expected a table of texts",
        ),
        (
            &cluster("token = \"s.secret\""),
            "clusters[0].token: unknown key; did you mean",
        ),
        (
            &cluster("cert_file = \"x\""),
            "clusters[0]: cert_file and key_file belong together",
        ),
        (
            &cluster("[clusters.thresholds]\nlag_warn = -1"),
            "clusters[0].thresholds.lag_warn: expected a whole number, 0 or more, found -1",
        ),
        (
            &cluster("[clusters.thresholds]\nlag_warm = 1"),
            "clusters[0].thresholds.lag_warm: unknown key; did you mean \"lag_warn\"?",
        ),
        (
            &format!("{0}{0}", cluster("")),
            "clusters[1].name: \"a\" is there twice",
        ),
        (
            "[[approvals]]",
            "approvals[0].actions: missing; \"*\" is every action",
        ),
        (
            "[[approvals]]\nactions = [\"destroy\"]",
            "approvals[0].actions: expected \"*\" or add_learner",
        ),
        (
            "[[approvals]]\nactions = [\"*\"]\nclusters = [\"vualt\"]",
            "approvals[0].clusters: there is no cluster \"vualt\"",
        ),
        (
            "[[approvals]]\nactions = [\"*\"]\ntags = [\"prod\"]",
            "approvals[0].tags: no cluster has the tag \"prod\"",
        ),
        (
            "[[approvals]]\nactions = [\"*\"]\napprovals = 0",
            "approvals[0].approvals: expected 1 to 10, found 0",
        ),
        (
            "[[approvals]]\nactions = [\"*\"]\nexpires_after_ms = 1",
            "approvals[0].expires_after_ms: expected 1000 to",
        ),
        (
            "[[approvals]]\nactons = [\"*\"]",
            "approvals[0].actons: unknown key; did you mean \"actions\"?",
        ),
        ("read_only = ", "line 1: this is not TOML"),
    ] {
        let problems = problems(text);
        assert!(
            problems.iter().any(|line| line.starts_with(expected)),
            "{text}\n{problems:#?}"
        );
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    assert_eq!(
        problems("read_onyl = true\n[server]\nlisten = 1\n[identity]\nmdoe = \"local\"").len(),
        3
    );
}

#[test]
fn no_value_of_a_misplaced_secret_is_repeated() {
    let text = "[[clusters]]\nname = \"a\"\nkind = \"simulated\"\ntoken = \"hvs.hunter2\"\nseeds = \"hvs.hunter2\"";
    assert!(!problems(text).join("\n").contains("hunter2"));
    assert!(
        !problems("token = 'hvs.hunter2\n")
            .join("\n")
            .contains("hunter2")
    );
}

#[test]
fn the_environment_overrides_the_file() {
    let file =
        "[server]\nlisten = \"127.0.0.1:1\"\n[[clusters]]\nname = \"a\"\nkind = \"simulated\"";
    let configuration = from_environment(
        file,
        &[
            ("QUORATE_SERVER__LISTEN", "unix:/run/q.sock"),
            ("QUORATE_READ_ONLY", "true"),
            ("QUORATE_CLUSTERS__0__TAGS", "prod, eu"),
            ("QUORATE_CLUSTERS__0__THRESHOLDS__LAG_WARN", "7"),
            ("QUORATE_CLUSTERS__1__NAME", "b"),
            ("QUORATE_CLUSTERS__1__KIND", "simulated"),
        ],
    )
    .unwrap();
    assert_eq!(configuration.listen, Listen::Unix("/run/q.sock".into()));
    assert!(configuration.read_only);
    let first = &configuration.clusters[0].registration;
    assert_eq!(first.tags, ["prod", "eu"]);
    assert_eq!(first.thresholds.lag_warn, 7);
    assert_eq!(configuration.clusters[1].name(), "b");
}

#[test]
fn a_wrong_variable_is_named() {
    for (name, value, expected) in [
        (
            "QUORATE_SERVER__LISTEM",
            "x",
            "QUORATE_SERVER__LISTEM: unknown key \"listem\"; did you mean \"listen\"?",
        ),
        (
            "QUORATE_READ_ONLY",
            "maybe",
            "QUORATE_READ_ONLY: expected true or false",
        ),
        ("QUORATE_SERVER", "x", "QUORATE_SERVER: names a table"),
        (
            "QUORATE_CLUSTERS__X__NAME",
            "x",
            "QUORATE_CLUSTERS__X__NAME: expected a number next",
        ),
        (
            "QUORATE_CLUSTERS__3__NAME",
            "x",
            "QUORATE_CLUSTERS__3__NAME: there is no block 3",
        ),
        (
            "QUORATE_SERVER__DATABASE",
            "x",
            "QUORATE_SERVER__DATABASE: not in this version",
        ),
    ] {
        let problems = from_environment("", &[(name, value)]).unwrap_err();
        assert!(problems[0].starts_with(expected), "{problems:?}");
    }
}

#[test]
fn the_printed_configuration_can_be_used_as_it_stands() {
    let configuration = Configuration::parse(&printed(), []).unwrap();
    let empty = Configuration::parse("", []).unwrap();
    assert_eq!(configuration.listen, empty.listen);
    assert_eq!(configuration.data_dir, empty.data_dir);
    assert!(configuration.clusters.is_empty());
}

#[test]
fn the_printed_examples_can_be_used_once_their_marks_are_taken_away() {
    let text: Vec<String> = printed()
        .lines()
        .filter(|line| !line.starts_with("# "))
        .map(|line| line.trim_start_matches('#').to_owned())
        .collect();
    let configuration = Configuration::parse(&text.join("\n"), []).unwrap();
    assert_eq!(configuration.clusters[0].name(), "vault-eu");
    assert_eq!(
        configuration.external_url.unwrap().as_str(),
        "http://127.0.0.1:7878/"
    );
}

#[test]
fn an_empty_secret_is_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "\n").unwrap();
    let text = format!(
        "[[clusters]]\nname = \"a\"\nkind = \"openbao\"\nseeds = [\"http://127.0.0.1:1\"]\ntoken_file = {:?}",
        file.display().to_string()
    );
    let configuration = Configuration::parse(&text, []).unwrap();
    assert!(configuration.connections().unwrap_err().problems[0].ends_with("is empty"));
    std::fs::write(&file, " hvs.secret \n").unwrap();
    let connections = configuration.connections().unwrap();
    assert_eq!(
        connections[0].token.as_ref().unwrap().reveal(),
        "hvs.secret"
    );
    assert!(!format!("{connections:?}").contains("hvs.secret"));
}

#[test]
fn places_that_can_never_hold_are_named() {
    let cluster =
        "[[clusters]]\nname = \"a\"\nkind = \"openbao\"\nseeds = [\"http://127.0.0.1:1\"]\n";
    for (line, expected) in [
        (
            "join_allowed = [\"http://127.0.0.1:1\", \"10.0.0.0/99\"]",
            "clusters[0].join_allowed: expected a network",
        ),
        (
            "api_address_pattern = \"https://bao.example:8200\"",
            "clusters[0].api_address_pattern: expected {host}",
        ),
    ] {
        let error = Configuration::parse(&format!("{cluster}{line}"), []).unwrap_err();
        assert!(error.problems[0].starts_with(expected), "{error}");
    }
}

#[test]
fn a_file_without_a_certificate_is_no_authority() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "").unwrap();
    let text = format!(
        "[[clusters]]\nname = \"a\"\nkind = \"openbao\"\nseeds = [\"https://127.0.0.1:1\"]\nca_file = {:?}",
        file.display().to_string()
    );
    let configuration = Configuration::parse(&text, []).unwrap();
    let error = configuration.connections().unwrap_err();
    assert!(error.problems[0].contains("no certificate"), "{error}");
}

#[test]
fn reports_by_schedule_are_read_and_each_mistake_is_named() {
    let text = r#"
        [audit]
        reports_keep_days = 30
        [[audit.reports]]
        name = "board"
        every = "month"
        at = "06:30"
        language = "zh"
        folder = "/mnt/reports"
        kinds = ["intent", "outcome"]
        [[audit.reports]]
        name = "daily"
        every = "day"
        format = "ocsf"
        folder = "/mnt/siem"
    "#;
    let reports = Configuration::parse(text, []).unwrap().reports;
    assert_eq!(reports.keeping.days, 30);
    assert_eq!(reports.keeping.bytes, 2_048 * 1_024 * 1_024);
    let [board, daily] = reports.plans.try_into().unwrap();
    assert_eq!((board.minute, board.format.as_str()), (390, "pdf"));
    assert_eq!(board.filter.kinds.len(), 2);
    assert_eq!((daily.minute, daily.format.as_str()), (0, "ocsf"));
    for (was, is, said) in [
        ("\"06:30\"", "\"24:00\"", "board: at: expected a time"),
        ("\"month\"", "\"year\"", "board: every: expected"),
        ("\"zh\"", "\"fr\"", "board: language: expected"),
        ("\"daily\"", "\"board\"", "\"board\" is there twice"),
        ("\"daily\"", "\"a/b\"", "name: expected letters"),
        ("\"ocsf\"", "\"odt\"", "daily: format: expected"),
        ("\"/mnt/siem\"", "\"\"", "daily: folder: expected"),
        ("\"outcome\"", "\"outcomes\"", "board: kinds: expected"),
    ] {
        let error = Configuration::parse(&text.replace(was, is), []).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn snapshots_are_kept_by_number_and_size_and_never_none_of_them() {
    let usual = Configuration::parse("", []).unwrap().snapshots;
    assert_eq!((usual.count, usual.bytes), (10, 10_240 * 1_024 * 1_024));
    let text = "[snapshots]\nkeep = 3\nkeep_mb = 1";
    let kept = Configuration::parse(text, []).unwrap().snapshots;
    assert_eq!((kept.count, kept.bytes), (3, 1_024 * 1_024));
    let problems = problems("[snapshots]\nkeep = 0");
    assert!(problems[0].starts_with("snapshots.keep: "), "{problems:?}");
}

#[test]
fn copies_of_the_audit_log_go_to_files_and_over_tls_or_to_this_machine_only() {
    let text = "[audit]\ncopy_files = [\"/mnt/keeper/checkpoints\"]\n\
                copy_webhooks = [\"https://keeper.example/q\", \"http://127.0.0.1:9/q\"]";
    let copies = Configuration::parse(text, []).unwrap().copies;
    assert_eq!((copies.files.len(), copies.webhooks.len()), (1, 2));
    for wrong in [
        "http://keeper.example/",
        "https://u:p@keeper.example/",
        "keeper",
        "ftp://a/",
    ] {
        let problems = problems(&format!("[audit]\ncopy_webhooks = [\"{wrong}\"]"));
        assert!(
            problems[0].starts_with("audit.copy_webhooks: expected"),
            "{problems:?}"
        );
        assert!(!problems[0].contains("u:p"), "{problems:?}");
    }
}

/// What is wrong with one block of `[[audit.copies]]`.
fn wrong_place(block: &str) -> String {
    let text = format!("[[audit.copies]]\n{block}");
    let wrong = Configuration::parse(&text, []).err();
    wrong.map_or_else(String::new, |error| error.problems.join("\n"))
}

#[test]
fn places_outside_are_named_and_reached_over_tls_or_on_this_machine() {
    let text = r#"
        [[audit.copies]]
        name = "siem"
        to = "syslog"
        what = "entries"
        address = "tls://logs.example"
        ca_file = "/etc/quorate/ca.pem"
        alarm_after_ms = 30000

        [[audit.copies]]
        name = "keeper"
        to = "webhook"
        url = "https://keeper.example/hidden?key=hidden"
        secret_file = "/run/secrets/hmac"

        [[audit.copies]]
        name = "archive"
        to = "objects"
        what = "reports"
        endpoint = "https://s3.example"
        bucket = "audit"
        access_key = "AKIA"
        secret_key_file = "/run/secrets/objects"
        lock_mode = "compliance"
        lock_days = 400

        [[audit.reports]]
        name = "board"
        every = "month"
        deliver_to = ["archive"]
    "#;
    let configuration = Configuration::parse(text, []).unwrap();
    let places = configuration.copies.places;
    let words: Vec<String> = places.iter().map(|place| place.to.words()).collect();
    assert_eq!(
        words,
        [
            "syslog logs.example:6514",
            "webhook https://keeper.example",
            "bucket audit at https://s3.example"
        ]
    );
    assert_eq!(places[0].alarm_after.as_secs(), 30);
    assert_eq!(configuration.reports.plans[0].folder, None);

    let syslog = "name = \"a\"\nto = \"syslog\"\naddress = ";
    assert_eq!(wrong_place(&format!("{syslog}\"tcp://127.0.0.1:601\"")), "");
    for address in ["tcp://logs.example", "udp://127.0.0.1", "tls://u@h", "logs"] {
        let said = wrong_place(&format!("{syslog}\"{address}\""));
        assert!(
            said.starts_with("audit.copies: a: address: expected"),
            "{said}"
        );
    }
    let webhook = "name = \"a\"\nto = \"webhook\"\nurl = ";
    for (block, expected) in [
        ("to = \"file\"".to_owned(), "name: expected letters"),
        (
            "name = \"a\"\nto = \"mail\"".to_owned(),
            "a: to: expected file",
        ),
        (
            format!("{webhook}\"http://keeper.example/\""),
            "a: url: expected",
        ),
        // The console itself, by whatever name.
        (
            format!("{webhook}\"http://localhost:7878/x\""),
            "the console's own address",
        ),
        (
            format!("{syslog}\"tls://h\"\nwhat = \"reports\""),
            "a: to: expected webhook",
        ),
        (
            format!("{syslog}\"tls://h\"\nwhat = \"all\""),
            "a: what: expected",
        ),
        (
            format!("{syslog}\"tls://h\"\nalarm_after_ms = 0"),
            "a: alarm_after_ms: expected",
        ),
        (
            format!("{syslog}\"tls://h\"\ncert_file = \"/c\""),
            "together",
        ),
    ] {
        let said = wrong_place(&block);
        assert!(said.contains(expected), "{block}: {said}");
    }
    let other = text.replace("[\"archive\"]", "[\"keeper\"]");
    let said = problems(&other).join("\n");
    assert!(
        said.contains("\"keeper\" names no [[audit.copies]]"),
        "{said}"
    );
}

#[test]
fn a_rule_of_approval_names_its_actions_and_has_a_default_for_all_else() {
    let cluster = "[[clusters]]\nname = \"a\"\nkind = \"simulated\"\ntags = [\"prod\"]\n";
    let text = format!(
        "{cluster}[[approvals]]\nactions = [\"remove\"]\n\n[[approvals]]\nactions = [\"*\"]\n\
         clusters = [\"a\"]\ntags = [\"prod\"]\napprovals = 2\nexpires_after_ms = 60000\n\
         execute_within_ms = 1000\n"
    );
    let rules = Configuration::parse(&text, []).unwrap().approvals.rules;
    let [usual, strict] = rules.as_slice() else {
        panic!("{rules:?}")
    };
    assert_eq!(usual.clusters, ["*"]);
    assert_eq!(usual.actions, [quorate_domain::action::Verb::Remove]);
    let figures = |rule: &quorate_domain::approval::Rule| {
        (
            rule.approvals,
            rule.expires_after_ms,
            rule.execute_within_ms,
        )
    };
    assert_eq!(figures(usual), (1, 3_600_000, 300_000));
    assert_eq!(figures(strict), (2, 60_000, 1_000));
    assert_eq!(strict.actions, quorate_domain::action::Verb::ALL);
}

/// What the record of a start tells of a configuration is the same for the same keys and values.
#[test]
fn the_version_is_of_what_is_said_and_not_of_how_it_is_written() {
    let version =
        |text: &str, pairs: &[(&str, &str)]| from_environment(text, pairs).unwrap().version;
    let one = version(
        "read_only = true\n[server]\nlisten = \"127.0.0.1:7878\"",
        &[],
    );
    assert_eq!(one.len(), 16);
    assert!(version("[server]\nlisten = \"127.0.0.1:7878\"", &[]) != one);
    let moved = "[server]\n\nlisten = \"127.0.0.1:7878\"\n";
    assert_eq!(version(moved, &[("QUORATE_READ_ONLY", "true")]), one);
    assert_eq!(
        version("read_only = true\n[server]\nlisten = '127.0.0.1:7878'", &[]),
        one
    );
}
