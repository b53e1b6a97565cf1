//! A decision in plain words, for people at a terminal.
//!
//! Texts of events are anybody's, so control characters in them never reach the terminal as such.

use super::range::Unreported;
use crate::{
    decision::{Decision, Of, Reason, RestrictionReason, RuleReason, Text},
    event::{Event, shown::Shown},
    files::Extent,
    number::Amount,
    rules::{Measure, Packs},
    time::Timestamp,
};
use std::fmt::Write;

/// Puts instants into local time.
pub struct LocalTime {
    zone: jiff::tz::TimeZone,
    name: String,
}

impl LocalTime {
    /// The time of an IANA zone of the bundled database, or UTC when it is not there.
    #[must_use]
    pub fn of(name: &str) -> LocalTime {
        match jiff::tz::TimeZoneDatabase::bundled().get(name) {
            Ok(zone) => LocalTime { zone, name: name.to_owned() },
            Err(_) => LocalTime { zone: jiff::tz::TimeZone::UTC, name: "UTC".to_owned() },
        }
    }

    #[must_use]
    pub fn zone_name(&self) -> &str {
        &self.name
    }

    /// `2026-03-01 13:15:30`, milliseconds left out.
    #[must_use]
    pub fn text(&self, time: Timestamp) -> String {
        match jiff::Timestamp::from_millisecond(time.0) {
            Ok(instant) => self.zone.to_datetime(instant).strftime("%Y-%m-%d %H:%M:%S").to_string(),
            Err(_) => time.to_string(),
        }
    }

    /// The same without the date when it is that of `beside`.
    fn text_beside(&self, time: Timestamp, beside: Timestamp) -> String {
        let (text, other) = (self.text(time), self.text(beside));
        match (text.split_once(' '), other.split_once(' ')) {
            (Some((date, clock)), Some((same, _))) if date == same => clock.to_owned(),
            _ => text,
        }
    }
}

/// Tells decisions.
pub struct Words<'a> {
    pub packs: &'a Packs,
    pub local: &'a LocalTime,
}

impl Words<'_> {
    /// `2026-03-01 13:15:30  hold  77010000001 transfer e-11 of 5000.00: equal-transfers (7.15(2)): 11, limit 10, …`
    #[must_use]
    pub fn sentence(&self, event: &Event<'_>, decision: &Decision) -> String {
        let (time, action) = (self.local.text(event.time), decision.action.name());
        let mut out = format!("{time}  {action:<7}  {}", self.subject(event));
        let reasons = self.reasons(event, decision);
        if !reasons.is_empty() {
            out.push_str(": ");
            out.push_str(&reasons);
        }
        out
    }

    /// `2026-03-01 13:15:30  77010000001 transfer e-11 of 5000.00`
    #[must_use]
    pub fn operation(&self, event: &Event<'_>) -> String {
        format!("{}  {}", self.local.text(event.time), self.subject(event))
    }

    fn subject(&self, event: &Event<'_>) -> String {
        let mut out = format!("{} {} {}", Shown(event.wallet), self.packs.types.name(event.kind), Shown(event.id));
        if let Some(amount) = event.amount {
            let _ = write!(out, " of {}", money(amount));
        }
        out
    }

    /// What is behind a decision; nothing for a bare `allow`.
    #[must_use]
    pub fn reasons(&self, event: &Event<'_>, decision: &Decision) -> String {
        let mut parts: Vec<String> = decision
            .reasons
            .iter()
            .map(|reason| match reason {
                Reason::Rule(reason) => self.rule(reason, event, decision),
                Reason::Restriction(reason) => self.restriction(reason, event, decision),
            })
            .collect();
        parts.extend(decision.shadow.iter().map(|reason| format!("shadow {}", self.rule(reason, event, decision))));
        for (what, ids) in
            [("releases", &decision.released), ("cancels", &decision.cancelled), ("lets expire", &decision.expired)]
        {
            if !ids.is_empty() {
                parts.push(format!("{what} {}", ids_shown(ids, decision)));
            }
        }
        parts.extend(decision.flags.names().map(str::to_owned));
        parts.join("; ")
    }

    fn rule(&self, reason: &RuleReason, event: &Event<'_>, decision: &Decision) -> String {
        let rule = self.packs.rule(reason.rule);
        let is_idle = matches!(rule.measure, Some(Measure::Idle { .. }));
        let mut details = Vec::new();
        if let Some(measured) = reason.measured {
            let text = decision.text(measured);
            details.push(match Timestamp::parse(text) {
                Ok(last) if is_idle => format!("last used {}", self.local.text(last)),
                _ => Shown(text).to_string(),
            });
        }
        if let Some(limit) = reason.limit {
            details.push(format!("limit {}", Shown(decision.text(limit))));
        }
        // What is idle since then was last used then.
        if let Some(from) = reason.from.filter(|_| !is_idle) {
            details.push(format!("since {}", self.local.text_beside(from, event.time)));
        }
        let colon = if details.is_empty() { "" } else { ": " };
        format!("{}{colon}{}", named(&rule.id, rule.clause.as_deref()), details.join(", "))
    }

    pub(super) fn restriction(&self, reason: &RestrictionReason, event: &Event<'_>, decision: &Decision) -> String {
        let restriction = self.packs.restriction(reason.restriction);
        let of = match reason.of {
            Of::Wallet => "",
            Of::Counterparty => " on the counterparty",
            Of::Ip => " on the address",
            Of::All => " on all",
        };
        let mut out = format!(
            "{} stands{of} since {} by {} (event {})",
            named(&restriction.name, restriction.clause.as_deref()),
            self.local.text_beside(reason.since, event.time),
            Shown(decision.text(reason.by)),
            Shown(decision.text(reason.by_event)),
        );
        if let Some(until) = reason.until {
            let _ = write!(out, " until {}", self.local.text_beside(until, event.time));
        }
        out
    }
}

