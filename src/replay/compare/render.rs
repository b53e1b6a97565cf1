//! A comparison as people read it, and as JSON.

use super::{Action, Change, Comparison, Concern, RuleChange, mode, rule_name};
use crate::{
    replay::{
        figures::{money, plain_money},
        table::Table,
    },
    wording::grouped,
};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// The comparison for people, ending with a line end.
#[must_use]
pub fn text(comparison: &Comparison) -> String {
    let mut out = format!("\ncompared with packs {}\n", comparison.after.name);
    for (count, whose) in [(comparison.only_before, "before"), (comparison.only_after, "after")] {
        if count > 0 {
            let _ = writeln!(out, "records that only the packs {whose} decide on: {}", grouped(count));
        }
    }
    if !comparison.has_changes() {
        out.push_str("no decision changes\n");
        return out;
    }
    for (title, table) in tables(comparison) {
        let _ = writeln!(out, "\n{title}");
        table.write(&mut out);
    }
    if !comparison.examples.is_empty() {
        out.push_str("\nexamples of what changes\n");
        for example in &comparison.examples {
            let _ = writeln!(out, "  {}", example.told);
        }
    }
    out
}

/// What changes, as tables under their titles; those that would be empty are left out.
#[must_use]
pub fn tables(comparison: &Comparison) -> Vec<(&'static str, Table)> {
    let [rules, shadow] = rules(comparison);
    let tables = [
        ("changed decisions", changes(comparison)),
        ("actions that change", actions(comparison)),
        ("rules behind the changes", rules),
        ("shadow rules that hit other events", shadow),
    ];
    tables.into_iter().filter(|(_, table)| !table.is_empty()).collect()
}

fn changes(comparison: &Comparison) -> Table {
    let mut table = Table::new(&["", "through", "decisions", "wallets", "money"], 2);
    for (change, concerns) in Change::ALL.into_iter().zip(&comparison.changes) {
        for (through, concern) in ["a rule", "only a restriction"].into_iter().zip(concerns) {
            if concern.decisions > 0 {
                let cells = [through.to_owned(), grouped(concern.decisions), wallets(concern), money(concern.money)];
                table.row([in_words(change).to_owned()].into_iter().chain(cells));
            }
        }
    }
    table
}

fn in_words(change: Change) -> &'static str {
    match change {
        Change::Reasons => "other reasons",
        change => change.name(),
    }
}

/// Each pair of actions that some decisions have before and after.
fn actions(comparison: &Comparison) -> Table {
    let mut table = Table::new(&["before", "after", "decisions"], 2);
    for (before, after, count) in pairs(comparison) {
        if before != after {
            table.row([before.name().to_owned(), after.name().to_owned(), grouped(count)]);
        }
    }
    table
}

fn pairs(comparison: &Comparison) -> impl Iterator<Item = (Action, Action, u64)> + '_ {
    Action::ALL.into_iter().flat_map(move |before| {
        let counts = comparison.actions[before as usize];
        Action::ALL
            .into_iter()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
            .map(move |(after, count)| (before, after, count))
    })
}

fn rules(comparison: &Comparison) -> [Table; 2] {
    let headings = ["rule", "hits before", "after", "gained", "lost", "appear", "vanish", "harsher", "milder", "money"];
    let mut table = Table::new(&headings, 1);
    let mut shadow = Table::new(&["rule", "hits before", "after"], 1);
    for rule in &comparison.rules {
        let name = rule_name(rule, &comparison.before, &comparison.after);
        let count = |change: Change| rule.changes[change as usize].iter().sum();
        if rule.gained + rule.lost + rule.changes.iter().flatten().sum::<u64>() > 0 {
            let figures = [
                rule.hits_before[0],
                rule.hits_after[0],
                rule.gained,
                rule.lost,
                count(Change::Appears),
                count(Change::Vanishes),
                count(Change::Harsher),
                count(Change::Milder),
            ];
            let cells = figures.into_iter().map(grouped).chain([money(rule.concern.money)]);
            table.row([name].into_iter().chain(cells));
        } else if rule.hits_before[1] != rule.hits_after[1] {
            shadow.row([name, grouped(rule.hits_before[1]), grouped(rule.hits_after[1])]);
        }
    }
    [table, shadow]
}

fn wallets(concern: &Concern) -> String {
    let more = if concern.wallets.is_more() { "+" } else { "" };
    format!("{}{more}", grouped(concern.wallets.count()))
}

/// The comparison as a JSON object.
#[must_use]
pub fn json(comparison: &Comparison) -> Value {
    let concern = |concern: &Concern| {
        json!({
            "decisions": concern.decisions,
            "wallets": concern.wallets.count(),
            "money": plain_money(concern.money),
        })
    };
    let changes: Map<String, Value> = Change::ALL
        .into_iter()
        .zip(&comparison.changes)
        .map(|(change, [by_rule, by_restriction])| {
            let value = json!({"by_rule": concern(by_rule), "by_restriction": concern(by_restriction)});
            (change.name().to_owned(), value)
        })
        .collect();
    json!({
        "before": comparison.before.name,
        "after": comparison.after.name,
        "changed": comparison.has_changes(),
        "changes": changes,
        "actions": pairs(comparison).map(|(before, after, count)| {
            json!({"before": before.name(), "after": after.name(), "decisions": count})
        }).collect::<Vec<_>>(),
        "rules": comparison.rules.iter().map(|rule| rule_json(comparison, rule)).collect::<Vec<_>>(),
        "only_before": comparison.only_before,
        "only_after": comparison.only_after,
        "examples": comparison.examples.iter().map(|example| &example.json).collect::<Vec<_>>(),
    })
}

fn rule_json(comparison: &Comparison, rule: &RuleChange) -> Value {
    let by_action = |change: Change| -> Map<String, Value> {
        let counts = Action::ALL.into_iter().zip(rule.changes[change as usize]);
        counts.filter(|(_, count)| *count > 0).map(|(action, count)| (action.name().to_owned(), count.into())).collect()
    };
    let changes: Map<String, Value> =
        Change::ALL.into_iter().map(|change| (change.name().to_owned(), by_action(change).into())).collect();
    json!({
        "rule": rule.id,
        "clause": rule.clause,
        "mode_before": mode(&comparison.before, rule.before),
        "mode_after": mode(&comparison.after, rule.after),
        "hits_before": rule.hits_before[0],
        "hits_after": rule.hits_after[0],
        "shadow_before": rule.hits_before[1],
        "shadow_after": rule.hits_after[1],
        "gained": rule.gained,
        "lost": rule.lost,
        "changes": changes,
        "wallets": rule.concern.wallets.count(),
        "money": plain_money(rule.concern.money),
    })
}
