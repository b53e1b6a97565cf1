//! What one wallet and one rule do within a window, as one alert with a count.
//!
//! Every decision is in one group: that of its wallet and of the reason that weighs most, so the id of the group's first decision is
//! nobody else's. Who belongs together follows from times that are handed in with the decisions (Kafka's of the record, in a replay the
//! operation's own) and from nothing else: whoever reads the same decisions again, and closes no group before all of its time was read,
//! makes the same bytes.

use super::{Alert, Decided, Endpoint, body, message};
use crate::{limits::ALERT_GROUPS, time::Timestamp};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// The open groups of one endpoint over one stream of decisions.
#[derive(Debug)]
pub struct Groups {
    endpoint: Arc<Endpoint>,
    window: i64,
    /// By the time of the first decision and the order of arrival.
    open: BTreeMap<(Timestamp, u64), Group>,
    of: HashMap<Key, (Timestamp, u64)>,
    arrived: u64,
}

/// A wallet, and the name of a rule or restriction.
type Key = (String, String);

#[derive(Debug)]
struct Group {
    /// The id of the first decision.
    decision: String,
    first: Decided,
    last: Timestamp,
    count: u64,
}

impl Groups {
    /// Nothing for an endpoint that does not group.
    #[must_use]
    pub fn new(endpoint: &Arc<Endpoint>) -> Option<Groups> {
        let window = endpoint.group?;
        let endpoint = Arc::clone(endpoint);
        Some(Groups { endpoint, window, open: BTreeMap::new(), of: HashMap::new(), arrived: 0 })
    }

    /// Takes a decision that came at `at`, where the endpoint wants it, and hands out what its time has closed.
    pub fn add(&mut self, decision: &str, decided: &Decided, at: Timestamp) -> Vec<Alert> {
        let mut closed = self.close(at);
        if !self.endpoint.wants(decided) {
            return closed;
        }
        let name = decided.leading().map_or("", |reason| reason.name());
        let key = (decided.wallet.clone(), name.to_owned());
        if let Some(place) = self.of.get(&key) {
            let group = self.open.get_mut(place).expect("whoever has a place is there");
            group.count += 1;
            group.last = group.last.max(decided.time);
            return closed;
        }
        if self.open.len() == ALERT_GROUPS {
            closed.extend(self.take_oldest());
        }
        let place = (at, self.arrived);
        self.arrived += 1;
        self.of.insert(key, place);
        let group = Group { decision: decision.to_owned(), first: decided.clone(), last: decided.time, count: 1 };
        self.open.insert(place, group);
        closed
    }

    /// Closes every group whose window ends at `until` or before: nothing more of that time will come.
    pub fn close(&mut self, until: Timestamp) -> Vec<Alert> {
        let mut closed = Vec::new();
        while self.ends().is_some_and(|end| end <= until) {
            closed.extend(self.take_oldest());
        }
        closed
    }

    /// Closes all groups: there is nothing more.
    pub fn close_all(&mut self) -> Vec<Alert> {
        self.close(Timestamp(i64::MAX))
    }

    /// When the first group ends.
    #[must_use]
    pub fn ends(&self) -> Option<Timestamp> {
        self.open.first_key_value().map(|((at, _), _)| Timestamp(at.0.saturating_add(self.window)))
    }

    /// The ids of the decisions that open groups begin with: behind these, nothing is forgotten by reading on.
    pub fn begun(&self) -> impl Iterator<Item = &str> {
        self.open.values().map(|group| group.decision.as_str())
    }

