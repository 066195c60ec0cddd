//! The words of signing in, accounts, tokens and sessions.

use quorate_domain::{
    password::{LONGEST, SHORTEST},
    permission::{Duty, Grant},
};

// Signing in.
pub const SIGN_IN_SENTENCE: &str = "Sign in to see the clusters and what may be done.";
pub const SIGN_IN_BY_PROXY: &str = "The sign-on proxy in front of this console signs people in. \
                                    Open the console at the proxy's address.";
pub const SIGN_IN_AGAIN: &str = "Go on through the proxy";
#[must_use]
pub fn sign_in_with(provider: &str) -> String {
    format!("Sign in with {provider}")
}
pub const SIGNED_OUT_HERE: &str = "The session here has ended.";
pub const SIGN_OUT_GOES_ON: &str = "Go on and sign out at";
pub const THE_PROXY: &str = "the sign-on proxy";
pub const NAME: &str = "Name";
pub const PASSWORD: &str = "Password";
pub const NO_PASSWORD_YET: &str =
    "No password yet? Whoever runs this console can print a one-time link:";
pub const LINK_COMMAND: &str = "quorate user link NAME";
#[must_use]
pub fn already(name: &str) -> String {
    format!("You are signed in as {name}.")
}

/// What became of a sign-in, by the code in the URL: (what happened, what to do).
#[must_use]
pub fn sign_in_problem(code: &str) -> (&'static str, &'static str) {
    match code {
        "sign-in-failed" => (
            "Name or password is wrong.",
            "Try again, or ask for a one-time link: quorate user link NAME.",
        ),
        "throttled" => (
            "Too many attempts.",
            "Wait a minute, then try again. Nobody is locked out for good.",
        ),
        "link-used-up" => (
            "This one-time link was used already or has expired.",
            "Ask for a new one: quorate user link NAME.",
        ),
        "not-signed-in" => (
            "Your session has ended.",
            "Sign in again to go on where you were.",
        ),
        "cross-site" => (
            "The request came from another site and was not carried out.",
            "Sign in on this page, at the address the console is configured for.",
        ),
        "sign-out-at-the-proxy" => (
            "The session here has ended; the proxy still knows you.",
            "Sign out at the proxy as well, or close the browser.",
        ),
        "sign-out-at-the-provider" => (
            "The session here has ended; the provider still knows you.",
            "Sign out at the provider as well, or close the browser.",
        ),
        "sign-on-denied" => (
            "The provider did not sign you in.",
            "Try again; whoever runs this console finds its answer in the audit log.",
        ),
        "sign-on-over" => (
            "This sign-in took too long, or was begun elsewhere.",
            "Sign in again, in this browser.",
        ),
        "sign-on-unreachable" => (
            "The provider that signs people in cannot be reached.",
            "Try again in a moment. Whoever runs this console: `quorate check` says why.",
        ),
        "sign-on-failed" => (
            "What the provider said of you was not believed.",
            "Try again; whoever runs this console finds the reason in the audit log.",
        ),
        "audit-unavailable" => (
            "The audit log cannot be written, so nobody can sign in.",
            "Whoever runs this console: see whether its disk is full.",
        ),
        "malformed" => (
            "The form was not understood.",
            "Fill in both name and password.",
        ),
        "store-unavailable" => (
            "The console's store cannot be used, so nobody can sign in.",
            "Whoever runs this console: see disk and permissions of its data directory.",
        ),
        _ => (
            "Signing in did not work.",
            "Try again; the console's own log says what failed.",
        ),
    }
}

// Setting a password.
pub const SET_PASSWORD: &str = "Set a password";
pub const CHANGE_PASSWORD: &str = "Change password";
pub const SET_PASSWORD_SENTENCE: &str =
    "You are signed in by a one-time link. Set a password to be able to come back.";
