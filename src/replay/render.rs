//! A summary as people read it, and as one JSON object.
//!
//! Both are the same from run to run but for the time that it took.

use super::{
    range::Unreported,
    summary::{Summary, Tally, TallyEntry},
    words::{LocalTime, cuts, named},
};
use crate::{
    decision::Action,
    event::shown::Shown,
    files::Extent,
    rules::{Mode, Packs},
    time::Timestamp,
    wording::{grouped, several},
};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// Reasons that the summary for people shows of each kind.
const SHOWN_REASONS: usize = 8;

/// The summary for people, ending with a line end.
#[must_use]
pub fn text(summary: &Summary, packs: &Packs, local: &LocalTime) -> String {
    let mut out = String::new();
    head(summary, packs, local, &mut out);
    decisions(summary, &mut out);
    rules(summary, packs, &mut out);
    restrictions(summary, packs, &mut out);
    reasons("rejected records", summary.rejected, &summary.reject_reasons, reject_line, &mut out);
    reasons("records skipped by the mapping", summary.skipped, &summary.skip_reasons, skip_line, &mut out);
    if !summary.first_flagged.is_empty() {
        let shown = u64::try_from(summary.first_flagged.len()).expect("a few sentences");
        let title = if shown == summary.flagged {
            "flagged decisions".to_owned()
        } else {
            format!("the first {shown} of {} flagged decisions", grouped(summary.flagged))
        };
        let _ = writeln!(out, "\n{title}");
        for sentence in &summary.first_flagged {
            let _ = writeln!(out, "  {sentence}");
        }
    }
    out
}

fn head(summary: &Summary, packs: &Packs, local: &LocalTime, out: &mut String) {
    let mut table = Table::default();
    let speed = format!("{} a second", grouped(summary.events_a_second()));
    table.row(["events decided", &grouped(summary.decided), if summary.decided > 0 { &speed } else { "" }]);
    if summary.rejected > 0 {
        table.row(["records rejected", &grouped(summary.rejected), ""]);
    }
    if summary.skipped > 0 {
        table.row(["records skipped", &grouped(summary.skipped), ""]);
    }
    let more = if summary.wallets.is_more() { "and more" } else { "" };
    if let Some(order) = summary.order {
        let runs = format!("sorted, {}", several(order.runs, "temporary file"));
        table.row(["records out of order", &grouped(order.out_of_order), &runs]);
    }
    table.row(["wallets", &grouped(summary.wallets.count()), more]);
    table.write("", out);
    if let Some((from, to)) = summary.span {
        let _ = writeln!(out, "from {} to {} ({})", local.text(from), local.text(to), local.zone_name());
    }
    if let Some(extent) = &summary.extent {
        of_the_topic(extent, out);
    }
    if let Some(unreported) = &summary.unreported {
        beside_the_range(unreported, local, out);
    }
    for cut in cuts(summary.unreported.as_ref(), summary.extent.as_ref(), packs, local) {
        let _ = writeln!(out, "{cut}");
    }
    let _ = writeln!(out, "packs {}", packs.name);
}

/// What was read of a topic.
fn of_the_topic(extent: &Extent, out: &mut String) {
    let (topic, partitions) = (&extent.topic, &extent.stretches);
    let offsets: i64 = partitions.iter().map(|stretch| stretch.end - stretch.begin).sum();
    let offsets = grouped(u64::try_from(offsets).unwrap_or_default());
    let _ = writeln!(out, "topic {topic}: {offsets} offsets of {}", several(count(partitions.len()), "partition"));
}

fn count(items: usize) -> u64 {
    u64::try_from(items).expect("what is in memory is below 2^64")
}

/// What was not reported.
fn beside_the_range(unreported: &Unreported, local: &LocalTime, out: &mut String) {
    let Unreported { left_out, warm_up, after, ended_at, .. } = unreported;
    let _ = writeln!(
        out,
        "not reported: {} to warm up, {} after the range; {} left out",
        several(*warm_up, "event"),
        grouped(*after),
        several(*left_out, "record")
    );
    if let Some(time) = ended_at {
        let time = local.text(*time);
        let _ = writeln!(out, "reading ended at an event of {time}: nothing of the range can come after it");
    }
}

