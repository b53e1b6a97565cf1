//! What a window of one length weighs, by the time at which it ends.
//!
//! A profile is kept as its steps: by so much the weight changes at an instant. An event is a step up where it happens
//! and a step down where it has left, so a late one changes two points, and all weights between them by the same. Only the
//! ends that a late event can still reach are kept.
//!
//! Weights lie in leaves of at most 64, leaves in nodes of at most 64, and each part tells them from a beginning of its own:
//! a late event changes weights in one leaf, and where the leaves and nodes behind it begin. What is searched or changed for
//! each event lies side by side by the dozen.
//! One flat list of leaves took 0.7 µs a late event, an addition to every later leaf 2 µs.
//!
//! What comes in order is first a leaf of its own behind all others, told from the weight behind them, and becomes one of
//! theirs once it is full, or once something late comes: an event in order is two entries of a list, 400 instructions less.

use super::touched::touch;
use crate::{limits, time::Timestamp};
use std::{
    fmt::Debug,
    ops::{Add, AddAssign, Sub},
};

/// Most instants of a leaf, and most leaves of a node.
const LEAF: usize = 64;
const NODE: usize = 64;
/// Parts whose room is kept for the next.
const SPARE: usize = 64;

/// A sum of weights. The smaller the faster, since dozens are compared for each late event: counts, which
/// [`limits::WINDOW_EVENTS`] bounds, are `i32`.
pub trait Sum: Copy + Default + Ord + Debug + Add<Output = Self> + Sub<Output = Self> + AddAssign + Into<i128> {
    /// More than any window weighs, and so little that as much more or less is no overflow.
    const FAR: Self;
    /// Makes all weights so much higher.
    fn raise(weights: &mut [Self], by: Self);
}

impl Sum for i32 {
    const FAR: i32 = 1 << 28;

    /// Overflows are looked for once for all: a check for each would have them added one by one.
    #[inline]
    fn raise(weights: &mut [i32], by: i32) {
        let mut overflowed = 0;
        for weight in weights {
            let raised = weight.wrapping_add(by);
            overflowed |= (*weight ^ raised) & (by ^ raised);
            *weight = raised;
        }
        assert!(overflowed >= 0, "what weights are told from is moved before they are far from it");
    }
}

impl Sum for i128 {
    const FAR: i128 = 1 << 125;

    #[inline]
    fn raise(weights: &mut [i128], by: i128) {
        for weight in weights {
            *weight += by;
        }
    }
}

const _: () = assert!(limits::WINDOW_EVENTS < 1 << 28);

/// Windows that end at `time` or later weigh so much more.
#[derive(Clone, Copy, Debug)]
struct Step<S> {
    time: Timestamp,
    weight: S,
    /// It makes instants that are known already weigh less, so that a peak may be one no longer.
    falls: bool,
}

/// Weights of windows by their ends, told from some beginning; empty only while its room is spare.
trait Part<S>: Default {
    /// Room that is used again.
    type Spare: Debug + Clone + Default;
    /// Becomes that of one instant.
    fn begin(&mut self, time: Timestamp, weight: S, spare: &mut Self::Spare);
    /// Takes a step; what is before all instants weighs `before`. A full part has been cut.
    fn add(&mut self, step: Step<S>, before: S, spare: &mut Self::Spare);
    fn is_full(&self) -> bool;
    /// Moves the later half to `tail`, which is empty.
    fn cut(&mut self, tail: &mut Self, spare: &mut Self::Spare);
    fn first(&self) -> Timestamp;
    fn newest(&self) -> Timestamp;
    /// The weight at the last instant, and the highest.
    fn last(&self) -> S;
    fn peak(&self) -> S;
    /// The first instant at which the highest weight is.
    fn peak_at(&self) -> Timestamp;
    /// The highest weight from `from` up to and with `to`, and where it is first. What is at `from` was there before it,
    /// unless `from` is before all instants: that weight is not known here.
    fn highest(&self, from: Timestamp, to: Timestamp) -> Option<(S, Timestamp)>;
    /// Lets go of whole leaves that are before `start`, and gives the weight at the last instant of the last of them. It may
    /// be empty then.
    fn forget(&mut self, start: Timestamp, spare: &mut Self::Spare) -> Option<S>;
    /// The last instant of its first leaf.
    fn first_end(&self) -> Option<Timestamp>;
    fn is_empty(&self) -> bool;
}

