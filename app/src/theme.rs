//! Light or dark: what was chosen, kept in a cookie so that the server can say it in the first
//! byte of the page and nothing flashes.

use serde::{Deserialize, Serialize};

/// The cookie's name. It holds no secret and is readable by scripts on purpose.
pub const COOKIE: &str = "quorate-theme";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads the theme from a `Cookie` header; the system's when it says nothing sensible.
    #[must_use]
    pub fn from_cookies(header: &str) -> Self {
        let mut pairs = header
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='));
        let value = pairs
            .find(|(name, _)| *name == COOKIE)
            .map(|(_, value)| value);
        Self::ALL
            .into_iter()
            .find(|theme| value == Some(theme.as_str()))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_words_choose_a_theme() {
        assert_eq!(Theme::from_cookies("a=b; quorate-theme=dark"), Theme::Dark);
        assert_eq!(
            Theme::from_cookies("quorate-theme=\"><script>"),
            Theme::System
        );
        assert_eq!(Theme::from_cookies(""), Theme::System);
    }
}
