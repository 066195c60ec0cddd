//! Whether a request is one at all: limits and shapes, before anything is looked at.

use quorate_domain::{action::Action, cluster::MemberId, plan::Basis};

use crate::{ControlError, Request, escape};

const REASON_LONGEST: usize = 500;
const TICKET_LONGEST: usize = 64;
const NAME_LONGEST: usize = 256;
const KEY_LONGEST: usize = 255;

pub(super) fn well_formed(action: &Action) -> Result<(), ControlError> {
    let sound =
        |text: &str| (1..=NAME_LONGEST).contains(&text.len()) && !text.chars().any(escape::steers);
    if !action.member().map(MemberId::as_str).is_none_or(sound) {
        return Err(ControlError::invalid(
            "this is not a member's id",
            "Use the id as the members table shows it.",
        ));
    }
    // A user name and password in an address would end in the audit log.
    let reachable =
        |text: &str| sound(text) && !text.contains(|c: char| c.is_whitespace() || c == '@');
    if let Action::AddLearner { address, .. } = action
        && !reachable(address)
    {
        return Err(ControlError::invalid(
            "this is not an address",
            "Give host and port, with the scheme where the backend is reached by URL, and no user \
             name or password.",
        ));
    }
    Ok(())
}

pub(super) fn trimmed(request: &Request) -> Request {
    let ticket = request
        .ticket
        .as_deref()
        .map(str::trim)
        .filter(|ticket| !ticket.is_empty());
    Request {
        reason: request.reason.trim().to_owned(),
        ticket: ticket.map(str::to_owned),
        ..request.clone()
    }
}

pub(super) fn well_asked(action: &Action, request: &Request) -> Result<(), ControlError> {
    let reason = request.reason.chars().count();
    if reason == 0 {
        return Err(ControlError::invalid(
            "a reason is missing",
            "Say in a few words why; it goes into the audit log.",
        ));
    }
    if reason > REASON_LONGEST {
        return Err(ControlError::invalid(
            format!("the reason has {reason} characters, {REASON_LONGEST} are the most"),
            "Say it shorter, and put the rest into the ticket.",
        ));
    }
    if request
        .ticket
        .as_deref()
        .is_some_and(|ticket| ticket.chars().count() > TICKET_LONGEST)
    {
        return Err(ControlError::invalid(
            format!("the ticket has more than {TICKET_LONGEST} characters"),
            "Give the ticket's number or short name.",
        ));
    }
    let graphic = |key: &str| {
        (1..=KEY_LONGEST).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !request.idempotency_key.as_deref().is_none_or(graphic) {
        return Err(ControlError::invalid(
            "this is not an Idempotency-Key",
            "Use 1 to 255 printable characters without spaces, for example a UUID.",
        ));
    }
    if request.revision.is_none() && request.fingerprint.is_none() {
        return Err(ControlError::invalid(
            "neither revision nor fingerprint was given",
            "Send the revision of the view, or the fingerprint of a preview, you decided on.",
        ));
    }
    if let Some(text) = &request.fingerprint {
        let seen = Basis::parse(text).ok_or_else(bad_fingerprint)?;
        if seen.action.as_ref() != Some(action) {
            return Err(ControlError::invalid(
                "this fingerprint was made for another change",
                "Send the fingerprint of the preview of this very change: same verb, member and \
                 address.",
            ));
        }
    }
    Ok(())
}

pub(super) fn bad_fingerprint() -> ControlError {
    ControlError::invalid(
        "this is not a fingerprint",
        "Send the fingerprint of a preview as it was given.",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;

    #[test]
    fn an_address_with_a_name_and_a_password_is_no_address() {
        let at = |address: &str| {
            well_formed(&Action::AddLearner {
                address: address.to_owned(),
                member: None,
            })
        };
        for good in [
            "http://127.0.0.1:8240",
            "https://[::1]:8200",
            "10.0.0.4:21000",
        ] {
            assert!(at(good).is_ok(), "{good}");
        }
        for bad in ["https://ada:pa55word@10.0.0.4:8200", "not an address", ""] {
            let error = at(bad).expect_err(bad).to_string();
            assert!(!error.contains("pa55word"), "{error}");
        }
    }
}
