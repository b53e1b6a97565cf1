//! Restrictions that other shards must know of: on addresses, on all, and on wallets that others pay to.
//!
//! They go through the topic `restrictions`, in whose order every shard sees them. A wallet has one shard, which alone
//! writes `wallet:…`. An address has none: each shard writes under a key of its own what it imposed or lifted there, and of
//! the writings of all on one name the last counts. What a shard has written itself counts for it at once and until
//! it has come back to it: nothing that it reads before was written later. So all shards that have read the same agree.

use super::{Engine, StateKey, Store, dictionary::Dictionary, names::Names};
use crate::{
    decision::RestrictionId,
    hash::HashKey,
    limits,
    rules::Packs,
    state::{
        Hash, HashedMap,
        record::{
            RecordError, Sealer, StateRecord,
            codec::{Malformed, Read, Sink, Source},
            key::Key,
        },
        special::{IdText, NameId, Standing},
    },
    time::Timestamp,
};
use std::collections::BTreeMap;

/// Where a restriction stands that many shards may impose and lift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Address(Hash),
    All,
}

impl Place {
    /// Under which its record is kept in the shard's own state.
    pub(super) fn key(self) -> Key {
        match self {
            Place::Address(address) => Key::Address(address),
            Place::All => Key::All,
        }
    }

    pub(super) fn state_key(self) -> StateKey {
        match self {
            Place::Address(address) => StateKey::Address(address),
            Place::All => StateKey::All,
        }
    }
}

/// A restriction without its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Imposed {
    since: Timestamp,
    until: Option<Timestamp>,
    by: NameId,
    by_event: IdText,
}

impl Imposed {
    fn of(standing: &Standing) -> Imposed {
        let Standing { since, until, by, by_event, .. } = *standing;
        Imposed { since, until, by, by_event }
    }

    fn standing(self, restriction: RestrictionId) -> Standing {
        let Imposed { since, until, by, by_event } = self;
        Standing { restriction, since, until, by, by_event }
    }

    /// Names in full: shards have different numbers for them.
    fn write(&self, names: &Names, out: &mut Sink) {
        out.time(self.since);
        out.option(self.until, |out, until| out.signed(until.0 - self.since.0));
        out.text(names.text(self.by).as_bytes());
        out.text(self.by_event.as_str().as_bytes());
    }

    fn read(source: &mut Source<'_>, names: &mut Names) -> Read<Imposed> {
        let since = source.time()?;
        let until = source.option(|source| {
            let length = source.signed()?;
            let plausible = length.unsigned_abs() < 1 << 60;
            if plausible { Ok(Timestamp(since.0 + length)) } else { Err(Malformed("no restriction lasts so long")) }
        })?;
        let (by, by_event) = (source.text()?, source.text()?);
        if by.len() > limits::NAME_BYTES || by_event.len() > limits::ID_BYTES {
            return Err(Malformed("a name is too long"));
        }
        Ok(Imposed { since, until, by: names.place(by), by_event: IdText::new(by_event) })
    }
}

/// What this shard wrote last; nothing imposed is lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Own {
    sequence: u64,
    imposed: Option<Imposed>,
    /// Where it stands in the topic, once it has come back.
    offset: Option<i64>,
}

/// All writings on one name in one place.
#[derive(Clone, Debug, Default)]
struct Writings {
    name: Box<str>,
    own: Option<Own>,
    /// By partition: the offset, and what was imposed.
    others: BTreeMap<i32, (i64, Option<Imposed>)>,
}

impl Writings {
    /// What stands: what was written last.
    fn last(&self) -> Option<Imposed> {
        let other = self.others.values().max_by_key(|(offset, _)| *offset);
        match (self.own, other) {
            (None, None) => None,
            (Some(own), None) => own.imposed,
            (None, Some((_, imposed))) => *imposed,
            (Some(own), Some((offset, imposed))) => {
                if own.offset.is_none_or(|own| own > *offset) {
                    own.imposed
                } else {
                    *imposed
                }
            }
        }
    }
}

