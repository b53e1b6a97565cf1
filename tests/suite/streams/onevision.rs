//! A stream for the shipped pack `rules/onevision.toml`: scenes that bring each of its rules over its limit and each
//! of its restrictions on and off again, with ordinary operations, late events and repeats between them.

use super::records::{Draft, Wording, instant};
use super::{DAY, HOUR, MINUTE, Random, SECOND};

const WALLETS: &[&str] = &["77010000001", "77010000002", "77010000003", "77010000004", "77010000005"];
const ADDRESSES: &[&str] = &["10.0.0.1", "::ffff:10.0.0.1", "10.0.0.2", "2001:db8::1"];
const OUTGOING: &[&str] = &["transfer", "payment", "redemption"];
const OPERATIONS: &[&str] = &["transfer", "payment", "redemption", "topup"];

/// What imposes a restriction, and everything that lifts or cancels it.
const SIGNALS: &[(&str, &[&str])] = &[
    ("block_requested", &["unblock_requested"]),
    ("access_disputed", &["completion_ordered", "cancellation_ordered"]),
    ("access_disputed", &["cancellation_ordered"]),
    ("redemption_data_wrong", &["identity_confirmed", "unblock_ordered"]),
    ("suspicion_confirmed", &["ownership_confirmed", "identity_confirmed", "unblock_ordered"]),
    ("fraud_reported", &["unblock_ordered"]),
    ("investigation_opened", &["facts_established"]),
    ("documents_refused", &["ownership_confirmed", "unblock_ordered"]),
    ("issuer_notice", &["unblock_ordered"]),
    ("complaint_received", &["explanation_accepted", "unblock_ordered"]),
    ("misuse_found", &["explanation_accepted"]),
    ("arrest_ordered", &["arrest_lifted"]),
    ("block_ordered", &["unblock_ordered"]),
    ("suspension_ordered", &["suspension_lifted"]),
];

/// What lifts what the rules impose.
const PROOFS: &[&str] = &[
    "contact_confirmed",
    "identity_confirmed",
    "identity_confirmed",
    "monitoring_pin_confirmed",
    "secret_answer_confirmed",
    "pin_confirmed",
    "ip_unblocked",
    "unblock_ordered",
    "arrest_lifted",
    "facts_established",
];

/// `count` records of the types of `rules/onevision.toml`.
pub fn default_stream(seed: u64, count: usize) -> Vec<Vec<u8>> {
    let mut play = Play {
        random: Random::new(seed.wrapping_mul(101).wrapping_add(17)),
        clock: instant("2025-12-30T09:00:00Z"),
        drafts: Vec::new(),
    };
    while play.drafts.len() < count {
        play.scene();
    }
    play.drafts.truncate(count);
    let Play { mut random, drafts, .. } = play;
    drafts.iter().map(|draft| draft.print(Wording::random(&mut random))).collect()
}

struct Play {
    random: Random,
    clock: i64,
    drafts: Vec<Draft>,
}

impl Play {
    fn scene(&mut self) {
        let wallet = self.random.pick(WALLETS);
        match self.random.below(18) {
            0 | 1 => self.ordinary(wallet),
            2 => self.operation(wallet, "transfer", &["100000.01", "100000", "150000.5"]),
            3 => self.equal_transfers(wallet),
            4 => self.anonymous(wallet),
            5 => self.journey(wallet),
            6 => self.expensive_day(wallet),
            7 => self.failures(wallet, "login_failed", 7, &["login"]),
            8 => self.failures(
                wallet,
                "secret_answer_failed",
                4,
                &["login", "secret_answer_confirmed", "identity_confirmed"],
            ),
            9 | 10 => self.signal(wallet),
            11 => self.limits(wallet),
            12 => self.proof(wallet),
            13 => self.unregistered(wallet),
            14 => self.repeat(),
            15 => self.late(wallet),
            16 if self.random.chance(10) => self.crowd(wallet),
            _ => self.pause(),
        }
        // Without somebody who clears things up, every wallet would soon be blocked for good.
        if self.random.chance(45) {
            self.proof(wallet);
        }
    }

    fn pass(&mut self, longest: i64) {
        self.clock += self.random.time_below(longest);
    }

    fn draft(&mut self, wallet: &str, kind: &str) -> Draft {
        let id = format!("v{}", self.drafts.len());
        let draft = Draft::new(id, kind, self.clock, wallet);
        match kind {
            "ip_unblocked" => draft.with_text("ip", self.random.pick(ADDRESSES)),
            "status_changed" => draft.with(
                "client_status",
                self.random.pick(&["\"unregistered\"", "\"unidentified\"", "\"identified\"", "\"identified\""]),
            ),
            _ => draft,
        }
    }

    fn event(&mut self, wallet: &str, kind: &str) {
        let draft = self.draft(wallet, kind);
        self.drafts.push(draft);
    }

    fn priced(&mut self, wallet: &str, kind: &str, amount: &str) -> Draft {
        let draft = self.draft(wallet, kind).with_text("amount", amount);
        let other = self.random.pick(WALLETS);
        if kind == "transfer" { draft.with_text("counterparty", other) } else { draft }
    }

