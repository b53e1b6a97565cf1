//! What a window of one length weighs, by the time at which it ends.
//!
//! A profile is kept as its steps: by so much the weight changes at an instant. An event is a step up where it happens
//! and a step down where it has left, so a late one changes two points and nothing between them, and the heaviest
//! window among those that end in some span is a greatest sum of steps. Only the ends that a late event can still
//! reach are kept.
//!
//! Steps lie in leaves of at most 64 and leaves in nodes of at most 64, each with its sum and its peak: with a
//! million steps no question looks at more than some hundred of these. One flat list of leaves took 0.7 µs a late
//! event, an addition to every later leaf 2 µs.

use super::touched::touch;
use crate::time::Timestamp;
use std::{
    collections::VecDeque,
    fmt::Debug,
    ops::{Add, AddAssign, Sub},
};

/// Most steps of a leaf, and most leaves of a node.
const LEAF: usize = 64;
const NODE: usize = 64;

/// A sum of weights. The smaller the faster: counts are `i64`.
pub trait Sum: Copy + Default + Ord + Debug + Add<Output = Self> + Sub<Output = Self> + AddAssign + Into<i128> {}

impl Sum for i64 {}
impl Sum for i128 {}

/// Steps in a row: their sum, the highest that the sum gets on the way, and where first.
#[derive(Clone, Copy, Debug)]
struct Summary<S> {
    sum: S,
    peak: S,
    at: Timestamp,
}

impl<S: Sum> Summary<S> {
    fn of(step: (Timestamp, S)) -> Self {
        Summary { sum: step.1, peak: step.1, at: step.0 }
    }

    /// These steps and then `later` ones.
    fn join(self, later: Self) -> Self {
        let sum = self.sum + later.sum;
        let peak = self.sum + later.peak;
        if self.peak >= peak { Summary { sum, ..self } } else { Summary { sum, peak, at: later.at } }
    }

    fn all(mut parts: impl Iterator<Item = Self>) -> Option<Self> {
        let first = parts.next()?;
        Some(parts.fold(first, Summary::join))
    }
}

/// Steps by time, one for each instant; never empty.
#[derive(Clone, Debug)]
struct Leaf<S> {
    steps: Vec<(Timestamp, S)>,
    /// Of all steps but the last, which is the one that changes while events come in order.
    before: Option<Summary<S>>,
    summary: Summary<S>,
}

/// Leaves by time; never empty.
#[derive(Clone, Debug)]
struct Node<S> {
    leaves: Vec<Leaf<S>>,
    first: Timestamp,
    /// Of all leaves but the last.
    before: Option<Summary<S>>,
    summary: Summary<S>,
}

impl<S: Sum> Leaf<S> {
    fn new(steps: Vec<(Timestamp, S)>) -> Self {
        let mut leaf = Leaf { before: None, summary: Summary::of(steps[0]), steps };
        leaf.refresh();
        leaf
    }

    fn first(&self) -> Timestamp {
        self.steps[0].0
    }

    fn last(&self) -> Timestamp {
        self.steps[self.steps.len() - 1].0
    }

    fn refresh(&mut self) {
        touch(self.steps.len());
        let last = self.steps.len() - 1;
        self.before = Summary::all(self.steps[..last].iter().copied().map(Summary::of));
        self.summarise();
    }

    fn summarise(&mut self) {
        let last = Summary::of(self.steps[self.steps.len() - 1]);
        self.summary = self.before.map_or(last, |before| before.join(last));
    }

    fn add(&mut self, time: Timestamp, weight: S) {
        let last = self.steps.len() - 1;
        let (newest, step) = &mut self.steps[last];
        if *newest <= time {
            touch(1);
            if *newest == time {
                *step += weight;
            } else {
                self.steps.push((time, weight));
                self.before = Some(self.summary);
            }
            return self.summarise();
        }
        let at = self.steps.partition_point(|(earlier, _)| *earlier < time);
        if self.steps[at].0 == time {
            self.steps[at].1 += weight;
        } else {
            touch(self.steps.len() - at);
            self.steps.insert(at, (time, weight));
        }
        self.refresh();
    }
}

