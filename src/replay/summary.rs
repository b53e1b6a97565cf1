//! What a replay counts: one pass of cheap additions for each record, by the places of rules and restrictions.
//!
//! Only rejects, skips and the first few flagged decisions touch texts; they are rare or few. How it is shown is the business of
//! `render`.

use super::{range::Unreported, words::Words};
use crate::{
    decision::{Action, Decision, Flags, Reason},
    event::{Event, Fault},
    files::{Extent, records::Record, sort::Order},
    hash::HashKey,
    limits,
    rules::Packs,
    state::Hash,
    time::Timestamp,
};
use hashbrown::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// Everything that a replay says at its end.
#[derive(Debug, Default)]
pub struct Summary {
    pub decided: u64,
    pub rejected: u64,
    pub skipped: u64,
    /// By [`Action`], in rising severity.
    pub actions: [u64; Action::ALL.len()],
    pub flagged: u64,
    /// Decisions with reasons, none of them a rule's.
    pub restriction_only: u64,
    /// By rule, in pack order: decisions that name it.
    pub live: Vec<u64>,
    pub shadow: Vec<u64>,
    /// By restriction, in pack order: reasons that name it.
    pub restrictions: Vec<u64>,
    /// Operations that waited and were listed.
    pub released: u64,
    pub cancelled: u64,
    pub expired: u64,
    pub late: u64,
    pub duplicate: u64,
    pub warming: u64,
    pub capped: u64,
    /// The earliest and the latest event time of all decided events.
    pub span: Option<(Timestamp, Timestamp)>,
    pub wallets: Wallets,
    pub reject_reasons: Tally,
    pub skip_reasons: Tally,
    /// The first flagged decisions in plain words, where they are wanted.
    pub first_flagged: Vec<String>,
    /// What is not reported, where a part of the records is.
    pub unreported: Option<Unreported>,
    /// What sorting came to, where the records were sorted.
    pub order: Option<Order>,
    /// What was read of a topic.
    pub extent: Option<Extent>,
    /// How long the replay took; the only figure that differs from run to run.
    pub seconds: f64,
}

impl Summary {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(packs: &Packs) -> Summary {
        Summary {
            live: vec![0; packs.rules.len()],
            shadow: vec![0; packs.rules.len()],
            restrictions: vec![0; packs.restrictions.len()],
            ..Summary::default()
        }
    }

    /// Records of any fate.
    #[must_use]
    pub fn records(&self) -> u64 {
        let unreported = self.unreported.as_ref().map_or(0, |part| part.left_out + part.warm_up + part.after);
        self.decided + self.rejected + self.skipped + unreported
    }

    /// Counts a decision that says nothing but `allow`.
    pub fn bare(&mut self, time: Timestamp) {
        self.count(Action::Allow, time);
    }

    fn count(&mut self, action: Action, time: Timestamp) {
        self.decided += 1;
        self.actions[action as usize] += 1;
        let (from, to) = self.span.unwrap_or((time, time));
        self.span = Some((from.min(time), to.max(time)));
    }

    /// Counts one decision, but not its wallet; with `words`, keeps it in plain words while there are few.
    pub fn decided(&mut self, event: &Event<'_>, decision: &Decision, words: Option<&Words<'_>>) {
        self.count(decision.action, event.time);
        if !decision.is_flagged() {
            return;
        }
        self.flagged += 1;
        self.count_reasons(decision);
        self.count_flags(decision.flags);
        if let Some(words) = words
            && self.first_flagged.len() < limits::SUMMARY_FLAGGED
        {
            self.first_flagged.push(words.sentence(event, decision));
        }
    }

    /// Nothing more comes: what was put off is done.
    pub fn settle(&mut self) {
        self.wallets.settle();
    }

    fn count_reasons(&mut self, decision: &Decision) {
        let mut rules = 0;
        for reason in &decision.reasons {
            match reason {
                Reason::Rule(reason) => {
                    rules += 1;
                    self.live[usize::from(reason.rule.0)] += 1;
                }
                Reason::Restriction(reason) => self.restrictions[usize::from(reason.restriction.0)] += 1,
            }
        }
        self.restriction_only += u64::from(rules == 0 && !decision.reasons.is_empty());
        for reason in &decision.shadow {
            self.shadow[usize::from(reason.rule.0)] += 1;
        }
        self.released += decision.released.len() as u64;
        self.cancelled += decision.cancelled.len() as u64;
        self.expired += decision.expired.len() as u64;
    }

    fn count_flags(&mut self, flags: Flags) {
        self.late += u64::from(flags.late);
        self.duplicate += u64::from(flags.duplicate);
        self.warming += u64::from(flags.warming);
        self.capped += u64::from(flags.capped);
    }

    /// Counts one rejected record.
    pub fn rejected(&mut self, source: &str, record: &Record<'_>, fault: &Fault) {
        self.rejected += 1;
        let shape = shape_of(&fault.message);
        self.reject_reasons
            .add(fault.field.as_deref(), &shape, || (format!("{source}:{}", record.line), fault.message.clone()));
    }

    /// Counts one record that the mapping skips because of `value` in the field that it makes.
    pub fn skipped(&mut self, source: &str, record: &Record<'_>, field: &str, value: &str) {
        self.skipped += 1;
        self.skip_reasons.add(Some(field), value, || (format!("{source}:{}", record.line), String::new()));
    }

