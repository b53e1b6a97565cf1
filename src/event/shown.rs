//! A text of an event as messages and summaries show it.
//!
//! Texts of events are anybody's: what would move a terminal's cursor or turn the direction of writing is escaped, so is
//! what nobody could see, such as a no-break space in an amount, and what is long is cut.

use std::fmt::{self, Write};

/// Bytes of a text that are shown.
pub const SHOWN_BYTES: usize = 64;

/// Displays a text cut to [`SHOWN_BYTES`] between characters, those escaped that cannot be seen or steer a terminal.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.floor_char_boundary(SHOWN_BYTES)];
        for letter in shown.chars() {
            if is_harmless(letter) {
                out.write_char(letter)?;
            } else {
                write!(out, "\\u{:04x}", u32::from(letter))?;
            }
        }
        if shown.len() < self.0.len() { out.write_char('…') } else { Ok(()) }
    }
}

/// Neither a control character, nor one that sets the direction of writing, nor one that looks like nothing or like a blank.
fn is_harmless(letter: char) -> bool {
    letter == ' ' || !(letter.is_control() || letter.is_whitespace() || is_unseen(letter))
}

/// What Unicode calls ignorable or format characters, and letters that are drawn as nothing.
fn is_unseen(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_move_the_terminal() {
        for (text, shown) in [
            ("Айгүл 77010000001", "Айгүл 77010000001"),
            ("\u{1b}[2J\0\n", "\\u001b[2J\\u0000\\u000a"),
            ("a\u{202e}b\u{2028}", "a\\u202eb\\u2028"),
            ("1\u{a0}000\u{200b}\u{feff}\u{3000}", "1\\u00a0000\\u200b\\ufeff\\u3000"),
            ("a b", "a b"),
            ("", ""),
        ] {
            assert_eq!(Shown(text).to_string(), shown);
        }
        assert_eq!(Shown(&"я".repeat(40)).to_string(), "я".repeat(32) + "…");
    }
}
