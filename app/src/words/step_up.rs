//! The words of proving that it is oneself, and of passkeys.

pub const TITLE: &str = "Prove that it is you";
pub const ABOUT: &str = "You are about to";
pub const GOOD_ONCE: &str = "What you prove here is good for this alone, once, for a minute.";
pub const PASSWORD: &str = "Your password";
pub const BY_PASSWORD: &str = "Confirm with the password";
pub const BY_PASSKEY: &str = "Use a passkey";
pub const OR: &str = "or";
#[must_use]
pub fn by_sign_in(provider: &str) -> String {
    format!("Sign in again with {provider}")
}
pub const CANCEL: &str = "Cancel";
pub const NO_WAY: &str = "There is nothing you could prove it by.";
pub const NO_WAY_HINT: &str =
    "Add a passkey, or set a password where this console keeps one; then ask for it again.";
pub const PASSKEY_FAILED: &str = "The passkey was not used.";
pub const PASSKEY_FAILED_HINT: &str = "It was cancelled, the device did not know you, or it has no passkey of this console. Nothing was done; try again.";
pub const PASSKEY_SCRIPT: &str = "Passkeys need scripts.";
pub const OVER: &str = "This question is over.";
pub const OVER_HINT: &str = "It was answered, took too long, or was asked in another session. Nothing was done by opening this page; ask for it again.";
pub const NOT_DONE: &str = "It was proved, and yet not done";
pub const BACK_TO_CLUSTER: &str = "Back to the cluster";
pub const REASON: &str = "Reason";
pub const TICKET: &str = "Ticket";
pub const PERSON: &str = "Person";

/// What became of the last answer, by the code in the URL: (what happened, what to do).
#[must_use]
pub fn problem(code: &str) -> (&'static str, &'static str) {
    match code {
        "sign-in-failed" => (
            "This did not prove it.",
            "Nothing was done. Try again; the audit log says why it was not believed.",
        ),
        "throttled" => (
            "Too many attempts.",
            "Nothing was done. Wait a minute, then try again.",
        ),
        "audit-unavailable" => (
            "The audit log cannot be written, so nothing is done.",
            "Whoever runs this console: see whether its disk is full.",
        ),
        "sign-on-denied" => (
            "The provider did not sign you in.",
            "Nothing was done. Try again, or cancel.",
        ),
        "sign-on-unreachable" => (
            "The provider cannot be reached.",
            "Nothing was done. Try again in a moment, or by another way.",
        ),
        "malformed" => (
            "The form was not understood.",
            "Nothing was done. Try again.",
        ),
        _ => (
            "This did not work.",
            "Nothing was done. Try again; the console's own log says what failed.",
        ),
    }
}

pub const PASSKEYS: &str = "Passkeys";
pub const PASSKEYS_SENTENCE: &str =
    "A passkey on a device of yours proves that it is you before something dangerous is done.";
pub const PASSKEYS_TABLE: &str = "Passkeys; times are UTC";
pub const NONE: &str = "There is no passkey yet.";
pub const NOT_POSSIBLE: &str = "Browsers know no passkeys at this console's address.";
pub const NOT_POSSIBLE_HINT: &str = "They need https and a name instead of a number: whoever runs this console, see server.external_url.";
pub const NAME: &str = "Name of the device";
pub const ADD: &str = "Add a passkey";
pub const MAKE: &str = "Make the passkey now";
pub const REMOVE: &str = "Remove";
#[must_use]
pub fn remove(name: &str) -> String {
    format!("Remove the passkey {name}")
}
#[must_use]
pub fn of(person: &str) -> String {
    format!("of {person}")
}
pub const ADDED_AT: &str = "added";
pub const USED_AT: &str = "last used";
pub const NEVER_USED: &str = "never used";
pub const ADDED: &str = "The passkey was added.";
pub const REMOVED: &str = "The passkey was removed.";
pub const BACK_TO_ACCESS: &str = "Back to Access";
#[must_use]
pub fn making(name: &str) -> String {
    format!("The device will ask for a finger, a face or a PIN, and then keep the passkey {name}.")
}
pub const NOT_MADE: &str = "The passkey was not made.";
pub const NOT_MADE_HINT: &str =
    "It was cancelled, the device did not know you, or it has one of yours already.";

/// What became of adding or removing one, by the code in the URL.
#[must_use]
pub fn passkey_problem(code: &str) -> (&'static str, &'static str) {
    match code {
        "invalid" => (
            "The passkey was not added.",
            "Its name is missing, too long or taken, there are too many, or what the device said was not believed. Try again.",
        ),
        "not-found" => (
            "This is over.",
            "It took too long or was done already. Begin anew.",
        ),
        "last-passkey" => (
            "This passkey stays: it is the last thing you could prove anything by.",
            "Add another one first, or have an administrator remove this one.",
        ),
        "not-allowed" => (
            "This passkey is not yours.",
            "Its owner or an administrator can remove it.",
        ),
        _ => problem(code),
    }
}
