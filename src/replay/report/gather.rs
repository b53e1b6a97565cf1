//! What a report counts while records go by, beside the summary: when, at what hours, with which scores, on whom.
//!
//! Everything is a sum in a bounded place. Repeats of an event are decisions like any other over time and by hours; scores and
//! wallets leave them out, as the labels do.

use super::{buckets::Buckets, wallets::Wallets};
use crate::{
    decision::{Action, Decision},
    event::Event,
    files::records::Record,
    limits,
    replay::{
        Outcome,
        companion::Companion,
        labels::{Class, Labels},
    },
    time::Zone,
};
use std::sync::Arc;

const HOUR: i64 = 60 * 60 * 1_000;
/// 1970-01-01 was a Thursday, and weeks begin on a Monday.
const FIRST_DAY: i64 = 3;

/// Decisions of one hour of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfHour {
    pub all: u64,
    /// More than `allow`.
    pub acted: u64,
}

/// The counts of a report.
pub struct Gathered {
    zone: Zone,
    labels: Option<Arc<Labels>>,
    pub over_time: Buckets,
    /// Amounts of operations by action, repeats left out.
    pub money: [i128; Action::ALL.len()],
    /// By day of the week from Monday on, and hour, in the packs' time zone.
    pub hours: [[OfHour; 24]; 7],
    /// By score from 0 to [`limits::SCORE`], events by what they turned out to be; without labels all are unlabelled.
    pub scores: Vec<[u64; Class::ALL.len()]>,
    pub wallets: Wallets,
}

impl Gathered {
    #[must_use]
    pub fn new(zone: &Zone, labels: Option<Arc<Labels>>) -> Gathered {
        Gathered {
            zone: zone.clone(),
            labels,
            over_time: Buckets::default(),
            money: Default::default(),
            hours: Default::default(),
            scores: vec![Default::default(); usize::from(limits::SCORE) + 1],
            wallets: Wallets::new(),
        }
    }

    fn decided(&mut self, event: &Event<'_>, decision: &Decision) {
        let local = self.zone.local(event.time);
        self.over_time.add(local, decision.action);
        let hours = local.div_euclid(HOUR);
        let place = |number: i64| usize::try_from(number).expect("a remainder is small and not negative");
        let of_hour =
            &mut self.hours[place((hours.div_euclid(24) + FIRST_DAY).rem_euclid(7))][place(hours.rem_euclid(24))];
        of_hour.all += 1;
        of_hour.acted += u64::from(decision.action > Action::Allow);
        if decision.flags.duplicate {
            return;
        }
        self.money[decision.action as usize] += event.amount.map_or(0, |amount| i128::from(amount.0));
        let class = self.labels.as_ref().map_or(Class::Unlabelled, |labels| labels.class(event, &mut Vec::new()));
        self.scores[usize::from(decision.score)][class as usize] += 1;
        self.wallets.add(event, decision);
    }

    /// Nothing more comes.
    pub fn settle(&mut self) {
        self.over_time.finish();
    }
}

impl Companion for Gathered {
    fn look_ahead(&mut self, _: &mut dyn Iterator<Item = &Event<'_>>) {}

    fn see(&mut self, _: usize, _: &Record<'_>, outcome: &Outcome<'_>) {
        if let Outcome::Decided { event, decision, .. } = outcome {
            self.decided(event, decision);
        }
    }
}
