//! Where a replay writes: a file, standard output, or nowhere; gathered in one buffer, every error seen.

use crate::{files::identity::is_standard, limits, wording};
use std::{
    fmt,
    fs::File,
    io::{self, Write},
    path::Path,
};

/// An output that cannot be written. Whoever gave it must act, unless the reader of a pipe has just gone away.
#[derive(Debug)]
pub struct WriteError {
    pub what: &'static str,
    pub name: String,
    pub cause: io::Error,
}

impl WriteError {
    /// The reader of a pipe has gone away: it has what it wanted, and there is nothing to complain about.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        self.cause.kind() == io::ErrorKind::BrokenPipe
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name == "-" { "standard output" } else { &self.name };
        write!(out, "cannot write {} to {name}: {}", self.what, wording::unwritable(&self.cause))
    }
}

impl std::error::Error for WriteError {}

/// One output.
pub struct Sink {
    what: &'static str,
    name: String,
    writer: Box<dyn Write>,
    gathered: Vec<u8>,
    /// The reader of the pipe has left: nothing more is written.
    unread: bool,
}

impl Sink {
    /// Opens a file, emptying it, or standard output for `-`. `what` is what will be written, for messages.
    ///
    /// # Errors
    /// A file that cannot be created.
    pub fn open(path: &Path, what: &'static str) -> Result<Sink, WriteError> {
        let name = path.to_string_lossy().into_owned();
        if is_standard(path) {
            return Ok(Sink::new(name, what, Box::new(io::stdout().lock())));
        }
        match File::create(path) {
            Ok(file) => Ok(Sink::new(name, what, Box::new(file))),
            Err(cause) => Err(WriteError { what, name, cause }),
        }
    }

    /// A sink into any writer.
    #[must_use]
    pub fn new(name: String, what: &'static str, writer: Box<dyn Write>) -> Sink {
        Sink {
            what,
            name,
            writer,
            gathered: Vec::with_capacity(limits::WRITE_BYTES + limits::RECORD_BYTES),
            unread: false,
        }
    }

    /// Appends one line that `write` writes without its end; nothing once the reader of the pipe has left.
    ///
    /// # Errors
    /// Those of the output, once enough is gathered. That the reader has left is told once.
    pub fn line(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), WriteError> {
        if self.unread {
            return Ok(());
        }
        write(&mut self.gathered);
        self.gathered.push(b'\n');
        if self.gathered.len() >= limits::WRITE_BYTES {
            self.write_gathered()?;
        }
        Ok(())
    }

    /// Appends bytes as they are; nothing once the reader of the pipe has left.
    ///
    /// # Errors
    /// As for a line.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        if self.unread || bytes.is_empty() {
            return Ok(());
        }
        self.gathered.extend_from_slice(bytes);
        self.write_gathered()
    }

    /// Writes everything out.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.write_gathered()?;
        if self.unread {
            return Ok(());
        }
        self.writer.flush().map_err(|cause| self.error(cause))
    }

    fn write_gathered(&mut self) -> Result<(), WriteError> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let written = self.writer.write_all(&self.gathered);
        self.gathered.clear();
        written.map_err(|cause| self.error(cause))
    }

    fn error(&mut self, cause: io::Error) -> WriteError {
        self.unread |= cause.kind() == io::ErrorKind::BrokenPipe;
        WriteError { what: self.what, name: self.name.clone(), cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_an_error_with_the_name_of_the_file() {
        let mut sink = Sink::open(Path::new("/dev/full"), "decisions").expect("/dev/full can be opened");
        sink.line(|out| out.extend_from_slice(b"{}")).expect("one line is only gathered");
        let error = sink.flush().expect_err("the disk is full").to_string();
        assert_eq!(error, "cannot write decisions to /dev/full: no space is left on the device");
    }

    #[test]
    fn a_full_buffer_is_written_without_a_flush() {
        let mut sink = Sink::open(Path::new("/dev/full"), "decisions").expect("/dev/full can be opened");
        let long = vec![b'x'; limits::WRITE_BYTES];
        assert!(sink.line(|out| out.extend_from_slice(&long)).is_err());
    }
}
