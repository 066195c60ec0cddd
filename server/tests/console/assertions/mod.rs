//! Signed assertions of sign-on proxies: what each preset takes, and every way to forge one.
//! Each attack names where it was seen.

mod rotation;
mod settings;
mod signer;

use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use quorate::identity::{
    Assertions, Doubt, Expected, Identity, Known, Patience, Place, Preset, Proxied, Rules, Source,
    Word,
};
use serde_json::{Value, json};

use rotation::serve;
pub use signer::{Signer, claims};

/// 2023-11-14, in seconds since 1970.
const NOW: u64 = 1_700_000_000;
const ARN: &str = "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/a/1";

const RSA_N: &str = concat!(
    "wKb-oIuBdyIMeLgkfYnXENappKUVWX7VNoLl0WjCgFVnkW_vrDKGVpY9EOGB19kW-Y-AhR0OW7Zn0uwRrCPj8eJn",
    "p6MpyFcZ8bOJU8LdXDnX2u8QuDZ0yZroBNqYDYs0zdj_s4XKflrIZep9MlhkV982goMNWZDKSMufL0PXvWNQImcw",
    "u2r_KAtlns8fio_f4hy1OhCGY21vWIW14FAg3lKtDpKb70D2wZ8BrkS_Rgy0MSOvaNBQXR0DlW13CuD6wive63rg",
    "MikM3HiewhC6U4FBRu5x8_bEQ_HH1y1u_vYfNWJLJl8MGihoJXVW1bnWYfuhmcVSbnpKX3Vwf7ukDw",
);
const RSA_TOKEN: &str = concat!(
    "eyJhbGciOiAiUlMyNTYiLCAia2lkIjogInJzYS0xIiwgInR5cCI6ICJKV1QifQ.eyJpc3MiOiAiaHR0cHM6Ly90Z",
    "WFtLmNsb3VkZmxhcmVhY2Nlc3MuY29tIiwgImF1ZCI6IFsidGFnLTQ3MTQiXSwgInN1YiI6ICI3MzM1ZDQxNyIsI",
    "CJlbWFpbCI6ICJhbm5hQGV4YW1wbGUuY29tIiwgImlhdCI6IDE3MDAwMDAwMDAsICJleHAiOiA0MTAyNDQ0ODAwf",
    "Q.AoTn127gFKPiXn-hCOY5kUW30ucMSKqD_GUOVXJldMbCvxI5LbBjcz-zCoVWN_LKMN9RzyfKJ-F6YnRjrkS2M5",
    "nq_FrZS9AUO_YjLLVRpmBU-U80tRG_oIltzvRdUhid4-Xn69TEdBzkf83_-eVQz7u4L7b9TdP85nARc8wV4IJsWn",
    "EZSV1deWo2xqnFm1BHu-eONH9KMSAgUzdu9QnQYWhRazYwbRRw3Aso7-900zg2Ocsq6tMYAKhvD8PCjRRzcdzg8s",
    "G1AX-3LWEoCPqUKGtJxy96t4d13m-J3dx6vHJGIMniXTt6pBH5BNw-ZLKHByFYXXol1FjHzFo-TxtU7w",
);

fn without(claim: &str) -> Value {
    let mut claims = claims(NOW);
    claims.as_object_mut().unwrap().remove(claim);
    claims
}

fn with(claim: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims(NOW);
    claims[claim] = value.into();
    claims
}

fn keys(place: Place, patience: Patience) -> Source {
    // An error only says that another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Source::new(place, patience).unwrap()
}

fn file(set: &Value) -> (tempfile::TempDir, Place) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    std::fs::write(&path, set.to_string()).unwrap();
    (folder, Place::File(path))
}

fn expecting(preset: Preset, source: Source) -> Identity {
    let facts = preset.facts();
    Identity::Proxied(Box::new(Proxied {
        word: Word::Assertion(Assertions {
            expected: Expected {
                preset,
                header: facts.header.unwrap_or("x-assertion").to_owned(),
                issuer: facts.issuer.unwrap_or("issuer").to_owned(),
                audience: "console".to_owned(),
                signer: (preset == Preset::AwsAlb).then(|| ARN.to_owned()),
                groups_claim: facts.groups_claim.to_owned(),
                leeway: 30,
            },
            keys: source,
        }),
        rules: Rules::default(),
        sign_out: None,
    }))
}

