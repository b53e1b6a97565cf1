//! A sweep as people read it, a table with a curve of bars, and as JSON.

use super::{Point, Swept};
use crate::{
    decision::Action,
    replay::{
        figures,
        labels::{Class, scores::Score},
        table::Table,
    },
    wording::grouped,
};
use serde_json::{Map, Value, json};

/// The width of the longest bar, in characters.
const BAR: u64 = 24;

/// All sweeps for people, ending with a line end. `all` is every event by its label, where there are labels.
#[must_use]
pub fn text(swept: &[Swept], all: Option<&Score>) -> String {
    let mut out = String::new();
    for sweep in swept {
        out.push_str(&format!("\nsweep of {}\n", sweep.spec.title()));
        table(sweep, all, true).write(&mut out);
    }
    out
}

/// What each value comes to; with a bar as long as its hits, where there is nothing else to draw with.
#[must_use]
pub fn table(sweep: &Swept, all: Option<&Score>, with_bars: bool) -> Table {
    let plain = ["value", "hits", "a day", "wallets", "money hit", "over allow"];
    let labelled = ["fraud", "legitimate", "precision", "recall", "F1", "money caught"];
    let labelled = if all.is_some() { &labelled[..] } else { &[] };
    let bars = if with_bars { &["hits"][..] } else { &[] };
    let mut table = Table::new(&[&plain[..], labelled, bars].concat(), 1);
    let most = sweep.points.iter().map(|point| point.rule.hits()).max().unwrap_or(0);
    for (tried, point) in sweep.spec.values.iter().zip(&sweep.points) {
        let mark = if tried.current { " (now)" } else { "" };
        let hits = point.rule.hits();
        let mut row = vec![
            format!("{}{mark}", tried.value),
            grouped(hits),
            figures::rate(figures::a_day(hits, point.millis())),
            grouped(point.wallets.count()),
            figures::money(point.rule.money.iter().sum()),
            grouped(point.actions[1..].iter().sum()),
        ];
        if let Some(all) = all {
            let f1 = point.rule.f1(all).map_or_else(|| "-".to_owned(), |f1| format!("{f1:.3}"));
            row.extend([
                grouped(point.rule.count(Class::Fraud)),
                grouped(point.rule.count(Class::Legitimate)),
                figures::percent(point.rule.precision()),
                figures::percent(point.rule.recall(all)),
                f1,
                figures::money(point.rule.money[Class::Fraud as usize]),
            ]);
        }
        row.extend(with_bars.then(|| bar(hits, most)));
        table.row(row);
    }
    table
}

/// A bar as long as its part of the longest, filled up with blanks so that all begin at one column.
fn bar(part: u64, whole: u64) -> String {
    let length = (part * BAR).div_ceil(whole.max(1));
    let length = usize::try_from(length).expect("a bar is short");
    format!("{:<24}", "█".repeat(length))
}

/// All sweeps as a JSON array.
#[must_use]
pub fn json(swept: &[Swept], all: Option<&Score>) -> Value {
    let one = |sweep: &Swept| {
        let points = sweep.spec.values.iter().zip(&sweep.points);
        let points: Vec<Value> =
            points.map(|(tried, point)| point_json(&tried.value, tried.current, point, all)).collect();
        json!({"sweep": sweep.spec.name, "unit": sweep.spec.unit, "points": points})
    };
    swept.iter().map(one).collect()
}

fn point_json(value: &str, current: bool, point: &Point, all: Option<&Score>) -> Value {
    let actions: Map<String, Value> = Action::ALL
        .into_iter()
        .zip(point.actions)
        .map(|(action, count)| (action.name().to_owned(), count.into()))
        .collect();
    let mut json = json!({
        "value": value,
        "current": current,
        "decided": point.decided,
        "hits": point.rule.hits(),
        "hits_a_day": figures::a_day(point.rule.hits(), point.millis()),
        "any_rule": point.any_rule.hits(),
        "wallets": point.wallets.count(),
        "money_hit": figures::plain_money(point.rule.money.iter().sum()),
        "actions": actions,
    });
    if let (Some(all), Some(members)) = (all, json.as_object_mut()) {
        for (name, score) in [("rule", &point.rule), ("all_rules", &point.any_rule)] {
            members.insert(name.to_owned(), rates(score, all, point.millis()));
        }
    }
    json
}

fn rates(score: &Score, all: &Score, millis: i64) -> Value {
    let counts: Map<String, Value> =
        Class::ALL.into_iter().map(|class| (class.name().to_owned(), score.count(class).into())).collect();
    json!({
        "events": counts,
        "precision": score.precision(),
        "recall": score.recall(all),
        "f1": score.f1(all),
        "false_positives_a_day": figures::a_day(score.count(Class::Legitimate), millis),
        "money_caught": figures::plain_money(score.money[Class::Fraud as usize]),
    })
}