/// What one shard knows of what others must know.
#[derive(Debug)]
pub(super) struct Shared {
    partition: i32,
    sealer: Sealer,
    /// How often this shard has written.
    sequence: u64,
    addresses: HashedMap<Hash, Vec<Writings>>,
    all: Vec<Writings>,
    /// What others were told of the shard's own wallets.
    told: HashedMap<Hash, Vec<u8>>,
    /// What others told of theirs, by name.
    wallets: HashedMap<Hash, Vec<(Box<str>, Imposed)>>,
    /// How many addresses the shard has written of.
    own_addresses: usize,
}

/// What a key of the topic names.
enum Subject {
    Wallet(Hash),
    Place(Place, Box<str>, i32),
}

impl Subject {
    /// `wallet:<hash>`, `ip:<hash>:<partition>:<name>`, `all:<partition>:<name>`, hashes in hex.
    fn read(key: &[u8]) -> Read<Subject> {
        const NOT_ONE: Malformed = Malformed("no restriction has such a key");
        let text = std::str::from_utf8(key).map_err(|_| NOT_ONE)?;
        let hash = |text: &str| {
            let plain = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if plain { Hash::from_str_radix(text, 16).map_err(|_| NOT_ONE) } else { Err(NOT_ONE) }
        };
        let named = |text: &str| {
            let (partition, name) = text.split_once(':').ok_or(NOT_ONE)?;
            Ok((partition.parse::<i32>().map_err(|_| NOT_ONE)?, Box::from(name)))
        };
        match text.split_once(':').ok_or(NOT_ONE)? {
            ("wallet", rest) => Ok(Subject::Wallet(hash(rest)?)),
            ("ip", rest) => {
                let (address, rest) = rest.split_once(':').ok_or(NOT_ONE)?;
                let (partition, name) = named(rest)?;
                Ok(Subject::Place(Place::Address(hash(address)?), name, partition))
            }
            ("all", rest) => {
                let (partition, name) = named(rest)?;
                Ok(Subject::Place(Place::All, name, partition))
            }
            _ => Err(NOT_ONE),
        }
    }
}

impl Shared {
    pub(super) fn new(partition: i32, hash_key: HashKey) -> Shared {
        Shared {
            partition,
            sealer: Sealer(hash_key),
            sequence: 0,
            addresses: HashedMap::default(),
            all: Vec::new(),
            told: HashedMap::default(),
            wallets: HashedMap::default(),
            own_addresses: 0,
        }
    }

    /// How many addresses have a record in the shard's state.
    pub(super) fn own_addresses(&self) -> usize {
        self.own_addresses
    }

    /// Whether there is a record of the restrictions on all in the shard's state, and how often it has written.
    pub(super) fn written(&self) -> (bool, u64) {
        (self.has_own(Place::All), self.sequence)
    }

    /// How often the shard had written.
    pub(super) fn go_on_from(&mut self, sequence: u64) {
        self.sequence = self.sequence.max(sequence);
    }

    fn at(&mut self, place: Place) -> &mut Vec<Writings> {
        match place {
            Place::Address(address) => self.addresses.entry(address).or_default(),
            Place::All => &mut self.all,
        }
    }

    fn named(&mut self, place: Place, name: &str) -> &mut Writings {
        let all = self.at(place);
        let at = all.iter().position(|writings| *writings.name == *name).unwrap_or_else(|| {
            all.push(Writings { name: name.into(), ..Writings::default() });
            all.len() - 1
        });
        &mut all[at]
    }

    fn has_own(&self, place: Place) -> bool {
        let list = match place {
            Place::Address(address) => self.addresses.get(&address),
            Place::All => Some(&self.all),
        };
        list.is_some_and(|list| list.iter().any(|writings| writings.own.is_some()))
    }

    /// Changes the writings of a place, and keeps count of the addresses that the shard has written of.
    fn change<T>(&mut self, place: Place, change: impl FnOnce(&mut Self) -> T) -> T {
        let had = self.has_own(place);
        let found = change(self);
        if let Place::Address(address) = place {
            if let Some(list) = self.addresses.get_mut(&address) {
                list.retain(|writings| writings.own.is_some() || !writings.others.is_empty());
                if list.is_empty() {
                    self.addresses.remove(&address);
                }
            }
            match (had, self.has_own(place)) {
                (false, true) => self.own_addresses += 1,
                (true, false) => self.own_addresses -= 1,
                _ => {}
            }
        } else {
            self.all.retain(|writings| writings.own.is_some() || !writings.others.is_empty());
        }
        found
    }

