//! Changes with before and after, refusals, and failed sign-ins, one row each.

use quorate_domain::{audit::Outcome, moment::Timestamp};

use crate::{
    Gathering,
    flow::{Cell, Flow, Piece},
    gathering::{ChangeRow, Difference, OtherRow},
    picture::{Step, What},
    sheet::{BAD, Colour, MUTED, OK, WARN},
    words::{Words, number},
};

pub fn write(flow: &mut Flow, gathering: &Gathering) {
    changes(flow, gathering);
    let words = flow.words;
    if !gathering.approved.is_empty() {
        others(
            flow,
            (words.approvals(), words.approvals_about(), ""),
            &gathering.approved,
            gathering.approved_all,
        );
    }
    others(
        flow,
        (
            words.refusals(),
            words.refusals_about(),
            words.no_refusals(),
        ),
        &gathering.refusals,
        gathering.refusals_all,
    );
    others(
        flow,
        (words.sign_ins(), "", words.no_sign_ins()),
        &gathering.sign_ins,
        gathering.sign_ins_all,
    );
}

fn changes(flow: &mut Flow, gathering: &Gathering) {
    let words = flow.words;
    flow.turn();
    flow.heading(words.changes(), 60.0);
    if gathering.changes.is_empty() {
        flow.paragraph(&Piece::new(words.no_changes()).sized(9.0).muted());
        flow.space(14.0);
        return;
    }
    let about = words.changes_about(gathering.changes_all);
    flow.paragraph(&Piece::new(about).sized(9.0).muted());
    // Of a change that began before these entries, its intent would tell.
    let untold = |row: &ChangeRow| row.approvals.is_empty() && row.without_intent.is_none();
    if gathering.changes.iter().all(untold) {
        flow.paragraph(&Piece::new(words.nothing_approved()).sized(9.0).muted());
    }
    capped(
        flow,
        words.changes(),
        gathering.changes.len(),
        gathering.changes_all,
    );
    flow.space(6.0);
    let columns = [
        (words.entry(), 0.13),
        (words.change(), 0.22),
        (words.before_after(), 0.22),
        (words.why(), 0.20),
        (words.approvals(), 0.09),
        (words.outcome(), 0.14),
    ];
    let rows = gathering.changes.iter().map(|row| change(words, row));
    flow.table(&columns, rows);
}

fn change(words: Words, row: &ChangeRow) -> Vec<Cell> {
    let mut what = vec![
        Piece::new(words.action(&row.action)).bold(),
        Piece::new(match &row.member {
            Some(member) => format!("{member} · {}", row.cluster),
            None => row.cluster.clone(),
        }),
        Piece::new(words.named(words.by(), &row.who)),
        Piece::new(words.means(row.means)).sized(7.2).muted(),
    ];
    if let Some(intent) = row.without_intent {
        what.push(Piece::new(words.began_before(intent)).sized(7.2).muted());
    }
    let mut why = vec![match &row.reason {
        Some(reason) => Piece::new(reason.clone()),
        None => Piece::new(words.no_reason()).muted(),
    }];
    if let Some(ticket) = &row.ticket {
        why.push(
            Piece::new(words.named(words.ticket(), ticket))
                .sized(7.2)
                .muted(),
        );
    }
    let approvals = match row.approvals.is_empty() {
        true if row.without_intent.is_some() => vec![Piece::new("–").muted()],
        true => vec![Piece::new(words.no_approvals()).muted()],
        false => row
            .approvals
            .iter()
            .map(|it| Piece::new(it.clone()))
            .collect(),
    };
    vec![
        entry(row.seq, row.time),
        what,
        difference(words, &row.steps),
        why,
        approvals,
        ending(words, row),
    ]
}

fn entry(seq: u64, time: Timestamp) -> Cell {
    vec![
        Piece::new(number(seq)).bold(),
        Piece::new(time.day()).sized(7.2).muted(),
        Piece::new(time.clock()).sized(7.2).muted(),
    ]
}

