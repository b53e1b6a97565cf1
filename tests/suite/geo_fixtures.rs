//! Small GeoIP databases in every shape that we read, made here because no real one may be passed on.
//!
//! The networks are those set aside for documentation (RFC 5737, RFC 3849), so that a fixture can never be taken for
//! knowledge of the world. The bytes are the same on every run: the build time is fixed. `fixtures/geo/` holds two of
//! them for other tests and for trying the command line; `KUZET_WRITE_FIXTURES=1` writes them anew.

use ipnet::IpNet;
use mmdb_writer::{IpVersion, Value, Writer};
use std::{
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

/// 2026-01-15T00:00:00Z.
const COUNTRY_BUILT: u64 = 1_768_435_200;
/// 2026-02-01T00:00:00Z.
const ANONYMOUS_BUILT: u64 = 1_769_904_000;

const COUNTRIES: [(&str, &str); 6] = [
    ("203.0.113.0/24", "KZ"),
    ("198.51.100.0/24", "RU"),
    ("192.0.2.0/24", "DE"),
    ("2001:db8:1::/48", "KZ"),
    ("2001:db8:2::/48", "RU"),
    ("2a02:db8::/32", "KG"),
];

/// What `name()` says with both fixtures in use.
pub const NAME: &str = "geo@2026-01-15T00:00:00Z+2026-02-01T00:00:00Z";

/// The shape of GeoLite2-Country, with a record that has only `registered_country`, one with both that differ, one with
/// neither, and one whose code is no country.
pub fn country() -> Vec<u8> {
    let place = |code: &str| {
        Value::map([
            ("geoname_id", Value::from(1_522_867_u32)),
            ("iso_code", Value::from(code)),
            ("names", Value::map([("en", Value::from("A country")), ("ru", Value::from("Страна"))])),
        ])
    };
    let mut records: Vec<(&str, Value)> =
        COUNTRIES.map(|(network, code)| (network, Value::map([("country", place(code))]))).to_vec();
    records.extend([
        ("203.0.113.128/25", Value::map([("country", place("KZ")), ("registered_country", place("NL"))])),
        ("203.0.113.252/30", Value::map([("registered_country", place("UZ"))])),
        ("203.0.113.248/30", Value::map([("continent", Value::map([("code", Value::from("AS"))]))])),
        ("203.0.113.244/30", Value::map([("country", place("T1")), ("registered_country", place("NL"))])),
    ]);
    write("GeoLite2-Country", COUNTRY_BUILT, IpVersion::V6, &records)
}

/// The flat shape of third-party files; `described` is false for those that leave the description out.
pub fn flat_country(described: bool) -> Vec<u8> {
    let records = COUNTRIES.map(|(network, code)| (network, Value::map([("country_code", Value::from(code))])));
    if described {
        return write("iptoasn-country", COUNTRY_BUILT, IpVersion::V6, &records);
    }
    finish(Writer::builder("iptoasn-country").build_epoch(built(COUNTRY_BUILT)).build(), &records)
}

/// Flat records with a country's name beside its code, and with the code where others have a map.
pub fn named_country() -> Vec<u8> {
    let records = [
        ("203.0.113.0/24", Value::map([("country", Value::from("Kazakhstan")), ("country_code", Value::from("KZ"))])),
        ("198.51.100.0/24", Value::map([("country", Value::from("RU"))])),
        ("192.0.2.0/24", Value::map([("country", Value::from("Germany"))])),
        ("192.0.2.128/25", Value::map([("country_code", Value::from("de"))])),
    ];
    write("Example-Lite", COUNTRY_BUILT, IpVersion::V6, &records)
}

/// A file of IPv4 addresses only.
pub fn v4_country() -> Vec<u8> {
    let records =
        COUNTRIES[..3].iter().map(|(network, code)| (*network, Value::map([("country_code", Value::from(*code))])));
    write("iptoasn-country-v4", COUNTRY_BUILT, IpVersion::V4, &records.collect::<Vec<_>>())
}

/// The shape of GeoIP2-Anonymous-IP, whose keys are there only when they are true, with records of publishers who leave
/// `is_anonymous` out, write it as `false`, or write nothing.
pub fn anonymous() -> Vec<u8> {
    let flags = |keys: &[&str]| Value::map(keys.iter().map(|key| (*key, Value::from(true))));
    let records = [
        ("198.51.100.64/26", flags(&["is_anonymous", "is_anonymous_vpn"])),
        ("2001:db8:2:ff::/64", flags(&["is_anonymous", "is_tor_exit_node"])),
        ("192.0.2.128/25", flags(&["is_hosting_provider"])),
        ("192.0.2.0/28", flags(&["is_anonymous_vpn"])),
        ("192.0.2.16/28", flags(&["is_public_proxy", "is_hosting_provider"])),
        ("192.0.2.32/28", flags(&["is_residential_proxy"])),
        ("192.0.2.48/28", flags(&["is_tor_exit_node"])),
        ("192.0.2.64/28", Value::map([("is_anonymous", Value::from(false)), ("is_anonymous_vpn", Value::from(true))])),
        ("192.0.2.80/28", flags(&[])),
    ];
    write("GeoIP2-Anonymous-IP", ANONYMOUS_BUILT, IpVersion::V6, &records)
}

/// A database without a single network.
pub fn no_networks() -> Vec<u8> {
    write("GeoLite2-Country", COUNTRY_BUILT, IpVersion::V6, &[])
}

/// A country database in which `iso_code` is a number.
pub fn wrong_type() -> Vec<u8> {
    let record = Value::map([("country", Value::map([("iso_code", Value::from(398_u32))]))]);
    write("GeoLite2-Country", COUNTRY_BUILT, IpVersion::V6, &[("203.0.113.0/24", record)])
}

/// An anonymiser database built `seconds` after 1970.
pub fn anonymous_built(seconds: u64) -> Vec<u8> {
    let record = Value::map([("is_anonymous", Value::from(true))]);
    write("GeoIP2-Anonymous-IP", seconds, IpVersion::V6, &[("192.0.2.0/24", record)])
}

fn write(database_type: &str, seconds: u64, version: IpVersion, records: &[(&str, Value)]) -> Vec<u8> {
    let writer = Writer::builder(database_type)
        .description(&[("en", "Fixture of the kuzet test suite")])
        .ip_version(version)
        .build_epoch(built(seconds))
        .build();
    finish(writer, records)
}

fn finish(mut writer: Writer, records: &[(&str, Value)]) -> Vec<u8> {
    for (network, record) in records {
        let network: IpNet = network.parse().expect("a network");
        writer.insert_value(network, record.clone()).expect("a record that the format can hold");
    }
    writer.to_bytes().expect("a database")
}

fn built(seconds: u64) -> std::time::SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn the_committed_databases_are_the_generated_ones() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/geo");
    for (name, bytes) in [("country.mmdb", country()), ("anonymous.mmdb", anonymous())] {
        let path = folder.join(name);
        if std::env::var_os("KUZET_WRITE_FIXTURES").is_some() {
            std::fs::write(&path, &bytes).expect("a fixture that can be written");
        }
        let committed = std::fs::read(&path).expect("a committed fixture");
        assert!(committed == bytes, "{name} differs; KUZET_WRITE_FIXTURES=1 writes it anew");
    }
}
