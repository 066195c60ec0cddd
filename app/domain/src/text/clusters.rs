//! A cluster in a sentence: may it lose another node, and who leads.

use super::{duration, listed, number};
use crate::{
    quorum::Quorum,
    view::{Leader, LeaderStatus},
};

/// Before the first look.
#[must_use]
pub fn not_looked_yet() -> String {
    "Not looked at yet.".to_owned()
}

/// The newest look is too old to say anything about now.
#[must_use]
pub fn look_is_old(age_ms: u64) -> String {
    format!(
        "Last looked at {} ago; what holds now is not known.",
        duration(age_ms)
    )
}

/// "4 of 5 voters answer; one more may fail."
#[must_use]
pub fn cluster_sentence(quorum: &Quorum) -> String {
    let Some(tolerates) = quorum.tolerates else {
        return "Who the voters are is not known; no node tells.".to_owned();
    };
    if quorum.answering == 0 {
        return format!("None of {} answers.", voters(quorum.voters));
    }
    let Ok(tolerates) = u64::try_from(tolerates) else {
        return format!(
            "{} Nothing can be changed or written.",
            sentence_no_quorum(quorum)
        );
    };
    let more = if quorum.answering < quorum.voters {
        " more"
    } else {
        ""
    };
    if tolerates == 0 {
        return format!("{}; none may fail.", answering(quorum));
    }
    format!(
        "{}; {}{more} may fail.",
        answering(quorum),
        number(tolerates)
    )
}

/// "1 of 3 voters answers; 2 are needed."
#[must_use]
pub fn sentence_no_quorum(quorum: &Quorum) -> String {
    let verb = if quorum.majority == 1 { "is" } else { "are" };
    format!("{}; {} {verb} needed.", answering(quorum), quorum.majority)
}

fn answering(quorum: &Quorum) -> String {
    let verb = if quorum.answering == 1 {
        "answers"
    } else {
        "answer"
    };
    format!("{} of {} {verb}", quorum.answering, voters(quorum.voters))
}

fn voters(count: u32) -> String {
    if count == 1 {
        "1 voter".to_owned()
    } else {
        format!("{count} voters")
    }
}

/// What is known of who leads, for [`leader_sentence`].
#[derive(Clone, Copy, Debug)]
pub struct Leading<'a> {
    pub leader: &'a Leader,
    /// What people call the agreed leader, or else the last one known.
    pub name: Option<&'a str>,
    /// How long the agreed leader has led, where known.
    pub for_ms: Option<u64>,
    /// Voters that name the agreed leader, and voters that answer.
    pub naming: usize,
    pub answering: u32,
    /// Who is named by whom.
    pub names: &'a [(String, Vec<String>)],
    /// Age of the look.
    pub age_ms: u64,
    /// The look is too old for a claim in it to count.
    pub is_old: bool,
}

/// "bao-eu1-a has led for 3 d 4 h; the 4 voters that answer name it."
#[must_use]
pub fn leader_sentence(leading: &Leading<'_>) -> String {
    let name = leading.name.unwrap_or("somebody");
    match leading.leader.status {
        LeaderStatus::Agreed => {
            let leads = match leading.for_ms {
                Some(milliseconds) if milliseconds >= 1_000 => {
                    format!("has led for {}", duration(milliseconds / 1_000 * 1_000))
                }
                _ => "leads".to_owned(),
            };
            format!(
                "{name} {leads}; {}.",
                naming(leading.naming, leading.answering)
            )
        }
        LeaderStatus::Disputed => who_names_whom(leading.names),
        LeaderStatus::None => match leading.names {
            [] => "Nobody leads.".to_owned(),
            [(named, by)] => format!(
                "No leader is confirmed; {} {} {named}.",
                listed(by),
                if by.len() == 1 { "names" } else { "name" }
            ),
            many => who_names_whom(many),
        },
        LeaderStatus::Unknown if leading.is_old => match leading.name {
            Some(name) => {
                format!(
                    "{name} led when last looked, {} ago.",
                    duration(leading.age_ms)
                )
            }
            None => "Who leads is not known.".to_owned(),
        },
        LeaderStatus::Unknown => "Who leads is not known: too few voters answer.".to_owned(),
    }
}

/// "Who leads is disputed: n1 and n2 name n1; n3 names n3."
#[must_use]
pub fn who_names_whom(names: &[(String, Vec<String>)]) -> String {
    let words: Vec<String> = names
        .iter()
        .map(|(named, by)| {
            let verb = if by.len() == 1 { "names" } else { "name" };
            format!("{} {verb} {named}", listed(by))
        })
        .collect();
    if words.is_empty() {
        return "Who leads is disputed: more than one member claims to.".to_owned();
    }
    format!("Who leads is disputed: {}.", words.join("; "))
}

fn naming(naming: usize, answering: u32) -> String {
    let all = usize::try_from(answering).is_ok_and(|answering| answering == naming);
    match (all, answering) {
        (true, 1) => "the voter that answers names it".to_owned(),
        (true, _) => format!("the {answering} voters that answer name it"),
        (false, _) => {
            let verb = if naming == 1 { "names" } else { "name" };
            format!("{naming} of the {answering} voters that answer {verb} it")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cluster::MemberId, quorum::of_configs};

    #[test]
    fn the_sentence_says_how_many_answer_and_what_may_fail() {
        let table = [
            (5, 5, "5 of 5 voters answer; two may fail."),
            (5, 4, "4 of 5 voters answer; one more may fail."),
            (5, 3, "3 of 5 voters answer; none may fail."),
            (3, 3, "3 of 3 voters answer; one may fail."),
            (2, 2, "2 of 2 voters answer; none may fail."),
            (1, 1, "1 of 1 voter answers; none may fail."),
            (
                3,
                1,
                "1 of 3 voters answers; 2 are needed. Nothing can be changed or written.",
            ),
            (
                5,
                2,
                "2 of 5 voters answer; 3 are needed. Nothing can be changed or written.",
            ),
            (3, 0, "None of 3 voters answers."),
        ];
        for (voters, answering, expected) in table {
            let ids: Vec<MemberId> = (0..voters).map(|n| MemberId(n.to_string())).collect();
            let answers: Vec<MemberId> = ids.iter().take(answering).cloned().collect();
            let quorum = of_configs(&[ids], |id| answers.contains(id));
            assert_eq!(cluster_sentence(&quorum), expected);
        }
        assert_eq!(
            cluster_sentence(&Quorum::default()),
            "Who the voters are is not known; no node tells."
        );
    }
}
