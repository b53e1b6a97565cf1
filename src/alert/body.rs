//! The body of an alert: a decision's own members as Standard Webhooks wraps them, or a text for a chat service.
//!
//! Always under [`ALERT_BODY_BYTES`]: where a decision is larger, its lists are cut to fewer and fewer items, its texts to a length, and
//! `truncated` says so. Wallets and addresses are masked unless the endpoint asks for them in full. They stand in `wallet`, and in what a rule
//! measured: the value of a `change`, `new` or `distinct` may be an address, a counterparty or a device, and the decision does not say
//! which. So a measured text is shown only where it cannot be one: a number of less than ten digits, a time, a country.

use super::{
    Decided,
    decided::{Reason, Standing},
    template::{Place, Template},
};
use crate::{limits::ALERT_BODY_BYTES, mask::masked, time::Timestamp};
use serde::Serialize;
use std::borrow::Cow;

/// What one wallet and one rule did within a window.
#[derive(Clone, Debug, Serialize)]
pub struct Group<'a> {
    /// The rule, or the restriction where no rule was over its limit.
    pub rule: Cow<'a, str>,
    /// Decisions, the first one included.
    pub count: u64,
    /// The time of the newest operation.
    pub last: String,
}

#[derive(Serialize)]
struct Standard<'a> {
    #[serde(rename = "type")]
    kind: String,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    id: Cow<'a, str>,
    event: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    stage: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: Cow<'a, str>,
    wallet: Cow<'a, str>,
    time: String,
    action: &'a str,
    score: u16,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<Told<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shadow: Vec<Told<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    restrictions: Vec<Stands<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    released: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cancelled: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expired: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    flags: Vec<Cow<'a, str>>,
    pack: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Group<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restriction: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clause: Option<Cow<'a, str>>,
    action: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    score: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    measured: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by_event: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Stands<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Cow<'a, str>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(number: &u16) -> bool {
    *number == 0
}

/// How much of a decision is told: items of a list and characters of a text, more and more strictly. By the last, about
/// ten texts are left, of at most six bytes a character.
const CUTS: [Cut; 5] = [
    Cut { items: usize::MAX, characters: usize::MAX },
    Cut { items: 32, characters: 128 },
    Cut { items: 8, characters: 128 },
    Cut { items: 2, characters: 128 },
    Cut { items: 0, characters: 128 },
];

#[derive(Clone, Copy)]
struct Cut {
    items: usize,
    characters: usize,
}

/// Writes the body of an alert.
pub(super) fn write(
    template: Option<&Template>,
    full: bool,
    id: &str,
    decided: &Decided,
    group: Option<&Group<'_>>,
) -> Vec<u8> {
    let teller = Teller { full, id, decided, group };
    let json = |value: &dyn Fn(Cut) -> Vec<u8>| {
        let fits = |body: &Vec<u8>| body.len() < ALERT_BODY_BYTES;
        CUTS.iter().map(|cut| value(*cut)).find(fits).expect("the last cut leaves a few short texts")
    };
    match template {
        None => json(&|cut| serde_json::to_vec(&teller.standard(cut)).expect("texts and numbers are JSON")),
        Some(template) => json(&|_| {
            let text = template.fill(|place| teller.value(place));
            serde_json::to_vec(&serde_json::json!({ "text": text })).expect("a text is JSON")
        }),
    }
}

struct Teller<'a> {
    full: bool,
    id: &'a str,
    decided: &'a Decided,
    group: Option<&'a Group<'a>>,
}

