//! What a record of `decisions` asks to be sent: endpoints that want it, each with a body or a place in a group.

use super::{
    machine::{self, Content, Member},
    record::Collected,
};
use crate::{
    alert::{self, Decided, Endpoint},
    limits,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The first decision of a group, from which its body is made when the window is over.
#[derive(Serialize, Deserialize)]
struct Seed {
    decision: String,
    json: String,
}

/// The alerts on one decision.
///
/// # Errors
/// Why the record is no decision.
pub fn alerts(endpoints: &[Arc<Endpoint>], id: &str, json: &[u8]) -> Result<Vec<machine::Alert>, String> {
    let decided = Decided::read(json)?;
    let json = std::str::from_utf8(json).map_err(|error| error.to_string())?;
    let asking = endpoints.iter().enumerate();
    Ok(asking.filter_map(|(number, endpoint)| alert(number, endpoint, id, &decided, json)).collect())
}

fn alert(number: usize, endpoint: &Endpoint, id: &str, decided: &Decided, json: &str) -> Option<machine::Alert> {
    let window = endpoint.group.and_then(|window| u64::try_from(window).ok());
    let made = alert::alert(endpoint, id, decided)?;
    let content = match window {
        Some(window) if json.len() <= limits::ALERT_SEED_BYTES => {
            let rule = decided.leading().map_or("", |reason| reason.name());
            let key = format!("{}/{rule}/{}", endpoint.name, decided.wallet);
            let seed = Seed { decision: id.to_owned(), json: json.to_owned() };
            let seed = serde_json::to_string(&seed).expect("texts are JSON");
            Content::Grouped(Member { key, window, time: decided.time.0, seed })
        }
        Some(_) => Content::Body(text(&alert::of_group(endpoint, id, decided, 1, decided.time))),
        None => Content::Body(text(&made)),
    };
    Some(machine::Alert { id: made.id.to_string(), endpoint: number, content })
}

fn text(alert: &alert::Alert) -> String {
    String::from_utf8(alert.body.to_vec()).expect("bodies are JSON")
}

/// The body of a group.
pub fn render(endpoints: &[Arc<Endpoint>], endpoint: usize, collected: &Collected) -> String {
    let seed: Option<Seed> = serde_json::from_str(&collected.seed).ok();
    let decided = seed.as_ref().and_then(|seed| Decided::read(seed.json.as_bytes()).ok());
    let (Some(seed), Some(decided)) = (seed, decided) else {
        // A record that was damaged by hand; somebody must hear of it all the same.
        return serde_json::json!({ "type": "unreadable", "data": { "id": collected.id, "count": collected.count } })
            .to_string();
    };
    let last = Timestamp(collected.last);
    text(&alert::of_group(&endpoints[endpoint], &seed.decision, &decided, collected.count, last))
}