    fn take_oldest(&mut self) -> Option<Alert> {
        let (_, group) = self.open.pop_first()?;
        let name = group.first.leading().map_or("", |reason| reason.name());
        self.of.remove(&(group.first.wallet.clone(), name.to_owned()));
        let told = body::Group { rule: name.into(), count: group.count, last: group.last.to_string() };
        Some(message::make(&self.endpoint, &group.decision, &group.first, Some(&told)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alert::config::{Secrets, load},
        random::Random,
        rules::diagnostic::Source,
    };

    fn endpoint(group: &str) -> Arc<Endpoint> {
        let text = format!("[[endpoints]]\nname = \"desk\"\nurl = \"https://desk.example.com\"\ngroup = \"{group}\"\n");
        let config = load(Source { path: "a.toml".to_owned(), text }, Secrets::Left);
        let config = config.unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
        Arc::clone(&config.endpoints[0])
    }

    fn decided(wallet: &str, rule: &str, seconds: i64, flags: &str) -> Decided {
        let json = format!(
            r#"{{"event":"e","type":"transfer","wallet":"{wallet}","time":"{}","action":"hold","score":1,
                "reasons":[{{"rule":"small","action":"monitor"}},{{"rule":"{rule}","action":"hold"}}],"flags":[{flags}],"pack":"p"}}"#,
            Timestamp(seconds * 1_000)
        );
        Decided::read(json.as_bytes()).expect("a decision")
    }

    fn told(alerts: &[Alert]) -> Vec<(String, u64)> {
        let count = |alert: &Alert| {
            let body: serde_json::Value = serde_json::from_slice(&alert.body).expect("JSON");
            body["data"]["group"]["count"].as_u64().expect("a count")
        };
        alerts.iter().map(|alert| (alert.id.to_string(), count(alert))).collect()
    }

    #[test]
    fn a_wallet_and_a_rule_are_one_alert_in_a_window() {
        let mut groups = Groups::new(&endpoint("1m")).expect("it groups");
        let mut closed = Vec::new();
        for (id, wallet, rule, at, flags) in [
            ("t:0:1", "77010000001", "large", 0, ""),
            ("t:0:2", "77010000001", "large", 59, ""),
            ("t:0:3", "77010000001", "equal", 59, ""),
            ("t:0:4", "77010000002", "large", 59, ""),
            ("t:0:5", "77010000002", "large", 59, "\"duplicate\""),
            ("t:0:6", "77010000001", "large", 60, ""),
        ] {
            closed.extend(groups.add(id, &decided(wallet, rule, at, flags), Timestamp(at * 1_000)));
        }
        assert_eq!(told(&closed), [("t:0:1".to_owned(), 2)]);
        assert_eq!(groups.begun().collect::<Vec<_>>(), ["t:0:3", "t:0:4", "t:0:6"]);
        assert_eq!(groups.ends(), Some(Timestamp(119_000)));
        let rest = groups.close_all();
        assert_eq!(told(&rest), [("t:0:3".to_owned(), 1), ("t:0:4".to_owned(), 1), ("t:0:6".to_owned(), 1)]);
        assert!(Groups::new(&endpoint("")).is_none(), "grouping is asked for");
    }

    /// Whoever begins again at the first decision of an open group makes the same bytes, wherever time was looked at.
    #[test]
    fn the_same_decisions_make_the_same_bytes() {
        let endpoint = endpoint("10s");
        let mut random = Random::new(5);
        let mut at = 0;
        let decisions: Vec<(String, Decided, Timestamp)> = (0..500)
            .map(|place| {
                at += i64::try_from(random.below(3)).expect("small");
                let [wallet, rule] = [random.below(3), random.below(2)];
                (
                    format!("t:0:{place}"),
                    decided(&format!("7701000000{wallet}"), &format!("r{rule}"), at, ""),
                    Timestamp(at * 1_000),
                )
            })
            .collect();
        let through = |looks: bool| {
            let mut groups = Groups::new(&endpoint).expect("it groups");
            let mut alerts = Vec::new();
            for (id, decided, at) in &decisions {
                if looks {
                    alerts.extend(groups.close(*at));
                }
                alerts.extend(groups.add(id, decided, *at));
            }
            alerts.extend(groups.close_all());
            alerts
        };
        let [plain, looked] = [through(false), through(true)];
        assert_eq!(plain, looked);
        let mut ids: Vec<&str> = plain.iter().map(|alert| alert.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), plain.len(), "ids are nobody else's");
        assert_eq!(told(&plain).iter().map(|(_, count)| count).sum::<u64>(), 500);
    }
}
