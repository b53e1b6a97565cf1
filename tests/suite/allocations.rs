//! Decode, step and encode take no memory once warm: counted by an allocator that counts for each thread apart.
//!
//! Warm means that every window has been full. So the same day is lived again and again, with other ids and times but
//! the same wallets, receivers, devices and addresses, for longer than any window of the packs is (90 days, and two
//! calendar months); after that one more day must be free. What is new for the first time, such as a wallet, takes
//! memory, as it must; records that are rejected make a message, and are not the hot path.
//!
//! Two kinds of day: one in which all that the shipped packs know happens, and one of bursts, by a pack with every measure,
//! in which what was short grows long, rolls over, and is short again by the next morning.

use crate::harness::{load_text, packs};
use allocation_counter::measure;
use kuzet::{
    decision::Decision,
    encode::encode,
    engine::{Changes, Engine, Input, Settings},
    event::decode::{Decoded, Decoder},
    files::records::Records,
    geo::Geo,
    limits,
    mapping::{self, Mapped, Mapper},
    rules::Packs,
    time::Timestamp,
};
use std::{hint::black_box, sync::Arc};

/// Enough that `many-senders` fires on the receiver of all.
const WALLETS: u64 = 120;
const DAYS_TO_WARM_UP: u64 = 100;
/// The longest windows of the bursts are a month; a month of 31 days is among these.
const BURSTS_TO_WARM_UP: u64 = 66;
/// 2026-01-01 09:00 in Almaty.
const START: i64 = 1_767_240_000_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What every wallet does on each day: seconds after its start, type, and fields, with `@` for the wallet's number.
const DAY: &[(i64, &str, &str)] = &[
    (0, "login", r#""country":"KZ","device":"d-@""#),
    (60, "transfer", r#""amount":"5000","counterparty":"77020000000","country":"KZ""#),
    (120, "payment", r#""amount":"1234.56","merchant":"shop-@","country":"KZ""#),
    (180, "topup", r#""amount":20000"#),
    // One large transfer: held, and what goes out after it too, until somebody speaks to the client.
    (240, "transfer", r#""amount":"150000.5","counterparty":"77020000000","attributes":{"purpose":"rent","parts":3}"#),
    (300, "payment", r#""amount":"2000","merchant":"shop-@","cause":"a\tb""#),
    (330, "contact_confirmed", ""),
    (360, "identity_confirmed", ""),
    // This one comes out of order, by two minutes.
    (240, "payment", r#""amount":"10","merchant":"shop-@""#),
    // Past the sum of a day: a pin, which is then confirmed.
    (420, "payment", r#""amount":"431000","merchant":"shop-@","client_status":"identified""#),
    (450, "pin_confirmed", ""),
    (480, "payment", r#""amount":"12","merchant":"shop-@""#),
    // Another country within two hours: blocked until the secret answer.
    (540, "transfer", r#""amount":"700","counterparty":"77030000000","country":"TR""#),
    (570, "secret_answer_confirmed", ""),
    // A proxy.
    (600, "login", r#""anonymous":true,"device":"d-@""#),
    (630, "identity_confirmed", ""),
    // More than ten equal transfers within an hour, to more than ten receivers.
    (660, "transfer", r#""amount":"700","counterparty":"77030000001""#),
    (661, "transfer", r#""amount":"700","counterparty":"77030000002""#),
    (662, "transfer", r#""amount":"700","counterparty":"77030000003""#),
    (663, "transfer", r#""amount":"700","counterparty":"77030000004""#),
    (664, "transfer", r#""amount":"700","counterparty":"77030000005""#),
    (665, "transfer", r#""amount":"700","counterparty":"77030000006""#),
    (666, "transfer", r#""amount":"700","counterparty":"77030000007""#),
    (667, "transfer", r#""amount":"700","counterparty":"77030000008""#),
    (668, "transfer", r#""amount":"700","counterparty":"77030000009""#),
    (669, "transfer", r#""amount":"700","counterparty":"77030000010""#),
    (670, "transfer", r#""amount":"700","counterparty":"77030000011""#),
    (720, "identity_confirmed", ""),
    // Wrong passwords: a captcha, then the address is blocked for a day.
    (780, "login_failed", r#""ip":"10.9.0.@""#),
    (781, "login_failed", r#""ip":"10.9.0.@""#),
    (782, "login_failed", r#""ip":"10.9.0.@""#),
    (783, "login_failed", r#""ip":"10.9.0.@""#),
    (784, "login_failed", r#""ip":"10.9.0.@""#),
    (785, "login_failed", r#""ip":"10.9.0.@""#),
    // The client's own block, and a transfer to the client meanwhile.
    (840, "block_requested", ""),
    (850, "transfer", r#""amount":"8","counterparty":"7701@""#),
    (860, "unblock_requested", ""),
    // And one that comes after more than the lateness.
    (500, "payment", r#""amount":"10","merchant":"shop-@""#),
];

/// Every tenth record comes twice.
const TWICE: usize = 10;

/// What decisions of the measured day must show, or it would not have asked for much.
const SHOWN: &[&str] = &[
    r#""action":"allow""#,
    r#""action":"monitor""#,
    r#""action":"captcha""#,
    r#""action":"pin""#,
    r#""action":"hold""#,
    r#""action":"block""#,
    r#""duplicate""#,
    r#""late""#,
    r#""released""#,
    r#""equal-transfers""#,
    r#""country-change""#,
    r#""password-lockout""#,
    r#""fan-out""#,
    r#""many-senders""#,
];

fn records(day: u64) -> Vec<String> {
    let mut records = Vec::new();
    for (place, (second, kind, fields)) in DAY.iter().enumerate() {
        for wallet in 0..WALLETS {
            let number = i64::try_from(wallet).expect("few");
            let time = Timestamp(START + i64::try_from(day).expect("few") * DAY_MS + second * 1_000 + number);
            let comma = if fields.is_empty() { "" } else { "," };
            let fields = fields.replace('@', &wallet.to_string());
            let record = format!(
                r#"{{"id":"{day:03}-{wallet:03}-{place:02}","type":"{kind}","time":"{time}","wallet":"7701{wallet}"{comma}{fields}}}"#
            );
            if place % TWICE == 0 {
                records.push(record.clone());
            }
            records.push(record);
        }
    }
    records
}

/// A stage, how often it took memory, and where it did first.
#[derive(Debug)]
struct Stage {
    name: &'static str,
    allocations: u64,
    first: Option<String>,
}

impl Stage {
    fn new(name: &'static str) -> Stage {
        Stage { name, allocations: 0, first: None }
    }

    /// Runs the stage on a record and counts. The measuring itself takes nothing that would be counted.
    fn run(&mut self, record: &str, work: impl FnOnce()) {
        let taken = measure(work).count_total;
        self.allocations += taken;
        if taken > 0 && self.first.is_none() {
            self.first = Some(record.to_owned());
        }
    }
}

/// The three stages with all that they use again and again.
struct Hot {
    packs: Arc<Packs>,
    engine: Engine,
    decoder: Decoder,
    decision: Decision,
    changes: Changes,
    out: Vec<u8>,
}

impl Hot {
    fn new(packs: Arc<Packs>) -> Hot {
        Hot {
            engine: Engine::new(Arc::clone(&packs), Arc::new(Geo::default()), Settings::default()),
            packs,
            decoder: Decoder::default(),
            decision: Decision::default(),
            changes: Changes::default(),
            out: Vec::new(),
        }
    }

    fn run(&mut self, record: &str, [decode, step, encoded]: &mut [Stage; 3]) {
        let Hot { packs, engine, decoder, decision, changes, out } = self;
        out.clear();
        let mut decoded = None;
        decode.run(record, || decoded = Some(decoder.decode(record.as_bytes(), &packs.types, packs.currency)));
        let event = decoded.expect("the stage has run").expect("a good record");
        let mut stepped = None;
        let input = Input::Event { event: &event, reference: None };
        step.run(record, || stepped = Some(engine.step(&input, decision, changes)));
        stepped.expect("the stage has run").expect("a decision");
        encoded.run(record, || encode(decision, &event, packs, out));
    }
}

fn stages() -> [Stage; 3] {
    [Stage::new("decode"), Stage::new("step"), Stage::new("encode")]
}

#[test]
fn the_counter_sees_what_is_taken() {
    let mut stage = Stage::new("control");
    stage.run("nothing", || {
        black_box(1);
    });
    assert_eq!((stage.allocations, &stage.first), (0, &None));
    stage.run("a box", || drop(black_box(Box::new(1))));
    let mut texts = vec![1_u8];
    stage.run("one that grows", || texts.extend([2; 1_000]));
    assert_eq!((stage.allocations, stage.first.as_deref()), (2, Some("a box")));
}

#[test]
fn the_first_day_takes_memory_and_shows_it() {
    let mut hot = Hot::new(packs("rules/typologies.toml"));
    let mut stages = stages();
    hot.run(&records(0)[0], &mut stages);
    assert!(stages[1].allocations > 0, "a wallet's first event is remembered: {stages:?}");
}

/// What a day takes once all windows have been full; its decisions show what they must.
fn warm_day(packs: Arc<Packs>, days: u64, records: fn(u64) -> Vec<String>, shown: &[&str]) -> [Stage; 3] {
    let mut hot = Hot::new(packs);
    for day in 0..days {
        for record in records(day) {
            hot.run(&record, &mut stages());
        }
    }
    let mut stages = stages();
    let mut missing = shown.to_vec();
    for record in records(days) {
        hot.run(&record, &mut stages);
        let decision = std::str::from_utf8(&hot.out).expect("decisions are UTF-8");
        missing.retain(|part| !decision.contains(part));
    }
    assert!(missing.is_empty(), "the day does not show {missing:?}");
    stages
}

/// Every measure over windows that are long for part of the day, and by keys of every kind.
const BURSTS: &str = r#"
name = "bursts"
version = "1"
timezone = "Asia/Almaty"
currency = "KZT"
[event]
transfer.requires = ["amount", "counterparty"]
payment.requires = ["amount"]
topup.requires = ["amount"]
login.requires = []
[[rule]]
id = "count"
on = ["transfer"]
count = { within = "1h", over = 40 }
[[rule]]
id = "count-shorter"
on = ["transfer"]
count = { within = "10m", over = 25 }
[[rule]]
id = "sum"
on = ["transfer"]
sum = { of = "amount", within = "1h", over = 40000 }
[[rule]]
id = "distinct"
on = ["transfer"]
distinct = { of = "counterparty", within = "1h", over = 30 }
[[rule]]
id = "distinct-of-a-day"
on = ["transfer"]
distinct = { of = "counterparty", within = "calendar day", over = 30 }
[[rule]]
id = "distinct-of-a-month"
on = ["topup"]
distinct = { of = "device", within = "1 month", over = 3 }
[[rule]]
id = "new"
on = ["transfer"]
new = { of = "counterparty", within = "1h" }
[[rule]]
id = "change"
on = ["transfer"]
change = { of = "country", within = "1h" }
[[rule]]
id = "after"
on = ["payment"]
after = { of = ["transfer"], within = "1h" }
[[rule]]
id = "streak"
on = ["transfer"]
streak = { reset = ["login"], within = "1h", from = 30 }
[[rule]]
id = "by-merchant"
on = ["payment"]
count = { per = ["wallet", "merchant"], within = "24h", over = 1 }
[[rule]]
id = "by-address"
on = ["transfer"]
distinct = { of = "wallet", per = ["ip"], within = "1h", over = 3 }
[[rule]]
id = "by-receiver"
on = ["transfer"]
sum = { of = "amount", per = ["counterparty"], within = "1h", over = 15000 }
"#;

const SHOWN_IN_BURSTS: &[&str] = &[
    r#""late""#,
    r#""duplicate""#,
    r#""count""#,
    r#""count-shorter""#,
    r#""sum""#,
    r#""distinct""#,
    r#""distinct-of-a-day""#,
    r#""distinct-of-a-month""#,
    r#""new""#,
    r#""change""#,
    r#""after""#,
    r#""streak""#,
    r#""by-merchant""#,
    r#""by-address""#,
    r#""by-receiver""#,
];

/// Wallets that do a lot within half an hour of each day, and one that does something every minute of every day.
const BURSTING: i64 = 5;
const STEPS_OF_A_BURST: i64 = 120;
const STEADY: i64 = 1_440;

fn bursts(day: u64) -> Vec<String> {
    let morning = START + i64::try_from(day).expect("few") * DAY_MS;
    let mut records = Vec::new();
    for step in 0..STEADY {
        records.push(step_of(day, morning, BURSTING, step, step * 60_000));
        if step >= STEPS_OF_A_BURST {
            continue;
        }
        for wallet in 0..BURSTING {
            // Some come late, and some later than the lateness; the last of all after everything else has passed.
            let late = if step % 29 == 0 { 400_000 } else { i64::from(step % 7 == 0) * 200_000 };
            records.push(step_of(day, morning, wallet, step, step * 15_000 - late));
            if step % 10 == 0 {
                records.push(records[records.len() - 1].clone());
            }
        }
    }
    records
}

/// What a wallet does in a step of a day; receivers come again after some days.
fn step_of(day: u64, morning: i64, wallet: i64, step: i64, after: i64) -> String {
    let time = Timestamp(morning + after);
    let kind = ["transfer", "transfer", "transfer", "payment", "transfer", "transfer", "transfer", "topup"];
    let kind = match step % 40 {
        39 => "login",
        _ => kind[usize::try_from(step % 8).expect("not negative")],
    };
    let receiver = i64::try_from(day % 5).expect("few") * 7 + step % 41;
    let country = if step % 30 == 0 { "TR" } else { "KZ" };
    let (shop, device) = (step / 2 % 31, step % 5);
    format!(
        r#"{{"id":"{day:03}-{wallet}-{step:04}","type":"{kind}","time":"{time}","wallet":"7701{wallet}","amount":"1500.5","counterparty":"7702{receiver}","merchant":"shop-{shop}","ip":"10.9.0.1","device":"d-{device}","country":"{country}"}}"#
    )
}

#[track_caller]
fn takes_nothing(Stage { name, allocations, first }: &Stage) {
    assert_eq!(*allocations, 0, "{name} took memory, first on {first:?}");
}

#[test]
fn a_warm_day_takes_nothing() {
    for stage in &warm_day(packs("rules/typologies.toml"), DAYS_TO_WARM_UP, records, SHOWN) {
        takes_nothing(stage);
    }
}

#[test]
fn a_warm_day_of_bursts_takes_nothing() {
    for stage in &warm_day(load_text(BURSTS), BURSTS_TO_WARM_UP, bursts, SHOWN_IN_BURSTS) {
        takes_nothing(stage);
    }
}

/// Rows of CSV, of which some cells are quoted, joined, translated or of other words: each is an event without JSON between.
#[test]
fn a_mapped_row_takes_nothing() {
    let mapping = "format = \"csv\"\n[fields]\nid = { fields = [\"id\", \"kind\"], join = \"-\" }\n\
                   type = { field = \"kind\", values = { SEND = \"transfer\" } }\n\
                   time = { field = \"hour\", unit = \"hour\", start = \"2026-01-01T00:00:00+05:00\" }\n\
                   wallet = { field = \"from\" }\ncounterparty = { field = \"to\" }\namount = { field = \"sum\" }\n\
                   attributes.note = { field = \"note\", default = \"none\" }\n\
                   attributes.parts = { field = \"parts\", type = \"number\" }\n";
    let mapping = mapping::load(mapping, "map.toml").unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
    let packs = packs("rules/onevision.toml");
    let mut records = Records::new(mapping.framing(), limits::RECORD_BYTES, limits::READ_BYTES);
    let (mut mapper, mut decoder) = (Mapper::new(Arc::new(mapping)), Decoder::default());
    let mut text = "id,kind,hour,from,to,sum,note,parts\n".to_owned();
    for number in 0..200 {
        let note = ["", "rent", "\"a \"\"b\"\", c\""][number % 3];
        text.push_str(&format!("{number},SEND,{number},7701,\"7702\",{number}.5,{note},-{number}.25\n"));
    }
    records.fill(&mut text.as_bytes()).expect("a slice can be read");
    let (mut rows, mut stage) = (0, Stage::new("map"));
    while let Some(record) = records.take() {
        let count = |decoded: &Decoded<'_, '_>| decoded.event().attributes.iter().count();
        let mut map = || match mapper.map_as(0, &record, &mut decoder, (&packs.types, packs.currency), count) {
            Ok(Mapped::Event(attributes)) => attributes,
            Ok(Mapped::Header) => 0,
            other => panic!("{other:?}"),
        };
        // The first rows make room.
        if rows < 6 {
            map();
        } else {
            stage.run(&String::from_utf8_lossy(record.bytes), || assert_eq!(black_box(map()), 2));
        }
        rows += 1;
    }
    assert_eq!(rows, 201);
    takes_nothing(&stage);
}