    fn key(&self, place: Place, name: &str) -> Vec<u8> {
        let partition = self.partition;
        match place {
            Place::Address(address) => format!("ip:{address:032x}:{partition}:{name}"),
            Place::All => format!("all:{partition}:{name}"),
        }
        .into_bytes()
    }

    /// Writes for others what a tick has imposed and lifted in a place; `list` is what stands there now.
    pub(super) fn tell_place(
        &mut self,
        place: Place,
        list: &[Standing],
        (packs, names): (&Packs, &Names),
        out: &mut Vec<StateRecord>,
    ) {
        let known: Vec<Box<str>> = self.at(place).iter().map(|writings| writings.name.clone()).collect();
        let standing = |name: &str| list.iter().find(|standing| packs.restriction(standing.restriction).name == name);
        let mut lists: Vec<Box<str>> =
            list.iter().map(|standing| packs.restriction(standing.restriction).name.as_str().into()).collect();
        lists.extend(known);
        lists.sort_unstable();
        lists.dedup();
        self.change(place, |shared| {
            for name in lists {
                let now = standing(&name).map(Imposed::of);
                let declared = packs.restrictions.iter().any(|restriction| *restriction.name == *name);
                if now.is_none() && shared.is_settled(place, &name) {
                    shared.named(place, &name).own = None;
                    out.push(StateRecord { key: shared.key(place, &name), value: None });
                } else if declared && now != shared.named(place, &name).last() {
                    shared.sequence += 1;
                    let own = Own { sequence: shared.sequence, imposed: now, offset: None };
                    shared.named(place, &name).own = Some(own);
                    out.push(shared.record(place, &name, own, names));
                }
            }
        });
    }

    /// What the shard lifted there has come back, and no other shard has written there: nothing would change without it.
    fn is_settled(&mut self, place: Place, name: &str) -> bool {
        let writings = self.named(place, name);
        let lifted = writings.own.is_some_and(|own| own.imposed.is_none() && own.offset.is_some());
        lifted && writings.others.is_empty()
    }

    fn record(&self, place: Place, name: &str, own: Own, names: &Names) -> StateRecord {
        let mut body = Sink::default();
        body.number(own.sequence);
        body.option(own.imposed, |out, imposed| imposed.write(names, out));
        let key = self.key(place, name);
        let value = self.sealer.seal_value(&key, &body.bytes);
        StateRecord { key, value: Some(value) }
    }

    /// Writes for others what stands on a wallet and stops operations towards it, where that has changed.
    pub(super) fn tell_wallet(
        &mut self,
        wallet: Hash,
        list: &[Standing],
        (packs, names): (&Packs, &Names),
        out: &mut Vec<StateRecord>,
    ) {
        if list.is_empty() && self.told.is_empty() {
            return;
        }
        let body = self.wallet_body(list, packs, names);
        let before = match &body {
            None => self.told.remove(&wallet),
            Some(body) => self.told.insert(wallet, body.clone()),
        };
        if before == body {
            return;
        }
        let key = format!("wallet:{wallet:032x}").into_bytes();
        let value = body.map(|body| self.sealer.seal_value(&key, &body));
        out.push(StateRecord { key, value });
    }

    /// Notes what others were told of a wallet that was restored.
    pub(super) fn was_told(&mut self, wallet: Hash, list: &[Standing], packs: &Packs, names: &Names) {
        if let Some(body) = self.wallet_body(list, packs, names) {
            self.told.insert(wallet, body);
        }
    }

    fn wallet_body(&self, list: &[Standing], packs: &Packs, names: &Names) -> Option<Vec<u8>> {
        let incoming = |standing: &&Standing| packs.restriction(standing.restriction).incoming;
        let mut list: Vec<&Standing> = list.iter().filter(incoming).collect();
        list.sort_unstable_by_key(|standing| &packs.restriction(standing.restriction).name);
        if list.is_empty() {
            return None;
        }
        let mut body = Sink::default();
        body.signed(self.partition.into());
        body.count(list.len());
        for standing in list {
            body.text(packs.restriction(standing.restriction).name.as_bytes());
            Imposed::of(standing).write(names, &mut body);
        }
        Some(body.bytes)
    }

