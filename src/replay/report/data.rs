//! What the charts show, as JSON: the summaries as `--json` tells them, and the counts of a report.
//!
//! Nothing that differs from run to run, no event's text, and wallets as the tables name them.

use super::{Found, Gathered, Named};
use crate::{
    decision::Action,
    replay::{compare, figures::plain_money, labels, sweep},
    rules::Mode,
};
use serde_json::{Value, json};

/// The data of all charts.
#[must_use]
pub fn of(gathered: &Gathered, found: &Found<'_>, names: Named) -> Value {
    let all = found.scores.map(|scores| &scores.all);
    let mut comparison = found.comparison.map(compare::render::json);
    if let Some(members) = comparison.as_mut().and_then(Value::as_object_mut) {
        members.remove("examples");
    }
    json!({
        "currency": found.packs.currency.as_str(),
        "actions": Action::ALL.map(Action::name),
        "time": {
            "width": gathered.over_time.width(),
            "buckets": gathered.over_time.shown().0.into_iter().map(|(start, counts)| json!([start, counts])).collect::<Vec<_>>(),
        },
        "hours": gathered.hours.map(|day| day.map(|hour| [hour.all, hour.acted])),
        "rules": rules(found),
        "scores": gathered.scores.iter().enumerate()
            .filter(|(_, classes)| classes.iter().any(|count| *count > 0))
            .map(|(score, classes)| json!([score, classes])).collect::<Vec<_>>(),
        "bands": found.packs.bands.iter().map(|(from, action)| json!([from, action.name()])).collect::<Vec<_>>(),
        "labels": found.scores.map(labels::render::json),
        "sweeps": sweep::render::json(found.swept, all),
        "compare": comparison,
        "wallets": gathered.wallets.first().into_iter().map(|(wallet, tally)| json!({
            "wallet": names.shown(wallet), "by_rule": tally.by_rule, "others": tally.decisions - tally.by_rule,
            "worst": tally.worst.name(), "money": plain_money(tally.money),
        })).collect::<Vec<_>>(),
    })
}

/// Every rule that is not off, with its hits.
fn rules(found: &Found<'_>) -> Vec<Value> {
    let hits = found.summary.live.iter().zip(&found.summary.shadow);
    let rules = found.packs.rules.iter().zip(hits).filter(|(rule, _)| rule.mode != Mode::Off);
    rules
        .map(|(rule, (live, shadow))| {
            let is_shadow = rule.mode == Mode::Shadow;
            json!({"rule": rule.id, "clause": rule.clause, "title": rule.title, "action": rule.action.name(),
                "shadow": is_shadow, "hits": if is_shadow { shadow } else { live }})
        })
        .collect()
}
