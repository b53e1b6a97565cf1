//! What a rule measures, what it must exceed, and what its state is addressed by.

use super::{Linker, meant, place};
use crate::{
    event::{Field, FieldType},
    limits,
    number::Decimal,
    rules::{
        Counts, Limit, Measure, UnitId,
        pack::read::{Draft, DraftMeasure, DraftRule, Name, Spot},
    },
    time::Span,
};
use sha2::{Digest, Sha256};

impl Linker {
    pub(super) fn measure(&mut self, draft: &Draft, written: &DraftRule) -> Option<Measure> {
        let (first, others) = written.measures.split_first()?;
        for other in others {
            let message = format!(
                "a rule has at most one measure, and this one has `{}` and `{}`",
                first.value.kind, other.value.kind
            );
            let (here, before) = (place(draft, &other.span), place(draft, &first.span));
            self.clash(message, &here, &before, "make two rules of it");
        }
        self.one_measure(draft, written, first)
    }

    pub(super) fn one_measure(
        &mut self,
        draft: &Draft,
        written: &DraftRule,
        spot: &Spot<DraftMeasure>,
    ) -> Option<Measure> {
        let measure = &spot.value;
        let per = self.per(draft, measure);
        let of = || measure.of.as_ref().map(|of| of.value.clone());
        let within = || measure.within.as_ref().map(|within| within.value);
        Some(match measure.kind {
            "count" => Measure::Count { over: self.count_limit(draft, measure)?, per, within: within()? },
            "distinct" => {
                Measure::Distinct { of: of()?, over: self.count_limit(draft, measure)?, per, within: within()? }
            }
            "sum" => {
                self.summed(draft, measure);
                Measure::Sum { of: of()?, over: self.sum_limit(draft, measure)?, per, within: within()? }
            }
            "change" => Measure::Change { of: of()?, per, within: within()? },
            "new" => Measure::New { of: of()?, per, within: within()? },
            "streak" => {
                let reset = self.types(draft, &measure.types);
                self.self_resetting(draft, written, measure);
                let (at_least, exactly) = self.place_in_row(draft, spot)?;
                Measure::Streak { per, reset, within: within()?, at_least, exactly }
            }
            "idle" => {
                let since = self.types(draft, &measure.types);
                let (over, over_text) = measure.idle.clone()?;
                Measure::Idle { since, over, over_text }
            }
            _ => Measure::After { of: self.types(draft, &measure.types), per, within: within()? },
        })
    }

    /// What is counted apart: the wallet where nothing else is said.
    pub(super) fn per(&mut self, draft: &Draft, measure: &DraftMeasure) -> Vec<Field> {
        let mut per: Vec<Field> = Vec::new();
        for field in &measure.per {
            if per.contains(&field.value) {
                let message = format!("`{}` is named twice in `per`", field.value.name());
                self.error(message, &place(draft, &field.span), "again", "remove one");
                continue;
            }
            per.push(field.value.clone());
        }
        if per.is_empty() { vec![Field::Wallet] } else { per }
    }

    /// Only amounts and attributes can be added up.
    pub(super) fn summed(&mut self, draft: &Draft, measure: &DraftMeasure) {
        let Some(of) = &measure.of else { return };
        if of.value != Field::Amount && of.value.value_type() != FieldType::Any {
            let message = format!("`{}` cannot be added up", of.value.name());
            let help = "sum `amount`, or a number in `attributes`";
            self.error(message, &place(draft, &of.span), "here", help);
        }
    }

    pub(super) fn count_limit(&mut self, draft: &Draft, measure: &DraftMeasure) -> Option<Limit> {
        let Spot { value: (number, unit), span } = measure.over.as_ref()?;
        let here = place(draft, span);
        let kind = measure.kind;
        if unit.is_some() {
            let message = format!("a `{kind}` has no unit");
            self.error(message, &here, "here", "write a whole number; only a `sum` is over so many units");
        } else if !number.fract().is_zero() {
            self.error(format!("a `{kind}` is a whole number"), &here, "here", "write a whole number");
        }
        Some(Limit { number: *number, unit: None })
    }

