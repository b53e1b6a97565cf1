//! The SHA-256 that a publisher, or whoever fetched the file, has put beside a database.

use super::GeoError;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Digits of a SHA-256 in hexadecimal.
const DIGITS: usize = 64;
/// How much of a wrong line a message repeats, in characters.
const SHOWN: usize = 80;

/// Compares a database with what `sha256sum` printed for it: `sidecar` is the text of `X.mmdb.sha256`. The file's name
/// in it does not matter, since files are renamed when they are installed.
///
/// # Errors
/// When the text is not one such line, or the digests differ.
pub fn check_digest(bytes: &[u8], sidecar: &str) -> Result<(), GeoError> {
    let expected = stated_digest(sidecar).ok_or_else(|| GeoError::Sidecar {
        first_line: sidecar.lines().next().unwrap_or("").chars().take(SHOWN).collect(),
    })?;
    let actual = Sha256::digest(bytes).iter().fold(String::with_capacity(DIGITS), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    });
    if actual == expected { Ok(()) } else { Err(GeoError::Digest { expected, actual }) }
}

/// The digest of the only line of a `sha256sum` output, in small letters.
fn stated_digest(sidecar: &str) -> Option<String> {
    let mut lines = sidecar.lines().filter(|line| !line.trim().is_empty());
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    // A backslash in front says that the file's name is written with escapes.
    let line = line.strip_prefix('\\').unwrap_or(line);
    let digest = line.split_ascii_whitespace().next()?;
    let is_digest = digest.len() == DIGITS && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| digest.to_ascii_lowercase())
}
