//! An alert: a pure function of a decision's id, its bytes and the subscription.
//!
//! It knows no clock and no chance, so that whoever makes it again after a crash makes the same bytes under the same id, and the
//! receiver can drop what it has had already.

use super::{Decided, Endpoint, body};
use crate::{limits::ALERT_ID_BYTES, time::Timestamp};
use hyper::body::Bytes;
use sha2::{Digest, Sha256};
use std::{fmt, fmt::Write, sync::Arc};

/// What is sent to one endpoint, the same at every attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    pub id: WebhookId,
    /// The endpoint's name.
    pub endpoint: Arc<str>,
    /// JSON of less than [`crate::limits::ALERT_BODY_BYTES`].
    pub body: Bytes,
    /// When the operation happened.
    pub time: Timestamp,
}

/// The header `webhook-id`: a decision's id, whichever endpoint it goes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebhookId(String);

impl WebhookId {
    /// Of a decision's id, such as `operations:3:17`. A point would make what is signed ambiguous, and a file's name may hold anything, so
    /// every other byte than letters, digits, `:`, `-` and `_` is written `%2E`; what is too long ends with a hash.
    #[must_use]
    pub fn of(decision: &str) -> WebhookId {
        let mut id = String::with_capacity(decision.len());
        for byte in decision.bytes() {
            match byte {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b':' | b'-' | b'_' => id.push(char::from(byte)),
                other => write!(id, "%{other:02X}").expect("a String takes everything"),
            }
        }
        if id.len() > ALERT_ID_BYTES {
            let hash = Sha256::digest(decision.as_bytes());
            id.truncate(ALERT_ID_BYTES - 33);
            id.push(':');
            for byte in &hash[..16] {
                write!(id, "{byte:02x}").expect("a String takes everything");
            }
        }
        WebhookId(id)
    }

    /// One that was made before, as it was written down; nothing where it cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<WebhookId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_' | b'%');
        let fits = (1..=ALERT_ID_BYTES).contains(&text.len());
        (fits && text.bytes().all(allowed)).then(|| WebhookId(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WebhookId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Endpoint {
    /// Whether this endpoint is to hear of a decision. A repeat of an operation alerts nobody.
    #[must_use]
    pub fn wants(&self, decided: &Decided) -> bool {
        !decided.is_duplicate() && self.filter.holds(decided)
    }
}

/// The alert on one decision for an endpoint that does not group, or nothing where it does not want it.
#[must_use]
pub fn alert(endpoint: &Endpoint, decision: &str, decided: &Decided) -> Option<Alert> {
    endpoint.wants(decided).then(|| make(endpoint, decision, decided, None))
}

/// The alert on a group that a decision begins, for whoever keeps groups elsewhere than in memory: how many decisions there were, and
/// when the newest operation happened.
#[must_use]
pub fn of_group(endpoint: &Endpoint, decision: &str, first: &Decided, count: u64, last: Timestamp) -> Alert {
    let name = first.leading().map_or("", |reason| reason.name());
    let told = body::Group { rule: name.into(), count, last: last.to_string() };
    make(endpoint, decision, first, Some(&told))
}

/// The alert on a decision, or on the group that it begins.
pub(super) fn make(endpoint: &Endpoint, decision: &str, decided: &Decided, group: Option<&body::Group<'_>>) -> Alert {
    let body = body::write(endpoint.template.as_ref(), endpoint.full, decision, decided, group);
    Alert { id: WebhookId::of(decision), endpoint: Arc::clone(&endpoint.name), body: body.into(), time: decided.time }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_decisions() {
        assert_eq!(WebhookId::of("operations:3:17:ip").as_str(), "operations:3:17:ip");
        assert_eq!(WebhookId::of("a.b/c d:0").as_str(), "a%2Eb%2Fc%20d:0");
        let [one, other] = ["x", "y"].map(|end| WebhookId::of(&("ж".repeat(500) + end)));
        assert!(one != other && one.as_str().len() == ALERT_ID_BYTES, "{one}");
        assert_eq!(WebhookId::parse(one.as_str()), Some(one));
        assert_eq!(WebhookId::parse("a.b"), None);
    }
}