impl<S: Sum> Node<S> {
    fn new(leaves: Vec<Leaf<S>>) -> Self {
        let mut node = Node { first: leaves[0].first(), before: None, summary: leaves[0].summary, leaves };
        node.refresh();
        node
    }

    fn last(&self) -> Timestamp {
        self.leaves[self.leaves.len() - 1].last()
    }

    fn refresh(&mut self) {
        touch(self.leaves.len());
        let last = self.leaves.len() - 1;
        self.first = self.leaves[0].first();
        self.before = Summary::all(self.leaves[..last].iter().map(|leaf| leaf.summary));
        self.summarise();
    }

    fn summarise(&mut self) {
        let last = self.leaves[self.leaves.len() - 1].summary;
        self.summary = self.before.map_or(last, |before| before.join(last));
    }

    /// Adds a step; a leaf that is full is cut in two.
    fn add(&mut self, time: Timestamp, weight: S, spare: &mut Vec<Vec<(Timestamp, S)>>) {
        self.first = self.first.min(time);
        let last = self.leaves.len() - 1;
        let at = if self.leaves[last].first() <= time {
            last
        } else {
            self.leaves.partition_point(|leaf| leaf.first() <= time).saturating_sub(1)
        };
        let leaf = &mut self.leaves[at];
        if leaf.steps.len() < LEAF || leaf.last() == time {
            leaf.add(time, weight);
            return if at == last { self.summarise() } else { self.refresh() };
        }
        let mut steps = spare.pop().unwrap_or_else(|| Vec::with_capacity(LEAF));
        // What goes on at the end leaves full leaves behind.
        if at == last && leaf.last() < time {
            steps.push((time, weight));
            self.before = Some(self.summary);
            self.leaves.push(Leaf::new(steps));
            return self.summarise();
        }
        touch(LEAF + self.leaves.len() - at);
        let leaf = &mut self.leaves[at];
        steps.extend(leaf.steps.drain(LEAF / 2..));
        leaf.refresh();
        let mut tail = Leaf::new(steps);
        let side = if tail.first() <= time { &mut tail } else { leaf };
        side.add(time, weight);
        self.leaves.insert(at + 1, tail);
        self.refresh();
    }
}

/// The weight of the window by its end.
#[derive(Clone, Debug)]
pub struct Profile<S> {
    nodes: VecDeque<Node<S>>,
    /// The weight behind the last step.
    last: S,
    /// Steps before this are not kept.
    start: Timestamp,
    /// Room of leaves that have gone, used again.
    spare: Vec<Vec<(Timestamp, S)>>,
}

/// Leaves whose room is kept for the next.
const SPARE: usize = 4;

impl<S: Sum> Profile<S> {
    /// A profile of windows that end at `start` or later.
    pub fn new(start: Timestamp) -> Self {
        Profile { nodes: VecDeque::new(), last: S::default(), start, spare: Vec::new() }
    }

    /// The weight behind the last step.
    pub fn last(&self) -> S {
        self.last
    }

    /// From `time` on, windows weigh `weight` more.
    pub fn add(&mut self, time: Timestamp, weight: S) {
        self.last += weight;
        if time < self.start {
            return;
        }
        let at = self.node_of(time);
        let Some(node) = self.nodes.get_mut(at) else {
            self.nodes.push_back(Node::new(vec![Leaf::new(vec![(time, weight)])]));
            return;
        };
        if node.leaves.len() == NODE {
            // What goes on at the end leaves full nodes behind.
            let keep = if node.last() < time { NODE - 1 } else { NODE / 2 };
            touch(NODE - keep);
            let mut leaves = Vec::with_capacity(NODE);
            leaves.extend(node.leaves.drain(keep..));
            node.refresh();
            self.nodes.insert(at + 1, Node::new(leaves));
        }
        let at = self.node_of(time);
        self.nodes[at].add(time, weight, &mut self.spare);
    }