    /// Appends what the shard has written of a place, for its own state; false where it has written nothing.
    pub(super) fn write_own(&self, place: Place, dictionary: &Dictionary, names: &Names, out: &mut Sink) -> bool {
        let list = match place {
            Place::Address(address) => self.addresses.get(&address).map_or(&[][..], Vec::as_slice),
            Place::All => &self.all,
        };
        let mut own: Vec<(u32, Own)> = Vec::new();
        for writings in list {
            let number = dictionary.restrictions.iter().find(|declared| *declared.name == *writings.name);
            own.extend(number.zip(writings.own).map(|(declared, own)| (declared.number, own)));
        }
        own.sort_unstable_by_key(|(number, _)| *number);
        out.count(own.len());
        for (number, Own { sequence, imposed, .. }) in &own {
            out.number((*number).into());
            out.number(*sequence);
            out.option(*imposed, |out, imposed| imposed.write(names, out));
        }
        !own.is_empty()
    }

    /// What the shard had written of a place.
    pub(super) fn read_own(
        &mut self,
        place: Place,
        source: &mut Source<'_>,
        dictionary: &Dictionary,
        names: &mut Names,
    ) -> Read<()> {
        let mut before = None;
        for _ in 0..source.count()? {
            let number = source.small()?;
            if before.replace(number).is_some_and(|before| before >= number) {
                return Err(Malformed("restrictions are out of order"));
            }
            let declared = dictionary.restrictions.iter().find(|declared| declared.number == number);
            let name = &declared.ok_or(Malformed("no such restriction"))?.name;
            let sequence = source.number()?;
            let imposed = source.option(|source| Imposed::read(source, names))?;
            self.sequence = self.sequence.max(sequence);
            self.change(place, |shared| {
                shared.named(place, name).own = Some(Own { sequence, imposed, offset: None });
            });
        }
        if before.is_none() { Err(Malformed("nothing was written there")) } else { Ok(()) }
    }

    /// Takes over what one record of the topic says.
    fn apply(&mut self, (key, body): (&[u8], Option<&[u8]>), offset: i64, names: &mut Names) -> Read<Subject> {
        let subject = Subject::read(key)?;
        match &subject {
            Subject::Wallet(wallet) => match body {
                None => drop(self.wallets.remove(wallet)),
                Some(body) => {
                    let mut source = Source::new(body);
                    let partition = source.signed()?;
                    let list = source.list(|source| Ok((source.text()?.into(), Imposed::read(source, names)?)))?;
                    source.end()?;
                    // Of its own wallets a shard knows more.
                    if partition != i64::from(self.partition) {
                        self.wallets.insert(*wallet, list);
                    }
                }
            },
            Subject::Place(place, name, partition) => {
                let written = match body {
                    None => None,
                    Some(body) => {
                        let mut source = Source::new(body);
                        let sequence = source.number()?;
                        let imposed = source.option(|source| Imposed::read(source, names))?;
                        source.end()?;
                        Some((sequence, imposed))
                    }
                };
                self.change(*place, |shared| shared.take((*place, name), *partition, written, offset));
            }
        }
        Ok(subject)
    }

    fn take(
        &mut self,
        (place, name): (Place, &str),
        partition: i32,
        written: Option<(u64, Option<Imposed>)>,
        offset: i64,
    ) {
        let own = partition == self.partition;
        if let (true, Some((sequence, _))) = (own, written) {
            self.sequence = self.sequence.max(sequence);
        }
        let writings = self.named(place, name);
        match (own, written) {
            (false, None) => drop(writings.others.remove(&partition)),
            (false, Some((_, imposed))) => drop(writings.others.insert(partition, (offset, imposed))),
            // What the shard has freed is not there any more, and what it has written since is still on its way.
            (true, None) => {}
            (true, Some((sequence, imposed))) => match &mut writings.own {
                Some(known) if known.sequence == sequence => known.offset = Some(offset),
                Some(known) if known.sequence > sequence => {}
                // It has been freed since.
                None if imposed.is_none() => {}
                known => *known = Some(Own { sequence, imposed, offset: Some(offset) }),
            },
        }
    }
}

