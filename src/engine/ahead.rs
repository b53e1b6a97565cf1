//! Hashes of an event that are worked out before its step, while the records that they lead to are fetched.
//!
//! Whoever tells the engine which events come next needs their hashes to find the records, and each step needs them again. A
//! [`Hashed`] carries them from one to the other: 170 instructions an event with five rules, and 450 with the default pack.

use super::{
    judge::canonical,
    plan::{DigestId, Key, Of, Plan, TypePlan},
};
use crate::{
    event::{Event, Field, Value},
    hash::HashKey,
    state::{Hash, SlotId, wallets::Asked},
};

/// An event with the hashes of what it states plainly. They say the same to every engine of that key, whatever its packs.
#[derive(Clone, Copy, Debug)]
pub struct Hashed<'e, 'a> {
    pub(super) event: &'e Event<'a>,
    pub(super) key: HashKey,
    pub(super) wallet: Hash,
    pub(super) id: u64,
    /// Those of fields, as far as they are known.
    plain: [Hash; Plain::COUNT],
    known: [bool; Plain::COUNT],
}

/// A field that an event states, and that is often a key by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    Counterparty,
    Merchant,
    Device,
    Ip,
}

impl Plain {
    const COUNT: usize = 4;

    /// What some fields are, if they are one of these.
    pub fn of(fields: &[Field]) -> Option<Plain> {
        match fields {
            [Field::Counterparty] => Some(Plain::Counterparty),
            [Field::Merchant] => Some(Plain::Merchant),
            [Field::Device] => Some(Plain::Device),
            [Field::Ip] => Some(Plain::Ip),
            _ => None,
        }
    }

    fn value<'a>(self, event: &Event<'a>) -> Option<Value<'a>> {
        match self {
            Plain::Counterparty => event.counterparty.map(Value::Text),
            Plain::Merchant => event.merchant.map(Value::Text),
            Plain::Device => event.device.map(Value::Text),
            Plain::Ip => event.ip.map(Value::Ip),
        }
    }
}

impl<'e, 'a> Hashed<'e, 'a> {
    pub fn new(event: &'e Event<'a>, key: HashKey) -> Self {
        let (wallet, id) = (key.hash(event.wallet.as_bytes()), key.short_hash(event.id.as_bytes()));
        Hashed { event, key, wallet, id, plain: [0; Plain::COUNT], known: [false; Plain::COUNT] }
    }

    #[must_use]
    pub fn event(&self) -> &'e Event<'a> {
        self.event
    }

    /// The hash of its wallet.
    #[must_use]
    pub fn wallet(&self) -> Hash {
        self.wallet
    }

    /// Works out the hash of a field; nothing where the event lacks it.
    fn hash(&mut self, field: Plain, bytes: &mut Vec<u8>) -> Option<Hash> {
        if let Some(known) = self.known(field) {
            return Some(known);
        }
        let value = field.value(self.event)?;
        bytes.clear();
        canonical(&value, bytes);
        let hash = self.key.hash(bytes);
        (self.plain[field as usize], self.known[field as usize]) = (hash, true);
        Some(hash)
    }

    /// The hash of a field, if it has been worked out.
    #[inline]
    pub(super) fn known(&self, field: Plain) -> Option<Hash> {
        self.known[field as usize].then(|| self.plain[field as usize])
    }
}

/// What is looked for ahead of the events that ask for it.
#[derive(Debug, Default)]
pub struct Ahead {
    /// By event type, the fields that are keys of foreign slots, each with those.
    fields: Vec<Vec<(Plain, Vec<SlotId>)>>,
    /// By event type, the fields whose values slots of the wallet alone will be asked about.
    valued: Vec<Vec<(Plain, Vec<SlotId>)>>,
    pub wallets: Vec<Asked>,
    /// Those that the wallets' slots will be asked about.
    pub values: Vec<(SlotId, Hash)>,
    pub foreign: Vec<(SlotId, Hash)>,
    bytes: Vec<u8>,
}

impl Ahead {
    pub fn new(plan: &Plan) -> Ahead {
        let fields_of = |field: fn(&Plan, SlotId) -> Option<Plain>| {
            let of_type = |kind: &TypePlan| {
                let mut fields = Vec::new();
                for (slot, _) in &kind.remember {
                    if let Some(field) = field(plan, *slot) {
                        put(&mut fields, field, *slot);
                    }
                }
                fields
            };
            plan.types.iter().map(of_type).collect()
        };
        Ahead { fields: fields_of(plain_key), valued: fields_of(plain_value), ..Ahead::default() }
    }

    /// Begins with other events.
    pub fn clear(&mut self) {
        self.wallets.clear();
        self.values.clear();
        self.foreign.clear();
    }

    /// Notes what an event will ask for.
    pub fn note<'e, 'a>(&mut self, event: &'e Event<'a>, key: HashKey) -> Hashed<'e, 'a> {
        let Ahead { fields, valued, wallets, values, foreign, bytes } = self;
        let mut hashed = Hashed::new(event, key);
        let before = values.len();
        for (field, slots) in &valued[usize::from(event.kind.0)] {
            if let Some(hash) = hashed.hash(*field, bytes) {
                values.extend(slots.iter().map(|slot| (*slot, hash)));
            }
        }
        wallets.push(Asked { wallet: hashed.wallet, id: hashed.id, values: before..values.len() });
        for (field, slots) in &fields[usize::from(event.kind.0)] {
            if let Some(hash) = hashed.hash(*field, bytes) {
                foreign.extend(slots.iter().map(|slot| (*slot, hash)));
            }
        }
        hashed
    }
}

fn put(fields: &mut Vec<(Plain, Vec<SlotId>)>, field: Plain, slot: SlotId) {
    match fields.iter_mut().find(|(other, _)| *other == field) {
        Some((_, slots)) if slots.contains(&slot) => {}
        Some((_, slots)) => slots.push(slot),
        None => fields.push((field, vec![slot])),
    }
}

/// The field that is all of a foreign slot's key; no other key is guessed at.
fn plain_key(plan: &Plan, slot: SlotId) -> Option<Plain> {
    let slot = &plan.slots[usize::from(slot.0)];
    match slot.key {
        Key::Digest(DigestId(digest)) if !slot.of_wallet => plan.taken.plain[usize::from(digest)],
        _ => None,
    }
}

/// The field that is the value of a slot whose key is the wallet alone.
fn plain_value(plan: &Plan, slot: SlotId) -> Option<Plain> {
    let slot = &plan.slots[usize::from(slot.0)];
    match (slot.key, &slot.of) {
        (Key::Nothing, Of::Digest(DigestId(digest))) if slot.of_wallet => plan.taken.plain[usize::from(*digest)],
        _ => None,
    }
}