    /// The node that holds, or would hold, a step at `time`; in order it is the last.
    fn node_of(&self, time: Timestamp) -> usize {
        match self.nodes.back() {
            Some(node) if node.first <= time => self.nodes.len() - 1,
            _ => self.nodes.partition_point(|node| node.first <= time).saturating_sub(1),
        }
    }

    /// Lets go of what is before `start`: no window that ends there will be asked for again.
    pub fn forget(&mut self, start: Timestamp) {
        self.start = self.start.max(start);
        while let Some(node) = self.nodes.front_mut()
            && node.leaves[0].last() < start
        {
            touch(node.leaves.len());
            let mut steps = node.leaves.remove(0).steps;
            if self.spare.len() < SPARE {
                steps.clear();
                self.spare.push(steps);
            }
            if node.leaves.is_empty() {
                self.nodes.pop_front();
            } else {
                node.refresh();
            }
        }
    }

    /// The heaviest window that ends in `from..=to`: its weight, and the earliest end that has it.
    pub fn highest(&self, from: Timestamp, to: Timestamp) -> (S, Timestamp) {
        let behind = self.steps(to, Timestamp::MAX).sum;
        let steps = self.steps(from, to);
        (self.last - behind - steps.sum + steps.peak, steps.at)
    }

    /// The steps after `after`, up to and with those at `to`; the peak may be before all of them.
    fn steps(&self, after: Timestamp, to: Timestamp) -> Summary<S> {
        let mut found = Summary { sum: S::default(), peak: S::default(), at: after };
        if self.nodes.back().is_none_or(|node| node.last() <= after) {
            return found;
        }
        for node in self.nodes.range(self.node_of(after)..) {
            touch(1);
            if node.first > after && node.last() <= to {
                found = found.join(node.summary);
            } else if node.first <= to {
                found = node.steps(found, after, to);
            } else {
                break;
            }
        }
        found
    }
}

impl<S: Sum> Node<S> {
    /// `found`, and then those of its steps that are after `after`, up to and with those at `to`.
    fn steps(&self, mut found: Summary<S>, after: Timestamp, to: Timestamp) -> Summary<S> {
        let begin = self.leaves.partition_point(|leaf| leaf.first() <= after).saturating_sub(1);
        for leaf in &self.leaves[begin..] {
            touch(1);
            if leaf.first() > to {
                break;
            }
            if leaf.first() > after && leaf.last() <= to {
                found = found.join(leaf.summary);
                continue;
            }
            let begin = leaf.steps.partition_point(|(time, _)| *time <= after);
            let end = leaf.steps.partition_point(|(time, _)| *time <= to);
            touch(end - begin);
            found = leaf.steps[begin..end].iter().copied().map(Summary::of).fold(found, Summary::join);
        }
        found
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
        let mut profile: Profile<i64> = Profile::new(Timestamp(0));
        let mut plain: BTreeMap<i64, i64> = BTreeMap::new();
        let mut start = 0;
        for clock in 0..60_000_i64 {
            // Steps come in order, or anywhere in what is kept, or before it.
            let time = if clock % 3 == 0 { start - 5 + random(clock - start + 5) } else { clock };
            let weight = random(21) - 9;
            profile.add(Timestamp(time), weight);
            *plain.entry(time.max(start)).or_default() += weight;
            if clock % 100 == 0 {
                start = start.max(clock - 15_000 - random(100));
                profile.forget(Timestamp(start));
                let before: i64 = plain.range(..=start).map(|(_, weight)| *weight).sum();
                plain = plain.split_off(&(start + 1));
                plain.insert(start, before);
            }
            if clock % 37 != 0 {
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
            assert_eq!(found, (best.0, Timestamp(best.1)), "at {clock}");
        }
    }
}
