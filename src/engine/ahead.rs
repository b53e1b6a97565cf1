//! Hashes of an event that are worked out before its step, while the records that they lead to are fetched.
//!
//! Whoever tells the engine which events come next needs their hashes to find the records, and each step needs them again. A
//! [`Hashed`] carries them from one to the other: 170 instructions an event with five rules, and 450 with the default pack.
//! A [`Hasher`] works them out on another thread than the engine's.

use super::{
    judge::fingerprint,
    plan::{DigestId, Key, Of, Plan, TypePlan},
    values::canonical,
};
use crate::{
    event::{Event, Field, TypeId, Value},
    hash::HashKey,
    number::Amount,
    state::{
        Hash, SlotId,
        wallets::{Asked, Expected, Sought},
    },
};
use std::ops::Deref;

/// The hashes of what an event states plainly. They say the same to every engine of that key, whatever its packs.
#[derive(Clone, Copy, Debug)]
pub struct Hashes {
    pub(super) key: HashKey,
    pub(super) wallet: Hash,
    pub(super) id: u64,
    /// What a repeat must share with the first, where it has been worked out.
    pub(super) fingerprint: Option<u64>,
    kind: TypeId,
    /// The amount as a key, or 0.
    amount: Hash,
    /// Those of fields, as far as they are known.
    plain: [Hash; Plain::COUNT],
    known: [bool; Plain::COUNT],
}

/// An event with its hashes.
#[derive(Clone, Copy, Debug)]
pub struct Hashed<'e, 'a> {
    pub(super) event: &'e Event<'a>,
    hashes: Hashes,
}

impl Deref for Hashed<'_, '_> {
    type Target = Hashes;

    fn deref(&self) -> &Hashes {
        &self.hashes
    }
}

/// Works hashes out for one engine, on whatever thread: those that it will ask for, as long as its packs stay in force.
#[derive(Clone, Debug)]
pub struct Hasher {
    key: HashKey,
    /// By event type, the keyed hash of its name.
    marks: Vec<u64>,
    /// By event type, the fields that are asked for.
    fields: Vec<Vec<Plain>>,
    bytes: Vec<u8>,
}

impl Hasher {
    pub(super) fn new(key: HashKey, marks: &[u64], ahead: &Ahead) -> Hasher {
        let of_type = |(fields, valued): (&Fields, &Fields)| {
            let mut plain: Vec<Plain> = fields.iter().chain(valued).map(|(field, _)| *field).collect();
            plain.sort_unstable_by_key(|field| *field as usize);
            plain.dedup();
            plain
        };
        let fields = ahead.fields.iter().zip(&ahead.valued).map(of_type).collect();
        Hasher { key, marks: marks.to_vec(), fields, bytes: Vec::new() }
    }

    pub fn hash(&mut self, event: &Event<'_>) -> Hashes {
        let Hasher { key, marks, fields, bytes } = self;
        let mut hashes = Hashes::new(event, *key);
        let kind = usize::from(event.kind.0);
        hashes.fingerprint = Some(fingerprint(*key, event, marks[kind]));
        for field in &fields[kind] {
            hashes.hash(*field, event, bytes);
        }
        hashes
    }
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
        Hashes::new(event, key).of(event)
    }

    #[must_use]
    pub fn event(&self) -> &'e Event<'a> {
        self.event
    }
}

impl Hashes {
    #[inline]
    fn new(event: &Event<'_>, key: HashKey) -> Hashes {
        let (wallet, id) = (key.hash(event.wallet.as_bytes()), key.short_hash(event.id.as_bytes()));
        let (plain, known) = ([0; Plain::COUNT], [false; Plain::COUNT]);
        let amount = event.amount.map_or(0, amount_key);
        Hashes { key, wallet, id, fingerprint: None, kind: event.kind, amount, plain, known }
    }

    /// With the event that they are of.
    #[must_use]
    #[inline]
    pub fn of<'e, 'a>(self, event: &'e Event<'a>) -> Hashed<'e, 'a> {
        Hashed { event, hashes: self }
    }

    /// The hash of its wallet.
    #[must_use]
    pub fn wallet(&self) -> Hash {
        self.wallet
    }

