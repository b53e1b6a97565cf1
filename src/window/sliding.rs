//! Counts, sums and distinct values over sliding windows.
//!
//! One [`Window`] serves every rule that measures the same entries, whatever the rules' lengths: the log holds what
//! the longest needs, and each length asks for its own part. Short logs are scanned. Long ones answer from prefixes
//! while events come in order; after the first late one every entry also knows the window that begins at it
//! ([`Chunks::add`]), and nothing is rescanned. Distinct values always need that second shape once a log is long.

use super::{
    Measured, Moment, Reach,
    kept::{Kept, Places},
    log::{Chunks, Log, One, Place, Weight},
};
use crate::time::{Span, Timestamp};

/// Which function of its entries a window computes; the entry's type decides.
pub trait Entry: Weight + PartialEq {
    /// Whether equal values count once.
    const DISTINCT: bool;
    /// A value to look for; of no meaning where equal values are not the same.
    fn value(&self) -> u128;
}

impl Entry for One {
    const DISTINCT: bool = false;
    fn value(&self) -> u128 {
        0
    }
}

impl Entry for i128 {
    const DISTINCT: bool = false;
    fn value(&self) -> u128 {
        0
    }
}

impl Entry for u128 {
    const DISTINCT: bool = true;
    fn value(&self) -> u128 {
        *self
    }
}

/// What is remembered of one key for one or more sliding measures.
#[derive(Clone, Debug)]
pub struct Window<E> {
    kept: Kept<E>,
}

impl<E> Default for Window<E> {
    fn default() -> Self {
        Window { kept: Kept::default() }
    }
}

impl<E: Entry + Copy> Window<E> {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.log.is_empty()
    }

    /// The time of the newest entry.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.kept.log.last().map(|(time, _)| time)
    }

    /// All entries in order, where there are few of them.
    #[must_use]
    pub fn short(&self) -> Option<&[(Timestamp, E)]> {
        self.kept.log.short()
    }

    /// Empties it; the room for few entries is kept.
    pub fn clear(&mut self) {
        self.kept.clear();
    }

    /// Takes `entries`, which are in the order (time, arrival), in place of what it has.
    pub fn refill(&mut self, entries: impl Iterator<Item = (Timestamp, E)>) {
        self.kept.refill(entries);
    }

    /// Measures an event with `own` value over length number `length` of `lengths`, itself included.
    pub fn measure(&mut self, lengths: &[Span], length: usize, moment: &Moment<'_>, own: E) -> Measured {
        self.kept.make_room(lengths, moment);
        let reach = Reach::new(lengths[length], moment);
        let capped = self.kept.capped(&reach, moment.time);
        if let Some(millis) = reach.millis()
            && matches!(self.kept.log, Log::Many(_))
        {
            let late = self.kept.log.last().is_some_and(|(last, _)| last > moment.time);
            if late || E::DISTINCT {
                self.index(lengths);
            }
            let Log::Many(chunks) = &self.kept.log else { unreachable!("an index changes no shape") };
            let question = Question { chunks, places: self.kept.places(), millis, length, floor: reach.floor() };
            let (value, from) = question.answer(moment.time, own, late);
            return Measured { value, from, capped };
        }
        let (value, from) = scan(&self.kept.log, &reach, moment.time, own);
        Measured { value, from, capped }
    }

    /// Remembers an event that was measured before, unless it is gone already.
    pub fn remember(&mut self, lengths: &[Span], moment: &Moment<'_>, own: E) {
        self.kept.remember(lengths, moment, own, |log, places, own| match log {
            Log::Many(chunks) if chunks.has_peaks() => insert_with_peaks(chunks, places, lengths, moment.time, own),
            log => log.insert(moment.time, own),
        });
    }

    /// Lets go of what no length can reach any more.
    pub fn forget(&mut self, lengths: &[Span], moment: &Moment<'_>) {
        self.kept.forget(lengths, moment);
    }

    /// Forgets what was worked out for each length; it is worked out again when it is needed.
    pub fn forget_lengths(&mut self) {
        if let Log::Many(chunks) = &mut self.kept.log {
            chunks.drop_peaks();
        }
    }

    /// Gives a long log its peaks, once.
    fn index(&mut self, lengths: &[Span]) {
        let Log::Many(chunks) = &mut self.kept.log else { return };
        if chunks.has_peaks() {
            return;
        }
        let millis: Vec<Option<i64>> = lengths.iter().map(|length| exact(*length)).collect();
        let weights: Vec<Vec<i128>> = millis.iter().map(|millis| weights_of(chunks, *millis)).collect();
        let mut next = vec![0; lengths.len()];
        chunks.build_peaks(lengths.len(), |_, length, _| {
            let at = next[length];
            next[length] += 1;
            weights[length][at]
        });
    }
}

