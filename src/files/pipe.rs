//! A pipe whose reader may leave, as `head` does once it has enough: the work goes on, and what it comes to is told by
//! the exit code.

use std::io::{self, ErrorKind, Write};

/// A writer that swallows everything once its reader has left.
#[derive(Debug)]
pub struct Pipe<W> {
    writer: W,
    left: bool,
}

impl<W: Write> Pipe<W> {
    #[must_use]
    pub fn new(writer: W) -> Pipe<W> {
        Pipe { writer, left: false }
    }

    /// What `result` says, or `done` where it says that the reader has left.
    fn unless_left<T>(&mut self, result: io::Result<T>, done: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.left = true;
                Ok(done)
            }
            other => other,
        }
    }
}

impl<W: Write> Write for Pipe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left {
            return Ok(bytes.len());
        }
        let written = self.writer.write(bytes);
        self.unless_left(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.left {
            return Ok(());
        }
        let flushed = self.writer.flush();
        self.unless_left(flushed, ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails with each error in turn.
    struct Failing(Vec<ErrorKind>);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.remove(0).into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.remove(0).into())
        }
    }

    #[test]
    fn only_a_reader_that_left_is_no_failure() {
        let mut pipe = Pipe::new(Failing(vec![ErrorKind::StorageFull, ErrorKind::BrokenPipe]));
        assert_eq!(pipe.write(b"a").map_err(|error| error.kind()), Err(ErrorKind::StorageFull));
        assert_eq!(pipe.write(b"abc").expect("the reader left"), 3);
        pipe.write_all(b"nobody reads this").expect("nothing is written any more");
        pipe.flush().expect("nothing is written any more");
    }
}
