//! What a key says of an event that is no earlier than anything it remembers: only the window that ends at the event
//! holds it, so that entries are asked from the newest back to where that window begins.
//!
//! These are the answers of `sliding` and `trail` to the same question; where an event is late, or a length is in
//! months, only those have one.

use super::{
    Measured, Moment,
    log::{FEW, One},
    sliding::Weighed,
};
use crate::time::Timestamp;

/// The first instant of the window of `millis` that ends at the event, less what is gone.
#[inline(always)]
fn begin(millis: i64, moment: &Moment<'_>) -> Timestamp {
    Timestamp(moment.time.max(moment.open()).0 - millis)
}

/// Measures an event with `own` value over a window of `millis`, itself included. There are at most [`FEW`] entries.
#[inline(always)]
pub fn measure<E: Weighed>(
    entries: impl Iterator<Item = (Timestamp, E)>,
    millis: i64,
    moment: &Moment<'_>,
    own: E,
) -> Measured {
    let begin = begin(millis, moment);
    let mut from = moment.time;
    let held = entries.take_while(|(time, _)| *time >= begin).inspect(|(time, _)| from = *time);
    let value = if E::DISTINCT {
        let mut values = [own.value(); FEW + 1];
        let mut different = 1;
        for (_, entry) in held {
            if !values[..different].contains(&entry.value()) {
                values[different] = entry.value();
                different += 1;
            }
        }
        different as i128
    } else {
        held.fold(own.weight(), |sum, (_, entry)| sum + entry.weight())
    };
    Measured { value, from, capped: false }
}

/// Whether the window holds an entry at `time`, which is no later than the event.
#[must_use]
#[inline(always)]
pub fn holds(time: Timestamp, millis: i64, moment: &Moment<'_>) -> bool {
    time >= begin(millis, moment)
}

/// Whether the window holds any entry, and whether it holds one of that value.
#[inline]
pub fn seen<V: PartialEq>(
    entries: impl Iterator<Item = (Timestamp, V)>,
    millis: i64,
    moment: &Moment<'_>,
    value: &V,
) -> (bool, bool) {
    let begin = begin(millis, moment);
    let mut any = false;
    for (_, found) in entries.take_while(|(time, _)| *time >= begin) {
        any = true;
        if found == *value {
            return (true, true);
        }
    }
    (any, false)
}

/// Whether the window holds any entry.
#[inline]
pub fn any(entries: impl Iterator<Item = (Timestamp, One)>, millis: i64, moment: &Moment<'_>) -> bool {
    let mut entries = entries;
    entries.next().is_some_and(|(time, _)| holds(time, millis, moment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        random::Random,
        time::{Span, Zone},
        window::{log::Weight, sliding::Window, trail::Trail},
    };

    const LENGTHS: [Span; 3] = [Span::Millis(300), Span::Millis(40), Span::Millis(0)];
    const LATENESS: i64 = 60;

    /// The lengths in ms.
    fn millis(length: Span) -> i64 {
        let Span::Millis(millis) = length else { unreachable!("all are exact") };
        millis
    }

    /// Hands `check` short logs, with an event behind all of their entries and, at times, behind its wallet's newest.
    fn logs<E: Weight>(draw: fn(&mut Random) -> E, mut check: impl FnMut(&[(Timestamp, E)], &Moment<'_>, E)) {
        let zone = Zone::load("Asia/Almaty").expect("a zone");
        let mut random = Random::new(5);
        for _ in 0..3_000 {
            let mut time = 0;
            let mut entries: Vec<(Timestamp, E)> = Vec::new();
            for _ in 0..random.below(1 + FEW as u64) {
                time += random.below_signed(40) * random.below_signed(2);
                entries.push((Timestamp(time), draw(&mut random)));
            }
            time += random.below_signed(90) * random.below_signed(2);
            let newest = time + random.below_signed(150) * random.below_signed(2);
            let (time, newest) = (Timestamp(time), Timestamp(newest));
            check(&entries, &Moment { time, newest, lateness: LATENESS, zone: &zone }, draw(&mut random));
        }
    }

    fn newest_first<E: Clone>(entries: &[(Timestamp, E)]) -> impl Iterator<Item = (Timestamp, E)> {
        entries.iter().rev().cloned()
    }

    fn measures_agree<E: Weighed>(draw: fn(&mut Random) -> E) {
        logs(draw, |entries, moment, own| {
            for (place, length) in LENGTHS.into_iter().enumerate() {
                let mut window = Window::default();
                window.refill(newest_first(entries));
                let quick = measure(newest_first(entries), millis(length), moment, own);
                assert_eq!(quick, window.measure(&LENGTHS, place, moment, own, i128::MIN), "{length:?} at {moment:?}");
            }
        });
    }

    #[test]
    fn counts_sums_and_distinct_values_are_those_of_windows() {
        measures_agree(|_| One);
        measures_agree(|random| i128::from(random.below(1_000)));
        measures_agree(|random| u128::from(random.below(6)));
    }

    #[test]
    fn neighbours_and_values_are_those_of_trails() {
        let mut found = [0; 3];
        logs(
            |random| u128::from(random.below(6)),
            |entries, moment, own| {
                let mut trail = Trail::default();
                trail.refill(newest_first(entries));
                for length in LENGTHS {
                    let last = newest_first(entries).next();
                    let last = last.filter(|(time, _)| holds(*time, millis(length), moment));
                    assert_eq!(last, trail.before(length, moment), "{length:?} at {moment:?}");
                    assert_eq!(trail.after(length, moment), None);
                    let quick = seen(newest_first(entries), millis(length), moment, &own);
                    assert_eq!(quick, trail.seen(length, moment, &own), "{length:?} at {moment:?}");
                    found[usize::from(quick.0) + usize::from(quick.1)] += 1;
                    let ones = newest_first(entries).map(|(time, _)| (time, One));
                    assert_eq!(any(ones, millis(length), moment), quick.0);
                }
            },
        );
        assert!(found.iter().all(|times| *times > 300), "{found:?} found nothing, another value, the same");
    }
}
