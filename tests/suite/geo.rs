//! GeoIP databases of every shape, whole and damaged.

use crate::geo_fixtures::{self as fixtures, NAME};
use kuzet::{
    geo::{Geo, GeoError, GeoFile, check_digest},
    geo_files,
};
use sha2::{Digest, Sha256};
use std::{net::IpAddr, path::Path};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn check_countries(bytes: Vec<u8>, expected: &[(&str, Option<&str>)]) {
    let geo = Geo::new(Some(bytes), None).expect("a country database");
    for (address, country) in expected {
        let found = geo.country(ip(address));
        assert_eq!(found.as_ref().map(|country| country.as_str()), *country, "{address}");
        assert_eq!(geo.anonymous(ip(address)), None, "{address}: there is no anonymiser database");
    }
}

const EVERYWHERE: [(&str, Option<&str>); 12] = [
    ("203.0.113.0", Some("KZ")),
    ("203.0.113.127", Some("KZ")),
    ("198.51.100.255", Some("RU")),
    ("192.0.2.1", Some("DE")),
    ("::ffff:203.0.113.7", Some("KZ")),
    ("::ffff:192.0.2.7", Some("DE")),
    ("203.0.112.255", None),
    ("0.0.0.0", None),
    ("255.255.255.255", None),
    ("10.0.0.1", None),
    ("::ffff:10.0.0.1", None),
    ("fe80::1", None),
];

const EVERYWHERE_V6: [(&str, Option<&str>); 6] = [
    ("2001:db8:1::", Some("KZ")),
    ("2001:db8:1:ffff:ffff:ffff:ffff:ffff", Some("KZ")),
    ("2001:db8:2::1", Some("RU")),
    ("2a02:db8:ffff::1", Some("KG")),
    ("2001:db8:3::", None),
    ("2a02:db9::", None),
];

#[test]
fn reads_the_shape_of_geolite2_country() {
    check_countries(fixtures::country(), &EVERYWHERE);
    check_countries(fixtures::country(), &EVERYWHERE_V6);
    check_countries(
        fixtures::country(),
        &[
            // Where a network is registered matters only when nothing says where it is.
            ("203.0.113.128", Some("KZ")),
            ("203.0.113.253", Some("UZ")),
            ("203.0.113.249", None),
            ("203.0.113.245", None),
        ],
    );
}

#[test]
fn reads_the_flat_shapes_of_others() {
    for described in [true, false] {
        check_countries(fixtures::flat_country(described), &EVERYWHERE);
        check_countries(fixtures::flat_country(described), &EVERYWHERE_V6);
    }
    check_countries(
        fixtures::named_country(),
        &[("203.0.113.1", Some("KZ")), ("198.51.100.1", Some("RU")), ("192.0.2.1", None), ("192.0.2.129", None)],
    );
}

#[test]
fn a_file_of_ipv4_addresses_knows_no_others() {
    check_countries(fixtures::v4_country(), &EVERYWHERE);
    check_countries(fixtures::v4_country(), &[("2001:db8:1::", None), ("::", None), ("::203.0.113.1", None)]);
}

#[test]
fn reads_the_shape_of_geoip2_anonymous_ip() {
    let geo = Geo::new(None, Some(fixtures::anonymous())).expect("an anonymiser database");
    for (address, anonymous) in [
        ("198.51.100.64", Some(true)),
        ("198.51.100.127", Some(true)),
        ("::ffff:198.51.100.100", Some(true)),
        ("2001:db8:2:ff::1", Some(true)),
        // A hosting provider alone is no anonymiser.
        ("192.0.2.200", Some(false)),
        // Files without `is_anonymous`: any of the four that hide somebody.
        ("192.0.2.1", Some(true)),
        ("192.0.2.17", Some(true)),
        ("192.0.2.33", Some(true)),
        ("192.0.2.49", Some(true)),
        // The publisher's own conclusion counts, whatever else the record says.
        ("192.0.2.65", Some(false)),
        ("192.0.2.81", Some(false)),
        // Not listed is no evidence.
        ("198.51.100.63", None),
        ("198.51.100.128", None),
        ("2001:db8:2:fe::1", None),
        ("::ffff:198.51.100.1", None),
    ] {
        assert_eq!(geo.anonymous(ip(address)), anonymous, "{address}");
        assert_eq!(geo.country(ip(address)), None, "{address}: there is no country database");
    }
}

#[test]
fn is_named_after_the_build_times() {
    let name = |country, anonymous| Geo::new(country, anonymous).expect("databases").name();
    let (country, anonymous) = (fixtures::country(), fixtures::anonymous());
    assert_eq!(name(None, None), None);
    assert_eq!(Geo::default().name(), None);
    assert_eq!(name(Some(country.clone()), Some(anonymous.clone())).as_deref(), Some(NAME));
    assert_eq!(name(Some(country), None).as_deref(), Some("geo@2026-01-15T00:00:00Z"));
    assert_eq!(name(None, Some(anonymous)).as_deref(), Some("geo@2026-02-01T00:00:00Z"));
}

#[test]
fn can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Geo>();
}

