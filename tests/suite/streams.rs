//! Random packs and random streams, by seed. The values are few, so that keys collide; the times are placed where an
//! off-by-one hides. Nothing here knows what a decision ought to be: the reference says that, or the engine.

mod crowds;
mod onevision;
mod packs;
mod records;
mod small_sets;

use std::collections::VecDeque;

use records::{Draft, Wording};

pub use crowds::crowded_pack;
pub use onevision::default_stream;
pub use packs::random_pack;
pub use small_sets::orders_of_small_sets;

pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;
const LATENESS: i64 = 5 * MINUTE;
const DEDUP: i64 = HOUR;

/// The lengths of the sliding windows that the random packs use, in milliseconds; months aside.
const WINDOWS: &[i64] = &[10 * MINUTE, 30 * MINUTE, HOUR, 90 * MINUTE, 2 * HOUR, DAY, 3 * DAY];

/// A seed replays the world.
pub struct Random(kuzet::random::Random);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(kuzet::random::Random::new(seed ^ 0x5851_f42d_4c95_7f2d))
    }

    pub fn draw(&mut self) -> u64 {
        self.0.draw()
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a length");
        usize::try_from(self.draw() % bound).expect("below a length")
    }

    /// A number of milliseconds below `bound`.
    pub fn time_below(&mut self, bound: i64) -> i64 {
        let bound = u64::try_from(bound).expect("not negative");
        i64::try_from(self.draw() % bound).expect("below a bound")
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.draw() % 100 < percent
    }

    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last + 1);
            items.swap(last, other);
        }
    }

    /// `count` different items, in their order.
    pub fn some<T: Copy>(&mut self, items: &[T], count: usize) -> Vec<T> {
        let mut places: Vec<usize> = (0..items.len()).collect();
        self.shuffle(&mut places);
        places.truncate(count);
        places.sort_unstable();
        places.into_iter().map(|place| items[place]).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Times never go back.
    InOrder,
    /// Times go back, but never beyond lateness.
    Shuffled,
    /// Some events come far beyond lateness, up to beyond what is accepted at all.
    Late,
    /// Many repeats, some of them conflicting, and many at the edge of what is remembered.
    Duplicated,
    /// Times at the ends of windows, of days and months, of units and of everything else that has an end.
    Boundary,
    /// Some records cannot be used.
    Bad,
}

impl Shape {
    pub const ALL: &[Shape] =
        &[Shape::InOrder, Shape::Shuffled, Shape::Late, Shape::Duplicated, Shape::Boundary, Shape::Bad];
}

/// Where streams begin: before the change of Almaty's offset, before a unit's change, at month ends, or anywhere.
const BEGINNINGS: &[&str] = &[
    "2024-02-29T15:00:00Z",
    "2024-02-28T10:00:00Z",
    "2024-01-29T08:00:00Z",
    "2024-12-31T16:00:00Z",
    "2026-01-30T20:00:00Z",
    "2025-06-15T11:30:00.500Z",
    "2022-12-31T12:00:00Z",
];

/// `count` records of event types that every random pack declares.
pub fn random_stream(seed: u64, count: usize, shape: &Shape) -> Vec<Vec<u8>> {
    let mut random = Random::new(seed.wrapping_mul(31).wrapping_add(*shape as u64));
    let mut stream = Stream { clock: records::instant(random.pick(BEGINNINGS)), recent: VecDeque::new(), made: 0 };
    let mut records: Vec<(i64, Vec<u8>)> = Vec::new();
    while records.len() < count {
        let (order, record) = stream.record(&mut random, *shape);
        records.push((order, record));
    }
    if *shape == Shape::Shuffled {
        records.sort_by_key(|(order, _)| *order);
    }
    records.into_iter().map(|(_, record)| record).collect()
}

struct Stream {
    clock: i64,
    /// The last few events, to repeat them and to place others at a distance from them.
    recent: VecDeque<Draft>,
    made: usize,
}

impl Stream {
    /// One record and its place in time of arrival.
    fn record(&mut self, random: &mut Random, shape: Shape) -> (i64, Vec<u8>) {
        if shape == Shape::Duplicated && random.chance(35) && !self.recent.is_empty() {
            return (0, self.repeat(random));
        }
        let draft = if shape == Shape::Boundary {
            self.boundary(random)
        } else {
            let time = self.time(random, shape);
            Draft::random(random, format!("e{}", self.made), time)
        };
        let time = draft.time;
        self.made += 1;
        let record = if shape == Shape::Bad && random.chance(30) {
            draft.broken(random)
        } else {
            draft.print(Wording::random(random))
        };
        self.recent.push_back(draft);
        if self.recent.len() > 24 {
            self.recent.pop_front();
        }
        (time + random.time_below(LATENESS + 1), record)
    }

    fn time(&mut self, random: &mut Random, shape: Shape) -> i64 {
        match shape {
            Shape::InOrder | Shape::Shuffled | Shape::Bad => self.step(random),
            Shape::Late if random.chance(30) => self.clock - self.lag(random),
            Shape::Late => self.step(random),
            Shape::Duplicated if random.chance(25) => self.edge_of_dedup(random),
            Shape::Duplicated | Shape::Boundary => self.step(random),
        }
    }

