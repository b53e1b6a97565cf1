//! Foreign keys against a plain map of the same memories, which are never packed.

use super::*;
use crate::{
    random::Random,
    state::memory::{
        Kind, Known,
        tests::{HOUR, any_item, any_known, describe, shapes},
    },
    time::{Span, Zone},
};
use std::collections::BTreeMap;

/// What no accepted event can reach is so far behind the newest.
const PAST: i64 = 7 * 24 * HOUR;

struct Both {
    foreign: Foreign,
    plain: BTreeMap<(u16, Hash), Memory>,
    shapes: Vec<Shape>,
    zone: Zone,
    random: Random,
    /// Events that were remembered as their memories lay.
    appended: u64,
    gone: u64,
}

impl Both {
    /// One event, whose keys are of two lists of fields. It asks for some memories and adds to some of those.
    fn step(&mut self, time: Timestamp, newest: Timestamp, keys: u64) {
        let Both { foreign, plain, shapes, zone, random, appended, gone } = self;
        let of_event = [random.below(keys), random.below(keys)].map(u128::from);
        foreign.begin(time, shapes);
        for (number, shape) in (0_u16..).zip(shapes.iter()) {
            let (slot, key) = (SlotId(number), of_event[usize::from(key_of(shape).0)]);
            let of_plain = plain.entry((number, key)).or_insert_with(|| Memory::new(shape));
            let start = |period| zone.start(period, shape.calendar().expect("it has periods"));
            let known = of_plain.newest(start).map_or(time, |known| known.max(time));
            let moment = Moment { time, newest: known, lateness: HOUR, zone };
            let (looks, adds) = (random.below(3) > 0, random.below(3) > 0);
            if looks {
                // What is only looked at keeps what it has: the key's next event may be earlier.
                let mut said = of_plain.clone();
                let passed = said.forget(&shape.spans, &moment);
                match foreign.look(slot, key, shapes, &moment) {
                    Look::Nothing => assert!(passed, "{shape:?} of {key} is missing"),
                    Look::Memory(memory) => {
                        memory.forget(&shape.spans, &moment);
                        assert_eq!(describe(memory), describe(&said), "{shape:?} of {key}");
                    }
                    Look::Short(_) | Look::Total(_) | Look::Values(_) | Look::Newest(_) => {}
                }
            }
            if adds {
                let known = any_known(random);
                let item = any_item(shape, &known, random);
                of_plain.remember(shape, &moment, item);
                if foreign.append(slot, key, shapes, &moment, item) {
                    *appended += 1;
                } else {
                    foreign.memory_or_new(slot, key, shapes).remember(shape, &moment, item);
                }
            }
        }
        let reached = Timestamp(newest.0 - PAST);
        let horizon = Moment { time: reached, newest: reached, lateness: 0, zone };
        foreign.close(shapes, &horizon);
        for (SlotId(number), key) in foreign.take_gone() {
            let mut memory = plain.remove(&(number, key)).expect("it was there");
            assert!(memory.forget(&shapes[usize::from(number)].spans, &horizon), "{number} of {key} was needed");
            *gone += 1;
        }
    }

    /// What is remembered between two events is what the plain map says.
    fn check(&mut self, newest: Timestamp) {
        let Both { foreign, plain, shapes, zone, .. } = self;
        let moment = Moment { time: newest, newest, lateness: HOUR, zone };
        let mut count = 0;
        for ((number, key), memory) in plain {
            let shape = &shapes[usize::from(*number)];
            let passed = memory.forget(&shape.spans, &moment);
            match foreign.look_at(SlotId(*number), *key, shapes) {
                None => assert!(passed, "{shape:?} of {key} is missing"),
                Some(known) => {
                    count += 1;
                    known.forget(&shape.spans, &moment);
                    assert_eq!(describe(known), describe(memory), "{shape:?} of {key}");
                }
            }
        }
        assert_eq!(foreign.count(), count);
    }
}

#[test]
fn agrees_with_a_plain_map() {
    let (mut appended, mut gone) = (0, 0);
    for (seed, keys, pace) in [(1, 3, HOUR / 200), (2, 40, HOUR / 10), (3, 3_000, HOUR)] {
        let mut shapes = shapes();
        for (place, shape) in (0_u16..).zip(&mut shapes) {
            shape.key = KeyForm::OfRecord(KeyId(place % 2));
        }
        let zone = Zone::load("Asia/Almaty").expect("a zone");
        let (foreign, plain, random) = (Foreign::default(), BTreeMap::new(), Random::new(seed));
        let mut both = Both { foreign, plain, shapes, zone, random, appended: 0, gone: 0 };
        both.foreign.note_gone();
        let mut newest = Timestamp(1_772_442_000_000);
        for step in 0..4_000 {
            newest.0 += both.random.below_signed(pace);
            let late = if both.random.below(4) == 0 { both.random.below_signed(HOUR) } else { 0 };
            both.step(Timestamp(newest.0 - late), newest, keys);
            if step % 1_000 == 999 {
                both.check(newest);
            }
        }
        (appended, gone) = (appended + both.appended, gone + both.gone);
    }
    assert!(appended > 10_000 && gone > 1_000, "{appended} were remembered as they lay, {gone} went");
}

/// Texts of a dozen measures would be more than a length can say.
#[test]
fn what_is_too_long_for_one_record_is_remembered_all_the_same() {
    const TEXT: usize = 60_000;
    let within = || Shape { kind: Kind::Change, key: KeyForm::OfRecord(KeyId(0)), spans: vec![Span::Millis(HOUR)] };
    let shapes: Vec<Shape> = (0..14).map(|_| within()).collect();
    let zone = Zone::load("Asia/Almaty").expect("a zone");
    let mut foreign = Foreign::default();
    let (start, events) = (1_772_442_000_000, 24);
    for number in 0..events {
        let time = Timestamp(start + number);
        let moment = Moment { time, newest: time, lateness: 0, zone: &zone };
        foreign.begin(time, &shapes);
        let known = Known::new(b't', &char::from(b'a' + u8::try_from(number).expect("few")).to_string().repeat(TEXT));
        for slot in (0..14).map(SlotId) {
            if !foreign.append(slot, 7, &shapes, &moment, Item::Known(&known)) {
                let shape = &shapes[usize::from(slot.0)];
                foreign.memory_or_new(slot, 7, &shapes).remember(shape, &moment, Item::Known(&known));
            }
        }
        foreign.close(&shapes, &Moment { time: Timestamp(start), newest: Timestamp(start), ..moment });
    }
    assert_eq!(foreign.count(), shapes.len());
    for (slot, shape) in (0..14).map(SlotId).zip(&shapes) {
        let memory = foreign.look_at(slot, 7, &shapes).expect("it is remembered");
        let Memory::Change(trail) = &*memory else { panic!("{shape:?} is a change") };
        assert_eq!(trail.short().map(<[_]>::len), usize::try_from(events).ok());
    }
}
