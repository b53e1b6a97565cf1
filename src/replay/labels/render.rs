//! Scores as people read them, and as JSON.

use super::{
    Class,
    scores::{RuleScore, Score, Scores},
};
use crate::{
    decision::RuleId,
    replay::{figures, table::Table, words::named},
    rules::Mode,
    wording::{grouped, several},
};
use serde_json::{Value, json};
use std::fmt::Write;

/// Pairs of rules that the text shows.
const SHOWN_PAIRS: usize = 10;

/// The scores for people, ending with a line end.
#[must_use]
pub fn text(scores: &Scores) -> String {
    let mut out = String::from("\nlabels\n");
    classes(scores).write(&mut out);
    for note in notes(scores) {
        let _ = writeln!(out, "  {note}");
    }
    out.push_str("\nrules against the labels\n");
    rules(scores).write(&mut out);
    if let Some(idle) = idle(scores) {
        let _ = writeln!(out, "  {idle}");
    }
    let overlap = overlap(scores);
    if !overlap.is_empty() {
        out.push_str("\nrules that hit together\n");
        overlap.write(&mut out);
    }
    out
}

/// Events by what they turned out to be.
#[must_use]
pub fn classes(scores: &Scores) -> Table {
    let mut table = Table::new(&["", "events", "share", "money"], 1);
    for class in Class::ALL {
        let (count, money) = (scores.all.count(class), scores.all.money[class as usize]);
        let share = figures::percent(figures::ratio(count, scores.all.hits()));
        table.row([class.name().to_owned(), grouped(count), share, figures::money(money)]);
    }
    table
}

/// What is to be said of the events and their labels.
#[must_use]
pub fn notes(scores: &Scores) -> Vec<String> {
    let mut notes = Vec::new();
    if scores.repeats > 0 {
        notes.push(format!("repeats of an event, not counted again: {}", grouped(scores.repeats)));
    }
    let (given, named) = scores.named();
    if named < given {
        let (nothing, given) = (grouped(given - named), several(given, "label"));
        notes.push(format!("{nothing} of {given} name nothing in the data"));
    }
    let [carried, unread] = scores.carried;
    if unread > 0 {
        let (events, carried) = (several(unread, "event"), grouped(carried));
        notes.push(format!("the field for labels holds something else in {events}, a label in {carried}"));
    } else if given == 0 && carried == 0 {
        notes.push("no event carries a label".to_owned());
    }
    let (fraud, found) = scores.cases(None);
    if fraud > 0 {
        let (fraud, share) = (several(fraud, "labelled case"), figures::percent(figures::ratio(found, fraud)));
        notes.push(format!("{fraud} of fraud with events in the data, {} of them found ({share})", grouped(found)));
    }
    notes
}

const HEADINGS: [&str; 15] = [
    "rule",
    "hits",
    "fraud",
    "legitimate",
    "young",
    "unlabelled",
    "precision",
    "recall",
    "F1",
    "false a day",
    "money caught",
    "money hit",
    "alone",
    "decisive",
    "lead",
];

/// Each rule that hit something, and all of them, against the labels.
#[must_use]
pub fn rules(scores: &Scores) -> Table {
    let mut table = Table::new(&HEADINGS, 1);
    for (id, rule) in numbered(scores).filter(|(_, rule)| rule.score.hits() > 0) {
        let written = scores.packs.rule(id);
        let shadow = if written.mode == Mode::Shadow { ", shadow" } else { "" };
        let name = named(&written.id, written.clause.as_deref()) + shadow;
        table.row(row(scores, name, &rule.score, Some((rule, id))));
    }
    table.row(row(scores, "any live rule".to_owned(), &scores.any_rule, None));
    let mut any = row(scores, "any action but allow".to_owned(), &scores.any_action, None);
    // The time of a hit is that of a rule.
    any[HEADINGS.len() - 1] = String::new();
    table.row(any);
    table
}

/// The rules that add nothing, where there are some.
#[must_use]
pub fn idle(scores: &Scores) -> Option<String> {
    let idle: Vec<&str> = numbered(scores)
        .filter(|(id, _)| scores.adds_nothing(*id))
        .map(|(id, _)| scores.packs.rule(id).id.as_str())
        .collect();
    (!idle.is_empty()).then(|| format!("these add nothing, others hit wherever they do: {}", idle.join(", ")))
}

fn row(scores: &Scores, name: String, score: &Score, rule: Option<(&RuleScore, RuleId)>) -> [String; HEADINGS.len()] {
    let [fraud, legitimate, young, unlabelled] = score.events.map(grouped);
    let of_rule = |figure: fn(&RuleScore) -> u64| rule.map_or_else(String::new, |(rule, _)| grouped(figure(rule)));
    [
        name,
        grouped(score.hits()),
        fraud,
        legitimate,
        young,
        unlabelled,
        figures::percent(score.precision()),
        figures::percent(score.recall(&scores.all)),
        score.f1(&scores.all).map_or_else(|| "-".to_owned(), |f1| format!("{f1:.3}")),
        figures::rate(figures::a_day(score.count(Class::Legitimate), scores.millis())),
        figures::money(score.money[Class::Fraud as usize]),
        figures::money(score.money.iter().sum()),
        of_rule(|rule| rule.alone.hits()),
        of_rule(|rule| rule.decisive),
        scores.leads(rule.map(|(_, id)| id)).median().map_or_else(|| "-".to_owned(), figures::span),
    ]
}