/// Of two, the higher, and the first of equal ones.
fn higher<S: Ord>(first: Option<(S, Timestamp)>, then: Option<(S, Timestamp)>) -> Option<(S, Timestamp)> {
    match (first, then) {
        (Some(first), Some(then)) => Some(if then.0 > first.0 { then } else { first }),
        (first, then) => first.or(then),
    }
}

/// The highest, or `least` if that is more.
#[inline]
fn highest_of<S: Ord + Copy>(least: S, weights: &[S]) -> S {
    touch(weights.len());
    weights.iter().fold(least, |highest, weight| highest.max(*weight))
}

/// How many of `times` are up to and with `time`; in order all of them.
#[inline]
fn up_to(times: &[Timestamp], time: Timestamp) -> usize {
    match times.last() {
        Some(last) if *last > time => times.partition_point(|earlier| *earlier <= time),
        _ => times.len(),
    }
}

/// Weights by instant.
#[derive(Clone, Debug, Default)]
struct Leaf<S> {
    times: Vec<Timestamp>,
    weights: Vec<S>,
    peak: S,
}

impl<S: Sum> Part<S> for Leaf<S> {
    type Spare = ();

    fn begin(&mut self, time: Timestamp, weight: S, _spare: &mut ()) {
        self.times.push(time);
        self.weights.push(weight);
        self.peak = weight;
    }

    fn add(&mut self, Step { time, weight, falls }: Step<S>, before: S, _spare: &mut ()) {
        let behind = up_to(&self.times, time);
        let at = match behind.checked_sub(1) {
            Some(same) if self.times[same] == time => same,
            earlier => {
                let before = earlier.map_or(before, |earlier| self.weights[earlier]);
                self.times.insert(behind, time);
                self.weights.insert(behind, before);
                behind
            }
        };
        let (kept, changed) = self.weights.split_at_mut(at);
        // What grows can only pass the peak; what shrinks may have been it.
        let falls = falls && highest_of(changed[0], changed) >= self.peak;
        S::raise(changed, weight);
        self.peak = if falls { highest_of(changed[0], kept) } else { self.peak };
        self.peak = highest_of(self.peak, changed);
    }

    fn is_full(&self) -> bool {
        self.times.len() >= LEAF
    }

    fn cut(&mut self, tail: &mut Self, _spare: &mut ()) {
        touch(LEAF / 2);
        tail.times.reserve_exact(LEAF);
        tail.weights.reserve_exact(LEAF);
        tail.times.extend(self.times.drain(LEAF / 2..));
        tail.weights.extend(self.weights.drain(LEAF / 2..));
        for half in [self, tail] {
            half.peak = highest_of(half.weights[0], &half.weights);
        }
    }

    fn first(&self) -> Timestamp {
        self.times[0]
    }

    fn newest(&self) -> Timestamp {
        self.times[self.times.len() - 1]
    }

    fn last(&self) -> S {
        self.weights[self.weights.len() - 1]
    }

    fn peak(&self) -> S {
        self.peak
    }

    fn peak_at(&self) -> Timestamp {
        touch(self.weights.len());
        let at = self.weights.iter().position(|weight| *weight == self.peak);
        self.times[at.expect("the highest weight is one of them")]
    }

    fn highest(&self, from: Timestamp, to: Timestamp) -> Option<(S, Timestamp)> {
        let begin = up_to(&self.times, from).saturating_sub(1);
        let weights = &self.weights[begin..up_to(&self.times, to).max(begin)];
        let highest = highest_of(*weights.first()?, weights);
        let at = weights.iter().position(|weight| *weight == highest)?;
        Some((highest, self.times[begin + at].max(from)))
    }

    fn forget(&mut self, start: Timestamp, _spare: &mut ()) -> Option<S> {
        if self.newest() >= start {
            return None;
        }
        let last = self.last();
        self.times.clear();
        self.weights.clear();
        Some(last)
    }

    fn first_end(&self) -> Option<Timestamp> {
        self.times.last().copied()
    }

    fn is_empty(&self) -> bool {
        self.times.is_empty()
    }
}

impl<S> Leaf<S> {
    /// Whether a time is before all of its instants; so it is where there are none.
    fn begins_after(&self, time: Timestamp) -> bool {
        self.times.first().is_none_or(|first| time < *first)
    }
}

