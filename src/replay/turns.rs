//! When the turn of a record comes in a sorted replay: by the time that it says, whatever else is wrong with it.
//!
//! Only the time is read, so that the order does not depend on what the packs know.

use crate::{
    files::{
        records::Record,
        sort::{Turn, Turns, When},
    },
    mapping::{Dated, Mapper, Mapping},
    time::Timestamp,
};
use serde::Deserialize;
use std::{borrow::Cow, sync::Arc};

/// Tells the turns of records of our own schema, or of one that is mapped.
#[must_use]
pub fn turns(mapping: Option<&Arc<Mapping>>) -> Turns {
    match mapping {
        None => Box::new(|_, record| Turn { when: when(record.bytes), row: None, last: false }),
        Some(mapping) => {
            let mut mapper = Mapper::new(Arc::clone(mapping));
            Box::new(move |source, record| mapped(&mut mapper, source, record))
        }
    }
}

fn mapped(mapper: &mut Mapper, source: usize, record: &Record<'_>) -> Turn {
    let (when, last) = match mapper.date(source, record) {
        Ok(Dated::Header) => (When::First, false),
        Ok(Dated::At(time)) => (When::At(time), false),
        Ok(Dated::Unknown) => (When::Next, false),
        // Whoever maps it again finds the same, and ends before anything is decided.
        Err(_) => (When::First, true),
    };
    Turn { when, row: Some(mapper.rows()), last }
}

/// The one member of a record of our own schema that its turn goes by.
#[derive(Deserialize)]
struct Own<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
}

fn when(bytes: &[u8]) -> When {
    let dated: Option<Own<'_>> = serde_json::from_slice(bytes).ok();
    let time = dated.and_then(|dated| Timestamp::parse(&dated.time).ok());
    time.map_or(When::Next, When::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_whatever_else_is_wrong() {
        let at = When::At(Timestamp::parse("2026-03-01T08:00:00Z").expect("a time"));
        for (record, expected) in [
            (r#"{"id":"a","time":"2026-03-01T08:00:00Z"}"#, at),
            (r#"{"id":7,"type":[{}],"time":"2026-03-01T13:00:00+05:00","amount":"x"}"#, at),
            (r#"{"time":"2026-03-01T08:00:00\u005a"}"#, at),
            (r#"{"time":"2026-03-01T08:00:00Z","time":"2026-03-01T08:00:00Z"}"#, When::Next),
            (r#"{"time":"2026-03-01T08:00:00"}"#, When::Next),
            (r#"{"time":1772352000}"#, When::Next),
            (r#"{"id":"a"}"#, When::Next),
            ("rubbish", When::Next),
        ] {
            assert_eq!(when(record.as_bytes()), expected, "{record}");
        }
    }
}
