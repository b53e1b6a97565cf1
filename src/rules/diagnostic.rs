//! What is wrong with a pack, where, and what to write instead.
//!
//! A pack's author sees every error at once, so errors are collected, never thrown. A place is a byte range of a
//! source, and becomes a line and a column only when it is shown. Only the line at fault is handed to the
//! renderer, since a hostile file may be one line of megabytes with an error at each byte.

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use std::ops::Range;

/// A file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As people know it; one path is one file.
    pub path: String,
    pub text: String,
}

/// A byte range of one of the sources of [`Diagnostics`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub source: usize,
    pub span: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The pack does not load.
    Error,
    /// It loads, and probably does not do what was meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// One sentence.
    pub message: String,
    /// Nothing where there is no text to show: a file that cannot be read.
    pub place: Option<Place>,
    /// What stands at the place, in a few words.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Another place that this one clashes with, and what stands there.
    pub also: Option<(Place, String)>,
}

impl Diagnostic {
    #[must_use]
    pub fn error(message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            message: message.into(),
            place: None,
            label: String::new(),
            help: None,
            also: None,
        }
    }

    #[must_use]
    pub fn warning(message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(message) }
    }

    #[must_use]
    pub fn at(mut self, source: usize, span: Range<usize>, label: impl Into<String>) -> Diagnostic {
        self.place = Some(Place { source, span });
        self.label = label.into();
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn also(mut self, source: usize, span: Range<usize>, label: impl Into<String>) -> Diagnostic {
        self.also = Some((Place { source, span }, label.into()));
        self
    }
}

/// Everything that is wrong, and the sources that the places are in.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    pub sources: Vec<Source>,
    pub list: Vec<Diagnostic>,
}

/// Diagnostics that are shown; a file of garbage has one at each line and nobody reads further.
const SHOWN: usize = 1_000;

impl Diagnostics {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    #[must_use]
    pub fn errors(&self) -> usize {
        self.list.iter().filter(|found| found.severity == Severity::Error).count()
    }

    /// Puts them in the order of the files and of the text within each.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|found| found.place.as_ref().map(|place| (place.source, place.span.start)));
    }

    /// The line and the column of the first character of a place, both from 1, the column in characters.
    #[must_use]
    pub fn position(&self, place: &Place) -> (usize, usize) {
        let excerpt = Excerpt::of(&self.sources[place.source].text, &place.span);
        (excerpt.line, excerpt.column)
    }

    /// All of them for people, each with its place and what to write instead. `styled` is for terminals.
    #[must_use]
    pub fn render(&self, styled: bool) -> String {
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let mut shown: Vec<String> =
            self.list.iter().take(SHOWN).map(|diagnostic| self.render_one(&renderer, diagnostic)).collect();
        if self.list.len() > SHOWN {
            shown.push(format!("and {} more", self.list.len() - SHOWN));
        }
        shown.join("\n\n") + if shown.is_empty() { "" } else { "\n" }
    }

    fn render_one(&self, renderer: &Renderer, diagnostic: &Diagnostic) -> String {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = annotate_snippets::Group::with_title(level.primary_title(&diagnostic.message));
        let places = diagnostic.place.iter().map(|place| (place, &diagnostic.label, AnnotationKind::Primary));
        let others = diagnostic.also.iter().map(|(place, label)| (place, label, AnnotationKind::Context));
        for (place, label, kind) in places.chain(others) {
            let source = &self.sources[place.source];
            let excerpt = Excerpt::of(&source.text, &place.span);
            let mut annotation = kind.span(excerpt.span.clone());
            if !label.is_empty() {
                annotation = annotation.label(label);
            }
            let mut snippet = Snippet::source(excerpt.text).line_start(excerpt.line).annotation(annotation);
            if excerpt.whole {
                snippet = snippet.path(&source.path);
            } else {
                group = group.element(Origin::path(&source.path).line(excerpt.line).char_column(excerpt.column));
            }
            group = group.element(snippet);
        }
        if diagnostic.place.is_none() {
            // The renderer would draw the margin of an excerpt that is not there.
            let help = diagnostic.help.iter().map(|help| format!("\n = help: {help}"));
            return renderer.render(&[group]) + &help.collect::<String>();
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(help));
        }
        renderer.render(&[group])
    }
}

