//! What is said of a text that is not TOML: in plain words, at one place a line, with what to write instead.
//!
//! The TOML parser goes on after an error and speaks of its grammar. Here the errors that follow from another are
//! dropped, and each that people make is told in terms of what they wanted to write.

use super::shape;
use crate::{limits, rules::diagnostic::Diagnostic};
use std::ops::Range;

/// What is said of a file that was never meant to be TOML.
pub fn another_language(source: usize, text: &str) -> Option<Diagnostic> {
    let content = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    let language = match content.as_bytes() {
        [b'{', ..] => "JSON",
        [b'-', b'-', b'-', ..] => "YAML",
        _ => return None,
    };
    let start = text.len() - content.len();
    let error = Diagnostic::error(format!("this is {language}, and a pack is TOML"));
    Some(
        error
            .at(source, start..start + 1, "")
            .help("write `name = \"my-rules\"`, then `[[rule]]` and its keys below it"),
    )
}

/// Whether a syntax error makes everything after it unreadable.
pub fn swallows(message: &str) -> bool {
    message.starts_with("unclosed") || message.contains("recurs") || message.starts_with("invalid multi-line")
}

/// Whether a syntax error takes nothing with it but a value within a rule, where nothing is declared.
pub fn spares_names(text: &str, error: &toml::de::Error) -> bool {
    let message = error.message();
    let within_a_line = message.starts_with("string values must be quoted")
        || message.starts_with("key with no value")
        || message.starts_with("invalid basic string, expected `\"`")
        || message.starts_with("invalid literal string, expected `'`");
    let line = line_of(text, error.span().map_or(0, |span| span.start));
    let before = text[..line.start].rfind("\n[").map_or("", |at| &text[at + 1..line.start]);
    within_a_line && !text[line.start..].starts_with('[') && before.starts_with("[[rule")
}

/// The syntax errors that mean something: one a line, and only the first where a bracket is never closed.
pub fn told(source: usize, text: &str, errors: &[toml::de::Error]) -> Vec<Diagnostic> {
    let mut errors: Vec<(Range<usize>, &str)> =
        errors.iter().map(|error| (error.span().unwrap_or(0..0), error.message())).collect();
    errors.sort_by_key(|(span, _)| span.start);
    if errors.iter().any(|(_, message)| swallows(message)) {
        errors.truncate(1);
    }
    let mut line = 0..0;
    let mut header = None;
    let mut twice = None;
    let mut kept = Vec::new();
    for (span, message) in errors {
        if line.contains(&span.start) {
            continue;
        }
        let passed = line.end.min(text.len()).saturating_sub(1);
        line = line_of(text, span.start);
        header =
            text[text.floor_char_boundary(passed)..line.start].rfind("\n[").map_or(header, |at| Some(passed + at + 1));
        // Of a table that stands twice the header is the fault, not each key.
        let duplicate = message.starts_with("duplicate key");
        let is_header = text[line.start..].starts_with('[');
        if duplicate && !is_header && header.is_some() && header == twice {
            continue;
        }
        if is_header {
            header = Some(line.start);
            twice = header.filter(|_| duplicate);
        }
        let written = text[line.start..line.end.min(text.len())].trim_end();
        let (message, help) = plainly(message, text.get(span.clone()).unwrap_or_default(), written);
        kept.push(Diagnostic::error(format!("this is not TOML: {message}")).at(source, span, "").help(help));
        if kept.len() == limits::SYNTAX_ERRORS {
            break;
        }
    }
    kept
}

/// The line that holds the byte at `at`, its end included.
pub fn line_of(text: &str, at: usize) -> Range<usize> {
    let at = text.floor_char_boundary(at);
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = text[at..].find('\n').map_or(text.len() + 1, |end| at + end + 1);
    start..end
}

/// A syntax error in plain words, and what to write instead. `at_fault` is the text that it points at.
fn plainly(message: &str, at_fault: &str, line: &str) -> (String, String) {
    if let Some(told) = habit(at_fault, line).filter(|_| !message.contains("string, expected")) {
        return told;
    }
    if message.starts_with("string values must be quoted") && !at_fault.is_empty() {
        return ("a string needs quotes".to_owned(), unquoted(at_fault, line));
    }
    if message.starts_with("unexpected key or value") {
        return ("the line goes on after its end".to_owned(), too_long(at_fault, line).to_owned());
    }
    match FAULTS.iter().find(|(begins, ..)| message.starts_with(begins)) {
        Some((_, plain, help)) => {
            let plain = if plain.is_empty() { message } else { plain };
            (plain.to_owned(), (*help).to_owned())
        }
        None if message.contains("recurs") => {
            ("this nests too deep".to_owned(), "no part of a pack has so many brackets in each other".to_owned())
        }
        None => (message.to_owned(), "write `key = value`: strings in \"…\", lists in […], tables in {…}".to_owned()),
    }
}

