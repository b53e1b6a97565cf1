//! The decision as bytes: keys in the order of section 7, compact, empty ones left out. Only quotes, backslashes and
//! control characters are escaped; everything else stays as it came.

use super::calendar;
use super::event::Event;
use super::measure::Finding;
use super::pack::{Action, Rule};

/// One entry of `reasons` or `shadow`, of a rule or of a restriction.
pub struct Reason {
    pub rule: Option<String>,
    pub restriction: Option<String>,
    pub of: Option<&'static str>,
    pub clause: Option<String>,
    pub action: Action,
    pub score: u64,
    pub measured: Option<String>,
    pub limit: Option<String>,
    pub from: Option<i64>,
    pub since: Option<i64>,
    pub until: Option<i64>,
    pub by: Option<String>,
    pub by_event: Option<String>,
}

impl Default for Reason {
    fn default() -> Reason {
        Reason {
            rule: None,
            restriction: None,
            of: None,
            clause: None,
            action: Action::Allow,
            score: 0,
            measured: None,
            limit: None,
            from: None,
            since: None,
            until: None,
            by: None,
            by_event: None,
        }
    }
}

impl Reason {
    pub fn of_rule(rule: &Rule, finding: &Finding) -> Reason {
        Reason {
            rule: Some(rule.id.clone()),
            clause: rule.clause.clone(),
            action: rule.action,
            score: rule.score,
            measured: finding.measured.clone(),
            limit: finding.limit.clone(),
            from: finding.from,
            ..Reason::default()
        }
    }

    fn print(&self) -> String {
        let mut object = Object::new();
        object.maybe("rule", self.rule.as_deref());
        object.maybe("restriction", self.restriction.as_deref());
        object.maybe("of", self.of);
        object.maybe("clause", self.clause.as_deref());
        object.text("action", self.action.name());
        if self.score != 0 {
            object.raw("score", &self.score.to_string());
        }
        object.maybe("measured", self.measured.as_deref());
        object.maybe("limit", self.limit.as_deref());
        for (key, time) in [("from", self.from), ("since", self.since), ("until", self.until)] {
            object.maybe(key, time.map(calendar::print).as_deref());
        }
        object.maybe("by", self.by.as_deref());
        object.maybe("by_event", self.by_event.as_deref());
        object.end()
    }
}

pub struct Decision {
    pub action: Action,
    pub score: u64,
    pub reasons: Vec<Reason>,
    pub shadow: Vec<Reason>,
    /// Names and statuses.
    pub restrictions: Vec<(String, Option<String>)>,
    pub released: Vec<String>,
    pub cancelled: Vec<String>,
    pub expired: Vec<String>,
    pub waiting_forgotten: bool,
    pub flags: Vec<&'static str>,
}

impl Default for Decision {
    fn default() -> Decision {
        Decision {
            action: Action::Allow,
            score: 0,
            reasons: Vec::new(),
            shadow: Vec::new(),
            restrictions: Vec::new(),
            released: Vec::new(),
            cancelled: Vec::new(),
            expired: Vec::new(),
            waiting_forgotten: false,
            flags: Vec::new(),
        }
    }
}

impl Decision {
    pub fn print(&self, event: &Event, pack: &str) -> String {
        let mut object = Object::new();
        object.text("event", &event.id);
        object.text("type", &event.kind);
        object.text("wallet", &event.wallet);
        object.text("time", &calendar::print(event.time));
        object.text("action", self.action.name());
        object.raw("score", &self.score.to_string());
        object.array("reasons", self.reasons.iter().map(Reason::print));
        object.array("shadow", self.shadow.iter().map(Reason::print));
        object.array(
            "restrictions",
            self.restrictions.iter().map(|(name, status)| {
                let mut entry = Object::new();
                entry.text("name", name);
                entry.maybe("status", status.as_deref());
                entry.end()
            }),
        );
        object.array("released", self.released.iter().map(|id| quoted(id)));
        object.array("cancelled", self.cancelled.iter().map(|id| quoted(id)));
        object.array("expired", self.expired.iter().map(|id| quoted(id)));
        if self.waiting_forgotten {
            object.raw("waiting_forgotten", "true");
        }
        object.array("flags", self.flags.iter().map(|flag| quoted(flag)));
        object.text("pack", pack);
        object.end()
    }
}

/// A JSON object under construction.
struct Object {
    members: Vec<String>,
}

impl Object {
    fn new() -> Object {
        Object { members: Vec::new() }
    }

    fn raw(&mut self, key: &str, value: &str) {
        self.members.push(format!("\"{key}\":{value}"));
    }

    fn text(&mut self, key: &str, value: &str) {
        self.raw(key, &quoted(value));
    }

    fn maybe(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn array(&mut self, key: &str, values: impl Iterator<Item = String>) {
        let values: Vec<String> = values.collect();
        if !values.is_empty() {
            self.raw(key, &format!("[{}]", values.join(",")));
        }
    }

    fn end(self) -> String {
        format!("{{{}}}", self.members.join(","))
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn only_what_json_must_escape_is_escaped() {
        assert_eq!(quoted("a\"b\\c/\u{8}\u{c}\n\r\t\u{1}\u{7f}é"), "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\u{7f}é\"");
    }
}
