//! Reads GeoIP databases from files for [`crate::geo`].
//!
//! A file is read into memory and not mapped: a map changes under the reader when somebody replaces the file in place.
//! Where `X.mmdb.sha256` stands beside `X.mmdb`, the two must agree.

use crate::{
    geo::{Geo, GeoError, GeoFile, check_digest},
    wording,
};
use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Longest database in bytes. The largest that is sold for countries has about 20 MB, for cities 150 MB.
const DATABASE_BYTES: u64 = 512 * 1024 * 1024;
/// Longest `.sha256` file in bytes: a digest and the longest file name.
const SIDECAR_BYTES: u64 = 8 * 1024;

/// Reads, checks and loads the databases that the operator named; none named is a [`Geo`] that knows nothing.
///
/// # Errors
/// Names the file, and what about it is wrong.
pub fn load(country: Option<&Path>, anonymous: Option<&Path>) -> Result<Geo, GeoFileError> {
    let country_bytes = country.map(read_database).transpose()?;
    let anonymous_bytes = anonymous.map(read_database).transpose()?;
    Geo::new(country_bytes, anonymous_bytes).map_err(|error| {
        let path = match error.file() {
            Some(GeoFile::Anonymous) => anonymous,
            _ => country.or(anonymous),
        };
        GeoFileError { path: path.map(Path::to_path_buf).unwrap_or_default(), why: Why::Database(error) }
    })
}

/// The bytes of a database that agrees with its `.sha256` file, if it has one.
fn read_database(path: &Path) -> Result<Vec<u8>, GeoFileError> {
    let failed = |why| GeoFileError { path: path.to_path_buf(), why };
    let bytes = read_bounded(path, DATABASE_BYTES).map_err(failed)?;
    let sidecar = sidecar_path(path);
    let digest = match read_bounded(&sidecar, SIDECAR_BYTES) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(Why::Read(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(bytes),
        Err(why) => return Err(GeoFileError { path: sidecar, why }),
    };
    check_digest(&bytes, &digest).map_err(|error| failed(Why::Database(error)))?;
    Ok(bytes)
}

/// `X.mmdb.sha256` of `X.mmdb`.
#[must_use]
pub fn sidecar_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sha256");
    PathBuf::from(name)
}

/// Reads a whole file of at most `most` bytes. The length is taken from what was read, since a file may grow.
fn read_bounded(path: &Path, most: u64) -> Result<Vec<u8>, Why> {
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes)).map_err(Why::Read)?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if length > most { Err(Why::TooLong { most }) } else { Ok(bytes) }
}

/// Why a GeoIP file cannot be used, with its path. The operator who named it must act.
#[derive(Debug)]
pub struct GeoFileError {
    pub path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Read(io::Error),
    TooLong { most: u64 },
    Database(GeoError),
}

impl fmt::Display for GeoFileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: ", self.path.display())?;
        match &self.why {
            Why::Read(error) => write!(out, "cannot be read: {}", wording::unreadable(error)),
            Why::TooLong { most } => write!(out, "is longer than {most} bytes"),
            Why::Database(error) => error.fmt(out),
        }
    }
}

/// Without a source: the message above already holds all of it.
impl std::error::Error for GeoFileError {}
