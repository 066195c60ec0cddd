//! The words of the fleet page.

use quorate_domain::{
    health::Verdict,
    view::{ClusterSummary, is_leaderless, needs_a_look},
};

use super::figures;

pub const CAPTION: &str = "Clusters";
pub const CLUSTER: &str = "Cluster";
pub const KIND: &str = "Kind";
pub const LEADER: &str = "Leader";
pub const TOLERANCE: &str = "Tolerance";
pub const PROBLEM: &str = "Problem";
pub const WORST_LAG: &str = "Worst lag";
pub const LAG_15_MIN: &str = "Lag, 15 min";

pub const FILTER: &str = "Filter: name, kind, zone, tag…";
pub const FILTER_LABEL: &str = "Filter clusters by name, kind, zone or tag";
pub const FILTER_SUBMIT: &str = "Filter";
pub const FILTERS: &str = "Order and filters";
pub const BY_TOLERANCE: &str = "Least tolerance first";
pub const BY_NAME: &str = "By name";
pub const NEW_ORDER: &str = "New order: put the rows in place";
pub const NONE_MATCH: &str = "No cluster matches.";
pub const SHOW_ALL: &str = "Show all";

pub const DISPUTED: &str = "disputed";
pub const NO_LEADER: &str = "none";
pub const LEADER_UNKNOWN: &str = "unknown";
pub const LEADER_OF_EACH: &str = "one a group";

pub const EMPTY: &str = "No cluster is registered that you may see.";
pub const EMPTY_HINT: &str = "Clusters stand in the console's configuration. Add one, then start the console again; members are found by asking the seeds:";
pub const EXAMPLE: &str = r#"[[clusters]]
name = "vault-eu"
kind = "openbao"
seeds = ["https://bao-1.example:8200"]
token_file = "/run/secrets/bao"
tags = ["prod"]"#;

/// The page's answer in two parts: what matters most, and what supports it.
#[must_use]
pub fn sentence(fleet: &[ClusterSummary]) -> (String, String) {
    let total = fleet.len();
    if total == 0 {
        return (EMPTY.to_owned(), String::new());
    }
    let with = |class: fn(&ClusterSummary) -> bool| fleet.iter().filter(|row| class(row)).count();
    let look = with(needs_a_look);
    let worst: [Class; 3] = [
        (with(is_lost), "has no quorum", "have no quorum"),
        (
            with(is_led_by_nobody),
            "has no confirmed leader",
            "have no confirmed leader",
        ),
        (with(is_silent), "does not answer", "do not answer"),
    ];
    let said: Vec<String> = worst
        .iter()
        .filter(|(some, ..)| *some > 0)
        .enumerate()
        .map(|(place, class)| {
            if place == 0 {
                of_all(class, total)
            } else {
                more(class)
            }
        })
        .collect();
    if !said.is_empty() {
        let counted: usize = worst.iter().map(|(some, ..)| some).sum();
        return (
            format!("{}.", said.join(", ")),
            rest(look.saturating_sub(counted)),
        );
    }
    if look == 0 {
        return (
            format!("Nothing is lost. {}", in_order(total)),
            String::new(),
        );
    }
    (
        format!("Nothing is lost. {};", need_a_look(look, total)),
        brink(fleet),
    )
}

/// How many, and what is wrong with one and with several.
type Class = (usize, &'static str, &'static str);

fn is_lost(cluster: &ClusterSummary) -> bool {
    cluster.verdict == Verdict::NoQuorum
}

fn is_silent(cluster: &ClusterSummary) -> bool {
    cluster.verdict == Verdict::Unknown
}

fn is_led_by_nobody(cluster: &ClusterSummary) -> bool {
    is_leaderless(cluster.leader.status) && !is_lost(cluster) && !is_silent(cluster)
}

fn in_order(total: usize) -> String {
    match total {
        1 => "The one cluster is in order.".to_owned(),
        2 => "Both clusters are in order.".to_owned(),
        _ => format!("All {total} clusters are in order."),
    }
}

fn need_a_look(look: usize, total: usize) -> String {
    match (look, total) {
        (1, 1) => "The one cluster needs a look".to_owned(),
        (1, _) => format!("1 of {total} clusters needs a look"),
        _ => format!("{look} of {total} clusters need a look"),
    }
}

fn of_all((some, one, several): &Class, total: usize) -> String {
    match (*some, total) {
        (1, 1) => format!("The one cluster {one}"),
        (1, _) => format!("1 of {total} clusters {one}"),
        (some, _) => format!("{some} of {total} clusters {several}"),
    }
}

fn more((some, one, several): &Class) -> String {
    format!("{some} {}", if *some == 1 { one } else { several })
}

fn rest(more: usize) -> String {
    match more {
        0 => String::new(),
        1 => "1 more needs a look.".to_owned(),
        _ => format!("{more} more need a look."),
    }
}

