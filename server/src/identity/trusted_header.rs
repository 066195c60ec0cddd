//! Mode `trusted-header`: the proxy writes plain headers, and is known by a client certificate of a
//! pinned name, by its process at a Unix socket, or by its address and a shared secret. Nothing is
//! signed, so the identity is called unsigned everywhere; records say how the proxy was known.

use quorate_domain::audit::{Assurance, Means};
use quorate_drivers::Secret;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Doubt, GROUPS_MOST, Known, Peers, Presented, Shown, plain};

/// The issuer of all identities of this mode: the proxy does not say any.
const ISSUER: &str = "trusted-header";
/// The whole list of groups, in bytes.
const GROUPS_LONGEST: usize = 16 * 1024;

/// The headers that are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    pub user: String,
    pub name: Option<String>,
    pub email: Option<String>,
    pub groups: Option<String>,
    pub groups_separator: String,
}

#[derive(Debug)]
pub struct TrustedHeaders {
    pub names: Names,
    /// `None`: any address, where a certificate is demanded.
    pub peers: Option<Peers>,
    /// One of these must be in the proxy's certificate; empty: none is demanded.
    pub certificate_names: Vec<String>,
    /// The users as which the proxy may come by a Unix socket.
    pub users: Vec<u32>,
    /// Header and value that only the proxy knows.
    pub secret: Option<(String, Secret)>,
}

impl TrustedHeaders {
    pub(super) fn header_names(&self) -> Vec<&str> {
        let mut names = self.claims();
        names.extend(self.secret.as_ref().map(|(name, _)| name.as_str()));
        names
    }

    fn claims(&self) -> Vec<&str> {
        let names = &self.names;
        let mut all = vec![names.user.as_str()];
        let more = [&names.name, &names.email, &names.groups];
        all.extend(more.into_iter().flatten().map(String::as_str));
        all
    }

    /// # Errors
    /// Why it is not believed.
    pub fn known(&self, presented: &Presented, peer: Option<&str>) -> Result<Option<Known>, Doubt> {
        if !presented.any(&self.claims()) {
            return Ok(None);
        }
        let assurance = self.assurance(presented, peer)?;
        self.person(presented, assurance)
    }

    /// How the proxy is known to be the one. All that is configured must hold.
    fn assurance(&self, presented: &Presented, peer: Option<&str>) -> Result<Assurance, Doubt> {
        if self
            .peers
            .as_ref()
            .is_some_and(|peers| !peers.include(peer))
        {
            return Err(Doubt::UntrustedPeer);
        }
        if !self.certificate_names.is_empty() && !self.names_shown(&presented.by) {
            return Err(Doubt::Certificate);
        }
        let at_a_socket = Peers::is_socket(peer);
        if at_a_socket
            && !matches!(&presented.by, Shown::Process { user } if self.users.contains(user))
        {
            return Err(Doubt::Process);
        }
        if let Some((name, secret)) = &self.secret {
            let given = presented.one(name)?.unwrap_or_default();
            if !same(given, secret) {
                return Err(Doubt::WrongSecret);
            }
        }
        Ok(
            match (&self.certificate_names[..], at_a_socket, &self.secret) {
                ([_, ..], _, _) => Assurance::Mtls,
                ([], true, _) => Assurance::Socket,
                ([], false, Some(_)) => Assurance::Secret,
                ([], false, None) => Assurance::Address,
            },
        )
    }

    /// Exactly one of the names, whole: no pattern in a certificate stands for it.
    fn names_shown(&self, by: &Shown) -> bool {
        let Shown::Certificate(shown) = by else {
            return false;
        };
        shown
            .iter()
            .any(|name| self.certificate_names.contains(name))
    }

    fn person(&self, presented: &Presented, assurance: Assurance) -> Result<Option<Known>, Doubt> {
        let names = &self.names;
        let text = |name: &Option<String>| match name {
            Some(name) => presented.one(name),
            None => Ok(None),
        };
        let (name, email) = (text(&names.name)?, text(&names.email)?);
        let groups = text(&names.groups)?;
        let Some(user) = presented.one(&names.user)? else {
            return Ok(None);
        };
        if ![Some(user), name, email].into_iter().flatten().all(plain) {
            return Err(Doubt::Malformed);
        }
        Ok(Some(Known {
            issuer: ISSUER.to_owned(),
            subject: user.to_owned(),
            name: name.or(email).unwrap_or(user).to_owned(),
            groups: self.groups(groups.unwrap_or_default())?,
            means: Means::TrustedHeader,
            assurance: Some(assurance),
            until: None,
        }))
    }

    /// No header is no groups; what is not a clean list is none at all.
    fn groups(&self, text: &str) -> Result<Vec<String>, Doubt> {
        if text.len() > GROUPS_LONGEST {
            return Err(Doubt::Malformed);
        }
        let groups: Vec<&str> = text
            .split(self.names.groups_separator.as_str())
            .map(|group| group.trim_matches(' '))
            .filter(|group| !group.is_empty())
            .collect();
        if groups.len() > GROUPS_MOST || !groups.iter().all(|group| plain(group)) {
            return Err(Doubt::Malformed);
        }
        Ok(groups.into_iter().map(str::to_owned).collect())
    }
}

/// In a time that tells nothing of either; of digests, so that lengths tell nothing as well.
fn same(given: &str, secret: &Secret) -> bool {
    let given = Sha256::digest(given.as_bytes());
    let expected = Sha256::digest(secret.reveal().as_bytes());
    given.as_slice().ct_eq(expected.as_slice()).into()
}
