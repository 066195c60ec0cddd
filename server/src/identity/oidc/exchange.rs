//! What is asked of the provider behind the browser's back: tokens for a code, and claims about
//! the person. Answers are bounded, redirects are not followed, and nothing of them is logged.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use quorate_drivers::Secret;
use reqwest::{
    Client, RequestBuilder, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use serde::Deserialize;
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::{Refusal, Registration, discovery::Provider};

/// Longest answer that is read, in bytes.
const LARGEST: usize = 256 * 1024;
/// Longest error code of a provider that is repeated.
const CODE_MOST: usize = 40;

/// Dropped as soon as they have been read.
pub struct Tokens {
    pub id_token: Secret,
    pub access_token: Option<Secret>,
}

#[derive(Deserialize)]
struct Granted {
    id_token: Option<String>,
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// Tokens for a code, once.
pub async fn redeem(
    client: &Client,
    provider: &Provider,
    us: &Registration,
    code: &str,
    verifier: &str,
    redirect: &str,
) -> Result<Tokens, Refusal> {
    let named_by_header = us.secret.is_some() && !provider.secret_in_body;
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect),
        ("code_verifier", verifier),
    ];
    if !named_by_header {
        fields.push(("client_id", &us.client_id));
        let secret = us.secret.as_ref().map(Secret::reveal);
        fields.extend(secret.map(|secret| ("client_secret", secret)));
    }
    let mut request = client
        .post(provider.token.clone())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(encoded(&fields));
    if let (Some(secret), true) = (&us.secret, named_by_header) {
        request = request.header(AUTHORIZATION, basic(&us.client_id, secret));
    }
    let (status, bytes) = answer(request).await?;
    if !status.is_success() {
        let refused = serde_json::from_slice::<Refused>(&bytes);
        return Err(match refused {
            Ok(refused) => Refusal::Code(plain_code(&refused.error)),
            Err(_) => Refusal::Unreachable(format!("token endpoint: {status}")),
        });
    }
    let granted: Granted = serde_json::from_slice(&bytes).map_err(|_| Refusal::Malformed)?;
    Ok(Tokens {
        id_token: Secret::new(granted.id_token.ok_or(Refusal::Malformed)?),
        access_token: granted.access_token.map(Secret::new),
    })
}

/// What the provider says of the holder of this token. The caller sees that it is the same person.
pub async fn userinfo(client: &Client, place: &Url, token: &Secret) -> Result<Value, Refusal> {
    let request = client.get(place.clone()).bearer_auth(token.reveal());
    let (status, bytes) = answer(request).await?;
    if !status.is_success() {
        return Err(Refusal::Unreachable(format!("userinfo: {status}")));
    }
    serde_json::from_slice(&bytes).map_err(|_| Refusal::Malformed)
}

/// Status and body of an answer.
pub async fn answer(request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), Refusal> {
    // Addresses may hold what belongs in no log.
    let failed = |error: reqwest::Error| {
        let kind = if error.is_timeout() {
            "no answer in time"
        } else if error.is_connect() {
            "no connection"
        } else {
            "the connection broke"
        };
        Refusal::Unreachable(kind.to_owned())
    };
    let request = request.header(ACCEPT, "application/json");
    let mut response = request.send().await.map_err(failed)?;
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&part);
        if bytes.len() > LARGEST {
            return Err(Refusal::Unreachable("the answer is too large".to_owned()));
        }
    }
    Ok((response.status(), bytes))
}

fn encoded(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

/// RFC 6749, 2.3.1: name and secret are form-encoded before they are joined.
fn basic(name: &str, secret: &Secret) -> String {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let joined = format!("{}:{}", encoded(name), encoded(secret.reveal()));
    format!("Basic {}", STANDARD.encode(joined))
}

/// An error code as the standards write them; anything else is not repeated.
pub fn plain_code(code: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if !code.is_empty() && code.len() <= CODE_MOST && code.bytes().all(plain) {
        code.to_owned()
    } else {
        "an error of its own".to_owned()
    }
}