    /// The figure that differs from run to run.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a speed to be read: never negative, and 53 bits of it are more than anybody reads"
    )]
    pub fn events_a_second(&self) -> u64 {
        if self.seconds > 0.0 { (self.decided as f64 / self.seconds).round() as u64 } else { 0 }
    }
}

/// What went wrong without what it went wrong with: quoted texts and figures are left out, so that a million records
/// with a million different amounts are one reason.
fn shape_of(message: &str) -> String {
    let mut shape = String::with_capacity(message.len());
    let mut quoted = false;
    for letter in message.chars() {
        if letter == '"' {
            quoted = !quoted;
            if quoted {
                shape.push('…');
            }
        } else if quoted {
        } else if letter.is_ascii_digit() {
            if !shape.ends_with('…') {
                shape.push('…');
            }
        } else {
            shape.push(letter);
        }
    }
    shape
}

/// Counts by reason, the first record of each remembered; no more than [`limits::SUMMARY_REASONS`] reasons.
#[derive(Debug, Default)]
pub struct Tally {
    pub entries: Vec<TallyEntry>,
    /// What came when there were too many different reasons to tell apart.
    pub others: u64,
}

/// One reason.
#[derive(Debug)]
pub struct TallyEntry {
    pub field: Option<String>,
    /// The reason without the values of single records.
    pub what: String,
    pub count: u64,
    /// `source:line` of the first one.
    pub place: String,
    /// What the first one said.
    pub example: String,
}

impl Tally {
    fn add(&mut self, field: Option<&str>, what: &str, first: impl FnOnce() -> (String, String)) {
        let known = self.entries.iter_mut().find(|entry| entry.field.as_deref() == field && entry.what == what);
        if let Some(entry) = known {
            entry.count += 1;
        } else if self.entries.len() < limits::SUMMARY_REASONS {
            let (place, example) = first();
            let field = field.map(str::to_owned);
            self.entries.push(TallyEntry { field, what: what.to_owned(), count: 1, place, example });
        } else {
            self.others += 1;
        }
    }

    /// The most frequent first; of equally frequent ones the one that came first.
    #[must_use]
    pub fn sorted(&self) -> Vec<&TallyEntry> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.count));
        entries
    }
}

/// How many different wallets there were, by 64-bit hashes: 10^7 wallets are miscounted with a chance of 10^-5.
///
/// The engine is not asked, because it may let go of wallets that have nothing left to remember. Hashes are gathered and
/// looked up many at a time: a look-up mostly waits for memory, and a processor waits for several at once if nothing else
/// comes between them. That took the count from 9 % of a replay to 1.5 %.
#[derive(Debug, Default)]
pub struct Wallets {
    seen: HashSet<u64, BuildHasherDefault<AsIs>>,
    /// Hashes of wallets that may have been seen already.
    gathered: Vec<u64>,
    overflowed: bool,
}

/// Hashes that are gathered before they are looked up.
const GATHERED: usize = 256;

impl Wallets {
    /// Counts a wallet. Of one set all are given so, or all by their hashes.
    pub(super) fn insert(&mut self, wallet: &str) {
        self.insert_hashed(HashKey::default().hash(wallet.as_bytes()));
    }

    /// Counts a wallet by its hash, of which the lower half will do.
    #[expect(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
    pub(super) fn insert_hashed(&mut self, wallet: Hash) {
        self.gathered.push(wallet as u64);
        if self.gathered.len() >= GATHERED {
            self.settle();
        }
    }

    /// Looks up what has been gathered.
    pub(super) fn settle(&mut self) {
        for hash in self.gathered.drain(..) {
            if self.seen.len() >= limits::SUMMARY_WALLETS {
                self.overflowed = true;
            } else {
                self.seen.insert(hash);
            }
        }
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        assert!(self.gathered.is_empty(), "a summary is read once it is settled");
        self.seen.len() as u64
    }

    /// There were more than could be counted.
    #[must_use]
    pub fn is_more(&self) -> bool {
        self.overflowed
    }
}

/// A hash of a hash is the hash.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("only 64-bit hashes are held");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_apart_without_their_values() {
        for (message, shape) in [
            ("amount: \"12.345\" has a third decimal", "amount: … has a third decimal"),
            ("amount: 1234.567 has a third decimal", "amount: ….… has a third decimal"),
            ("the record has 70000 bytes; at most 65536 are allowed", "the record has … bytes; at most … are allowed"),
            ("type: \"a 1\" is unknown", "type: … is unknown"),
        ] {
            assert_eq!(shape_of(message), shape);
        }
    }

    #[test]
    fn a_tally_is_bounded_and_sorted() {
        let mut tally = Tally::default();
        for number in 0..1_000 {
            tally.add(None, &format!("reason {}", number % 100), || (format!("x:{number}"), String::new()));
        }
        tally.add(Some("id"), "reason 3", || unreachable!("there is no room"));
        tally.add(None, "reason 3", || unreachable!("it is known"));
        assert_eq!((tally.entries.len(), tally.others), (limits::SUMMARY_REASONS, 361));
        let sorted = tally.sorted();
        assert_eq!((sorted[0].what.as_str(), sorted[0].count, sorted[0].place.as_str()), ("reason 3", 11, "x:3"));
        assert_eq!(sorted[1].what, "reason 0");
    }

    #[test]
    fn wallets_are_counted_once() {
        let mut wallets = Wallets::default();
        for number in 0..10_000 {
            wallets.insert(&(number % 777).to_string());
        }
        wallets.settle();
        assert_eq!((wallets.count(), wallets.is_more()), (777, false));
    }
}
