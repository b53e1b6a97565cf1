//! A JSON reader that keeps what the ordinary ones throw away: doubled keys, a number's text, lone surrogates.
//! It refuses what RFC 8259 refuses, and nesting deeper than 16; it judges no field.

/// The deepest nesting of a record; the record itself is level 1.
const DEEPEST: usize = 16;

#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    /// The number as it was written.
    Number(String),
    Text(Text),
    Array(Vec<Json>),
    Object(Vec<(Text, Json)>),
}

/// A string, and whether half of a surrogate pair stood in it alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    pub value: String,
    pub lone_surrogate: bool,
}

impl Json {
    /// Whether any key or string below this value holds a lone surrogate.
    pub fn has_lone_surrogate(&self) -> bool {
        match self {
            Json::Text(text) => text.lone_surrogate,
            Json::Array(items) => items.iter().any(Json::has_lone_surrogate),
            Json::Object(members) => {
                members.iter().any(|(key, value)| key.lone_surrogate || value.has_lone_surrogate())
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => false,
        }
    }
}

/// Reads one JSON value; `None` when the text is anything else.
pub fn parse(text: &str) -> Option<Json> {
    let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
    reader.blanks();
    let value = reader.value(1)?;
    reader.blanks();
    (reader.at == reader.bytes.len()).then_some(value)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            self.at += 1;
        }
        there
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Option<Json> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return None;
        }
        self.at += word.len();
        Some(value)
    }

    fn value(&mut self, level: usize) -> Option<Json> {
        match self.peek()? {
            b'n' => self.word("null", Json::Null),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'"' => Some(Json::Text(self.text()?)),
            b'[' | b'{' if level > DEEPEST => None,
            b'[' => self.array(level),
            b'{' => self.object(level),
            _ => self.number(),
        }
    }

    fn array(&mut self, level: usize) -> Option<Json> {
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.eat(b']') {
            return Some(Json::Array(items));
        }
        loop {
            self.blanks();
            items.push(self.value(level + 1)?);
            self.blanks();
            if self.eat(b']') {
                return Some(Json::Array(items));
            }
            if !self.eat(b',') {
                return None;
            }
        }
    }

    fn object(&mut self, level: usize) -> Option<Json> {
        self.at += 1;
        let mut members = Vec::new();
        self.blanks();
        if self.eat(b'}') {
            return Some(Json::Object(members));
        }
        loop {
            self.blanks();
            let key = self.text()?;
            self.blanks();
            if !self.eat(b':') {
                return None;
            }
            self.blanks();
            members.push((key, self.value(level + 1)?));
            self.blanks();
            if self.eat(b'}') {
                return Some(Json::Object(members));
            }
            if !self.eat(b',') {
                return None;
            }
        }
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<Json> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            self.digits()?;
        }
        Some(Json::Number(String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned()))
    }

    fn four_hex(&mut self) -> Option<u32> {
        let mut code = 0;
        for _ in 0..4 {
            code = code * 16 + char::from(self.next()?).to_digit(16)?;
        }
        Some(code)
    }

    fn text(&mut self) -> Option<Text> {
        if !self.eat(b'"') {
            return None;
        }
        let mut raw: Vec<u8> = Vec::new();
        let mut lone_surrogate = false;
        loop {
            let byte = self.next()?;
            let character = match byte {
                b'"' => break,
                0..=0x1f => return None,
                b'\\' => match self.next()? {
                    b'"' => '"',
                    b'\\' => '\\',
                    b'/' => '/',
                    b'b' => '\u{8}',
                    b'f' => '\u{c}',
                    b'n' => '\n',
                    b'r' => '\r',
                    b't' => '\t',
                    b'u' => {
                        let (character, lone) = self.escaped_character()?;
                        lone_surrogate |= lone;
                        character
                    }
                    _ => return None,
                },
                _ => {
                    raw.push(byte);
                    continue;
                }
            };
            raw.extend_from_slice(character.to_string().as_bytes());
        }
        Some(Text { value: String::from_utf8(raw).ok()?, lone_surrogate })
    }

    fn escaped_character(&mut self) -> Option<(char, bool)> {
        let first = self.four_hex()?;
        if !(0xd800..0xdc00).contains(&first) {
            return Some(char::from_u32(first).map_or(('\u{fffd}', true), |c| (c, false)));
        }
        let before = self.at;
        if self.eat(b'\\') && self.eat(b'u') {
            let second = self.four_hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + (first - 0xd800) * 0x400 + (second - 0xdc00);
                return char::from_u32(code).map(|c| (c, false));
            }
        }
        self.at = before;
        Some(('\u{fffd}', true))
    }
}

#[cfg(test)]
mod tests {
    use super::{Json, parse};

    #[test]
    fn json_is_read_as_rfc_8259_says() {
        for good in ["{}", " {\"a\" : [1, -0.5e+3, \"\\u00e9\\ud83d\\ude00\", null]} ", "0", "\"\"", "[true,false]"] {
            assert!(parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "{",
            "{\"a\":1,}",
            "[1,]",
            "01",
            "1.",
            "+1",
            ".5",
            "nul",
            "{a:1}",
            "{} {}",
            "\"\u{1}\"",
            "\"\\x\"",
            "\u{feff}{}",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
        assert_eq!(parse("1.50"), Some(Json::Number("1.50".into())));
    }

    #[test]
    fn sixteen_levels_are_allowed_and_seventeen_are_not() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(&nested(16)).is_some());
        assert!(parse(&nested(17)).is_none());
    }

    #[test]
    fn a_lone_surrogate_is_seen() {
        assert!(parse("[\"\\ud800\"]").unwrap().has_lone_surrogate());
        assert!(parse("{\"\\udc00x\":1}").unwrap().has_lone_surrogate());
        assert!(!parse("[\"\\ud83d\\ude00\"]").unwrap().has_lone_surrogate());
    }
}
