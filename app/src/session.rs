//! Who is signed in, as far as a page needs to know.

use leptos::prelude::use_context;
use quorate_domain::{
    audit::Means,
    cluster::ClusterName,
    permission::{self, Duty, Grant, Permission},
};
use serde::{Deserialize, Serialize};

/// What the server puts into the context of every request.
#[cfg(feature = "ssr")]
#[derive(Clone, Debug, Default)]
pub struct Visitor(pub Option<quorate_control::Operator>);

/// Whether a sign-on proxy in front says who somebody is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proxied(pub bool);

/// The OpenID provider at which people sign in, as they call it; `None` in other modes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignOn(pub Option<String>);

/// The signed-in person. What they may do is decided by the server again; here it only greys
/// out buttons and says why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub subject: String,
    pub name: String,
    pub means: Means,
    pub grants: Vec<Grant>,
    /// The configuration takes every change away from everybody.
    pub read_only: bool,
}

impl Session {
    #[must_use]
    pub fn allows(&self, permission: Permission) -> bool {
        permission::allows(&self.grants, permission, None)
    }

    #[must_use]
    pub fn allows_on(
        &self,
        permission: Permission,
        cluster: &ClusterName,
        tags: &[String],
    ) -> bool {
        permission::allows(&self.grants, permission, Some((cluster, tags)))
    }

    /// Every role held anywhere, strongest words last, each once.
    #[must_use]
    pub fn duties(&self) -> Vec<Duty> {
        let held = |duty: &Duty| self.grants.iter().any(|grant| grant.role == *duty);
        Duty::ALL.into_iter().filter(held).collect()
    }
}

/// The session of the page being rendered; `None` when nobody is signed in.
#[must_use]
pub fn use_session() -> Option<Session> {
    use_context::<Option<Session>>().flatten()
}
