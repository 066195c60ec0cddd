//! A change as the line that does the same on the command line.

use crate::{action::Action, view::ClusterView};

/// Stands where the reason goes, which the command line demands as the dialog does.
const NO_REASON_YET: &str = " --reason '…'";

/// `quorate ctl promote vault-eu bao-us1-a --reason '…'`
pub(super) fn line(view: &ClusterView, action: &Action) -> String {
    let cluster = view.name.as_str();
    let words: Vec<&str> = match action {
        Action::AddLearner {
            address,
            member: None,
        } => vec!["add-learner", cluster, address],
        Action::AddLearner {
            address,
            member: Some(id),
        } => {
            vec!["add-learner", cluster, address, "--id", id.as_str()]
        }
        Action::Promote { member } => vec!["promote", cluster, member.as_str()],
        Action::Demote { member } => vec!["demote", cluster, member.as_str()],
        Action::Remove { member } => vec!["remove", cluster, member.as_str()],
        Action::Transfer {
            member: Some(member),
        } => {
            vec!["transfer", cluster, member.as_str()]
        }
        Action::Transfer { member: None } => vec!["transfer", cluster],
        Action::Snapshot => vec!["snapshot", cluster],
        Action::Defragment { member } => vec!["defragment", cluster, member.as_str()],
        Action::CheckIntegrity => vec!["check-integrity", cluster],
    };
    let quoted: Vec<String> = words.into_iter().map(quoted).collect();
    format!("quorate ctl {}{NO_REASON_YET}", quoted.join(" "))
}

/// A preview's command with what has been written into the form: a reason in place of the dots, and
/// the ticket. What is still empty stays as it is.
#[must_use]
pub fn with_reason(command: &str, reason: &str, ticket: &str) -> String {
    let (reason, ticket) = (reason.trim(), ticket.trim());
    let mut line = match command.strip_suffix(NO_REASON_YET) {
        Some(bare) if !reason.is_empty() => format!("{bare} --reason {}", quoted(reason)),
        _ => command.to_owned(),
    };
    if !ticket.is_empty() {
        line = format!("{line} --ticket {}", quoted(ticket));
    }
    line
}

/// A word as a POSIX shell reads it back unchanged.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Stage;

    #[test]
    fn the_command_says_what_the_dialog_does() {
        let view = Stage::voters(3).learner("n4").view();
        let promote = Action::Promote {
            member: "n4".into(),
        };
        let bare = line(&view, &promote);
        assert_eq!(bare, "quorate ctl promote vault-eu n4 --reason '…'");
        assert_eq!(with_reason(&bare, " ", ""), bare);
        assert_eq!(
            with_reason(&bare, " it's due ", "OPS-7"),
            r"quorate ctl promote vault-eu n4 --reason 'it'\''s due' --ticket OPS-7"
        );
        let add = Action::AddLearner {
            address: "https://10.0.0.5:8200".to_owned(),
            member: Some("n 5's".into()),
        };
        assert_eq!(
            line(&view, &add),
            r"quorate ctl add-learner vault-eu https://10.0.0.5:8200 --id 'n 5'\''s' --reason '…'"
        );
    }
}
