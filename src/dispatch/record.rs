//! What `alerts-retry` and `alerts-failed` hold: JSON, for people with Kafka's own tools as well.
//!
//! A record is an alert, whole, so that whoever takes a partition over sends the very bytes that its forerunner sent; or a
//! group whose window is still open. A record of `alerts-retry` lies in the partition of its decision's, and its key is the
//! alert's endpoint and id with a letter before them. Another version is an error: guessing at an alert would be losing it.

use crate::sidecar::{Millis, Offset};
use serde::{Deserialize, Serialize};

pub const VERSION: u32 = 1;

/// An alert that is not delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    pub version: u32,
    /// The `webhook-id`.
    pub id: String,
    pub endpoint: String,
    /// Of its newest decision, in the partition of `decisions` with this record's number.
    pub offset: Offset,
    /// When its first decision was read, in ms since 1970.
    pub born: Millis,
    /// Attempts that failed.
    pub failed: u32,
    /// When it is tried next, in ms since 1970.
    pub due: Millis,
    /// Of a group: what it was collected by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Why it was given up; in `alerts-failed` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub body: String,
}

/// A group whose window is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collected {
    pub version: u32,
    /// The `webhook-id` that its alert will have: by its first decision.
    pub id: String,
    pub endpoint: String,
    /// What it is collected by.
    pub group: String,
    /// The newest decision that is counted.
    pub offset: Offset,
    pub count: u64,
    /// ms since 1970.
    pub opened: Millis,
    pub closes: Millis,
    /// When the newest operation happened, in ms since 1970.
    pub last: i64,
    /// What its body is made of.
    pub seed: String,
}

/// A record of `alerts-retry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Alert(Kept),
    Group(Collected),
}

impl Kept {
    /// One that was never tried.
    #[must_use]
    pub fn new(id: &str, endpoint: &str, offset: Offset, born: Millis, body: &str) -> Kept {
        let (id, endpoint, body) = (id.to_owned(), endpoint.to_owned(), body.to_owned());
        Kept { version: VERSION, id, endpoint, offset, born, failed: 0, due: born, group: None, reason: None, body }
    }

    /// The key of its record in `alerts-retry`: an id is one endpoint's alert among several.
    #[must_use]
    pub fn key(&self) -> String {
        format!("a:{}/{}", self.endpoint, self.id)
    }

    #[must_use]
    pub fn value(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers are JSON")
    }

    /// What a record of `alerts-failed` says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(value: &[u8]) -> Result<Kept, String> {
        let kept: Kept = serde_json::from_slice(value).map_err(|error| format!("is no alert: {error}"))?;
        versioned(kept.version)?;
        Ok(kept)
    }
}

impl Collected {
    /// The key of its record in `alerts-retry`.
    #[must_use]
    pub fn key(group: &str) -> String {
        format!("g:{group}")
    }

    #[must_use]
    pub fn value(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers are JSON")
    }
}

/// What a record of `alerts-retry` says.
///
/// # Errors
/// What is wrong with it.
pub fn parse(key: &[u8], value: &[u8]) -> Result<Record, String> {
    match key {
        [b'a', b':', ..] => Kept::parse(value).map(Record::Alert),
        [b'g', b':', ..] => {
            let group: Collected = serde_json::from_slice(value).map_err(|error| format!("is no group: {error}"))?;
            versioned(group.version)?;
            Ok(Record::Group(group))
        }
        _ => Err("is neither an alert's nor a group's".to_owned()),
    }
}

fn versioned(version: u32) -> Result<(), String> {
    if version == VERSION {
        return Ok(());
    }
    Err(format!("has version {version}, and this kuzet knows {VERSION}: run the kuzet that wrote it, or a newer one"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of version 1 as they stay readable.
    #[test]
    fn records_of_version_1_are_read() {
        let alert = r#"{"version":1,"id":"operations:0:7-oncall","endpoint":"oncall","offset":9,"born":5,"failed":2,"due":8,"body":"{\"a\":1}"}"#;
        let group = r#"{"version":1,"id":"i","endpoint":"e","group":"k","offset":9,"count":3,"opened":1,"closes":2,"last":4,"seed":"s"}"#;
        let Ok(Record::Alert(kept)) = parse(b"a:operations:0:7-oncall", alert.as_bytes()) else { panic!("an alert") };
        assert_eq!((kept.failed, kept.due, kept.body.as_str()), (2, 8, "{\"a\":1}"));
        assert_eq!(kept.value(), alert.as_bytes());
        let Ok(Record::Group(collected)) = parse(b"g:k", group.as_bytes()) else { panic!("a group") };
        assert_eq!(collected.value(), group.as_bytes());
        for (key, value, words) in [
            ("a:x", alert.replace("\"version\":1", "\"version\":2"), "has version 2"),
            ("g:x", group.replace("\"count\":3,", ""), "is no group: missing field `count`"),
            ("a:x", alert.replace("\"born\"", "\"burn\""), "is no alert: unknown field `burn`"),
            ("z", alert.to_owned(), "is neither"),
        ] {
            let said = parse(key.as_bytes(), value.as_bytes()).expect_err("refused");
            assert!(said.starts_with(words), "{said}");
        }
    }
}
