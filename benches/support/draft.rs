//! One event before it is written: what streams are made of.
//!
//! A record is about 216 bytes of NDJSON with the fields that a wallet's gateway sends. Everything about an event
//! follows from the numbers drawn for it, so that a stream is the same on every machine.

use kuzet::{random::Random, time::Timestamp};

/// An event type, in the shares of [`Draft::random`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Transfer,
    Payment,
    Login,
    Topup,
    IdentityConfirmed,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Transfer => "transfer",
            Kind::Payment => "payment",
            Kind::Login => "login",
            Kind::Topup => "topup",
            Kind::IdentityConfirmed => "identity_confirmed",
        }
    }
}

/// One event.
#[derive(Clone, Debug)]
pub struct Draft {
    pub time: Timestamp,
    pub wallet: u64,
    pub kind: Kind,
    /// In tiyn.
    pub amount: u64,
    /// The other wallet, or the merchant.
    pub other: u64,
    pub country: &'static str,
    pub anonymous: bool,
    pub device: u64,
}

/// Sums that people like, in tenge.
const ROUND: [u64; 10] = [500, 1_000, 2_000, 3_000, 5_000, 10_000, 15_000, 20_000, 25_000, 50_000];
/// Where an event comes from when it is not from home.
pub const ABROAD: [&str; 4] = ["RU", "KG", "TR", "AE"];
/// The offset in which events are written.
const ALMATY_MS: i64 = 5 * 60 * 60 * 1_000;

impl Draft {
    /// An ordinary event: most are transfers, few are from abroad or through a proxy, one transfer in 35 is large.
    pub fn random(random: &mut Random, wallet: u64, time: Timestamp) -> Draft {
        let kind = match random.below(100) {
            0..68 => Kind::Transfer,
            68..86 => Kind::Payment,
            86..96 => Kind::Login,
            96..98 => Kind::Topup,
            _ => Kind::IdentityConfirmed,
        };
        let round = random.below(10) < 6;
        let amount = if round { ROUND[random.place(ROUND.len())] * 100 } else { octaves(random, 13, 24) };
        let abroad = random.below(500) == 0;
        Draft {
            time,
            wallet,
            kind,
            amount,
            other: random.below(1_000_000),
            country: if abroad { ABROAD[random.place(ABROAD.len())] } else { "KZ" },
            anonymous: random.below(200) == 0,
            device: wallet.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24,
        }
    }

    /// Appends the event as one JSON object, without a line end.
    pub fn write(&self, id: u64, out: &mut Vec<u8>) {
        use std::io::Write;
        let Draft { wallet, amount, other, country, anonymous, device, .. } = self;
        let mut put = |text: std::fmt::Arguments<'_>| out.write_fmt(text).expect("a Vec takes every byte");
        put(format_args!(r#"{{"id":"e-{id:010}","type":"{}","time":""#, self.kind.name()));
        put(format_args!("{}", Local(self.time)));
        put(format_args!(r#"","wallet":"7{:010}""#, 7_010_000_000 + wallet));
        if !matches!(self.kind, Kind::Login | Kind::IdentityConfirmed) {
            put(format_args!(r#","amount":"{}"#, amount / 100));
            if amount % 100 > 0 {
                put(format_args!(".{:02}", amount % 100));
            }
            put(format_args!("\""));
        }
        match self.kind {
            Kind::Transfer => put(format_args!(r#","counterparty":"7{:010}""#, 7_010_000_000 + other)),
            Kind::Payment => put(format_args!(r#","merchant":"shop-{:05}""#, other % 20_000)),
            _ => {}
        }
        let [.., a, b, c] = device.to_be_bytes();
        put(format_args!(r#","ip":"10.{a}.{b}.{c}","country":"{country}","anonymous":{anonymous}"#));
        put(format_args!(r#","device":"{device:010x}"}}"#));
    }
}

/// Spread evenly over octaves from 2^`from` to 2^`to`, and evenly within each: about one over x, in integers.
pub fn octaves(random: &mut Random, from: u32, to: u32) -> u64 {
    let octave = from + u32::try_from(random.below(u64::from(to - from))).expect("below 64");
    (1 << octave) + random.below(1 << octave)
}

/// A time as the wallet's gateway in Almaty writes it.
struct Local(Timestamp);

impl std::fmt::Display for Local {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shifted = Timestamp(self.0.0 + ALMATY_MS).to_string();
        write!(out, "{}+05:00", shifted.strip_suffix('Z').expect("times are written in UTC"))
    }
}