    fn operation(&mut self, wallet: &str, kind: &str, amounts: &[&'static str]) {
        self.pass(10 * MINUTE);
        let amount = self.random.pick(amounts);
        let draft = self.priced(wallet, kind, amount);
        self.drafts.push(draft);
    }

    fn ordinary(&mut self, wallet: &str) {
        for _ in 0..1 + self.random.below(5) {
            let kind = self.random.pick(&[
                "transfer",
                "payment",
                "topup",
                "redemption",
                "login",
                "operator_debit",
                "status_changed",
                "time_passed",
            ]);
            self.pass(20 * MINUTE);
            if matches!(kind, "login" | "status_changed" | "time_passed") {
                self.event(wallet, kind);
            } else {
                self.operation(wallet, kind, &["500", "1200.50", "9000", "25000"]);
            }
        }
    }

    fn equal_transfers(&mut self, wallet: &str) {
        for _ in 0..13 {
            let longest = self.random.pick(&[5, 5, 5, 5, 10]) * MINUTE;
            self.pass(longest);
            let draft = self.priced(wallet, "transfer", "777");
            self.drafts.push(draft);
        }
    }

    fn anonymous(&mut self, wallet: &str) {
        self.pass(HOUR);
        let kind = self.random.pick(&["login", "transfer", "payment", "topup", "redemption"]);
        let draft = if kind == "login" { self.draft(wallet, kind) } else { self.priced(wallet, kind, "100") };
        self.drafts.push(draft.with("anonymous", "true"));
    }

    fn journey(&mut self, wallet: &str) {
        for _ in 0..3 {
            self.pass(90 * MINUTE);
            let country = self.random.pick(&["KZ", "RU", "DE"]);
            let kind = self.random.pick(&["login", "payment"]);
            let draft = if kind == "login" { self.draft(wallet, kind) } else { self.priced(wallet, kind, "100") };
            self.drafts.push(draft.with_text("country", country));
        }
        if self.random.chance(70) {
            self.event(wallet, "secret_answer_confirmed");
        }
    }

    fn expensive_day(&mut self, wallet: &str) {
        for _ in 0..4 {
            let kind = self.random.pick(OUTGOING);
            self.operation(wallet, kind, &["99000", "100000", "232500", "200000.01"]);
        }
        if self.random.chance(70) {
            self.event(wallet, "contact_confirmed");
            self.event(wallet, "pin_confirmed");
            self.operation(wallet, "payment", &["99000"]);
        }
    }

    fn failures(&mut self, wallet: &str, kind: &str, longest: usize, ends: &[&'static str]) {
        let address = self.random.pick(ADDRESSES);
        for _ in 0..1 + self.random.below(longest) {
            let longest = if self.random.chance(95) { 10 * MINUTE } else { 25 * HOUR };
            self.pass(longest);
            let draft = self.draft(wallet, kind).with_text("ip", address);
            self.drafts.push(draft);
        }
        if self.random.chance(50) {
            let end = self.random.pick(ends);
            let draft = self.draft(wallet, end).with_text("ip", address);
            self.drafts.push(draft);
        }
    }

    fn signal(&mut self, wallet: &str) {
        let (imposing, lifting) = self.random.pick(SIGNALS);
        self.event(wallet, imposing);
        for _ in 0..self.random.below(4) {
            let kind = self.random.pick(OPERATIONS);
            let sender = self.random.pick(&[wallet, WALLETS[0]]);
            self.pass(HOUR);
            let draft = self.priced(sender, kind, "300");
            self.drafts.push(if kind == "transfer" && sender != wallet {
                draft.with_text("counterparty", wallet)
            } else {
                draft
            });
        }
        // What stops everyone is always lifted, or nothing else would be seen.
        if self.random.chance(92) || imposing == "suspension_ordered" {
            let lift = self.random.pick(lifting);
            self.event(wallet, lift);
        }
    }

    fn limits(&mut self, wallet: &str) {
        let draft = self.draft(wallet, "status_changed");
        self.drafts.push(draft);
        let kind = self.random.pick(OPERATIONS);
        self.operation(wallet, kind, &["432500", "432500.01", "2162500", "2162500.01", "393200.01", "1966000.01"]);
        self.pass(MINUTE);
        let draft =
            self.priced(wallet, "payment", "5000").with_text("balance", self.random.pick(&["4999.99", "5000", "-1"]));
        self.drafts.push(draft);
    }

    fn unregistered(&mut self, wallet: &str) {
        let status = self.random.pick(&["unregistered", "unidentified"]);
        let draft = self.priced(wallet, "transfer", "100").with_text("client_status", "unregistered");
        self.drafts.push(draft.with("attributes", &format!("{{\"counterparty_status\":\"{status}\"}}")));
    }

    fn proof(&mut self, wallet: &str) {
        self.pass(10 * MINUTE);
        let proof = self.random.pick(PROOFS);
        self.event(wallet, proof);
    }

    fn repeat(&mut self) {
        let last = self.drafts.len();
        if last > 0 {
            let again = self.drafts[last - 1 - self.random.below(last.min(12))].clone();
            self.drafts.push(again);
        }
    }

    fn late(&mut self, wallet: &str) {
        let now = self.clock;
        self.clock -= self.random.pick(&[MINUTE, 5 * MINUTE, HOUR, HOUR + 5 * MINUTE, 2 * HOUR, DAY, 2 * DAY])
            + self.random.time_below(2 * SECOND);
        self.ordinary(wallet);
        self.clock = self.clock.max(now);
    }

    /// Time passes, now and then so much that wallets fall asleep.
    fn pause(&mut self) {
        let longest = match self.random.below(30) {
            0..3 => 500 * DAY,
            3..6 => 40 * DAY,
            _ => 20 * HOUR,
        };
        self.pass(longest);
        if longest > 400 * DAY {
            let awake = self.random.pick(WALLETS);
            self.event(awake, "login");
            self.operation(awake, "topup", &["100"]);
            self.proof(awake);
        }
    }

    /// More held operations than are remembered as waiting.
    fn crowd(&mut self, wallet: &str) {
        self.operation(wallet, "transfer", &["100000.01"]);
        for _ in 0..66 {
            self.pass(2 * SECOND);
            let draft = self.priced(wallet, "payment", "10");
            self.drafts.push(draft);
        }
        self.event(wallet, "contact_confirmed");
    }
}
