//! Long windows against plain lists: late events, several lengths, full keys; and how much of a long log one event
//! touches, which is what keeps a hot wallet as cheap as a quiet one.

use super::{
    Moment,
    calendar::{Periods, Values},
    log::One,
    sliding::{Weighed, Window},
    touched,
    trail::Trail,
};
use crate::{
    limits,
    time::{Calendar, Span, Timestamp, Zone},
};
use std::cell::Cell;

thread_local! {
    /// Entries that a key of this test may hold.
    pub static MOST: Cell<usize> = const { Cell::new(limits::WINDOW_EVENTS) };
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

/// A stream of events, and what is asked of it.
#[derive(Clone, Copy, Debug)]
struct Stream {
    seed: u64,
    steps: usize,
    /// Events an ms.
    density: i64,
    /// One event in four is late by up to so many ms.
    late: i64,
    /// Different values.
    values: i64,
    /// Entries that the key may hold.
    most: usize,
}

const LATENESS: i64 = 60;
const LENGTHS: [i64; 3] = [300, 1_000, 9];
const LONGEST: i64 = 1_000;

/// What a key remembers, in a plain list.
struct Plain<E> {
    entries: Vec<(i64, E)>,
    dropped: Option<i64>,
}

impl<E: Copy> Plain<E> {
    fn forget(&mut self, newest: i64) {
        self.entries.retain(|(time, _)| *time >= newest - LATENESS - LONGEST);
    }

    fn make_room(&mut self, most: usize) {
        while self.entries.len() >= most {
            let (time, _) = self.entries.remove(0);
            self.dropped = self.dropped.max(Some(time));
        }
    }

    fn insert(&mut self, time: i64, own: E) {
        let at = self.entries.partition_point(|(earlier, _)| *earlier <= time);
        self.entries.insert(at, (time, own));
    }

    /// The heaviest of all windows that hold the event, over what is not gone, and its first entry.
    fn heaviest(&self, own: (i64, E), millis: i64, newest: i64, weigh: fn(&[E]) -> i128) -> (i128, i64) {
        let mut all = Plain { entries: self.entries.clone(), dropped: None };
        all.entries.retain(|(time, _)| *time >= newest - LATENESS - millis);
        all.insert(own.0, own.1);
        let mut best: Option<(i128, i64)> = None;
        let mut window = Vec::new();
        let mut asked = None;
        for (end, _) in all.entries.iter().filter(|(time, _)| (own.0..=own.0 + millis).contains(time)) {
            if asked.replace(*end) == Some(*end) {
                continue;
            }
            let held = || all.entries.iter().filter(|(time, _)| (end - millis..=*end).contains(time));
            window.clear();
            window.extend(held().map(|(_, entry)| *entry));
            let weight = weigh(&window);
            if best.is_none_or(|(highest, _)| weight > highest) {
                best = Some((weight, held().next().expect("it holds the event").0));
            }
        }
        best.expect("the event's own window")
    }
}

/// Feeds a stream to `event`, which is given the event's time, the newest time, and a number to make a value of.
fn feed(stream: Stream, mut event: impl FnMut(usize, i64, i64, i64, &mut Random)) {
    MOST.set(stream.most);
    let mut random = Random(stream.seed);
    let (mut clock, mut newest) = (0, 0);
    for step in 0..stream.steps {
        clock += i64::from(random.below(stream.density) == 0);
        // Now and then nothing happens for a while, sometimes for longer than anything is kept.
        clock += if random.below(4_000) == 0 { random.below(2 * LONGEST) } else { 0 };
        let late = if stream.late > 0 && random.below(4) == 0 { random.below(stream.late) } else { 0 };
        let time = clock - late;
        // Other events of the wallet move the newest time, too.
        newest = newest.max(time + if random.below(500) == 0 { random.below(LATENESS) } else { 0 });
        let value = random.below(stream.values);
        event(step, time, newest, value, &mut random);
    }
}

fn check<E: Weighed + std::fmt::Debug>(stream: Stream, make: fn(i64) -> E, weigh: fn(&[E]) -> i128) {
    let zone = Zone::load("Asia/Almaty").expect("a zone");
    let lengths = LENGTHS.map(Span::Millis);
    let mut window: Window<E> = Window::default();
    let mut plain: Plain<E> = Plain { entries: Vec::new(), dropped: None };
    feed(stream, |step, time, newest, value, random| {
        let own = make(value);
        let moment = Moment { time: Timestamp(time), newest: Timestamp(newest), lateness: LATENESS, zone: &zone };
        plain.forget(newest);
        plain.make_room(stream.most);
        let asked = random.below(40) == 0;
        for (length, millis) in LENGTHS.into_iter().enumerate() {
            let measured = window.measure(&lengths, length, &moment, own, i128::MIN);
            if asked {
                let (weight, from) = plain.heaviest((time, own), millis, newest, weigh);
                let floor = newest - LATENESS - millis;
                let capped = plain.dropped.is_some_and(|dropped| dropped >= (time - millis).max(floor));
                let expected = (weight, Timestamp(from), capped);
                assert_eq!((measured.value, measured.from, measured.capped), expected, "{stream:?} {step} {millis}");
            }
        }
        // What is refused is measured and not remembered.
        if random.below(8) > 0 {
            window.remember(&lengths, &moment, own);
            if time >= newest - LATENESS - LONGEST {
                plain.insert(time, own);
            }
        }
        if random.below(3_000) == 0 {
            window.forget_lengths();
        }
    });
}

fn distinct(held: &[u128]) -> i128 {
    let mut values = held.to_vec();
    values.sort_unstable();
    values.dedup();
    values.len() as i128
}

/// A value whose halves both look like a hash.
fn hash(number: i64) -> u128 {
    (u128::from(number.unsigned_abs()) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
}

const STREAM: Stream =
    Stream { seed: 1, steps: 8_000, density: 2, late: LATENESS, values: 1_000, most: limits::WINDOW_EVENTS };

#[test]
fn long_windows_are_the_heaviest_that_hold_the_event() {
    for (seed, late) in [(1, 0), (2, LATENESS), (3, LATENESS), (4, 3 * LATENESS), (5, 1_500)] {
        let stream = Stream { seed, late, ..STREAM };
        check(stream, |_| One, |held| held.len() as i128);
        check(stream, i128::from, |held| held.iter().sum());
        check(stream, |number| i128::from(number) * 10_i128.pow(19), |held| held.iter().sum());
        for values in [1, 3, 40, 1_000, 100_000] {
            check(Stream { steps: 4_000, values, ..stream }, hash, distinct);
        }
    }
}

#[test]
fn a_full_key_drops_its_oldest() {
    for seed in 0..3 {
        let stream = Stream { seed, most: 700, ..STREAM };
        check(stream, |_| One, |held| held.len() as i128);
        check(stream, i128::from, |held| held.iter().sum());
        for values in [2, 40, 1_000, 100_000] {
            check(Stream { late: 0, values, ..stream }, hash, distinct);
        }
    }
}

#[test]
fn long_trails_are_what_a_plain_list_says() {
    for (seed, late, most) in [(1, 0, 1 << 20), (2, LATENESS, 1 << 20), (3, 1_500, 1 << 20), (4, 0, 700)] {
        let zone = Zone::load("Asia/Almaty").expect("a zone");
        let lengths = LENGTHS.map(Span::Millis);
        for values in [1, 40, 1_000, 100_000] {
            let stream = Stream { seed, late, most, values, ..STREAM };
            let mut trail: Trail<u128> = Trail::default();
            let mut plain: Plain<u128> = Plain { entries: Vec::new(), dropped: None };
            feed(stream, |step, time, newest, value, random| {
                let own = hash(value);
                let moment =
                    Moment { time: Timestamp(time), newest: Timestamp(newest), lateness: LATENESS, zone: &zone };
                for millis in LENGTHS {
                    let floor = newest - LATENESS - millis;
                    let held = |from: i64, to: i64| {
                        let kept = plain.entries.iter().filter(move |(time, _)| *time >= floor);
                        kept.filter(move |(time, _)| (from..=to).contains(time))
                            .map(|(time, own)| (Timestamp(*time), *own))
                    };
                    let within = Span::Millis(millis);
                    let context = || format!("{stream:?} {step} {millis}");
                    assert_eq!(trail.before(within, &moment), held(time - millis, time).next_back(), "{}", context());
                    assert_eq!(trail.after(within, &moment), held(time + 1, time + millis).next(), "{}", context());
                    let same = held(time - millis, time).any(|(_, other)| other == own);
                    let any = held(time - millis, time).next().is_some();
                    let (some, seen) = trail.seen(within, &moment, &own);
                    assert_eq!((some, some && seen), (any, same), "{}", context());
                }
                plain.forget(newest);
                if random.below(8) > 0 && time >= newest - LATENESS - LONGEST {
                    plain.make_room(stream.most);
                    plain.insert(time, own);
                    trail.remember(&lengths, &moment, own);
                }
            });
        }
    }
}

/// Something that measures and remembers events with a time, the newest time and a number.
type Measure = Box<dyn FnMut(&Moment<'_>, i64)>;

/// Every measure that keeps more than one number, over windows of so many ms.
fn measures(millis: i64) -> Vec<(&'static str, Measure)> {
    fn sliding<E: Weighed + 'static>(millis: i64, make: fn(i64) -> E) -> Measure {
        let (mut window, lengths) = (Window::default(), [Span::Millis(millis), Span::Millis(millis / 3)]);
        Box::new(move |moment, number| {
            for length in 0..lengths.len() {
                window.measure(&lengths, length, moment, make(number), i128::MAX);
            }
            window.remember(&lengths, moment, make(number));
        })
    }
    let (mut seen, mut neighbours, mut after) = (Trail::default(), Trail::default(), Trail::default());
    let mut day: Periods<Values> = Periods::default();
    let within = Span::Millis(millis);
    vec![
        ("count", sliding(millis, |_| One)),
        ("sum", sliding(millis, i128::from)),
        ("distinct, few values", sliding(millis, |number| hash(number % 50))),
        ("distinct, many values", sliding(millis, hash)),
        (
            "new",
            Box::new(move |moment, number| {
                let _ = seen.seen(within, moment, &hash(number));
                seen.remember(&[within], moment, hash(number));
            }),
        ),
        (
            "change",
            Box::new(move |moment, number| {
                let _ = (neighbours.before(within, moment), neighbours.after(within, moment));
                neighbours.remember(&[within], moment, i128::from(number));
            }),
        ),
        (
            "after",
            Box::new(move |moment, _| {
                let _ = after.seen(within, moment, &One);
                after.remember(&[within], moment, One);
            }),
        ),
        (
            "distinct of a day",
            Box::new(move |moment, number| {
                let _ = day.total(Calendar::Day, moment, hash(number));
                day.remember(Calendar::Day, moment, hash(number));
            }),
        ),
    ]
}

/// Entries touched per event, on average and at most, by a measure whose window has so many entries, one each ms.
fn touches(measure: &mut Measure, entries: i64, late: i64) -> (usize, usize) {
    let zone = Zone::load("Asia/Almaty").expect("a zone");
    let mut random = Random(1);
    // Events by the time at which they arrive.
    let mut arrivals: Vec<(i64, i64)> =
        (0..2 * entries).map(|time| (time + if late > 0 { random.below(late) } else { 0 }, time)).collect();
    arrivals.sort_unstable();
    let (mut newest, mut all, mut worst) = (0, 0, 0);
    touched::take();
    let warm = arrivals.len() / 2;
    for (number, (_, time)) in arrivals.iter().enumerate() {
        newest = newest.max(*time);
        let moment = Moment { time: Timestamp(*time), newest: Timestamp(newest), lateness: late.max(300), zone: &zone };
        measure(&moment, random.below(entries));
        let touched = touched::take();
        if number >= warm {
            (all, worst) = (all + touched, worst.max(touched));
        }
    }
    (all / (arrivals.len() - warm), worst)
}

/// Most entries that one event may touch, on average and at all, of two lengths together. The most is a piece of an index
/// that is split, each entry of which is looked at and every other one put, or a leaf and its node.
const IN_ORDER: (usize, usize) = (40, 1_100);
const SHUFFLED: (usize, usize) = (350, 2_500);

#[test]
fn an_event_touches_few_entries_however_long_the_window_is() {
    for (late, (mean, most)) in [(0, IN_ORDER), (2_000, SHUFFLED)] {
        for (short, long) in measures(20_000).iter_mut().zip(&mut measures(200_000)) {
            let few = touches(&mut short.1, 20_000, late);
            let many = touches(&mut long.1, 200_000, late);
            println!("{}, late by {late}: {few:?}, {many:?} touched", long.0);
            assert!(many.0 <= mean && many.1 <= most, "{}: {many:?} touched, late by {late}", long.0);
            assert!(many.0 <= few.0 + few.0 / 10 + 1, "{}: {many:?} are touched for {few:?}", long.0);
        }
    }
}