/// How many of those that need a look may not lose another node.
fn brink(fleet: &[ClusterSummary]) -> String {
    let looked = fleet.iter().filter(|cluster| needs_a_look(cluster));
    if looked
        .clone()
        .any(|cluster| cluster.quorum.tolerates.is_none())
    {
        return "what may still fail is not known everywhere.".to_owned();
    }
    let brink = looked
        .clone()
        .filter(|cluster| cluster.quorum.tolerates == Some(0))
        .count();
    match (brink, looked.count()) {
        (0, 1) => "it may still lose a node.".to_owned(),
        (0, _) => "each of them may still lose a node.".to_owned(),
        (1, 1) => "it may not lose another node.".to_owned(),
        (1, _) => "one of them may not lose another node.".to_owned(),
        (some, all) if some == all => "none of them may lose another node.".to_owned(),
        (some, _) => format!("{some} of them may not lose another node."),
    }
}

/// What may still fail, for a row.
#[must_use]
pub fn tolerance(cluster: &ClusterSummary) -> String {
    let missing = cluster.quorum.answering < cluster.quorum.voters;
    match (cluster.verdict, cluster.quorum.tolerates) {
        // A program of many groups has no quorum of its own.
        (Verdict::Ok, None) => "In order".to_owned(),
        (Verdict::Unknown, _) | (_, None) => "Unknown".to_owned(),
        (Verdict::NoQuorum, _) | (_, Some(..0)) => "No quorum".to_owned(),
        (_, Some(0)) => "No failure tolerated".to_owned(),
        (_, Some(some)) if missing => format!("{some} more may fail"),
        (_, Some(some)) => format!("{some} may fail"),
    }
}

/// What the spark line shows, in words.
#[must_use]
pub fn lag_label(cluster: &ClusterSummary) -> String {
    let highest = cluster.lag_history.iter().max().copied().unwrap_or(0);
    format!("Lag over 15 minutes, at most {}", figures::number(highest))
}

#[cfg(test)]
mod tests {
    use quorate_domain::view::LeaderStatus;

    use super::*;
    use crate::sample;

    #[test]
    fn a_program_of_groups_that_are_in_order_is_not_called_unknown() {
        let mut program = with(Verdict::Ok, 1);
        program.quorum.tolerates = None;
        assert_eq!(tolerance(&program), "In order");
        program.verdict = Verdict::AtRisk;
        assert_eq!(tolerance(&program), "Unknown");
    }

    fn with(verdict: Verdict, tolerates: i64) -> ClusterSummary {
        let mut cluster = sample::sound("c");
        cluster.verdict = verdict;
        cluster.quorum.tolerates = Some(tolerates);
        cluster
    }

    fn said(fleet: &[ClusterSummary]) -> String {
        let (answer, rest) = sentence(fleet);
        format!("{answer} {rest}").trim().to_owned()
    }

    #[test]
    fn the_sentence_names_the_worst_first() {
        use Verdict::{AtRisk, NoQuorum, Ok, Unknown};
        let sound = || with(Ok, 1);
        let nobody = |status: LeaderStatus| {
            let mut cluster = with(AtRisk, 1);
            cluster.leader.status = status;
            cluster
        };
        let cases: [(Vec<ClusterSummary>, &str); 9] = [
            (
                vec![nobody(LeaderStatus::None), with(AtRisk, 0), sound()],
                "1 of 3 clusters has no confirmed leader. 1 more needs a look.",
            ),
            (
                vec![
                    with(NoQuorum, -1),
                    nobody(LeaderStatus::None),
                    nobody(LeaderStatus::Disputed),
                    with(Unknown, 0),
                ],
                "1 of 4 clusters has no quorum, 2 have no confirmed leader, 1 does not answer.",
            ),
            (
                vec![sound()],
                "Nothing is lost. The one cluster is in order.",
            ),
            (
                vec![sound(), sound()],
                "Nothing is lost. Both clusters are in order.",
            ),
            (
                vec![with(AtRisk, 0), with(AtRisk, 1), sound()],
                "Nothing is lost. 2 of 3 clusters need a look; one of them may not lose another node.",
            ),
            (
                vec![with(AtRisk, 1)],
                "Nothing is lost. The one cluster needs a look; it may still lose a node.",
            ),
            (
                vec![with(NoQuorum, -1), with(AtRisk, 0), sound()],
                "1 of 3 clusters has no quorum. 1 more needs a look.",
            ),
            (
                vec![with(Unknown, 0), sound()],
                "1 of 2 clusters does not answer.",
            ),
            (
                vec![with(NoQuorum, -1), with(Unknown, 0), sound()],
                "1 of 3 clusters has no quorum, 1 does not answer.",
            ),
        ];
        for (fleet, words) in cases {
            assert_eq!(said(&fleet), words);
        }
    }

    #[test]
    fn what_may_still_fail_is_said_with_more_only_where_something_failed() {
        assert_eq!(tolerance(&with(Verdict::Ok, 1)), "1 may fail");
        let mut reduced = with(Verdict::AtRisk, 1);
        reduced.quorum.answering = 2;
        assert_eq!(tolerance(&reduced), "1 more may fail");
        assert_eq!(tolerance(&with(Verdict::AtRisk, 0)), "No failure tolerated");
        assert_eq!(tolerance(&with(Verdict::NoQuorum, -1)), "No quorum");
        assert_eq!(tolerance(&with(Verdict::Unknown, 0)), "Unknown");
    }
}
