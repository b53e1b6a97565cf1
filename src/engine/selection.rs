//! Which rules of a type an event concerns: those whose condition holds, found by an index of conditions.
//!
//! Where a type has few conditions each of them is asked, without an index to pay for. Where it has many, what an
//! event costs follows those that hold, and those alone are judged and remember it, in the order of the packs.

use super::{
    Turn,
    judge::Scratch,
    plan::{MatcherId, Role, RulePlan, Slot},
};
use crate::{
    limits,
    rules::{
        Packs,
        condition::{Condition, index::Index},
    },
    state::SlotId,
};
use std::collections::HashMap;

/// The rules and slots of a type by their conditions.
#[derive(Debug)]
pub struct Selection {
    index: Index,
    /// By the places of the index.
    conditions: Vec<(MatcherId, Concerned)>,
    unconditional: Concerned,
}

/// Places among the rules of a type, and among what it remembers.
#[derive(Debug, Default)]
struct Concerned {
    rules: Vec<u16>,
    remembered: Vec<u16>,
}

impl Selection {
    /// Nothing where there are few conditions.
    pub fn new(
        rules: &[RulePlan],
        remember: &[(SlotId, Role)],
        slots: &[Slot],
        matchers: &[Condition],
    ) -> Option<Selection> {
        let (mut conditions, mut unconditional) = (Vec::new(), Concerned::default());
        let mut places = HashMap::new();
        let mut concerned = |when: Option<MatcherId>, note: &mut dyn FnMut(&mut Concerned)| match when {
            None => note(&mut unconditional),
            Some(matcher) => {
                let place = *places.entry(matcher).or_insert_with(|| {
                    conditions.push((matcher, Concerned::default()));
                    conditions.len() - 1
                });
                note(&mut conditions[place].1);
            }
        };
        for (place, rule) in rules.iter().enumerate() {
            concerned(rule.when, &mut |concerned| concerned.rules.push(place_of(place)));
        }
        for (place, (slot, role)) in remember.iter().enumerate() {
            let when = slots[usize::from(slot.0)].when.filter(|_| *role == Role::Matching);
            concerned(when, &mut |concerned| concerned.remembered.push(place_of(place)));
        }
        if conditions.len() < limits::INDEXED_CONDITIONS {
            return None;
        }
        let index = Index::new(conditions.iter().map(|(MatcherId(matcher), _)| &matchers[usize::from(*matcher)]));
        Some(Selection { index, conditions, unconditional })
    }
}

fn place_of(place: usize) -> u16 {
    const _: () = assert!(2 * limits::RULES < 1 << 16, "a rule has one slot, which a type may remember in two roles");
    u16::try_from(place).expect("a type has no more rules than limits::RULES, and each at most one slot")
}

/// What was selected for one event.
#[derive(Debug, Default)]
pub struct Selected {
    pub rules: Places,
    pub remembered: Places,
}

impl Selected {
    fn insert(&mut self, concerned: &Concerned) {
        concerned.rules.iter().for_each(|place| self.rules.insert(*place));
        concerned.remembered.iter().for_each(|place| self.remembered.insert(*place));
    }
}

/// A set of places that is emptied in their order: words of bits, and a bit for each word that is not 0.
#[derive(Debug, Default)]
pub struct Places {
    words: Vec<u64>,
    filled: Vec<u64>,
}

impl Places {
    #[inline]
    pub fn insert(&mut self, place: u16) {
        let word = usize::from(place / 64);
        if word >= self.words.len() {
            self.grow(word);
        }
        self.words[word] |= 1 << (place % 64);
        self.filled[word / 64] |= 1 << (word % 64);
    }

    #[cold]
    fn grow(&mut self, word: usize) {
        self.words.resize(word + 1, 0);
        self.filled.resize(word / 64 + 1, 0);
    }

    pub fn clear(&mut self) {
        self.drain(|_| ());
    }

    /// Takes all out, the least first.
    #[inline]
    pub fn drain(&mut self, mut each: impl FnMut(usize)) {
        for (number, filled) in self.filled.iter_mut().enumerate() {
            for word in bits(std::mem::take(filled)) {
                let word = 64 * number + word;
                for bit in bits(std::mem::take(&mut self.words[word])) {
                    each(64 * word + bit);
                }
            }
        }
    }
}

/// The bits of a word that are set, the least first.
fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros();
        word &= word.checked_sub(1)?;
        Some(bit as usize)
    })
}

impl Turn<'_> {
    /// Finds the rules and slots that the event concerns.
    #[inline(never)]
    pub(super) fn select(&self, selection: &Selection, scratch: &mut Scratch) {
        let Packs { units, lists, zone, .. } = self.packs;
        let Scratch { turn, matched, selected, .. } = scratch;
        selected.insert(&selection.unconditional);
        selection.index.candidates(&self.facts, (units, lists, zone), |place| {
            let (MatcherId(matcher), concerned) = &selection.conditions[usize::from(place)];
            let matcher = usize::from(*matcher);
            let (judged, holds) = &mut matched[matcher];
            if *judged != *turn {
                (*judged, *holds) = (*turn, self.plan.matchers[matcher].holds(&self.facts, units, lists, zone));
                if *holds {
                    selected.insert(concerned);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use std::collections::BTreeSet;

    #[test]
    fn places_come_out_once_and_in_order() {
        let (mut places, mut random) = (Places::default(), Random::new(5));
        for round in 0..200_u64 {
            let bound = [3, 64, 65, 5_000, 1 << 16][usize::try_from(round % 5).expect("below five")];
            let mut plain = BTreeSet::new();
            for _ in 0..random.below(80) {
                let place = u16::try_from(random.below(bound)).expect("below 2^16");
                places.insert(place);
                plain.insert(usize::from(place));
            }
            let mut out = Vec::new();
            places.drain(|place| out.push(place));
            assert!(out.iter().eq(&plain), "round {round}: {out:?} of {plain:?}");
        }
        places.drain(|place| panic!("{place} came out twice"));
    }
}
