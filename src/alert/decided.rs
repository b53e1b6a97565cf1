//! A decision read back from the JSON that `encode` writes: what filters ask of it and what alerts tell.
//!
//! A member that nobody here knows is ignored, so that an older `kuzet alert` reads the decisions of a newer engine.

use crate::{decision::Action, limits::DECISION_BYTES, time::Timestamp};
use serde::Deserialize;

/// A decision, as much of it as alerts are about.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Decided {
    pub event: String,
    #[serde(default)]
    pub stage: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub wallet: String,
    #[serde(deserialize_with = "time")]
    pub time: Timestamp,
    #[serde(deserialize_with = "action")]
    pub action: Action,
    pub score: u16,
    #[serde(default)]
    pub reasons: Vec<Reason>,
    #[serde(default)]
    pub shadow: Vec<Reason>,
    #[serde(default)]
    pub restrictions: Vec<Standing>,
    #[serde(default)]
    pub released: Vec<String>,
    #[serde(default)]
    pub cancelled: Vec<String>,
    #[serde(default)]
    pub expired: Vec<String>,
    #[serde(default)]
    pub flags: Vec<String>,
    pub pack: String,
}

/// A rule that was over its limit, or a restriction that stood.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Reason {
    pub rule: Option<String>,
    pub restriction: Option<String>,
    pub of: Option<String>,
    pub clause: Option<String>,
    #[serde(deserialize_with = "action", default)]
    pub action: Action,
    #[serde(default)]
    pub score: u16,
    pub measured: Option<String>,
    pub limit: Option<String>,
    pub from: Option<String>,
    pub since: Option<String>,
    pub until: Option<String>,
    pub by: Option<String>,
    pub by_event: Option<String>,
}

/// A restriction that stands after the operation.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Standing {
    pub name: String,
    pub status: Option<String>,
}

fn time<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    Timestamp::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

fn action<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Action, D::Error> {
    let name = String::deserialize(from)?;
    Action::parse(&name).ok_or_else(|| serde::de::Error::custom(format!("`{name}` is no action")))
}

impl Decided {
    /// Reads one decision.
    ///
    /// # Errors
    /// Why the bytes are no decision, without quoting them.
    pub fn read(json: &[u8]) -> Result<Decided, String> {
        if json.len() > DECISION_BYTES {
            return Err(format!("{} bytes are more than the {DECISION_BYTES} of a decision", json.len()));
        }
        serde_json::from_slice(json).map_err(|error| error.to_string())
    }

    /// It was made for an operation that had been decided before: nothing new has happened.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        self.flags.iter().any(|flag| flag == "duplicate")
    }

    /// The ids of the rules that were over their limit.
    pub fn rules(&self) -> impl Iterator<Item = &str> {
        self.reasons.iter().filter_map(|reason| reason.rule.as_deref())
    }

    /// The reason that weighs most: the most severe, of equals the first; rules go before restrictions, which stand after them.
    #[must_use]
    pub fn leading(&self) -> Option<&Reason> {
        let rules = || self.reasons.iter().filter(|reason| reason.rule.is_some());
        let most = |reasons: &mut dyn Iterator<Item = &'_ Reason>| reasons.map(|reason| reason.action).max();
        match most(&mut rules()) {
            Some(most) => rules().find(|reason| reason.action == most),
            None => {
                let most = most(&mut self.reasons.iter())?;
                self.reasons.iter().find(|reason| reason.action == most)
            }
        }
    }
}

impl Reason {
    /// The name of its rule or restriction.
    #[must_use]
    pub fn name(&self) -> &str {
        self.rule.as_deref().or(self.restriction.as_deref()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = r#"{"event":"e-11","type":"transfer","wallet":"77010000001","time":"2026-03-01T08:15:30.123Z","action":"hold","score":400,
 "reasons":[{"rule":"equal-transfers","clause":"7.15(2)","action":"hold","score":400,"measured":"11","limit":"10","from":"2026-03-01T07:15:30.123Z"},
            {"restriction":"suspicious","clause":"7.13","action":"hold","since":"2026-03-01T08:14:00Z","by":"large-transfer","by_event":"e-9"}],
 "restrictions":[{"name":"suspicious"},{"name":"monitoring"}],"pack":"onevision@2026.1+9f2c1a7b","later":[1]}"#;

    #[test]
    fn the_decision_of_the_specification_is_read() {
        let decided = Decided::read(SPEC.as_bytes()).expect("a decision");
        assert_eq!(
            (decided.action, decided.score, decided.rules().collect::<Vec<_>>()),
            (Action::Hold, 400, vec!["equal-transfers"])
        );
        assert_eq!(decided.reasons[1].by_event.as_deref(), Some("e-9"));
        assert_eq!(decided.leading().map(Reason::name), Some("equal-transfers"));
        assert!(!decided.is_duplicate());
    }

    #[test]
    fn what_is_no_decision_is_said_to_be_none() {
        for wrong in [
            "",
            "{}",
            "[]",
            r#"{"source":"in","line":1,"error":"no JSON"}"#,
            &SPEC.replace("\"hold\",\"score\":400,\n", "\"stop\",\"score\":400,\n"),
        ] {
            assert!(Decided::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
