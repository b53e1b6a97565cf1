//! The index of conditions: what it does not find must not hold, and what it finds must be little.

use super::{Given, Packs, YES, random::Dice, random::random_test};
use crate::rules::condition::{Condition, index::Index};
use std::collections::BTreeSet;

impl Given<'_> {
    fn candidates(&self, index: &Index, packs: &Packs) -> BTreeSet<u16> {
        let mut found = BTreeSet::new();
        self.in_scene(packs, |scene| {
            index.find(scene, |place| {
                found.insert(place);
            });
        });
        found
    }
}

/// Checks rows of condition, event, and whether the index finds it for that event.
fn check(rows: &[(&str, &str, bool)]) {
    let packs = Packs::new();
    let mut wrong = Vec::new();
    for (source, given, expected) in rows {
        let condition = packs.compile(source).unwrap_or_else(|errors| panic!("{source}: {errors:#?}"));
        let found = !Given::parse(given).candidates(&Index::new([&condition]), &packs).is_empty();
        if found != *expected {
            wrong.push(format!("{source}  with  {given}: {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn numbers_are_found_by_their_bounds() {
    check(&[
        ("amount > 100", "amount=99.99", false),
        ("amount > 100", "amount=100.01", true),
        ("amount > 100", "", false),
        ("100 < amount", "amount=99", false),
        ("!(amount <= 100)", "amount=99", false),
        ("amount < 0.125", "amount=0.13", false),
        ("amount < 0.125", "amount=0.12", true),
        ("amount >= 5 && amount < 7", "amount=8", false),
        ("amount >= 5 && amount < 7", "amount=4", false),
        ("amount >= 5 && amount < 7", "amount=6", true),
        ("amount > 5 && amount < 4", "amount=4.5", false),
        ("amount == 5 && device == 'a'", "amount=5 device=b", false),
        ("amount in [5, 7]", "amount=6", false),
        ("amount in [5, 7]", "amount=7", true),
        ("amount > 100 * units.MCI", "amount=369199.99 time=2024-01-01T00:00:00+06:00", false),
        // The least worth that the unit ever had is what all amounts over it are found by.
        ("amount > 100 * units.MCI", "amount=400000 time=2026-01-01T00:00:00+05:00", true),
        ("amount > units.none", "amount=5", false),
        ("attributes.n >= 2.5", "a.n=2.4", false),
        ("attributes.n >= 2.5", "a.n=2.5", true),
        ("attributes.n >= 2.5", "a.n=text", false),
        ("attributes.n < 0.00000015", "a.n=0.000001", false),
        ("attributes.n > -0.00000015", "a.n=0", true),
        ("amount + 1 > 5", "", false),
        ("amount + 1 > 5", "amount=1", true),
        ("time >= '2026-03-18T00:00:00+05:00'", "time=2026-03-17T00:00:00+05:00", false),
        ("time >= '2026-03-18T00:00:00+05:00'", "time=2026-03-18T00:00:00+05:00", true),
    ]);
}

#[test]
fn texts_and_truths_are_found_by_one_part_that_must_hold() {
    check(&[
        ("device == 'a'", "device=b", false),
        ("device == 'a'", "device=a", true),
        ("amount > 1 && device == 'a'", "amount=5 device=b", false),
        ("device != 'a'", "", false),
        ("device != 'a'", "device=a", true),
        ("!(device != 'a')", "device=b", false),
        ("device in ['a', 'b']", "device=c", false),
        ("device in ['a', 'b']", "device=b", true),
        ("device == 'a' || amount > 5", "device=b amount=5.01", true),
        ("device == 'a' || amount > 5", "device=a", true),
        ("device == 'a' || amount > 5", "device=b amount=4", false),
        ("!(device == 'a' || amount > 5)", "device=b", false),
        ("(device == 'a' || device == 'b') && amount > 5", "device=c amount=6", false),
        ("merchant.startsWith('ca')", "merchant=dacapo", false),
        ("merchant.startsWith('ca')", "merchant=c", false),
        ("merchant.startsWith('ca')", "merchant=casino", true),
        ("merchant.endsWith('no')", "merchant=nose", false),
        ("merchant.endsWith('no')", "merchant=casino", true),
        ("merchant.contains('no')", "", false),
        ("merchant.contains('no')", "merchant=x", true),
        ("ip == '10.0.0.1'", "ip=10.0.0.2", false),
        ("ip == '10.0.0.1'", "ip=10.0.0.1", true),
        ("ip.startsWith('10.')", "ip=11.0.0.1", false),
        ("ip in lists.shared", "ip=11.0.0.1", false),
        ("ip in lists.shared", "ip=10.0.0.1", true),
        ("counterparty in lists.mules", "counterparty=1", false),
        ("counterparty in lists.mules", "counterparty=77019999999", true),
        ("!(counterparty in lists.mules)", "", false),
        ("anonymous", "anonymous=false", false),
        ("anonymous == true", "anonymous=false", false),
        ("anonymous != true", "anonymous=false", true),
        ("true != !anonymous", "anonymous=false", false),
        ("!anonymous", "anonymous=true", false),
        ("!anonymous", "", false),
        ("client_status == 'identified'", "client_status=unregistered", false),
        ("client_status != 'identified'", "client_status=unregistered", true),
        ("has(balance) && amount > balance", "amount=5", false),
        ("!has(balance)", "balance=5", false),
        ("false", "", false),
        ("wallet != ''", "", true),
        ("has(wallet) && 1 < 2", "", true),
        ("!has(wallet)", "", false),
        ("attributes.a == attributes.b", "a.b=1", false),
    ]);
}

#[test]
fn what_may_be_looked_up_is_asked_only_where_the_condition_asks_it_first() {
    check(&[
        ("country == 'KZ' && merchant.contains('x')", "country=RU merchant=y", false),
        ("merchant.contains('x') && country == 'KZ'", "country=RU merchant=y", true),
        ("merchant.contains('x') && (country == 'KZ' || anonymous)", "country=RU anonymous=false merchant=y", true),
        ("country == 'KZ' || device == 'a'", "country=RU device=b", false),
        ("device == 'a' || country == 'KZ'", "country=RU device=b", true),
        ("!anonymous && amount + 1 > 5", "anonymous=true amount=1", false),
        ("amount + 1 > 5 && !anonymous", "anonymous=true amount=1", true),
    ]);
}

/// What the generator of `random` does not write: texts, lists, statuses, truths, times.
fn simple(dice: &mut Dice) -> String {
    let operator = *dice.pick(&["==", "!=", "<", "<=", ">", ">="]);
    let (whole, tenths) = (dice.below(12), dice.below(10));
    let text = *dice.pick(&["a", "ab", "b", "abc", ""]);
    let field = *dice.pick(&["merchant", "device", "attributes.t", "wallet", "counterparty"]);
    match dice.below(16) {
        0 => format!("amount {operator} {whole}.{tenths}"),
        1 => format!("{whole}.{tenths}5 {operator} amount"),
        2 => format!("balance {operator} -{whole}.{tenths}"),
        3 => format!("attributes.n {operator} {whole}.{tenths}000005"),
        4 => format!("(amount >= {whole}.{tenths} && amount < {whole}.{tenths} + 2)"),
        5 => format!("(amount >= {whole} && balance <= 3 && amount <= {})", whole + 2),
        6 => format!("amount in [{whole}, {whole}.{tenths}, 11]"),
        7 => format!("amount {operator} units.MCI * 0.001{tenths}"),
        8 => format!("{field} {operator} '{text}'"),
        9 => format!("{field} in ['{text}', 'c']"),
        10 => format!("{field}.{}('{text}')", dice.pick(&["startsWith", "endsWith", "contains"])),
        11 => {
            let list = *dice.pick(&["mules", "shared"]);
            format!("{} in lists.{list}", dice.pick(&["counterparty", "ip", "attributes.t"]))
        }
        12 => {
            let statuses = ["client_status == 'identified'", "client_status != 'identified'", "client_status > 'j'"];
            (*dice.pick(&statuses)).to_owned()
        }
        13 => {
            let truths = ["anonymous", "anonymous == false", "true != attributes.flag", "attributes.flag"];
            (*dice.pick(&truths)).to_owned()
        }
        14 => {
            let countries = ["country == 'KZ'", "country in ['KZ', 'RU']", "has(country)", "ip == '10.0.0.1'"];
            (*dice.pick(&countries)).to_owned()
        }
        _ => format!("time {operator} '2026-03-0{}T00:00:00+05:00'", 1 + dice.below(4)),
    }
}

fn joined(dice: &mut Dice, given: &str, depth: usize) -> String {
    if depth == 0 {
        return if dice.below(4) == 0 { random_test(dice, given) } else { simple(dice) };
    }
    let parts = [0, 1].map(|_| joined(dice, given, depth - 1));
    match dice.below(6) {
        0..=2 => format!("({} && {})", parts[0], parts[1]),
        3 | 4 => format!("({} || {})", parts[0], parts[1]),
        _ => format!("!({})", parts[0]),
    }
}

fn any_event(dice: &mut Dice) -> String {
    let mut given = super::random::any_event(dice);
    let more: [(&str, &[&str]); 7] = [
        ("counterparty", &["77019999999", "77018888888", "office", "a"]),
        ("ip", &["10.0.0.1", "11.0.0.1", "203.0.113.9", "2001:db8::1"]),
        ("country", &["KZ", "RU", "US"]),
        ("anonymous", &["true", "false"]),
        ("client_status", &["unregistered", "unidentified", "identified"]),
        ("a.flag", &["true", "false", "5"]),
        ("time", &["2026-02-28T23:59:59.999+05:00", "2026-03-02T00:00:00+05:00", "2026-03-04T00:00:00.001+05:00"]),
    ];
    for (name, values) in more {
        if dice.below(4) > 0 {
            given += &format!(" {name}={}", dice.pick(values));
        }
    }
    given
}

#[test]
fn what_is_not_found_does_not_hold() {
    let packs = Packs::new();
    let (mut asked, mut found, mut held) = (0, 0, 0);
    for seed in 0..300 {
        let mut dice = Dice::new(seed);
        let given = any_event(&mut dice);
        let mut conditions: Vec<Condition> = Vec::new();
        while conditions.len() < 40 {
            let depth = dice.below(3);
            let source = joined(&mut dice, &given, depth);
            if source.len() <= crate::limits::CONDITION_BYTES {
                let compiled = packs.compile(&source);
                conditions.push(compiled.unwrap_or_else(|errors| panic!("seed {seed}: {source} {errors:#?}")));
            }
        }
        let index = Index::new(&conditions);
        for event in 0..20 {
            let given = if event == 0 { given.clone() } else { any_event(&mut dice) };
            let event = Given::parse(&given);
            let candidates = event.candidates(&index, &packs);
            for (place, condition) in conditions.iter().enumerate() {
                let holds = event.outcome(condition, &packs) == YES;
                let is_found = candidates.contains(&u16::try_from(place).expect("few"));
                assert!(is_found || !holds, "seed {seed}: {} holds for {given} and is not found", condition.source());
                held += usize::from(holds);
            }
            asked += conditions.len();
            found += candidates.len();
        }
    }
    assert!(held > asked / 10, "hardly a condition holds: {held} of {asked}");
    assert!(found - held < (asked - held) / 2, "{found} of {asked} are found, and only {held} hold");
}
