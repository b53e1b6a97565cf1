//! What is known of an address, from MaxMind databases held in memory.
//!
//! Bytes in, answers out: no file is opened here, and none is ever mapped; `geo_files` reads them. A database is
//! walked from end to end once, when it is loaded, and every record in it is decoded then. So a broken record stops
//! the start and not a payment, and a look-up is a walk down the tree and a search in a short table: no lock, no
//! decoding, nothing that can fail.
//!
//! A file of this format has no checksum of its own. Of single flipped bits about a quarter pass every check of its
//! structure and answer wrongly, which only [`check_digest`] finds.

mod database;
mod digest;
mod record;

use crate::{event::Country, time::Timestamp};
use database::Database;
use record::{AnonymousRecord, CountryRecord};
use std::{fmt, net::IpAddr};

pub use digest::check_digest;

/// The databases in use; the default knows nothing.
#[derive(Default)]
pub struct Geo {
    country: Option<Database<Option<Country>>>,
    anonymous: Option<Database<Option<bool>>>,
    name: Option<String>,
}

impl fmt::Debug for Geo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Geo({})", self.name.as_deref().unwrap_or("nothing"))
    }
}

impl Geo {
    /// Loads a country database and an anonymiser database, each given as the bytes of its file.
    ///
    /// Read are the shapes of GeoIP2 and GeoLite2 Country and City (`country.iso_code`, else
    /// `registered_country.iso_code`), flat ones (`country_code`, or `country` where it is a code), and
    /// GeoIP2-Anonymous-IP.
    ///
    /// # Errors
    /// When a file is empty, damaged, or of another kind; the error says which of the two it is.
    pub fn new(country: Option<Vec<u8>>, anonymous: Option<Vec<u8>>) -> Result<Geo, GeoError> {
        let country = country.map(load_country).transpose()?;
        let anonymous = anonymous.map(load_anonymous).transpose()?;
        let name = name(country.as_ref().map(|file| file.built), anonymous.as_ref().map(|file| file.built));
        Ok(Geo { country, anonymous, name })
    }

    /// The country of an address; nothing when it is not known, or not as two capital letters.
    #[must_use]
    pub fn country(&self, ip: IpAddr) -> Option<Country> {
        self.country.as_ref()?.find(ip).copied().flatten()
    }

    /// Whether an address is that of an anonymiser.
    ///
    /// The database lists little else than anonymisers, so an address that it does not hold is no evidence either
    /// way: nothing, not `false`. A record without a key that is true is `false`.
    #[must_use]
    pub fn anonymous(&self, ip: IpAddr) -> Option<bool> {
        self.anonymous.as_ref()?.find(ip).map(|stated| stated.unwrap_or(false))
    }

    /// `geo@…` with the build times of the files in use, country first, for the `pack` of a decision; nothing when no
    /// file is in use.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.name.clone()
    }
}

fn load_country(bytes: Vec<u8>) -> Result<Database<Option<Country>>, GeoError> {
    let database = Database::load(GeoFile::Country, bytes, |record: CountryRecord| record.country())?;
    database.require(Option::is_some)
}

fn load_anonymous(bytes: Vec<u8>) -> Result<Database<Option<bool>>, GeoError> {
    let database = Database::load(GeoFile::Anonymous, bytes, |record: AnonymousRecord| record.anonymous())?;
    database.require(Option::is_some)
}

fn name(country: Option<Timestamp>, anonymous: Option<Timestamp>) -> Option<String> {
    let times: Vec<String> = [country, anonymous].into_iter().flatten().map(|time| time.to_string()).collect();
    (!times.is_empty()).then(|| format!("geo@{}", times.join("+")))
}

/// Which of the two databases a file is meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeoFile {
    Country,
    Anonymous,
}

impl GeoFile {
    fn noun(self) -> &'static str {
        match self {
            GeoFile::Country => "country database",
            GeoFile::Anonymous => "anonymiser database",
        }
    }

    /// What some record of such a database must hold, and where to get one.
    fn needs(self) -> &'static str {
        match self {
            GeoFile::Country => {
                "none of its records has country.iso_code, registered_country.iso_code or country_code; give a \
                 GeoLite2-Country or GeoIP2-Country file here"
            }
            GeoFile::Anonymous => {
                "none of its records has is_anonymous, is_anonymous_vpn, is_hosting_provider, is_public_proxy, \
                 is_residential_proxy or is_tor_exit_node; give a GeoIP2-Anonymous-IP file here"
            }
        }
    }
}

/// Why a database cannot be used. The operator who named the file must act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeoError {
    Empty { file: GeoFile },
    Damaged { file: GeoFile, detail: String },
    OtherKind { file: GeoFile, database_type: String },
    BuildTime { file: GeoFile, seconds: u64 },
    Sidecar { first_line: String },
    Digest { expected: String, actual: String },
}

impl GeoError {
    /// Which file is at fault, where the error itself knows.
    #[must_use]
    pub fn file(&self) -> Option<GeoFile> {
        match self {
            GeoError::Empty { file }
            | GeoError::Damaged { file, .. }
            | GeoError::OtherKind { file, .. }
            | GeoError::BuildTime { file, .. } => Some(*file),
            GeoError::Sidecar { .. } | GeoError::Digest { .. } => None,
        }
    }
}

impl fmt::Display for GeoError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GeoError::Empty { file } => write!(out, "the {} is empty: 0 bytes", file.noun()),
            GeoError::Damaged { file, detail } => {
                write!(out, "the {} is damaged or no MaxMind DB at all: {detail}", file.noun())
            }
            GeoError::OtherKind { file, database_type } => {
                write!(out, "\"{database_type}\" is not a usable {}: {}", file.noun(), file.needs())
            }
            GeoError::BuildTime { file, seconds } => {
                let noun = file.noun();
                write!(out, "the {noun} says it was built {seconds} s after 1970, which is past the year 9999")
            }
            GeoError::Sidecar { first_line } => write!(
                out,
                "the .sha256 file beside the database begins with {first_line:?}; it must be the one line that \
                 `sha256sum` prints: 64 hexadecimal digits, two blanks, the file's name"
            ),
            GeoError::Digest { expected, actual } => write!(
                out,
                "the database's SHA-256 is {actual}, the .sha256 file beside it says {expected}: one of the two is \
                 damaged or old; download both again"
            ),
        }
    }
}

impl std::error::Error for GeoError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_compatible_address_is_not_looked_up_as_ipv4() {
        let file =
            |name| std::fs::read(format!("{}/fixtures/geo/{name}", env!("CARGO_MANIFEST_DIR"))).expect("a fixture");
        let geo = Geo::new(Some(file("country.mmdb")), Some(file("anonymous.mmdb"))).expect("databases");
        for (address, country, anonymous) in [
            ("203.0.113.1", Some("KZ"), None),
            ("::ffff:203.0.113.1", Some("KZ"), None),
            ("::203.0.113.1", None, None),
            ("198.51.100.64", Some("RU"), Some(true)),
            ("::198.51.100.64", None, None),
            ("::", None, None),
            ("::1", None, None),
            ("2001:db8:1::203.0.113.1", Some("KZ"), None),
        ] {
            let ip = address.parse().expect("an address");
            let found = geo.country(ip);
            assert_eq!(found.as_ref().map(Country::as_str), country, "{address}");
            assert_eq!(geo.anonymous(ip), anonymous, "{address}");
        }
    }
}
