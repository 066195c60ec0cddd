//! A line of figures over time, small enough for a table row.

use leptos::prelude::*;

use super::{decimal::decimal, tags::Tone};

const WIDTH: f64 = 92.0;
const HEIGHT: f64 = 22.0;
/// Room for the stroke at the edges.
const EDGE: f64 = 2.0;
/// More points than this are drawn no better.
const POINTS: usize = 30;

/// Draws `values`, oldest first; nothing while there are fewer than two. Without a label it only
/// decorates what is said beside it.
#[must_use]
pub fn spark(values: &[u64], tone: Tone, label: Option<String>) -> AnyView {
    if values.len() < 2 {
        return ().into_any();
    }
    let class = format!("spark {}", tone.class());
    let (role, hidden) = if label.is_some() {
        (Some("img"), None)
    } else {
        (None, Some("true"))
    };
    view! {
        <svg class=class viewBox="0 0 92 22" width="92" height="22" role=role aria-label=label aria-hidden=hidden>
            <polyline points=points(values, WIDTH, HEIGHT) fill="none"/>
        </svg>
    }
    .into_any()
}

/// The points of a line through `values` in a box of this size, at most [`POINTS`] of them.
#[must_use]
pub fn points(values: &[u64], width: f64, height: f64) -> String {
    let shown = thinned(values);
    let top = shown.iter().copied().max().unwrap_or(0).max(1);
    let last = shown.len().saturating_sub(1).max(1);
    let mut out = String::new();
    for (place, value) in shown.iter().enumerate() {
        let x = EDGE + share(place, last) * (width - 2.0 * EDGE);
        let y = height - EDGE - ratio(*value, top) * (height - 2.0 * EDGE);
        if place > 0 {
            out.push(' ');
        }
        out.push_str(&format!("{},{}", decimal(x), decimal(y)));
    }
    out
}

/// Each point is the largest of the values it stands for: a peak is never thinned away.
fn thinned(values: &[u64]) -> Vec<u64> {
    let group = values.len().div_ceil(POINTS).max(1);
    values
        .chunks(group)
        .filter_map(|chunk| chunk.iter().copied().max())
        .collect()
}

fn share(place: usize, last: usize) -> f64 {
    let number = |value: usize| u32::try_from(value).map_or(0.0, f64::from);
    number(place) / number(last)
}

/// `value / top` in thousandths: enough for a line 20 px high, and free of casts.
fn ratio(value: u64, top: u64) -> f64 {
    let thousandths = match value.checked_mul(1_000) {
        Some(value) => value / top,
        None => value / (top / 1_000).max(1),
    };
    u32::try_from(thousandths).map_or(1.0, f64::from) / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_line_of_zeros_lies_at_the_bottom() {
        assert_eq!(points(&[0, 0], 92.0, 22.0), "2,20 90,20");
    }

    #[test]
    fn a_single_peak_survives_thinning() {
        let mut values = vec![0; 90];
        values[44] = 7;
        assert_eq!(points(&values, 92.0, 22.0).matches(",2 ").count(), 1);
        assert_eq!(thinned(&values).len(), 30);
    }

    #[test]
    fn the_largest_figures_do_not_overflow() {
        assert_eq!(points(&[u64::MAX, 0], 92.0, 22.0), "2,2 90,20");
    }
}
