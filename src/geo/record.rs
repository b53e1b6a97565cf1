//! Records of the databases that we read, and what they mean.
//!
//! Only the fields that matter are declared; whatever else a publisher adds is passed over. A field of ours that is of
//! another type is an error, which refuses the file, rather than a silent "unknown" for half the world.

use crate::event::Country;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::fmt;

/// A record of a country database, in any of the shapes that are about.
#[derive(Deserialize)]
pub struct CountryRecord {
    #[serde(default)]
    country: Place,
    #[serde(default)]
    registered_country: Place,
    country_code: Option<String>,
}

impl CountryRecord {
    /// Where the address is; where its network is registered only when nothing says where it is. A code that is there
    /// but is no country (`T1`, `-`, the empty string) is not replaced by a guess.
    pub fn country(self) -> Option<Country> {
        let CountryRecord { country, registered_country, country_code } = self;
        let code = match (country, country_code) {
            (Place::Coded(code), _) | (_, Some(code)) | (Place::Named(code), None) => code,
            (Place::Unknown, None) => registered_country.code()?,
        };
        let bytes: [u8; 2] = code.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_uppercase).then_some(Country(bytes))
    }
}

/// The value of `country`: MaxMind's is a map with an `iso_code`, others write a code or a name there.
#[derive(Default)]
enum Place {
    #[default]
    Unknown,
    Coded(String),
    Named(String),
}

impl Place {
    fn code(self) -> Option<String> {
        match self {
            Place::Unknown => None,
            Place::Coded(code) | Place::Named(code) => Some(code),
        }
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PlaceVisitor;
        impl<'de> Visitor<'de> for PlaceVisitor {
            type Value = Place;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a map with an iso_code, or a text")
            }
            fn visit_str<E>(self, text: &str) -> Result<Place, E> {
                Ok(Place::Named(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Place, A::Error> {
                let mut place = Place::Unknown;
                while let Some(key) = map.next_key::<String>()? {
                    if key == "iso_code" {
                        place = Place::Coded(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(place)
            }
        }
        deserializer.deserialize_any(PlaceVisitor)
    }
}

/// A record of GeoIP2-Anonymous-IP. A key is there only when it is true.
#[derive(Deserialize)]
pub struct AnonymousRecord {
    is_anonymous: Option<bool>,
    is_anonymous_vpn: Option<bool>,
    is_hosting_provider: Option<bool>,
    is_public_proxy: Option<bool>,
    is_residential_proxy: Option<bool>,
    is_tor_exit_node: Option<bool>,
}

impl AnonymousRecord {
    /// What the publisher concludes, else whether it names an anonymiser. A hosting provider alone is none: shops and
    /// banks live there. Nothing for a record that has none of the keys: a file of such records is of another kind.
    pub fn anonymous(self) -> Option<bool> {
        let anonymisers =
            [self.is_anonymous_vpn, self.is_public_proxy, self.is_residential_proxy, self.is_tor_exit_node];
        if self.is_anonymous.is_some() {
            return self.is_anonymous;
        }
        let stated = anonymisers.iter().chain([&self.is_hosting_provider]).any(Option::is_some);
        stated.then(|| anonymisers.contains(&Some(true)))
    }
}

/// A record read to its last byte, whatever it holds: texts must be UTF-8, pointers must lead somewhere.
pub struct Whole;

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Whole)
    }
}

impl<'de> Visitor<'de> for Whole {
    type Value = Whole;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<Whole, E> {
        Ok(Whole)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Whole, E> {
        Ok(Whole)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Whole, E> {
        Ok(Whole)
    }
    fn visit_u128<E>(self, _: u128) -> Result<Whole, E> {
        Ok(Whole)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Whole, E> {
        Ok(Whole)
    }
    fn visit_str<E>(self, _: &str) -> Result<Whole, E> {
        Ok(Whole)
    }
    fn visit_bytes<E>(self, _: &[u8]) -> Result<Whole, E> {
        Ok(Whole)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Whole, A::Error> {
        while sequence.next_element::<Whole>()?.is_some() {}
        Ok(Whole)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Whole, A::Error> {
        while map.next_entry::<Whole, Whole>()?.is_some() {}
        Ok(Whole)
    }
}
