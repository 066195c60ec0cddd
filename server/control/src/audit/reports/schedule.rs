//! When a report is due: in UTC, so that no day has 23 hours.

use quorate_domain::moment::Timestamp;

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 86_400_000;

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    Day,
    /// On Mondays.
    Week,
    /// On the first.
    Month,
}

impl Every {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            _ => return None,
        })
    }

    /// The newest time it was due, at or before `now`.
    #[must_use]
    pub fn before(self, minute: u16, now: Timestamp) -> Timestamp {
        let due = |begin: Timestamp| begin.plus_ms(u64::from(minute) * MINUTE_MS);
        let this = due(self.begin(now));
        if this <= now {
            return this;
        }
        due(self.begin(self.begin(now).minus_ms(1)))
    }

    /// The next time it is due, after `now`.
    #[must_use]
    pub fn after(self, minute: u16, now: Timestamp) -> Timestamp {
        let last = self.before(minute, now);
        // Longer than any period, shorter than two.
        let ahead = match self {
            Self::Day => DAY_MS,
            Self::Week => 7 * DAY_MS,
            Self::Month => 31 * DAY_MS,
        };
        let begin = self.begin(self.begin(last).plus_ms(ahead));
        begin.plus_ms(u64::from(minute) * MINUTE_MS)
    }

    /// Midnight of the day, the Monday or the first that `moment` belongs to.
    fn begin(self, moment: Timestamp) -> Timestamp {
        let midnight = midnight(&moment.day());
        match self {
            Self::Day => midnight,
            Self::Week => {
                let days = midnight.since(Timestamp::from_unix_ms(0)) / DAY_MS;
                // The first day of all was a Thursday.
                midnight.minus_ms((days + 3) % 7 * DAY_MS)
            }
            Self::Month => {
                let day = moment.day();
                let month = day
                    .rsplit_once('-')
                    .map_or(day.as_str(), |(month, _)| month);
                self::midnight(&format!("{month}-01"))
            }
        }
    }
}

fn midnight(day: &str) -> Timestamp {
    Timestamp::parse(&format!("{day}T00:00:00Z")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn times_are_those_of_a_calendar() {
        let table = [
            // A Saturday.
            (
                Every::Day,
                "2026-11-21T06:29:59Z",
                "2026-11-20T06:30:00Z",
                "2026-11-21T06:30:00Z",
            ),
            (
                Every::Day,
                "2026-11-21T06:30:00Z",
                "2026-11-21T06:30:00Z",
                "2026-11-22T06:30:00Z",
            ),
            (
                Every::Week,
                "2026-11-21T12:00:00Z",
                "2026-11-16T06:30:00Z",
                "2026-11-23T06:30:00Z",
            ),
            (
                Every::Week,
                "2026-11-23T06:00:00Z",
                "2026-11-16T06:30:00Z",
                "2026-11-23T06:30:00Z",
            ),
            (
                Every::Week,
                "2026-11-23T06:30:00Z",
                "2026-11-23T06:30:00Z",
                "2026-11-30T06:30:00Z",
            ),
            (
                Every::Month,
                "2026-11-21T12:00:00Z",
                "2026-11-01T06:30:00Z",
                "2026-12-01T06:30:00Z",
            ),
            (
                Every::Month,
                "2027-01-01T05:00:00Z",
                "2026-12-01T06:30:00Z",
                "2027-01-01T06:30:00Z",
            ),
            (
                Every::Month,
                "2028-02-29T23:00:00Z",
                "2028-02-01T06:30:00Z",
                "2028-03-01T06:30:00Z",
            ),
            (
                Every::Month,
                "2028-03-01T00:00:00Z",
                "2028-02-01T06:30:00Z",
                "2028-03-01T06:30:00Z",
            ),
        ];
        for (every, now, before, after) in table {
            let at = |text| Timestamp::parse(text).unwrap();
            assert_eq!(every.before(390, at(now)), at(before), "{every:?} {now}");
            assert_eq!(every.after(390, at(now)), at(after), "{every:?} {now}");
        }
    }

    #[test]
    fn the_next_time_is_always_the_one_after_the_last() {
        for every in [Every::Day, Every::Week, Every::Month] {
            let mut now = Timestamp::parse("2026-01-05T03:17:00Z").unwrap();
            for _ in 0..800 {
                let (last, next) = (every.before(1_439, now), every.after(1_439, now));
                assert!(last <= now && now < next, "{every:?} {now}");
                assert_eq!(every.before(1_439, next), next);
                assert_eq!(every.before(1_439, next.minus_ms(1)), last);
                now = now.plus_ms(DAY_MS / 2 + 977);
            }
        }
    }
}