/// Parts by time.
#[derive(Clone, Debug, Default)]
struct Branch<S, P> {
    parts: Vec<P>,
    /// Of each part: its first instant, what its weights are told from, and the highest of them as told here.
    firsts: Vec<Timestamp>,
    bases: Vec<S>,
    peaks: Vec<S>,
    peak: S,
}

/// Room for parts of one kind, and for what they are made of.
#[derive(Clone, Debug, Default)]
struct Spare<P, T> {
    parts: Vec<P>,
    inner: T,
}

impl<S: Sum, P: Part<S> + Clone + Debug> Part<S> for Branch<S, P> {
    type Spare = Spare<P, P::Spare>;

    fn begin(&mut self, time: Timestamp, weight: S, spare: &mut Self::Spare) {
        self.begin_part(time, weight, S::default(), spare);
    }

    fn add(&mut self, step: Step<S>, before: S, spare: &mut Self::Spare) {
        let Step { time, weight, falls } = step;
        let Some(last) = self.parts.len().checked_sub(1) else {
            return self.begin_part(time, weight, before, spare);
        };
        let mut at = up_to(&self.firsts, time).saturating_sub(1);
        if self.parts[at].is_full() {
            // What goes on at the end leaves full parts behind.
            if at == last && self.parts[at].newest() < time {
                let base = self.bases[at] + self.parts[at].last();
                return self.begin_part(time, weight, base, spare);
            }
            self.cut_part(at, spare);
            at += usize::from(self.firsts[at + 1] <= time);
        }
        let falls = falls && highest_of(self.peaks[at], &self.peaks[at..]) >= self.peak;
        self.parts[at].add(step, before - self.bases[at], &mut spare.inner);
        self.firsts[at] = self.firsts[at].min(time);
        self.peaks[at] = self.bases[at] + self.parts[at].peak();
        S::raise(&mut self.bases[at + 1..], weight);
        S::raise(&mut self.peaks[at + 1..], weight);
        self.peak = if falls { highest_of(self.peaks[at], &self.peaks[..at]) } else { self.peak };
        self.peak = highest_of(self.peak, &self.peaks[at..]);
    }

    fn is_full(&self) -> bool {
        self.parts.len() >= NODE
    }

    fn cut(&mut self, tail: &mut Self, _spare: &mut Self::Spare) {
        touch(NODE / 2);
        tail.parts.extend(self.parts.drain(NODE / 2..));
        tail.firsts.extend(self.firsts.drain(NODE / 2..));
        tail.bases.extend(self.bases.drain(NODE / 2..));
        tail.peaks.extend(self.peaks.drain(NODE / 2..));
        for half in [self, tail] {
            half.peak = highest_of(half.peaks[0], &half.peaks);
        }
    }

    fn first(&self) -> Timestamp {
        self.firsts[0]
    }

    fn newest(&self) -> Timestamp {
        self.parts[self.parts.len() - 1].newest()
    }

    fn last(&self) -> S {
        let last = self.parts.len() - 1;
        self.bases[last] + self.parts[last].last()
    }

    fn peak(&self) -> S {
        self.peak
    }

    fn peak_at(&self) -> Timestamp {
        touch(self.peaks.len());
        let at = self.peaks.iter().position(|peak| *peak == self.peak);
        self.parts[at.expect("the highest weight is in one of them")].peak_at()
    }

    fn highest(&self, from: Timestamp, to: Timestamp) -> Option<(S, Timestamp)> {
        let begin = up_to(&self.firsts, from).saturating_sub(1);
        let end = up_to(&self.firsts, to).checked_sub(1)?;
        let of_part = |at: usize| {
            let (highest, time) = self.parts[at].highest(from, to)?;
            Some((self.bases[at] + highest, time))
        };
        // All but the first and the last are asked for as wholes, and these, too, where they are.
        let whole = begin + usize::from(self.firsts[begin] <= from)..end + usize::from(self.parts[end].newest() <= to);
        let mut found = if whole.start > begin { of_part(begin) } else { None };
        if let Some(first) = self.peaks[..whole.end].get(whole.start) {
            let highest = highest_of(*first, &self.peaks[whole.clone()]);
            if found.is_none_or(|(weight, _)| highest > weight) {
                let at = self.peaks[whole.clone()].iter().position(|peak| *peak == highest)?;
                found = Some((highest, self.parts[whole.start + at].peak_at()));
            }
        }
        if whole.end == end && whole.start <= end { higher(found, of_part(end)) } else { found }
    }

