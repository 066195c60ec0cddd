//! How many failures were tolerated over the last day, or since the cluster is watched, as a
//! step line.

use leptos::prelude::*;
use quorate_domain::moment::Timestamp;

use super::seen::Seen;
use crate::{
    components::{decimal::decimal, panel::Panel},
    live::use_live,
    words::cluster as say,
};

const WIDTH: f64 = 288.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 58.0;
const DAY_MS: u64 = 86_400_000;
const MINUTE_MS: u64 = 60_000;
const REDRAWN_MS: i64 = 10_000;

#[component]
pub fn Tolerance(seen: Seen) -> impl IntoView {
    let now = use_live().now;
    // Drawn anew as often as a line of an hour moves by a pixel.
    let moment = memo(move || now.get().unix_ms() / REDRAWN_MS);
    let history = memo(move || seen.read(|view| view.tolerance_history.clone()));
    let at = move || Timestamp::from_unix_ms(moment.get().saturating_mul(REDRAWN_MS));
    let drawn = move || history.with(|history| draw(history, at()));
    let since = move || {
        let known = history.with(|history| begin(history, at()));
        match known > at().minus_ms(DAY_MS) {
            true => say::tolerates_since(&known.clock()),
            false => say::TOLERATES.to_owned(),
        }
    };
    let aside = view! { <span class="panel-aside">{move || since()}</span> }.into_any();
    view! {
        <Panel id="tolerance" title=say::TOLERANCE_24_H aside>
            <div class="panel-body">{anew(drawn)}</div>
        </Panel>
    }
    .into_any()
}

fn draw(history: &[(Timestamp, i64)], now: Timestamp) -> AnyView {
    let Some(line) = StepLine::of(history, now) else {
        return view! { <p class="history-none">{say::NOT_YET_SEEN}</p> }.into_any();
    };
    let (least, most) = (line.least, line.most);
    let lower = (least != most).then(|| {
        view! { <text class="steps-text" x="0" y=decimal(BOTTOM - 4.0)>{say::failures(least)}</text> }
    });
    view! {
        <svg class="steps" viewBox="0 0 288 72" role="img" aria-label=say::tolerance_label(least, most, line.now)>
            <text class="steps-text" x="0" y="12">{say::failures(most)}</text>
            {lower}
            <path class="steps-line" d=line.path/>
            <path class="steps-floor" d="M0 70H288"/>
        </svg>
    }
    .into_any()
}

/// Where the line begins: a day ago, or where knowledge begins.
fn begin(history: &[(Timestamp, i64)], now: Timestamp) -> Timestamp {
    let day = now.minus_ms(DAY_MS);
    history.first().map_or(day, |(known, _)| day.max(*known))
}

/// The line's path and the values it passes.
struct StepLine {
    path: String,
    least: i64,
    most: i64,
    now: i64,
}

impl StepLine {
    /// `None` while nothing is known.
    fn of(history: &[(Timestamp, i64)], now: Timestamp) -> Option<Self> {
        let now = history.last().map_or(now, |(at, _)| now.max(*at));
        let begin = begin(history, now);
        let span = now.since(begin).max(MINUTE_MS);
        let last = history.last()?.1;
        // What held when the day began is the newest entry from before it.
        let before = history.iter().rposition(|(at, _)| *at < begin).unwrap_or(0);
        let shown = history.get(before..)?;
        let least = shown.iter().map(|(_, value)| *value).min()?;
        let most = shown.iter().map(|(_, value)| *value).max()?;
        let mut path = String::new();
        for (at, value) in shown {
            let x = decimal(across(at.since(begin), span));
            let y = decimal(height(*value, least, most));
            let step = if path.is_empty() {
                format!("M{x} {y}")
            } else {
                format!("H{x}V{y}")
            };
            path.push_str(&step);
        }
        path.push_str(&format!("H{}", decimal(across(now.since(begin), span))));
        Some(Self {
            path,
            least,
            most,
            now: last,
        })
    }
}

fn across(milliseconds: u64, span: u64) -> f64 {
    let seconds = |ms: u64| f64::from(u32::try_from(ms / 1_000).unwrap_or(u32::MAX));
    seconds(milliseconds.min(span)) / seconds(span) * WIDTH
}

fn height(value: i64, least: i64, most: i64) -> f64 {
    let from = |value: i64| i32::try_from(value).map_or(0.0, f64::from);
    if least == most {
        return TOP;
    }
    BOTTOM - (from(value) - from(least)) / (from(most) - from(least)) * (BOTTOM - TOP)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn at(hours: u64) -> Timestamp {
        Timestamp::from_unix_ms(0).plus_ms(hours * 3_600_000)
    }

    #[test]
    fn a_line_begins_where_knowledge_begins_and_ends_now() {
        let line = StepLine::of(&[(at(36), 2), (at(42), 1)], at(48)).unwrap();
        assert_eq!(line.path, "M0 22H144V58H288");
        assert_eq!((line.least, line.most, line.now), (1, 2, 1));
    }

    #[test]
    fn what_held_before_the_day_began_holds_from_its_beginning() {
        let line = StepLine::of(&[(at(1), 2), (at(2), 1), (at(36), 2)], at(48)).unwrap();
        assert_eq!(line.path, "M0 58H144V22H288");
    }

    #[test]
    fn nothing_known_draws_nothing() {
        assert!(StepLine::of(&[], at(48)).is_none());
    }
}
