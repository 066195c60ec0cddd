//! Figures: how many entries of each kind, outcome, person and cluster.

use quorate_domain::audit::{EntryKind, Outcome};

use crate::{
    Gathering,
    flow::{Flow, Piece},
    sheet::{ACCENT_SOFT, BAD, Colour, INK, MARGIN, MEASURE, MUTED, OK, WARN},
    words::number,
};

/// Persons, and clusters, that are named.
const NAMED_MOST: usize = 14;
const GAP: f32 = 28.0;
const ROW: f32 = 15.5;

/// A name, its colour, its count.
type Bar = (String, Colour, u64);

pub fn write(flow: &mut Flow, gathering: &Gathering) {
    let words = flow.words;
    flow.turn();
    flow.heading(words.summary(), 200.0);
    let kinds = EntryKind::ALL.into_iter().zip(gathering.kinds);
    let kinds: Vec<Bar> = kinds
        .map(|(kind, count)| (words.kind(kind).to_owned(), INK, count))
        .collect();
    let outcomes = [
        (Outcome::Succeeded, OK),
        (Outcome::Failed, BAD),
        (Outcome::Refused, WARN),
        (Outcome::Unknown, WARN),
    ];
    let mut outcomes: Vec<Bar> = outcomes
        .into_iter()
        .zip(gathering.outcomes)
        .map(|((outcome, colour), count)| (words.ended(outcome).to_owned(), colour, count))
        .collect();
    if gathering.open > 0 {
        outcomes.push((words.no_outcome().to_owned(), MUTED, gathering.open));
    }
    let named = |(some, others): (Vec<(&str, u64)>, u64)| {
        let mut bars: Vec<Bar> = some
            .into_iter()
            .map(|(name, count)| (name.to_owned(), INK, count))
            .collect();
        if others > 0 {
            bars.push((words.others().to_owned(), MUTED, others));
        }
        bars
    };
    beside(
        flow,
        (words.by_kind(), "", &kinds),
        (words.by_outcome(), words.outcomes_note(), &outcomes),
    );
    beside(
        flow,
        (
            words.by_person(),
            words.persons_note(),
            &named(gathering.persons.ranked(NAMED_MOST)),
        ),
        (
            words.by_cluster(),
            "",
            &named(gathering.clusters.ranked(NAMED_MOST)),
        ),
    );
}

/// Two lists of bars next to each other.
fn beside(flow: &mut Flow, left: (&str, &str, &[Bar]), right: (&str, &str, &[Bar])) {
    let width = (MEASURE - GAP) / 2.0;
    flow.space(10.0);
    let top = flow.y;
    bars(flow, MARGIN, width, left);
    let left_end = flow.y;
    flow.y = top;
    bars(flow, MARGIN + width + GAP, width, right);
    flow.y = flow.y.max(left_end);
}

fn bars(flow: &mut Flow, x: f32, width: f32, (title, note, bars): (&str, &str, &[Bar])) {
    flow.paragraph_in(x, width, &Piece::new(title).bold().sized(9.5));
    flow.space(4.0);
    let most = bars.iter().map(|(_, _, count)| *count).max().unwrap_or(0);
    if bars.is_empty() {
        let none = flow.words.none();
        flow.paragraph_in(x, width, &Piece::new(none).sized(8.5).muted());
    }
    for (name, colour, count) in bars {
        let top = flow.y;
        if let Some(sheet) = flow.sheet() {
            let length = width * part(*count, most);
            sheet.ground(x, top, length, ROW - 3.0, ACCENT_SOFT);
        }
        let name = Piece::new(name.clone()).sized(8.5).coloured(*colour);
        let page = flow.pages().saturating_sub(1);
        if let Some(line) = flow.lines(&name, width - 60.0, 1).first().cloned()
            && let Some(sheet) = flow.sheet()
        {
            sheet.text(x + 5.0, top + 9.4, &line, name.size, name.colour);
        }
        let count = Piece::new(number(*count)).bold().sized(8.5);
        flow.place(page, x + width - 5.0, top + 9.4, &count, true);
        flow.y = top + ROW;
    }
    if !note.is_empty() {
        flow.space(2.0);
        flow.paragraph_in(x, width, &Piece::new(note).sized(7.2).muted());
    }
    flow.space(8.0);
}

/// In thousandths, so that no rounding differs between machines.
fn part(count: u64, most: u64) -> f32 {
    let thousandths = count.saturating_mul(1000).checked_div(most).unwrap_or(0);
    f32::from(u16::try_from(thousandths).unwrap_or(1000)) / 1000.0
}
