//! A range of a topic as an input of `replay`: its partitions as one stream of records.
//!
//! Each partition keeps its order, which is that in which the sidecar decides; among the next records of all, the one with the
//! earliest timestamp goes first, and of one timestamp that of the lowest partition. So the order depends on nothing but
//! what is in the topic, and the same range is the same stream every time.

use super::{
    client::Cluster,
    stretches::{Stretches, Trouble},
};
use crate::{
    files::{
        Extent, Failed, InputError, Taken, TopicReader,
        logged::{Keyed, Logged},
        records::Record,
    },
    limits,
    time::Timestamp,
};
use std::{cmp::Reverse, collections::BinaryHeap};

/// Reads a range.
pub struct RangeReader {
    extent: Extent,
    /// `operations:3`, by place.
    names: Vec<String>,
    stretches: Stretches,
    /// A record with another key than its wallet is refused.
    by_wallet: bool,
    /// The time of the next record of each partition that has one.
    heads: BinaryHeap<Reverse<(Timestamp, usize)>>,
    /// The partition whose record was handed out last.
    current: Option<usize>,
    /// Partitions of which nothing is held, though there may be more.
    wanting: Vec<usize>,
    bytes: u64,
}

impl RangeReader {
    /// Begins to read what `extent` says. `by_wallet` tells that keys must be their wallets.
    ///
    /// # Errors
    /// A client that cannot be had.
    pub fn open(cluster: &Cluster, extent: Extent, by_wallet: bool) -> Result<RangeReader, Trouble> {
        let stretches = Stretches::open(cluster, &extent.topic, &extent.stretches, &[])?;
        let name = |partition: i32| format!("{}:{partition}", extent.topic);
        Ok(RangeReader {
            names: extent.stretches.iter().map(|stretch| name(stretch.partition)).collect(),
            stretches,
            by_wallet,
            heads: BinaryHeap::new(),
            current: None,
            wanting: (0..extent.stretches.len()).collect(),
            bytes: 0,
            extent,
        })
    }

    /// Goes on behind the record that was handed out last.
    fn go_on(&mut self) {
        let Some(place) = self.current.take() else { return };
        self.stretches.pop(place);
        self.note(place);
    }

    /// Notes what comes next of a partition.
    fn note(&mut self, place: usize) {
        match self.stretches.front(place) {
            Some(held) => self.heads.push(Reverse((held.time, place))),
            None if self.stretches.has_ended(place) => {}
            None => self.wanting.push(place),
        }
    }
}

impl TopicReader for RangeReader {
    fn take(&mut self) -> Option<Taken<'_>> {
        self.go_on();
        if !self.wanting.is_empty() {
            return None;
        }
        let Reverse((_, place)) = self.heads.pop()?;
        self.current = Some(place);
        let held = self.stretches.front(place).expect("what has a head has a record");
        let (key, value) = (held.key, held.value.unwrap_or_default());
        let length = |bytes: &[u8]| u64::try_from(bytes.len()).expect("no memory has more than 2^64 bytes");
        self.bytes += length(value) + key.map_or(0, length);
        let offset = u64::try_from(held.offset).expect("offsets are not negative");
        let record = Record {
            bytes: &value[..value.len().min(limits::RECORD_BYTES)],
            total: length(value),
            line: offset,
            offset,
            unclosed: None,
            row: None,
            logged: Some(Logged {
                appended: held.by_broker.then_some(held.time),
                key: if self.by_wallet { Keyed::ByWallet(key) } else { Keyed::Otherwise },
                has_value: held.value.is_some(),
            }),
        };
        Some(Taken { source: place, name: &self.names[place], record })
    }

    fn fill(&mut self) -> Result<bool, InputError> {
        self.go_on();
        let wanting = std::mem::take(&mut self.wanting);
        self.stretches.fill(&wanting).map_err(|trouble| input_error(&self.extent.topic, trouble))?;
        wanting.into_iter().for_each(|place| self.note(place));
        Ok(!self.heads.is_empty())
    }

    fn name(&self, source: usize) -> &str {
        &self.names[source]
    }

    fn extent(&self) -> &Extent {
        &self.extent
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// A topic that cannot be read, as any input.
#[must_use]
pub fn input_error(topic: &str, trouble: Trouble) -> InputError {
    InputError { name: format!("the topic {topic}"), line: None, failed: Failed::Reading, cause: trouble.into() }
}
