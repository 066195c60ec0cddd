//! The order of groups' names as people count: numbers in them by their value.

/// Where a name stands: compared byte by byte it orders numbers by their value. Names that differ
/// in leading zeros alone keep apart by the name itself.
pub(super) type OrderKey = (String, String);

/// `group-2` comes before `group-10`, and both before `group-a`.
pub(super) fn order_key(name: &str) -> OrderKey {
    let mut key = String::with_capacity(name.len() + 4);
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let digits = rest.find(|it: char| !it.is_ascii_digit());
        let (number, tail) = rest.split_at(digits.unwrap_or(rest.len()));
        if number.is_empty() {
            key.push(first);
            rest = tail.strip_prefix(first).unwrap_or_default();
        } else {
            push_number(&mut key, number);
            rest = tail;
        }
    }
    (key, name.to_owned())
}

/// Of two numbers the one of more digits is the larger: its length stands before it, behind a
/// digit, so that numbers stand among other characters where digits do.
fn push_number(key: &mut String, number: &str) {
    let digits = number.trim_start_matches('0');
    let length = u32::try_from(digits.len()).ok().and_then(char::from_u32);
    key.push('0');
    key.push(length.unwrap_or(char::MAX));
    key.push_str(digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_as_people_count() {
        let ordered = [
            "",
            "-1",
            "07",
            "7",
            "10",
            "default",
            "group-",
            "group-0",
            "group-2",
            "group-2-9",
            "group-2-10",
            "group-10",
            "group-18446744073709551616",
            "group-a",
            "groups",
            "größe-3",
        ];
        for pair in ordered.windows(2) {
            let [first, second] = pair else { continue };
            assert!(order_key(first) < order_key(second), "{first} {second}");
        }
    }

    #[test]
    fn no_two_names_stand_at_one_place() {
        assert_ne!(order_key("g-07"), order_key("g-7"));
        assert!(order_key("g-6") < order_key("g-07") && order_key("g-07") < order_key("g-8"));
    }
}
