//! Who a request comes from, where a sign-on proxy in front of the console or an OpenID provider
//! says so.
//!
//! Exactly one mode holds at a time. What the proxy says is judged anew for every request; a
//! session adds nothing to it. What the provider says is judged once, at sign-in. Knows nothing of
//! sessions, pages or clusters.

mod assertion;
mod grants;
mod jwks;
mod keys;
mod oidc;
mod peers;
mod presented;
mod presets;
#[doc(hidden)]
pub mod rehearsal;
mod trusted_header;

use axum::http::{HeaderMap, StatusCode};
use quorate_domain::{
    audit::{Actor, Means},
    permission::Grant,
};

pub use assertion::{Assertions, Expected};
pub use grants::{Rule, Rules};
pub use keys::{Patience, Place, Source, protected};
pub use oidc::{Answer, Begun, Oidc, Refusal, Registration, SignedOn, cookie_suffix};
pub use peers::Peers;
pub use presented::foreign;
pub use presets::{Preset, PresetFacts};
pub use trusted_header::{Names, TrustedHeaders};

/// Longest subject, name or group, in bytes.
const TEXT_MOST: usize = 256;
/// Most groups of one person.
const GROUPS_MOST: usize = 1_000;

/// Somebody, as the proxy says. The identity is issuer and subject; all else are attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub issuer: String,
    pub subject: String,
    pub name: String,
    pub groups: Vec<String>,
    pub means: Means,
    /// When the assertion ends, in seconds since 1970; `None` where it does not say.
    pub until: Option<u64>,
}

impl Known {
    pub fn actor(&self) -> Actor {
        Actor {
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            name: self.name.clone(),
            means: self.means,
        }
    }
}

/// Why what was presented is not believed. Its text goes into the audit log, never what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Doubt {
    #[error("an identity header came twice or under an alias of its name")]
    Ambiguous,
    #[error("an identity header holds what no identity holds")]
    Malformed,
    #[error("identity headers came from an address that is not a trusted proxy")]
    UntrustedPeer,
    #[error("the proxy's secret was missing or wrong")]
    WrongSecret,
    #[error("the assertion is signed by a method that is not allowed")]
    Algorithm,
    #[error("the assertion names a key that its issuer does not have")]
    UnknownKey,
    #[error("the assertion's signature is wrong")]
    Signature,
    #[error("the assertion is of another issuer")]
    Issuer,
    #[error("the assertion is for another audience")]
    Audience,
    #[error("the assertion was signed by another load balancer")]
    Signer,
    #[error("the assertion lacks something it must say")]
    Incomplete,
    #[error("what was said belongs to somebody else")]
    Subject,
    #[error("the assertion has expired")]
    Expired,
    #[error("the assertion does not hold yet")]
    NotYet,
    #[error("the issuer's keys cannot be read")]
    NoKeys,
}

impl Doubt {
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Ambiguous | Self::Malformed => StatusCode::BAD_REQUEST,
            Self::UntrustedPeer | Self::WrongSecret => StatusCode::FORBIDDEN,
            Self::NoKeys => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNAUTHORIZED,
        }
    }
}

/// The mode that holds, with what it needs.
#[derive(Debug, Default)]
pub enum Identity {
    /// Accounts of this console.
    #[default]
    Local,
    Proxied(Box<Proxied>),
    /// The console signs people in at an OpenID provider itself.
    Oidc(Box<Oidc>),
}

#[derive(Debug)]
pub struct Proxied {
    pub word: Word,
    pub rules: Rules,
    /// Where the proxy signs people out: a path on the console's own host.
    pub sign_out: Option<String>,
}

/// In what form the proxy says who somebody is.
#[derive(Debug)]
pub enum Word {
    Headers(TrustedHeaders),
    Assertion(Assertions),
}

impl Identity {
    #[must_use]
    pub const fn proxied(&self) -> Option<&Proxied> {
        match self {
            Self::Local | Self::Oidc(_) => None,
            Self::Proxied(proxied) => Some(proxied),
        }
    }

    #[must_use]
    pub const fn oidc(&self) -> Option<&Oidc> {
        match self {
            Self::Oidc(oidc) => Some(oidc),
            Self::Local | Self::Proxied(_) => None,
        }
    }

    /// Takes the headers of the mode that holds out of a request. Nothing behind sees any header
    /// that claims an identity.
    pub fn take(&self, headers: &mut HeaderMap) -> Presented {
        let names = self.proxied().map(Proxied::names).unwrap_or_default();
        presented::take(headers, &names)
    }
}

impl Proxied {
    fn names(&self) -> Vec<&str> {
        match &self.word {
            Word::Headers(trusted) => trusted.header_names(),
            Word::Assertion(assertions) => vec![assertions.header()],
        }
    }

    /// Who is meant, at `now` (seconds since 1970); `None` if nobody was named.
    ///
    /// # Errors
    /// Why it is not believed.
    pub async fn known(
        &self,
        presented: &Presented,
        peer: Option<&str>,
        now: u64,
    ) -> Result<Option<Known>, Doubt> {
        match &self.word {
            Word::Headers(trusted) => trusted.known(presented, peer),
            Word::Assertion(assertions) => assertions.known(presented, now).await,
        }
    }

    /// What somebody may do, from their groups as they stand in this very request.
    pub fn grants(&self, known: &Known) -> Vec<Grant> {
        self.rules.grants(known)
    }
}

/// The identity headers that came with a request; kept while a stream is open.
#[derive(Clone, Default)]
pub struct Presented(HeaderMap);

impl std::fmt::Debug for Presented {
    /// Whoever reads an assertion could use it until it ends.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A text that may name somebody or something: not empty, not too long, and without anything that
/// steers a terminal or a line of a log, or turns its direction.
fn plain(text: &str) -> bool {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
    };
    !text.is_empty() && text.len() <= TEXT_MOST && text.trim() == text && !text.contains(steers)
}