    /// Mostly minutes, now and then days or a month, so that what lasts also ends.
    fn step(&mut self, random: &mut Random) -> i64 {
        let longest = match random.below(100) {
            0..15 => 2,
            15..50 => 5 * MINUTE,
            50..80 => 20 * MINUTE,
            80..92 => 2 * HOUR,
            92..97 => 12 * HOUR,
            97..99 => 3 * DAY,
            _ => 34 * DAY,
        };
        self.clock += random.time_below(longest);
        self.clock
    }

    fn lag(&self, random: &mut Random) -> i64 {
        let edge = random.time_below(3) - 1;
        match random.below(6) {
            0 => LATENESS + edge,
            1 => random.pick(WINDOWS) + LATENESS + edge,
            2 => 7 * DAY + edge,
            3 => random.time_below(8 * DAY),
            4 => random.time_below(DAY),
            _ => random.time_below(3 * HOUR),
        }
    }

    /// An event that puts an earlier one exactly at the end of its remembrance, or a millisecond to either side.
    fn edge_of_dedup(&mut self, random: &mut Random) -> i64 {
        let earlier = self.one_of_the_last(random, 4).map_or(self.clock, |draft| draft.time);
        let time = earlier + DEDUP + random.time_below(3) - 1;
        self.clock = self.clock.max(time);
        time
    }

    fn one_of_the_last(&self, random: &mut Random, count: usize) -> Option<Draft> {
        let near = self.recent.len().min(count);
        if near == 0 { None } else { self.recent.get(self.recent.len() - 1 - random.below(near)).cloned() }
    }

    /// The packs' own instants that the stream can still go to.
    fn instants_in_reach(&self) -> Vec<i64> {
        let instants = packs::INSTANTS.iter().map(|text| records::instant(text));
        instants.filter(|instant| (self.clock - 6 * DAY..self.clock + 4 * DAY).contains(instant)).collect()
    }

    /// A repeat of an earlier event: as it was, worded otherwise, at another time, or in conflict with it.
    fn repeat(&mut self, random: &mut Random) -> Vec<u8> {
        let place = random.below(self.recent.len());
        let mut draft = self.recent[place].clone();
        match random.below(10) {
            0 => draft.set("amount", random.pick(&["\"100\"", "100.0", "\"7.77\""])),
            1 => draft.kind = random.pick(&["payment", "topup"]).to_owned(),
            2 => draft.set("counterparty", random.pick(&["\"77010000001\"", "\"7702\""])),
            3 => draft.time = self.clock + random.time_below(3 * HOUR) - HOUR,
            4 => draft.wallet = random.pick(records::WALLETS).to_owned(),
            5 => draft.set("client_status", random.pick(&["\"identified\"", "\"unregistered\""])),
            _ => {}
        }
        draft.completed().print(Wording::random(random))
    }

    /// An event at an exact distance from an earlier one, often of the same key, or at one of the packs' own dates.
    fn boundary(&mut self, random: &mut Random) -> Draft {
        let edge = random.time_below(3) - 1;
        let near = self.one_of_the_last(random, 6);
        let origin = near.as_ref().map_or(self.clock, |draft| draft.time);
        let instants = self.instants_in_reach();
        let length = if random.chance(85) { random.pick(&WINDOWS[..5]) } else { random.pick(WINDOWS) };
        let mut time = match random.below(16) {
            0..3 => origin + length + edge,
            3 => origin + length + LATENESS + edge,
            4 => origin - length + edge,
            5 => self.clock + random.time_below(20 * MINUTE),
            6 => origin + LATENESS + edge,
            7 => origin - LATENESS + edge,
            8 => origin + DEDUP + edge,
            9 => records::next_local_midnight(origin) + edge,
            10 => records::month_later(origin) + edge,
            11 => records::late_evening(origin) + edge * HOUR,
            12..15 if !instants.is_empty() => random.pick(&instants) + edge,
            _ => origin + random.time_below(2),
        };
        // A stream that runs away by months leaves everything behind, so mostly it stays near.
        let runs_away = time > self.clock + 4 * DAY && !random.chance(12);
        let is_lost = time < self.clock - 7 * DAY - 1;
        if runs_away || is_lost || time > self.clock + 70 * DAY {
            time = self.clock + random.pick(&[0, 1, MINUTE, 10 * MINUTE]);
        }
        if time > self.clock + 7 * DAY {
            self.recent.clear();
        }
        self.clock = self.clock.max(time);
        let id = format!("e{}", self.made);
        match near {
            Some(near) if random.chance(60) => near.again(id, time),
            _ => Draft::random(random, id, time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays_the_world() {
        for shape in Shape::ALL {
            let stream = random_stream(7, 50, shape);
            assert_eq!(stream.len(), 50);
            assert_eq!(stream, random_stream(7, 50, shape));
            assert_ne!(stream, random_stream(8, 50, shape));
        }
        assert_eq!(random_pack(3), random_pack(3));
        assert_eq!(default_stream(3, 100), default_stream(3, 100));
    }
}
