//! Wallets against plain maps of the same memories, ids and specials, which are never packed.

use super::*;
use crate::{
    decision::{Action, RestrictionId, RuleId},
    event::ClientStatus,
    limits,
    random::Random,
    state::{
        ids::PackedId,
        memory::{
            KeyForm,
            tests::{HOUR, any_item, any_known, describe, shapes},
        },
        special::{IdText, NameId, Restrictions, Waiting},
    },
    time::{Period, Zone},
};
use std::collections::BTreeMap;

#[derive(Default)]
struct Plain {
    memories: BTreeMap<(u16, Hash), Memory>,
    ids: Vec<Remembered>,
    special: Special,
    newest: Option<Timestamp>,
    status: Option<ClientStatus>,
}

const DEDUP: i64 = HOUR;

struct Both {
    wallets: Wallets,
    plain: BTreeMap<Hash, Plain>,
    shapes: Vec<Shape>,
    zone: Zone,
    random: Random,
    ids: u64,
    /// Short logs that were looked at as they lay, and events that were remembered so.
    looked_at: u64,
    appended: u64,
}

impl Both {
    fn new(seed: u64) -> Both {
        Both {
            wallets: Wallets::default(),
            plain: BTreeMap::new(),
            shapes: shapes(),
            zone: Zone::load("Asia/Almaty").expect("a zone"),
            random: Random::new(seed),
            ids: 0,
            looked_at: 0,
            appended: 0,
        }
    }

    fn open(&mut self, wallet: u64, time: Timestamp) -> (Hash, Timestamp) {
        let hash = (u128::from(wallet) + 1).wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645);
        let plain = self.plain.entry(hash).or_default();
        let handle = self.wallets.find(hash);
        assert_eq!(handle.is_some(), plain.newest.is_some());
        self.wallets.open(hash, handle, time, &self.shapes);
        assert_eq!(self.wallets.open.newest, plain.newest.unwrap_or(time));
        assert_eq!((&self.wallets.open.special, self.wallets.open.status), (&plain.special, plain.status));
        plain.newest = plain.newest.max(Some(time));
        self.wallets.open.newest = self.wallets.open.newest.max(time);
        (hash, self.wallets.open.newest)
    }

    /// One event, which asks for some memories and adds to some of those.
    fn step(&mut self, wallet: u64, time: Timestamp, keys: u64) {
        let (hash, newest) = self.open(wallet, time);
        let Both { wallets, plain, shapes, zone, random, ids, looked_at, appended } = self;
        let plain = plain.get_mut(&hash).expect("opened");
        let moment = Moment { time, newest, lateness: HOUR, zone };
        let oldest = Timestamp(newest.0 - DEDUP);
        for known in &plain.ids {
            assert_eq!(wallets.remembered(known.id, oldest), (known.time >= oldest).then_some(*known));
        }
        for (number, shape) in (0_u16..).zip(shapes.iter()) {
            let key = match shape.key {
                KeyForm::Nothing | KeyForm::OfRecord(_) => 0,
                KeyForm::Amount => random.below(keys).into(),
                KeyForm::Hashed => u128::from(random.below(keys)) << 100 | 5,
            };
            let of_plain = plain.memories.entry((number, key)).or_insert_with(|| Memory::new(shape));
            let what = random.below(4);
            if what == 0 {
                continue;
            }
            let passed = of_plain.forget(&shape.spans, &moment);
            if what == 3 {
                // As the engine asks: for what lies packed, if it does.
                match wallets.look(SlotId(number), key, shapes, &moment) {
                    Look::Nothing => assert!(passed, "{shape:?} of {key} is missing"),
                    Look::Short(_) => *looked_at += 1,
                    Look::Total(_) | Look::Values(_) | Look::Newest(_) | Look::Memory(_) => {}
                }
            } else {
                match wallets.memory(SlotId(number), key, shapes) {
                    None => assert!(passed, "{shape:?} of {key} is missing"),
                    Some(memory) => {
                        memory.forget(&shape.spans, &moment);
                        assert_eq!(describe(memory), describe(of_plain), "{shape:?} of {key}");
                    }
                }
            }
            if what != 2 {
                let known = any_known(random);
                let item = any_item(shape, &known, random);
                of_plain.remember(shape, &moment, item);
                if wallets.append(SlotId(number), key, shapes, &moment, item) {
                    *appended += 1;
                } else {
                    wallets.memory_or_new(SlotId(number), key, shapes, &moment).remember(shape, &moment, item);
                }
            }
        }
        *ids += 1;
        let action = Action::ALL[random.place(7)];
        let score = u16::try_from(random.below(1_001)).expect("small");
        let event = Remembered { id: *ids << 20, fingerprint: u64::MAX - *ids, time, action, score };
        wallets.remember(event, oldest);
        plain.ids.retain(|known| known.time >= oldest);
        plain.ids.push(event);
        if random.below(4) == 0 {
            plain.status = Some(ClientStatus::ALL[random.place(ClientStatus::ALL.len())]);
            plain.special = special(random, time);
        }
        wallets.open.status = plain.status;
        wallets.open.special.clone_from(&plain.special);
        wallets.close(shapes, &moment);
    }

    fn close_all(&mut self, time: Timestamp) -> usize {
        let hashes: Vec<Hash> = self.plain.keys().copied().collect();
        let mut bytes = 0;
        for hash in hashes {
            let handle = self.wallets.find(hash);
            self.wallets.open(hash, handle, time, &self.shapes);
            self.wallets.open.newest = time;
            self.wallets.open.special.clear();
            let moment = Moment { time, newest: time, lateness: HOUR, zone: &self.zone };
            let oldest = Timestamp(time.0 - DEDUP);
            let (id, fingerprint, action, score) = (1, 1, Action::Allow, 0);
            self.wallets.remember(Remembered { id, time, fingerprint, action, score }, oldest);
            // Many memories are looked through seldom.
            for _ in 0..8_000 {
                self.wallets.settle_many_cells(self.wallets.origin.expect("opened"), &self.shapes, &moment);
            }
            self.wallets.close(&self.shapes, &moment);
            bytes += self.wallets.open.packed.len();
        }
        bytes
    }
}

