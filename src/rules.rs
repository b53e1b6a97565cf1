//! Packs as the engine uses them: compiled, checked, addressed by place.
//!
//! What an operator wrote is `pack`'s business: it reads TOML, finds every error and builds these values, which
//! are right by construction. Nothing here knows a file, and nothing here changes after it is built.

pub mod condition;
pub mod diagnostic;
pub mod example;
mod lists;
pub mod networks;
pub mod pack;

use crate::{
    decision::{Action, RestrictionId, RuleId},
    event::{Currency, Field, TypeSet, decode::TypeTable},
    number::Decimal,
    time::{Span, Timestamp, Zone},
};
use condition::Condition;
use networks::Networks;

/// All packs in force.
#[derive(Clone, Debug)]
pub struct Packs {
    /// As decisions name them: `name@version+hash`, joined by `,` in load order.
    pub name: String,
    pub zone: Zone,
    pub currency: Currency,
    pub types: TypeTable,
    /// Types that some `imposed_by`, `lifted_by` or `cancelled_by` names.
    pub signals: TypeSet,
    pub units: Vec<Unit>,
    pub lists: Vec<List>,
    /// In load order, then as written.
    pub rules: Vec<Rule>,
    pub restrictions: Vec<Restriction>,
    /// Restrictions that are no longer declared and run on as they were imposed.
    pub retired: Vec<String>,
    /// The bands of `[score]`: a total reaches a band from its figure on. Rising.
    pub bands: Vec<(u16, Action)>,
}

impl Packs {
    #[must_use]
    pub fn rule(&self, id: RuleId) -> &Rule {
        &self.rules[usize::from(id.0)]
    }

    /// All rules with their places, in pack order.
    pub fn rules_with_ids(&self) -> impl Iterator<Item = (RuleId, &Rule)> {
        let id = |place| RuleId(u16::try_from(place).expect("rules are bounded by limits::RULES"));
        self.rules.iter().enumerate().map(move |(place, rule)| (id(place), rule))
    }

    /// The same packs with more restrictions at their end.
    #[must_use]
    pub fn and_restrictions(&self, more: Vec<Restriction>) -> Packs {
        let mut packs = self.clone();
        packs.restrictions.extend(more);
        packs
    }
    #[must_use]
    pub fn restriction(&self, id: RestrictionId) -> &Restriction {
        &self.restrictions[usize::from(id.0)]
    }
}

/// A unit's place in the loaded packs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitId(pub u16);

/// A unit with a dated worth.
#[derive(Clone, Debug)]
pub struct Unit {
    pub name: String,
    /// From each local date (days since 1970-01-01) on, rising.
    pub worth: Vec<(i64, Decimal)>,
}

impl Unit {
    /// The worth on a local date given as days since 1970-01-01; nothing before the first.
    #[must_use]
    pub fn on(&self, date: i64) -> Option<Decimal> {
        let after = self.worth.partition_point(|(from, _)| *from <= date);
        Some(self.worth[after.checked_sub(1)?].1)
    }
}

/// A list's place in the loaded packs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListId(pub u16);

/// Names for `in`.
#[derive(Clone, Debug, Default)]
pub struct List {
    pub name: String,
    /// Texts, with the instant from which the entry no longer counts.
    pub texts: std::collections::HashMap<Box<str>, Option<Timestamp>>,
    /// Address ranges (a single address is a range of one), with the same.
    pub networks: Networks,
}