    pub(super) fn sum_limit(&mut self, draft: &Draft, measure: &DraftMeasure) -> Option<Limit> {
        let Spot { value: (number, name), span } = measure.over.as_ref()?;
        let here = place(draft, span);
        let Some(name) = name else {
            let amount = measure.of.as_ref().is_some_and(|of| of.value == Field::Amount);
            let most = if amount { limits::AMOUNT_FRACTION_DIGITS } else { limits::ATTRIBUTE_FRACTION_DIGITS };
            if number.scale() as usize > most {
                let message =
                    format!("the limit has {} decimals, more than the {most} of what is summed", number.scale());
                self.error(message, &here, "here", format!("write at most {most} digits after the point"));
            }
            return Some(Limit { number: *number, unit: None });
        };
        let Some(unit) = self.units.iter().position(|unit| unit.name == *name) else {
            let known = self.units.iter().map(|unit| unit.name.as_str());
            let help =
                meant(name, known, format!("declare it with `[units.{name}]`, or name the pack that does in `uses`"));
            let spot = Name { value: name.clone(), span: span.clone() };
            self.unknown(format!("no unit is called `{name}`"), draft, &spot, help);
            return None;
        };
        if self.units[unit].worth.iter().any(|(_, worth)| !exact(*number, *worth)) {
            let message = format!("so many `{name}` cannot be multiplied out exactly");
            self.error(message, &here, "here", "write a smaller number, or one with fewer decimals");
        }
        Some(Limit { number: *number, unit: Some(UnitId(u16::try_from(unit).ok()?)) })
    }

    /// `from` or `at`, one of them.
    pub(super) fn place_in_row(&mut self, draft: &Draft, spot: &Spot<DraftMeasure>) -> Option<(u64, bool)> {
        match (&spot.value.from, &spot.value.at) {
            (Some(from), None) => Some((from.value, false)),
            (None, Some(at)) => Some((at.value, true)),
            (Some(from), Some(at)) => {
                let (here, before) = (place(draft, &at.span), place(draft, &from.span));
                let help = "keep `from` for that event and all after it, `at` for that one alone";
                self.clash("a streak has `from` or `at`, not both".to_owned(), &here, &before, help);
                None
            }
            (None, None) => {
                if draft.complete {
                    let message = "a streak needs `from` or `at`".to_owned();
                    let help = "write `from = 3` for the third in a row and all after it, `at = 3` for the third alone";
                    self.error(message, &place(draft, &spot.span), "here", help);
                }
                None
            }
        }
    }

    /// A type that both counts and resets would never make a row.
    pub(super) fn self_resetting(&mut self, draft: &Draft, written: &DraftRule, measure: &DraftMeasure) {
        for reset in &measure.types {
            if written.on.iter().any(|on| on.value == reset.value) {
                let message = format!("`{}` is counted by this streak and also ends it", reset.value);
                self.warn(message, &place(draft, &reset.span), "here", "remove it from `reset` or from `on`");
            }
        }
    }
}

/// Whether the product of two decimals needs no rounding.
fn exact(number: Decimal, worth: Decimal) -> bool {
    const MANTISSA: i128 = 1 << 96;
    number.mantissa().checked_mul(worth.mantissa()).is_some_and(|product| product < MANTISSA)
        && number.scale() + worth.scale() <= 28
}

/// What state is addressed by over reloads: the rule's id and what decides what its measure remembers.
///
/// What `within` and `over` say of a sliding window is left out: a rule whose window is made longer keeps what it has.
pub(super) fn identity(written: &DraftRule) -> u64 {
    let sorted = |names: &[Name]| {
        let mut names: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.join(",")
    };
    let mut parts = vec![
        written.id.as_ref().map(|id| id.value.clone()).unwrap_or_default(),
        sorted(&written.on),
        written.when.as_ref().map(|when| when.value.clone()).unwrap_or_default(),
        match written.counts {
            Counts::Attempted => "attempted".to_owned(),
            Counts::Accepted => "accepted".to_owned(),
        },
    ];
    if let Some(Spot { value: measure, .. }) = written.measures.first() {
        let per: Vec<_> = measure.per.iter().map(|field| field.value.name()).collect();
        parts.push(measure.kind.to_owned());
        parts.push(measure.of.as_ref().map(|of| of.value.name().into_owned()).unwrap_or_default());
        parts.push(if per.is_empty() { Field::Wallet.name().into_owned() } else { per.join(",") });
        parts.push(sorted(&measure.types));
        parts.push(match measure.within.as_ref().map(|within| within.value) {
            Some(calendar @ Span::Calendar(_)) => calendar.to_string(),
            _ => "sliding".to_owned(),
        });
        parts.push(if measure.at.is_some() { "at" } else { "from" }.to_owned());
    }
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let (first, _) = digest.split_first_chunk::<8>().expect("SHA-256 has 32 bytes");
    u64::from_be_bytes(*first)
}
