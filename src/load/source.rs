//! Where the operations of a load come from: made up by seed, or the lines of a file.

use crate::{random::Random, time::Timestamp};
use std::{
    io::{self, BufRead},
    time::{SystemTime, UNIX_EPOCH},
};

/// One operation, as it is sent.
pub struct Operation<'a> {
    pub id: &'a [u8],
    /// The wallet, where it can be read.
    pub key: Option<&'a [u8]>,
    pub value: &'a [u8],
}

/// Operations, one after the other.
pub enum Source {
    Made(Made),
    File { lines: Box<dyn BufRead>, line: Vec<u8>, id: Vec<u8>, wallet: Vec<u8> },
}

/// Transfers that happen now, of wallets that are all alike.
pub struct Made {
    random: Random,
    /// Sets the ids of one load apart from those of another.
    run: u64,
    wallets: u64,
    left: u64,
    number: u64,
    wallet: String,
    id: String,
    value: String,
}

impl Made {
    /// So many operations of so many wallets.
    #[must_use]
    pub fn new(seed: u64, wallets: u64, count: u64) -> Made {
        let (wallet, id, value) = (String::new(), String::new(), String::new());
        let run = u64::try_from(now().0).expect("it is after 1970");
        Made { random: Random::new(seed), run, wallets: wallets.max(1), left: count, number: 0, wallet, id, value }
    }

    fn next(&mut self) -> Option<Operation<'_>> {
        self.left = self.left.checked_sub(1)?;
        self.number += 1;
        self.id = format!("load-{}-{}", self.run, self.number);
        self.wallet = format!("7701{:07}", self.random.below(self.wallets));
        let (amount, other) = (100 + self.random.below(20_000), self.random.below(10_000_000));
        self.value = format!(
            r#"{{"id":"{}","type":"transfer","time":"{}","wallet":"{}","counterparty":"7702{other:07}","amount":"{amount}","currency":"KZT","ip":"10.0.{}.{}","country":"KZ","client_status":"identified","device":"d-{other}","channel":"app"}}"#,
            self.id,
            now(),
            self.wallet,
            other % 250,
            other / 250 % 250
        );
        Some(Operation { id: self.id.as_bytes(), key: Some(self.wallet.as_bytes()), value: self.value.as_bytes() })
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

impl Source {
    /// The lines of a file, each one operation.
    #[must_use]
    pub fn file(lines: Box<dyn BufRead>) -> Source {
        Source::File { lines, line: Vec::new(), id: Vec::new(), wallet: Vec::new() }
    }

    /// The next operation.
    ///
    /// # Errors
    /// A file that cannot be read on.
    pub fn take(&mut self) -> io::Result<Option<Operation<'_>>> {
        match self {
            Source::Made(made) => Ok(made.next()),
            Source::File { lines, line, id, wallet } => {
                line.clear();
                if lines.read_until(b'\n', line)? == 0 {
                    return Ok(None);
                }
                let value = line.strip_suffix(b"\n").unwrap_or(line);
                id.clear();
                wallet.clear();
                // What is no JSON goes on as it is: it is the engine's to refuse.
                if let Ok(said) = serde_json::from_slice::<serde_json::Value>(value) {
                    id.extend_from_slice(said["id"].as_str().unwrap_or_default().as_bytes());
                    wallet.extend_from_slice(said["wallet"].as_str().unwrap_or_default().as_bytes());
                }
                let key = (!wallet.is_empty()).then_some(wallet.as_slice());
                Ok(Some(Operation { id, key, value }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_operations_are_events() {
        let packs = crate::pack_files::builtin().packs;
        let mut decoder = crate::event::decode::Decoder::default();
        let mut made = Source::Made(Made::new(1, 5, 3));
        let mut ids = Vec::new();
        while let Some(operation) = made.take().expect("nothing is read") {
            let event = decoder.decode(operation.value, &packs.types, packs.currency).expect("an event");
            assert_eq!(event.id.as_bytes(), operation.id);
            assert_eq!(Some(event.wallet.as_bytes()), operation.key);
            ids.push(event.id.to_owned());
        }
        ids.dedup();
        assert_eq!(ids.len(), 3);
    }

    #[test]
    fn lines_are_sent_as_they_are() {
        let mut file = Source::file(Box::new(&b"{\"id\":\"a\",\"wallet\":\"7\"}\nno json\n{}"[..]));
        let mut seen = Vec::new();
        while let Some(operation) = file.take().expect("it is read") {
            seen.push((operation.key.map(<[u8]>::to_vec), operation.value.to_vec()));
        }
        let line = b"{\"id\":\"a\",\"wallet\":\"7\"}".to_vec();
        assert_eq!(seen, [(Some(b"7".to_vec()), line), (None, b"no json".to_vec()), (None, b"{}".to_vec())]);
    }
}
