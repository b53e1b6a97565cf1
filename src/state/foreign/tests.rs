//! Foreign keys against a plain map of the same memories, which are never packed.

use super::*;
use crate::{
    random::Random,
    state::memory::tests::{HOUR, any_item, any_known, describe, shapes},
    time::Zone,
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