pub const CURRENT_PASSWORD: &str = "Current password";
pub const NEW_PASSWORD: &str = "New password";
#[must_use]
pub fn password_rule() -> String {
    format!(
        "{SHORTEST} to {LONGEST} characters, at least 5 different ones, of any kind. Not your name, and nothing that is guessed first."
    )
}
pub const ENDS_OTHERS: &str = "Your other sessions end.";
pub const SAVE: &str = "Save password";
pub const PASSWORD_SAVED: &str = "The password is set. Your other sessions have ended.";

/// What became of setting a password, by the code in the URL.
#[must_use]
pub fn password_problem(code: &str) -> (&'static str, &'static str) {
    match code {
        "sign-in-failed" => (
            "The current password is wrong.",
            "The password stays as it was.",
        ),
        "throttled" => ("Too many attempts.", "Wait a minute, then try again."),
        "malformed" | "invalid" => (
            "This password was not accepted.",
            "It is too short or too long, has your name in it, or is among the first that are guessed. Choose another one; the password stays as it was.",
        ),
        _ => (
            "The password was not set.",
            "It stays as it was; try again.",
        ),
    }
}

// Access.
pub const YOU: &str = "You";
pub const MY_ROLES: &str = "Your roles";
pub const IDENTIFIED_BY: &str = "Identified by";
#[must_use]
pub fn sentence(name: &str, roles: &str) -> String {
    if roles.is_empty() {
        format!("You are {name}, without any role.")
    } else {
        format!("You are {name}, {roles}.")
    }
}
pub const NO_ROLE: &str = "no role";
pub const EVERYWHERE: &str = "all clusters";

/// "operator on vault-eu; viewer on all clusters"
#[must_use]
pub fn grants(grants: &[Grant]) -> String {
    if grants.is_empty() {
        return NO_ROLE.to_owned();
    }
    grants.iter().map(grant).collect::<Vec<_>>().join("; ")
}

#[must_use]
pub fn grant(grant: &Grant) -> String {
    let clusters = if grant.clusters.iter().any(|cluster| cluster == "*") {
        EVERYWHERE.to_owned()
    } else {
        grant.clusters.join(", ")
    };
    let tags = if grant.tags.is_empty() {
        String::new()
    } else {
        format!(" tagged {}", grant.tags.join(", "))
    };
    format!("{} on {clusters}{tags}", grant.role.as_str())
}

/// What a role may do, in one line.
#[must_use]
pub const fn duty(duty: Duty) -> &'static str {
    match duty {
        Duty::Viewer => "sees clusters, changes and problems",
        Duty::Operator => "adds learners, promotes, transfers leadership, takes snapshots",
        Duty::Admin => {
            "demotes, removes, sets states by hand, downloads snapshots, manages access, reads the audit log"
        }
        Duty::Approver => "approves or denies what others ask for, never their own",
        Duty::Auditor => "reads the audit log",
    }
}

pub const PASSKEYS: &str = "Your passkeys";
pub const ERASE: &str = "Erase a person from the audit log";
pub const SESSIONS: &str = "Sessions";
pub const SESSIONS_TABLE: &str = "Sessions; times are UTC";
pub const THIS_SESSION: &str = "this session";
pub const ACCOUNT: &str = "Account";
pub const FROM: &str = "From";
pub const BEGAN: &str = "Began (UTC)";
pub const LAST_SEEN: &str = "Last seen (UTC)";
pub const ENDS: &str = "Ends unless used (UTC)";
pub const END: &str = "End";
#[must_use]
pub fn end_session_of(account: &str) -> String {
    format!("End the session of {account}")
}
pub const NO_SESSIONS: &str = "No session is open.";

