//! The hand that writes one planted instance: a few verbs over a list of events.

use super::{DAY, Record, WALLETS_EACH, Zone};
use crate::{
    event::ClientStatus,
    number::Amount,
    time::{Timestamp, date_number},
};
use jiff::civil::date;
use std::net::{IpAddr, Ipv4Addr};

/// The worth of one MCI in tenge, from each date on; the annex of the spec.
const MCI: [(i16, i8, i8, i64); 10] = [
    (2018, 1, 1, 2405),
    (2019, 1, 1, 2525),
    (2020, 1, 1, 2651),
    (2020, 4, 1, 2778),
    (2021, 1, 1, 2917),
    (2022, 1, 1, 3063),
    (2023, 1, 1, 3450),
    (2024, 1, 1, 3692),
    (2025, 1, 1, 3932),
    (2026, 1, 1, 4325),
];

/// Addresses by country and kind, of networks in `fixtures/geo/`.
pub const KAZAKH: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
pub const RUSSIAN: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
pub const ANONYMOUS: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 70));

/// One instance while it is written. Times are in seconds after its beginning, negative for what lies in the past.
pub struct Script {
    number: u64,
    begin: i64,
    mci: i64,
    midnight: i64,
    pub records: Vec<Record>,
    pub fires: Option<usize>,
    pub clear: Option<usize>,
    pub exclusive: Option<(i64, i64)>,
}

impl Script {
    pub fn new(number: u64, begin: i64, zone: &Zone) -> Script {
        let today = zone.date(Timestamp(begin));
        let worth = MCI.iter().rev().find(|(year, month, day, _)| date_number(date(*year, *month, *day)) <= today);
        Script {
            number,
            begin,
            mci: worth.unwrap_or(&MCI[0]).3,
            midnight: zone.midnight(today + 1).0,
            records: Vec::new(),
            fires: None,
            clear: None,
            exclusive: None,
        }
    }

    /// The name of the instance's wallet `place`; 0 is the client's, the rest are other people's.
    pub fn wallet(&self, place: u64) -> String {
        assert!(place < WALLETS_EACH, "an instance has {WALLETS_EACH} wallets");
        format!("7709{:07}", self.number * WALLETS_EACH + place)
    }

    /// The name of a counterparty that is nobody else's.
    pub fn receiver(&self, place: u64) -> String {
        assert!(place < WALLETS_EACH, "an instance has {WALLETS_EACH} counterparties");
        format!("7708{:07}", self.number * WALLETS_EACH + place)
    }

    /// An address that is nobody else's.
    pub fn address(&self) -> IpAddr {
        let number = u32::try_from(self.number).expect("instances are bounded");
        IpAddr::V4(Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 128, 0, 0)) + number))
    }

    /// That many MCI, and some tiyn.
    pub fn mci(&self, count: i64, tiyn: i64) -> Amount {
        Amount(count * self.mci * 100 + tiyn)
    }

    /// Seconds from the beginning to the next local midnight.
    pub fn to_midnight(&self) -> i64 {
        (self.midnight - self.begin) / 1_000
    }

    /// A local date, that many days after the beginning's.
    pub fn local_date(&self, days: i64) -> String {
        // Noon in Almaty lies on the same date in UTC.
        let noon = Timestamp(self.midnight - DAY / 2 + days * DAY);
        noon.to_string()[..10].to_owned()
    }

    /// An event about the client that says nothing of the client: the operator's, or a producer's of few words.
    pub fn signal(&mut self, seconds: i64, kind: &'static str) -> &mut Record {
        let id = format!("p-{}-{}", self.number, self.records.len() + 1);
        let record = Record::new(id, kind, self.begin + seconds * 1_000, self.wallet(0));
        self.records.push(record);
        self.records.last_mut().expect("it was just pushed")
    }

    /// An event of the client, at home, with the usual device.
    pub fn event(&mut self, seconds: i64, kind: &'static str) -> &mut Record {
        let (address, device) = (self.address(), self.device(0));
        let record = self.signal(seconds, kind);
        record.ip = Some(address);
        record.country = Some("KZ");
        record.client_status = Some(ClientStatus::Identified);
        record.device = Some(device);
        record.channel = Some("app");
        record
    }

    /// The device of wallet `place`.
    pub fn device(&self, place: u64) -> String {
        format!("p-{}-{place}", self.number)
    }

    /// The same of somebody else with the same address.
    pub fn event_of(&mut self, wallet: u64, seconds: i64, kind: &'static str) -> &mut Record {
        let (name, device) = (self.wallet(wallet), self.device(wallet));
        let record = self.event(seconds, kind);
        record.wallet = name;
        record.device = Some(device);
        record
    }

    pub fn operation(&mut self, seconds: i64, kind: &'static str, amount: Amount) -> &mut Record {
        let receiver = self.receiver(0);
        let record = self.event(seconds, kind);
        record.amount = Some(amount);
        match kind {
            "transfer" => record.counterparty = Some(receiver),
            "payment" => record.merchant = Some("technodom"),
            "redemption" => record.method = Some("card"),
            _ => {}
        }
        record
    }

    pub fn payment(&mut self, seconds: i64, amount: Amount) -> &mut Record {
        self.operation(seconds, "payment", amount)
    }

    pub fn transfer(&mut self, seconds: i64, amount: Amount, receiver: u64) -> &mut Record {
        let receiver = self.receiver(receiver);
        let record = self.operation(seconds, "transfer", amount);
        record.counterparty = Some(receiver);
        record
    }

    /// A transfer of somebody else to this instance's receiver 0.
    pub fn transfer_of(&mut self, wallet: u64, seconds: i64) -> &mut Record {
        let receiver = self.receiver(0);
        let record = self.event_of(wallet, seconds, "transfer");
        record.amount = Some(tenge(4_000));
        record.counterparty = Some(receiver);
        record
    }

    /// The event just written is the one at which it fires.
    pub fn fires(&mut self) {
        self.fires = self.records.len().checked_sub(1);
    }

    /// The event just written is free of the restriction again.
    pub fn is_clear(&mut self) {
        self.clear = self.records.len().checked_sub(1);
    }

    /// Moves the event just written off its whole second.
    pub fn later(&mut self, millis: i64) {
        if let Some(record) = self.records.last_mut() {
            record.time += millis;
        }
    }

    /// From the first event to the last nobody else's may happen.
    pub fn exclude_others(&mut self) {
        if let (Some(first), Some(last)) = (self.records.first(), self.records.last()) {
            self.exclusive = Some((first.time, last.time));
        }
    }
}

/// That many tenge.
pub const fn tenge(tenge: i64) -> Amount {
    Amount(tenge * 100)
}

/// That many tenge and one tiyn: just over a limit.
pub const fn just_over(tenge: i64) -> Amount {
    Amount(tenge * 100 + 1)
}