    fn forget(&mut self, start: Timestamp, spare: &mut Self::Spare) -> Option<S> {
        let mut gone = None;
        while let Some(part) = self.parts.first_mut()
            && let Some(last) = part.forget(start, &mut spare.inner)
        {
            gone = Some(self.bases[0] + last);
            if part.is_empty() {
                touch(self.parts.len());
                self.firsts.remove(0);
                self.bases.remove(0);
                self.peaks.remove(0);
                let part = self.parts.remove(0);
                if spare.parts.len() < SPARE {
                    spare.parts.push(part);
                }
            } else {
                (self.firsts[0], self.peaks[0]) = (part.first(), self.bases[0] + part.peak());
                break;
            }
        }
        if let Some(first) = self.peaks.first().filter(|_| gone.is_some()) {
            self.peak = highest_of(*first, &self.peaks);
        }
        gone
    }

    fn first_end(&self) -> Option<Timestamp> {
        self.parts.first()?.first_end()
    }

    fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

impl<S: Sum, P: Part<S>> Branch<S, P> {
    /// Its parts have been taken.
    fn forget_sums(&mut self) {
        self.firsts.clear();
        self.bases.clear();
        self.peaks.clear();
    }

    /// Appends a part of one instant.
    fn begin_part(&mut self, time: Timestamp, weight: S, base: S, spare: &mut Spare<P, P::Spare>) {
        let mut part = spare.parts.pop().unwrap_or_default();
        part.begin(time, weight, &mut spare.inner);
        self.push(part, base);
    }

    /// Appends a part, of which weights are told from `base`.
    fn push(&mut self, part: P, base: S) {
        touch(1);
        let peak = base + part.peak();
        self.peak = if self.parts.is_empty() { peak } else { self.peak.max(peak) };
        self.firsts.push(part.first());
        self.bases.push(base);
        self.peaks.push(peak);
        self.parts.push(part);
    }

    /// Cuts a part in two, which go on telling their weights from the same beginning.
    fn cut_part(&mut self, at: usize, spare: &mut Spare<P, P::Spare>) {
        touch(self.parts.len() - at);
        let (part, base) = (&mut self.parts[at], self.bases[at]);
        let mut tail = spare.parts.pop().unwrap_or_default();
        part.cut(&mut tail, &mut spare.inner);
        self.peaks[at] = base + part.peak();
        self.firsts.insert(at + 1, tail.first());
        self.bases.insert(at + 1, base);
        self.peaks.insert(at + 1, base + tail.peak());
        self.parts.insert(at + 1, tail);
    }
}

type Node<S> = Branch<S, Leaf<S>>;
type Root<S> = Branch<S, Node<S>>;

impl<S: Sum> Root<S> {
    /// Tells weights from another beginning, to which they were told as so much.
    fn tell_from(&mut self, weight: S) {
        touch(self.parts.len());
        S::raise(&mut self.bases, S::default() - weight);
        S::raise(&mut self.peaks, S::default() - weight);
        self.peak = self.peak - weight;
    }