pub const ACCOUNTS: &str = "Accounts";
pub const ACCOUNTS_TABLE: &str = "Accounts of this console; times are UTC";
pub const ROLES: &str = "Roles";
pub const CREATED: &str = "Created (UTC)";
pub const LAST_SIGN_IN: &str = "Last sign-in (UTC)";
pub const NEVER: &str = "never";
pub const STATE: &str = "State";
pub const ACTIVE: &str = "active";
pub const DISABLED: &str = "disabled";
pub const NO_PASSWORD: &str = "no password yet";
pub const ACTIONS: &str = "Actions";
pub const NEW_LINK: &str = "New link";
#[must_use]
pub fn new_link_for(name: &str) -> String {
    format!("New link for {name}")
}
pub const DISABLE: &str = "Disable";
pub const ENABLE: &str = "Enable";
#[must_use]
pub fn disable_account(name: &str) -> String {
    format!("Disable {name}")
}
#[must_use]
pub fn enable_account(name: &str) -> String {
    format!("Enable {name}")
}
pub const SET_ROLES: &str = "Set roles";
#[must_use]
pub fn set_roles_of(name: &str) -> String {
    format!("Set roles of {name}")
}
pub const SAVE_ROLES: &str = "Save roles";
pub const NEW_ACCOUNT: &str = "New account";
pub const CREATE_ACCOUNT: &str = "Create account";
pub const ON_CLUSTERS: &str = "On clusters";
pub const ON_CLUSTERS_HINT: &str = "Names, separated by commas; * stands for all.";
pub const WITH_TAGS: &str = "With tags (optional)";
pub const WITH_TAGS_HINT: &str = "Only clusters that carry all of these, separated by commas.";
pub const ROLE_FIRST: &str = "Choose at least one role.";
pub const NAME_FIRST: &str = "Give a name.";
pub const NAME_RULE: &str = "1 to 64 of the characters a to z, 0 to 9, dot, underscore and hyphen.";
pub const CLUSTERS_FIRST: &str = "Name at least one cluster, or * for all.";

pub const TOKENS: &str = "API tokens";
pub const TOKENS_TABLE: &str = "API tokens; times are UTC";
pub const NO_TOKENS: &str = "There is no API token.";
pub const EXPIRES: &str = "Expires (UTC)";
pub const LAST_USED: &str = "Last used (UTC)";
pub const REVOKED: &str = "revoked";
pub const EXPIRED: &str = "expired";
/// Its maker may hand on less now, or is disabled.
pub const CUT: &str = "cut back with its maker";
pub const REVOKE: &str = "Revoke";
#[must_use]
pub fn revoke_token(name: &str) -> String {
    format!("Revoke {name}")
}
pub const NEW_TOKEN: &str = "New token";
pub const CREATE_TOKEN: &str = "Create token";
pub const DAYS: &str = "Valid for (days)";
pub const DAYS_DEFAULT: &str = "90";
pub const DAYS_WRONG: &str = "Give a number of days from 1 to 3650.";

pub const LINK_ONCE: &str = "One-time sign-in link";
pub const LINK_ONCE_HINT: &str =
    "Shown only now. It works once, for 15 minutes; give it to nobody else.";
pub const TOKEN_ONCE: &str = "API token";
pub const TOKEN_ONCE_HINT: &str = "Shown only now. Keep it like a password.";
pub const HIDE: &str = "I have it, hide it";

pub const NEEDS_ADMIN: &str = "Accounts and tokens of others need the role admin on all clusters.";
pub const SCRIPTS_NEEDED: &str =
    "Accounts, tokens and sessions are changed with scripts; all reading works without.";

// What became of a button.
#[must_use]
pub fn session_ended(account: &str) -> String {
    format!("The session of {account} has ended.")
}
#[must_use]
pub fn account_set(name: &str, disabled: bool) -> String {
    if disabled {
        format!("{name} is disabled; the sessions have ended.")
    } else {
        format!("{name} is enabled again.")
    }
}
#[must_use]
pub fn roles_set(name: &str) -> String {
    format!("The roles of {name} are set.")
}
#[must_use]
pub fn token_revoked(name: &str) -> String {
    format!("The token {name} is revoked.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_read_as_a_sentence_part() {
        let some = Grant {
            role: Duty::Operator,
            clusters: vec!["a".to_owned(), "b".to_owned()],
            tags: vec!["eu".to_owned()],
        };
        assert_eq!(
            grants(&[some, Grant::everywhere(Duty::Viewer)]),
            "operator on a, b tagged eu; viewer on all clusters"
        );
        assert_eq!(grants(&[]), "no role");
    }
}
