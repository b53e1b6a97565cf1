//! Section 6 of the specification: for each clause what it decides, where it ends, and the boundary in between.
//!
//! The cases are data in `fixtures/clauses.toml`, worked out by hand; this file only gives each its own test name, so
//! that a broken clause says which one it is. Whole decisions are compared as bytes.

use crate::harness::{Judge, in_repository};
use std::{collections::BTreeMap, sync::OnceLock};

struct Case {
    pack: String,
    events: Vec<String>,
    expect: Vec<String>,
}

fn cases() -> &'static BTreeMap<String, Case> {
    static CASES: OnceLock<BTreeMap<String, Case>> = OnceLock::new();
    CASES.get_or_init(|| {
        let text = std::fs::read_to_string(in_repository("fixtures/clauses.toml")).expect("the cases");
        let table: toml::Table = text.parse().expect("TOML");
        let lines = |case: &toml::Value, key: &str| -> Vec<String> {
            case[key].as_str().expect("a text").lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
        };
        let cases = table["case"].as_array().expect("an array of cases").iter().map(|case| {
            let pack = case["pack"].as_str().expect("a text").to_owned();
            let name = case["name"].as_str().expect("a text").to_owned();
            (name, Case { pack, events: lines(case, "events"), expect: lines(case, "expect") })
        });
        cases.collect()
    })
}

fn check(name: &str) {
    let case = &cases()[name];
    let mut judge = Judge::of(&format!("rules/{}.toml", case.pack));
    let decisions: Vec<String> = case
        .events
        .iter()
        .map(|event| judge.feed(event.as_bytes()).unwrap_or_else(|fault| panic!("{event}: {fault}")))
        .collect();
    let last = &decisions[decisions.len() - case.expect.len()..];
    for (decision, expected) in last.iter().zip(&case.expect) {
        assert_eq!(*decision, expected.replace("PACK", &judge.packs.name));
    }
}

/// A function for each case, because the test runner names functions; the last test holds the list against the file.
macro_rules! clauses {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check(stringify!($name)); })*

        #[test]
        fn every_case_has_a_test() {
            let listed: std::collections::BTreeSet<&str> = [$(stringify!($name)),*].into();
            let written: std::collections::BTreeSet<&str> = cases().keys().map(String::as_str).collect();
            assert_eq!(listed, written);
        }
    };
}

clauses! {
    clause_4_2_4_4_limit_unidentified
    clause_4_4_limit_of_the_local_year
    clause_4_2_unregistered_receiver
    clause_4_6_limit_identified
    clause_4_6_refused_transfer_still_imposes
    clause_5_9_4_over_balance
    clause_5_8_2_5_12_2_doubtful_transfer
    clause_5_11_4_inactive
    clause_5_11_4_login_imposes
    clause_5_11_4_exactly_twelve_months
    clause_5_11_4_twelve_months_and_a_second
    clause_5_11_4_never_seen
    clause_6_2_5_complaint
    clause_6_2_5_misuse
    clause_6_3_3_suspension
    clause_6_3_15_arrest
    clause_7_6_completed
    clause_7_6_cancelled
    clause_7_6_cancelled_while_also_suspicious
    clause_7_8_7_9_secret_answer_lifts_only_7_16
    clause_7_13_held_until_contact
    clause_7_14_monitored_until_pin
    clause_7_14_monitored_until_identity
    clause_7_15_1_large_transfer
    clause_7_15_2_equal_transfers
    clause_7_15_2_exactly_an_hour
    clause_7_15_2_an_hour_and_a_millisecond
    clause_7_15_2_another_sum
    clause_7_15_2_out_of_order
    clause_7_15_3_anonymous_operation
    clause_7_15_3_anonymous_login
    clause_7_15_4_7_16_country_change
    clause_7_15_4_two_hours_and_a_millisecond
    clause_7_15_4_topup_and_unknown_country
    clause_7_16_at_most_60_days
    clause_7_17_daily_pin
    clause_7_17_day_runs_out
    clause_7_17_counts_accepted_only
    clause_7_18_password
    clause_7_18_lockout_of_24_hours
    clause_7_18_login_starts_afresh
    clause_7_18_a_row_ends_after_24_hours
    clause_7_18_sixth_without_address
    clause_7_19_secret_answer
    clause_7_20_own_block
    clause_7_22_wrong_data_at_a_redemption
    clause_7_22_lifted
    clause_7_23_confirmed_suspicion
    clause_7_24_fraud_six_months
    clause_7_24_investigation
    clause_7_26_documents_refused
    clause_7_25_7_27_issuer_notice
    clause_7_7_order
    clause_7_15_5_6_structuring
    clause_7_15_5_6_fan_out
    clause_7_15_5_6_fan_in
    clause_7_15_5_6_many_senders
    clause_7_15_5_6_same_sum_on_six_days
    clause_7_15_5_6_same_sum_six_times
    clause_7_15_5_6_new_device_watched_for_a_day
    clause_7_15_5_6_new_device_and_a_large_sum
    clause_7_15_5_6_dormant_wakes
    clause_7_15_5_6_dormant_exactly_six_months
    clause_7_15_5_6_password_spraying
    clause_ogo_2_13_other_bank_limit
    clause_ogo_2_14_cash_of_a_month
    clause_ogo_1_3_no_new_product
    clause_kz_2026_one_operation
    clause_kz_2026_a_day
}
