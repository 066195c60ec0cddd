//! Numbers, durations and lists as people read them.

/// `1,284,903`
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A length of time in its two largest units: `0.4 s`, `41 s`, `2 min 5 s`, `3 d 4 h`.
#[must_use]
pub fn duration(milliseconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    if milliseconds < 10_000 {
        let tenths = milliseconds / 100;
        return match tenths % 10 {
            0 => format!("{} s", tenths / 10),
            rest => format!("{}.{rest} s", tenths / 10),
        };
    }
    let mut seconds = milliseconds / 1_000;
    let mut parts = Vec::new();
    for (length, unit) in UNITS {
        let whole = seconds / length;
        seconds %= length;
        if whole > 0 {
            parts.push(format!("{whole} {unit}"));
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    parts.join(" ")
}

/// How old a figure is: `now` below a second and a half, else `41 s ago`.
#[must_use]
pub fn ago(milliseconds: u64) -> String {
    if milliseconds < 1_500 {
        "now".to_owned()
    } else {
        format!("{} ago", duration(milliseconds))
    }
}

/// Small numbers as words, larger ones as digits.
#[must_use]
pub fn number(count: u64) -> String {
    const WORDS: [&str; 10] = [
        "none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    ];
    usize::try_from(count)
        .ok()
        .and_then(|place| WORDS.get(place))
        .map_or_else(|| grouped(count), |word| (*word).to_owned())
}

/// `1 entry`, `14 entries`, `1,870 entries`
#[must_use]
pub fn entries(count: u64) -> String {
    if count == 1 {
        "1 entry".to_owned()
    } else {
        format!("{} entries", grouped(count))
    }
}

/// `n1`, `n1 and n2`, `n1, n2 and n3`
#[must_use]
pub fn listed<T: AsRef<str>>(items: &[T]) -> String {
    joined(items, "and")
}

pub(super) fn alternatives<T: AsRef<str>>(items: &[T]) -> String {
    joined(items, "or")
}

fn joined<T: AsRef<str>>(items: &[T], word: &str) -> String {
    match items {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} {word} {}", first.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let table = [
            (0, "0"),
            (7, "7"),
            (999, "999"),
            (1_000, "1,000"),
            (1_284_903, "1,284,903"),
        ];
        for (value, text) in table {
            assert_eq!(grouped(value), text);
        }
    }

    #[test]
    fn durations_show_their_two_largest_units() {
        let table = [
            (0, "0 s"),
            (412, "0.4 s"),
            (1_000, "1 s"),
            (9_950, "9.9 s"),
            (41_300, "41 s"),
            (60_000, "1 min"),
            (125_000, "2 min 5 s"),
            (3_600_000, "1 h"),
            (3_605_000, "1 h"),
            (86_400_000, "1 d"),
            (273_600_000, "3 d 4 h"),
        ];
        for (value, text) in table {
            assert_eq!(duration(value), text);
        }
    }

    #[test]
    fn lists_read_as_they_are_spoken() {
        assert_eq!(listed::<&str>(&[]), "");
        assert_eq!(listed(&["n1"]), "n1");
        assert_eq!(listed(&["n1", "n2"]), "n1 and n2");
        assert_eq!(listed(&["n1", "n2", "n3"]), "n1, n2 and n3");
    }

    #[test]
    fn ages_below_a_moment_are_now() {
        assert_eq!(ago(412), "now");
        assert_eq!(ago(41_000), "41 s ago");
    }

    #[test]
    fn small_numbers_are_words() {
        assert_eq!(
            (number(0), number(1), number(12)),
            ("none".into(), "one".into(), "12".into())
        );
    }
}