/// How the parser's message begins, what it means (the message itself where nothing stands), what to write instead.
const FAULTS: [(&str, &str, &str); 30] = [
    ("string values must be quoted", "a value is missing", "write it after the `=`"),
    ("duplicate key", "this stands here for the second time", "remove one of the two"),
    ("unclosed array table", "a header is not closed", "close it with `]]`"),
    ("unclosed array", "a list has no comma or no end here", "put a comma between entries, and `]` after the last"),
    (
        "missing comma between array",
        "a list has no comma or no end here",
        "put a comma between entries, and `]` after the last",
    ),
    (
        "unclosed inline table",
        "a table has no comma or no end here",
        "put a comma between entries, and `}` after the last",
    ),
    (
        "missing comma between key",
        "a table has no comma or no end here",
        "put a comma between entries, and `}` after the last",
    ),
    ("unclosed table", "a header is not closed", "close it with `]`; a name with blanks in it stands in quotes"),
    ("key with no value", "a key has no value", "write `key = value`"),
    ("invalid key-value pair", "there is no key here", "write `key = value`"),
    ("invalid basic string, expected `\"`", "a string is not closed", "close it with `\"` on the same line"),
    ("invalid literal string, expected `'`", "a string is not closed", "close it with `'` on the same line"),
    ("invalid multi-line basic string", "a string is not closed", "close it with `\"\"\"`"),
    ("invalid multi-line literal string", "a string is not closed", "close it with `'''`"),
    ("invalid basic string", "a string has a character that does not show", "take it away, or write it as `\\u0000`"),
    (
        "missing escaped value",
        "this escape does not exist",
        "a backslash is `\\\\` in \"…\", and stands for itself in '…'",
    ),
    (
        "invalid unquoted key",
        "a key is of letters, digits, `-` and `_`",
        "put it in quotes, or begin a comment with `#`",
    ),
    (
        "unquoted keys cannot be empty",
        "a key has no name",
        "write `key = value`, or a name between the brackets or points",
    ),
    ("too few unicode", "this escape does not exist", "a backslash is `\\` in \"…\", and stands for itself in '…'"),
    ("extra comma", "there is a comma too many", "take it out"),
    ("extra `=`", "there is an `=` too many", "write one `=`"),
    ("cannot extend value", "this name has a value already", "remove one of the two, or rename it"),
    ("unexpected leading zero", "a number begins with a zero", "write it without the zero, or in quotes"),
    ("redundant", "", "write digits, such as 100000"),
    ("radix", "", "write digits, such as 100000"),
    ("`_` may only", "", "write digits, such as 100000"),
    ("invalid boolean", "only `true` and `false` are so", "write `true` or `false`"),
    ("invalid date", "", "write a date such as 2026-03-01, or a date-time such as 2026-03-01T08:00:00+05:00"),
    ("invalid time", "", "write a date such as 2026-03-01, or a date-time such as 2026-03-01T08:00:00+05:00"),
    ("invalid", "", "write digits, with some before and some behind a point; everything else stands in quotes"),
];

/// What other languages write.
fn habit(at_fault: &str, line: &str) -> Option<(String, String)> {
    let told = |message: &str, help: String| Some((message.to_owned(), help));
    let content = line.trim_start();
    if content.starts_with("//") || content.starts_with(';') || at_fault.contains(" //") {
        return told("this is no comment", "begin a comment with `#`".to_owned());
    }
    if at_fault.starts_with(['“', '”', '„', '«', '‘', '’', '`']) {
        let plain = at_fault.trim_matches(['“', '”', '„', '«', '»', '‘', '’', '`']);
        return told("these quotes are not those of strings", format!("write \"{}\"", shape::shorten(plain)));
    }
    let joined = "a key and its value are joined by `=`";
    match content.split_once(':').map(|(key, value)| (key.trim_end().trim_matches('"'), value)) {
        Some((key, value)) if is_bare(key) => {
            told(joined, format!("a pack is TOML: write `{key} = {}`", assigned(key, value)))
        }
        Some(_) if at_fault.starts_with(':') || line.contains('{') && !line.contains('"') => {
            told(joined, "write `key = value`".to_owned())
        }
        _ => None,
    }
}

/// Whether a key needs no quotes.
fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// What another language calls a value, as TOML has it.
fn assigned(key: &str, value: &str) -> String {
    /// Keys whose values are texts also where they look like numbers.
    const TEXTS: [&str; 6] = ["name", "version", "id", "clause", "title", "note"];
    let value = shape::shorten(value.trim().trim_end_matches(','));
    match value.as_bytes() {
        [] | [b'{' | b'[', ..] => "value".to_owned(),
        [b'0'..=b'9', ..] if TEXTS.contains(&key) => format!("\"{value}\""),
        [b'"' | b'\'' | b'0'..=b'9', ..] | b"true" | b"false" => value,
        _ => format!("\"{value}\""),
    }
}

/// What to write instead of a line with more on it than a key and a value, or a header.
fn too_long(at_fault: &str, line: &str) -> &'static str {
    let line = line.trim();
    if line.starts_with('[') {
        return if line.ends_with("]]") {
            "write `[[…]]` or `[…]`"
        } else {
            "write what follows the header on a new line"
        };
    }
    if at_fault.starts_with(',') {
        return "write numbers without commas, and several values as a list in […]";
    }
    let quotes = |mark: char| line.matches(mark).count();
    if quotes('"') > 2 || quotes('\'') > 2 {
        return "a quote ended the string: put a string with \" in it between '…', and one with ' between \"…\"";
    }
    "write each key on a line of its own, and several values as a list in […]"
}

/// What to write instead of a value that is not in quotes.
fn unquoted(at_fault: &str, line: &str) -> String {
    let number = at_fault.trim_end_matches(';');
    let digits: String = number.chars().filter(|letter| !letter.is_whitespace()).collect();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && !line.trim_start().starts_with('[') && !line.contains("= [") {
        return format!("write {digits}");
    }
    if is_number {
        return "put a comma between entries".to_owned();
    }
    if line.matches('=').count() > 1
        && at_fault.contains(' ')
        && number.starts_with(|first: char| first.is_ascii_digit())
    {
        return "write each key on a line of its own".to_owned();
    }
    format!("write \"{}\"", shape::shorten(at_fault))
}