fn exact(length: Span) -> Option<i64> {
    match length {
        Span::Millis(millis) => Some(millis),
        _ => None,
    }
}

/// The weight of the window that begins at each entry, by one sweep with two ends.
fn weights_of<E: Entry + Copy>(chunks: &Chunks<E>, millis: Option<i64>) -> Vec<i128> {
    let mut entries = Vec::new();
    let mut place = chunks.lower(Timestamp(i64::MIN));
    while let Some(entry) = chunks.get(place) {
        entries.push(entry);
        place = chunks.next(place);
    }
    let Some(millis) = millis else {
        return vec![0; entries.len()];
    };
    let mut weights = vec![0; entries.len()];
    let mut end = 0;
    let mut weight = 0;
    let mut seen: std::collections::HashMap<u128, usize> = std::collections::HashMap::new();
    for (start, (time, own)) in entries.iter().enumerate() {
        while end < entries.len() && entries[end].0.0 <= time.0 + millis {
            let (_, entering) = entries[end];
            if E::DISTINCT {
                let times = seen.entry(entering.value()).or_default();
                weight += i128::from(*times == 0);
                *times += 1;
            } else {
                weight += entering.weight();
            }
            end += 1;
        }
        weights[start] = weight;
        if E::DISTINCT {
            let times = seen.get_mut(&own.value()).expect("what leaves the window has entered it");
            *times -= 1;
            weight -= i128::from(*times == 0);
        } else {
            weight -= own.weight();
        }
    }
    weights
}

/// Inserts an entry into a log that knows its peaks: the windows that hold it gain, and its own is added.
fn insert_with_peaks<E: Entry + Copy>(
    chunks: &mut Chunks<E>,
    places: &Places,
    lengths: &[Span],
    time: Timestamp,
    own: E,
) {
    let mut peaks = Vec::with_capacity(lengths.len());
    for (length, span) in lengths.iter().enumerate() {
        let Some(millis) = exact(*span) else {
            peaks.push(0);
            continue;
        };
        let question = Question { chunks, places, millis, length, floor: Timestamp(i64::MIN) };
        let begun = question.begun_at(time, own);
        let gaining = question.gaining(time, own);
        peaks.push(begun);
        let weight = if E::DISTINCT { 1 } else { own.weight() };
        chunks.add(length, gaining.0, gaining.1, weight);
    }
    let place = chunks.upper(time);
    let place = chunks.insert(place, time, own);
    for (length, weight) in peaks.into_iter().enumerate() {
        chunks.set_peak(length, place, weight);
    }
}

/// One length's view of a long log.
struct Question<'a, E> {
    chunks: &'a Chunks<E>,
    places: &'a Places,
    millis: i64,
    length: usize,
    /// What is before this is gone.
    floor: Timestamp,
}

