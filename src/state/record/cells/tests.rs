//! Short memories of every kind: through a record to wallets of another process, and with bytes that are not theirs.

use super::*;
use crate::{
    random::Random,
    state::{
        SlotId,
        memory::{
            Item, Memory,
            tests::{HOUR, any_item, any_known, describe, shapes},
        },
        special::Special,
        wallets::{Memories, Own, Restored, Wallets},
    },
    time::Zone,
    window::Moment,
};

/// Soon after the beginning of a month in Almaty.
const NEAR: Timestamp = Timestamp(1_790_800_200_000);
const WALLET: Hash = 7 << 90 | 1;

/// Wallets of a process, and what measures they have.
struct Process {
    wallets: Wallets,
    shapes: Vec<Shape>,
    zone: Zone,
}

/// A memory in a record, by measure.
type Written = (SlotId, Vec<u8>);

impl Process {
    /// One that counts instants from anywhere.
    fn new(random: &mut Random) -> Process {
        let zone = Zone::load("Asia/Almaty").expect("a zone");
        let mut process = Process { wallets: Wallets::default(), shapes: shapes(), zone };
        process.put_back(1, Timestamp(NEAR.0 + random.below_signed(1 << 38) - (1 << 37)), Vec::new());
        process
    }

    fn put_back(&mut self, wallet: Hash, newest: Timestamp, memories: Vec<(SlotId, Hash, Own<'_, Memory>)>) {
        let (ids, memories) = (Vec::new(), Memories::Own(memories));
        let restored = Restored { newest, status: None, special: Special::default(), ids, memories };
        self.wallets.put_back(wallet, restored, newest, &self.shapes);
    }

    /// One event, which is added to some of the wallet's memories: as they lie, where they can be.
    fn step(&mut self, time: Timestamp, random: &mut Random) {
        let Process { wallets, shapes, zone } = self;
        let handle = wallets.find(WALLET);
        wallets.open(WALLET, handle, time, shapes);
        let newest = wallets.open.newest.max(time);
        wallets.open.newest = newest;
        let moment = Moment { time, newest, lateness: 40 * HOUR, zone };
        for (slot, shape) in (0..).map(SlotId).zip(shapes.iter()) {
            if random.below(2) == 0 {
                continue;
            }
            let key = match shape.key {
                KeyForm::Nothing | KeyForm::OfRecord(_) => 0,
                KeyForm::Amount => [9, 5_000_000_000][random.place(2)],
                KeyForm::Hashed => u128::MAX - 5,
            };
            let known = any_known(random);
            let item = match any_item(shape, &known, random) {
                Item::Number(_) => {
                    Item::Number([10_000 * i128::from(random.below(1 << 40)), 1 << 76, 0, 9_999, 1][random.place(5)])
                }
                item => item,
            };
            let _ = wallets.look(slot, key, shapes, &moment);
            if !wallets.append(slot, key, shapes, &moment, item) {
                wallets.memory_or_new(slot, key, shapes, &moment).remember(shape, &moment, item);
            }
        }
        wallets.close(shapes, &moment);
    }

    /// Some events of up to 30 hours, the last of them at [`NEAR`].
    fn live(&mut self, random: &mut Random) {
        let events = 1 + random.below_signed(25);
        for back in (0..events).rev() {
            let late = random.below_signed(2) * random.below_signed(HOUR);
            self.step(Timestamp(NEAR.0 - back * (random.below_signed(HOUR) + late)), random);
        }
    }

    /// The short memories of the wallet, as a record has them.
    fn written(&mut self) -> Vec<Written> {
        assert!(self.wallets.reopen(WALLET, &self.shapes));
        let near = self.wallets.open.newest;
        let cells: Vec<_> = self.wallets.own_cells(&self.shapes).collect();
        let mut all = Vec::new();
        for (cell, slot, _) in cells {
            let mut sink = Sink::default();
            if let (key, Own::Short(memory)) = self.wallets.own(cell, &self.shapes) {
                write_short(slot.0.into(), key, &memory, near, &mut sink);
                let mut source = Source::new(&sink.bytes);
                let (number, is_long, bytes) = read_head(&mut source).expect("what was written");
                assert_eq!((number, is_long, source.is_empty()), (slot.0.into(), false, true));
                all.push((slot, bytes.rest().to_vec()));
            }
        }
        all
    }

    /// Takes the memory of a record as that of the wallet.
    fn read(&mut self, (slot, bytes): &Written) -> Read<Hash> {
        let shape = &self.shapes[usize::from(slot.0)];
        let mut source = Source::new(bytes);
        let key = read_key(shape.key, &mut source)?;
        let memory = read_short(&mut source, shape, NEAR)?;
        self.put_back(WALLET, NEAR, vec![(*slot, key, Own::Short(memory))]);
        Ok(key)
    }

    fn describe(&mut self, slot: SlotId, key: Hash) -> String {
        assert!(self.wallets.reopen(WALLET, &self.shapes));
        self.wallets.memory(slot, key, &self.shapes).map_or_else(String::new, |memory| describe(memory))
    }
}

#[test]
fn what_lies_in_one_process_lies_in_another() {
    let mut random = Random::new(5);
    let (mut short, mut periods) = (0, 0);
    for _ in 0..150 {
        let mut one = Process::new(&mut random);
        one.live(&mut random);
        for written in one.written() {
            let mut other = Process::new(&mut random);
            let key = other.read(&written).expect("what was written");
            let said = one.describe(written.0, key);
            assert_eq!(other.describe(written.0, key), said, "{:?}", one.shapes[usize::from(written.0.0)]);
            assert_eq!(other.written(), std::slice::from_ref(&written), "{said}");
            for end in 0..written.1.len() {
                assert!(other.read(&(written.0, written.1[..end].to_vec())).is_err(), "{said} cut at {end}");
            }
            short += 1;
            periods += usize::from(said.matches("Period(").count() == 2);
        }
    }
    assert!(short > 1_000 && periods > 100, "{short} memories, {periods} of two periods");
}

/// Whatever is taken is a memory that events can be added to as it lies: nobody looks a second time.
#[test]
fn other_bytes_are_refused_or_a_memory() {
    let mut random = Random::new(6);
    let (mut refused, mut taken) = (0, 0);
    for _ in 0..400 {
        let mut one = Process::new(&mut random);
        one.live(&mut random);
        for (slot, mut bytes) in one.written() {
            for _ in 0..1 + random.below(3) {
                let at = random.place(bytes.len());
                match random.below(3) {
                    0 => bytes[at] ^= 1 << random.below(8),
                    1 => bytes[at] = u8::try_from(random.below(256)).expect("a byte"),
                    _ => bytes.insert(at, u8::try_from(random.below(256)).expect("a byte")),
                }
            }
            let mut other = Process::new(&mut random);
            if other.read(&(slot, bytes)).is_err() {
                refused += 1;
                continue;
            }
            taken += 1;
            for _ in 0..6 {
                other.step(Timestamp(NEAR.0 + random.below_signed(60 * HOUR) - 20 * HOUR), &mut random);
            }
            let _ = other.written();
        }
    }
    assert!(refused > 1_000 && taken > 300, "{refused} refused, {taken} taken");
}