    /// Appends a leaf, of which weights are told from `before`.
    fn append(&mut self, leaf: Leaf<S>, before: S, spare: &mut <Self as Part<S>>::Spare) {
        let last = self.parts.len().wrapping_sub(1);
        match self.parts.last_mut() {
            Some(node) if !node.is_full() => {
                node.push(leaf, before - self.bases[last]);
                self.peaks[last] = self.bases[last] + node.peak();
                self.peak = self.peak.max(self.peaks[last]);
            }
            _ => {
                let mut node = spare.parts.pop().unwrap_or_default();
                node.push(leaf, S::default());
                self.push(node, before);
            }
        }
    }
}

/// The weight of the window by its end; of nothing at first.
#[derive(Clone, Debug)]
pub struct Profile<S: Sum> {
    root: Root<S>,
    /// What has come behind all of the root, told from the weight there. Its peak may be too high: what is last can fall.
    tail: Leaf<S>,
    /// The weight before the first instant that is kept, as the root tells weights.
    floor: S,
    /// The weight behind the last step.
    last: S,
    /// Steps before this are not kept.
    start: Timestamp,
    /// Nothing can be let go of before this: the last instant of the first leaf, when somebody last looked.
    first_end: Timestamp,
    spare: <Root<S> as Part<S>>::Spare,
    /// What was forgotten at once: one of them is taken apart whenever steps are forgotten.
    waste: Vec<Node<S>>,
}

impl<S: Sum> Default for Profile<S> {
    fn default() -> Self {
        let (floor, last, start) = (S::default(), S::default(), Timestamp::MIN);
        let (root, tail, spare, waste) = Default::default();
        Profile { root, tail, floor, last, start, first_end: start, spare, waste }
    }
}

impl<S: Sum> Profile<S> {
    /// Forgets all steps; some room is kept.
    pub fn clear(&mut self) {
        let few = self.root.parts.len() <= 1;
        touch(self.root.parts.len());
        self.waste.append(&mut self.root.parts);
        self.root.forget_sums();
        if few {
            self.take_apart_one();
        }
        self.tail.times.clear();
        self.tail.weights.clear();
        (self.floor, self.last) = (S::default(), S::default());
        (self.start, self.first_end) = (Timestamp::MIN, Timestamp::MIN);
    }

    fn take_apart_one(&mut self) {
        let Some(mut node) = self.waste.pop() else { return };
        touch(node.parts.len());
        let leaves = &mut self.spare.inner.parts;
        for mut leaf in node.parts.drain(..) {
            leaf.forget(Timestamp::MAX, &mut ());
            if leaves.len() < SPARE {
                leaves.push(leaf);
            }
        }
        node.forget_sums();
        if self.spare.parts.len() < SPARE {
            self.spare.parts.push(node);
        }
    }

    /// The weight behind the last step.
    pub fn last(&self) -> S {
        self.last
    }

    /// From `time` on, windows weigh `weight` more.
    #[inline]
    pub fn add(&mut self, time: Timestamp, weight: S) {
        self.last += weight;
        if time < self.start {
            return;
        }
        match (self.tail.times.last(), self.tail.weights.last_mut()) {
            (Some(newest), Some(last)) if *newest <= time => {
                if *newest == time {
                    *last += weight;
                    self.tail.peak = self.tail.peak.max(*last);
                    return;
                }
                let weight = *last + weight;
                self.push(time, weight);
            }
            (None, _) if self.root.is_empty() || self.root.newest() < time => self.push(time, weight),
            _ => self.add_late(time, weight),
        }
    }

    /// Appends an instant to the tail.
    #[inline]
    fn push(&mut self, time: Timestamp, weight: S) {
        touch(1);
        let Leaf { times, weights, peak } = &mut self.tail;
        *peak = if times.is_empty() { weight } else { weight.max(*peak) };
        times.push(time);
        weights.push(weight);
        if self.tail.is_full() {
            let before = self.behind_root();
            let room = self.spare.inner.parts.pop().unwrap_or_default();
            let mut leaf = std::mem::replace(&mut self.tail, room);
            leaf.peak = highest_of(leaf.weights[0], &leaf.weights);
            self.root.append(leaf, before, &mut self.spare);
        }
    }

    #[inline(never)]
    fn add_late(&mut self, time: Timestamp, weight: S) {
        if !self.tail.begins_after(time) {
            self.settle();
        }
        let falls = weight < S::default() && !self.root.is_empty() && time <= self.root.newest();
        self.root.add(Step { time, weight, falls }, self.floor, &mut self.spare);
    }

    /// Puts what is in the tail where all else is.
    fn settle(&mut self) {
        let mut before = S::default();
        for (time, weight) in self.tail.times.iter().zip(&self.tail.weights) {
            let step = Step { time: *time, weight: *weight - before, falls: false };
            self.root.add(step, self.floor, &mut self.spare);
            before = *weight;
        }
        self.tail.times.clear();
        self.tail.weights.clear();
    }

    /// The weight behind the last instant of the root.
    fn behind_root(&self) -> S {
        if self.root.is_empty() { self.floor } else { self.root.last() }
    }

    /// Lets go of what is before `start`: no window that ends there will be asked for again.
    #[inline]
    pub fn forget(&mut self, start: Timestamp) {
        self.start = self.start.max(start);
        if start > self.first_end || !self.waste.is_empty() {
            self.forget_leaves(start);
        }
    }

