//! Foreign JSON: the values that JSON Pointers (RFC 6901) name, found in one pass, as they are written.
//!
//! Numbers stay text, so that no amount ever becomes a binary float. That the record is JSON within the bounds of any
//! record has been checked before; a key that a pointer goes through may stand there once.

use crate::event::decode::{Raw, Text};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// Pointers as a tree of their tokens.
#[derive(Debug, Default)]
pub(super) struct Pointers {
    root: Node,
    count: usize,
}

#[derive(Debug, Default)]
struct Node {
    /// The place of the pointer that ends here.
    pointer: Option<usize>,
    children: Vec<(String, Node)>,
}

impl Pointers {
    /// Pointers, known by their places in `pointers`; they are different, and begin with `/`.
    pub(super) fn new<'a>(pointers: impl IntoIterator<Item = &'a str>) -> Pointers {
        let mut all = Pointers::default();
        for pointer in pointers {
            let mut node = &mut all.root;
            for token in pointer.split('/').skip(1) {
                let token = token.replace("~1", "/").replace("~0", "~");
                let place = node.children.iter().position(|(name, _)| *name == token).unwrap_or_else(|| {
                    node.children.push((token, Node::default()));
                    node.children.len() - 1
                });
                node = &mut node.children[place].1;
            }
            node.pointer = Some(all.count);
            all.count += 1;
        }
        all
    }

    /// What each pointer names in `record`, as JSON text.
    pub(super) fn find<'r>(&self, record: &'r str) -> Result<Vec<Option<&'r str>>, String> {
        let mut found = vec![None; self.count];
        search(&self.root, record, &mut found).map_err(|error| format!("not JSON that can be mapped: {error}"))?;
        Ok(found)
    }
}

fn search<'r>(node: &Node, text: &'r str, found: &mut [Option<&'r str>]) -> serde_json::Result<()> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_any(Search { node, found })?;
    deserializer.end()
}

/// Whether a `~` of a pointer stands for nothing (RFC 6901, section 3).
pub(super) fn broken_escape(pointer: &str) -> bool {
    pointer.split('~').skip(1).any(|after| !after.starts_with(['0', '1']))
}

/// Looks at one value with what is wanted of it.
struct Search<'n, 'f, 'r> {
    node: &'n Node,
    found: &'f mut [Option<&'r str>],
}

impl<'r> DeserializeSeed<'r> for Search<'_, '_, 'r> {
    type Value = ();

    fn deserialize<D: Deserializer<'r>>(self, deserializer: D) -> Result<(), D::Error> {
        let Some(pointer) = self.node.pointer else {
            return deserializer.deserialize_any(self);
        };
        let text = <&RawValue as serde::Deserialize>::deserialize(deserializer)?.get();
        self.found[pointer] = Some(text);
        if self.node.children.is_empty() {
            return Ok(());
        }
        search(self.node, text, self.found).map_err(D::Error::custom)
    }
}

impl<'r> Visitor<'r> for Search<'_, '_, 'r> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'r>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = vec![false; self.node.children.len()];
        while let Some(child) = map.next_key_seed(Key(self.node))? {
            match child {
                Some(place) if std::mem::replace(&mut seen[place], true) => {
                    return Err(A::Error::custom("a mapped key stands there twice"));
                }
                Some(place) => {
                    let node = &self.node.children[place].1;
                    map.next_value_seed(Search { node, found: &mut *self.found })?;
                }
                None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'r>>(self, mut items: A) -> Result<(), A::Error> {
        for number in 0_usize.. {
            let name = number.to_string();
            let more = match self.node.children.iter().find(|(token, _)| *token == name) {
                Some((_, node)) => items.next_element_seed(Search { node, found: &mut *self.found })?,
                None => items.next_element::<IgnoredAny>()?.map(|_| ()),
            };
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }

    // A pointer that goes on below a scalar names nothing.
    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Tells which child of a node a key is, without keeping the key.
struct Key<'n>(&'n Node);

impl<'r> DeserializeSeed<'r> for Key<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'r>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<usize>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Option<usize>, E> {
        Ok(self.0.children.iter().position(|(token, _)| token == key))
    }
}

