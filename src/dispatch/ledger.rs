//! How far a partition of `decisions` may be committed: never past a decision whose alerts are neither delivered nor durable.

use crate::sidecar::Offset;
use std::collections::BTreeMap;

/// One partition's offsets.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// The next record to read.
    next: Offset,
    /// What the group knows.
    committed: Offset,
    /// Decisions that hold the commit back, and for how many alerts.
    held: BTreeMap<Offset, u32>,
}

impl Ledger {
    /// A partition that is read from `next` on; `committed` is what the group knows already.
    #[must_use]
    pub fn new(next: Offset, committed: Offset) -> Ledger {
        Ledger { next, committed, held: BTreeMap::new() }
    }

    /// The decision at `offset` was read; false where it had been before.
    pub fn read(&mut self, offset: Offset) -> bool {
        let is_new = offset >= self.next;
        self.next = self.next.max(offset + 1);
        is_new
    }

    /// An alert of the decision at `offset` is neither delivered nor durable.
    pub fn hold(&mut self, offset: Offset) {
        assert!(offset >= self.committed, "a decision that is committed holds nothing back");
        *self.held.entry(offset).or_insert(0) += 1;
    }

    /// It is.
    pub fn release(&mut self, offset: Offset) {
        let count = self.held.get_mut(&offset).expect("only what is held is released");
        *count -= 1;
        if *count == 0 {
            self.held.remove(&offset);
        }
    }

    /// The offset to commit, where that is news to the group.
    #[must_use]
    pub fn committable(&self) -> Option<Offset> {
        let until = self.held.first_key_value().map_or(self.next, |(offset, _)| *offset);
        (until > self.committed).then_some(until)
    }

    /// The group knows.
    pub fn committed_to(&mut self, offset: Offset) {
        self.committed = self.committed.max(offset);
    }

    #[must_use]
    pub fn committed(&self) -> Offset {
        self.committed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_stops_before_what_is_held() {
        let mut ledger = Ledger::new(5, 5);
        assert_eq!(ledger.committable(), None);
        for offset in [5, 6, 9] {
            assert!(ledger.read(offset) && !ledger.read(offset), "{offset} is new once");
        }
        ledger.hold(6);
        ledger.hold(6);
        assert_eq!(ledger.committable(), Some(6));
        ledger.committed_to(6);
        ledger.release(6);
        assert_eq!(ledger.committable(), None, "its other alert is held still");
        ledger.release(6);
        assert_eq!(ledger.committable(), Some(10), "offsets without a record are passed");
    }
}