fn decisions(summary: &Summary, out: &mut String) {
    let mut table = Table::default();
    for (action, count) in Action::ALL.into_iter().zip(summary.actions) {
        if count > 0 {
            table.row([action.name(), &grouped(count), &share(count, summary.decided)]);
        }
    }
    let _ = writeln!(out, "\ndecisions");
    if table.rows.is_empty() {
        let _ = writeln!(out, "  none");
    }
    table.write("  ", out);
    let mut notes = Table::default();
    for (what, count) in [
        ("only because of a standing restriction", summary.restriction_only),
        ("operations released", summary.released),
        ("operations cancelled", summary.cancelled),
        ("operations expired", summary.expired),
        ("late", summary.late),
        ("duplicate", summary.duplicate),
        ("warming", summary.warming),
        ("capped", summary.capped),
    ] {
        if count > 0 {
            notes.row([what, &grouped(count), ""]);
        }
    }
    if !notes.rows.is_empty() {
        let _ = writeln!(out, "\nof note");
        notes.write("  ", out);
    }
}

fn rules(summary: &Summary, packs: &Packs, out: &mut String) {
    for (title, mode, hits) in [
        ("rules over their limit", Mode::Live, &summary.live),
        ("shadow rules over their limit", Mode::Shadow, &summary.shadow),
    ] {
        let of_mode = packs.rules.iter().filter(|rule| rule.mode == mode).count();
        let mut table = Table::default();
        for (rule, count) in packs.rules.iter().zip(hits).filter(|(_, count)| **count > 0) {
            let title = rule.title.as_deref().unwrap_or_default();
            table.row([&named(&rule.id, rule.clause.as_deref()), &grouped(*count), title]);
        }
        if of_mode > 0 {
            let _ = writeln!(out, "\n{title}: {} of {of_mode}", table.rows.len());
            table.write("  ", out);
        }
    }
}

fn restrictions(summary: &Summary, packs: &Packs, out: &mut String) {
    let mut table = Table::default();
    for (restriction, count) in packs.restrictions.iter().zip(&summary.restrictions).filter(|(_, count)| **count > 0) {
        let name = named(&restriction.name, restriction.clause.as_deref());
        table.row([&name, &grouped(*count), restriction.action.name()]);
    }
    if !table.rows.is_empty() {
        let _ = writeln!(out, "\nstanding restrictions that applied");
        table.write("  ", out);
    }
}

/// A reason's words, and where it first came up.
type Line = fn(&TallyEntry) -> String;

fn reject_line(entry: &TallyEntry) -> String {
    format!("{} (first: {})", shown_message(&entry.example), shown_message(&entry.place))
}

fn skip_line(entry: &TallyEntry) -> String {
    let field = entry.field.as_deref().unwrap_or_default();
    format!("{field} \"{}\" (first: {})", Shown(&entry.what), shown_message(&entry.place))
}

fn reasons(title: &str, total: u64, tally: &Tally, line: Line, out: &mut String) {
    if total == 0 {
        return;
    }
    let _ = writeln!(out, "\n{title}");
    let mut table = Table::default();
    let sorted = tally.sorted();
    let mut left = total;
    for entry in sorted.iter().take(SHOWN_REASONS) {
        table.row([&grouped(entry.count), "", &line(entry)]);
        left -= entry.count;
    }
    if left > 0 {
        table.row([&grouped(left), "", "for other reasons"]);
    }
    table.write("  ", out);
}