/// What the console makes of these headers, from any address.
async fn ask(
    identity: &Identity,
    pairs: &[(&str, &str)],
    now: u64,
) -> Result<Option<Known>, Doubt> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let presented = identity.take(&mut headers, quorate::identity::Shown::Nothing);
    let proxied = identity.proxied().unwrap();
    proxied.known(&presented, Some("203.0.113.9"), now).await
}

/// One issuer with one key, in the preset `generic`.
struct One {
    signer: Signer,
    identity: Identity,
    _folder: tempfile::TempDir,
}

fn one() -> One {
    let signer = Signer::new("k1");
    let (folder, place) = file(&json!({ "keys": [signer.jwk()] }));
    let identity = expecting(Preset::Generic, keys(place, Patience::default()));
    One {
        signer,
        identity,
        _folder: folder,
    }
}

impl One {
    async fn ask(&self, token: &str) -> Result<Option<Known>, Doubt> {
        ask(&self.identity, &[("x-assertion", token)], NOW).await
    }

    async fn says(&self, claims: &Value) -> Result<Option<Known>, Doubt> {
        self.ask(&self.signer.token(claims)).await
    }
}

#[tokio::test]
async fn a_signed_assertion_says_who_somebody_is_and_nothing_says_nobody() {
    let one = one();
    let known = one.says(&claims(NOW)).await.unwrap().unwrap();
    assert_eq!(
        (known.issuer.as_str(), known.subject.as_str()),
        ("issuer", "4711")
    );
    assert_eq!(
        (known.name.as_str(), known.groups.as_slice()),
        ("anna@example.com", &["ops".to_owned()][..])
    );
    assert_eq!(known.until, Some(NOW + 330));
    assert_eq!(ask(&one.identity, &[], NOW).await, Ok(None));
}

#[tokio::test]
async fn each_preset_takes_its_own_header_and_methods() {
    for preset in [
        Preset::Pomerium,
        Preset::GoogleIap,
        Preset::Authentik,
        Preset::Teleport,
    ] {
        let signer = Signer::new("k1");
        let (_folder, place) = file(&json!({ "keys": [signer.jwk()] }));
        let identity = expecting(preset, keys(place, Patience::default()));
        let facts = preset.facts();
        let mut claims = claims(NOW);
        claims["iss"] = facts.issuer.unwrap_or("issuer").into();
        claims[facts.groups_claim] = json!(["ops"]);
        let token = signer.token(&claims);
        let header = facts.header.unwrap();
        let known = ask(&identity, &[(header, &token)], NOW)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(known.groups, ["ops"], "{preset:?}");
        assert_eq!(
            ask(&identity, &[("x-assertion", &token)], NOW).await,
            Ok(None),
            "{preset:?}"
        );
    }
}

#[tokio::test]
async fn cloudflare_signs_by_rsa_and_a_changed_byte_is_noticed() {
    let set = json!({ "keys": [{ "kty": "RSA", "kid": "rsa-1", "alg": "RS256", "use": "sig", "n": RSA_N, "e": "AQAB" }] });
    let (_folder, place) = file(&set);
    let Identity::Proxied(mut proxied) =
        expecting(Preset::CloudflareAccess, keys(place, Patience::default()))
    else {
        unreachable!()
    };
    if let Word::Assertion(assertions) = &mut proxied.word {
        assertions.expected.issuer = "https://team.cloudflareaccess.com".to_owned();
        assertions.expected.audience = "tag-4714".to_owned();
    }
    let identity = Identity::Proxied(proxied);
    let known = ask(&identity, &[("Cf-Access-Jwt-Assertion", RSA_TOKEN)], NOW).await;
    assert_eq!(known.unwrap().unwrap().subject, "7335d417");
    let (message, signature) = RSA_TOKEN.rsplit_once('.').unwrap();
    let changed = format!("{message}.B{}", &signature[1..]);
    let known = ask(&identity, &[("Cf-Access-Jwt-Assertion", &changed)], NOW).await;
    assert_eq!(known, Err(Doubt::Signature));
}

