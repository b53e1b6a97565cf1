//! Everyday traffic that no rule of `onevision.toml` or `typologies.toml` has anything to say about.
//!
//! Quiet by construction, not by luck, so that whatever is flagged is either planted or a bug: a wallet has one device
//! and addresses of one country, at most eight counterparties who have at most eight senders each, a day's money and
//! a day's operations are capped, each pair of counterparty and sum comes round at most four times a month, and a
//! failed login is always followed by one that works. The caps cost one small record a wallet.

use super::{Random, Record, Zone};
use crate::{event::ClientStatus, number::Amount, time::Timestamp};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Fewest wallets: the counterparties of one must be different wallets.
pub const WALLETS_MIN: u64 = 16;
/// Most wallets: each has an address of its own in the lower half of 10.0.0.0/8.
pub const WALLETS_MAX: u64 = 1 << 22;

/// Regular counterparties of a wallet. Over ten in a day would be a fan-out.
const COUNTERPARTIES: u64 = 8;
/// Operations of a wallet in a day. With 24 sums that all differ, no two transfers of an hour are equal, and 31 days see
/// each of the 192 pairs of sum and counterparty at most four times; from the sixth on it would be a pattern.
const OPERATIONS_A_DAY: u8 = 24;
/// Tiyn in a tenge.
const TIYN: i64 = 100;
/// Money out of a wallet in a day, in tiyn: under 100 MCI on every date since 2018.
const SPENT_A_DAY: i64 = 240_000 * TIYN;
/// The same of a client who is not identified: under 3 MCI of 2026.
const SPENT_A_DAY_UNIDENTIFIED: i64 = 12_000 * TIYN;

/// Sums that people send each other, in tenge; one for each operation that a day can have.
const SUMS: [i64; 24] = [
    5_000, 10_000, 2_000, 1_000, 20_000, 3_000, 15_000, 500, 30_000, 7_000, 50_000, 2_500, 25_000, 4_000, 1_500, 8_000,
    40_000, 6_000, 12_000, 200, 35_000, 700, 60_000, 9_000,
];
const _: () = assert!(SUMS.len() == OPERATIONS_A_DAY as usize);

const MERCHANTS: [(u64, &str); 16] = [
    (20, "bus-almaty"),
    (14, "beeline"),
    (12, "kcell"),
    (10, "alseco-utilities"),
    (8, "magnum"),
    (8, "small"),
    (6, "yandex-go"),
    (5, "kaspi-shop"),
    (4, "kazakhtelecom"),
    (3, "chocofood"),
    (3, "ticketon"),
    (2, "air-astana"),
    (2, "technodom"),
    (1, "sulpak"),
    (1, "marwin"),
    (1, "kinopark"),
];

const CHANNELS: [(u64, &str); 3] = [(75, "app"), (15, "web"), (10, "terminal")];

/// Activity by the hour of the local day: people sleep, pay at lunch and after work.
const HOURS: [u64; 24] = [6, 3, 2, 1, 1, 2, 6, 16, 30, 42, 48, 52, 60, 56, 50, 48, 50, 56, 64, 70, 66, 52, 32, 15];

const TYPES: [(u64, &str); 9] = [
    (420, "payment"),
    (270, "transfer"),
    (170, "login"),
    (100, "topup"),
    (20, "redemption"),
    (12, "login_failed"),
    (4, "operator_debit"),
    (2, "secret_answer_failed"),
    (2, "status_changed"),
];

const OPERATIONS: [&str; 4] = ["payment", "transfer", "topup", "redemption"];

/// What is fixed about a wallet; worked out from its number each time, so that it costs no memory.
struct Profile {
    status: ClientStatus,
    country: &'static str,
    /// Whether its producer states the country; if not, the address may tell.
    states_country: bool,
    home: IpAddr,
    device: u64,
}

/// What has to be remembered of a wallet to keep it quiet.
#[derive(Clone, Default)]
struct Day {
    date: i32,
    operations: u8,
    /// Its status has been stated, so that the engine knows it.
    known: bool,
    /// A password or secret answer has failed: the next event is a login.
    failed: bool,
    transfers: u32,
    spent: i64,
}

/// The traffic of all wallets in the order of time.
pub struct Background<'a> {
    seed: u64,
    zone: &'a Zone,
    random: Random,
    wallets: Vec<Day>,
    written: u64,
}

