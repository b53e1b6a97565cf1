//! Runs merged into one: the least of their next entries comes first.

use super::{
    entry::{self, Key},
    run::{Run, Spill},
};
use std::{cmp::Reverse, collections::BinaryHeap, io, path::Path};

/// Runs that are handed out as one.
#[derive(Default)]
pub(super) struct Merge {
    runs: Vec<Run>,
    /// Of each run that has one, the key of its next entry.
    heap: BinaryHeap<Reverse<(Key, usize)>>,
    /// The run whose entry is handed out.
    current: Option<usize>,
}

impl Merge {
    pub fn of(mut runs: Vec<Run>) -> io::Result<Merge> {
        let mut heap = BinaryHeap::new();
        for (place, run) in runs.iter_mut().enumerate() {
            if run.advance()? {
                heap.push(Reverse((entry::key(run.entry()), place)));
            }
        }
        Ok(Merge { runs, heap, current: None })
    }

    /// Goes on to the next entry; false when there is none.
    pub fn advance(&mut self) -> io::Result<bool> {
        if let Some(place) = self.current.take()
            && self.runs[place].advance()?
        {
            self.heap.push(Reverse((entry::key(self.runs[place].entry()), place)));
        }
        self.current = self.heap.pop().map(|Reverse((_, place))| place);
        Ok(self.current.is_some())
    }

    /// The entry that it has gone on to.
    ///
    /// # Panics
    /// Where there is none.
    pub fn current(&self) -> &[u8] {
        self.runs[self.current.expect("somebody has gone on to it")].entry()
    }

    /// Writes everything into one run.
    pub fn spill(mut self, folder: &Path) -> io::Result<Run> {
        let mut spill = Spill::new(folder)?;
        while self.advance()? {
            spill.write(self.current())?;
        }
        spill.finish()
    }
}