impl<E: Entry + Copy> Question<'_, E> {
    /// The weight of the heaviest window that holds an event at `time`, and where that window's entries begin.
    fn answer(&self, time: Timestamp, own: E, late: bool) -> (i128, Timestamp) {
        let start = Timestamp((time.0 - self.millis).max(self.floor.0));
        let from = self.chunks.lower(start);
        if !late {
            return self.in_order(from, time, own);
        }
        let to = self.chunks.upper(time);
        let mut best = (self.begun_at(time, own), time);
        let gaining = self.gaining(time, own);
        let gain = if E::DISTINCT { 1 } else { own.weight() };
        // Later beginnings first, so that of equal windows the earliest stays.
        for (from, to, gain) in
            [(from.max(gaining.1), to, 0), (from.max(gaining.0), to.min(gaining.1), gain), (from, to.min(gaining.0), 0)]
        {
            if from < to
                && let Some((weight, place)) = self.chunks.highest(self.length, from, to)
                && weight + gain >= best.0
            {
                let (begins, _) = self.chunks.get(place).expect("a highest place is an entry");
                best = (weight + gain, begins);
            }
        }
        best
    }

    /// Nothing is later than the event: the window that ends at it is the answer.
    fn in_order(&self, from: Place, time: Timestamp, own: E) -> (i128, Timestamp) {
        let Some((begins, _)) = self.chunks.get(from) else {
            return (if E::DISTINCT { 1 } else { own.weight() }, time);
        };
        if E::DISTINCT {
            let known = self.places.previous(own.value(), time).is_some_and(|previous| previous >= begins);
            return (self.chunks.peak_at(self.length, from) + i128::from(!known), begins);
        }
        (self.chunks.prefix(self.chunks.end()) - self.chunks.prefix(from) + own.weight(), begins)
    }

    /// The weight of the window that begins at the event itself, the event included.
    fn begun_at(&self, time: Timestamp, own: E) -> i128 {
        let end = Timestamp(time.0 + self.millis);
        let start = time.max(self.floor);
        if !E::DISTINCT {
            let begin = self.chunks.lower(start);
            let held = (self.chunks.prefix(self.chunks.upper(end)) - self.chunks.prefix(begin)).max(0);
            return held + own.weight();
        }
        let next = self.chunks.lower(start);
        let Some((begins, _)) = self.chunks.get(next) else { return 1 };
        if begins > end {
            return 1;
        }
        // What the next window holds, less the values that it holds only behind our end.
        let mut beyond = std::collections::HashSet::new();
        let mut place = self.chunks.upper(end);
        while let Some((later, value)) = self.chunks.get(place)
            && later.0 <= begins.0 + self.millis
        {
            if self.places.previous(value.value(), end).is_none_or(|previous| previous < begins) {
                beyond.insert(value.value());
            }
            place = self.chunks.next(place);
        }
        let weight = self.chunks.peak_at(self.length, next) - beyond.len() as i128;
        let known = self.places.next(own.value(), start).is_some_and(|next| next <= end);
        weight + i128::from(!known)
    }

    /// The beginnings whose windows grow by the event: those that reach it and, for distinct values, do not hold its
    /// value yet.
    fn gaining(&self, time: Timestamp, own: E) -> (Place, Place) {
        let mut from = self.chunks.lower(Timestamp(time.0 - self.millis));
        let mut to = self.chunks.upper(time);
        if E::DISTINCT {
            if let Some(previous) = self.places.previous(own.value(), time) {
                from = from.max(self.chunks.upper(previous));
            }
            if let Some(next) = self.places.next(own.value(), Timestamp(time.0 + 1)) {
                to = to.min(self.chunks.lower(Timestamp(next.0 - self.millis)));
            }
        }
        (from, to.max(from))
    }
}

/// The plain answer: every window that ends at the event or at a later entry that it can share a window with.
fn scan<E: Entry + Copy>(log: &Log<E>, reach: &Reach<'_>, time: Timestamp, own: E) -> (i128, Timestamp) {
    let mut best = window_ending(log, reach, time, time, own);
    let mut later = log.after(time).map(|(first, _)| log.from(first));
    while let Some((end, _)) = later.as_mut().and_then(Iterator::next)
        && reach.holds(time, end)
    {
        let window = window_ending(log, reach, end, time, own);
        if window.0 > best.0 {
            best = window;
        }
    }
    best
}