impl<'a> Background<'a> {
    pub fn new(seed: u64, zone: &'a Zone, wallets: u64) -> Background<'a> {
        let wallets = usize::try_from(wallets).expect("wallets are bounded by WALLETS_MAX");
        Background {
            seed,
            zone,
            random: Random::of(seed, u64::MAX),
            wallets: vec![Day::default(); wallets],
            written: 0,
        }
    }

    /// The next event of anybody, at `time`, which never goes back.
    pub fn event(&mut self, time: i64) -> Record {
        let date = i32::try_from(self.zone.date(Timestamp(time))).expect("dates fit 32 bits");
        let wallet = self.pick(date);
        let kind = self.kind(wallet);
        let profile = self.profile(wallet);
        self.written += 1;
        let mut record = Record::new(format!("e-{}", self.written), kind, time, name(wallet));
        match kind {
            "transfer" => self.transfer(wallet, &mut record),
            "payment" | "topup" | "redemption" | "operator_debit" => self.pay(&mut record),
            _ => {}
        }
        self.keep_within_the_day(wallet, &profile, &mut record);
        self.describe(wallet, &profile, &mut record);
        record
    }

    /// Some wallets are far busier than others: for three events in ten every doubling of the rank is as likely as the
    /// one before, which is Zipf's law in whole numbers. A wallet that has had its day is passed over.
    fn pick(&mut self, date: i32) -> usize {
        let mut wallet = 0;
        for _ in 0..4 {
            wallet = if self.random.chance(3, 10) { self.pick_busy() } else { self.random.place(self.wallets.len()) };
            if self.wallets[wallet].date != date {
                let Day { known, failed, transfers, .. } = self.wallets[wallet];
                self.wallets[wallet] = Day { date, known, failed, transfers, ..Day::default() };
            }
            if self.wallets[wallet].operations < OPERATIONS_A_DAY {
                break;
            }
        }
        wallet
    }

    fn pick_busy(&mut self) -> usize {
        let doublings = self.wallets.len().ilog2();
        let first = doublings.min(4);
        let level =
            first + u32::try_from(self.random.below(u64::from(doublings - first) + 1)).expect("a few doublings");
        let (from, to) = (1_usize << level, (1_usize << (level + 1)).min(self.wallets.len() + 1));
        let from = if level == first { 1 } else { from };
        from + self.random.place(to - from) - 1
    }

    fn kind(&mut self, wallet: usize) -> &'static str {
        let kind = self.random.weighted(&TYPES);
        let day = &mut self.wallets[wallet];
        if day.failed || (day.operations >= OPERATIONS_A_DAY && OPERATIONS.contains(&kind)) {
            day.failed = false;
            return "login";
        }
        day.failed = matches!(kind, "login_failed" | "secret_answer_failed");
        kind
    }

    /// The sums and the counterparties go round in step, so that a pair comes again only after all 192 of them.
    fn transfer(&mut self, wallet: usize, record: &mut Record) {
        let count = u64::from(self.wallets[wallet].transfers);
        self.wallets[wallet].transfers += 1;
        let sums = u64::from(OPERATIONS_A_DAY);
        let slot = (count + count / sums) % COUNTERPARTIES;
        record.counterparty = Some(name(self.counterparty(wallet, slot)));
        let sum = SUMS[usize::try_from(count % sums).expect("there are 24 sums")];
        // One in four is an odd sum with tiyn, which as good as never comes again.
        record.amount = Some(Amount(if self.random.chance(1, 4) {
            sum * TIYN - self.random.below_signed(sum * 40) - 1
        } else {
            sum * TIYN
        }));
        if self.random.chance(1, 3) {
            record.attributes.push(("counterparty_status", "identified".to_owned()));
        }
    }

    /// Everybody is the counterparty of exactly eight others: those who stand the same eight steps before.
    fn counterparty(&self, wallet: usize, slot: u64) -> usize {
        let slot = usize::try_from(slot).expect("there are 8 slots");
        (wallet + 1 + slot * (self.wallets.len() - 1) / 8) % self.wallets.len()
    }

    fn pay(&mut self, record: &mut Record) {
        let (least, most): (i64, i64) =
            self.random.weighted(&[(30, (80, 500)), (40, (500, 5_000)), (25, (5_000, 20_000)), (5, (20_000, 60_000))]);
        let tiyn = least * TIYN + self.random.below_signed((most - least) * TIYN);
        let step = self.random.weighted(&[(1, 1), (2, 100), (3, 5_000), (3, 50_000)]);
        record.amount = Some(Amount((tiyn / step * step).max(80 * TIYN)));
        match record.kind {
            "payment" => record.merchant = Some(self.random.weighted(&MERCHANTS)),
            "topup" => record.method = Some(self.random.weighted(&[(6, "card"), (3, "terminal"), (1, "bank")])),
            "redemption" => record.method = Some("card"),
            _ => {}
        }
    }

    /// Counts an operation; one that would take its wallet over a day's money becomes a login.
    fn keep_within_the_day(&mut self, wallet: usize, profile: &Profile, record: &mut Record) {
        let Some(Amount(stated)) = record.amount else { return };
        let identified = profile.status == ClientStatus::Identified;
        let (amount, most) =
            if identified { (stated, SPENT_A_DAY) } else { ((stated / 10).max(1), SPENT_A_DAY_UNIDENTIFIED) };
        record.amount = Some(Amount(amount));
        if record.kind == "operator_debit" {
            return;
        }
        let day = &mut self.wallets[wallet];
        let spent = if record.kind == "topup" { 0 } else { amount };
        if day.spent + spent > most || amount > most {
            let Record { id, time, wallet, .. } = record.clone();
            *record = Record::new(id, "login", time, wallet);
            return;
        }
        day.operations += 1;
        day.spent += spent;
        if spent > 0 && self.random.chance(3, 10) {
            record.balance = Some(Amount(amount + self.random.below_signed(500_000 * TIYN)));
        }
    }

