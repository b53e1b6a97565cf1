//! Counts, sums and distinct values over sliding windows.
//!
//! One [`Window`] serves every rule that measures the same entries, whatever the rules' lengths: the log holds what
//! the longest needs, and each length asks for its own part. Short logs are scanned. Of a long one each length keeps
//! the `Profile` of its windows' weights, and a place in the log behind which nothing has left them yet: an event in
//! order moves that place past what has left and looks at the last weight, a late one asks the profile for the heaviest
//! window that holds it. Nothing is rescanned.

use super::{
    Measured, Moment, Reach,
    kept::{Follower, Kept},
    log::{Chunks, FEW, Log, One, Place, Weight},
    occurrences::Occurrences,
    profile::{Profile, Sum},
    touched::touch,
};
use crate::time::{Span, Timestamp};

/// What a log may hold.
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

/// An entry that windows weigh: by the number of entries, their sum, or that of different values.
pub trait Weighed: Entry + Copy {
    type Sum: Sum;
    /// What a window weighs more for the entry, where it gains by it.
    fn gain(&self) -> Self::Sum;
}

impl Weighed for One {
    type Sum = i32;
    fn gain(&self) -> i32 {
        1
    }
}

impl Weighed for i128 {
    type Sum = i128;
    fn gain(&self) -> i128 {
        *self
    }
}

impl Weighed for u128 {
    type Sum = i32;
    fn gain(&self) -> i32 {
        1
    }
}

/// What is remembered of one key for one or more sliding measures.
#[derive(Clone, Debug)]
pub struct Window<E: Weighed> {
    kept: Kept<E, Length<E>>,
    /// Where values are sorted by which a long log is scanned.
    sorted: Vec<u128>,
}

impl<E: Weighed> Default for Window<E> {
    fn default() -> Self {
        Window { kept: Kept::default(), sorted: Vec::new() }
    }
}

impl<E: Weighed> Window<E> {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.log.is_empty()
    }

    /// The time of the newest entry.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.kept.log.newest()
    }

    /// All entries in order, where there are few of them.
    #[must_use]
    pub fn short(&self) -> Option<&[(Timestamp, E)]> {
        self.kept.log.short()
    }

    /// Reads what nearly every event asks of it; nothing comes of it.
    #[must_use]
    pub fn read_ahead(&self) -> u64 {
        self.kept.read_ahead()
    }

    /// Empties it; the room for few entries is kept.
    pub fn clear(&mut self) {
        self.kept.clear();
    }

    /// Takes `entries`, the newest first, in place of what it has.
    pub fn refill(&mut self, entries: impl Iterator<Item = (Timestamp, E)>) {
        self.kept.refill(entries);
    }

    /// What was written down.
    #[must_use]
    pub fn restored(log: Log<E>, dropped: Option<Timestamp>) -> Self {
        Window { kept: Kept::restored(log, dropped), sorted: Vec::new() }
    }

    /// What there is to write down: the log, and the newest time that was dropped because the key was full.
    pub fn kept(&mut self) -> (&mut Log<E>, Option<Timestamp>) {
        let dropped = self.kept.dropped();
        (&mut self.kept.log, dropped)
    }

    /// Measures an event with `own` value over length number `length` of `lengths`, itself included. Where the first entry
    /// of a long window is, is only looked for when the value is over `limit`.
    pub fn measure(&mut self, lengths: &[Span], length: usize, moment: &Moment<'_>, own: E, limit: i128) -> Measured {
        let Window { kept, sorted } = self;
        kept.make_room(lengths, moment);
        let reach = Reach::new(lengths[length], moment);
        let capped = kept.capped(&reach, moment.time);
        if kept.have_passed(&reach) {
            // They are let go of when an event is remembered.
            let (value, from) = scan(&Log::default(), &reach, moment.time, own, sorted);
            return Measured { value, from, capped };
        }
        if let Some(millis) = reach.millis()
            && let Some((chunks, followers)) = kept.followed(lengths)
        {
            let (value, from) = if moment.time < reach.floor() {
                (behind_all(chunks, &reach, millis, moment.time, own, sorted), moment.time)
            } else {
                followers[length].measure(chunks, moment, own, limit)
            };
            return Measured { value, from, capped };
        }
        let (value, from) = scan(&kept.log, &reach, moment.time, own, sorted);
        Measured { value, from, capped }
    }

    /// Remembers an event that was measured before, unless it is gone already.
    pub fn remember(&mut self, lengths: &[Span], moment: &Moment<'_>, own: E) {
        self.kept.remember(lengths, moment, own);
        self.kept.followed(lengths);
    }

    /// Lets go of what no length can reach any more.
    pub fn forget(&mut self, lengths: &[Span], moment: &Moment<'_>) {
        self.kept.forget(lengths, moment);
    }

    /// Fetches what leads to all that will be asked of a value, where the log is long.
    pub fn fetch(&self, value: u128) {
        self.kept.followers().iter().for_each(|length| length.values.fetch(value));
    }

    /// Fetches all that will be asked of a value, once what leads to it has been [fetched](Window::fetch).
    pub fn look_ahead(&self, value: u128) {
        self.kept.followers().iter().for_each(|length| length.values.look_ahead(value));
    }

    /// Forgets what was worked out for each length; it is worked out again when it is needed.
    pub fn forget_lengths(&mut self) {
        self.kept.forget_lengths();
    }
}

