//! The first page: which log, which entries, what was left out and why.

use quorate_domain::audit::Filter;

use crate::{
    About, Gathering,
    flow::{Flow, Piece},
    sheet::{ACCENT, MARGIN, MEASURE, PAPER},
    words::{Words, number},
};

pub fn write(flow: &mut Flow, gathering: &Gathering, about: &About<'_>) {
    let words = flow.words;
    flow.turn();
    let title = words.title();
    flow.mark(title);
    head(flow, about);
    let checkpoint = about.checkpoint();
    let sentence = match (about.removed, gathering.left_out) {
        (1.., 0) => words.sentence_of_rest(about.removed + 1, checkpoint.size),
        _ => words.sentence(gathering.shown, checkpoint.size),
    };
    flow.paragraph(&Piece::new(sentence).sized(12.5));
    flow.space(22.0);
    facts(flow, gathering, about);
    flow.space(16.0);
    completeness(flow, gathering, about);
}

fn head(flow: &mut Flow, about: &About<'_>) {
    let words = flow.words;
    let page = flow.pages().saturating_sub(1);
    if let Some(sheet) = flow.sheet() {
        sheet.ring(MARGIN + 11.0, 76.0, 10.0, ACCENT);
    }
    let brand = Piece::new("Quorate").bold().sized(13.0);
    flow.place(page, MARGIN + 31.0, 80.5, &brand, false);
    flow.y = 156.0;
    flow.paragraph(&Piece::new(words.title()).bold().sized(28.0));
    flow.space(2.0);
    let origin = Piece::new(about.checkpoint().origin.clone());
    flow.paragraph(&origin.sized(12.5).muted());
    flow.space(14.0);
}

fn facts(flow: &mut Flow, gathering: &Gathering, about: &About<'_>) {
    let words = flow.words;
    let checkpoint = about.checkpoint();
    let value = |text: String| Piece::new(text).sized(9.5);
    let mut entries = vec![value(words.entries_of(gathering.shown, checkpoint.size))];
    let mut period = Vec::new();
    if let (Some((first, from)), Some((last, to))) = (gathering.first, gathering.last) {
        entries.push(value(words.entries_from_to(first, last)).muted());
        period.push(value(words.time_from_to(&from.in_words(), &to.in_words())));
    } else {
        period.push(value(words.none().to_owned()));
    }
    period.push(value(words.times_utc().to_owned()).muted());
    let mut conditions: Vec<Piece> = in_words(words, about.filter)
        .into_iter()
        .map(value)
        .collect();
    if about.conditions != "{}" {
        conditions.push(Piece::new(about.conditions).sized(8.0).mono().muted());
    }
    let signers: Vec<Piece> = about
        .signed
        .note
        .named()
        .map(|id| value(id.to_string()).mono())
        .collect();
    flow.facts(&[
        (words.entries(), entries),
        (words.period(), period),
        (words.conditions(), conditions),
        (words.tree_size(), vec![value(number(checkpoint.size))]),
        (
            words.root(),
            vec![value(checkpoint.root.to_string()).mono()],
        ),
        (words.signed_by(), signers),
    ]);
}

/// The conditions as a person says them.
pub fn in_words(words: Words, filter: &Filter) -> Vec<String> {
    let mut all = Vec::new();
    all.extend(filter.from.map(|it| words.since_time(&it.in_words())));
    all.extend(filter.to.map(|it| words.before_time(&it.in_words())));
    for (name, value) in [
        (words.cluster(), &filter.cluster),
        (words.person(), &filter.actor),
        (words.change_id(), &filter.change),
    ] {
        all.extend(value.as_ref().map(|value| words.named(name, value)));
    }
    if !filter.kinds.is_empty() {
        let kinds: Vec<&str> = filter.kinds.iter().map(|it| words.kind(*it)).collect();
        all.push(words.named(words.kinds(), &kinds.join(", ")));
    }
    if let Some(outcome) = filter.outcome {
        all.push(words.named(words.outcome(), words.ended(outcome)));
    }
    if all.is_empty() {
        all.push(words.no_conditions().to_owned());
    }
    all
}

/// On a ground of its own, because everything else depends on it.
fn completeness(flow: &mut Flow, gathering: &Gathering, about: &About<'_>) {
    const SIDE: f32 = 14.0;
    let words = flow.words;
    let title = Piece::new(words.completeness()).bold().sized(9.5);
    let statements: Vec<Piece> = statements(words, gathering, about, flow.faces.uncovered)
        .into_iter()
        .map(|text| Piece::new(text).sized(8.8))
        .collect();
    let width = MEASURE - 2.0 * SIDE;
    let mut height = 2.0 * SIDE + title.size * 1.38 + 4.0;
    for piece in &statements {
        let lines = flow.lines(piece, width, usize::MAX).len();
        let lines = f32::from(u16::try_from(lines).unwrap_or(u16::MAX));
        height += lines * piece.size * 1.38 + 4.0;
    }
    flow.need(height);
    let top = flow.y;
    if let Some(sheet) = flow.sheet() {
        sheet.ground(MARGIN, top, MEASURE, height, PAPER);
        sheet.ground(MARGIN, top, 2.2, height, ACCENT);
    }
    flow.space(SIDE);
    flow.paragraph_in(MARGIN + SIDE, width, &title);
    flow.space(4.0);
    for piece in &statements {
        flow.paragraph_in(MARGIN + SIDE, width, piece);
        flow.space(4.0);
    }
    flow.y = top + height + 12.0;
}

/// What was looked at and what is missing, each with its reason.
pub fn statements(
    words: Words,
    gathering: &Gathering,
    about: &About<'_>,
    uncovered: u64,
) -> Vec<String> {
    let size = about.checkpoint().size;
    let mut all = Vec::new();
    if about.removed > 0 {
        all.push(words.removed(about.removed));
    }
    let first = about.removed + 1;
    match gathering.left_out {
        0 => all.push(words.all_are_here(first, size)),
        some => all.push(words.left_out(first, size, some)),
    }
    if about.filter.cluster.is_some() {
        all.push(words.without_cluster().to_owned());
    }
    all.push(words.after_it(size));
    if gathering.outside > 0 {
        all.push(words.outside(gathering.outside));
    }
    for (what, shown, of) in [
        (
            words.changes(),
            gathering.changes.len(),
            gathering.changes_all,
        ),
        (
            words.refusals(),
            gathering.refusals.len(),
            gathering.refusals_all,
        ),
        (
            words.sign_ins(),
            gathering.sign_ins.len(),
            gathering.sign_ins_all,
        ),
    ] {
        if u64::try_from(shown).unwrap_or(u64::MAX) < of {
            all.push(words.capped(what, shown, of));
        }
    }
    let [_, _, _, access, console] = gathering.kinds;
    let counted = (access + console).saturating_sub(gathering.sign_ins_all);
    if counted > 0 {
        all.push(words.counted_only(counted));
    }
    if gathering.cut > 0 {
        all.push(words.cut(gathering.cut));
    }
    if uncovered > 0 {
        all.push(words.uncovered(uncovered));
    }
    all.push(words.the_record().to_owned());
    all
}
