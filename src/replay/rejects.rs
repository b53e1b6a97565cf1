//! A rejected record as one line of JSON, with its bytes as they came (spec, section 10, "Records").
//! Topics have offsets and no lines.

use crate::{encode, event::Fault, files::records::Record};

/// Appends the reject of `record` from `source`, without a line end.
pub fn encode(source: &str, record: &Record<'_>, fault: &Fault, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"source\":");
    encode::string(source, out);
    if record.logged.is_none() {
        number(b",\"line\":", record.line, out);
    }
    number(b",\"offset\":", record.offset, out);
    out.extend_from_slice(b",\"error\":");
    encode::string(&fault.message, out);
    if let Some(field) = &fault.field {
        out.extend_from_slice(b",\"field\":");
        encode::string(field, out);
    }
    match std::str::from_utf8(record.bytes) {
        Ok(text) => {
            out.extend_from_slice(b",\"record\":");
            encode::string(text, out);
        }
        Err(_) => {
            out.extend_from_slice(b",\"record_base64\":\"");
            base64(record.bytes, out);
            out.push(b'"');
        }
    }
    if record.is_oversized() {
        number(b",\"bytes\":", record.total, out);
        out.extend_from_slice(b",\"truncated\":true");
    }
    out.push(b'}');
}

fn number(key: &[u8], value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(key);
    encode::digits(value, out);
}

/// Base64 with padding (RFC 4648, section 4).
pub(super) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let sextet = group >> (18 - 6 * place) & 63;
            // Three bytes fill four places, two fill three, one fills two.
            out.push(if place <= chunk.len() { ALPHABET[sextet as usize] } else { b'=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reject_carries_everything_of_its_record() {
        let long = "я".repeat(40_000);
        let cases: [(&[u8], u64, Option<&str>, &str); 4] = [
            (b"{\"id\":1}\t", 9, Some("id"), r#","field":"id","record":"{\"id\":1}\t"}"#),
            (b"\xff\xfe{}", 4, None, r#","record_base64":"//57fQ=="}"#),
            (b"\xff", 1, None, r#","record_base64":"/w=="}"#),
            (b"ab", 70_000, None, r#","record":"ab","bytes":70000,"truncated":true}"#),
        ];
        for (bytes, total, field, end) in cases {
            let fault = Fault { field: field.map(str::to_owned), message: "is \"wrong\"".to_owned() };
            let mut out = Vec::new();
            encode(
                "a b.ndjson",
                &Record { bytes, total, line: 3, offset: 120, unclosed: None, row: None, logged: None },
                &fault,
                &mut out,
            );
            let expected = format!(r#"{{"source":"a b.ndjson","line":3,"offset":120,"error":"is \"wrong\""{end}"#);
            assert_eq!(String::from_utf8(out).expect("JSON is UTF-8"), expected);
        }
        // A cut inside a character leaves bytes that are not UTF-8.
        let mut out = Vec::new();
        let record = Record {
            bytes: &long.as_bytes()[..65_535],
            total: 80_000,
            line: 1,
            offset: 0,
            unclosed: None,
            row: None,
            logged: None,
        };
        encode("x", &record, &Fault { field: None, message: String::new() }, &mut out);
        let text = String::from_utf8(out).expect("JSON is UTF-8");
        assert!(text.contains(r#","record_base64":"0Y/Rj"#) && text.ends_with(r#","bytes":80000,"truncated":true}"#));
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = Vec::new();
            base64(plain.as_bytes(), &mut out);
            assert_eq!(out, coded.as_bytes());
        }
    }
}