/// A value found in `record`. A text with escapes is put to `scratch`, without them.
pub(super) fn cell(found: Option<&str>, record: &str, scratch: &mut String) -> Result<Raw, &'static str> {
    let Some((first, text)) = found.and_then(|text| Some((text.as_bytes().first()?, text))) else {
        return Ok(Raw::Null);
    };
    let start = record.as_bytes().element_offset(first).expect("what is found stands in its record");
    match (first, text) {
        (_, "null") => Ok(Raw::Null),
        (_, "true") => Ok(Raw::Bool(true)),
        (_, "false") => Ok(Raw::Bool(false)),
        (b'"', _) if !text.contains('\\') => Ok(Raw::Text(Text::new(start + 1, start + text.len() - 1))),
        (b'"', _) => match serde_json::from_str::<Cow<'_, str>>(text) {
            Ok(text) => Ok(Raw::Text(super::keep(&text, scratch))),
            Err(_) => Err("the text has half a surrogate pair"),
        },
        (b'{', _) => Err("an object stands here; a text, a number, true or false is expected"),
        (b'[', _) => Err("an array stands here; a text, a number, true or false is expected"),
        _ => Ok(Raw::Number(Text::new(start, start + text.len()))),
    }
}

/// Whether a text may stand as a number in JSON.
pub(super) fn is_number(text: &str) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = text.as_bytes();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(text);
    if whole == 0 || (whole > 1 && text[0] == b'0') {
        return false;
    }
    let mut rest = &text[whole..];
    if let [b'.', fraction @ ..] = rest {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            !exponent.is_empty() && digits(exponent) == exponent.len()
        }
        _ => false,
    }
}

/// Most digits that a number with an exponent is written out to; what is longer is no amount and stays as it is.
const PLAIN_DIGITS: i64 = 40;

/// A number with an exponent without it, the same number digit by digit: what writes tables of numbers writes large ones so.
/// Nothing where the text is not such a number, and stays as it is.
#[inline]
pub(super) fn plain(text: &str) -> Option<String> {
    if text.bytes().any(|byte| matches!(byte, b'e' | b'E')) { written_out(text) } else { None }
}