impl<'a> Teller<'a> {
    fn standard(&self, cut: Cut) -> Standard<'a> {
        let decided = self.decided;
        let ids = |ids: &'a [String]| ids.iter().take(cut.items).map(|id| cut.text(id)).collect();
        let reasons =
            |reasons: &'a [Reason]| reasons.iter().take(cut.items).map(|reason| self.reason(reason, cut)).collect();
        let stands = |standing: &'a Standing| Stands {
            name: cut.text(&standing.name),
            status: cut.maybe(standing.status.as_deref()),
        };
        Standard {
            kind: format!("decision.{}", decided.action.name()),
            timestamp: decided.time.to_string(),
            data: Data {
                id: cut.text(self.id),
                event: cut.text(&decided.event),
                stage: cut.text(&decided.stage),
                kind: cut.text(&decided.kind),
                wallet: self.wallet(cut),
                time: decided.time.to_string(),
                action: decided.action.name(),
                score: decided.score,
                reasons: reasons(&decided.reasons),
                shadow: reasons(&decided.shadow),
                restrictions: decided.restrictions.iter().take(cut.items).map(stands).collect(),
                released: ids(&decided.released),
                cancelled: ids(&decided.cancelled),
                expired: ids(&decided.expired),
                flags: ids(&decided.flags),
                pack: cut.text(&decided.pack),
                group: self.group.map(|group| Group { rule: cut.text(&group.rule), ..group.clone() }),
                truncated: cut.items != usize::MAX,
            },
        }
    }

    fn wallet(&self, cut: Cut) -> Cow<'a, str> {
        if self.full { cut.text(&self.decided.wallet) } else { masked(&self.decided.wallet).into() }
    }

    fn reason(&self, reason: &'a Reason, cut: Cut) -> Told<'a> {
        Told {
            rule: cut.maybe(reason.rule.as_deref()),
            restriction: cut.maybe(reason.restriction.as_deref()),
            of: cut.maybe(reason.of.as_deref()),
            clause: cut.maybe(reason.clause.as_deref()),
            action: reason.action.name(),
            score: reason.score,
            measured: reason.measured.as_deref().map(|text| self.measured(text, cut)),
            limit: reason.limit.as_deref().map(|text| self.measured(text, cut)),
            from: cut.maybe(reason.from.as_deref()),
            since: cut.maybe(reason.since.as_deref()),
            until: cut.maybe(reason.until.as_deref()),
            by: cut.maybe(reason.by.as_deref()),
            by_event: cut.maybe(reason.by_event.as_deref()),
        }
    }

    fn measured(&self, text: &'a str, cut: Cut) -> Cow<'a, str> {
        if self.full || is_nobodys(text) { cut.text(text) } else { masked(text).into() }
    }

    /// What fills a place of a template.
    fn value(&self, place: Place) -> String {
        let decided = self.decided;
        let whole = CUTS[0];
        match place {
            Place::Action => decided.action.name().to_owned(),
            Place::Score => decided.score.to_string(),
            Place::Type => decided.kind.clone(),
            Place::Wallet => self.wallet(whole).into_owned(),
            Place::Event => decided.event.clone(),
            Place::Time => decided.time.to_string(),
            Place::Id => self.id.to_owned(),
            Place::Rules => decided.rules().collect::<Vec<_>>().join(", "),
            Place::Restrictions => {
                decided.restrictions.iter().map(|standing| standing.name.as_str()).collect::<Vec<_>>().join(", ")
            }
            Place::Flags => decided.flags.join(", "),
            Place::Why => decided.reasons.iter().map(|reason| self.why(reason)).collect::<Vec<_>>().join("; "),
            Place::Count => self.group.map_or(1, |group| group.count).to_string(),
            Place::Pack => decided.pack.clone(),
        }
    }

    /// `equal-transfers 11 over 10`, `suspicious stands`
    fn why(&self, reason: &'a Reason) -> String {
        let measured = reason.measured.as_deref().map(|text| self.measured(text, CUTS[0]));
        let limit = reason.limit.as_deref().map(|text| self.measured(text, CUTS[0]));
        match (&reason.rule, measured, limit) {
            (None, _, _) => format!("{} stands", reason.name()),
            (Some(rule), Some(measured), Some(limit))
                if limit.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') =>
            {
                format!("{rule} {measured} over {limit}")
            }
            (Some(rule), Some(measured), Some(limit)) => format!("{rule} {measured} after {limit}"),
            (Some(rule), Some(measured), None) => format!("{rule} {measured}"),
            (Some(rule), None, _) => rule.clone(),
        }
    }
}

impl Cut {
    fn text<'a>(self, text: &'a str) -> Cow<'a, str> {
        match text.char_indices().nth(self.characters) {
            None => text.into(),
            Some((end, _)) => format!("{}…", &text[..end]).into(),
        }
    }

    fn maybe<'a>(self, text: Option<&'a str>) -> Option<Cow<'a, str>> {
        text.map(|text| self.text(text))
    }
}

