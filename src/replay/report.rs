//! A backtest as one file that opens without a network: charts, the tables behind them, and the rules that were run.
//!
//! Tables and texts are written here, so that they are there where scripts do not run, on paper and for a screen reader;
//! charts are drawn where the file is opened, by Observable Plot, which every file carries (`report/assets`). The same
//! input gives the same bytes: no clock, no speed.
//!
//! A report gets mailed. So wallets are masked unless somebody asks for them in full, and no text of an event but its id is
//! shown.

mod buckets;
mod data;
mod gather;
mod page;
mod wallets;
mod written;

pub use gather::Gathered;
pub use written::Written;

use super::{
    compare::{self, Comparison},
    figures,
    labels::{self, scores::Scores},
    summary::{Summary, Tally},
    sweep::{self, Swept},
    table::Table,
    verify::{self, Verification},
    words::{LocalTime, named},
};
use crate::{
    decision::Action,
    event::shown::Shown,
    mask::masked,
    rules::{Mode, Packs},
    wording::{grouped, several},
};
use page::Page;
use serde_json::Value;

/// How a report names wallets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Named {
    /// The first three and the last two characters
    #[default]
    Masked,
    /// As they are
    Full,
}

impl Named {
    /// A wallet as the report shows it.
    fn shown(self, wallet: &str) -> String {
        match self {
            Named::Masked => masked(wallet),
            Named::Full => Shown(wallet).to_string(),
        }
    }
}

/// What a replay and its companions have found.
pub struct Found<'a> {
    pub summary: &'a Summary,
    pub packs: &'a Packs,
    pub written: &'a [Written],
    /// The packs that `comparison` compares with.
    pub other: Option<(&'a Packs, &'a [Written])>,
    pub comparison: Option<&'a Comparison>,
    pub scores: Option<&'a Scores>,
    pub swept: &'a [Swept],
    pub verification: Option<&'a Verification>,
    /// Why not everything was read.
    pub stopped: Option<&'a str>,
}

/// The whole report as HTML.
#[must_use]
pub fn html(gathered: &Gathered, found: &Found<'_>, names: Named) -> String {
    let mut page = Page::default();
    overview(gathered, found, &mut page);
    over_time(gathered, found, &mut page);
    rules(found, &mut page);
    hours(found, &mut page);
    if let Some(scores) = found.scores {
        labelled(scores, &mut page);
    }
    if !found.swept.is_empty() {
        swept(found, &mut page);
    }
    if let Some(comparison) = found.comparison {
        compared(comparison, names, &mut page);
    }
    top_wallets(gathered, names, &mut page);
    if let Some(verification) = found.verification {
        verified(verification, &mut page);
    }
    records(found.summary, names, &mut page);
    texts(found, names, &mut page);
    page.finish("Backtest", &data::of(gathered, found, names))
}

fn overview(gathered: &Gathered, found: &Found<'_>, page: &mut Page) {
    let (summary, packs) = (found.summary, found.packs);
    page.section("Overview");
    let local = LocalTime::of(packs.zone.name());
    if let Some((from, to)) = summary.span {
        page.paragraph(&format!("{} to {}, {}", local.text(from), local.text(to), local.zone_name()));
    }
    if let Some(why) = found.stopped {
        page.paragraph(&format!("Not everything was read: {why}"));
    }
    let acted = summary.decided - summary.actions[Action::Allow as usize];
    let more = if summary.wallets.is_more() { "+" } else { "" };
    let mut tiles = vec![
        ("events decided", grouped(summary.decided)),
        ("more than allow", grouped(acted)),
        ("of all", figures::percent(figures::ratio(acted, summary.decided))),
        ("wallets", format!("{}{more}", grouped(summary.wallets.count()))),
        ("stopped", figures::money(gathered.money[Action::Hold as usize..].iter().sum())),
    ];
    if let Some(scores) = found.scores {
        tiles.push(("precision", figures::percent(scores.any_rule.precision())));
        tiles.push(("recall", figures::percent(scores.any_rule.recall(&scores.all))));
    }
    page.tiles(&tiles);
    page.note(&format!("packs {}", packs.name));
    page.note(&format!(
        "“stopped” is the money of operations that were held, refused or blocked, in {}; repeats of an event are left out",
        packs.currency.as_str()
    ));
}

