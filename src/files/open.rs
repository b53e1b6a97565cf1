//! One input opened: a file or standard input, decompressed when its first bytes say so.
//!
//! Bytes are believed, names are not: a `.gz` that was unpacked on the way is still read, and so is a compressed
//! file without an ending, or one that comes through a pipe.

use super::identity::is_standard;
use std::{
    fmt,
    fs::File,
    io::{self, BufReader, Cursor, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// What the decompressors read at a time, in bytes.
const COMPRESSED_BYTES: usize = 128 * 1024;

/// The first bytes of every Parquet file.
const PARQUET: [u8; 4] = *b"PAR1";
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// A zstd frame to be skipped begins with 0x50 to 0x5f and these; parallel compressors put one first.
const ZSTD_SKIPPED: [u8; 3] = [0x2a, 0x4d, 0x18];

/// A file that holds something that cannot be read, in words that say so; the cause of an [`io::Error`].
#[derive(Debug)]
pub struct Unreadable(pub String);

impl Unreadable {
    /// What stands behind an error, where it is this.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Unreadable> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

impl From<Unreadable> for io::Error {
    fn from(unreadable: Unreadable) -> io::Error {
        io::Error::other(unreadable)
    }
}

/// An input that can be read.
pub struct Opened {
    pub reader: Box<dyn Read + Send>,
    /// Reading may wait for whoever writes: a pipe, a terminal.
    pub may_wait: bool,
    /// It is a table, whose rows are read as lines of JSON.
    pub is_table: bool,
}

/// Opens `path`, or standard input for `-`. Bytes read from it, as they are stored, are added to `bytes_read`.
///
/// # Errors
/// Those of opening the file and of reading its first bytes.
pub fn open(path: &Path, bytes_read: &Arc<AtomicU64>) -> io::Result<Opened> {
    let (raw, may_wait): (Box<dyn Read + Send>, bool) = if is_standard(path) {
        (Box::new(io::stdin()), true)
    } else {
        let file = File::open(path)?;
        let kind = file.metadata()?;
        if kind.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        (Box::new(file), !kind.is_file())
    };
    let mut counted = Counted { reader: raw, bytes_read: Arc::clone(bytes_read) };
    let mut head = Vec::with_capacity(4);
    counted.by_ref().take(4).read_to_end(&mut head)?;
    if head == PARQUET {
        let reader = table(path, may_wait, bytes_read)?;
        return Ok(Opened { reader, may_wait: false, is_table: true });
    }
    Ok(Opened { reader: decompressed(head, counted, path)?, may_wait, is_table: false })
}

/// Opens a Parquet file, whose end is read first.
#[cfg(feature = "parquet")]
fn table(path: &Path, is_stream: bool, bytes_read: &Arc<AtomicU64>) -> io::Result<Box<dyn Read + Send>> {
    if is_stream {
        return Err(Unreadable("it is Parquet, which begins at its end; name the file itself".to_owned()).into());
    }
    Ok(Box::new(super::parquet::Rows::open(File::open(path)?, bytes_read)?))
}

#[cfg(not(feature = "parquet"))]
fn table(_: &Path, _: bool, _: &Arc<AtomicU64>) -> io::Result<Box<dyn Read + Send>> {
    Err(Unreadable("it is Parquet, which this kuzet was built without (cargo feature `parquet`)".to_owned()).into())
}

fn decompressed(head: Vec<u8>, reader: impl Read + Send + 'static, path: &Path) -> io::Result<Box<dyn Read + Send>> {
    let compression = Compression::of(&head, path);
    let whole = Cursor::new(head).chain(reader);
    Ok(match compression {
        Compression::None => Box::new(whole),
        Compression::Gzip => {
            Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(COMPRESSED_BYTES, whole)))
        }
        Compression::Zstd => {
            Box::new(zstd::stream::read::Decoder::with_buffer(BufReader::with_capacity(COMPRESSED_BYTES, whole))?)
        }
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// By the first four bytes. A name decides only where a file was cut within them.
    fn of(head: &[u8], path: &Path) -> Compression {
        let cut = !head.is_empty() && head.len() < 4;
        let named = |ending| path.extension().is_some_and(|extension| extension == ending);
        if head.starts_with(&GZIP) || (cut && named("gz") && GZIP.starts_with(head)) {
            Compression::Gzip
        } else if head == ZSTD
            || (head.len() == 4 && head[0] & 0xf0 == 0x50 && head[1..] == ZSTD_SKIPPED)
            || (cut && named("zst") && ZSTD.starts_with(head))
        {
            Compression::Zstd
        } else {
            Compression::None
        }
    }
}

/// Counts what passes, for the progress bar.
struct Counted {
    reader: Box<dyn Read + Send>,
    bytes_read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(into)?;
        self.bytes_read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_is_told_by_the_first_bytes() {
        for (head, name, expected) in [
            (b"\x1f\x8b\x08\x00".as_slice(), "a.ndjson", Compression::Gzip),
            (b"\x1f\x8b", "a", Compression::Gzip),
            (b"\x1f", "a.gz", Compression::Gzip),
            (b"\x1f", "a", Compression::None),
            (b"\x28\xb5\x2f\xfd", "a.gz", Compression::Zstd),
            (b"\x50\x2a\x4d\x18", "a", Compression::Zstd),
            (b"\x5f\x2a\x4d\x18", "a", Compression::Zstd),
            (b"\x28\xb5", "a.zst", Compression::Zstd),
            (b"{\"id", "a.zst", Compression::None),
            (b"{\"id", "a.gz", Compression::None),
            (b"", "a.gz", Compression::None),
            (b"{}", "a.gz", Compression::None),
        ] {
            assert_eq!(Compression::of(head, Path::new(name)), expected, "{head:x?} {name}");
        }
    }
}
