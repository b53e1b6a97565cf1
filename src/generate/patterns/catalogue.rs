//! What is planted: for every rule of `onevision.toml` and `typologies.toml` what fires it and what nearly does, and for
//! every restriction how it comes to stand, what it stops and how it ends.
//!
//! Limits are written here a second time, on purpose: a pack with a wrong figure must not agree with its own test data.

use super::script::{ANONYMOUS, KAZAKH, RUSSIAN, Script, just_over, tenge};
use crate::event::ClientStatus;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// One kind of planted instance.
pub struct Pattern {
    pub name: &'static str,
    pub judge: Judge,
    /// The rule, or the restriction, must be a reason of none of its events.
    pub near_miss: bool,
    /// From its beginning to its last event; what lies before its beginning comes ahead of the whole stream.
    pub seconds: i64,
    /// It must not cross into another local month.
    pub one_month: bool,
    pub steps: Steps,
}

/// Whose reason the truth file speaks of.
#[derive(Clone, Copy, Debug)]
pub enum Judge {
    Rule(&'static str),
    Restriction(&'static str),
}

/// How the events of an instance come about.
pub enum Steps {
    Written(fn(&mut Script)),
    /// A signal, an operation that the restriction meets, the signal that lifts it, an operation that is free.
    Signalled {
        imposed_by: &'static str,
        lifted_by: &'static str,
    },
    /// The same with somebody else's transfers to the wallet.
    Incoming {
        imposed_by: &'static str,
        lifted_by: &'static str,
    },
}

impl Steps {
    pub fn write(&self, script: &mut Script) {
        match *self {
            Steps::Written(write) => write(script),
            Steps::Signalled { imposed_by, lifted_by } => {
                script.event(0, "login");
                script.signal(MINUTE, imposed_by);
                script.payment(2 * MINUTE, tenge(3_000));
                script.fires();
                script.signal(3 * MINUTE, lifted_by);
                script.payment(4 * MINUTE, tenge(2_500));
                script.is_clear();
            }
            Steps::Incoming { imposed_by, lifted_by } => {
                let client = script.wallet(0);
                script.signal(0, imposed_by);
                script.transfer_of(1, MINUTE).counterparty = Some(client.clone());
                script.fires();
                script.signal(2 * MINUTE, lifted_by);
                script.transfer_of(2, 3 * MINUTE).counterparty = Some(client);
                script.is_clear();
            }
        }
    }
}

const fn rule(name: &'static str, rule: &'static str, seconds: i64, write: fn(&mut Script)) -> Pattern {
    let (judge, steps) = (Judge::Rule(rule), Steps::Written(write));
    Pattern { name, judge, near_miss: false, seconds, one_month: false, steps }
}

const fn near(name: &'static str, rule: &'static str, seconds: i64, write: fn(&mut Script)) -> Pattern {
    let (judge, steps) = (Judge::Rule(rule), Steps::Written(write));
    Pattern { name, judge, near_miss: true, seconds, one_month: false, steps }
}

const fn restriction(name: &'static str, restriction: &'static str, seconds: i64, write: fn(&mut Script)) -> Pattern {
    let (judge, steps) = (Judge::Restriction(restriction), Steps::Written(write));
    Pattern { name, judge, near_miss: false, seconds, one_month: false, steps }
}

const fn signalled(restriction: &'static str, imposed_by: &'static str, lifted_by: &'static str) -> Pattern {
    let (judge, steps) = (Judge::Restriction(restriction), Steps::Signalled { imposed_by, lifted_by });
    Pattern { name: restriction, judge, near_miss: false, seconds: HOUR, one_month: false, steps }
}

const fn incoming(
    name: &'static str,
    restriction: &'static str,
    imposed_by: &'static str,
    lifted_by: &'static str,
) -> Pattern {
    let (judge, steps) = (Judge::Restriction(restriction), Steps::Incoming { imposed_by, lifted_by });
    Pattern { name, judge, near_miss: false, seconds: HOUR, one_month: false, steps }
}

const fn of_one_month(pattern: Pattern) -> Pattern {
    Pattern { one_month: true, ..pattern }
}

/// Seconds between the hundred senders of a month: eight a day, so that no day's senders are a fan-in.
const SENDER_EVERY: i64 = 9_900;

pub const CATALOGUE: &[Pattern] = &[
    rule("limit-unidentified", "limit-unidentified", HOUR, limit_unidentified),
    rule("limit-unidentified-remembered", "limit-unidentified", HOUR, limit_unidentified_remembered),
    near("limit-unidentified-exactly", "limit-unidentified", HOUR, limit_unidentified_exactly),
    near("limit-unidentified-no-longer", "limit-unidentified", HOUR, limit_unidentified_no_longer),
    rule("limit-identified", "limit-identified", HOUR, limit_identified),
    near("limit-identified-exactly", "limit-identified", HOUR, limit_identified_exactly),
    rule("unregistered-receiver", "unregistered-receiver", HOUR, unregistered_receiver),
    near("registered-receiver", "unregistered-receiver", HOUR, registered_receiver),
    rule("over-balance", "over-balance", HOUR, over_balance),
    near("whole-balance", "over-balance", HOUR, whole_balance),
    rule("large-transfer", "large-transfer", HOUR, large_transfer),
    near("large-transfer-exactly", "large-transfer", HOUR, large_transfer_exactly),
    near("large-payment", "large-transfer", HOUR, large_payment),
    rule("equal-transfers", "equal-transfers", HOUR, equal_transfers),
    near("equal-transfers-ten", "equal-transfers", HOUR, equal_transfers_ten),
    near("equal-transfers-slower", "equal-transfers", 2 * HOUR, equal_transfers_slower),
    near("equal-transfers-a-tiyn-apart", "equal-transfers", HOUR, equal_transfers_a_tiyn_apart),
    rule("anonymous-operation", "anonymous-operation", HOUR, anonymous_operation),
    near("operation-not-anonymous", "anonymous-operation", HOUR, operation_not_anonymous),
    rule("anonymous-login", "anonymous-login", HOUR, anonymous_login),
    near("login-not-anonymous", "anonymous-login", HOUR, login_not_anonymous),
    rule("country-change", "country-change", 3 * HOUR, country_change),
    rule("country-change-login", "country-change", 3 * HOUR, country_change_login),
    near("country-change-slower", "country-change", 3 * HOUR, country_change_slower),
    near("country-change-topup", "country-change", 3 * HOUR, country_change_topup),
    rule("daily-pin", "daily-pin", 2 * HOUR, daily_pin),
    near("daily-pin-exactly", "daily-pin", 2 * HOUR, daily_pin_exactly),
    near("daily-pin-two-days", "daily-pin", DAY, daily_pin_two_days),
    near("daily-pin-refused", "daily-pin", 2 * HOUR, daily_pin_refused),
    rule("password-captcha", "password-captcha", HOUR, password_captcha),
    near("password-captcha-two", "password-captcha", HOUR, password_captcha_two),
    rule("password-lockout", "password-lockout", HOUR, password_lockout),
    near("password-lockout-five", "password-lockout", HOUR, password_lockout_five),
    rule("secret-captcha", "secret-captcha", HOUR, secret_captcha),
    near("secret-captcha-two", "secret-captcha", HOUR, secret_captcha_two),
    rule("inactive", "inactive", HOUR, inactive),
    near("inactive-not-yet", "inactive", HOUR, inactive_not_yet),
    near("inactive-never-seen", "inactive", HOUR, inactive_never_seen),
    rule("inactive-login", "inactive-login", HOUR, inactive_login),
    near("inactive-login-not-yet", "inactive-login", HOUR, inactive_login_not_yet),
    rule("structuring", "structuring", DAY, structuring),
    near("structuring-lower", "structuring", DAY, structuring_lower),
    near("structuring-slower", "structuring", DAY + HOUR, structuring_slower),
    rule("fan-out", "fan-out", DAY, fan_out),
    near("fan-out-ten", "fan-out", DAY, fan_out_ten),
    rule("fan-in", "fan-in", DAY, fan_in),
    near("fan-in-ten", "fan-in", DAY, fan_in_ten),
    of_one_month(rule("many-senders", "many-senders", 99 * SENDER_EVERY, many_senders)),
    of_one_month(near("many-senders-99", "many-senders", 99 * SENDER_EVERY, many_senders_99)),
    of_one_month(rule("same-sum-days", "same-sum-days", 6 * DAY, same_sum_days)),
    of_one_month(near("same-sum-days-five", "same-sum-days", 6 * DAY, same_sum_days_five)),
    of_one_month(rule("same-sum-repeated", "same-sum-repeated", 6 * DAY, same_sum_repeated)),
    of_one_month(near("same-sum-repeated-five", "same-sum-repeated", 6 * DAY, same_sum_repeated_five)),
    rule("new-device-login", "new-device-login", 2 * HOUR, new_device_login),
    near("old-device-login", "new-device-login", 2 * HOUR, old_device_login),
    rule("new-device-large", "new-device-large", 2 * HOUR, new_device_large),
    near("new-device-not-large", "new-device-large", 2 * HOUR, new_device_not_large),
    rule("dormant-wakes", "dormant-wakes", HOUR, dormant_wakes),
    near("dormant-not-yet", "dormant-wakes", HOUR, dormant_not_yet),
    near("dormant-small", "dormant-wakes", HOUR, dormant_small),
    rule("password-spraying", "password-spraying", 2 * HOUR, password_spraying),
    near("password-spraying-ten", "password-spraying", 2 * HOUR, password_spraying_ten),
    near("password-spraying-slower", "password-spraying", 2 * HOUR, password_spraying_slower),
    restriction("suspicious", "suspicious", HOUR, suspicious_contact),
    restriction("suspicious-identified", "suspicious", HOUR, suspicious_identity),
    restriction("monitoring", "monitoring", HOUR, monitoring_pin),
    restriction("geolocation", "geolocation", 4 * HOUR, geolocation),
    restriction("daily-pin-confirmed", "daily-pin", 2 * HOUR, daily_pin_confirmed),
    restriction("daily-pin-next-day", "daily-pin", DAY, daily_pin_next_day),
    restriction("ip-lockout", "ip-lockout", 2 * HOUR, ip_lockout),
    restriction("ip-lockout-over", "ip-lockout", DAY + HOUR, ip_lockout_over),
    restriction("inactive-woken", "inactive", HOUR, inactive_woken),
    restriction("redemption-data-over", "redemption-data", 30 * DAY, redemption_data_over),
    restriction("suspension", "suspension", HOUR, suspension),
    signalled("client-request", "block_requested", "unblock_requested"),
    incoming("client-request-incoming", "client-request", "block_requested", "unblock_requested"),
    signalled("third-party", "access_disputed", "completion_ordered"),
    signalled("third-party", "access_disputed", "cancellation_ordered"),
    signalled("redemption-data", "redemption_data_wrong", "identity_confirmed"),
    signalled("redemption-data", "redemption_data_wrong", "unblock_ordered"),
    signalled("suspicion-block", "suspicion_confirmed", "ownership_confirmed"),
    signalled("suspicion-block", "suspicion_confirmed", "identity_confirmed"),
    signalled("suspicion-block", "suspicion_confirmed", "unblock_ordered"),
    incoming("suspicion-block-incoming", "suspicion-block", "suspicion_confirmed", "unblock_ordered"),
    signalled("fraud", "fraud_reported", "unblock_ordered"),
    incoming("fraud-incoming", "fraud", "fraud_reported", "unblock_ordered"),
    signalled("investigation", "investigation_opened", "facts_established"),
    incoming("investigation-incoming", "investigation", "investigation_opened", "facts_established"),
    signalled("documents-refused", "documents_refused", "ownership_confirmed"),
    signalled("documents-refused", "documents_refused", "unblock_ordered"),
    signalled("issuer-notice", "issuer_notice", "unblock_ordered"),
    signalled("complaint", "complaint_received", "explanation_accepted"),
    signalled("complaint", "misuse_found", "unblock_ordered"),
    signalled("arrest", "arrest_ordered", "arrest_lifted"),
    signalled("order", "block_ordered", "unblock_ordered"),
    incoming("order-incoming", "order", "block_ordered", "unblock_ordered"),
    Pattern { near_miss: true, ..restriction("arrest-operator-debit", "arrest", HOUR, arrest_operator_debit) },
];

// The limits of single operations.

fn limit_unidentified(script: &mut Script) {
    let amount = script.mci(100, 1);
    script.operation(0, "topup", amount).client_status = Some(ClientStatus::Unidentified);
    script.fires();
}

fn limit_unidentified_remembered(script: &mut Script) {
    script.signal(0, "status_changed").client_status = Some(ClientStatus::Unidentified);
    let amount = script.mci(100, 1);
    script.operation(MINUTE, "topup", amount).client_status = None;
    script.fires();
}

fn limit_unidentified_exactly(script: &mut Script) {
    let amount = script.mci(100, 0);
    script.operation(0, "topup", amount).client_status = Some(ClientStatus::Unidentified);
}

fn limit_unidentified_no_longer(script: &mut Script) {
    script.event(0, "login").client_status = Some(ClientStatus::Unidentified);
    script.signal(MINUTE, "status_changed").client_status = Some(ClientStatus::Identified);
    let amount = script.mci(100, 1);
    script.operation(2 * MINUTE, "topup", amount).client_status = None;
}

fn limit_identified(script: &mut Script) {
    let amount = script.mci(500, 1);
    script.operation(0, "topup", amount);
    script.fires();
}

fn limit_identified_exactly(script: &mut Script) {
    let amount = script.mci(500, 0);
    script.operation(0, "topup", amount);
}

fn to_receiver(script: &mut Script, status: &str) {
    let record = script.transfer(0, tenge(2_000), 0);
    record.client_status = Some(ClientStatus::Unregistered);
    record.attributes.push(("counterparty_status", status.to_owned()));
}

fn unregistered_receiver(script: &mut Script) {
    to_receiver(script, "unregistered");
    script.fires();
}

fn registered_receiver(script: &mut Script) {
    to_receiver(script, "identified");
}

fn over_balance(script: &mut Script) {
    script.payment(0, just_over(5_000)).balance = Some(tenge(5_000));
    script.fires();
}

fn whole_balance(script: &mut Script) {
    script.payment(0, tenge(5_000)).balance = Some(tenge(5_000));
}

// Suspicious operations.

fn large_transfer(script: &mut Script) {
    script.event(0, "login");
    script.transfer(MINUTE, just_over(100_000), 0);
    script.fires();
}

fn large_transfer_exactly(script: &mut Script) {
    script.transfer(0, tenge(100_000), 0);
}

fn large_payment(script: &mut Script) {
    script.payment(0, tenge(150_000));
}

/// Transfers of 5,000 tenge to four receivers in turn, so that no receiver gets a sixth.
fn equal(script: &mut Script, count: i64, every: i64) {
    for (place, receiver) in (0..count).zip((0..4).cycle()) {
        script.transfer(place * every, tenge(5_000), receiver);
    }
}

fn equal_transfers(script: &mut Script) {
    // The eleventh comes exactly an hour after the first: both ends are in.
    equal(script, 11, HOUR / 10);
    script.fires();
}

fn equal_transfers_ten(script: &mut Script) {
    equal(script, 10, HOUR / 10);
}

fn equal_transfers_slower(script: &mut Script) {
    equal(script, 12, HOUR / 10 + 1);
}

fn equal_transfers_a_tiyn_apart(script: &mut Script) {
    equal(script, 10, HOUR / 10);
    script.transfer(HOUR, just_over(5_000), 0);
}

fn anonymous(script: &mut Script, kind: &'static str, anonymous: bool) {
    let record = if kind == "login" { script.event(0, kind) } else { script.operation(0, kind, tenge(3_000)) };
    record.ip = Some(ANONYMOUS);
    record.country = Some("RU");
    record.anonymous = Some(anonymous);
}

fn anonymous_operation(script: &mut Script) {
    anonymous(script, "payment", true);
    script.fires();
}

/// What the producer states counts, also where the address is listed.
fn operation_not_anonymous(script: &mut Script) {
    anonymous(script, "payment", false);
}

fn anonymous_login(script: &mut Script) {
    anonymous(script, "login", true);
    script.fires();
}

fn login_not_anonymous(script: &mut Script) {
    anonymous(script, "login", false);
}

/// A login in Kazakhstan and then an event in Russia.
fn abroad(script: &mut Script, seconds: i64, kind: &'static str) {
    script.event(0, "login").ip = Some(KAZAKH);
    let record =
        if kind == "login" { script.event(seconds, kind) } else { script.operation(seconds, kind, tenge(3_000)) };
    record.ip = Some(RUSSIAN);
    record.country = Some("RU");
}

fn country_change(script: &mut Script) {
    abroad(script, 2 * HOUR, "payment");
    script.fires();
}

fn country_change_login(script: &mut Script) {
    abroad(script, 10 * MINUTE, "login");
    script.fires();
}

fn country_change_slower(script: &mut Script) {
    abroad(script, 2 * HOUR + 1, "payment");
}

fn country_change_topup(script: &mut Script) {
    abroad(script, HOUR, "topup");
}

// A day's money.

/// Two payments that together come to 100 MCI and some tiyn.
fn hundred_mci(script: &mut Script, tiyn: i64) {
    let (first, second) = (script.mci(60, 0), script.mci(40, tiyn));
    script.payment(0, first);
    script.payment(HOUR, second);
}

fn daily_pin(script: &mut Script) {
    hundred_mci(script, 1);
    script.fires();
}

fn daily_pin_exactly(script: &mut Script) {
    hundred_mci(script, 0);
}

fn daily_pin_two_days(script: &mut Script) {
    let (midnight, amount) = (script.to_midnight(), script.mci(100, 0));
    script.payment(midnight - 1, amount);
    script.payment(midnight, amount);
}

/// What was refused has not been spent.
fn daily_pin_refused(script: &mut Script) {
    let amount = script.mci(60, 0);
    script.payment(0, amount).balance = Some(tenge(1_000));
    script.payment(MINUTE, amount);
}

fn daily_pin_confirmed(script: &mut Script) {
    hundred_mci(script, 1);
    script.payment(HOUR + MINUTE, tenge(1_000));
    script.fires();
    script.signal(HOUR + 2 * MINUTE, "pin_confirmed");
    script.payment(HOUR + 3 * MINUTE, tenge(2_000));
    script.is_clear();
}

fn daily_pin_next_day(script: &mut Script) {
    hundred_mci(script, 1);
    let midnight = script.to_midnight();
    script.payment(midnight - 1, tenge(1_000));
    script.fires();
    script.payment(midnight, tenge(2_000));
    script.is_clear();
}

// Passwords and secret answers.

fn failures(script: &mut Script, from: i64, count: i64, kind: &'static str) {
    for place in 0..count {
        script.event(from + place * MINUTE, kind);
    }
}

fn password_captcha(script: &mut Script) {
    failures(script, 0, 3, "login_failed");
    script.fires();
}

fn password_captcha_two(script: &mut Script) {
    failures(script, 0, 2, "login_failed");
    script.event(2 * MINUTE, "login");
    failures(script, 3 * MINUTE, 2, "login_failed");
}

fn password_lockout(script: &mut Script) {
    failures(script, 0, 6, "login_failed");
    script.fires();
}

fn password_lockout_five(script: &mut Script) {
    failures(script, 0, 5, "login_failed");
    script.event(5 * MINUTE, "login");
    failures(script, 6 * MINUTE, 1, "login_failed");
}

fn ip_lockout(script: &mut Script) {
    failures(script, 0, 6, "login_failed");
    script.event_of(1, 10 * MINUTE, "login");
    script.fires();
    let address = script.address();
    script.signal(20 * MINUTE, "ip_unblocked").ip = Some(address);
    script.event_of(1, 30 * MINUTE, "login");
    script.is_clear();
}

fn ip_lockout_over(script: &mut Script) {
    failures(script, 0, 6, "login_failed");
    script.event_of(1, DAY + 5 * MINUTE - 1, "login");
    script.fires();
    script.event_of(1, DAY + 5 * MINUTE, "login");
    script.is_clear();
}

fn secret_captcha(script: &mut Script) {
    failures(script, 0, 3, "secret_answer_failed");
    script.fires();
}

fn secret_captcha_two(script: &mut Script) {
    failures(script, 0, 2, "secret_answer_failed");
    script.signal(2 * MINUTE, "secret_answer_confirmed");
    failures(script, 3 * MINUTE, 2, "secret_answer_failed");
}

fn password_spraying(script: &mut Script) {
    spray(script, 11, HOUR / 10);
    script.fires();
}

fn password_spraying_ten(script: &mut Script) {
    spray(script, 10, HOUR / 10);
}

fn password_spraying_slower(script: &mut Script) {
    spray(script, 11, HOUR / 10 + 1);
}

/// One wrong password for each of many wallets, all from one address.
fn spray(script: &mut Script, count: i64, every: i64) {
    for (place, wallet) in (0..count).zip(0..) {
        script.event_of(wallet, place * every, "login_failed");
    }
}

// Wallets that wake. Twelve months are 365 or 366 days, six are 181 to 184.

fn after_login(script: &mut Script, days: i64, kind: &'static str) {
    script.event(-days * DAY, "login");
    if kind == "login" {
        script.event(0, kind);
    } else {
        script.operation(0, kind, tenge(3_000));
    }
}

fn inactive(script: &mut Script) {
    after_login(script, 400, "payment");
    script.fires();
}

fn inactive_not_yet(script: &mut Script) {
    after_login(script, 364, "payment");
}

fn inactive_never_seen(script: &mut Script) {
    script.operation(0, "topup", tenge(3_000));
}

fn inactive_login(script: &mut Script) {
    after_login(script, 400, "login");
    script.fires();
}

fn inactive_login_not_yet(script: &mut Script) {
    after_login(script, 364, "login");
}

fn inactive_woken(script: &mut Script) {
    after_login(script, 400, "login");
    script.payment(MINUTE, tenge(2_000));
    script.fires();
    script.signal(2 * MINUTE, "identity_confirmed");
    script.payment(3 * MINUTE, tenge(2_500));
    script.is_clear();
}

fn dormant(script: &mut Script, days: i64, amount: i64) {
    script.payment(-days * DAY, tenge(1_000));
    script.event(0, "login");
    script.payment(MINUTE, tenge(amount));
}

fn dormant_wakes(script: &mut Script) {
    dormant(script, 200, 60_000);
    script.fires();
}

fn dormant_not_yet(script: &mut Script) {
    dormant(script, 180, 60_000);
}

fn dormant_small(script: &mut Script) {
    dormant(script, 200, 50_000);
}

// Shapes that money takes.

fn under_the_limit(script: &mut Script, third: i64, seconds: i64) {
    script.transfer(0, tenge(95_000), 0);
    script.transfer(4 * HOUR, just_over(90_000), 1);
    script.transfer(seconds, tenge(third), 2);
}

fn structuring(script: &mut Script) {
    under_the_limit(script, 100_000, DAY);
    script.fires();
}

fn structuring_lower(script: &mut Script) {
    under_the_limit(script, 90_000, DAY);
}

fn structuring_slower(script: &mut Script) {
    under_the_limit(script, 100_000, DAY + 1);
}

/// Transfers of sums that all differ.
fn spread(script: &mut Script, receivers: u64) {
    for (place, receiver) in (0..).zip(0..receivers) {
        script.transfer(place * 2 * HOUR, tenge(1_000 + 100 * place), receiver);
    }
}

fn fan_out(script: &mut Script) {
    spread(script, 11);
    script.fires();
}

fn fan_out_ten(script: &mut Script) {
    spread(script, 10);
    script.transfer(20 * HOUR, tenge(2_000), 9);
}

fn senders(script: &mut Script, count: u64, every: i64) {
    for (place, wallet) in (0..).zip(0..count) {
        script.transfer_of(wallet, place * every);
    }
}

fn fan_in(script: &mut Script) {
    senders(script, 11, 2 * HOUR);
    script.fires();
}

fn fan_in_ten(script: &mut Script) {
    senders(script, 10, 2 * HOUR);
    script.transfer_of(0, 20 * HOUR);
}

fn many_senders(script: &mut Script) {
    senders(script, 100, SENDER_EVERY);
    script.fires();
}

fn many_senders_99(script: &mut Script) {
    senders(script, 99, SENDER_EVERY);
    script.transfer_of(0, 99 * SENDER_EVERY);
}

/// The same sum to the same receiver on consecutive days; `dated` events state their local date.
fn same_sum(script: &mut Script, days: i64, dated: bool) {
    for day in 0..days {
        let date = script.local_date(day);
        let record = script.transfer(day * DAY, tenge(7_000), 0);
        if dated {
            record.attributes.push(("local_date", date));
        }
    }
}

fn same_sum_days(script: &mut Script) {
    same_sum(script, 6, true);
    script.fires();
}

fn same_sum_days_five(script: &mut Script) {
    same_sum(script, 5, true);
    let date = script.local_date(4);
    script.transfer(4 * DAY + HOUR, tenge(7_000), 0).attributes.push(("local_date", date));
}

fn same_sum_repeated(script: &mut Script) {
    same_sum(script, 6, false);
    script.fires();
}

fn same_sum_repeated_five(script: &mut Script) {
    same_sum(script, 5, false);
}

fn new_device_login(script: &mut Script) {
    script.event(0, "login");
    let device = script.device(1);
    script.event(HOUR, "login").device = Some(device);
    script.fires();
}

fn old_device_login(script: &mut Script) {
    script.event(0, "login");
    script.event(HOUR, "login");
}

fn from_new_device(script: &mut Script, amount: i64) {
    script.payment(0, tenge(60_000));
    let device = script.device(1);
    script.payment(HOUR, tenge(amount)).device = Some(device);
}

fn new_device_large(script: &mut Script) {
    from_new_device(script, 55_000);
    script.fires();
}

fn new_device_not_large(script: &mut Script) {
    from_new_device(script, 50_000);
}

// What rules impose.

/// A large transfer, a payment that is held for it, the signal that ends the hold, a payment that is not held.
fn suspicious(script: &mut Script, lifted_by: &'static str) {
    script.transfer(0, just_over(100_000), 0);
    script.payment(MINUTE, tenge(2_000));
    script.fires();
    script.signal(2 * MINUTE, lifted_by);
    script.payment(3 * MINUTE, tenge(2_500));
    script.is_clear();
}

fn suspicious_contact(script: &mut Script) {
    suspicious(script, "contact_confirmed");
}

fn suspicious_identity(script: &mut Script) {
    suspicious(script, "identity_confirmed");
}

/// Contact alone does not end the watch; the pin that was sent for it does.
fn monitoring_pin(script: &mut Script) {
    script.transfer(0, just_over(100_000), 0);
    script.signal(MINUTE, "contact_confirmed");
    script.payment(2 * MINUTE, tenge(2_000));
    script.fires();
    script.signal(3 * MINUTE, "monitoring_pin_confirmed");
    script.payment(4 * MINUTE, tenge(2_500));
    script.is_clear();
}

fn geolocation(script: &mut Script) {
    abroad(script, HOUR, "login");
    abroad_payment(script, HOUR + MINUTE);
    script.fires();
    script.signal(HOUR + 2 * MINUTE, "secret_answer_confirmed");
    abroad_payment(script, HOUR + 3 * MINUTE);
    script.is_clear();
}

fn abroad_payment(script: &mut Script, seconds: i64) {
    let record = script.payment(seconds, tenge(2_000));
    record.ip = Some(RUSSIAN);
    record.country = Some("RU");
}

// What signals impose, where it is not the usual four steps.

fn redemption_data_over(script: &mut Script) {
    script.signal(0, "redemption_data_wrong");
    script.payment(30 * DAY - 1, tenge(2_000));
    script.fires();
    script.payment(30 * DAY, tenge(2_500));
    script.is_clear();
}

/// A suspension holds everybody's operations. It stands for less than a second in which nobody else has any: planted
/// events come on whole seconds, and the background keeps out of it.
fn suspension(script: &mut Script) {
    script.signal(0, "suspension_ordered");
    script.later(100);
    script.payment(0, tenge(2_000));
    script.later(300);
    script.fires();
    script.signal(0, "suspension_lifted");
    script.later(500);
    script.exclude_others();
    script.payment(MINUTE, tenge(2_500));
    script.is_clear();
}

/// No restriction stops the operator's own debit, and an arrest lets money in.
fn arrest_operator_debit(script: &mut Script) {
    script.signal(0, "arrest_ordered");
    script.signal(MINUTE, "operator_debit").amount = Some(tenge(1_000));
    script.operation(2 * MINUTE, "topup", tenge(1_000));
}