/// `equal-transfers (7.15(2))`, or the name alone.
#[must_use]
pub fn named(name: &str, clause: Option<&str>) -> String {
    match clause {
        Some(clause) => format!("{name} ({clause})"),
        None => name.to_owned(),
    }
}

fn ids_shown(ids: &[Text], decision: &Decision) -> String {
    let shown: Vec<_> = ids.iter().take(5).map(|id| Shown(decision.text(*id)).to_string()).collect();
    let more = if ids.len() > shown.len() { format!(" and {} more", ids.len() - shown.len()) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// Two decimals, as money is read: `5000.00`.
fn money(amount: Amount) -> String {
    let sign = if amount.0 < 0 { "-" } else { "" };
    let minor = amount.0.unsigned_abs();
    format!("{sign}{}.{:02}", minor / 100, minor % 100)
}

/// Why what is known may begin too late, each as a sentence: how far back the data would have had to reach, and what of a topic
/// has been deleted.
#[must_use]
pub fn cuts(unreported: Option<&Unreported>, extent: Option<&Extent>, packs: &Packs, local: &LocalTime) -> Vec<String> {
    let mut cuts = Vec::new();
    if let Some(Unreported { range, earliest, .. }) = unreported.filter(|unreported| unreported.is_cut()) {
        let for_rule = range.longest(&packs.rules, &packs.zone).filter(|_| range.as_rules_look_back);
        let whose = for_rule.map_or_else(|| "the warm-up goes".to_owned(), |rule| format!("rule {} looks", rule.id));
        let begin = earliest.map_or("there are none".to_owned(), |time| format!("they begin {}", local.text(time)));
        let since = local.text(range.since);
        cuts.push(format!("the data do not reach back far enough: {whose} back to {since}, {begin}"));
    }
    for stretch in extent.into_iter().flat_map(|extent| &extent.stretches).filter(|stretch| stretch.is_cut) {
        let (partition, begin) = (stretch.partition, stretch.begin);
        cuts.push(format!(
            "partition {partition} begins at offset {begin}: what came before has been deleted, and is missing here"
        ));
    }
    cuts
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::decision::{Action, RestrictionId, RuleId};
    use crate::event::decode::Decoder;

    /// A pack of two rules, the second in shadow, and one restriction.
    pub(in super::super) fn packs() -> Packs {
        let text = r#"
            name = "small"
            version = "1"
            timezone = "Asia/Almaty"
            currency = "KZT"
            [event.transfer]
            requires = ["amount", "counterparty"]
            [event.login]
            requires = []
            [event.contact]
            requires = []
            [restriction.suspicious]
            clause = "7.13"
            action = "hold"
            on = ["transfer"]
            lifted_by = ["contact"]
            [[rule]]
            id = "equal-transfers"
            clause = "7.15(2)"
            title = "More than ten transfers of one amount within an hour"
            on = ["transfer"]
            count = { per = ["wallet", "amount"], within = "1h", over = 10 }
            action = "hold"
            restrict = "suspicious"
            [[rule]]
            id = "any-login"
            on = ["login"]
            action = "monitor"
            mode = "shadow"
            [[rule]]
            id = "inactive-login"
            clause = "5.11.4"
            on = ["login"]
            idle = { since = ["login"], over = "12 months" }
            mode = "off"
        "#;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("small.toml");
        std::fs::write(&path, text).expect("a file in it");
        let mut packs = match crate::pack_files::load_paths(&[path]) {
            Ok(loaded) => loaded.packs,
            Err(diagnostics) => panic!("{}", diagnostics.render(false)),
        };
        packs.name = "small@1".to_owned();
        packs
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn sentence(record: &str, fill: impl FnOnce(&mut Decision)) -> String {
        let packs = packs();
        let local = LocalTime::of("Asia/Almaty");
        let mut decoder = Decoder::default();
        let event = decoder.decode(record.as_bytes(), &packs.types, packs.currency).expect("a good record");
        let mut decision = Decision::default();
        fill(&mut decision);
        Words { packs: &packs, local: &local }.sentence(&event, &decision)
    }

    const TRANSFER: &str = r#"{"id":"e-11","type":"transfer","time":"2026-03-01T08:15:30Z","wallet":"77010000001","counterparty":"7","amount":"5000"}"#;
    const LOGIN: &str = r#"{"id":"e\u001b[2J","type":"login","time":"2026-03-01T08:15:30Z","wallet":"77010000001"}"#;

    #[test]
    fn a_decision_is_told_with_its_reasons() {
        let told = sentence(TRANSFER, |decision| {
            decision.action = Action::Hold;
            let reason = RuleReason {
                rule: RuleId(0),
                measured: Some(decision.put("11")),
                limit: Some(decision.put("10")),
                from: Some(at("2026-03-01T07:15:30Z")),
            };
            decision.reasons.push(Reason::Rule(reason));
            let reason = RestrictionReason {
                restriction: RestrictionId(0),
                of: Of::Counterparty,
                since: at("2026-02-28T08:00:00Z"),
                until: Some(at("2026-03-01T18:59:59Z")),
                by: decision.put("large-transfer"),
                by_event: decision.put("e-9"),
            };
            decision.reasons.push(Reason::Restriction(reason));
            decision.flags.late = true;
        });
        assert_eq!(
            told,
            "2026-03-01 13:15:30  hold     77010000001 transfer e-11 of 5000.00: equal-transfers (7.15(2)): 11, limit 10, \
             since 12:15:30; suspicious (7.13) stands on the counterparty since 2026-02-28 13:00:00 by large-transfer \
             (event e-9) until 23:59:59; late"
        );
    }

    #[test]
    fn what_is_released_and_shadowed_is_told_too() {
        let told = sentence(LOGIN, |decision| {
            decision.shadow.push(RuleReason { rule: RuleId(1), measured: None, limit: None, from: None });
            for number in 0..7 {
                let id = decision.put(&format!("e-{number}"));
                decision.released.push(id);
            }
        });
        assert_eq!(
            told,
            "2026-03-01 13:15:30  allow    77010000001 login e\\u001b[2J: shadow any-login; releases e-0, e-1, e-2, e-3, \
             e-4 and 2 more"
        );
    }

    #[test]
    fn idle_is_told_in_local_time_and_once() {
        let told = sentence(LOGIN, |decision| {
            let last = at("2025-01-25T04:34:36.250Z");
            let (measured, limit) = (Some(decision.put(&last.to_string())), Some(decision.put("12 months")));
            let reason = RuleReason { rule: RuleId(2), measured, limit, from: Some(last) };
            decision.reasons.push(Reason::Rule(reason));
        });
        let expected = ": inactive-login (5.11.4): last used 2025-01-25 09:34:36, limit 12 months";
        assert!(told.ends_with(expected), "{told}");
    }

    #[test]
    fn money_has_two_decimals() {
        for (minor, text) in [(500_000, "5000.00"), (5, "0.05"), (-1_234, "-12.34")] {
            assert_eq!(money(Amount(minor)), text);
        }
    }
}
