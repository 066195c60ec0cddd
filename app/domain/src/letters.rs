//! Letters in what others wrote: those that are shown, and those that a page, a terminal or a line of
//! the log would obey.

/// Whether it is a control character, or an invisible one that reorders, joins or parts what stands
/// beside it.
#[must_use]
pub fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::steers;

    #[test]
    fn what_turns_or_hides_writing_steers_and_writing_does_not() {
        for letter in "\u{1b}\u{7f}\u{9b}\n\u{ad}\u{61c}\u{200b}\u{202e}\u{2066}\u{feff}".chars() {
            assert!(steers(letter), "{letter:?}");
        }
        for letter in "a ß\u{301}д中ب…–\u{a0}".chars() {
            assert!(!steers(letter), "{letter:?}");
        }
    }
}
