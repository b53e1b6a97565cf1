//! Slots, rules and restrictions go by number in records: by places in the packs in force they would be others after a
//! reload. The dictionary gives the numbers out and never gives one out twice.

use super::{
    codec::{Malformed, Read},
    key::SlotNumber,
};
use crate::{
    decision::{RestrictionId, RuleId},
    state::SlotId,
};
use std::collections::HashMap;

/// The number of what stands at each place of the packs in force.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    pub slots: Vec<SlotNumber>,
    pub rules: Vec<u32>,
    pub restrictions: Vec<u32>,
}

impl Numbers {
    #[must_use]
    pub fn slot(&self, slot: SlotId) -> SlotNumber {
        self.slots[usize::from(slot.0)]
    }

    #[must_use]
    pub fn rule(&self, rule: RuleId) -> u32 {
        self.rules[usize::from(rule.0)]
    }

    #[must_use]
    pub fn restriction(&self, restriction: RestrictionId) -> u32 {
        self.restrictions[usize::from(restriction.0)]
    }
}

/// The way back. What has a number that was given out and has no place is no longer in the packs.
#[derive(Clone, Debug, Default)]
pub struct Places {
    slots: HashMap<SlotNumber, SlotId>,
    rules: HashMap<u32, RuleId>,
    restrictions: HashMap<u32, RestrictionId>,
    /// The first numbers that have not been given out: of slots, rules, and names.
    next: (SlotNumber, u32, u32),
}

impl Places {
    #[must_use]
    pub fn new(numbers: &Numbers, next: (SlotNumber, u32, u32)) -> Places {
        fn back<T>(numbers: &[u32], of: impl Fn(u16) -> T) -> HashMap<u32, T> {
            numbers.iter().copied().zip((0..).map(of)).collect()
        }
        Places {
            slots: back(&numbers.slots, SlotId),
            rules: back(&numbers.rules, RuleId),
            restrictions: back(&numbers.restrictions, RestrictionId),
            next,
        }
    }

    /// # Errors
    /// Where no slot ever had the number.
    pub fn slot(&self, number: SlotNumber) -> Read<Option<SlotId>> {
        if number < self.next.0 { Ok(self.slots.get(&number).copied()) } else { Err(Malformed("no such measure")) }
    }

    /// # Errors
    /// Where no rule ever had the number.
    pub fn rule(&self, number: u32) -> Read<Option<RuleId>> {
        if number < self.next.1 { Ok(self.rules.get(&number).copied()) } else { Err(Malformed("no such rule")) }
    }

    /// # Errors
    /// Where no restriction has the number: none that may stand is ever dropped.
    pub fn restriction(&self, number: u32) -> Read<RestrictionId> {
        self.restrictions.get(&number).copied().ok_or(Malformed("no such restriction"))
    }

    /// # Errors
    /// Where there are not so many names.
    pub fn name(&self, number: u32) -> Read<crate::state::special::NameId> {
        if number < self.next.2 {
            Ok(crate::state::special::NameId(number))
        } else {
            Err(Malformed("no such name of a rule or signal"))
        }
    }
}