/// What a long log's windows of one length weigh.
#[derive(Clone, Debug)]
pub struct Length<E: Weighed> {
    length: Span,
    profile: Profile<E::Sum>,
    /// The profile has every step up to this.
    until: Timestamp,
    /// The first entry that has not left the window that ends at `until`.
    first: Place,
    /// Of distinct values.
    values: Occurrences,
}

impl<E: Weighed> Follower<E> for Length<E> {
    fn new(length: Span) -> Self {
        let values = Occurrences::new(exact(length).unwrap_or_default());
        Length { length, profile: Profile::default(), until: Timestamp::MIN, first: Place::default(), values }
    }

    fn begin(&mut self, first: Timestamp) {
        (self.until, self.first) = (first, Place::default());
        self.profile.clear();
        self.values.clear();
    }

    fn length(&self) -> Span {
        self.length
    }

    fn arrived(&mut self, chunks: &Chunks<E>, time: Timestamp, entry: &E, moved: Option<usize>) {
        let Some(millis) = exact(self.length) else { return };
        self.advance(chunks, time);
        let mut ends = time..=Timestamp(time.0 + millis);
        if E::DISTINCT {
            ends = self.values.add(entry.value(), time);
        }
        if ends.start() <= ends.end() {
            self.step(*ends.start(), entry.gain());
            self.step(Timestamp(ends.end().0 + 1), E::Sum::default() - entry.gain());
        }
        if moved.is_some_and(|moved| moved <= self.first.chunk) || time.0 + millis < self.until.0 {
            self.first = chunks.lower(Timestamp(self.until.0 - millis));
        }
    }

    fn passed(&mut self, chunks: &Chunks<E>, open: Timestamp) {
        if exact(self.length).is_some() {
            self.advance(chunks, open);
            self.profile.forget(open);
            self.values.forget(open);
        }
    }

    fn dropped(&mut self, chunks: &Chunks<E>, time: Timestamp, entry: &E) {
        let Some(millis) = exact(self.length) else { return };
        let mut ends = time..=Timestamp(time.0 + millis);
        if E::DISTINCT {
            let (soon, later) = chunks.ahead(chunks.begin());
            self.values.look_ahead_to(soon.iter().map(Entry::value), later.iter().map(Entry::value));
            // The same value at the same instant may be left.
            if chunks.head().take_while(|(next, _)| *next == time).any(|(_, other)| other.value() == entry.value()) {
                return;
            }
            let Some(lost) = self.values.drop_oldest(entry.value(), time) else { return };
            ends = lost;
        }
        self.step(*ends.start(), E::Sum::default() - entry.gain());
        self.step(Timestamp(ends.end().0 + 1), entry.gain());
    }
}

impl<E: Weighed> Length<E> {
    /// Windows that end at `time` or later weigh so much more, as far as the profile goes.
    fn step(&mut self, time: Timestamp, weight: E::Sum) {
        if time <= self.until {
            self.profile.add(time, weight);
        }
    }

    /// Takes into the profile what leaves the windows up to the one that ends at `until`.
    fn advance(&mut self, chunks: &Chunks<E>, until: Timestamp) {
        let Some(millis) = exact(self.length) else { return };
        self.first = self.first.max(chunks.begin());
        if until <= self.until {
            return;
        }
        self.until = until;
        while let Some((time, entry)) = chunks.get(self.first)
            && time.0 + millis < until.0
        {
            self.first = chunks.next(self.first);
            if E::DISTINCT {
                // What is known of values that came long ago is far away.
                let (soon, later) = chunks.ahead(self.first);
                self.values.look_ahead_to(soon.iter().map(Entry::value), later.iter().map(Entry::value));
            }
            if !E::DISTINCT || self.values.leave(entry.value(), time) {
                self.profile.add(Timestamp(time.0 + millis + 1), E::Sum::default() - entry.gain());
            }
        }
    }

    /// The weight of the heaviest window that holds the event, and the time of the first entry of the earliest such one.
    fn measure(&mut self, chunks: &Chunks<E>, moment: &Moment<'_>, own: E, limit: i128) -> (i128, Timestamp) {
        let millis = exact(self.length).expect("months are scanned for");
        let time = moment.time;
        self.advance(chunks, time.max(moment.open()));
        let (weight, end) = self.heaviest(time.max(moment.open()), Timestamp(time.0 + millis), time, own);
        if weight.into() <= limit {
            return (weight.into(), time);
        }
        let first = if end == self.until { self.first } else { chunks.lower(Timestamp(end.0 - millis)) };
        let from = chunks.get(first).map_or(time, |(first, _)| first.min(time));
        (weight.into(), from)
    }

