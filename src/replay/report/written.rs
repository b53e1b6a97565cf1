//! The packs as their authors wrote them, for a report: names of lists that look like wallets are masked.
//!
//! A report gets mailed, and a list of mules is a list of people. Rules themselves are shown to the letter.

use super::Named;
use crate::rules::{
    List, Packs,
    pack::{Loaded, Part},
};
use std::path::Path;

/// Digits from which on a name of a list may be a phone number, a card or an account.
const DIGITS: usize = 6;

/// One pack's text.
#[derive(Clone, Debug)]
pub struct Written {
    /// `name@version+hash`.
    pub name: String,
    /// Without its folders, which say more of a machine than of a pack.
    pub file: String,
    pub text: String,
}

impl Written {
    /// The packs of `loaded` in load order, those that others use among them.
    #[must_use]
    pub fn of(loaded: &Loaded) -> Vec<Written> {
        let sources = &loaded.diagnostics.sources;
        let of_part = |part: &Part| {
            let source = sources.iter().find(|source| source.path == part.path)?;
            let file = Path::new(&part.path).file_name().map(|name| name.to_string_lossy().into_owned());
            Some(Written { name: part.name.clone(), file: file.unwrap_or_default(), text: source.text.clone() })
        };
        loaded.parts.iter().filter_map(of_part).collect()
    }

    /// The text as a report shows it.
    #[must_use]
    pub fn shown(&self, packs: &Packs, names: Named) -> String {
        match names {
            Named::Full => self.text.clone(),
            Named::Masked => masked_names(&self.text, &packs.lists, names),
        }
    }
}

/// A text of TOML, names of lists in it masked wherever they stand in quotes.
fn masked_names(text: &str, lists: &[List], names: Named) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\'']) {
        let quote = if rest.as_bytes()[at] == b'"' { '"' } else { '\'' };
        let (before, behind) = rest.split_at(at + 1);
        out.push_str(before);
        rest = behind;
        // A quote that does not close on its line quotes nothing.
        let Some(end) = rest.find([quote, '\n']).filter(|end| rest[*end..].starts_with(quote)) else { continue };
        let (name, after) = rest.split_at(end);
        let is_person = name.bytes().filter(u8::is_ascii_digit).count() >= DIGITS
            && lists.iter().any(|list| list.texts.contains_key(name));
        if is_person {
            out.push_str(&names.shown(name));
        } else {
            out.push_str(name);
        }
        let (closing, behind) = after.split_at(1);
        out.push_str(closing);
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_lists_are_masked_and_rules_are_not() {
        let names = ["77010000001", "KZ", "7701000'002"].map(|name| (Box::from(name), None));
        let list = List { name: "mules".to_owned(), texts: names.into_iter().collect(), ..List::default() };
        let text =
            "# don't\n\"77010000001\" = 'KZ' # \"2024-01-01\"\nmules = ['77010000001', \"7701000'002\"]\nx = \"100000";
        let expected =
            "# don't\n\"770***01\" = 'KZ' # \"2024-01-01\"\nmules = ['770***01', \"770***02\"]\nx = \"100000";
        assert_eq!(masked_names(text, &[list], Named::Masked), expected);
    }
}
