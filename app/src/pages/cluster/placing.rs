//! Where cards and links of the graph lie. Pure geometry in CSS pixels: the style sheet gives a
//! card the same size, so links drawn underneath meet the cards laid out above them.

use crate::components::decimal::decimal;

/// A card's size and the room between two cards and two rows; `topology.css` says the same.
pub const CARD_WIDTH: f64 = 172.0;
pub const CARD_HEIGHT: f64 = 68.0;
pub const GAP: f64 = 22.0;
pub const ROW_GAP: f64 = 44.0;
/// Cards in a row; more wrap into further rows.
pub const PER_ROW: usize = 4;

/// How the others stand around the middle: rows above, nearest to the middle last; rows below,
/// nearest first. Each row holds indexes into the list it was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placing {
    pub above: Vec<Vec<usize>>,
    pub below: Vec<Vec<usize>>,
}

impl Placing {
    #[must_use]
    pub fn of(voters: usize, learners: usize) -> Self {
        let mut above = rows(voters);
        above.reverse();
        Self {
            above,
            below: rows(learners),
        }
    }

    #[must_use]
    pub fn width(&self) -> f64 {
        let widest = self
            .above
            .iter()
            .chain(&self.below)
            .map(Vec::len)
            .max()
            .unwrap_or(1)
            .max(1);
        row_width(widest)
    }

    #[must_use]
    pub fn height(&self) -> f64 {
        let rows = self.above.len() + 1 + self.below.len();
        number(rows) * CARD_HEIGHT + number(rows - 1) * ROW_GAP
    }

    /// The links of the voters, then of the learners, each a path from its card to the middle.
    #[must_use]
    pub fn links(&self) -> (Vec<String>, Vec<String>) {
        (self.side(&self.above, true), self.side(&self.below, false))
    }

    fn side(&self, rows: &[Vec<usize>], above: bool) -> Vec<String> {
        let count = rows.iter().map(Vec::len).sum();
        let mut links = vec![String::new(); count];
        for (place, row) in rows.iter().enumerate() {
            // Rows between this one and the middle, the nearest to this one first.
            let between: Vec<&Vec<usize>> = if above {
                rows.iter().skip(place + 1).collect()
            } else {
                rows.iter().take(place).rev().collect()
            };
            for (column, index) in row.iter().enumerate() {
                let path = self.link(column, row.len(), &between, above);
                if let Some(link) = links.get_mut(*index) {
                    *link = path;
                }
            }
        }
        links
    }

    /// From a card through the gaps of the rows between, to the middle card.
    fn link(&self, column: usize, columns: usize, between: &[&Vec<usize>], above: bool) -> String {
        let middle = self.width() / 2.0;
        let pitch = CARD_HEIGHT + ROW_GAP;
        let centre = number(self.above.len()) * pitch + CARD_HEIGHT / 2.0;
        let steps = number(between.len() + 1);
        // Downwards from above, upwards from below.
        let along = if above { 1.0 } else { -1.0 };
        let mut x = self.centre_of(column, columns);
        let mut y = centre - along * (steps * pitch - CARD_HEIGHT / 2.0);
        let mut path = format!("M{} {}", decimal(x), decimal(y));
        for row in between {
            let gap = self.gap_nearest(x, row.len());
            let reached = y + along * ROW_GAP;
            path.push_str(&curve(x, y, gap, reached));
            y = reached + along * CARD_HEIGHT;
            path.push('V');
            path.push_str(&decimal(y));
            x = gap;
        }
        path.push_str(&curve(x, y, middle, y + along * ROW_GAP));
        path
    }

    fn centre_of(&self, column: usize, columns: usize) -> f64 {
        let start = (self.width() - row_width(columns)) / 2.0;
        start + number(column) * (CARD_WIDTH + GAP) + CARD_WIDTH / 2.0
    }

    /// The middle of the free room in a row that is nearest to `x`, of two the inner one; the
    /// room at its ends counts.
    fn gap_nearest(&self, x: f64, columns: usize) -> f64 {
        let middle = self.width() / 2.0;
        let first = (self.width() - row_width(columns)) / 2.0 - GAP / 2.0;
        let gaps = (0..=columns).map(|place| first + number(place) * (CARD_WIDTH + GAP));
        // A pixel's hundredth decides between two that are equally near.
        let distance = |gap: &f64| (gap - x).abs() + (gap - middle).abs() / 10_000.0;
        gaps.min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .unwrap_or(x)
    }
}

fn curve(x: f64, y: f64, to_x: f64, to_y: f64) -> String {
    let half = decimal(f64::midpoint(y, to_y));
    let (x, to_x, to_y) = (decimal(x), decimal(to_x), decimal(to_y));
    format!("C{x} {half} {to_x} {half} {to_x} {to_y}")
}

/// As few rows as needed, as even as possible, the fuller ones first.
fn rows(count: usize) -> Vec<Vec<usize>> {
    let rows = count.div_ceil(PER_ROW);
    let mut placed = Vec::with_capacity(rows);
    let mut next = 0;
    for row in 0..rows {
        let size = count / rows + usize::from(row < count % rows);
        placed.push((next..next + size).collect());
        next += size;
    }
    placed
}

fn row_width(columns: usize) -> f64 {
    number(columns) * CARD_WIDTH + number(columns.saturating_sub(1)) * GAP
}

fn number(value: usize) -> f64 {
    u32::try_from(value).map_or(0.0, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_four_stand_in_one_row_and_more_wrap_evenly() {
        assert_eq!(rows(0), Vec::<Vec<usize>>::new());
        assert_eq!(rows(4), vec![vec![0, 1, 2, 3]]);
        assert_eq!(rows(5), vec![vec![0, 1, 2], vec![3, 4]]);
        assert_eq!(
            rows(9).iter().map(Vec::len).collect::<Vec<_>>(),
            vec![3, 3, 3]
        );
    }

    #[test]
    fn a_link_ends_at_the_edge_of_the_middle_card() {
        let placing = Placing::of(2, 1);
        let (voters, learners) = placing.links();
        // Two voters: 366 wide; the middle card lies from y 112 to 180.
        assert_eq!(voters[0], "M86 68C86 90 183 90 183 112");
        assert_eq!(learners[0], "M183 224C183 202 183 202 183 180");
    }

    #[test]
    fn a_link_from_a_far_row_passes_through_a_gap() {
        let placing = Placing::of(5, 0);
        let (voters, _) = placing.links();
        // Three below, two above: the two stand over the gaps of the three.
        assert_eq!(placing.above, vec![vec![3, 4], vec![0, 1, 2]]);
        assert!(voters[3].contains("V180"), "{}", voters[3]);
        assert!(voters[3].starts_with("M183 68C183"), "{}", voters[3]);
    }

    #[test]
    fn every_member_has_its_link_however_many_there_are() {
        for voters in 0..30 {
            let (links, _) = Placing::of(voters, 0).links();
            assert_eq!(links.len(), voters);
            assert!(links.iter().all(|link| link.starts_with('M')));
        }
    }
}