/// awslabs/aws-jwt-verify#71: padding is part of what AWS signs. #109, #180: issuer, client and
/// end stand in the head. Another customer's load balancer has the same keys: the signer is pinned.
#[tokio::test]
async fn aws_pads_what_it_signs_and_its_signer_is_pinned() {
    let signer = Signer::new("8f9e-1");
    let pem = signer.pem();
    let (url, _asked) = serve(Arc::new(Mutex::new(pem))).await;
    let source = keys(Place::UrlByKey(url.parse().unwrap()), Patience::default());
    let identity = expecting(Preset::AwsAlb, source);
    let head = |change: &dyn Fn(&mut Value)| {
        let mut head = json!({ "alg": "ES256", "kid": "8f9e-1", "signer": ARN, "iss": "issuer", "client": "console", "exp": NOW + 120 });
        change(&mut head);
        head
    };
    let body = json!({ "sub": "4711", "email": "a@b.example" });
    let token = signer.padded(&head(&|_| {}), &body);
    assert!(token.contains('='), "the test is about padding: {token}");
    let asked = async |token: &str| ask(&identity, &[("x-amzn-oidc-data", token)], NOW).await;
    assert_eq!(asked(&token).await.unwrap().unwrap().subject, "4711");
    assert_eq!(asked(&token.replace('=', "")).await, Err(Doubt::Signature));
    for (change, doubt) in [
        (("signer", json!("arn:of:somebody:else")), Doubt::Signer),
        (("signer", Value::Null), Doubt::Signer),
        (("iss", json!("other")), Doubt::Issuer),
        (("client", json!("other")), Doubt::Audience),
        (("exp", Value::Null), Doubt::Incomplete),
        (("exp", json!(NOW - 31)), Doubt::Expired),
    ] {
        let head = head(&|head: &mut Value| head[change.0] = change.1.clone());
        assert_eq!(
            asked(&signer.padded(&head, &body)).await,
            Err(doubt),
            "{change:?}"
        );
    }
}

/// ASVS 9.1.1 to 9.1.3: methods are fixed, and where a key is to be found is never taken from the
/// assertion. authentik's `meta-jwks` header and the `jku`, `x5u` and `jwk` of a head are such.
#[tokio::test]
async fn an_assertion_chooses_neither_its_method_nor_its_key() {
    let one = one();
    let forger = Signer::new("k1");
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!(
        "{}.{}.",
        part(json!({ "alg": "none", "kid": "k1" })),
        part(claims(NOW))
    );
    assert_eq!(one.ask(&unsigned).await, Err(Doubt::Algorithm));
    for alg in ["HS256", "es256", "ES512", "RS1", ""] {
        let token = one
            .signer
            .token_with(&json!({ "alg": alg, "kid": "k1" }), &claims(NOW));
        assert_eq!(one.ask(&token).await, Err(Doubt::Algorithm), "{alg}");
    }
    // The right method's name over another method's signature.
    for alg in ["RS256", "ES384", "EdDSA"] {
        let token = one
            .signer
            .token_with(&json!({ "alg": alg, "kid": "k1" }), &claims(NOW));
        assert_eq!(one.ask(&token).await, Err(Doubt::Signature), "{alg}");
    }
    let embedded =
        json!({ "alg": "ES256", "kid": "k1", "jwk": forger.jwk(), "jku": "http://127.0.0.1:1/" });
    assert_eq!(
        one.ask(&forger.token_with(&embedded, &claims(NOW))).await,
        Err(Doubt::Signature)
    );
    assert_eq!(
        one.ask(&forger.token(&claims(NOW))).await,
        Err(Doubt::Signature)
    );
    let nameless = one
        .signer
        .token_with(&json!({ "alg": "ES256" }), &claims(NOW));
    assert_eq!(one.ask(&nameless).await, Err(Doubt::UnknownKey));
    let other = one
        .signer
        .token_with(&json!({ "alg": "ES256", "kid": "k2" }), &claims(NOW));
    assert_eq!(one.ask(&other).await, Err(Doubt::UnknownKey));
    let critical = json!({ "alg": "ES256", "kid": "k1", "crit": ["b64"], "b64": false });
    let token = one.signer.token_with(&critical, &claims(NOW));
    assert_eq!(one.ask(&token).await, Err(Doubt::Malformed));
}