fn difference(words: Words, difference: &Difference) -> Cell {
    match difference {
        Difference::Unseen => vec![Piece::new(words.unseen()).muted()],
        Difference::Same => vec![Piece::new(words.same()).muted()],
        Difference::Steps(steps) => steps.iter().map(|it| step(words, it)).collect(),
    }
}

fn step(words: Words, step: &Step) -> Piece {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
    let role = |role: &Option<String>| match role {
        Some(role) => words.role(role),
        None => words.not_there().to_owned(),
    };
    match &step.what {
        What::Member(id) => Piece::new(format!(
            "{id}: {} → {}",
            role(&step.before),
            role(&step.after)
        )),
        What::More(count) => Piece::new(words.more_members(*count)).muted(),
        What::Voters => figure(words.voters(), &value(&step.before), &value(&step.after)),
        What::Leader => figure(words.leader(), &value(&step.before), &value(&step.after)),
        What::Tolerates => figure(words.tolerates(), &value(&step.before), &value(&step.after)),
    }
}

fn figure(name: &str, before: &str, after: &str) -> Piece {
    Piece::new(format!("{name} {before} → {after}"))
        .sized(7.2)
        .muted()
}

const fn colour(outcome: Outcome) -> Colour {
    match outcome {
        Outcome::Succeeded => OK,
        Outcome::Failed => BAD,
        Outcome::Refused | Outcome::Unknown => WARN,
    }
}

fn ending(words: Words, row: &ChangeRow) -> Cell {
    let Some(ending) = &row.ending else {
        return vec![Piece::new(words.no_outcome()).coloured(WARN)];
    };
    let mut cell = Vec::new();
    if let Some(outcome) = ending.outcome {
        let word = Piece::new(words.ended(outcome)).bold();
        cell.push(word.coloured(colour(outcome)));
    }
    let entry = words.outcome_entry(ending.seq);
    cell.push(Piece::new(entry).sized(7.2).muted());
    // Success needs no words; what else happened does.
    if ending.outcome != Some(Outcome::Succeeded) {
        cell.push(Piece::new(ending.text.clone()).sized(7.2));
    }
    if ending.outside {
        cell.push(Piece::new(words.outside_one()).sized(7.0).coloured(MUTED));
    }
    cell
}

fn others(flow: &mut Flow, (title, about, none): (&str, &str, &str), rows: &[OtherRow], all: u64) {
    let words = flow.words;
    flow.heading(title, 70.0);
    if rows.is_empty() {
        flow.paragraph(&Piece::new(none).sized(9.0).muted());
        flow.space(14.0);
        return;
    }
    if !about.is_empty() {
        flow.paragraph(&Piece::new(about).sized(9.0).muted());
    }
    capped(flow, title, rows.len(), all);
    flow.space(6.0);
    let columns = [
        (words.entry(), 0.13),
        (words.who(), 0.22),
        (words.from(), 0.17),
        (words.what(), 0.48),
    ];
    flow.table(&columns, rows.iter().map(|row| other(words, row)));
}

fn capped(flow: &mut Flow, what: &str, shown: usize, all: u64) {
    if u64::try_from(shown).unwrap_or(u64::MAX) < all {
        let words = flow.words.capped(what, shown, all);
        flow.paragraph(&Piece::new(words).sized(9.0).coloured(WARN));
    }
}

fn other(words: Words, row: &OtherRow) -> Vec<Cell> {
    let place = [&row.member, &row.cluster];
    let place: Vec<&str> = place.into_iter().flatten().map(String::as_str).collect();
    let mut action = words.action(&row.action);
    if !place.is_empty() {
        action = format!("{action} · {}", place.join(" · "));
    }
    let mut what = vec![Piece::new(action).bold(), Piece::new(row.text.clone())];
    if let Some(reason) = &row.reason {
        let reason = words.named(words.reason(), reason);
        what.push(Piece::new(reason).sized(7.2).muted());
    }
    vec![
        entry(row.seq, row.time),
        vec![
            Piece::new(row.who.clone()),
            Piece::new(words.means(row.means)).sized(7.2).muted(),
        ],
        vec![Piece::new(row.from.clone().unwrap_or_else(|| "–".to_owned())).muted()],
        what,
    ]
}
