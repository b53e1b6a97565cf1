//! The five streams that throughput is measured on: one day of events, by shape.
//!
//! A stream of n events has n / 10 wallets, so that a wallet makes ten a day whatever the size. Ids are unique and, but
//! for one shape, times rise: neither of the loops written by hand knows duplicates or late events.

use super::draft::{ABROAD, Draft, Kind, octaves};
use kuzet::{random::Random, time::Timestamp};

/// How events are spread over wallets and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Every wallet is as likely as every other.
    Uniform,
    /// The k-th wallet is about 1/k times as likely as the first, which has one event in seventeen at a million.
    Skewed,
    /// One wallet makes half of all events, the others are uniform.
    Hot,
    /// As skewed, and each event arrives up to 299 s after it happened: within the lateness of 5 min.
    Shuffled,
    /// Half of the events belong to bursts: 24 equal large transfers of one wallet, from changing countries.
    Bursts,
}

/// 2026-03-02 14:00 in Almaty; midnight comes after ten hours.
const START: Timestamp = Timestamp(1_772_442_000_000);
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const MOST_LATE_MS: u64 = 299_000;
/// Transfers of one burst.
const BURST: u64 = 24;

impl Shape {
    pub const ALL: [Shape; 5] = [Shape::Uniform, Shape::Skewed, Shape::Hot, Shape::Shuffled, Shape::Bursts];

    pub fn name(self) -> &'static str {
        match self {
            Shape::Uniform => "uniform",
            Shape::Skewed => "skewed",
            Shape::Hot => "hot",
            Shape::Shuffled => "shuffled",
            Shape::Bursts => "bursts",
        }
    }

    /// `events` records as NDJSON.
    pub fn write(self, events: u64) -> Vec<u8> {
        let mut random = Random::new(7);
        let mut bursts = Bursts::new(events);
        let drafts: Vec<Draft> =
            (0..events).map(|number| self.draft(number, events, &mut random, &mut bursts)).collect();
        let mut order: Vec<(Timestamp, usize)> = drafts.iter().map(|draft| draft.time).zip(0..).collect();
        if self == Shape::Shuffled {
            for (arrival, _) in &mut order {
                arrival.0 += i64::try_from(random.below(MOST_LATE_MS)).expect("below five minutes");
            }
            order.sort_unstable();
        }
        let mut out = Vec::with_capacity(drafts.len() * 220);
        for (_, number) in order {
            drafts[number].write(number as u64, &mut out);
            out.push(b'\n');
        }
        out
    }

    fn draft(self, number: u64, events: u64, random: &mut Random, bursts: &mut Bursts) -> Draft {
        let time = Timestamp(START.0 + i64::try_from(number * DAY_MS / events).expect("within a day"));
        let wallets = (events / 10).max(1);
        let wallet = match self {
            Shape::Uniform | Shape::Bursts => random.below(wallets),
            Shape::Skewed | Shape::Shuffled => octaves(random, 0, wallets.ilog2().max(1)) - 1,
            Shape::Hot if random.below(2) == 0 => wallets,
            Shape::Hot => random.below(wallets),
        };
        if self == Shape::Bursts && random.below(2) == 0 {
            return bursts.next(wallets, time, random);
        }
        Draft::random(random, wallet, time)
    }
}

/// Bursts under way: each a transfer to be made again, and how often.
struct Bursts(Vec<(Draft, u64)>);

impl Bursts {
    /// Few enough at a time that a burst is over within half an hour, whatever the size of the stream.
    fn new(events: u64) -> Bursts {
        let slots = events.div_ceil(100_000);
        Bursts((0..slots).map(|_| (Draft::random(&mut Random::new(0), 0, START), 0)).collect())
    }

    fn next(&mut self, wallets: u64, time: Timestamp, random: &mut Random) -> Draft {
        let slot = random.place(self.0.len());
        let (draft, left) = &mut self.0[slot];
        if *left == 0 {
            let (wallet, amount) = (random.below(wallets), 10_100_000 + random.below(1_000) * 1_000);
            let anonymous = random.below(2) == 0;
            *draft = Draft { kind: Kind::Transfer, amount, anonymous, ..Draft::random(random, wallet, time) };
            *left = BURST;
        }
        *left -= 1;
        draft.time = time;
        draft.country = if *left % 4 == 0 { ABROAD[slot % ABROAD.len()] } else { "KZ" };
        draft.clone()
    }
}
