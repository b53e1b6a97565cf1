//! What a record of a log says of itself beside its bytes, and what is wrong with one whose key is another wallet's.
//!
//! A topic's records have a time of their own and a key; lines of files have neither. Whoever decides on both asks here, so
//! that a replay of a topic refuses what the sidecar refuses, in the same words.

use crate::{event::Fault, time::Timestamp};

/// Beside the bytes of a record of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logged<'a> {
    /// When the broker got it, by which its event's time is judged; none where the time is a producer's.
    pub appended: Option<Timestamp>,
    pub key: Keyed<'a>,
    pub has_value: bool,
}

/// What a record's key must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyed<'a> {
    /// The wallet's bytes.
    ByWallet(Option<&'a [u8]>),
    /// Anything.
    Otherwise,
}

impl Logged<'_> {
    /// What is wrong with it whatever its bytes say.
    #[must_use]
    pub fn fault_of_value(&self) -> Option<Fault> {
        let message = "the record has no value; an operation is one JSON object";
        (!self.has_value).then(|| Fault { field: None, message: message.to_owned() })
    }

    /// What is wrong with it when it is of this wallet.
    #[must_use]
    pub fn fault_of_key(&self, wallet: &str) -> Option<Fault> {
        match self.key {
            Keyed::ByWallet(key) => fault_of_key(key, wallet),
            Keyed::Otherwise => None,
        }
    }
}

/// What is wrong with a key that must be this wallet's bytes.
fn fault_of_key(key: Option<&[u8]>, wallet: &str) -> Option<Fault> {
    if key == Some(wallet.as_bytes()) {
        return None;
    }
    let what = if key.is_some() { "is another" } else { "is missing" };
    let field = Some("wallet".to_owned());
    let message = format!(
        "wallet: the record's key must be the wallet's bytes, and {what}; a wallet's history stays together by it"
    );
    Some(Fault { field, message })
}
