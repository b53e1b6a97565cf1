//! Where the operations of a load come from: made up by seed, or the lines of a file.

use crate::{encode::digits, random::Random, time::Timestamp};
use std::{
    io::{self, BufRead, Write as _},
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
///
/// They are put together piece by piece: with `format!` they cost as much as sending them, and what the load takes of two
/// processors whoever decides has not.
pub struct Made {
    random: Random,
    /// Begins the ids of one load, and sets them apart from those of another.
    run: Vec<u8>,
    wallets: u64,
    left: u64,
    number: u64,
    wallet: Vec<u8>,
    id: Vec<u8>,
    value: Vec<u8>,
}

impl Made {
    /// So many operations of so many wallets.
    #[must_use]
    pub fn new(seed: u64, wallets: u64, count: u64) -> Made {
        let run = format!("load-{}-", now().0).into_bytes();
        let (wallet, id, value) = (Vec::new(), Vec::new(), Vec::new());
        Made { random: Random::new(seed), run, wallets: wallets.max(1), left: count, number: 0, wallet, id, value }
    }

    fn next(&mut self) -> Option<Operation<'_>> {
        self.left = self.left.checked_sub(1)?;
        self.number += 1;
        let Made { random, run, wallets, number, wallet, id, value, .. } = self;
        id.clear();
        id.extend_from_slice(run);
        digits(*number, id);
        wallet.clear();
        write!(wallet, "7701{:07}", random.below(*wallets)).expect("there is room");
        let (amount, other) = (100 + random.below(20_000), random.below(10_000_000));
        value.clear();
        value.extend_from_slice(br#"{"id":""#);
        value.extend_from_slice(id);
        value.extend_from_slice(br#"","type":"transfer","time":""#);
        now().write(value);
        value.extend_from_slice(br#"","wallet":""#);
        value.extend_from_slice(wallet);
        value.extend_from_slice(br#"","counterparty":""#);
        write!(value, "7702{other:07}").expect("there is room");
        value.extend_from_slice(br#"","amount":""#);
        digits(amount, value);
        value.extend_from_slice(br#"","currency":"KZT","ip":"10.0."#);
        digits(other % 250, value);
        value.push(b'.');
        digits(other / 250 % 250, value);
        value.extend_from_slice(br#"","country":"KZ","client_status":"identified","device":"d-"#);
        digits(other, value);
        value.extend_from_slice(br#"","channel":"app"}"#);
        Some(Operation { id, key: Some(wallet), value })
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
            assert_eq!([event.wallet, event.counterparty.expect("it has one")].map(str::len), [11; 2]);
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
