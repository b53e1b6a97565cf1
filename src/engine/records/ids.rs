//! The ids of a busy wallet as pieces of a log by arrival: what comes goes to the last piece, and what has passed goes from
//! the front, so that an event writes a few hundred bytes however many ids there are.

use crate::{
    state::{
        ids::Remembered,
        record::codec::{Malformed, Read, Sink, Source},
    },
    time::Timestamp,
};
use std::collections::VecDeque;

/// Most ids of a piece.
pub const PIECE: usize = 64;

/// What the topic holds of the ids of one wallet.
#[derive(Debug, Default)]
pub struct IdsLog {
    /// The label of the first piece.
    first: u64,
    /// The newest time of each piece that is full.
    full: VecDeque<Timestamp>,
    /// The last piece, which is not full; it may have none.
    last: Vec<Remembered>,
    /// Pieces that have filled up since they were taken.
    filled: Vec<(u64, Vec<Remembered>)>,
    /// Ids have come to the last piece since then.
    changed: bool,
}

impl IdsLog {
    /// A log whose first piece has that label.
    pub fn after(first: u64) -> IdsLog {
        IdsLog { first, ..IdsLog::default() }
    }

    /// The log that was written down: all its ids, by arrival, and the label of the first piece.
    pub fn restored(first: u64, ids: &[Remembered]) -> IdsLog {
        let mut log = IdsLog::after(first);
        ids.iter().for_each(|known| log.push(*known));
        (log.filled, log.changed) = (Vec::new(), false);
        log
    }

    pub fn push(&mut self, known: Remembered) {
        self.last.push(known);
        self.changed = true;
        if self.last.len() == PIECE {
            let piece = std::mem::take(&mut self.last);
            self.full.push_back(piece.iter().map(|known| known.time).max().expect("it is full"));
            self.filled.push((self.first + self.full.len() as u64 - 1, piece));
            self.changed = false;
        }
    }

    /// The labels of all pieces.
    pub fn labels(&self) -> std::ops::Range<u64> {
        self.first..self.first + self.full.len() as u64 + u64::from(!self.last.is_empty())
    }

    /// Lets go of the pieces at the front all of which is older than `oldest`, and gives their labels.
    pub fn forget(&mut self, oldest: Timestamp) -> std::ops::Range<u64> {
        let from = self.first;
        while self.full.pop_front_if(|newest| *newest < oldest).is_some() {
            self.first += 1;
        }
        let first = self.first;
        self.filled.retain(|(label, _)| *label >= first);
        from..first
    }

    /// The pieces to be written.
    pub fn take_changed(&mut self) -> Vec<(u64, Vec<Remembered>)> {
        let mut changed = std::mem::take(&mut self.filled);
        if std::mem::take(&mut self.changed) {
            changed.push((self.first + self.full.len() as u64, self.last.clone()));
        }
        changed
    }

    /// Which pieces there are.
    pub fn write(&self, out: &mut Sink) {
        out.number(self.first);
        out.count(self.full.len());
        out.count(self.last.len());
    }

    /// The label of the first piece, how many are full, and how many ids the last one has.
    ///
    /// # Errors
    /// Where no log is like that.
    pub fn read(source: &mut Source<'_>) -> Read<(u64, u64, usize)> {
        let (first, full, last) = (source.number()?, source.number()?, source.number()?);
        let last = usize::try_from(last).ok().filter(|last| *last < PIECE);
        let plausible = first.checked_add(full).is_some_and(|end| end < u64::MAX);
        match last {
            Some(last) if plausible => Ok((first, full, last)),
            _ => Err(Malformed("no log of ids is like that")),
        }
    }
}