impl Engine {
    /// Applies one record of the topic `restrictions`, at its offset, in the order of the topic; also those that this shard
    /// wrote itself, by which it learns that they have got there. Between ticks only: behind [`Engine::export`], before
    /// the next step. A shard that is new or restored is told all records that count so far before its first event; of each
    /// key the newest is enough.
    ///
    /// # Errors
    /// As [`super::Restoration::take`]: nothing has changed then.
    ///
    /// # Panics
    /// Where changes were not exported, or [`super::Settings::partition`] is not given.
    pub fn apply_restriction(&mut self, record: &StateRecord, offset: i64) -> Result<(), RecordError> {
        let shared = self.shared.as_mut().expect("a shard among others has a partition");
        assert!(self.recorder.as_ref().is_some_and(|recorder| recorder.is_exported()), "a tick is exported first");
        let body = match &record.value {
            None => None,
            Some(value) => Some(shared.sealer.open(&record.key, value)?),
        };
        let shown = || String::from_utf8_lossy(&record.key).into_owned();
        let subject = shared
            .apply((&record.key, body), offset, &mut self.names)
            .map_err(|Malformed(what)| RecordError::Wrong { key: shown(), what })?;
        match subject {
            Subject::Wallet(wallet) => self.settle_wallet(wallet),
            Subject::Place(place, name, _) => {
                self.settle(place, &name);
                if shared_is_settled(self.shared.as_mut(), place, &name)
                    && let Some(recorder) = &mut self.recorder
                {
                    recorder.rewrite(place.state_key());
                }
            }
        }
        Ok(())
    }

    /// What stands in a place under one name is what was written last.
    fn settle(&mut self, place: Place, name: &str) {
        let Some(at) = self.packs.restrictions.iter().position(|restriction| restriction.name == name) else { return };
        let id = RestrictionId(u16::try_from(at).expect("restrictions are bounded by limits::RESTRICTIONS"));
        let shared = self.shared.as_mut().expect("a shard among others");
        let last = shared.change(place, |shared| shared.named(place, name).last());
        self.store.stand(place, id, last.map(|imposed| imposed.standing(id)));
    }

    fn settle_wallet(&mut self, wallet: Hash) {
        let shared = self.shared.as_ref().expect("a shard among others");
        let list = shared.wallets.get(&wallet).map_or(&[][..], Vec::as_slice);
        let find = |name: &str| self.packs.restrictions.iter().position(|restriction| restriction.name == name);
        let standing: Vec<Standing> = list
            .iter()
            .filter_map(|(name, imposed)| Some(imposed.standing(RestrictionId(u16::try_from(find(name)?).ok()?))))
            .collect();
        if standing.is_empty() {
            self.store.elsewhere.remove(&wallet);
        } else {
            self.store.incoming.insert(wallet, ());
            self.store.elsewhere.insert(wallet, standing);
        }
    }

    /// Other packs are in force, or a shard is restored: what others wrote may have other places in them.
    pub(super) fn settle_all(&mut self) {
        let (Some(shared), Some(recorder)) = (&self.shared, &self.recorder) else { return };
        let wallets: Vec<Hash> = shared.wallets.keys().copied().collect();
        let of = |place: Place, list: &[Writings]| -> Vec<(Place, Box<str>)> {
            list.iter().map(|writings| (place, writings.name.clone())).collect()
        };
        let addresses = shared.addresses.iter().flat_map(|(address, list)| of(Place::Address(*address), list));
        let places = addresses.chain(of(Place::All, &shared.all));
        // What has just been imposed or lifted there is not written yet.
        let places: Vec<(Place, Box<str>)> = places.filter(|(place, _)| !recorder.has_touched(*place)).collect();
        places.into_iter().for_each(|(place, name)| self.settle(place, &name));
        self.store.elsewhere.clear();
        wallets.into_iter().for_each(|wallet| self.settle_wallet(wallet));
    }
}

fn shared_is_settled(shared: Option<&mut Shared>, place: Place, name: &str) -> bool {
    shared.is_some_and(|shared| shared.change(place, |shared| shared.is_settled(place, name)))
}

impl Store {
    /// Under one name this stands in a place, or nothing does.
    fn stand(&mut self, place: Place, id: RestrictionId, standing: Option<Standing>) {
        let list = match place {
            Place::All => &mut self.all,
            Place::Address(address) => self.addresses.get_or_insert_with(address, Vec::new),
        };
        list.retain(|other| other.restriction != id);
        list.extend(standing);
        if let Place::Address(address) = place
            && list.is_empty()
        {
            self.addresses.remove(&address);
        }
    }
}
