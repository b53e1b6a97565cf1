//! The words of a condition: CEL's lexical grammar, each word with its place.
//!
//! A word is cut here and read in [`super::literal`]: the digits of a number never pass through a float. What other
//! languages write (`=`, `and`, curly quotes) is named in the advice, because that is what people type.

use super::ConditionError;
use std::ops::Range;

/// One word of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name, a keyword or a reserved word.
    Name,
    Number,
    /// A string literal with its quotes and prefix.
    Text,
    /// Punctuation, as written.
    Mark(&'static str),
    End,
}

#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub kind: Kind,
    pub span: Range<usize>,
}

/// Longest first, so that `<=` is not read as `<`.
const MARKS: [&str; 26] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", "{", "}", ".", ",", "-", "+", "*", "/", "%",
    "?", ":", "@", ";",
];

/// Cuts `source` into words, the last of which is [`Kind::End`].
pub(crate) fn tokens(source: &str) -> Result<Vec<Token>, Vec<ConditionError>> {
    let (mut tokens, mut errors, mut at) = (Vec::new(), Vec::new(), 0);
    loop {
        at += blank(&source[at..]);
        let rest = &source[at..];
        if rest.is_empty() {
            break;
        }
        let (kind, length) = match word(rest) {
            Ok(word) => word,
            Err((length, message, help)) => {
                errors.push(ConditionError::new(at..at + length, message, help));
                at += length;
                continue;
            }
        };
        tokens.push(Token { kind, span: at..at + length });
        at += length;
    }
    tokens.push(Token { kind: Kind::End, span: source.len()..source.len() });
    if errors.is_empty() { Ok(tokens) } else { Err(errors) }
}

/// The length of the blanks and comments at the start of `rest`.
fn blank(rest: &str) -> usize {
    let mut at = 0;
    loop {
        let here = &rest.as_bytes()[at..];
        match here {
            [b' ' | b'\t' | b'\n' | b'\r' | b'\x0C', ..] => at += 1,
            [b'/', b'/', ..] => at += memchr::memchr(b'\n', here).unwrap_or(here.len()),
            _ => return at,
        }
    }
}

/// What is no word: its length, the message and the advice.
type NoWord = (usize, String, &'static str);

/// The first word of `rest`, which is not empty, and its length.
fn word(rest: &str) -> Result<(Kind, usize), NoWord> {
    let bytes = rest.as_bytes();
    if let Some(quote) = quote_at(bytes) {
        return Ok((Kind::Text, text(bytes, quote)?));
    }
    match bytes {
        [first, ..] if is_name_start(*first) => Ok((Kind::Name, count(bytes, is_name_part))),
        [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => Ok((Kind::Number, number(bytes)?)),
        _ => match MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            Some(mark) => Ok((Kind::Mark(mark), mark.len())),
            None => Err(stray(rest)),
        },
    }
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn is_name_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn count(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| belongs(**byte)).count()
}

/// Where the opening quote of a string literal is, when one begins here: after at most an `r` and a `b`.
fn quote_at(bytes: &[u8]) -> Option<usize> {
    let prefix = match bytes {
        [b'r' | b'R', b'b' | b'B', ..] | [b'b' | b'B', b'r' | b'R', ..] => 2,
        [b'r' | b'R' | b'b' | b'B', ..] => 1,
        _ => 0,
    };
    matches!(bytes.get(prefix), Some(b'"' | b'\'')).then_some(prefix)
}

/// The length of a string literal whose opening quote is at `quote`.
fn text(bytes: &[u8], quote: usize) -> Result<usize, NoWord> {
    let mark = bytes[quote];
    let raw = bytes[..quote].iter().any(|byte| byte.eq_ignore_ascii_case(&b'r'));
    let triple = bytes[quote..].starts_with(&[mark; 3]);
    let width = if triple { 3 } else { 1 };
    let mut at = quote + width;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if !raw => at += 2,
            byte if byte == mark && (!triple || bytes[at..].starts_with(&[mark; 3])) => return Ok(at + width),
            b'\n' | b'\r' if !triple => break,
            _ => at += 1,
        }
    }
    // A backslash at the very end steps over it.
    let end = at.min(bytes.len());
    Err((end, "this text is not closed".to_owned(), "end it with the quote that it begins with"))
}

/// The length of a number, which takes every letter and digit that touches it, so that `12abc` is one mistake.
fn number(bytes: &[u8]) -> Result<usize, NoWord> {
    let digits = |from: usize| count(&bytes[from..], |byte| byte.is_ascii_digit());
    let mut at = if bytes.starts_with(b"0x") {
        2 + count(&bytes[2..], |byte| byte.is_ascii_hexdigit())
    } else {
        let mut at = digits(0);
        if bytes.get(at) == Some(&b'.') && digits(at + 1) > 0 {
            at += 1 + digits(at + 1);
        }
        exponent(bytes, at)
    };
    let bad_hex = at == 2 && bytes.starts_with(b"0x");
    let whole = bytes.starts_with(b"0x") || bytes[..at].iter().all(u8::is_ascii_digit);
    if whole && matches!(bytes.get(at), Some(b'u' | b'U')) {
        at += 1;
    }
    let more = count(&bytes[at..], is_name_part);
    if more == 0 && !bad_hex {
        return Ok(at);
    }
    let message = format!("`{}` is not a number", String::from_utf8_lossy(&bytes[..at + more]));
    Err((at + more, message, "write digits, with a point before decimals: 100000 or 0.5; a text stands in quotes"))
}

/// The end of the exponent at `at`, or `at` when there is none.
fn exponent(bytes: &[u8], at: usize) -> usize {
    let sign = match bytes.get(at..) {
        Some([b'e' | b'E', b'+' | b'-', ..]) => 2,
        Some([b'e' | b'E', ..]) => 1,
        _ => return at,
    };
    let digits = count(&bytes[at + sign..], |byte| byte.is_ascii_digit());
    if digits == 0 { at } else { at + sign + digits }
}

/// What begins no word.
fn stray(rest: &str) -> NoWord {
    let first = rest.chars().next().unwrap_or_default();
    let help = match first {
        '=' if rest.starts_with("=>") => "write >=",
        '=' if rest.starts_with("=<") => "write <=",
        '=' => "compare with ==",
        '&' => "\"and\" is &&",
        '|' => "\"or\" is ||",
        '“' | '”' | '„' | '«' | '»' | '‘' | '’' | '`' => "quote texts with \" or '",
        '≤' => "write <=",
        '≥' => "write >=",
        '≠' => "write !=",
        _ => "names are of ASCII letters, digits and _; any other character stands inside quotes",
    };
    let message = format!("`{}` means nothing here", first.escape_debug());
    (first.len_utf8(), message, help)
}