fn special(random: &mut Random, time: Timestamp) -> Special {
    let mut special = Special::default();
    if random.below(2) == 0 {
        return special;
    }
    let place = |random: &mut Random| u16::try_from(random.below(300)).expect("small");
    let text = |random: &mut Random| IdText::new(&"x".repeat(usize::try_from(random.below(129)).expect("small")));
    for _ in 0..random.below(4) {
        let until = (random.below(2) == 0).then(|| Timestamp(time.0 + random.below(1 << 40).cast_signed() - (1 << 39)));
        let restriction = RestrictionId(place(random) % 64);
        let by = NameId(place(random).into());
        special.standing.push(Standing { restriction, since: time, until, by, by_event: text(random) });
    }
    for _ in 0..random.below(limits::WAITING as u64 + 9) {
        let mut waits_for = Restrictions::default();
        (0..random.below(3)).for_each(|_| waits_for.insert(RestrictionId(place(random) % 64)));
        let (cancelled, expired) = (random.below(2) == 0, random.below(2) == 0);
        special.wait(Waiting { id: text(random), time, waits_for, cancelled, expired });
    }
    for _ in 0..random.below(3) {
        special.confirmed.push((RuleId(place(random)), Period(-9)));
    }
    if !special.is_empty() {
        special.asked.push((RestrictionId(place(random) % 64), RuleId(place(random))));
    }
    special
}

/// Few and many keys, bursts that make memories long, silences in which they pass.
#[test]
fn agrees_with_plain_maps() {
    for (seed, keys) in [(1, 1), (2, 3), (3, 40)] {
        let mut both = Both::new(seed);
        let mut now = 1_700_000_000_000;
        let mut most = 0;
        for step in 0..6_000_u64 {
            let (burst, gap) = (step / 300 % 3 != 0, both.random.below(if step % 900 == 0 { 1 << 33 } else { 90_000 }));
            now += if burst { gap.cast_signed() } else { 30 * gap.cast_signed() };
            let late = both.random.below(10) == 0;
            let behind = both.random.below(HOUR.cast_unsigned()).cast_signed();
            let wallet = both.random.below(if burst { 3 } else { 40 });
            both.step(wallet, Timestamp(if late { now - behind } else { now }), keys);
            most = most.max(both.wallets.open.packed.len());
        }
        let (looked_at, appended) = (both.looked_at, both.appended);
        assert!(looked_at > 100 && appended > 1_000, "{looked_at} looked at as they lay, {appended} remembered so");
        assert!(most > 1_000, "the longest record has {most} bytes");
        let wallets = both.plain.len();
        let left = both.close_all(Timestamp(now + 400 * 24 * HOUR));
        // The newest time of one measure is all that never passes, for every key of it.
        let outlasting = 40 * usize::try_from(keys).expect("few");
        assert!(
            left <= wallets * (HEAD_BYTES + size_of::<PackedId>() + outlasting),
            "{left} bytes of {wallets} wallets are left"
        );
        let many: usize = both.wallets.many_cells.iter_mut().map(|many| many.len()).sum();
        assert_eq!(both.wallets.long.held(), many, "no memory outlives what refers to it");
        assert_eq!(both.wallets.many_ids.held(), 0);
        assert_eq!(both.wallets.long_specials.held(), 0);
    }
}