    /// Of the windows that end in `from..=to`, with the event: the highest weight, and the earliest end that has it.
    fn heaviest(&mut self, from: Timestamp, to: Timestamp, time: Timestamp, own: E) -> (E::Sum, Timestamp) {
        // Behind the last step windows only grow lighter.
        let to = to.min(self.until);
        let (mut gaining, mut then) = (from, to);
        if E::DISTINCT {
            let gained = self.values.gained(own.value(), time);
            (gaining, then) = (from.max(*gained.start()), to.min(*gained.end()));
            if gaining > then {
                return self.highest(from, to);
            }
        }
        let (weight, end) = self.highest(gaining, then);
        let mut best = (weight + own.gain(), end);
        // The windows around those that gain are in the running only for distinct values.
        if from < gaining {
            let before = self.highest(from, Timestamp(gaining.0 - 1));
            best = if before.0 >= best.0 { before } else { best };
        }
        if then < to {
            let after = self.highest(Timestamp(then.0 + 1), to);
            best = if after.0 > best.0 { after } else { best };
        }
        best
    }

    fn highest(&mut self, from: Timestamp, to: Timestamp) -> (E::Sum, Timestamp) {
        if from == self.until { (self.profile.last(), from) } else { self.profile.highest(from, to) }
    }
}

/// In ms; nothing for months, which are scanned for.
fn exact(length: Span) -> Option<i64> {
    match length {
        Span::Millis(millis) => Some(millis),
        _ => None,
    }
}

/// The weight of the last window that holds an event so late that nothing before it is left, the event included.
fn behind_all<E: Weighed>(
    chunks: &Chunks<E>,
    reach: &Reach<'_>,
    millis: i64,
    time: Timestamp,
    own: E,
    sorted: &mut Vec<u128>,
) -> i128 {
    let mut place = chunks.lower(reach.floor());
    let mut sum = own.weight();
    sorted.clear();
    sorted.push(own.value());
    while let Some((later, entry)) = chunks.get(place).filter(|(later, _)| later.0 <= time.0 + millis) {
        sum += entry.weight();
        if E::DISTINCT {
            sorted.push(entry.value());
        }
        place = chunks.next(place);
        debug_assert!(later > time);
    }
    if !E::DISTINCT {
        return sum;
    }
    touch(sorted.len());
    different(sorted)
}

/// How many different values there are; sorts them.
fn different(values: &mut Vec<u128>) -> i128 {
    values.sort_unstable();
    values.dedup();
    values.len() as i128
}

/// The plain answer: every window that ends at the event or at a later entry that it can share a window with.
fn scan<E: Weighed>(
    log: &Log<E>,
    reach: &Reach<'_>,
    time: Timestamp,
    own: E,
    sorted: &mut Vec<u128>,
) -> (i128, Timestamp) {
    let mut best = window_ending(log, reach, time, time, own, sorted);
    let mut later = log.after(time).map(|(first, _)| log.from(first));
    while let Some((end, _)) = later.as_mut().and_then(Iterator::next)
        && reach.holds(time, end)
    {
        let window = window_ending(log, reach, end, time, own, sorted);
        if window.0 > best.0 {
            best = window;
        }
    }
    best
}

/// The window that ends at `end` and holds the event: its weight and its first entry's time.
fn window_ending<E: Weighed>(
    log: &Log<E>,
    reach: &Reach<'_>,
    end: Timestamp,
    time: Timestamp,
    own: E,
    sorted: &mut Vec<u128>,
) -> (i128, Timestamp) {
    let surely = reach.surely(end);
    let held = |entry: Timestamp| (entry >= surely || reach.holds(entry, end)) && reach.sees(entry);
    let entries =
        || log.from(reach.earliest(end)).take_while(|(entry, _)| *entry <= end).filter(|(entry, _)| held(*entry));
    let from = entries().next().map_or(time, |(first, _)| first.min(time));
    if !E::DISTINCT {
        return (entries().map(|(_, entry)| entry.weight()).sum::<i128>() + own.weight(), from);
    }
    let mut few = [0; FEW + 1];
    if log.len() > FEW {
        // Only months are scanned for in a long log.
        sorted.clear();
        sorted.extend(entries().map(|(_, entry)| entry.value()).chain([own.value()]));
        return (different(sorted), from);
    }
    let mut held = 0;
    for (place, (_, entry)) in few.iter_mut().zip(entries()) {
        (*place, held) = (entry.value(), held + 1);
    }
    few[held] = own.value();
    let values = &few[..=held];
    // Each value counts where it occurs last.
    let last = |(at, value): &(usize, &u128)| !values[at + 1..].contains(value);
    (values.iter().enumerate().filter(last).count() as i128, from)
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
    fn naive<E: Weighed>(
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

    fn check<E: Weighed + std::fmt::Debug>(seed: u64, spread: i64, make: fn(i64) -> E, weigh: fn(&[E]) -> i128) {
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
                let measured = window.measure(&lengths, length, &moment, own, i128::MIN);
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
