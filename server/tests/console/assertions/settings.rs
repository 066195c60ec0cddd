//! What the configuration of signed assertions must say.

use quorate::configuration::Configuration;

#[test]
fn a_configuration_that_leaves_something_open_refuses_to_start() {
    let base = "[identity]\nmode = \"jwt-header\"\n";
    let whole = "preset = \"pomerium\"\nissuer = \"a\"\naudience = \"a\"\njwks_url = \"https://a.example/k\"\n";
    assert!(Configuration::parse(&format!("{base}{whole}"), []).is_ok());
    for (text, expected) in [
        (String::new(), "identity.preset: missing"),
        (
            "preset = \"okta\"".to_owned(),
            "identity.preset: expected one of pomerium",
        ),
        (
            "preset = \"generic\"".to_owned(),
            "identity.header: missing",
        ),
        (
            whole.replace("issuer = \"a\"", ""),
            "identity.issuer: missing",
        ),
        (
            whole.replace("audience = \"a\"", "audience = \"\""),
            "identity.audience: missing",
        ),
        (
            whole.replace("jwks_url = \"https://a.example/k\"", ""),
            "identity.jwks_url: missing",
        ),
        (
            whole.replace("https:", "http:"),
            "identity.jwks_url: expected an https address",
        ),
        (
            format!("{whole}jwks_file = \"x\""),
            "identity.jwks_url: give either",
        ),
        (
            format!("{whole}leeway_ms = 600000"),
            "identity.leeway_ms: expected at most",
        ),
        (
            format!("{whole}header = \"x\""),
            "identity.header: is fixed by the preset",
        ),
        (
            format!("{whole}user_header = \"Remote-User\""),
            "identity.user_header: does not belong",
        ),
        (
            whole.replace("pomerium", "aws-alb"),
            "identity.signer: missing",
        ),
        (
            format!("{whole}sign_out_path = \"https://a.example/\""),
            "identity.sign_out_path: expected a path",
        ),
        (
            format!("{whole}[[identity.grants]]\nrole = \"viewer\"\nclusters = [\"*\"]"),
            "identity.grants[0].group: name a group",
        ),
        (
            format!(
                "{whole}[[identity.grants]]\ngroup = \"a\"\nrole = \"boss\"\nclusters = [\"*\"]"
            ),
            "identity.grants[0].role: expected one of",
        ),
        (
            format!("{whole}[[identity.grants]]\ngroup = \"a\"\nrole = \"viewer\""),
            "identity.grants[0].clusters: names no cluster",
        ),
    ] {
        let problems = Configuration::parse(&format!("{base}{text}"), [])
            .unwrap_err()
            .problems;
        assert!(
            problems.iter().any(|line| line.starts_with(expected)),
            "{text}\n{problems:#?}"
        );
    }
}
