//! The alert that `kuzet alert --test` sends: a decision that never was, made into an alert like any other.

use super::{Alert, Decided, Endpoint, message};
use crate::time::Timestamp;

/// A sample for an endpoint, whatever its filter wants.
///
/// # Panics
/// Never: the sample is a decision, which every test of this command reads.
#[must_use]
pub fn sample(endpoint: &Endpoint, now: Timestamp) -> Alert {
    let json = serde_json::json!({
        "event": "kuzet-test",
        "type": "transfer",
        "wallet": "77000000000",
        "time": now.to_string(),
        "action": "hold",
        "score": 400,
        "reasons": [{
            "rule": "kuzet-test", "clause": "a sample, nothing has happened", "action": "hold", "score": 400,
            "measured": "11", "limit": "10",
        }],
        "restrictions": [{ "name": "suspicious" }],
        "pack": "kuzet-test",
    });
    let decided = Decided::read(json.to_string().as_bytes()).expect("the sample is a decision");
    message::make(endpoint, &format!("kuzet-test:{}", now.0), &decided, None)
}