fn over_time(gathered: &Gathered, found: &Found<'_>, page: &mut Page) {
    page.section("Decisions over time");
    if found.summary.decided == 0 {
        page.paragraph("Nothing was decided.");
        return;
    }
    page.chart("actions", 0, "Decisions that were more than allow, by action");
    page.chart("events", 0, "All decisions");
    let (_, left_out) = gathered.over_time.shown();
    if left_out > 0 {
        page.note(&format!("{} lie far from all others and are not in the charts", several(left_out, "decision")));
    }
    let mut table = Table::new(&["action", "decisions", "share", "money"], 1);
    for action in Action::ALL {
        let count = found.summary.actions[action as usize];
        let share = figures::percent(figures::ratio(count, found.summary.decided));
        let money = figures::money(gathered.money[action as usize]);
        table.row([action.name().to_owned(), grouped(count), share, money]);
    }
    page.table("Decisions by action", &table);
    let summary = found.summary;
    let notes: Vec<String> = [
        ("only because of a standing restriction", summary.restriction_only),
        ("late", summary.late),
        ("repeats", summary.duplicate),
        ("warming", summary.warming),
        ("capped", summary.capped),
        ("operations released", summary.released),
        ("operations cancelled", summary.cancelled),
        ("operations expired", summary.expired),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(what, count)| format!("{what}: {}", grouped(count)))
    .collect();
    if !notes.is_empty() {
        page.note(&notes.join("; "));
    }
}

fn rules(found: &Found<'_>, page: &mut Page) {
    page.section("Rules");
    let (packs, summary) = (found.packs, found.summary);
    let mut table = Table::new(&["rule", "clause", "what", "action", "hits"], 4);
    for (rule, (live, shadow)) in packs.rules.iter().zip(summary.live.iter().zip(&summary.shadow)) {
        let (action, hits) = match rule.mode {
            Mode::Live => (rule.action.name(), live),
            Mode::Shadow => ("shadow", shadow),
            Mode::Off => continue,
        };
        let [clause, title] = [&rule.clause, &rule.title].map(|text| text.clone().unwrap_or_default());
        table.row([rule.id.clone(), clause, title, action.to_owned(), grouped(*hits)]);
    }
    if summary.live.iter().chain(&summary.shadow).any(|hits| *hits > 0) {
        page.chart("rules", 0, "Decisions that each rule hits, at most the first forty rules");
        page.table_behind("hits by rule", &table);
    } else {
        page.paragraph("No rule was over its limit.");
        page.table("hits by rule", &table);
    }
    let mut standing = Table::new(&["restriction", "action", "decisions"], 2);
    for (restriction, count) in packs.restrictions.iter().zip(&summary.restrictions).filter(|(_, count)| **count > 0) {
        let name = named(&restriction.name, restriction.clause.as_deref());
        standing.row([name, restriction.action.name().to_owned(), grouped(*count)]);
    }
    if !standing.is_empty() {
        page.table("Standing restrictions that applied", &standing);
    }
    if summary.decided > 0 {
        page.heading("Scores");
        page.chart("scores", 0, "Events by score, those of score 0 left out");
    }
}

fn hours(found: &Found<'_>, page: &mut Page) {
    if found.summary.decided == 0 {
        return;
    }
    page.section("Hours");
    page.chart("hours", 1, "Decisions that were more than allow, by day and hour");
    page.chart("hours", 0, "All decisions, by day and hour");
    page.note(&format!("local time of {}", found.packs.zone.name()));
}

fn labelled(scores: &Scores, page: &mut Page) {
    page.section("Labels");
    page.chart("labels", 0, "Precision and recall: each rule, and every threshold of the total score");
    page.table("Events by what they turned out to be", &labels::render::classes(scores));
    for note in labels::render::notes(scores) {
        page.note(&note);
    }
    page.table("Rules against the labels", &labels::render::rules(scores));
    if let Some(idle) = labels::render::idle(scores) {
        page.note(&idle);
    }
    let overlap = labels::render::overlap(scores);
    if !overlap.is_empty() {
        page.table("Rules that hit together", &overlap);
    }
}

fn swept(found: &Found<'_>, page: &mut Page) {
    page.section("Sweeps");
    let all = found.scores.map(|scores| &scores.all);
    for (place, sweep) in found.swept.iter().enumerate() {
        let name = sweep.spec.title();
        page.heading(&name);
        if all.is_some() {
            page.chart("rates", place, &format!("Precision and recall of {name}"));
        }
        page.chart("alerts", place, &format!("Hits a day of {name}"));
        page.chart("money", place, &format!("Money of {name}"));
        page.table(&format!("Sweep of {name}"), &sweep::render::table(sweep, all, false));
    }
}