/// jsonwebtoken checks claims only where they are there, unless told otherwise; what must be
/// there is asked for here.
#[tokio::test]
async fn what_must_be_said_must_be_there_and_right() {
    let one = one();
    for (claims, doubt) in [
        (without("exp"), Doubt::Incomplete),
        (without("sub"), Doubt::Incomplete),
        (without("iss"), Doubt::Issuer),
        (without("aud"), Doubt::Audience),
        (with("iss", "issuer/"), Doubt::Issuer),
        (with("iss", "Issuer"), Doubt::Issuer),
        (with("iss", json!(["issuer"])), Doubt::Issuer),
        (with("aud", "console2"), Doubt::Audience),
        (with("aud", json!([])), Doubt::Audience),
        (with("aud", json!({ "console": 1 })), Doubt::Audience),
        (with("exp", NOW - 30), Doubt::Expired),
        (with("exp", 0), Doubt::Expired),
        (with("exp", -1), Doubt::Incomplete),
        (with("exp", "4102444800"), Doubt::Incomplete),
        (with("exp", 1e30), Doubt::Incomplete),
        (with("nbf", NOW + 31), Doubt::NotYet),
        (with("iat", NOW + 31), Doubt::NotYet),
        (with("nbf", "soon"), Doubt::Malformed),
        (with("sub", ""), Doubt::Malformed),
        (with("sub", 7), Doubt::Incomplete),
        (with("sub", "anna\nlocal"), Doubt::Malformed),
        (with("sub", "a".repeat(257)), Doubt::Malformed),
        (with("groups", json!([7])), Doubt::Malformed),
        (with("groups", json!({ "admins": true })), Doubt::Malformed),
        (with("groups", json!(["ops\u{202e}"])), Doubt::Malformed),
    ] {
        assert_eq!(one.says(&claims).await, Err(doubt), "{claims}");
    }
    for claims in [
        with("exp", NOW - 29),
        with("exp", 1_700_000_100.5),
        with("aud", json!(["other", "console"])),
        with("nbf", NOW + 30),
    ] {
        assert!(one.says(&claims).await.unwrap().is_some(), "{claims}");
    }
}

/// oauth2-proxy, Authelia and mod_auth_openidc join groups with a comma that they do not escape.
#[tokio::test]
async fn a_group_with_a_separator_in_its_name_is_one_group() {
    let one = one();
    let groups = async |value: Value| {
        one.says(&with("groups", value))
            .await
            .unwrap()
            .unwrap()
            .groups
    };
    assert_eq!(groups(json!(["x,admins"])).await, ["x,admins"]);
    assert_eq!(groups(json!("x,admins|ops")).await, ["x,admins|ops"]);
    assert!(groups(Value::Null).await.is_empty());
    assert!(
        one.says(&without("groups"))
            .await
            .unwrap()
            .unwrap()
            .groups
            .is_empty()
    );
}

#[tokio::test]
async fn what_is_no_assertion_is_refused_whatever_it_is() {
    let one = one();
    let token = one.signer.token(&claims(NOW));
    let long = "a".repeat(17 * 1024);
    for text in [
        "x",
        ".",
        "..",
        "...",
        "a.b.c",
        &long,
        &format!("{token}."),
        &format!("{token}="),
        &format!("{token} x"),
        &format!("x.{token}"),
        "e30.e30.",
        "W10.W10.W10",
    ] {
        let found = one.ask(text).await;
        assert!(
            matches!(found, Err(Doubt::Malformed | Doubt::Signature)),
            "{text}: {found:?}"
        );
    }
    // A changed claim, under the signature of the right one.
    let parts: Vec<&str> = token.split('.').collect();
    let other = URL_SAFE_NO_PAD.encode(with("sub", "root").to_string());
    assert_eq!(
        one.ask(&format!("{}.{other}.{}", parts[0], parts[2])).await,
        Err(Doubt::Signature)
    );
}

/// oauth2-proxy CVE-2025-64484, Caddy GHSA-f59h-q822-g45g, gunicorn#2799: `_` and `-` are one.
#[tokio::test]
async fn an_assertion_that_comes_twice_or_under_an_alias_is_refused() {
    let one = one();
    let token = one.signer.token(&claims(NOW));
    for names in [
        &["x-assertion", "x-assertion"][..],
        &["x-assertion", "x_assertion"],
        &["x_assertion"],
    ] {
        let pairs: Vec<_> = names.iter().map(|name| (*name, token.as_str())).collect();
        assert_eq!(
            ask(&one.identity, &pairs, NOW).await,
            Err(Doubt::Ambiguous),
            "{names:?}"
        );
    }
}
