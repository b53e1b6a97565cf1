//! A text of an event as messages and summaries show it.
//!
//! Texts of events are anybody's: what would move a terminal's cursor or turn the direction of writing is escaped,
//! and what is long is cut.

use std::fmt::{self, Write};

/// Bytes of a text that are shown.
pub const SHOWN_BYTES: usize = 64;

/// Displays a text cut to [`SHOWN_BYTES`] between characters, control and direction characters escaped.
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

/// Neither a control character nor one that ends a line or sets the direction of writing.
fn is_harmless(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
            ("", ""),
        ] {
            assert_eq!(Shown(text).to_string(), shown);
        }
        assert_eq!(Shown(&"я".repeat(40)).to_string(), "я".repeat(32) + "…");
    }
}