fn compared(comparison: &Comparison, names: Named, page: &mut Page) {
    page.section("Comparison");
    let value = compare::render::json(comparison);
    page.note(&format!("before: {}", words(&value["before"])));
    page.note(&format!("after: {}", words(&value["after"])));
    let tables = compare::render::tables(comparison);
    if tables.is_empty() {
        page.paragraph("No decision changes.");
        return;
    }
    page.chart("changes", 0, "Changed decisions by the rules behind them, at most the first forty");
    for (title, table) in &tables {
        page.table(title, table);
    }
    let headings = ["time", "wallet", "event", "type", "before", "after", "rules before", "rules after", "amount"];
    let mut examples = Table::new(&headings, 8);
    for example in &comparison.examples {
        let json = &example.json;
        let rules = |side: &str| {
            let ids = json[side]["rules"].as_array().into_iter().flatten().map(words);
            ids.collect::<Vec<_>>().join(", ")
        };
        let wallet = names.shown(&words(&json["wallet"]));
        let event = Shown(&words(&json["event"])).to_string();
        let [time, kind, amount] = ["time", "type", "amount"].map(|member| words(&json[member]));
        let [before, after] = ["before", "after"].map(|side| words(&json[side]["action"]));
        examples.row([time, wallet, event, kind, before, after, rules("before"), rules("after"), amount]);
    }
    if !examples.is_empty() {
        page.table("Examples of what changes", &examples);
    }
}

/// A text of JSON; nothing for `null`.
fn words(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn top_wallets(gathered: &Gathered, names: Named, page: &mut Page) {
    page.section("Wallets");
    let first = gathered.wallets.first();
    if first.is_empty() {
        page.paragraph("No decision was more than allow.");
        return;
    }
    page.chart(
        "wallets",
        0,
        "Wallets with the most decisions that a rule hit, and those that only a restriction carried",
    );
    let headings = ["", "wallet", "worst", "event of it", "by a rule", "only a restriction", "money"];
    let mut table = Table::new(&headings, 4);
    for (place, (wallet, tally)) in first.iter().enumerate() {
        let others = tally.decisions - tally.by_rule;
        let place = (place + 1).to_string();
        let event = Shown(&tally.event).to_string();
        let figures = [grouped(tally.by_rule), grouped(others), figures::money(tally.money)];
        let left = [place, names.shown(wallet), tally.worst.name().to_owned(), event];
        table.row(left.into_iter().chain(figures));
    }
    page.table("Wallets with the most decisions that were more than allow", &table);
    if gathered.wallets.taken() > 0 {
        let short = several(gathered.wallets.taken(), "decision");
        page.note(&format!("more wallets than are counted one by one: each figure may be short of up to {short}"));
    }
    if names == Named::Masked {
        page.note("wallets are masked; --report-wallets full names them");
    }
}

fn verified(verification: &Verification, page: &mut Page) {
    page.section("Verification");
    let value = verify::json(&verification.found);
    for (what, member) in [
        ("decisions the same to the byte", "same"),
        ("different in nothing but the packs' names", "other_packs"),
        ("different", "different"),
    ] {
        page.paragraph(&format!("{what}: {}", grouped(value[member].as_u64().unwrap_or(0))));
    }
}

fn records(summary: &Summary, names: Named, page: &mut Page) {
    if summary.rejected + summary.skipped == 0 {
        return;
    }
    page.section("Records left out");
    for (title, total, tally) in [
        ("Rejected records", summary.rejected, &summary.reject_reasons),
        ("Records skipped by the mapping", summary.skipped, &summary.skip_reasons),
    ] {
        if total > 0 {
            page.table(title, &reasons(tally, total, names));
        }
    }
}

/// What a reject quotes may be anybody's; masked, its shape is told without the values.
fn reasons(tally: &Tally, total: u64, names: Named) -> Table {
    let mut table = Table::new(&["field", "why", "first", "records"], 3);
    for entry in tally.sorted() {
        let why = if names == Named::Full && !entry.example.is_empty() { &entry.example } else { &entry.what };
        let field = entry.field.clone().unwrap_or_default();
        table.row([field, why.clone(), entry.place.clone(), grouped(entry.count)]);
    }
    if tally.others > 0 {
        table.row([String::new(), "other reasons".to_owned(), String::new(), grouped(tally.others)]);
    }
    table.row([String::new(), "all".to_owned(), String::new(), grouped(total)]);
    table
}

fn texts(found: &Found<'_>, names: Named, page: &mut Page) {
    page.section("Rule texts");
    let both = [Some((found.packs, found.written)), found.other];
    let mut shown: Vec<&str> = Vec::new();
    for (packs, written) in both.into_iter().flatten() {
        for pack in written {
            if !shown.contains(&pack.name.as_str()) {
                shown.push(&pack.name);
                page.verbatim(&format!("{}: {}", pack.file, pack.name), &pack.shown(packs, names));
            }
        }
    }
    if names == Named::Masked {
        page.note("names of lists that may be people's are masked");
    }
}
