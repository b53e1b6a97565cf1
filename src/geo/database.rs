//! One MaxMind DB in memory, with what each of its records means worked out beforehand.
//!
//! Records are shared: millions of networks point at a few hundred of them, so the table of meanings is short. The
//! walk that fills it is bounded, since a damaged tree can have cycles and an exponential number of paths.

use super::{GeoError, GeoFile, record::Whole};
use crate::time::Timestamp;
use maxminddb::{LookupResult, MaxMindDbError, Reader, WithinOptions};
use serde::de::DeserializeOwned;
use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
};

type Bytes = Vec<u8>;

/// Networks that a walk may meet for each node of the tree. A node has two sides, and so at most two leaves; the rest
/// is margin. `Reader::verify` draws the line at the same place.
const NETWORKS_PER_NODE: usize = 3;

/// A database whose records mean a `T` each.
pub struct Database<T> {
    file: GeoFile,
    reader: Reader<Bytes>,
    pub built: Timestamp,
    /// What the record at each offset of the data section means, by rising offset.
    meanings: Box<[(usize, T)]>,
}

impl<T> Database<T> {
    /// Checks the whole file and works out what each record means.
    pub fn load<R: DeserializeOwned>(
        file: GeoFile,
        bytes: Bytes,
        meaning: impl Fn(R) -> T,
    ) -> Result<Database<T>, GeoError> {
        if bytes.is_empty() {
            return Err(GeoError::Empty { file });
        }
        let damaged = |error: MaxMindDbError| GeoError::Damaged { file, detail: error.to_string() };
        let reader = Reader::from_source(bytes).map_err(damaged)?;
        let built = build_time(file, reader.metadata().build_epoch)?;
        verify(&reader).map_err(damaged)?;
        let meanings = meanings(&reader, meaning).map_err(damaged)?;
        Ok(Database { file, reader, built, meanings })
    }

    /// Refuses a file in which no record means anything: it is a database of another kind.
    pub fn require(self, means_something: impl Fn(&T) -> bool) -> Result<Database<T>, GeoError> {
        if self.meanings.iter().any(|(_, meaning)| means_something(meaning)) {
            return Ok(self);
        }
        Err(GeoError::OtherKind { file: self.file, database_type: self.reader.metadata().database_type.clone() })
    }

    /// What the record of an address means; nothing when no record holds the address.
    pub fn find(&self, ip: IpAddr) -> Option<&T> {
        let ip = ip.to_canonical();
        // There the tree holds IPv4, and an IPv6 address that only looks like one of these is not it.
        if matches!(ip, IpAddr::V6(six) if six.segments()[..6] == [0; 6]) {
            return None;
        }
        // An IPv6 address in a file of IPv4 ones is an error to the reader, and to us an address not found.
        let offset = self.reader.lookup(ip).ok()?.offset()?;
        let place = self.meanings.binary_search_by_key(&offset, |(offset, _)| *offset).ok()?;
        Some(&self.meanings[place].1)
    }
}

fn build_time(file: GeoFile, seconds: u64) -> Result<Timestamp, GeoError> {
    let time = i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(1_000)).map(Timestamp);
    time.filter(|time| *time <= Timestamp::MAX).ok_or(GeoError::BuildTime { file, seconds })
}

/// `Reader::verify`, save that it refuses every file without a description or a type before it looks at anything
/// else, and some third-party files are like that. Those are read record by record instead.
fn verify(reader: &Reader<Bytes>) -> Result<(), MaxMindDbError> {
    let metadata = reader.metadata();
    if !metadata.description.is_empty() && !metadata.database_type.is_empty() {
        return reader.verify();
    }
    meanings(reader, |_: Whole| ()).map(drop)
}

/// Walks every network and decodes every record once.
fn meanings<R: DeserializeOwned, T>(
    reader: &Reader<Bytes>,
    meaning: impl Fn(R) -> T,
) -> Result<Box<[(usize, T)]>, MaxMindDbError> {
    let most = usize::try_from(reader.metadata().node_count).unwrap_or(usize::MAX).saturating_mul(NETWORKS_PER_NODE);
    let options = WithinOptions::default().include_networks_without_data();
    let mut found = HashMap::new();
    for (place, network) in reader.networks(options)?.enumerate() {
        if place >= most {
            let message = format!("its search tree has a cycle: more than {most} networks");
            return Err(MaxMindDbError::InvalidDatabase { message, offset: None });
        }
        let network: LookupResult<'_, Bytes> = network?;
        let Some(offset) = network.offset() else { continue };
        if let Entry::Vacant(vacant) = found.entry(offset)
            && let Some(record) = network.decode()?
        {
            vacant.insert(meaning(record));
        }
    }
    let mut meanings: Vec<(usize, T)> = found.into_iter().collect();
    meanings.sort_unstable_by_key(|(offset, _)| *offset);
    Ok(meanings.into_boxed_slice())
}