#[track_caller]
fn check_refused(country: Option<Vec<u8>>, anonymous: Option<Vec<u8>>, message: &str) {
    let error = Geo::new(country, anonymous).err().expect("a refusal").to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn refuses_what_is_no_database_of_its_kind() {
    let (country, anonymous) = (fixtures::country(), fixtures::anonymous());
    check_refused(Some(Vec::new()), None, "the country database is empty: 0 bytes");
    check_refused(None, Some(Vec::new()), "the anonymiser database is empty: 0 bytes");
    check_refused(Some(b"network,country\n1.0.0.0/24,AU\n".to_vec()), None, "the country database is damaged or no");
    check_refused(Some(anonymous), None, "\"GeoIP2-Anonymous-IP\" is not a usable country database: none of its");
    check_refused(None, Some(country), "\"GeoLite2-Country\" is not a usable anonymiser database: none of its");
    check_refused(Some(fixtures::no_networks()), None, "\"GeoLite2-Country\" is not a usable country database");
    check_refused(Some(fixtures::wrong_type()), None, "the country database is damaged");
    check_refused(None, Some(fixtures::anonymous_built(253_402_300_800)), "253402300800 s after 1970");
    Geo::new(None, Some(fixtures::anonymous_built(253_402_300_799))).expect("the last second of 9999");
}

/// Loads damaged bytes both ways and, where they are accepted, asks of many addresses: nothing may panic.
fn survives(bytes: &[u8]) -> bool {
    let as_country = Geo::new(Some(bytes.to_vec()), None);
    let as_anonymous = Geo::new(None, Some(bytes.to_vec()));
    for geo in [&as_country, &as_anonymous].into_iter().flatten() {
        for (address, _) in EVERYWHERE.iter().chain(&EVERYWHERE_V6) {
            std::hint::black_box((geo.country(ip(address)), geo.anonymous(ip(address))));
        }
    }
    as_country.is_ok() || as_anonymous.is_ok()
}

#[test]
fn every_truncation_is_refused() {
    for whole in [fixtures::country(), fixtures::flat_country(false), fixtures::anonymous(), fixtures::v4_country()] {
        assert!(survives(&whole));
        for length in 0..whole.len() {
            assert!(!survives(&whole[..length]), "{length} of {} bytes", whole.len());
        }
    }
}

/// A flipped bit may go unnoticed, for the format has no checksum; but it never panics, and with a digest beside the
/// file it never goes unnoticed.
#[test]
fn no_flipped_bit_panics_and_a_digest_finds_each() {
    for whole in [fixtures::country(), fixtures::flat_country(false), fixtures::anonymous()] {
        let sidecar = sidecar_of(&whole);
        let mut damaged = whole.clone();
        for place in 0..whole.len() {
            for bit in 0..8 {
                damaged[place] ^= 1 << bit;
                survives(&damaged);
                assert!(matches!(check_digest(&damaged, &sidecar), Err(GeoError::Digest { .. })));
                damaged[place] ^= 1 << bit;
            }
        }
        check_digest(&damaged, &sidecar).expect("the bytes are whole again");
    }
}

fn sidecar_of(bytes: &[u8]) -> String {
    let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{digest}  country.mmdb\n")
}

#[test]
fn a_digest_is_one_line_of_sha256sum() {
    // The digest of "abc" is a test vector of FIPS 180-4.
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    for text in [
        digest.to_owned(),
        format!("{digest}\n"),
        format!("{digest}  X.mmdb\n"),
        format!("{digest} *X.mmdb\r\n\n"),
        format!("\\{digest}  X\\nY.mmdb\n"),
        format!("{}  X.mmdb\n", digest.to_uppercase()),
    ] {
        check_digest(b"abc", &text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert!(matches!(check_digest(b"abd", &text), Err(GeoError::Digest { .. })), "{text:?}");
    }
    for text in [
        String::new(),
        "\n".to_owned(),
        "X.mmdb".to_owned(),
        digest[1..].to_owned(),
        format!("{digest}0  X.mmdb"),
        format!("{}g  X.mmdb", &digest[1..]),
        format!("SHA256 (X.mmdb) = {digest}"),
        format!("{digest}  X.mmdb\n{digest}  Y.mmdb\n"),
    ] {
        assert!(matches!(check_digest(b"abc", &text), Err(GeoError::Sidecar { .. })), "{text:?}");
    }
}

#[test]
fn files_are_named_in_what_is_wrong_with_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file that can be written");
        path
    };
    let country = put("country.mmdb", &fixtures::country());
    let anonymous = put("anonymous.mmdb", &fixtures::anonymous());
    let load = |country: &Path, anonymous: &Path| geo_files::load(Some(country), Some(anonymous));
    assert_eq!(load(&country, &anonymous).expect("two databases").name().as_deref(), Some(NAME));
    assert_eq!(geo_files::load(None, None).expect("no database").name(), None);

    let refused = |country: &Path, anonymous: &Path| load(country, anonymous).err().expect("a refusal").to_string();
    let missing = folder.path().join("missing.mmdb");
    assert!(refused(&missing, &anonymous).contains("missing.mmdb: cannot be read"));
    assert!(refused(&country, &put("empty.mmdb", b"")).contains("empty.mmdb: the anonymiser database is empty"));
    assert!(refused(&anonymous, &country).contains("anonymous.mmdb: \"GeoIP2-Anonymous-IP\" is not a usable country"));

    put("country.mmdb.sha256", sidecar_of(&fixtures::country()).as_bytes());
    load(&country, &anonymous).expect("a digest that agrees");
    put("country.mmdb.sha256", sidecar_of(b"another file").as_bytes());
    assert!(refused(&country, &anonymous).contains("country.mmdb: the database's SHA-256 is"));
    put("country.mmdb.sha256", b"\xff\xfe");
    assert!(refused(&country, &anonymous).contains("must be the one line"));
    put("country.mmdb.sha256", &[b'0'; 10_000]);
    assert!(refused(&country, &anonymous).contains("country.mmdb.sha256: is longer than 8192 bytes"));
}

#[test]
fn an_error_knows_its_file() {
    let error = Geo::new(Some(fixtures::country()), Some(Vec::new())).err().expect("a refusal");
    assert_eq!(error, GeoError::Empty { file: GeoFile::Anonymous });
    assert_eq!(error.file(), Some(GeoFile::Anonymous));
}