fn numbered(scores: &Scores) -> impl Iterator<Item = (RuleId, &RuleScore)> {
    (0_u16..).map(RuleId).zip(&scores.rules)
}

/// Pairs of rules by how often they hit together, the most frequent first.
fn pairs(scores: &Scores) -> Vec<((RuleId, RuleId), [u64; 2])> {
    let mut pairs: Vec<_> = scores.overlap.iter().map(|(pair, counts)| (*pair, *counts)).collect();
    pairs.sort_unstable_by_key(|(pair, [both, _])| (std::cmp::Reverse(*both), *pair));
    pairs
}

/// The pairs of rules that most often hit the same event.
#[must_use]
pub fn overlap(scores: &Scores) -> Table {
    let mut table = Table::new(&["rule", "and", "both", "of the first", "of the second", "fraud"], 2);
    for ((one, other), [both, fraud]) in pairs(scores).into_iter().take(SHOWN_PAIRS) {
        let id = |rule: RuleId| {
            let written = scores.packs.rule(rule);
            written.id.clone() + if written.mode == Mode::Shadow { ", shadow" } else { "" }
        };
        let share =
            |rule: RuleId| figures::percent(figures::ratio(both, scores.rules[usize::from(rule.0)].score.hits()));
        table.row([id(one), id(other), grouped(both), share(one), share(other), grouped(fraud)]);
    }
    table
}

/// The scores as a JSON object.
#[must_use]
pub fn json(scores: &Scores) -> Value {
    let (cases, found) = scores.cases(None);
    let rules: Vec<Value> = numbered(scores)
        .filter(|(id, _)| scores.packs.rule(*id).mode != Mode::Off)
        .map(|(id, rule)| {
            let written = scores.packs.rule(id);
            let mut value = score_json(scores, &rule.score, Some(id));
            let more = json!({
                "rule": written.id,
                "clause": written.clause,
                "shadow": written.mode == Mode::Shadow,
                "alone": rule.alone.hits(),
                "alone_fraud": rule.alone.count(Class::Fraud),
                "decisive": rule.decisive,
                "adds_nothing": scores.adds_nothing(id),
                "cases_found": scores.cases(Some(id)).1,
            });
            extend(&mut value, more);
            value
        })
        .collect();
    let mut any_rule = score_json(scores, &scores.any_rule, None);
    extend(&mut any_rule, json!({"cases_found": found}));
    json!({
        "events": counts(&scores.all),
        "money": money(&scores.all),
        "repeats": scores.repeats,
        "labels": scores.named().0,
        "labels_that_name_nothing": scores.named().0 - scores.named().1,
        "field_is_no_label": scores.carried[1],
        "cases": cases,
        "rules": rules,
        "any_rule": any_rule,
        "any_action": rates(scores, &scores.any_action),
        "overlap": pairs(scores).into_iter().map(|((one, other), [both, fraud])| json!({
            "rules": [scores.packs.rule(one).id, scores.packs.rule(other).id], "events": both, "fraud": fraud,
        })).collect::<Vec<_>>(),
    })
}

fn extend(value: &mut Value, more: Value) {
    if let (Some(members), Value::Object(more)) = (value.as_object_mut(), more) {
        members.extend(more);
    }
}

fn counts(score: &Score) -> Value {
    Class::ALL.into_iter().map(|class| (class.name().to_owned(), Value::from(score.count(class)))).collect()
}

fn money(score: &Score) -> Value {
    let of = |class: Class| Value::from(figures::plain_money(score.money[class as usize]));
    Class::ALL.into_iter().map(|class| (class.name().to_owned(), of(class))).collect()
}

fn rates(scores: &Scores, score: &Score) -> Value {
    let (precision, recall) = (score.precision(), score.recall(&scores.all));
    json!({
        "hits": score.hits(),
        "events": counts(score),
        "money": money(score),
        "money_caught": figures::plain_money(score.money[Class::Fraud as usize]),
        "money_hit": figures::plain_money(score.money.iter().sum()),
        "precision": precision,
        "recall": recall,
        "f1": score.f1(&scores.all),
        "false_positives_a_day": figures::a_day(score.count(Class::Legitimate), scores.millis()),
    })
}

fn score_json(scores: &Scores, score: &Score, rule: Option<RuleId>) -> Value {
    let leads = scores.leads(rule);
    let mut value = rates(scores, score);
    let seconds = |millis: i64| millis.div_euclid(1_000);
    let more = json!({"lead_seconds": leads.median().map(|median| json!({
        "cases": leads.millis.len(),
        "least": leads.millis.first().copied().map(seconds),
        "median": seconds(median),
        "most": leads.millis.last().copied().map(seconds),
    }))});
    extend(&mut value, more);
    value
}
