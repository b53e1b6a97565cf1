//! Runs: entries in order, in memory or in a temporary file.

use super::{
    super::records::Record,
    entry::{self, HEAD, Key},
};
use crate::limits;
use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, Write},
    path::Path,
};

/// How hard spills are compressed: the least.
const LEVEL: i32 = 1;

/// What reading a run back keeps of it to undo the compression, as a power of two in bytes.
const WINDOW_LOG: u32 = 17;

/// Entries that are gathered until they are too many.
#[derive(Default)]
pub(super) struct Gathered {
    entries: Vec<u8>,
    index: Vec<(Key, usize)>,
}

impl Gathered {
    pub fn push(&mut self, key: Key, source: usize, record: &Record<'_>) {
        self.index.push((key, self.entries.len()));
        entry::write(key, source, record, &mut self.entries);
    }

    /// The memory that is taken.
    pub fn bytes(&self) -> usize {
        self.entries.len() + size_of::<(Key, usize)>() * self.index.len()
    }

    /// Writes everything into a temporary file of `folder`, in order, and is empty then.
    pub fn spill(&mut self, folder: &Path) -> io::Result<Run> {
        self.index.sort_unstable();
        let mut spill = Spill::new(folder)?;
        for (_, start) in &self.index {
            spill.write(entry_at(&self.entries, *start))?;
        }
        self.entries.clear();
        self.index.clear();
        spill.finish()
    }

    /// A run that stays in memory.
    pub fn into_run(mut self) -> Run {
        self.index.sort_unstable();
        Run { from: Source::Memory { gathered: self, next: 0 }, entry: Vec::new(), bytes: 0 }
    }
}

fn entry_at(entries: &[u8], start: usize) -> &[u8] {
    let entry = &entries[start..];
    &entry[..HEAD + entry::length(&entry[..HEAD])]
}

/// A run that is being written.
pub(super) struct Spill(zstd::Encoder<'static, File>);

impl Spill {
    pub fn new(folder: &Path) -> io::Result<Spill> {
        let mut encoder = zstd::Encoder::new(tempfile::tempfile_in(folder)?, LEVEL)?;
        encoder.window_log(WINDOW_LOG)?;
        encoder.include_checksum(true)?;
        Ok(Spill(encoder))
    }

    pub fn write(&mut self, entry: &[u8]) -> io::Result<()> {
        self.0.write_all(entry)
    }

    pub fn finish(self) -> io::Result<Run> {
        let mut file = self.0.finish()?;
        let bytes = file.stream_position()?;
        file.rewind()?;
        Ok(Run { from: Source::File(file), entry: Vec::new(), bytes })
    }
}

/// A run that is read from its beginning, once.
pub(super) struct Run {
    from: Source,
    entry: Vec<u8>,
    bytes: u64,
}

enum Source {
    Memory {
        gathered: Gathered,
        next: usize,
    },
    /// Nothing has been read of it; it takes no memory yet.
    File(File),
    Reading(Box<BufReader<zstd::Decoder<'static, BufReader<File>>>>),
}

impl Run {
    /// What it takes of its folder.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The entry that was read last.
    pub fn entry(&self) -> &[u8] {
        &self.entry
    }

    /// Reads the next entry; false when there is none.
    pub fn advance(&mut self) -> io::Result<bool> {
        if let Source::File(file) = &self.from {
            let file = BufReader::with_capacity(limits::SORT_READ_BYTES, file.try_clone()?);
            let decoder = zstd::Decoder::with_buffer(file)?;
            self.from = Source::Reading(Box::new(BufReader::with_capacity(limits::SORT_READ_BYTES, decoder)));
        }
        self.entry.clear();
        match &mut self.from {
            Source::Memory { gathered, next } => {
                let Some((_, start)) = gathered.index.get(*next) else { return Ok(false) };
                self.entry.extend_from_slice(entry_at(&gathered.entries, *start));
                *next += 1;
                Ok(true)
            }
            Source::Reading(reader) => read_entry(reader, &mut self.entry),
            Source::File(_) => unreachable!("it is read as of just above"),
        }
    }
}

fn read_entry(reader: &mut impl Read, entry: &mut Vec<u8>) -> io::Result<bool> {
    let head = u64::try_from(HEAD).expect("a small number");
    match reader.by_ref().take(head).read_to_end(entry)? {
        0 => return Ok(false),
        HEAD => {}
        _ => return Err(io::ErrorKind::UnexpectedEof.into()),
    }
    let length = entry::length(entry);
    entry.resize(HEAD + length, 0);
    reader.read_exact(&mut entry[HEAD..])?;
    Ok(true)
}