/// The window that ends at `end` and holds the event: its weight and its first entry's time.
fn window_ending<E: Entry + Copy>(
    log: &Log<E>,
    reach: &Reach<'_>,
    end: Timestamp,
    time: Timestamp,
    own: E,
) -> (i128, Timestamp) {
    let surely = reach.surely(end);
    let held = |entry: Timestamp| (entry >= surely || reach.holds(entry, end)) && reach.sees(entry);
    let entries =
        || log.from(reach.earliest(end)).take_while(|(entry, _)| *entry <= end).filter(|(entry, _)| held(*entry));
    let from = entries().next().map_or(time, |(first, _)| first.min(time));
    if !E::DISTINCT {
        return (entries().map(|(_, entry)| entry.weight()).sum::<i128>() + own.weight(), from);
    }
    // Each value counts where it occurs last in the window; what comes behind is asked again, for few are held.
    let last = |number: usize, value: u128| entries().skip(number + 1).all(|(_, later)| later.value() != value);
    let others = entries().enumerate().filter(|(_, (_, entry))| entry.value() != own.value());
    let differing = others.filter(|(number, (_, entry))| last(*number, entry.value())).count();
    (differing as i128 + 1, from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Zone;

    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: i64) -> i64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            i64::try_from(self.0 >> 33).expect("31 bits") % bound
        }
    }

    /// Every window of length `millis` that holds `time`, over what is not gone: the largest, and its first entry.
    fn naive<E: Entry + Copy>(
        entries: &[(i64, E)],
        own: (i64, E),
        millis: i64,
        floor: i64,
        weigh: fn(&[E]) -> i128,
    ) -> (i128, i64) {
        let mut held: Vec<(i64, E)> = entries.iter().copied().filter(|(time, _)| *time >= floor).collect();
        held.push(own);
        let mut best: Option<(i128, i64)> = None;
        let mut ends: Vec<i64> = held.iter().map(|(time, _)| *time).filter(|end| *end >= own.0).collect();
        ends.sort_unstable();
        for end in ends.into_iter().filter(|end| *end <= own.0 + millis) {
            let window: Vec<(i64, E)> =
                held.iter().copied().filter(|(time, _)| (end - millis..=end).contains(time)).collect();
            let weight = weigh(&window.iter().map(|(_, entry)| *entry).collect::<Vec<_>>());
            if best.is_none_or(|(highest, _)| weight > highest) {
                best = Some((weight, window.iter().map(|(time, _)| *time).min().expect("it holds the event")));
            }
        }
        best.expect("the event's own window")
    }

    fn check<E: Entry + Copy + std::fmt::Debug>(seed: u64, spread: i64, make: fn(i64) -> E, weigh: fn(&[E]) -> i128) {
        const LATENESS: i64 = 30;
        let zone = Zone::load("Asia/Almaty").expect("a zone");
        let lengths = [Span::Millis(100), Span::Millis(400), Span::Millis(7)];
        let mut random = Random(seed);
        let mut window: Window<E> = Window::default();
        let mut all: Vec<(i64, E)> = Vec::new();
        let (mut clock, mut newest) = (0, 0);
        for step in 0..700 {
            clock += random.below(3);
            let late = if random.below(4) == 0 { random.below(spread) } else { 0 };
            let time = clock - late;
            // Other events of the wallet move `newest`, too.
            newest = newest.max(time + if random.below(50) == 0 { random.below(60) } else { 0 });
            let own = make(random.below(40));
            let moment = Moment { time: Timestamp(time), newest: Timestamp(newest), lateness: LATENESS, zone: &zone };
            for (length, span) in lengths.iter().enumerate() {
                let millis = exact(*span).expect("millis");
                let measured = window.measure(&lengths, length, &moment, own);
                let expected = naive(&all, (time, own), millis, newest - LATENESS - millis, weigh);
                assert_eq!((measured.value, measured.from.0), expected, "seed {seed}, step {step}, length {millis}");
            }
            if random.below(5) > 0 {
                window.remember(&lengths, &moment, own);
                if time >= newest - LATENESS - 400 {
                    all.push((time, own));
                }
            }
            all.retain(|(time, _)| *time >= newest - LATENESS - 400);
        }
    }

    #[test]
    fn long_windows_are_what_all_windows_say() {
        for seed in 0..2 {
            for spread in [1, 20, 150, 600] {
                check(seed, spread, |_| One, |held| held.len() as i128);
                check(seed, spread, i128::from, |held| held.iter().sum());
                check(
                    seed,
                    spread,
                    |number| u128::try_from(number).expect("not negative"),
                    |held| held.iter().collect::<std::collections::BTreeSet<_>>().len() as i128,
                );
            }
        }
    }
}
