//! What turned out to be fraud and what did not: labels of events, wallets and counterparties, and when each became known.
//!
//! An event without a label is not legitimate, it is *unlabelled*. Nor is one legitimate whose label came so early that fraud
//! might still have been found, or of which nobody knew anything yet at the time as of which one looks: it is *young*. Neither
//! counts for or against a rule; both are shown. What became known later counts for nothing else, so it hides no earlier label.

pub mod load;
pub mod render;
pub mod scores;

use crate::{
    event::{Event, Field, Scalar},
    time::Timestamp,
};
use std::collections::HashMap;

/// What is said of an event, a wallet or a counterparty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    Fraud,
    Legitimate,
}

impl Label {
    /// Reads `fraud`, `true`, `yes`, `1`, and `legitimate`, `false`, `no`, `0`, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Label> {
        match text.trim().to_ascii_lowercase().as_str() {
            "fraud" | "true" | "yes" | "1" => Some(Label::Fraud),
            "legitimate" | "false" | "no" | "0" => Some(Label::Legitimate),
            _ => None,
        }
    }
}

/// One label of a file.
#[derive(Clone, Debug)]
pub struct Case {
    pub label: Label,
    pub known: Option<Timestamp>,
    /// Of an event: its wallet, where the file says it; ids are unique within a wallet only.
    wallet: Option<Box<str>>,
}

/// A label's place among all of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CaseId(pub u32);

/// Where labels come from, and which of them count.
#[derive(Debug, Default)]
pub struct Labels {
    pub cases: Vec<Case>,
    events: HashMap<Box<str>, Vec<CaseId>>,
    wallets: HashMap<Box<str>, CaseId>,
    counterparties: HashMap<Box<str>, CaseId>,
    /// The field of the events themselves that says it.
    field: Option<Field>,
    /// When one looks: what became known after that is in `later`, and what says no time was not known before its event.
    as_of: Option<Timestamp>,
    later: Option<Box<Labels>>,
    /// How long after an event it is called legitimate at the earliest, in ms.
    pub age: i64,
}

/// What an event counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Fraud,
    Legitimate,
    Young,
    Unlabelled,
}

impl Class {
    pub const ALL: [Class; 4] = [Class::Fraud, Class::Legitimate, Class::Young, Class::Unlabelled];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Class::Fraud => "fraud",
            Class::Legitimate => "legitimate",
            Class::Young => "young",
            Class::Unlabelled => "unlabelled",
        }
    }
}

/// The labels that there are for one event.
#[derive(Clone, Copy, Debug)]
pub struct Labelled {
    /// What its field for labels holds, where it has one: a label, or something else.
    pub carried: Option<Option<Label>>,
    /// Its own label in a file, and those of its two sides.
    own: Option<CaseId>,
    sides: [Option<CaseId>; 2],
}

impl Labelled {
    /// Those of a file.
    pub fn cases(self) -> impl Iterator<Item = CaseId> {
        self.own.into_iter().chain(self.sides.into_iter().flatten())
    }
}

impl Labels {
    /// What an event counts as. Cases of fraud that it belongs to are appended to `cases`.
    ///
    /// The label of the event itself decides; without one, fraud of the wallet or of the counterparty outweighs a legitimate
    /// other side.
    pub fn class(&self, event: &Event<'_>, cases: &mut Vec<CaseId>) -> Class {
        self.class_by(&self.of(event), event, cases)
    }

    /// The same where it is known which labels there are for the event.
    pub fn class_by(&self, labelled: &Labelled, event: &Event<'_>, cases: &mut Vec<CaseId>) -> Class {
        match self.known_class(labelled, event, cases) {
            Class::Unlabelled if self.later.as_ref().is_some_and(|later| later.of(event).cases().next().is_some()) => {
                Class::Young
            }
            class => class,
        }
    }

    /// Which labels there are for an event.
    #[must_use]
    pub fn of(&self, event: &Event<'_>) -> Labelled {
        let of = |id: &CaseId| self.cases[id.0 as usize].wallet.as_deref().is_none_or(|wallet| wallet == event.wallet);
        let own = self.events.get(event.id).and_then(|ids| ids.iter().copied().find(of));
        let counterparty = event.counterparty.and_then(|counterparty| self.counterparties.get(counterparty));
        let carried = self.field.as_ref().and_then(|field| label_in(field, event));
        Labelled { carried, own, sides: [self.wallets.get(event.wallet).copied(), counterparty.copied()] }
    }

    fn known_class(&self, labelled: &Labelled, event: &Event<'_>, cases: &mut Vec<CaseId>) -> Class {
        let Labelled { carried, own, sides } = labelled;
        if let Some(label) = carried.flatten() {
            return self.judged(label, None, event.time);
        }
        let case = |id: &CaseId| &self.cases[id.0 as usize];
        let judged = |id: &CaseId| self.judged(case(id).label, case(id).known, event.time);
        let of_sides = || sides.iter().flatten().map(&judged).min_by_key(|class| *class as u8);
        let class = own.as_ref().map(judged).or_else(of_sides).unwrap_or(Class::Unlabelled);
        if class == Class::Fraud {
            let behind = own.map_or_else(|| sides.to_vec(), |own| vec![Some(own)]);
            cases.extend(behind.into_iter().flatten().filter(|id| judged(id) == Class::Fraud));
        }
        class
    }

    fn judged(&self, label: Label, known: Option<Timestamp>, time: Timestamp) -> Class {
        let too_late = known.is_none() && self.as_of.is_some_and(|as_of| time > as_of);
        let looked = known.or(self.as_of);
        let too_early = || self.age > 0 && looked.is_none_or(|looked| looked.0.saturating_sub(time.0) < self.age);
        match label {
            _ if too_late => Class::Young,
            Label::Fraud => Class::Fraud,
            Label::Legitimate if too_early() => Class::Young,
            Label::Legitimate => Class::Legitimate,
        }
    }
}

/// What a field of the event itself says, which may be no label; nothing where it has none.
fn label_in(field: &Field, event: &Event<'_>) -> Option<Option<Label>> {
    let text = match field {
        Field::Attribute(name) => match event.attributes.get(name)? {
            Scalar::Text(text) => text,
            Scalar::Bool(fraud) => return Some(Some(if fraud { Label::Fraud } else { Label::Legitimate })),
            Scalar::Number(number) => return Some(Label::parse(&number.normalize().to_string())),
        },
        Field::Cause => event.cause?,
        Field::Method => event.method?,
        Field::Channel => event.channel?,
        Field::Device => event.device?,
        _ => return None,
    };
    Some(Label::parse(text))
}
