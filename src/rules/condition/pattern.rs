//! Patterns of `matches`: RE2, as CEL has it, in the words of the crate that runs them.
//!
//! The crate knows RE2's syntax, but gives `\d`, `\w`, `\s` and `\b` their Unicode meaning, under which a wallet of
//! Arabic digits would pass for a number, and reads sets within sets, which RE2 does not have. So a pattern is written
//! anew before it is compiled; `\pL`, `(?i)` and the rest keep their meaning, which is Unicode's in both. It searches
//! bytes because the crate allows RE2's `\B` only there; `.` is still a whole character.

use crate::limits;
use regex::bytes::{Regex, RegexBuilder};

/// Compiles a pattern within the bounds of [`limits`].
pub(crate) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&rewritten(pattern)).size_limit(limits::PATTERN_BYTES).nest_limit(limits::PATTERN_DEPTH).build()
}

/// The pattern with RE2's meaning spelled out.
fn rewritten(pattern: &str) -> String {
    let mut writer = Writer { rest: pattern, out: String::with_capacity(pattern.len() * 2) };
    while let Some(next) = writer.rest.chars().next() {
        match (next, writer.escaped()) {
            (_, Some('b')) => writer.replace(2, "(?-u:\\b)"),
            (_, Some('B')) => writer.replace(2, "(?-u:\\B)"),
            (_, Some(letter)) => match class(letter) {
                Some(class) => writer.replace(2, class),
                None => writer.copy(1 + letter.len_utf8()),
            },
            ('[', None) => writer.set(),
            _ => writer.copy(next.len_utf8()),
        }
    }
    writer.out
}

/// A Perl class in ASCII, as a set.
fn class(letter: char) -> Option<&'static str> {
    Some(match letter {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        's' => "[\\t\\n\\f\\r ]",
        'S' => "[^\\t\\n\\f\\r ]",
        _ => return None,
    })
}

struct Writer<'p> {
    rest: &'p str,
    out: String,
}

impl Writer<'_> {
    /// The character after the backslash that stands here.
    fn escaped(&self) -> Option<char> {
        self.rest.strip_prefix('\\')?.chars().next()
    }

    fn copy(&mut self, length: usize) {
        let (copied, rest) = self.rest.split_at(length);
        self.out.push_str(copied);
        self.rest = rest;
    }

    fn replace(&mut self, length: usize, with: &str) {
        self.rest = &self.rest[length..];
        self.out.push_str(with);
    }

    /// Writes a set in square brackets. What only the other crate reads as an operator is escaped in it.
    fn set(&mut self) {
        self.copy(1);
        if self.rest.starts_with('^') {
            self.copy(1);
        }
        let mut first = true;
        while let Some(next) = self.rest.chars().next() {
            match next {
                ']' if !first => return self.copy(1),
                '[' if self.rest.starts_with("[:") && self.rest.contains(":]") => {
                    let end = self.rest.find(":]").expect("it was found just now");
                    self.copy(end + 2);
                }
                _ => match self.escaped().and_then(class) {
                    Some(class) => self.replace(2, class),
                    None => self.range(),
                },
            }
            first = false;
        }
    }

    /// Writes a member of a set, and the other end where it begins a range. A class is no end, which is left to be
    /// refused by the crate.
    fn range(&mut self) {
        self.member();
        let mut after = self.rest.chars();
        if after.next() == Some('-') && after.next().is_some_and(|end| end != ']') {
            self.copy(1);
            self.member();
        }
    }

    fn member(&mut self) {
        match (self.rest.chars().next(), self.escaped()) {
            (_, Some('x' | 'p' | 'P')) if self.rest[2..].starts_with('{') => {
                let end = self.rest.find('}').map_or(self.rest.len(), |end| end + 1);
                self.copy(end);
            }
            (_, Some(letter)) => self.copy(1 + letter.len_utf8()),
            (Some(operator @ ('[' | ']' | '&' | '~' | '-')), None) => {
                self.out.push('\\');
                self.copy(operator.len_utf8());
            }
            (Some(other), None) => self.copy(other.len_utf8()),
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_ascii_and_sets_do_not_nest() {
        for (pattern, expected) in [
            (r"^\d+$", "^[0-9]+$"),
            (r"\\d\\\d", r"\\d\\[0-9]"),
            (r"\bno\B", r"(?-u:\b)no(?-u:\B)"),
            (r"[\d\-x]", r"[[0-9]\-x]"),
            (r"[^\W\s]", r"[^[^0-9A-Za-z_][\t\n\f\r ]]"),
            (r"[]\d]", r"[\][0-9]]"),
            (r"[[:alpha:]\w-z]", r"[[:alpha:][0-9A-Za-z_]\-z]"),
            (r"[a[b]", r"[a\[b]"),
            (r"[a&&b~~c--]", r"[a\&\&b\~\~c-\-]"),
            (r"[!-\d]", r"[!-\d]"),
            (r"[\x{41}-\x{5A}\p{L}]", r"[\x{41}-\x{5A}\p{L}]"),
            (r"[a\]\d]\d", r"[a\][0-9]][0-9]"),
            (r"(?i)казино|\pL", r"(?i)казино|\pL"),
            (r"[\", r"[\"),
            ("[", "["),
            (r"\", r"\"),
        ] {
            assert_eq!(rewritten(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn patterns_mean_what_re2_means() {
        for (pattern, text, expected) in [
            (r"\d", "٣", false),
            (r"\d", "3", true),
            (r"[\d]", "٣", false),
            (r"^\D$", "٣", true),
            (r"^[^\d]$", "٣", true),
            (r"\w", "я", false),
            (r"^\W+$", "яж", true),
            (r"^[\W]$", "я", true),
            (r"\s", "\u{a0}", false),
            (r"\s", "\u{b}", false),
            (r"\S", " ", false),
            (r"\bказино\b", "казино", false),
            (r"\bab\b", "яabя", true),
            (r"а\Bб", "аб", true),
            (r"a\Bb", "ab", true),
            (r"a\B", "a", false),
            (r"^.$", "я", true),
            (r"^\pL$", "я", true),
            (r"(?i)КАЗИНО", "казино", true),
            (r"[[:alpha:]]", "я", false),
            (r"^[[:alpha:]я]$", "я", true),
            (r"^[a[b]$", "[", true),
            (r"^[a&&b]$", "&", true),
            (r"^[]a]$", "]", true),
            (r"^[^]a]$", "b", true),
            (r"^[\w-]+$", "a-b", true),
            (r"^[0-9-]+$", "1-2", true),
        ] {
            let found = compile(pattern).expect("a right pattern").is_match(text.as_bytes());
            assert_eq!(found, expected, "{pattern} in {text}");
        }
        for pattern in [r"[!-\d]", r"[a-\w]", r"[z-a]", "[", r"\", r"(?=a)"] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }
}