impl List {
    /// Whether `text` is one of the names at `time`.
    #[must_use]
    pub fn has_name(&self, text: &str, time: Timestamp) -> bool {
        self.texts.get(text).is_some_and(|until| until.is_none_or(|until| time < until))
    }
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What its state is addressed by over reloads: a hash of its id and of what decides what its measure remembers.
    pub identity: u64,
    pub id: String,
    pub clause: Option<String>,
    pub title: Option<String>,
    pub on: TypeSet,
    pub when: Option<Condition>,
    pub measure: Option<Measure>,
    pub score: u16,
    pub action: Action,
    pub restrict: Vec<RestrictionId>,
    pub counts: Counts,
    pub mode: Mode,
    /// Fires from this instant on…
    pub valid_from: Option<Timestamp>,
    /// …and before this one.
    pub valid_until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Counts {
    #[default]
    Attempted,
    /// Operations that were refused or blocked are forgotten.
    Accepted,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    #[default]
    Live,
    /// Evaluated and reported beside the decision, changing nothing.
    Shadow,
    /// Neither evaluated nor remembered.
    Off,
}

impl Rule {
    /// Whether what it measures depends on what was decided: it leaves out what was not accepted, or that resets nothing.
    #[must_use]
    pub fn heeds_decisions(&self) -> bool {
        match &self.measure {
            // What these look back at counts in any case.
            None | Some(Measure::After { .. } | Measure::Idle { .. }) => false,
            Some(Measure::Streak { reset, .. }) if !reset.is_empty() => true,
            Some(_) => self.counts == Counts::Accepted,
        }
    }
}

/// What a rule measures. `per` is never empty.
#[derive(Clone, Debug)]
pub enum Measure {
    Count {
        per: Vec<Field>,
        within: Span,
        over: Limit,
    },
    Sum {
        of: Field,
        per: Vec<Field>,
        within: Span,
        over: Limit,
    },
    Distinct {
        of: Field,
        per: Vec<Field>,
        within: Span,
        over: Limit,
    },
    Change {
        of: Field,
        per: Vec<Field>,
        within: Span,
    },
    Streak {
        per: Vec<Field>,
        reset: TypeSet,
        within: Span,
        at_least: u64,
        exactly: bool,
    },
    New {
        of: Field,
        per: Vec<Field>,
        within: Span,
    },
    /// `over_text` is the limit as written, for reasons.
    Idle {
        since: TypeSet,
        over: Span,
        over_text: String,
    },
    After {
        of: TypeSet,
        per: Vec<Field>,
        within: Span,
    },
}

impl Measure {
    /// The fields of its key; of `idle`, which is the wallet's alone, nothing.
    #[must_use]
    pub fn per(&self) -> Option<&[Field]> {
        match self {
            Measure::Count { per, .. }
            | Measure::Sum { per, .. }
            | Measure::Distinct { per, .. }
            | Measure::Change { per, .. }
            | Measure::Streak { per, .. }
            | Measure::New { per, .. }
            | Measure::After { per, .. } => Some(per),
            Measure::Idle { .. } => None,
        }
    }

    /// The window that it looks back over; of `idle`, which has none, nothing.
    #[must_use]
    pub fn within(&self) -> Option<Span> {
        match self {
            Measure::Count { within, .. }
            | Measure::Sum { within, .. }
            | Measure::Distinct { within, .. }
            | Measure::Change { within, .. }
            | Measure::Streak { within, .. }
            | Measure::New { within, .. }
            | Measure::After { within, .. } => Some(*within),
            Measure::Idle { .. } => None,
        }
    }
}

/// What a count or sum must exceed: a plain number, or that many of a unit at the event's local date.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    pub number: Decimal,
    pub unit: Option<UnitId>,
}

/// Where a restriction stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    #[default]
    Wallet,
    Ip,
    /// Every event of its `on`.
    All,
}

/// One restriction.
#[derive(Clone, Debug)]
pub struct Restriction {
    pub name: String,
    pub clause: Option<String>,
    pub action: Action,
    pub on: TypeSet,
    pub target: Target,
    /// It also applies to operations whose counterparty is the wallet.
    pub incoming: bool,
    pub imposed_by: TypeSet,
    /// Beside `imposed_by`: what a signal must say to impose it.
    pub when: Option<Condition>,
    pub lasts: Option<Span>,
    pub renews: bool,
    pub lifted_by: TypeSet,
    pub cancelled_by: TypeSet,
    pub confirms: bool,
    pub status: Option<String>,
}