/// Whether a measured text can be nobody's wallet and no address: a short number, a time, a country.
fn is_nobodys(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |part: &str| (1..10).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_country = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    (is_number(whole) && is_number(fraction)) || is_country || Timestamp::parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(measured: &str, limit: &str) -> Decided {
        let json = serde_json::json!({
            "event": "e-1", "type": "transfer", "wallet": "77010000001", "time": "2026-03-01T08:15:30Z", "action": "block", "score": 500,
            "reasons": [{ "rule": "country-change", "action": "block", "score": 500, "measured": measured, "limit": limit }],
            "restrictions": [{ "name": "monitoring", "status": "monitored" }], "flags": ["late"], "pack": "p@1"
        });
        Decided::read(json.to_string().as_bytes()).expect("a decision")
    }

    fn text(template: Option<&Template>, full: bool, decided: &Decided) -> String {
        String::from_utf8(write(template, full, "operations:3:17", decided, None)).expect("UTF-8")
    }

    #[test]
    fn the_standard_body_is_the_decision_with_the_wallet_masked() {
        assert_eq!(
            text(None, false, &decided("RU", "KZ")),
            r#"{"type":"decision.block","timestamp":"2026-03-01T08:15:30Z","data":{"id":"operations:3:17","event":"e-1","type":"transfer","wallet":"770***01","time":"2026-03-01T08:15:30Z","action":"block","score":500,"reasons":[{"rule":"country-change","action":"block","score":500,"measured":"RU","limit":"KZ"}],"restrictions":[{"name":"monitoring","status":"monitored"}],"flags":["late"],"pack":"p@1"}}"#
        );
        assert!(text(None, true, &decided("RU", "KZ")).contains(r#""wallet":"77010000001""#));
    }

    #[test]
    fn whatever_may_be_a_wallet_or_an_address_is_masked() {
        let template = Template::parse("{wallet}: {why}").expect("a template");
        for (measured, limit) in
            [("203.0.113.7", "198.51.100.23"), ("77010000002", "77010000003"), ("2001:db8::1", "my-phone-of-bolat")]
        {
            for template in [None, Some(&template)] {
                let (hidden, full) =
                    (text(template, false, &decided(measured, limit)), text(template, true, &decided(measured, limit)));
                for secret in [measured, limit, "77010000001"] {
                    assert!(!hidden.contains(secret) && full.contains(secret), "{secret} in {hidden}, {full}");
                }
            }
        }
        for shown in ["11", "250000.50", "-3", "KZ", "2026-03-01T08:15:30.123Z"] {
            assert!(text(None, false, &decided(shown, "10")).contains(shown), "{shown}");
        }
    }

    #[test]
    fn a_text_is_a_sentence() {
        let template = Template::parse("*{action}*: {wallet} {why} ×{count}").expect("a template");
        assert_eq!(
            text(Some(&template), false, &decided("11", "10")),
            r#"{"text":"*block*: 770***01 country-change 11 over 10 ×1"}"#
        );
    }

    /// Whatever a decision holds, up to the longest that is read.
    #[test]
    fn a_body_is_always_under_its_bound() {
        let template = Template::parse("{why}{event}{rules}{pack}{id}{flags}").expect("a template");
        for (items, length) in [(1, 1), (64, 128), (4_096, 10), (300, 300), (3, 60_000), (100, 2_000)] {
            for letter in ['a', '\u{1}', '"', 'ж', '😀', '&'] {
                let long: String = std::iter::repeat_n(letter, length).collect();
                let mut big = decided(&long, &long);
                let reason = Reason { rule: Some(long.clone()), clause: Some(long.clone()), ..big.reasons[0].clone() };
                big.reasons = vec![reason.clone(); items];
                big.shadow = vec![reason; items];
                big.released = vec![long.clone(); items];
                (big.event, big.pack, big.wallet, big.kind, big.stage) =
                    (long.clone(), long.clone(), long.clone(), long.clone(), long.clone());
                for (template, full) in [(None, false), (None, true), (Some(&template), true)] {
                    let body = write(template, full, &long, &big, None);
                    assert!(body.len() < ALERT_BODY_BYTES, "{} bytes of {items} times {length} {letter}", body.len());
                    let read: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
                    let whole = template.is_some()
                        || read["data"]["reasons"].as_array().is_some_and(|told| told.len() == items);
                    assert!(whole || read["data"]["truncated"] == true, "what is left out is not told");
                }
            }
        }
    }
}
