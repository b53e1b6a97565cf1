//! Figures, and the system's refusals, in the same words whichever command says them.
//!
//! What the system says of a file has a number that helps nobody, and says nothing of what to do. It is not decided here
//! which file it was about: whoever asked for the file names it.

use std::io::{self, ErrorKind};

/// Why a file cannot be read, as the end of a sentence that names it.
#[must_use]
pub fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => refused(error),
    }
}

/// Why a file cannot be written, as the end of a sentence that names it.
#[must_use]
pub fn unwritable(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such folder".to_owned(),
        ErrorKind::IsADirectory => "it is a directory; name a file".to_owned(),
        _ => refused(error),
    }
}

/// What reading and writing have in common.
fn refused(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::NotADirectory => "a part of its path is no folder".to_owned(),
        ErrorKind::StorageFull => "no space is left on the device".to_owned(),
        ErrorKind::ReadOnlyFilesystem => "its file system can only be read".to_owned(),
        ErrorKind::InvalidData => "it is not UTF-8".to_owned(),
        _ => without_number(&error.to_string()),
    }
}

/// The text without the system's number of the error.
fn without_number(text: &str) -> String {
    text.split(" (os error ").next().unwrap_or(text).to_owned()
}

/// `1,234,567`
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 event`, `1,234 events`, `2 near misses`
#[must_use]
pub fn several(count: u64, one: &str) -> String {
    let ending = match (count, one.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{} {one}{ending}", grouped(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped_by_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn one_thing_is_not_many() {
        for (count, what, text) in [
            (0, "event", "0 events"),
            (1, "event", "1 event"),
            (1_234, "event", "1,234 events"),
            (1, "near miss", "1 near miss"),
            (2, "near miss", "2 near misses"),
        ] {
            assert_eq!(several(count, what), text);
        }
    }

    #[test]
    fn the_systems_number_of_an_error_is_left_out() {
        for (number, read, written) in [
            (2, "there is no such file", "there is no such folder"),
            (13, "permission denied", "permission denied"),
            (20, "a part of its path is no folder", "a part of its path is no folder"),
            (21, "it is a directory", "it is a directory; name a file"),
            (28, "no space is left on the device", "no space is left on the device"),
            (40, "Too many levels of symbolic links", "Too many levels of symbolic links"),
        ] {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!((unreadable(&error).as_str(), unwritable(&error).as_str()), (read, written));
        }
    }
}
