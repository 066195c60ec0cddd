//! How numbers, durations and ages are written; the same on server and browser, no locale.

/// `1284903` as `1,284,903`.
#[must_use]
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Two units at most: `0.4 s`, `41 s`, `6 min`, `3 h 12 min`, `3 d 4 h`.
#[must_use]
pub fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds < 10 => format!("{seconds}.{} s", milliseconds % 1_000 / 100),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => two(hours, "h", minutes % 60, "min"),
        (_, _, _) => two(days, "d", hours % 24, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    }
}

/// A recorded name apart from the unit it ends with: `age_ms` is an age, in milliseconds.
#[must_use]
pub fn unit(name: &str) -> Option<(&str, &'static str)> {
    let ends = |end| name.strip_suffix(end);
    ends("_ms")
        .map(|name| (name, "ms"))
        .or_else(|| ends("_mb").map(|name| (name, "MB")))
}

/// `0.4 s ago`
#[must_use]
pub fn ago(milliseconds: u64) -> String {
    format!("{} ago", duration(milliseconds))
}

/// For a table: `now` while it is younger than three seconds, else `41 s ago`.
#[must_use]
pub fn seen(milliseconds: u64) -> String {
    if milliseconds < 3_000 {
        "now".to_owned()
    } else {
        ago(milliseconds)
    }
}

/// The same for a member. One that does not answer was not seen now, however short its silence.
#[must_use]
pub fn answered(milliseconds: Option<u64>, answering: bool) -> String {
    match milliseconds {
        Some(age) if answering => seen(age),
        Some(age) => ago(age),
        None => "never".to_owned(),
    }
}

/// `1 learner`, `2 learners`.
#[must_use]
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        self::number(number),
        if number == 1 { one } else { many }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped_by_thousands() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_284_903, "1,284,903"),
        ];
        for (value, written) in cases {
            assert_eq!(number(value), written);
        }
    }

    #[test]
    fn a_duration_has_two_units_at_most() {
        let cases = [
            (0, "0.0 s"),
            (412, "0.4 s"),
            (41_000, "41 s"),
            (360_000, "6 min"),
            (11_520_000, "3 h 12 min"),
            (7_200_000, "2 h"),
            (273_600_000, "3 d 4 h"),
        ];
        for (milliseconds, written) in cases {
            assert_eq!(duration(milliseconds), written);
        }
    }

    #[test]
    fn a_member_that_never_answered_was_never_seen() {
        assert_eq!(answered(None, false), "never");
        assert_eq!(answered(Some(900), false), "0.9 s ago");
        assert_eq!(answered(Some(900), true), "now");
    }

    #[test]
    fn what_was_seen_just_now_is_said_to_be_now() {
        assert_eq!(seen(2_999), "now");
        assert_eq!(seen(3_000), "3.0 s ago");
    }
}
