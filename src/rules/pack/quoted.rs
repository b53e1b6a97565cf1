//! Where a part of a TOML string's text stands in the source, escapes and quotes counted.
//!
//! A fault within a condition is a byte range of the condition, and must be underlined in the file.

use std::ops::Range;

/// The source range of `part`, a byte range of the text of the string that stands at `span` of `source`.
#[must_use]
pub fn inside(source: &str, span: &Range<usize>, part: &Range<usize>) -> Range<usize> {
    let Some(raw) = source.get(span.clone()) else { return span.clone() };
    let (opening, escaped) = match raw.as_bytes() {
        [b'"', b'"', b'"', ..] => (3, true),
        [b'\'', b'\'', b'\'', ..] => (3, false),
        [b'"', ..] => (1, true),
        [b'\'', ..] => (1, false),
        _ => return span.clone(),
    };
    let body = &raw[opening..];
    // A line end right after the opening quotes of a long string is no part of it.
    let newline = match body.as_bytes() {
        [b'\r', b'\n', ..] if opening == 3 => 2,
        [b'\n', ..] if opening == 3 => 1,
        _ => 0,
    };
    let first = opening + newline;
    let closing = raw.len().saturating_sub(opening).max(first);
    let body = &raw[first..closing];
    let starts = if escaped { starts(body) } else { (0..=body.len()).collect() };
    let at = |decoded: usize| span.start + first + starts.get(decoded).copied().unwrap_or(body.len());
    at(part.start)..at(part.end).max(at(part.start))
}

/// For each byte of the decoded text, where it begins in `body`; and the end after the last.
fn starts(body: &str) -> Vec<usize> {
    let mut starts = Vec::with_capacity(body.len() + 1);
    let mut at = 0;
    while let Some(first) = body[at..].chars().next() {
        let (written, decoded) = if first == '\\' { escape(&body[at..]) } else { (first.len_utf8(), first.len_utf8()) };
        starts.extend(std::iter::repeat_n(at, decoded));
        at += written;
    }
    starts.push(body.len());
    starts
}

/// The bytes that an escape takes in the source, and those that it stands for.
fn escape(text: &str) -> (usize, usize) {
    let unicode = |digits: usize| {
        let code = text.get(2..2 + digits).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let length = code.and_then(char::from_u32).map_or(1, char::len_utf8);
        ((2 + digits).min(text.len()), length)
    };
    match text.as_bytes().get(1) {
        Some(b'x') => unicode(2),
        Some(b'u') => unicode(4),
        Some(b'U') => unicode(8),
        // A backslash at the end of a line joins it to the next word.
        Some(b' ' | b'\t' | b'\n' | b'\r') => (text.len() - text[1..].trim_start().len(), 0),
        Some(_) => (1 + text[1..].chars().next().map_or(0, char::len_utf8), 1),
        None => (1, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The source range of the first `needle` of the decoded text must show `shown`.
    fn check(literal: &str, needle: &str, shown: &str) {
        let source = format!("when = {literal}\n");
        let table: toml::Table = source.parse().expect("the test writes TOML");
        let decoded = table["when"].as_str().expect("a string");
        let start = decoded.find(needle).expect("the needle is there");
        let span = 7..7 + literal.len();
        let range = inside(&source, &span, &(start..start + needle.len()));
        assert_eq!(&source[range], shown, "{literal}");
    }

    #[test]
    fn parts_of_strings_are_found_in_the_source() {
        check("'amount > 1'", "amount", "amount");
        check("\"cause == \\\"x\\\" && b\"", "\"x\"", "\\\"x\\\"");
        check("\"\\u04af == amount\"", "amount", "amount");
        check("\"\\u04af == amount\"", "ү", "\\u04af");
        check("'''\namount >\n 1'''", "amount", "amount");
        check("\"\"\"\r\namount \\\n    > 1\"\"\"", "> 1", "> 1");
        check("'漢 == 1'", "== 1", "== 1");
    }
}
