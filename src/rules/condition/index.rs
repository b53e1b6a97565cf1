//! Which of many conditions may hold for an event, found without asking each of them.
//!
//! What is looked for is told by `access`. Costs are a look-up for each field that is asked for, and then those of what is
//! found; how many conditions there are adds the steps of a binary search.

use super::{
    Condition,
    access::{self, Fact, Key, Part, Range},
    program::Scene,
};
use crate::{
    event::{Field, Scalar, Value},
    facts::Facts,
    rules::{List, Unit},
    time::Zone,
};
use std::collections::HashMap;

/// Conditions by what must be true of an event before they can hold. Each is known by its place among those given.
#[derive(Debug, Default)]
pub struct Index {
    numbers: Vec<(Field, Ranges)>,
    texts: Vec<(Field, Texts)>,
    facts: Vec<(Fact, Vec<u16>)>,
    /// Those of which nothing is known beforehand.
    any: Vec<u16>,
}

impl Index {
    /// # Panics
    /// Where there are 2^16 conditions, which is more than `limits::RULES`.
    #[must_use]
    pub fn new<'c>(conditions: impl IntoIterator<Item = &'c Condition>) -> Index {
        let mut index = Index::default();
        for (place, condition) in conditions.into_iter().enumerate() {
            let place = u16::try_from(place).expect("there are no more conditions than rules");
            match access::keys(&condition.test, true) {
                Some(keys) => keys.into_iter().for_each(|key| index.put(key, place)),
                None => index.any.push(place),
            }
        }
        index.numbers.iter_mut().for_each(|(_, ranges)| ranges.arrange());
        index
    }

    fn put(&mut self, key: Key, place: u16) {
        match key {
            Key::Number(field, range) => of_field(&mut self.numbers, field).0.push(Node::new(range, place)),
            Key::Text(field, part, text) => of_field(&mut self.texts, field).put(part, text, place),
            Key::Fact(fact) => match self.facts.iter_mut().find(|(known, _)| known.reads_as(&fact)) {
                Some((_, places)) => places.push(place),
                None => self.facts.push((fact, vec![place])),
            },
        }
    }

    /// Tells of every condition that may hold for an event, in no order and some of them more than once; those that are not
    /// told of do not hold. `lists`, `units` and `zone` are those that the conditions were compiled with.
    pub fn candidates(
        &self,
        facts: &Facts<'_>,
        (units, lists, zone): (&[Unit], &[List], &Zone),
        found: impl FnMut(u16),
    ) {
        let attribute = |name: &str| facts.event.attributes.get(name);
        self.find(&Scene { facts, attribute, units, lists, zone }, found);
    }

    pub(super) fn find<'s, A: Fn(&str) -> Option<Scalar<'s>>>(&self, scene: &Scene<'s, A>, mut found: impl FnMut(u16)) {
        self.any.iter().for_each(|place| found(*place));
        for (fact, places) in &self.facts {
            if scene.test(&fact.test) == Some(fact.truth) {
                places.iter().for_each(|place| found(*place));
            }
        }
        for (field, ranges) in &self.numbers {
            if let Some(number) = number(scene, field) {
                ranges.holding(number, &mut found);
            }
        }
        for (field, texts) in &self.texts {
            if let Some(text) = scene.text_of(field) {
                texts.fitting(text.as_bytes(), &mut found);
            }
        }
    }
}

impl Fact {
    /// Simple tests ask the same when they are written the same.
    fn reads_as(&self, other: &Fact) -> bool {
        self.truth == other.truth && format!("{:?}", self.test) == format!("{:?}", other.test)
    }
}

fn of_field<T: Default>(all: &mut Vec<(Field, T)>, field: Field) -> &mut T {
    let known = all.iter().position(|(other, _)| *other == field);
    let place = known.unwrap_or_else(|| {
        all.push((field, T::default()));
        all.len() - 1
    });
    &mut all[place].1
}

/// The field as ranges have it.
fn number<'s, A: Fn(&str) -> Option<Scalar<'s>>>(scene: &Scene<'s, A>, field: &Field) -> Option<i128> {
    match field {
        Field::Amount => Some(access::money(scene.facts.event.amount?)),
        Field::Balance => Some(access::money(scene.facts.event.balance?)),
        field => match scene.value(field)? {
            Value::Number(number) => Some(access::millionths(number)),
            Value::Time(time) => Some(time.0.into()),
            _ => None,
        },
    }
}

/// Ranges, found by a number in them: a search tree laid out in order, each node of which knows the greatest end below it
/// (Cormen and others, "Introduction to Algorithms", interval trees).
#[derive(Debug, Default)]
struct Ranges(Vec<Node>);

#[derive(Debug)]
struct Node {
    range: Range,
    /// The greatest end among the node and those below it.
    farthest: i128,
    place: u16,
}

impl Node {
    fn new(range: Range, place: u16) -> Node {
        Node { range, farthest: range.most, place }
    }
}

impl Ranges {
    /// Makes the tree of what was put in.
    fn arrange(&mut self) {
        self.0.sort_by_key(|node| node.range.least);
        arrange(&mut self.0);
    }

    #[inline]
    fn holding(&self, number: i128, found: &mut impl FnMut(u16)) {
        holding(&self.0, number, found);
    }
}

/// Gives each node its farthest end, and that of the root.
fn arrange(nodes: &mut [Node]) -> i128 {
    if nodes.is_empty() {
        return i128::MIN;
    }
    let middle = nodes.len() / 2;
    let (before, rest) = nodes.split_at_mut(middle);
    let (root, after) = rest.split_first_mut().expect("there is a middle");
    root.farthest = root.range.most.max(arrange(before)).max(arrange(after));
    root.farthest
}

fn holding(mut nodes: &[Node], number: i128, found: &mut impl FnMut(u16)) {
    loop {
        let (before, rest) = nodes.split_at(nodes.len() / 2);
        let Some((root, after)) = rest.split_first() else { return };
        if root.farthest < number {
            return;
        }
        if root.range.least > number {
            nodes = before;
            continue;
        }
        holding(before, number, found);
        if number <= root.range.most {
            found(root.place);
        }
        nodes = after;
    }
}

/// Texts that a field is, begins with or ends with.
#[derive(Debug, Default)]
struct Texts {
    whole: Places,
    /// By length, for a text is looked up as long as those are that it may begin or end with.
    parts: Vec<(Part, usize, Places)>,
}

type Places = HashMap<Box<[u8]>, Vec<u16>>;

impl Texts {
    fn put(&mut self, part: Part, text: Box<str>, place: u16) {
        let Texts { whole, parts } = self;
        let places = match part {
            Part::Whole => whole,
            part => match parts.iter().position(|(other, length, _)| *other == part && *length == text.len()) {
                Some(known) => &mut parts[known].2,
                None => {
                    parts.push((part, text.len(), Places::default()));
                    &mut parts.last_mut().expect("one was just put in").2
                }
            },
        };
        places.entry(text.into_boxed_bytes()).or_default().push(place);
    }

    fn fitting(&self, text: &[u8], found: &mut impl FnMut(u16)) {
        let mut tell = |places: &Places, text: &[u8]| {
            if let Some(places) = places.get(text) {
                places.iter().for_each(|place| found(*place));
            }
        };
        if !self.whole.is_empty() {
            tell(&self.whole, text);
        }
        for (part, length, places) in &self.parts {
            if let Some(rest) = text.len().checked_sub(*length) {
                let (start, end) = if *part == Part::Start { (0, *length) } else { (rest, text.len()) };
                tell(places, &text[start..end]);
            }
        }
    }
}
