//! What follows from a controller's version. Pure.

/// A version as controllers write it: `v2.0.3`, `v2.1.0-pre2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    number: (u64, u64, u64),
    pre: Option<u64>,
}

impl Version {
    /// `None` for what is no release: a build of one's own calls itself `v0.0.0`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('v');
        let (number, pre) = match text.split_once('-') {
            Some((number, pre)) => (number, Some(pre)),
            None => (text, None),
        };
        let mut parts = number.splitn(3, '.').map(str::parse::<u64>);
        let number = (
            parts.next()?.ok()?,
            parts.next()?.ok()?,
            parts.next()?.ok()?,
        );
        let pre = pre.map(|pre| {
            let digits: String = pre.chars().filter(char::is_ascii_digit).collect();
            digits.parse().unwrap_or(0)
        });
        (number != (0, 0, 0)).then_some(Self { number, pre })
    }

    /// The paths this driver uses are there since 1.4.
    pub fn is_too_old(self) -> bool {
        (self.number.0, self.number.1) < (1, 4)
    }

    /// Since 2.1.0-pre2 `data-model-index` is the applied index of the Raft log; before that it
    /// is the index of the last write to the stores that routers are told of.
    pub fn tells_applied_index(self) -> bool {
        match self.pre {
            _ if self.number > (2, 1, 0) => true,
            None => self.number == (2, 1, 0),
            Some(pre) => self.number == (2, 1, 0) && pre >= 2,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_meaning_of_the_index_changed_with_the_second_preview_of_2_1() {
        for (text, applied) in [
            ("v1.6.20", false),
            ("v2.0.3", false),
            ("v2.1.0-pre1", false),
            ("v2.1.0-pre2", true),
            ("v2.1.0", true),
            ("2.1.1-pre1", true),
            ("v2.2.0", true),
        ] {
            assert_eq!(
                Version::parse(text).unwrap().tells_applied_index(),
                applied,
                "{text}"
            );
        }
    }

    #[test]
    fn before_1_4_is_too_old_and_a_build_of_ones_own_is_no_version() {
        assert!(Version::parse("v1.3.9").unwrap().is_too_old());
        assert!(!Version::parse("v1.4.0").unwrap().is_too_old());
        assert_eq!(Version::parse("v0.0.0"), None);
        assert_eq!(Version::parse("<not connected>"), None);
    }
}
