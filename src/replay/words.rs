//! A decision in plain words, for people at a terminal.
//!
//! Texts of events are anybody's, so control characters in them never reach the terminal as such.

use crate::{
    decision::{Decision, Of, Reason, RestrictionReason, RuleReason, Text},
    event::{Event, shown::Shown},
    number::Amount,
    rules::Packs,
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
        let mut out = format!(
            "{}  {:<7}  {} {} {}",
            self.local.text(event.time),
            decision.action.name(),
            Shown(event.wallet),
            self.packs.types.name(event.kind),
            Shown(event.id),
        );
        if let Some(amount) = event.amount {
            let _ = write!(out, " of {}", money(amount));
        }
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
        if !parts.is_empty() {
            out.push_str(": ");
            out.push_str(&parts.join("; "));
        }
        out
    }

    fn rule(&self, reason: &RuleReason, event: &Event<'_>, decision: &Decision) -> String {
        let rule = self.packs.rule(reason.rule);
        let mut details = Vec::new();
        if let Some(measured) = reason.measured {
            details.push(Shown(decision.text(measured)).to_string());
        }
        if let Some(limit) = reason.limit {
            details.push(format!("limit {}", Shown(decision.text(limit))));
        }
        if let Some(from) = reason.from {
            details.push(format!("since {}", self.local.text_beside(from, event.time)));
        }
        let colon = if details.is_empty() { "" } else { ": " };
        format!("{}{colon}{}", named(&rule.id, rule.clause.as_deref()), details.join(", "))
    }

    fn restriction(&self, reason: &RestrictionReason, event: &Event<'_>, decision: &Decision) -> String {
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