    /// Works out the hash of a field; nothing where the event lacks it.
    fn hash(&mut self, field: Plain, event: &Event<'_>, bytes: &mut Vec<u8>) -> Option<Hash> {
        if let Some(known) = self.known(field) {
            return Some(known);
        }
        let value = field.value(event)?;
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

/// Fields, each with the slots that they are asked for.
type Fields = Vec<(Plain, Vec<SlotId>)>;

/// What is looked for ahead of the events that ask for it.
#[derive(Debug, Default)]
pub struct Ahead {
    /// By event type, the fields that are keys of foreign slots.
    fields: Vec<Fields>,
    /// By event type, the fields whose values slots of the wallet alone will be asked about.
    valued: Vec<Fields>,
    /// By event type, the slots of the wallet whose keys are plain.
    sought: Vec<Sought>,
    wallets: Vec<Asked>,
    /// Those that the wallets' slots will be asked about.
    values: Vec<(SlotId, Hash)>,
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
                        // Of many slots with conditions nearly none will be asked, and which is not known yet.
                        let asked = kind.selection.is_none() || plan.slots[usize::from(slot.0)].when.is_none();
                        put(&mut fields, field, asked.then_some(*slot));
                    }
                }
                fields
            };
            plan.types.iter().map(of_type).collect()
        };
        let sought = plan.types.iter().map(|kind| sought(plan, kind)).collect();
        Ahead { fields: fields_of(plain_key), valued: fields_of(plain_value), sought, ..Ahead::default() }
    }

    /// What wallets are asked for.
    pub fn of_wallets(&self) -> Expected<'_> {
        Expected { asked: &self.wallets, values: &self.values, sought: &self.sought }
    }

    /// Begins with other events.
    pub fn clear(&mut self) {
        self.wallets.clear();
        self.values.clear();
        self.foreign.clear();
    }

    /// Notes what an event will ask for, and works out the hashes of it.
    #[inline]
    pub fn note<'e, 'a>(&mut self, event: &'e Event<'a>, key: HashKey) -> Hashed<'e, 'a> {
        let mut hashed = Hashed::new(event, key);
        let kind = usize::from(event.kind.0);
        for (field, _) in self.valued[kind].iter().chain(&self.fields[kind]) {
            hashed.hashes.hash(*field, event, &mut self.bytes);
        }
        self.expect(&hashed.hashes);
        hashed
    }

    /// Notes what an event will ask for that has these hashes.
    pub fn expect(&mut self, hashes: &Hashes) {
        let Ahead { fields, valued, wallets, values, foreign, .. } = self;
        let Hashes { wallet, id, amount, .. } = *hashes;
        let kind = usize::from(hashes.kind.0);
        let asked = |of: &(Plain, Vec<SlotId>), out: &mut Vec<(SlotId, Hash)>| {
            if let Some(hash) = hashes.known(of.0) {
                out.extend(of.1.iter().map(|slot| (*slot, hash)));
            }
        };
        let before = values.len();
        valued[kind].iter().for_each(|of| asked(of, values));
        wallets.push(Asked { wallet, id, kind: hashes.kind, amount, values: before..values.len() });
        // What all slots remember of one key is one record.
        let of_key = |(field, slots): &(Plain, Vec<SlotId>)| Some((*slots.first()?, hashes.known(*field)?));
        foreign.extend(fields[kind].iter().filter_map(of_key));
    }
}

/// An amount as the key of a slot.
pub fn amount_key(amount: Amount) -> Hash {
    amount.0.unsigned_abs().into()
}

fn sought(plan: &Plan, kind: &TypePlan) -> Sought {
    let mut sought = Sought::default();
    for (id, _) in &kind.remember {
        let slot = &plan.slots[usize::from(id.0)];
        // As above: of many slots with conditions nearly none will be asked.
        if kind.selection.is_some() && slot.when.is_some() {
            continue;
        }
        let slots = match slot.key {
            Key::Nothing if slot.of_wallet => &mut sought.without_key,
            Key::Amount if slot.of_wallet => &mut sought.by_amount,
            _ => continue,
        };
        if !slots.contains(id) {
            slots.push(*id);
        }
    }
    sought
}

/// Notes a field, and a slot that it is asked for.
fn put(fields: &mut Fields, field: Plain, slot: Option<SlotId>) {
    match fields.iter_mut().find(|(other, _)| *other == field) {
        Some((_, slots)) if slot.is_some_and(|slot| slots.contains(&slot)) => {}
        Some((_, slots)) => slots.extend(slot),
        None => fields.push((field, slot.into_iter().collect())),
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