/// A message as a terminal may see it. Its author has shortened the values in it; only control characters remain.
fn shown_message(message: &str) -> String {
    message.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

/// Rows of a name, a figure and a remark: names to the left, figures to the right.
#[derive(Default)]
struct Table {
    rows: Vec<[String; 3]>,
}

impl Table {
    fn row(&mut self, cells: [&str; 3]) {
        self.rows.push(cells.map(str::to_owned));
    }

    fn write(&self, indent: &str, out: &mut String) {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let (names, figures) = (width(0), width(1));
        for [name, figure, remark] in &self.rows {
            let line = if figures == 0 {
                format!("{indent}{name:>names$}  {remark}")
            } else {
                format!("{indent}{name:<names$}  {figure:>figures$}  {remark}")
            };
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
}

/// `12.3 %`, or `< 0.1 %`, to the right.
fn share(part: u64, whole: u64) -> String {
    let per_mille = (u128::from(part) * 1_000 + u128::from(whole) / 2) / u128::from(whole.max(1));
    let text = match per_mille {
        0 => "< 0.1 %".to_owned(),
        _ => format!("{}.{} %", per_mille / 10, per_mille % 10),
    };
    format!("{text:>7}")
}

/// The summary as one JSON object on one line, without a line end, with more members beside its own. Times are in UTC.
#[must_use]
pub fn json(summary: &Summary, packs: &Packs, stopped: Option<&str>, more: Map<String, Value>) -> String {
    let actions: Map<String, Value> = Action::ALL
        .into_iter()
        .zip(summary.actions)
        .map(|(action, count)| (action.name().to_owned(), count.into()))
        .collect();
    let mut value = json!({
        "pack": packs.name,
        "records": summary.records(),
        "decided": summary.decided,
        "rejected": summary.rejected,
        "skipped": summary.skipped,
        "wallets": summary.wallets.count(),
        "from": summary.span.map(|(from, _)| from.to_string()),
        "to": summary.span.map(|(_, to)| to.to_string()),
        "actions": actions,
        "flagged": summary.flagged,
        "restriction_only": summary.restriction_only,
        "rules": rules_json(packs, Mode::Live, &summary.live),
        "shadow": rules_json(packs, Mode::Shadow, &summary.shadow),
        "restrictions": packs.restrictions.iter().zip(&summary.restrictions).map(|(restriction, count)| json!({
            "restriction": restriction.name, "clause": restriction.clause, "hits": count,
        })).collect::<Vec<_>>(),
        "released": summary.released,
        "cancelled": summary.cancelled,
        "expired": summary.expired,
        "flags": {
            "late": summary.late, "duplicate": summary.duplicate, "warming": summary.warming, "capped": summary.capped,
        },
        "reject_reasons": summary.reject_reasons.sorted().iter().map(|entry| json!({
            "field": entry.field, "count": entry.count, "first": entry.place, "error": entry.example,
        })).collect::<Vec<_>>(),
        "skip_reasons": summary.skip_reasons.sorted().iter().map(|entry| json!({
            "field": entry.field, "value": entry.what, "count": entry.count, "first": entry.place,
        })).collect::<Vec<_>>(),
        "sorted": summary.order.map(|order| json!({
            "records": order.records, "out_of_order": order.out_of_order, "runs": order.runs, "spilled": order.spilled,
        })),
        "topic": summary.extent.as_ref().map(|extent| json!({
            "name": extent.topic,
            "partitions": extent.stretches.iter().map(|stretch| json!({
                "partition": stretch.partition, "begin": stretch.begin, "end": stretch.end, "cut": stretch.is_cut,
            })).collect::<Vec<_>>(),
        })),
        "range": summary.unreported.as_ref().map(|unreported| json!({
            "from": bound(unreported.range.from), "to": bound(unreported.range.to), "since": bound(unreported.range.since),
            "earliest": unreported.earliest.map(|time| time.to_string()), "reaches_back": !unreported.is_cut(),
            "warm_up": unreported.warm_up, "after": unreported.after, "left_out": unreported.left_out,
            "ended_at": unreported.ended_at.map(|time| time.to_string()),
        })),
        "stopped": stopped,
        "seconds": summary.seconds,
        "events_a_second": summary.events_a_second(),
    });
    value.as_object_mut().expect("it is the object above").extend(more);
    value.to_string()
}

/// An end of the range; nothing where it is open.
fn bound(time: Timestamp) -> Option<String> {
    (time != Timestamp::MIN && time != Timestamp::MAX).then(|| time.to_string())
}

fn rules_json(packs: &Packs, mode: Mode, hits: &[u64]) -> Vec<Value> {
    packs
        .rules
        .iter()
        .zip(hits)
        .filter(|(rule, _)| rule.mode == mode)
        .map(|(rule, count)| json!({"rule": rule.id, "clause": rule.clause, "title": rule.title, "hits": count}))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Fault, files::records::Record, replay::words::tests::packs, time::Timestamp};

    fn summary(packs: &Packs) -> Summary {
        let mut summary = Summary::new(packs);
        summary.decided = 1_234_567;
        summary.actions = [1_200_000, 34_560, 0, 0, 7, 0, 0];
        summary.flagged = 34_567;
        summary.live[0] = 7;
        summary.shadow[1] = 34_560;
        summary.restrictions[0] = 1;
        summary.restriction_only = 1;
        summary.late = 12_000;
        summary.span = Some((Timestamp(1_772_352_930_123), Timestamp(1_772_439_330_000)));
        summary.seconds = 2.0;
        summary.first_flagged = vec!["first".to_owned(), "second".to_owned()];
        let record = |line| Record { bytes: b"x", total: 1, line, offset: 0, unclosed: None, row: None, logged: None };
        for (line, message) in
            [(3, "amount: \"1\" is bad"), (4, "amount: \"22\" is bad"), (5, "the record is \u{7}odd")]
        {
            let field = message.starts_with("amount").then(|| "amount".to_owned());
            summary.rejected("a.ndjson", &record(line), &Fault { field, message: message.to_owned() });
        }
        summary.skipped("b.csv", &record(9), "type", "DEBIT");
        summary
    }

    #[test]
    fn the_summary_reads_well() {
        let packs = packs();
        let told = text(&summary(&packs), &packs, &LocalTime::of("Asia/Almaty"));
        let expected = "\
events decided    1,234,567  617,284 a second
records rejected          3
records skipped           1
wallets                   0
from 2026-03-01 13:15:30 to 2026-03-02 13:15:30 (Asia/Almaty)
packs small@1

decisions
  allow    1,200,000   97.2 %
  monitor     34,560    2.8 %
  hold             7  < 0.1 %

of note
  only because of a standing restriction       1
  late                                    12,000

rules over their limit: 1 of 1
  equal-transfers (7.15(2))  7  More than ten transfers of one amount within an hour

shadow rules over their limit: 1 of 1
  any-login  34,560

standing restrictions that applied
  suspicious (7.13)  1  hold

rejected records
  2  amount: \"1\" is bad (first: a.ndjson:3)
  1  the record is \u{fffd}odd (first: a.ndjson:5)

records skipped by the mapping
  1  type \"DEBIT\" (first: b.csv:9)

the first 2 of 34,567 flagged decisions
  first
  second
";
        assert_eq!(told, expected);
    }

    #[test]
    fn nothing_at_all_is_said_shortly() {
        let packs = packs();
        let told = text(&Summary::new(&packs), &packs, &LocalTime::of("Asia/Almaty"));
        assert_eq!(
            told,
            "events decided  0\nwallets         0\npacks small@1\n\ndecisions\n  none\n\nrules over their limit: 0 of 1\n\n\
             shadow rules over their limit: 0 of 1\n"
        );
    }

    #[test]
    fn the_summary_is_one_json_object() {
        let packs = packs();
        let told = json(&summary(&packs), &packs, Some("cut off"), Map::new());
        assert!(!told.contains('\n'));
        let value: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(value["decided"], 1_234_567);
        assert_eq!(value["records"], 1_234_571);
        assert_eq!(value["from"], "2026-03-01T08:15:30.123Z");
        assert_eq!(value["actions"]["hold"], 7);
        assert_eq!(
            value["rules"],
            json!([{"rule": "equal-transfers", "clause": "7.15(2)",
            "title": "More than ten transfers of one amount within an hour", "hits": 7}])
        );
        assert_eq!(value["shadow"][0]["hits"], 34_560);
        assert_eq!(value["skip_reasons"][0]["value"], "DEBIT");
        assert_eq!(value["events_a_second"], 617_284);
        assert_eq!(value["stopped"], "cut off");
    }

    #[test]
    fn shares_are_rounded_to_a_tenth() {
        for (part, whole, text) in [(1, 2, " 50.0 %"), (1, 100_000, "< 0.1 %"), (3, 3, "100.0 %"), (0, 0, "< 0.1 %")] {
            assert_eq!(share(part, whole), text);
        }
    }
}
