//! Memories of every kind, packed and unpacked.

use super::*;
use crate::{random::Random, state::bytes::Draft, time::Zone};

/// Mostly whole money, at times any digits, at times as much as a thousand operations of the largest amount.
fn any_amount(random: &mut Random) -> i128 {
    match random.below(5) {
        0 => i128::from(random.below(1 << 30)),
        1 => 10_i128.pow(31) - i128::from(random.below(9)),
        2 => i128::from(u64::MAX) + i128::from(random.below(20_000)) - 10_000,
        _ => i128::from(random.below(1 << 20)) * 10_000,
    }
}

fn any_text(random: &mut Random) -> String {
    let length = [0, 2, 15, 36, 39, 40, 41, 64, 127, 128, 300][random.place(11)];
    (0..length).map(|_| char::from(b'a' + u8::try_from(random.below(26)).expect("a letter"))).collect()
}

pub(in crate::state) const HOUR: i64 = 60 * 60 * 1_000;

/// One measure of every kind, with every form of a key.
pub(in crate::state) fn shapes() -> Vec<Shape> {
    let sliding = [Span::Millis(HOUR), Span::Millis(24 * HOUR), Span::Months(1)];
    let mut shapes = Vec::new();
    let forms = [KeyForm::Nothing, KeyForm::Amount, KeyForm::Hashed];
    let kinds = [
        Kind::Count,
        Kind::Sum,
        Kind::Distinct,
        Kind::Change,
        Kind::New,
        Kind::After,
        Kind::Streak(None),
        Kind::Newest,
    ];
    for (place, kind) in kinds.into_iter().enumerate() {
        let spans = sliding[..=place % 3].to_vec();
        shapes.push(Shape { kind, key: forms[place % 3], spans });
    }
    for (place, kind) in [Kind::Count, Kind::Sum, Kind::Distinct].into_iter().enumerate() {
        let calendar = if place == 1 { Calendar::Day } else { Calendar::Month };
        shapes.push(Shape { kind, key: forms[place % 3], spans: vec![Span::Calendar(calendar)] });
    }
    shapes
}

/// A text with its type, for measures that print it.
pub(in crate::state) fn any_known(random: &mut Random) -> Known {
    let tag = u8::try_from(random.below(256)).expect("a byte");
    Known::new(tag, &any_text(random))
}

/// What an event might bring to a measure of the shape.
pub(in crate::state) fn any_item<'a>(shape: &Shape, known: &'a Known, random: &mut Random) -> Item<'a> {
    match (shape.kind, shape.calendar()) {
        (Kind::Sum, _) | (Kind::Count, Some(_)) => Item::Number(any_amount(random)),
        (Kind::Distinct | Kind::New, _) => Item::Value(u128::from(random.below(60)) << 90 | 7),
        (Kind::Change, _) => Item::Known(known),
        _ => Item::Nothing,
    }
}

/// Remembers one more event, whatever it is.
fn add(memory: &mut Memory, shape: &Shape, moment: &Moment<'_>, random: &mut Random) {
    let known = any_known(random);
    memory.remember(shape, moment, any_item(shape, &known, random));
}

/// All that a memory says, as text.
pub(in crate::state) fn describe(memory: &Memory) -> String {
    match memory {
        Memory::Values(periods) => {
            let said = |values: &Values| (values.len(), values.few().map(<[u128]>::to_vec));
            let kept: Vec<_> = periods.kept().iter().map(|(period, values)| (period, said(values))).collect();
            format!("{kept:?}")
        }
        Memory::Total(periods) => format!("{:?}", periods.kept()),
        Memory::Streak(row) => format!("{row:?}"),
        Memory::Newest(time) => format!("{time:?}"),
        _ => {
            with_log!(memory, log => format!("{:?} to {:?}", log.short(), log.newest()), otherwise _ => unreachable!())
        }
    }
}

#[test]
fn short_memories_of_every_kind_come_back() {
    let zone = Zone::load("Asia/Almaty").expect("a zone");
    let mut random = Random::new(11);
    let mut packed = 0;
    for round in 0..400 {
        for shape in &shapes() {
            let origin = Timestamp(1_700_000_000_000 + random.below_signed(1 << 40) - (1 << 39));
            let start = if round % 10 == 0 { Timestamp::MIN.0 + (1 << 50) - (1 << 49) } else { origin.0 };
            let mut moment = Moment { time: Timestamp(start), newest: Timestamp(start), lateness: HOUR, zone: &zone };
            let mut memory = Memory::new(shape);
            assert_eq!(memory.packing(), Packing::Empty);
            for _ in 0..1 + random.below(26) {
                // Some at the same instant, some late.
                moment.time.0 = moment.newest.0 + random.below_signed(3 * HOUR / 60) * random.below_signed(2)
                    - random.below_signed(9);
                moment.newest = moment.newest.max(moment.time);
                add(&mut memory, shape, &moment, &mut random);
                let Packing::Short(room) = memory.packing() else {
                    assert_eq!(memory.packing(), Packing::Long);
                    break;
                };
                let mut draft = Draft::default();
                draft.write(room, |out| memory.write(origin, out));
                assert!(draft.len() <= room, "{} bytes of {room} for {shape:?}", draft.len());
                let mut again = Memory::new(shape);
                again.unpack(origin, &mut Reader::new(draft.with_margin(), 0));
                assert_eq!(describe(&again), describe(&memory), "{shape:?}");
                packed += 1;
            }
        }
    }
    assert!(packed > 20_000, "{packed} memories");
}

#[test]
fn a_stamp_is_what_a_packed_memory_begins_with() {
    let zone = Zone::load("Asia/Almaty").expect("a zone");
    let mut random = Random::new(12);
    let origin = Timestamp(1_700_000_000_000);
    for shape in &shapes() {
        let mut moment = Moment { time: origin, newest: origin, lateness: HOUR, zone: &zone };
        let mut memory = Memory::new(shape);
        for _ in 0..9 {
            moment.time.0 += random.below_signed(9 * HOUR);
            moment.newest = moment.time;
            add(&mut memory, shape, &moment, &mut random);
            let Packing::Short(room) = memory.packing() else { unreachable!("nine entries are few") };
            let (mut packed, mut stamp) = (Draft::default(), Draft::default());
            packed.write(room, |out| memory.write(origin, out));
            stamp.write(9, |out| Stamp::of(&memory).write(origin, out));
            assert!(packed.written().starts_with(stamp.written()));
            let later = Moment { newest: Timestamp(moment.newest.0 + random.below_signed(80 * 24 * HOUR)), ..moment };
            if Reader::new(packed.with_margin(), 0).signed() < passed_below(shape, origin, &later) {
                assert!(memory.clone().forget(&shape.spans, &later), "{shape:?}: what has passed is forgotten");
            }
        }
    }
}
