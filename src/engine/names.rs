//! Texts of the packs that outlive them in the state: who imposed a restriction.
//!
//! A restriction that stands says which rule or signal imposed it, also when later packs no longer have that one. So
//! names are kept from packs to packs, each once, and restrictions hold their places.

use crate::{decision::RuleId, event::TypeId, hash::HashKey, rules::Packs, state::special::NameId};

/// All names that packs have had so far.
#[derive(Debug, Default)]
pub struct Names {
    texts: Vec<Box<str>>,
    of_rule: Vec<NameId>,
    of_type: Vec<NameId>,
    /// A keyed hash of each type's name, for fingerprints.
    marks: Vec<u64>,
}

impl Names {
    /// Takes in the names of the packs that are in force from now on.
    pub fn load(&mut self, packs: &Packs, key: HashKey) {
        self.of_rule = packs.rules.iter().map(|rule| self.place(&rule.id)).collect();
        let types = &packs.types.types;
        self.of_type = types.iter().map(|kind| self.place(&kind.name)).collect();
        self.marks = types.iter().map(|kind| key.short_hash(kind.name.as_bytes())).collect();
    }

    /// Those that were written down; packs come with [`Names::load`].
    #[must_use]
    pub fn of_texts(texts: Vec<Box<str>>) -> Names {
        Names { texts, ..Names::default() }
    }

    /// By [`NameId`].
    #[must_use]
    pub fn texts(&self) -> &[Box<str>] {
        &self.texts
    }

    /// The place of a name, which it gets if it has none.
    pub fn place(&mut self, name: &str) -> NameId {
        let place = self.texts.iter().position(|known| **known == *name).unwrap_or_else(|| {
            self.texts.push(name.into());
            self.texts.len() - 1
        });
        NameId(u32::try_from(place).expect("packs are bounded, and so are reloads"))
    }

    #[must_use]
    pub fn text(&self, name: NameId) -> &str {
        &self.texts[name.0 as usize]
    }

    #[must_use]
    pub fn of_rule(&self, rule: RuleId) -> NameId {
        self.of_rule[usize::from(rule.0)]
    }

    #[must_use]
    pub fn of_type(&self, kind: TypeId) -> NameId {
        self.of_type[usize::from(kind.0)]
    }

    /// By event type.
    #[must_use]
    pub fn marks(&self) -> &[u64] {
        &self.marks
    }

    #[must_use]
    pub fn mark(&self, kind: TypeId) -> u64 {
        self.marks[usize::from(kind.0)]
    }
}
