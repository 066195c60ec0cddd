//! Accounts, tokens, sessions: what the access page shows and asks for.

use leptos::prelude::*;
use quorate_domain::{audit::Actor, moment::Timestamp, permission::Grant};
use serde::{Deserialize, Serialize};
use server_fn::codec::Json;

#[cfg(feature = "ssr")]
use super::Caller;
use super::Failure;

pub mod account_create;
pub mod account_disable;
pub mod account_grants;
pub mod account_link;
pub mod session_end;
pub mod token_create;
pub mod token_revoke;

/// Everything the access page shows to the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    pub me: Actor,
    pub grants: Vec<Grant>,
    pub has_password: bool,
    /// Own sessions; everybody's for those who may administer.
    pub sessions: Vec<SessionRow>,
    /// `None` for those who may not administer.
    pub administration: Option<Administration>,
    pub now: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Administration {
    pub accounts: Vec<AccountRow>,
    pub tokens: Vec<TokenRow>,
    /// Names to choose from.
    pub clusters: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    pub name: String,
    pub grants: Vec<Grant>,
    pub disabled: bool,
    pub has_password: bool,
    pub created_at: Timestamp,
    pub last_sign_in: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    pub id: String,
    pub name: String,
    pub grants: Vec<Grant>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub last_used: Option<Timestamp>,
    pub revoked: bool,
    /// It holds less than it was made with: whoever made it could not hand on more now.
    pub cut: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Enough to end the session, useless to use it.
    pub hash: String,
    pub account: String,
    pub created_at: Timestamp,
    pub last_seen: Timestamp,
    pub expires_at: Timestamp,
    pub peer: Option<String>,
    pub user_agent: Option<String>,
    pub current: bool,
}

/// A secret to be shown once and kept nowhere: neither stored nor part of a server's page.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShownOnce(pub String);

impl std::fmt::Debug for ShownOnce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Where a one-time link leads, below the console's own address.
#[cfg(feature = "ssr")]
fn link(secret: &str) -> ShownOnce {
    let base = use_context::<crate::base::BasePath>()
        .map(|base| base.0)
        .unwrap_or_default();
    ShownOnce(format!("{base}/sign-in/link/{secret}"))
}

/// # Errors
/// If nobody is signed in.
#[server(name = ReadAccess, prefix = "/api/ui", endpoint = "access", input = Json)]
pub async fn read() -> Result<Access, Failure> {
    let caller = Caller::here()?;
    gather(&caller.control, &caller.who)
        .await
        .map_err(|error| caller.failed(&error))
}

#[cfg(feature = "ssr")]
async fn gather(
    control: &quorate_control::Control,
    who: &quorate_control::Operator,
) -> Result<Access, quorate_control::ControlError> {
    use quorate_domain::{
        audit::Means,
        permission::{Permission, allows},
    };

    // A token or the command line has no password of its own to ask about.
    let has_account = matches!(who.actor.means, Means::Password | Means::SignInLink);
    let has_password = has_account && control.has_password(who).await?;
    let sessions = control
        .sessions(who)
        .await?
        .into_iter()
        .map(Into::into)
        .collect();
    let administration = if allows(&who.grants, Permission::Administer, None) {
        Some(Administration {
            accounts: control
                .accounts(who)
                .await?
                .into_iter()
                .map(Into::into)
                .collect(),
            tokens: control
                .tokens(who)
                .await?
                .into_iter()
                .map(Into::into)
                .collect(),
            clusters: control
                .fleet(who)
                .into_iter()
                .map(|cluster| cluster.name.0)
                .collect(),
        })
    } else {
        None
    };
    Ok(Access {
        me: who.actor.clone(),
        grants: who.grants.clone(),
        has_password,
        sessions,
        administration,
        now: control.now(),
    })
}

#[cfg(feature = "ssr")]
mod rows {
    //! Only what the page shows crosses over; the ids of accounts stay behind.

    use super::{AccountRow, SessionRow, TokenRow};

    impl From<quorate_control::Account> for AccountRow {
        fn from(account: quorate_control::Account) -> Self {
            Self {
                name: account.name,
                grants: account.grants,
                disabled: account.disabled,
                has_password: account.has_password,
                created_at: account.created_at,
                last_sign_in: account.last_sign_in,
            }
        }
    }

    impl From<quorate_control::Token> for TokenRow {
        fn from(token: quorate_control::Token) -> Self {
            Self {
                id: token.id,
                name: token.name,
                grants: token.grants,
                created_at: token.created_at,
                expires_at: token.expires_at,
                last_used: token.last_used,
                revoked: token.revoked,
                cut: token.cut,
            }
        }
    }

    impl From<quorate_control::Session> for SessionRow {
        fn from(session: quorate_control::Session) -> Self {
            Self {
                hash: session.hash,
                account: session.account,
                created_at: session.created_at,
                last_seen: session.last_seen,
                expires_at: session.expires_at,
                peer: session.peer,
                user_agent: session.user_agent,
                current: session.current,
            }
        }
    }
}
