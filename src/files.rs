//! Inputs of `replay`: files and standard input, one after the other, or a range of a topic, as records.
//!
//! Memory is one buffer whatever the inputs are, and a bound beside it where they are sorted. Nothing here knows what a record means. A file that cannot be read to
//! its end gives everything whole that came before, and then an error that names the file and the line.

pub mod gather;
pub mod identity;
pub mod logged;
pub mod open;
#[cfg(feature = "parquet")]
mod parquet;
pub mod pipe;
pub mod records;
mod series;
pub mod sort;

use crate::wording;
use open::Unreadable;
use records::{Framing, Record};
pub use series::Series;
use sort::{Order, Room, Sorted, Turns};
use std::{fmt, io, path::PathBuf};

/// An input that cannot be opened, or not be read to its end. The person who named it must act.
#[derive(Debug)]
pub struct InputError {
    pub name: String,
    /// The line up to which everything was read, for a file that was opened.
    pub line: Option<u64>,
    pub failed: Failed,
    pub cause: io::Error,
}

/// What could not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    Reading,
    /// It is of another kind than the mapping says: that is wrong usage.
    Mapping,
    /// The name is that of a folder for temporary files.
    Spilling,
}

impl fmt::Display for InputError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.failed == Failed::Spilling {
            let (name, why) = (&self.name, wording::unwritable(&self.cause));
            return write!(
                out,
                "cannot sort by temporary files in {name}: {why}; set TMPDIR to a folder with room for them"
            );
        }
        let name = if self.name == "-" { "standard input" } else { &self.name };
        if self.failed == Failed::Mapping {
            return write!(out, "the mapping does not fit {name}: {}", self.cause);
        }
        let hint = match self.cause.kind() {
            _ if Unreadable::of(&self.cause).is_some() => self.cause.to_string(),
            io::ErrorKind::IsADirectory => "it is a directory; name files, or a directory that has some".to_owned(),
            io::ErrorKind::UnexpectedEof => {
                format!("the compressed data is cut off ({}); fetch the file again", self.cause)
            }
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
                format!("the compressed data is damaged ({}); fetch the file again", self.cause)
            }
            _ => wording::unreadable(&self.cause),
        };
        match self.line {
            None | Some(1) => write!(out, "cannot read {name}: {hint}"),
            Some(line) => write!(out, "cannot read {name} after line {}: {hint}", line - 1),
        }
    }
}

impl std::error::Error for InputError {}

/// A record and where it came from.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'a> {
    /// The number of its input, from 0.
    pub source: usize,
    /// Its input, as it was named.
    pub name: &'a str,
    pub record: Record<'a>,
}

/// Several inputs read as one stream of records, in the order given or in the order of time.
pub struct Inputs(Kind);

enum Kind {
    Series(Box<Series>),
    Sorted(Box<Sorted>),
    Topic(Box<dyn TopicReader>),
}

/// Reads a range of a topic whose end is there already. Whoever knows brokers does it; here are only files.
pub trait TopicReader {
    /// The next record of what has been read; nothing when more must be read first.
    fn take(&mut self) -> Option<Taken<'_>>;

    /// Reads more; false when there is nothing more.
    ///
    /// # Errors
    /// A cluster that does not answer, and records that are gone.
    fn fill(&mut self) -> Result<bool, InputError>;

    /// Source number `source`, which is a partition.
    fn name(&self, source: usize) -> &str;

    /// What is read.
    fn extent(&self) -> &Extent;

    /// Bytes gone through so far.
    fn bytes(&self) -> u64;
}

/// What of a topic is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    pub topic: String,
    pub stretches: Vec<Stretch>,
}

/// What of one partition is read, in offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub partition: i32,
    /// The first that is read.
    pub begin: i64,
    /// The one past the last, which ended the partition when reading began.
    pub end: i64,
    /// The range may have begun earlier, in what has been deleted.
    pub is_cut: bool,
}

