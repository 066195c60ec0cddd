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
mod users;

use axum::http::{HeaderMap, StatusCode};
use quorate_domain::{
    audit::{Actor, Assurance, Means},
    letters::steers,
    permission::Grant,
};

pub use assertion::{Assertions, Expected};
pub use grants::{Rule, Rules};
pub use keys::{Patience, Place, Source, protected};
pub use oidc::{
    Answer, Attempt, Begun, Completed, Oidc, Refusal, Registration, SignedOn, cookie_suffix,
};
pub use peers::Peers;
pub use presented::foreign;
pub use presets::{Preset, PresetFacts};
pub use trusted_header::{Names, TrustedHeaders};
pub use users::{numbers, own};

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
    /// How whoever says so was known.
    pub assurance: Option<Assurance>,
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
    #[error("the proxy showed no client certificate, or one of another name")]
    Certificate,
    #[error("the process at the other end of the socket is not the proxy's")]
    Process,
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
            Self::UntrustedPeer | Self::WrongSecret | Self::Certificate | Self::Process => {
                StatusCode::FORBIDDEN
            }
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
    /// Nobody but who comes with a one-time link made on this machine: at the socket for
    /// emergencies, whatever the mode elsewhere.
    BreakGlass,
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
            Self::Local | Self::Oidc(_) | Self::BreakGlass => None,
            Self::Proxied(proxied) => Some(proxied),
        }
    }

    #[must_use]
    pub const fn oidc(&self) -> Option<&Oidc> {
        match self {
            Self::Oidc(oidc) => Some(oidc),
            Self::Local | Self::Proxied(_) | Self::BreakGlass => None,
        }
    }

    /// Of the table that gives roles; `None` where each account has its own.
    #[must_use]
    pub fn mapping_version(&self) -> Option<String> {
        let rules = self.proxied().map(|proxied| &proxied.rules);
        let rules = rules.or_else(|| self.oidc().map(Oidc::rules));
        rules.map(Rules::version)
    }

    /// Takes the headers of the mode that holds out of a request. Nothing behind sees any header
    /// that claims an identity.
    pub fn take(&self, headers: &mut HeaderMap, by: Shown) -> Presented {
        let names = self.proxied().map(Proxied::names).unwrap_or_default();
        presented::take(headers, &names, by)
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

/// What the other end of a connection has shown of itself, by the system's or by TLS's word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    #[default]
    Nothing,
    /// A client certificate of the configured authority: the DNS names and URIs in it.
    Certificate(Vec<String>),
    /// A process of this machine, at a Unix socket.
    Process { user: u32 },
}

/// The identity headers that came with a request, and by whom; kept while a stream is open.
#[derive(Clone, Default)]
pub struct Presented {
    headers: HeaderMap,
    by: Shown,
}

impl std::fmt::Debug for Presented {
    /// Whoever reads an assertion could use it until it ends.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.headers.keys()).finish()
    }
}

/// A text that may name somebody or something: not empty, not too long, and without anything that
/// steers a terminal or a line of a log, or turns its direction.
fn plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= TEXT_MOST && text.trim() == text && !text.contains(steers)
}