    #[inline(never)]
    fn forget_leaves(&mut self, start: Timestamp) {
        self.take_apart_one();
        if let Some(last) = self.root.forget(start, &mut self.spare) {
            self.floor = last;
        }
        // What comes so late that only its step down is kept has the root tell weights from ever further away.
        if self.floor > S::FAR || self.floor < S::default() - S::FAR {
            self.root.tell_from(self.floor);
            self.floor = S::default();
        }
        // What is in the tail is looked at when it is a leaf.
        self.first_end = self.root.first_end().unwrap_or(start);
    }

    /// The heaviest window that ends in `from..=to`: its weight, and the earliest end that has it.
    pub fn highest(&self, from: Timestamp, to: Timestamp) -> (S, Timestamp) {
        let in_root = if self.tail.begins_after(from) { self.highest_of_root(from, to) } else { None };
        let behind_root = self.behind_root();
        let lower = in_root.is_some_and(|(highest, _)| behind_root + self.tail.peak <= highest);
        let in_tail = if lower || self.tail.begins_after(to) { None } else { self.tail.highest(from, to) };
        let in_tail = in_tail.map(|(highest, at)| (behind_root + highest, at));
        let (highest, at) = higher(in_root, in_tail).expect("one of them knows what is at `from`");
        let behind = self.tail.weights.last().map_or(behind_root, |last| behind_root + *last);
        (self.last - behind + highest, at)
    }

    /// As the root tells it, and the floor where that is before all of its instants.
    fn highest_of_root(&self, from: Timestamp, to: Timestamp) -> Option<(S, Timestamp)> {
        let floor = if self.root.is_empty() || from < self.root.first() { Some((self.floor, from)) } else { None };
        higher(floor, self.root.highest(from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A profile must be what the running sums of a plain map say, after every step.
    #[test]
    fn agrees_with_running_sums() {
        let mut seed = 3_u64;
        let mut random = |below: i64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            i64::try_from(seed >> 33).expect("31 bits") % below
        };
        let mut profile: Profile<i32> = Profile::default();
        let mut plain: BTreeMap<i64, i64> = BTreeMap::new();
        let mut start = 0;
        for clock in 0..60_000_i64 {
            // Steps come in order for a while, then anywhere in what is kept, too, or before it.
            let calm = clock / 1_000 % 2 == 0;
            let time = if clock % 3 == 0 && !calm { start - 5 + random(clock - start + 5) } else { clock };
            let weight = random(21) - 9;
            if clock == 40_000 {
                // All at once, and what comes then is told from nothing.
                profile.clear();
                profile.forget(Timestamp(start));
                plain.clear();
            }
            profile.add(Timestamp(time), i32::try_from(weight).expect("small"));
            *plain.entry(time.max(start)).or_default() += weight;
            if clock % 100 == 0 {
                start = start.max(clock - 15_000 - random(100));
                profile.forget(Timestamp(start));
                let before: i64 = plain.range(..=start).map(|(_, weight)| *weight).sum();
                plain = plain.split_off(&(start + 1));
                plain.insert(start, before);
            }
            if clock % if calm { 397 } else { 37 } != 0 {
                continue;
            }
            let from = start + random(clock - start + 1);
            let to = from + 1 + random(clock - from + 10);
            let mut running: i64 = plain.range(..=from).map(|(_, weight)| *weight).sum();
            let mut best = (running, from);
            for (time, weight) in plain.range(from + 1..=to) {
                running += weight;
                if running > best.0 {
                    best = (running, *time);
                }
            }
            let found = profile.highest(Timestamp(from), Timestamp(to));
            assert_eq!((i64::from(found.0), found.1), (best.0, Timestamp(best.1)), "at {clock}");
        }
    }

    /// Steps up that come too late to be kept, and down again, two thousand times: together sixteen times what overflows.
    #[test]
    fn is_told_anew_before_it_overflows() {
        let mut profile: Profile<i32> = Profile::default();
        let weight = i32::FAR / 16;
        for start in (0..20_000).step_by(10) {
            profile.forget(Timestamp(start));
            for (behind, weight) in [(-1, weight), (5, -weight), (6, 3), (7, -3)] {
                profile.add(Timestamp(start + behind), weight);
            }
            let found = profile.highest(Timestamp(start + 5), Timestamp(start + 9));
            assert_eq!(found, (3, Timestamp(start + 6)));
        }
    }
}
