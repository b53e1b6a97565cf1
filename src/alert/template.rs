//! Texts for people: a sentence with places that a decision fills, as chat services take it.
//!
//! Values are written so that a chat service shows them and does nothing else: `<!channel>` in a wallet's name would otherwise
//! call everybody. What a place may be called is checked when the configuration is read.

use std::{fmt::Write, ops::Range};

/// A text with places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(Place),
}

/// What can be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Action,
    Score,
    Type,
    Wallet,
    Event,
    Time,
    Id,
    Rules,
    Restrictions,
    Flags,
    Why,
    Count,
    Pack,
}

const PLACES: [(&str, Place); 13] = [
    ("action", Place::Action),
    ("score", Place::Score),
    ("type", Place::Type),
    ("wallet", Place::Wallet),
    ("event", Place::Event),
    ("time", Place::Time),
    ("id", Place::Id),
    ("rules", Place::Rules),
    ("restrictions", Place::Restrictions),
    ("flags", Place::Flags),
    ("why", Place::Why),
    ("count", Place::Count),
    ("pack", Place::Pack),
];

/// Characters of one value and of the whole text.
const VALUE: usize = 500;
const WHOLE: usize = 2_500;

impl Template {
    /// Reads a text; `{{` and `}}` are braces.
    ///
    /// # Errors
    /// A byte range, what is wrong there, and what to write instead.
    pub fn parse(text: &str) -> Result<Template, (Range<usize>, String, String)> {
        let names = || PLACES.map(|(name, _)| name).join(", ");
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut at = 0;
        while let Some(next) = text[at..].chars().next() {
            let rest = &text[at..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                plain.push(next);
                at += 2;
            } else if next == '{' {
                let Some(end) = rest.find('}') else {
                    return Err((
                        at..text.len(),
                        "this brace is not closed".to_owned(),
                        "write {wallet}, or {{ for a brace".to_owned(),
                    ));
                };
                let name = &rest[1..end];
                let Some((_, place)) = PLACES.iter().find(|(known, _)| *known == name) else {
                    return Err((
                        at..at + end + 1,
                        format!("there is nothing called `{name}` to fill in"),
                        format!("there are {}", names()),
                    ));
                };
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(Part::Place(*place));
                at += end + 1;
            } else if next == '}' {
                return Err((at..at + 1, "this brace closes nothing".to_owned(), "write }} for a brace".to_owned()));
            } else {
                plain.push(next);
                at += next.len_utf8();
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        if parts.is_empty() {
            return Err((0..0, "a text must say something".to_owned(), format!("fill in {}", names())));
        }
        Ok(Template { parts })
    }

    /// The text with its places filled.
    #[must_use]
    pub fn fill(&self, value: impl Fn(Place) -> String) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Place(place) => write_safely(&value(*place), &mut out),
            }
        }
        if out.chars().count() > WHOLE { out.chars().take(WHOLE).chain(['…']).collect() } else { out }
    }
}

/// A value as it stands in a chat service's text: its three marks escaped, control characters as blanks, and cut when it is long.
fn write_safely(value: &str, out: &mut String) {
    for (place, character) in value.chars().enumerate() {
        if place == VALUE {
            out.push('…');
            return;
        }
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            control if control.is_control() => out.push(' '),
            character => write!(out, "{character}").expect("a String takes everything"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_do_nothing_else() {
        let template = Template::parse("{{*{action}*}}: {wallet} & co").expect("a template");
        let filled = template.fill(|place| match place {
            Place::Action => "hold".to_owned(),
            _ => "<!channel>\n&".to_owned(),
        });
        assert_eq!(filled, "{*hold*}: &lt;!channel&gt; &amp; & co");
        let long = Template::parse("{wallet}{wallet}{wallet}{wallet}{wallet}{wallet}").expect("a template");
        assert_eq!(long.fill(|_| "ж".repeat(10_000)).chars().count(), WHOLE + 1);
    }

    #[test]
    fn mistakes_have_places() {
        for (text, part, why) in [
            ("a {wallte} b", "{wallte}", "nothing called `wallte`"),
            ("a {wallet", "{wallet", "not closed"),
            ("a } b", "}", "closes nothing"),
            ("", "", "must say something"),
        ] {
            let (span, message, _) = Template::parse(text).expect_err(text);
            assert!(message.contains(why) && &text[span.clone()] == part, "{text}: {message} at {span:?}");
        }
    }
}
