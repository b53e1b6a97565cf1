//! Where contestants write: one buffer, emptied whenever it is full, as a file's writer would.
//!
//! In test mode everything is kept, so that answers can be compared; otherwise only counted.

use std::io::{BufRead, BufReader};

/// The reader of the yardsticks: the standard library's, line by line into one buffer that is used again. Calls `take` with
/// each record without its line end, and gives their number.
pub fn read_lines(stream: &[u8], mut take: impl FnMut(&[u8])) -> usize {
    let mut reader = BufReader::with_capacity(CHUNK, stream);
    let mut line = Vec::with_capacity(1_024);
    for number in 0.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).expect("memory can be read") == 0 {
            return number;
        }
        line.pop_if(|end| *end == b'\n');
        take(&line);
    }
    unreachable!("streams end")
}

/// The same writer for all.
pub struct Sink {
    pub buffer: Vec<u8>,
    kept: Option<Vec<u8>>,
    written: u64,
}

/// What a buffered writer hands on at once.
const CHUNK: usize = 64 * 1024;

impl Sink {
    pub fn new(keep: bool) -> Sink {
        Sink { buffer: Vec::with_capacity(2 * CHUNK), kept: keep.then(Vec::new), written: 0 }
    }

    /// Ends a line that was written to the buffer.
    pub fn end_line(&mut self) {
        self.buffer.push(b'\n');
        if self.buffer.len() >= CHUNK {
            self.flush();
        }
    }

    /// What was written in all: its length, and the bytes where they are kept.
    pub fn finish(mut self) -> (u64, Vec<u8>) {
        self.flush();
        (self.written, self.kept.unwrap_or_default())
    }

    fn flush(&mut self) {
        let bytes = std::hint::black_box(&self.buffer);
        self.written += bytes.len() as u64;
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
        self.buffer.clear();
    }
}

/// For quotients that people read.
pub fn float(number: u64) -> f64 {
    f64::from(u32::try_from(number).expect("figures here are below four billion"))
}