impl Inputs {
    /// Inputs to be read one after the other; `-` is standard input.
    ///
    /// # Errors
    /// The first that is missing, is a directory, or may not be read: found before any of them is processed.
    pub fn new(paths: &[PathBuf], framing: Framing) -> Result<Inputs, InputError> {
        Ok(Inputs(Kind::Series(Box::new(Series::new(paths, framing)?))))
    }

    /// A range of a topic.
    #[must_use]
    pub fn topic(reader: Box<dyn TopicReader>) -> Inputs {
        Inputs(Kind::Topic(reader))
    }

    /// The same records in the order of time.
    #[must_use]
    pub fn sorted(self, turns: Turns, room: Room) -> Inputs {
        Inputs(Kind::Sorted(Box::new(Sorted::new(self, turns, room))))
    }

    /// The next record of what has been read; nothing when more must be read first.
    pub fn take(&mut self) -> Option<Taken<'_>> {
        match &mut self.0 {
            Kind::Series(series) => series.take(),
            Kind::Sorted(sorted) => sorted.take(),
            Kind::Topic(topic) => topic.take(),
        }
    }

    /// Many records at once, where they lie in a buffer one after the other.
    pub fn many(&mut self) -> Option<&mut Series> {
        match &mut self.0 {
            Kind::Series(series) => Some(series),
            Kind::Sorted(_) | Kind::Topic(_) => None,
        }
    }

    /// Input number `source`, as it was named.
    ///
    /// # Panics
    /// Where there are not so many.
    #[must_use]
    pub fn name(&self, source: usize) -> &str {
        match &self.0 {
            Kind::Series(series) => series.name(source),
            Kind::Sorted(sorted) => sorted.inputs().name(source),
            Kind::Topic(topic) => topic.name(source),
        }
    }

    /// Every input is one whose end is there already.
    #[must_use]
    pub fn are_files(&self) -> bool {
        match &self.0 {
            Kind::Series(series) => series.are_files(),
            Kind::Sorted(sorted) => sorted.inputs().are_files(),
            Kind::Topic(_) => true,
        }
    }

    /// Reads more; false when there is nothing more.
    ///
    /// # Errors
    /// An input that cannot be opened or read to its end.
    pub fn fill(&mut self) -> Result<bool, InputError> {
        match &mut self.0 {
            Kind::Series(series) => series.fill(),
            Kind::Sorted(sorted) => sorted.fill(),
            Kind::Topic(topic) => topic.fill(),
        }
    }

    /// The next [`Inputs::fill`] may wait for whoever writes: to the input that is read, or to the one that it opens next.
    #[must_use]
    pub fn may_wait(&self) -> bool {
        match &self.0 {
            Kind::Series(series) => series.may_wait(),
            Kind::Sorted(sorted) => sorted.inputs().may_wait(),
            // Nobody waits for the decisions on what is long past.
            Kind::Topic(_) => false,
        }
    }

    /// Bytes gone through so far, as they are stored, and of how many, where that is known.
    #[must_use]
    pub fn progress(&self) -> (u64, Option<u64>) {
        match &self.0 {
            Kind::Series(series) => series.progress(),
            Kind::Sorted(sorted) => sorted.progress(),
            Kind::Topic(topic) => (topic.bytes(), None),
        }
    }

    /// What sorting has come to so far, where the inputs are sorted.
    #[must_use]
    pub fn order(&self) -> Option<Order> {
        match &self.0 {
            Kind::Series(_) | Kind::Topic(_) => None,
            Kind::Sorted(sorted) => Some(sorted.order()),
        }
    }

    /// What is read, where it is of a topic.
    #[must_use]
    pub fn extent(&self) -> Option<&Extent> {
        match &self.0 {
            Kind::Topic(topic) => Some(topic.extent()),
            Kind::Series(_) | Kind::Sorted(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).expect("memory can be written");
        encoder.finish().expect("memory can be written")
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::encode_all(text, 1).expect("memory can be written")
    }

    /// All records of files with these contents, each as `file:line:offset:text`, and how reading ended.
    fn read(contents: &[(&str, Vec<u8>)]) -> (Vec<String>, Result<(), String>) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let paths: Vec<_> = contents
            .iter()
            .map(|(name, content)| {
                let path = directory.path().join(name);
                std::fs::write(&path, content).expect("a file can be written");
                path
            })
            .collect();
        let mut found = Vec::new();
        let mut inputs = Inputs::new(&paths, Framing::Lines).expect("the files exist");
        loop {
            while let Some(Taken { source, record, .. }) = inputs.take() {
                let text = String::from_utf8_lossy(record.bytes);
                found.push(format!("{source}:{}:{}:{text}", record.line, record.offset));
            }
            match inputs.fill() {
                Ok(true) => {}
                Ok(false) => return (found, Ok(())),
                Err(error) => {
                    let message = error.to_string().replace(&format!("{}/", directory.path().display()), "");
                    return (found, Err(message));
                }
            }
        }
    }

    #[test]
    fn many_files_are_one_stream() {
        let members = [gzip(b"a\nb"), gzip(b"c\nd\n")].concat();
        let frames = [zstd(b"e\n\nf"), zstd(b"g\n")].concat();
        let (found, end) = read(&[
            ("1.ndjson", b"x\r\ny".to_vec()),
            ("2.empty", Vec::new()),
            ("3.gz", members),
            ("4.zst", frames),
            ("5", b"\n \nz\n".to_vec()),
        ]);
        assert_eq!(found, ["0:1:0:x", "0:2:3:y", "2:1:0:a", "2:2:2:bc", "2:3:5:d", "3:1:0:e", "3:3:3:fg", "4:3:3:z"]);
        assert_eq!(end, Ok(()));
    }

    #[test]
    fn a_name_does_not_make_a_file_compressed() {
        let (found, end) = read(&[("plain.gz", b"a\n".to_vec()), ("packed.ndjson", zstd(b"b\n"))]);
        assert_eq!((found, end), (vec!["0:1:0:a".to_owned(), "1:1:0:b".to_owned()], Ok(())));
    }

    #[test]
    fn what_came_before_a_cut_is_handed_out() {
        let text: String = (0..200_000).map(|number| format!("line {number}\n")).collect();
        for (name, packed) in [("a.gz", gzip(text.as_bytes())), ("a.zst", zstd(text.as_bytes()))] {
            let (found, end) = read(&[(name, packed[..packed.len() / 2].to_vec())]);
            assert!(found.len() > 1_000, "{name}: {}", found.len());
            for (number, line) in found.iter().enumerate() {
                assert!(line.ends_with(&format!(":line {number}")), "{name}: {line}");
            }
            let message = end.expect_err("the file is cut");
            let start = format!("cannot read {name} after line {}: the compressed data is cut off", found.len());
            assert!(message.starts_with(&start), "{message}");
        }
    }

    #[test]
    fn damage_is_named() {
        for (name, mut packed) in [("a.gz", gzip(&[b'a'; 9_000])), ("a.zst", zstd(&[b'a'; 9_000]))] {
            packed.extend_from_slice(b"rubbish");
            let (found, end) = read(&[(name, packed)]);
            assert_eq!(found.len(), 0, "{name}");
            let message = end.expect_err("the file is damaged");
            assert!(message.starts_with(&format!("cannot read {name}: the compressed data is ")), "{message}");
        }
    }

    #[test]
    fn missing_files_and_directories_are_found_first() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let missing = directory.path().join("nowhere.ndjson");
        for (path, hint) in [
            (missing.as_path(), "there is no such file"),
            (directory.path(), "it is a directory; name files, or a directory that has some"),
        ] {
            let error = Inputs::new(&[path.to_owned()], Framing::Lines).err().expect("an error").to_string();
            assert_eq!(error, format!("cannot read {}: {hint}", path.display()));
        }
    }
}
