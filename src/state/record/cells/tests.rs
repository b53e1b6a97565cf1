//! Short memories of every kind: through a record to a process with another origin, and with bytes that are not theirs.

use super::*;
use crate::{
    random::Random,
    state::{
        bytes::{Draft, Reader},
        memory::{
            Item, Memory, Packing,
            tests::{HOUR, any_item, any_known, describe, shapes},
        },
    },
    time::Zone,
    window::Moment,
};

const NEAR: Timestamp = Timestamp(1_790_000_000_000);

/// A memory after some events up to [`NEAR`], unless that has become a long one.
fn any_short(shape: &Shape, zone: &Zone, random: &mut Random) -> Option<(Memory, usize)> {
    let mut memory = Memory::new(shape);
    let events = 1 + random.below_signed(25);
    for back in (0..events).rev() {
        let time = Timestamp(NEAR.0 - back * random.below_signed(HOUR / 2));
        let moment = Moment { time, newest: NEAR, lateness: 24 * HOUR, zone };
        let known = any_known(random);
        let item = match any_item(shape, &known, random) {
            Item::Number(_) => {
                Item::Number([10_000 * i128::from(random.below(1 << 40)), 1 << 76, 0, 9_999][random.place(4)])
            }
            item => item,
        };
        memory.remember(shape, &moment, item);
    }
    match memory.packing() {
        Packing::Short(room) => Some((memory, room)),
        Packing::Empty | Packing::Long => None,
    }
}

/// The bytes of a memory without its key.
fn written(memory: &Memory, room: usize, shape: &Shape, origin: Timestamp) -> Vec<u8> {
    let mut draft = Draft::default();
    draft.write(room, |out| memory.write(origin, out));
    let end = draft.len();
    let bare = Bare::read(shape.layout(), origin, Reader::new(draft.with_margin(), 0), end);
    let mut sink = Sink::default();
    write_short(7, &[], &bare, NEAR, &mut sink);
    let mut source = Source::new(&sink.bytes);
    let (number, is_long, cell) = read_head(&mut source).expect("what was written");
    assert_eq!((number, is_long, source.is_empty()), (7, false, true));
    cell.rest().to_vec()
}

/// The memory that a process of that origin reads, and its bytes there.
fn read(bytes: &[u8], shape: &Shape, origin: Timestamp) -> Read<(Memory, Vec<u8>)> {
    let bare = read_short(&mut Source::new(bytes), shape, NEAR)?;
    let mut draft = Draft::default();
    draft.write(bare.room(), |out| bare.put(origin, out));
    assert!(draft.len() <= bare.room());
    let mut memory = Memory::new(shape);
    let mut reader = Reader::new(draft.with_margin(), 0);
    memory.unpack(origin, &mut reader);
    Ok((memory, draft.written().to_vec()))
}

fn origin(random: &mut Random) -> Timestamp {
    Timestamp(NEAR.0 + random.below_signed(1 << 38) - (1 << 37))
}

#[test]
fn what_lies_in_one_process_lies_in_another() {
    let zone = Zone::load("Asia/Almaty").expect("a zone");
    let mut random = Random::new(5);
    let mut short = 0;
    for _ in 0..300 {
        for shape in &shapes() {
            let Some((memory, room)) = any_short(shape, &zone, &mut random) else { continue };
            let (one, other) = (origin(&mut random), origin(&mut random));
            let bytes = written(&memory, room, shape, one);
            let (again, lying) = read(&bytes, shape, other).expect("what was written");
            assert_eq!(describe(&again), describe(&memory), "{shape:?}");
            let mut draft = Draft::default();
            draft.write(room, |out| memory.write(other, out));
            assert_eq!(lying, draft.written(), "{shape:?}");
            for end in 0..bytes.len() {
                assert!(read(&bytes[..end], shape, other).is_err(), "{shape:?} cut at {end}");
            }
            short += 1;
        }
    }
    assert!(short > 2_000, "{short} memories");
}

/// Whatever is taken is a memory that can be worked on and written again: nobody looks a second time.
#[test]
fn other_bytes_are_refused_or_a_memory() {
    let zone = Zone::load("Asia/Almaty").expect("a zone");
    let mut random = Random::new(6);
    let (mut refused, mut taken) = (0, 0);
    for _ in 0..200 {
        for shape in &shapes() {
            let Some((memory, room)) = any_short(shape, &zone, &mut random) else { continue };
            let mut bytes = written(&memory, room, shape, NEAR);
            for _ in 0..1 + random.below(3) {
                let at = random.place(bytes.len());
                match random.below(3) {
                    0 => bytes[at] ^= 1 << random.below(8),
                    1 => bytes[at] = u8::try_from(random.below(256)).expect("a byte"),
                    _ => bytes.insert(at, u8::try_from(random.below(256)).expect("a byte")),
                }
            }
            let origin = origin(&mut random);
            let Ok((mut memory, _)) = read(&bytes, shape, origin) else {
                refused += 1;
                continue;
            };
            taken += 1;
            let Packing::Short(room) = memory.packing() else { panic!("{shape:?}: {}", describe(&memory)) };
            let mut draft = Draft::default();
            draft.write(room, |out| memory.write(origin, out));
            let newest = Timestamp(NEAR.0 + HOUR);
            let moment = Moment { time: newest, newest, lateness: HOUR, zone: &zone };
            let known = any_known(&mut random);
            memory.remember(shape, &moment, any_item(shape, &known, &mut random));
            memory.forget(&shape.spans, &moment);
        }
    }
    assert!(refused > 500 && taken > 300, "{refused} refused, {taken} taken");
}