    /// Who, from where, with what.
    fn describe(&mut self, wallet: usize, profile: &Profile, record: &mut Record) {
        if record.kind == "operator_debit" {
            return;
        }
        let day = &mut self.wallets[wallet];
        if !day.known || record.kind == "status_changed" || self.random.chance(1, 2) {
            record.client_status = Some(profile.status);
            day.known = true;
        }
        if record.kind == "status_changed" {
            return;
        }
        record.ip = Some(profile.home);
        // Mobile operators put many clients behind one address; passwords fail at home, where nobody shares it.
        if self.random.chance(3, 10) && !record.kind.ends_with("_failed") && profile.country == "KZ" {
            let carrier = u32::try_from(self.random.below(4_096)).expect("below 4,096");
            record.ip = Some(IpAddr::V4(Ipv4Addr::from(u32::from(Ipv4Addr::new(100, 64, 0, 0)) + carrier)));
        }
        record.country = profile.states_country.then_some(profile.country);
        record.device = Some(format!("d-{:08x}", profile.device & 0xffff_ffff));
        record.channel = Some(self.random.weighted(&CHANNELS));
        if self.random.chance(1, 50) {
            record.anonymous = Some(false);
        }
    }

    fn profile(&self, wallet: usize) -> Profile {
        let number = u64::try_from(wallet).expect("wallets fit 64 bits");
        let mut random = Random::of(self.seed, number);
        let country = random.weighted(&[(94, "KZ"), (3, "RU"), (2, "KG"), (1, "UZ")]);
        let low = u32::try_from(wallet).expect("wallets are bounded by WALLETS_MAX");
        // The networks of `fixtures/geo/country.mmdb`; nothing of 10.0.0.0/8 is in any GeoIP file.
        let network = match country {
            "KZ" if random.chance(1, 3) => Some(1),
            "RU" => Some(2),
            _ => None,
        };
        let home = match network {
            Some(network) => {
                let network = (0x2001_0db8_0000_u128 + network) << 80;
                IpAddr::V6(Ipv6Addr::from(network + (u128::from(low) << 16) + 1))
            }
            None => IpAddr::V4(Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + low)),
        };
        Profile {
            status: random.weighted(&[(9, ClientStatus::Identified), (1, ClientStatus::Unidentified)]),
            country,
            states_country: random.chance(3, 4),
            home,
            device: random.draw(),
        }
    }
}

fn name(wallet: usize) -> String {
    format!("7701{wallet:07}")
}

/// The times of `count` events between two instants, in order: busy hours get more of them, and within an hour each
/// has a stretch of its own, so that nothing has to be sorted.
pub struct Times {
    hours: Vec<(i64, u64)>,
    weight: u64,
    count: u64,
    place: usize,
    before: u64,
    given: u64,
}

const HOUR: i64 = 60 * 60 * 1_000;

impl Times {
    /// `hours` whole hours from `start` on.
    pub fn new(zone: &Zone, start: i64, hours: i64, count: u64) -> Times {
        let mut weight = 0;
        let mut starts = Vec::new();
        for hour in 0..hours {
            let time = start + hour * HOUR;
            let date = zone.date(Timestamp(time));
            let of_day = usize::try_from((time - zone.midnight(date).0) / HOUR).expect("a day begins at its midnight");
            // Quieter on Saturdays and Sundays; 1970-01-01 was a Thursday.
            let week_end = matches!((date + 3).rem_euclid(7), 5 | 6);
            weight += HOURS[of_day.min(23)] * if week_end { 8 } else { 10 };
            starts.push((time, weight));
        }
        Times { hours: starts, weight, count, place: 0, before: 0, given: 0 }
    }

    /// Events that have come by the end of the hour at `place`.
    fn by_the_end_of(&self, place: usize) -> u64 {
        let share = u128::from(self.count) * u128::from(self.hours[place].1) / u128::from(self.weight);
        u64::try_from(share).expect("a share of a 64-bit count")
    }

    pub fn next(&mut self, random: &mut Random) -> Option<i64> {
        if self.given == self.count {
            return None;
        }
        while self.by_the_end_of(self.place) <= self.given {
            self.before = self.by_the_end_of(self.place);
            self.place += 1;
        }
        let in_hour = self.by_the_end_of(self.place) - self.before;
        let nth = self.given - self.before;
        self.given += 1;
        let hour = u64::try_from(HOUR).expect("an hour is positive");
        let position = u128::from(nth * hour + random.below(hour)) / u128::from(in_hour);
        Some(self.hours[self.place].0 + i64::try_from(position).expect("within the hour"))
    }
}
