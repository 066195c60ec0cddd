//! Points in time, as the console stores and shows them: milliseconds since the epoch, UTC.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A wall-clock moment in milliseconds since the Unix epoch.
///
/// On the wire it is RFC 3339 in UTC with three decimals: `2026-11-21T14:02:52.412Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    #[must_use]
    pub const fn from_unix_ms(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    #[must_use]
    pub const fn unix_ms(self) -> i64 {
        self.0
    }

    /// Milliseconds from `earlier` to this moment; 0 when `earlier` lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    #[must_use]
    pub fn plus_ms(self, milliseconds: u64) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(milliseconds).unwrap_or(i64::MAX)),
        )
    }

    #[must_use]
    pub fn minus_ms(self, milliseconds: u64) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(milliseconds).unwrap_or(i64::MAX)),
        )
    }

    /// Parses RFC 3339 with any offset; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(moment.unix_timestamp_nanos() / 1_000_000)
            .ok()
            .map(Self)
    }

    /// `14:02:52`, UTC.
    #[must_use]
    pub fn clock(self) -> String {
        let (_, hour, minute, second, _) = self.parts();
        format!("{hour:02}:{minute:02}:{second:02}")
    }

    /// `2026-11-21`, UTC.
    #[must_use]
    pub fn day(self) -> String {
        self.parts().0
    }

    /// `2026-11-21 14:02:52 UTC`
    #[must_use]
    pub fn in_words(self) -> String {
        format!("{} {} UTC", self.day(), self.clock())
    }

    fn parts(self) -> (String, u8, u8, u8, u16) {
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let day = format!(
            "{:04}-{:02}-{:02}",
            moment.year(),
            u8::from(moment.month()),
            moment.day()
        );
        (
            day,
            moment.hour(),
            moment.minute(),
            moment.second(),
            moment.millisecond(),
        )
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (day, hour, minute, second, millisecond) = self.parts();
        write!(
            f,
            "{day}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z"
        )
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("a time must be RFC 3339"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_back_what_it_wrote() {
        let moment = Timestamp::from_unix_ms(1_795_270_972_412);
        assert_eq!(moment.to_string(), "2026-11-21T14:22:52.412Z");
        assert_eq!(Timestamp::parse(&moment.to_string()), Some(moment));
    }

    #[test]
    fn an_offset_is_folded_into_utc() {
        assert_eq!(
            Timestamp::parse("2026-11-21T15:22:52.412+01:00"),
            Timestamp::parse("2026-11-21T14:22:52.412Z")
        );
    }
}
