//! Files and standard input, one after the other, as one stream of records through one buffer.

use super::{
    Failed, InputError, Taken,
    identity::is_standard,
    open::{self, Opened},
    records::{Framed, Framing, Records},
};
use crate::limits;
use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Several inputs in the order given, read as one stream of records.
pub struct Series {
    paths: Vec<PathBuf>,
    names: Vec<String>,
    /// Of each input: it is a file, whose end is there already.
    files: Vec<bool>,
    /// Of the input that is being read.
    place: usize,
    opened: Option<Opened>,
    framing: Framing,
    records: Records,
    bytes_read: Arc<AtomicU64>,
    bytes_total: Option<u64>,
}

impl Series {
    /// Inputs to be read; `-` is standard input.
    ///
    /// # Errors
    /// The first that is missing, is a directory, or may not be read: found before any of them is processed.
    pub fn new(paths: &[PathBuf], framing: Framing) -> Result<Series, InputError> {
        let sizes = paths.iter().map(|path| probe(path)).collect::<Result<Vec<Option<u64>>, InputError>>()?;
        Ok(Series {
            names: paths.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
            paths: paths.to_vec(),
            files: sizes.iter().map(Option::is_some).collect(),
            place: 0,
            opened: None,
            framing,
            records: Records::new(framing, limits::RECORD_BYTES, limits::READ_BYTES),
            bytes_read: Arc::default(),
            bytes_total: sizes.into_iter().sum(),
        })
    }

    /// The next record of what has been read; nothing when more must be read first.
    pub fn take(&mut self) -> Option<Taken<'_>> {
        let record = self.records.take()?;
        Some(Taken { source: self.place, name: &self.names[self.place], record })
    }

    /// Where the next records of what has been read lie, at most so many; none when more must be read first.
    pub fn frame(&mut self, most: usize, framed: &mut Vec<Framed>) {
        self.records.frame(most, framed);
    }

    /// The record that was framed there since the last [`Series::fill`].
    #[must_use]
    pub fn taken(&self, framed: &Framed) -> Taken<'_> {
        Taken { source: self.place, name: &self.names[self.place], record: self.records.record(framed) }
    }

    /// Input number `source`, as it was named.
    ///
    /// # Panics
    /// Where there are not so many.
    #[must_use]
    pub fn name(&self, source: usize) -> &str {
        &self.names[source]
    }

    /// Every input is a file, whose end is there already.
    #[must_use]
    pub fn are_files(&self) -> bool {
        self.files.iter().all(|is_file| *is_file)
    }

    /// Reads more; false when there is nothing more.
    ///
    /// # Errors
    /// An input that cannot be opened or read to its end.
    pub fn fill(&mut self) -> Result<bool, InputError> {
        if self.records.is_finished() && self.opened.take().is_some() {
            self.place += 1;
        }
        let Some(path) = self.paths.get(self.place) else {
            return Ok(false);
        };
        if self.opened.is_none() {
            let opened = open::open(path, &self.bytes_read).map_err(|cause| self.error(None, cause))?;
            let wrong = match self.framing {
                Framing::Csv { .. } if opened.is_table => {
                    "it is Parquet, and the mapping is for CSV; write format = \"parquet\" into the mapping"
                }
                Framing::Tables if !opened.is_table => {
                    "it is not Parquet, which the mapping is for; write format = \"csv\" or \"json\" into the mapping"
                }
                _ => "",
            };
            if !wrong.is_empty() {
                let cause = io::Error::other(wrong);
                return Err(InputError { failed: Failed::Mapping, ..self.error(None, cause) });
            }
            self.opened = Some(opened);
            self.records.restart();
        }
        let opened = self.opened.as_mut().expect("the input was opened just above");
        match self.records.fill(&mut opened.reader) {
            Ok(_) => Ok(true),
            Err(cause) => Err(self.error(Some(self.records.line()), cause)),
        }
    }

    /// The next [`Series::fill`] may wait for whoever writes: to the input that is read, or to the one that it opens next.
    #[must_use]
    pub fn may_wait(&self) -> bool {
        match &self.opened {
            Some(opened) if !self.records.is_finished() => opened.may_wait,
            opened => self.files.get(self.place + usize::from(opened.is_some())).is_some_and(|is_file| !is_file),
        }
    }

    /// Bytes read so far, as they are stored, and of how many, where that is known.
    #[must_use]
    pub fn progress(&self) -> (u64, Option<u64>) {
        (self.bytes_read.load(Ordering::Relaxed), self.bytes_total)
    }

    fn error(&self, line: Option<u64>, cause: io::Error) -> InputError {
        InputError { name: self.names[self.place].clone(), line, failed: Failed::Reading, cause }
    }
}

/// Looks at an input before the work begins; gives its size where it has one. A pipe is not opened, for whoever
/// writes to it would see the reader go away.
fn probe(path: &Path) -> Result<Option<u64>, InputError> {
    let look = || {
        if is_standard(path) {
            return Ok(None);
        }
        let metadata = std::fs::metadata(path)?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !metadata.is_file() {
            return Ok(None);
        }
        std::fs::File::open(path)?;
        Ok(Some(metadata.len()))
    };
    look().map_err(|cause| InputError {
        name: path.to_string_lossy().into_owned(),
        line: None,
        failed: Failed::Reading,
        cause,
    })
}