/// The line of a place, or what is near it where the line is very long.
struct Excerpt<'a> {
    line: usize,
    column: usize,
    text: &'a str,
    /// The place within `text`.
    span: Range<usize>,
    /// `text` is the whole line.
    whole: bool,
}

/// Longest line that is shown whole, in bytes, and what is shown of a longer one on each side of the fault.
const LINE_BYTES: usize = 4_096;
const MARGIN_BYTES: usize = 60;

impl<'a> Excerpt<'a> {
    fn of(text: &'a str, span: &Range<usize>) -> Excerpt<'a> {
        let start = floor(text, span.start);
        let end = floor(text, span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let line = text[..line_start].bytes().filter(|byte| *byte == b'\n').count() + 1;
        let shown_start = if text[line_start..].starts_with('\u{feff}') { line_start + 3 } else { line_start };
        let shown_start = shown_start.min(start);
        let shown_end = if text[start..line_end].ends_with('\r') { line_end - 1 } else { line_end };
        let column = text[shown_start..start].chars().count() + 1;
        let whole = shown_end - shown_start <= LINE_BYTES;
        let (from, to) = if whole {
            (shown_start, shown_end)
        } else {
            let near = floor(text, start.saturating_sub(MARGIN_BYTES)).max(shown_start);
            (near, floor(text, start + MARGIN_BYTES).min(shown_end))
        };
        let to = to.max(start);
        Excerpt { line, column, text: &text[from..to], span: start - from..end.clamp(start, to) - from, whole }
    }
}

/// The character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

/// The candidate that was probably meant: at most a third of its letters differ.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= most && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Longest word that [`distance`] is asked about; a longer one is nobody's misspelling.
const WORD_CHARACTERS: usize = 64;

/// Edits between two words (Levenshtein, with the swap of two neighbours as one edit).
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().take(WORD_CHARACTERS + 1).collect();
    let right: Vec<char> = right.chars().take(WORD_CHARACTERS + 1).collect();
    if left.len() > WORD_CHARACTERS || right.len() > WORD_CHARACTERS {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for row in 1..=left.len() {
        let mut current = vec![row];
        for column in 1..=right.len() {
            let same = left[row - 1] == right[column - 1];
            let mut least =
                (above[column] + 1).min(current[column - 1] + 1).min(above[column - 1] + usize::from(!same));
            let swapped =
                row > 1 && column > 1 && left[row - 1] == right[column - 2] && left[row - 2] == right[column - 1];
            if swapped {
                least = least.min(before[column - 2] + 1);
            }
            current.push(least);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_word_is_the_one_meant() {
        for (word, meant) in [
            ("clauze", Some("clause")),
            ("acton", Some("action")),
            ("tilte", Some("title")),
            ("restricts", Some("restrict")),
            ("x", None),
            ("anything", None),
        ] {
            assert_eq!(closest(word, ["clause", "action", "title", "restrict", "on"]), meant, "{word}");
        }
    }

    #[test]
    fn places_are_lines_and_characters() {
        let text = "\u{feff}a = 1\r\nкүзет = '漢'\r\n\tb = 2";
        let source = Source { path: "p".to_owned(), text: text.to_owned() };
        let diagnostics = Diagnostics { sources: vec![source], list: vec![] };
        let position = |needle: &str| {
            let start = text.find(needle).expect("it is there");
            diagnostics.position(&Place { source: 0, span: start..start + needle.len() })
        };
        assert_eq!(position("a = 1"), (1, 1));
        assert_eq!(position("'漢'"), (2, 9));
        assert_eq!(position("b = 2"), (3, 2));
        assert_eq!(diagnostics.position(&Place { source: 0, span: 0..0 }), (1, 1));
        assert_eq!(diagnostics.position(&Place { source: 0, span: 9_999..10_000 }), (3, 7));
    }
}