#[cold]
fn written_out(text: &str) -> Option<String> {
    let (figure, exponent) = text.split_once(['e', 'E'])?;
    if !is_number(text) {
        return None;
    }
    let exponent: i64 = exponent.parse().ok()?;
    let (sign, figure) = figure.strip_prefix('-').map_or(("", figure), |figure| ("-", figure));
    let (whole, part) = figure.split_once('.').unwrap_or((figure, ""));
    let digits = format!("{whole}{part}");
    let length = i64::try_from(digits.len()).ok()?;
    // Where the point stands among the digits.
    let point = i64::try_from(whole.len()).ok()?.checked_add(exponent)?;
    if point.abs() > PLAIN_DIGITS || length > PLAIN_DIGITS {
        return None;
    }
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    let padded = format!("{}{digits}{}", zeros(1 - point), zeros(point - length));
    let (whole, part) = padded.split_at(usize::try_from(point.max(1)).ok()?);
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    Some(if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::decode::Texts;

    #[test]
    fn pointers_find_what_serde_json_finds() {
        let pointers = ["/a", "/a/b", "/a/c/1", "/x~1y", "/m~0n", "/", "/s/t", "/n", "/a/c/1/d"];
        let record =
            r#"{"a":{"b":1.50,"c":[7,{"d":[]},8]},"x/y":"é\n","m~n":null,"":true,"s":"t","z":[[[]]],"n":-0.0}"#;
        let value: serde_json::Value = serde_json::from_str(record).expect("JSON");
        let found = Pointers::new(pointers).find(record).expect("JSON");
        for (pointer, found) in pointers.iter().zip(&found) {
            let parsed = found.map(|text| serde_json::from_str::<serde_json::Value>(text).expect("JSON"));
            assert_eq!(parsed.as_ref(), value.pointer(pointer), "{pointer}");
        }
        assert_eq!(found[1], Some("1.50"), "a number's text is kept");
    }

    #[test]
    fn what_is_not_json_is_refused() {
        let pointers = Pointers::new(["/a", "/b/c"]);
        let deep = format!("{{\"z\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
        assert_eq!(pointers.find(&deep), Ok(vec![None, None]), "depth costs nothing where nothing is mapped");
        let deep = format!("{{\"a\":{}}}", "[".repeat(60_000));
        for record in [
            "",
            "{",
            "{\"a\":1}x",
            "{\"a\":NaN}",
            "{\"a\":01}",
            "{\"a\":1,\"a\":2}",
            "{\"b\":{\"c\":1},\"b\":{}}",
            "{'a':1}",
            &deep,
        ] {
            assert!(pointers.find(record).is_err(), "{record:.40}");
        }
        for record in ["[]", "1", "\"a\"", "{\"b\":3}", "{\"b\":[1e5]}", "null", "{\"a\":1e400}"] {
            assert!(pointers.find(record).is_ok(), "{record}");
        }
    }

    #[test]
    fn values_become_cells() {
        for (text, expected) in [
            ("null", Ok("nothing")),
            ("true", Ok("flag true")),
            ("1.50", Ok("number 1.50")),
            ("\"a\"", Ok("text a")),
            ("\"\"", Ok("text ")),
            ("\"a\\u0041\\ud83d\\ude00\"", Ok("text aA😀")),
            ("\"\\ud83d\"", Err("the text has half a surrogate pair")),
            ("{}", Err("an object stands here; a text, a number, true or false is expected")),
        ] {
            let record = format!("[{text}]");
            let mut scratch = "x".to_owned();
            let found = cell(Some(&record[1..=text.len()]), &record, &mut scratch);
            let texts = Texts { record: &record, scratch: &scratch };
            let told = found.map(|raw| match raw {
                Raw::Null => "nothing".to_owned(),
                Raw::Bool(flag) => format!("flag {flag}"),
                Raw::Number(place) => format!("number {}", texts.of(place)),
                Raw::Text(place) => format!("text {}", texts.of(place)),
            });
            assert_eq!(told, expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn numbers_are_those_of_json() {
        for text in ["0", "-1", "1.50", "1e5", "-0.0", "123"] {
            assert!(is_number(text), "{text}");
        }
        for text in ["", "-", "01", "1.", ".5", "+1", " 1", "1 ", "NaN", "1,2", "true", "\"1\"", "1}", "0x1"] {
            assert!(!is_number(text), "{text}");
        }
    }

    /// `serde_json` judges every text of six of these letters.
    #[test]
    fn numbers_are_those_of_serde_json() {
        let alphabet = ['0', '7', '-', '+', '.', 'e', 'E'];
        for number in 0..8_usize.pow(6) {
            let letter = |place| alphabet.get(number / 8_usize.pow(place) % 8);
            let text: String = (0..6).filter_map(letter).collect();
            let judged = serde_json::from_str::<&RawValue>(&text).is_ok();
            assert_eq!(is_number(&text), judged, "{text}");
        }
    }

    #[test]
    fn exponents_are_written_out() {
        for (text, plain_text) in [
            ("1.0E7", "10000000"),
            ("1.916920493E7", "19169204.93"),
            ("1e5", "100000"),
            ("-1.5e+2", "-150"),
            ("0.5E1", "5"),
            ("5E-1", "0.5"),
            ("125e-3", "0.125"),
            ("0e0", "0"),
            ("0.0e3", "0"),
            ("12.50E0", "12.50"),
            ("1e39", "1000000000000000000000000000000000000000"),
            ("1e40", "1e40"),
            ("1e99999999999999999999", "1e99999999999999999999"),
            ("1.50", "1.50"),
            ("E5", "E5"),
            ("1E", "1E"),
            ("elephant", "elephant"),
            ("", ""),
        ] {
            assert_eq!(plain(text).as_deref().unwrap_or(text), plain_text, "{text}");
        }
    }
}
