//! What fuzzing reaches of identities: all that is read and judged of a text, but no signature. It
//! tells only whether somebody would be meant, so that nobody can be let in by it.

use super::{Expected, GROUPS_MOST, Known, Preset, assertion::Token, jwks, plain};

/// When everything is judged, in seconds since 1970.
const NOW: u64 = 1_764_000_000;

/// Whether a text is an assertion as this preset wants it, right in all but its signature.
#[must_use]
pub fn assertion(text: &str, preset: Preset) -> bool {
    let expected = Expected {
        preset,
        header: "x-assertion".to_owned(),
        issuer: "https://issuer.example".to_owned(),
        audience: "quorate".to_owned(),
        signer: Some("arn:balancer".to_owned()),
        groups_claim: "/access/groups".to_owned(),
        leeway: 30,
    };
    let Ok(token) = Token::parse(text, preset) else {
        return false;
    };
    let Ok(algorithm) = expected.algorithm(&token) else {
        return false;
    };
    assert!(token.signed_by(&[], algorithm).is_err(), "signed by nobody");
    let Ok(known) = expected.person(&token, NOW) else {
        return false;
    };
    assert!(known.until.is_some_and(|until| until > NOW), "it has ended");
    holds(&known);
    true
}

/// Whether a text is an issuer's set of keys.
#[must_use]
pub fn keys(bytes: &[u8]) -> bool {
    jwks::read(bytes).is_ok()
}

/// What holds of everybody who is believed.
pub fn holds(known: &Known) {
    assert!(plain(&known.subject), "a subject that steers");
    assert!(plain(&known.name), "a name that steers");
    assert!(known.groups.len() <= GROUPS_MOST, "groups without end");
    assert!(
        known.groups.iter().all(|group| plain(group)),
        "a group that steers"
    );
}
