//! Which tick committed an offset, as the offset's metadata; and what must stay as it was for state to mean the same.
//!
//! The tag of a tick stands in the committed offset's metadata and in the tick's record of `state`, both written in one
//! transaction. After a restore they must be the same; that alone finds most mistakes of a takeover.

use crate::{
    sidecar::{Commit, Offset, Tag},
    state::record::StateRecord,
};
use serde::{Deserialize, Serialize};

/// The version of both texts.
const VERSION: u32 = 1;
/// The key of the record of [`Ground`]; none of the engine's own has it.
pub const GROUND_KEY: &[u8] = b"ground";

/// What the metadata of a committed offset says.
#[must_use]
pub fn metadata(tag: Option<Tag>) -> String {
    tag.map_or_else(String::new, |tag| format!("kuzet/{VERSION} {}", name(tag)))
}

/// The tag of a committed offset; none where an operator or another program committed it.
#[must_use]
pub fn committed(next: Offset, metadata: &str) -> Commit {
    let tag = metadata.strip_prefix(&format!("kuzet/{VERSION} ")).and_then(parse);
    Commit { next, tag }
}

/// A tag as people meet it: the worker's start, and the number of its tick.
#[must_use]
pub fn name(tag: Tag) -> String {
    format!("{:016x}.{}", tag.incarnation, tag.tick)
}

fn parse(text: &str) -> Option<Tag> {
    let (incarnation, tick) = text.split_once('.')?;
    Some(Tag { incarnation: u64::from_str_radix(incarnation, 16).ok()?, tick: tick.parse().ok()? })
}

/// What must be the same for as long as there is state: a record of each partition of `state`, written with its first tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ground {
    version: u32,
    /// Partitions of `operations`, over which wallets are spread.
    partitions: usize,
}

impl Ground {
    #[must_use]
    pub fn new(partitions: usize) -> Ground {
        Ground { version: VERSION, partitions }
    }

    /// As JSON, for whoever looks into the topic.
    #[must_use]
    pub fn record(self) -> StateRecord {
        let value = serde_json::to_vec(&self).expect("numbers are JSON");
        StateRecord { key: GROUND_KEY.to_vec(), value: Some(value) }
    }

    /// Whether state with this record is ours to go on with.
    ///
    /// # Errors
    /// Why it is not, and what to do.
    pub fn check(self, value: &[u8]) -> Result<(), String> {
        let found: Ground = serde_json::from_slice(value).map_err(|error| {
            format!(
                "the state's record `ground` was written by another version of kuzet, or by something else: {error}"
            )
        })?;
        if found.version != self.version {
            let (found, own) = (found.version, self.version);
            return Err(format!("the state has version {found}, this kuzet knows {own}; start the one that wrote it"));
        }
        if found.partitions != self.partitions {
            let (then, now) = (found.partitions, self.partitions);
            return Err(format!(
                "the state was made when operations had {then} partitions, and now it has {now}: wallets have moved to \
                 other partitions and their state has not. {GROWN}"
            ));
        }
        Ok(())
    }
}

/// What to do about partitions that have grown.
pub const GROWN: &str = "Kafka takes no partition away: create new topics with as many partitions as are needed, under \
                         new names and another group, and feed the old operations into them";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_comes_back_from_metadata() {
        let tag = Tag { incarnation: 0xfeed, tick: 7 };
        assert_eq!(metadata(Some(tag)), "kuzet/1 000000000000feed.7");
        assert_eq!(committed(3, &metadata(Some(tag))), Commit { next: 3, tag: Some(tag) });
        for other in ["", "by hand", "kuzet/2 000000000000feed.7", "kuzet/1 feed"] {
            assert_eq!(committed(3, other), Commit { next: 3, tag: None }, "{other}");
        }
    }

    #[test]
    fn state_on_another_ground_is_refused() {
        let ground = Ground::new(4);
        let StateRecord { value: Some(value), .. } = ground.record() else { panic!("a record has a value") };
        assert_eq!(ground.check(&value), Ok(()));
        let refused = Ground::new(8).check(&value).expect_err("more partitions");
        assert!(refused.contains("had 4 partitions, and now it has 8"), "{refused}");
        let refused = ground.check(br#"{"version":2,"partitions":4}"#).expect_err("newer");
        assert!(refused.contains("has version 2"), "{refused}");
        assert!(ground.check(b"{}").is_err());
    }
}
