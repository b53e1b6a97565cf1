//! No decision waits for all that is remembered to be moved: what one step moves is counted, not timed.

use super::{Changes, Engine, Input, Settings};
use crate::{
    decision::Decision,
    event::Event,
    geo::Geo,
    number::Amount,
    rules::{
        diagnostic::Source,
        pack::{self, Loaded},
    },
    time::Timestamp,
    window::touched,
};
use std::{net::Ipv4Addr, sync::Arc};

/// What grows with wallets, addresses, a wallet's keys and its events.
const PACK: &str = r#"
name     = "growth"
version  = "1"
timezone = "Asia/Almaty"
currency = "KZT"
event.transfer.requires = ["amount", "counterparty"]
event.cleared = {}

restriction.address  = { action = "monitor", on = ["transfer"], target = "ip", lasts = "24h", lifted_by = ["cleared"] }
restriction.receiver = { action = "monitor", on = ["transfer"], incoming = true, lasts = "24h", lifted_by = ["cleared"] }

[[rule]]
id       = "restricts"
on       = ["transfer"]
restrict = ["address", "receiver"]

[[rule]]
id    = "of-wallet"
on    = ["transfer"]
count = { within = "1h", over = 1000000 }

[[rule]]
id    = "of-receiver-of-wallet"
on    = ["transfer"]
count = { per = ["wallet", "counterparty"], within = "1h", over = 1000000 }

[[rule]]
id       = "receivers"
on       = ["transfer"]
distinct = { of = "counterparty", within = "1h", over = 1000000 }

[[rule]]
id    = "of-address"
on    = ["transfer"]
count = { per = ["ip"], within = "1h", over = 1000000 }
"#;

/// Entries that one step may look at or move: some segments of tables, however much is remembered.
const MOST: usize = 4_096;
const EVENTS: u32 = 80_000;
const SILENCE_MS: i64 = 3 * 60 * 60 * 1_000;

fn engine() -> Engine {
    let source = Source { path: "growth.toml".to_owned(), text: PACK.to_owned() };
    let loaded = pack::load(&[source], &mut |_, name| Err(format!("there is no file {name}").into()));
    let Loaded { packs, .. } = loaded.unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
    Engine::new(Arc::new(packs), Arc::new(Geo::default()), Settings::default())
}

/// New wallets from new addresses, and between them one that pays somebody else each time; in the middle all of it passes.
#[test]
fn a_step_moves_little_however_much_is_remembered() {
    let mut engine = engine();
    let transfer = engine.packs.types.find("transfer").expect("the pack has it");
    let (mut decision, mut changes) = (Decision::default(), Changes::default());
    let mut most = (0, 0);
    touched::take();
    for number in 0..EVENTS {
        let silence = if number < EVENTS / 2 { 0 } else { SILENCE_MS };
        let time = Timestamp(1_772_442_000_000 + i64::from(number) * 20 + silence);
        let (id, other) = (format!("e{number}"), format!("r{number}"));
        let wallet = if number % 2 == 0 { other.clone() } else { "busy".to_owned() };
        let event = Event {
            counterparty: Some(&other[1..]),
            amount: Some(Amount(100)),
            ip: Some(Ipv4Addr::from_bits(number).into()),
            ..Event::new(&id, transfer, time, &wallet)
        };
        let input = Input::Event { event: &event, reference: None };
        engine.step(&input, &mut decision, &mut changes).expect("a good event");
        most = most.max((touched::take(), number));
    }
    let (entries, number) = most;
    assert!(entries <= MOST, "event {number} looked at {entries} entries");
    assert!(engine.wallets() > 40_000 && engine.store.addresses.len() == 80_000);
}
