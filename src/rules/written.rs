//! What decisions say of types, actions, rules and restrictions in the same bytes every time, as JSON that is written once.
//!
//! Put together member by member in every decision, a busy stream's took 3,230 instructions an event to encode instead of 2,000.

use super::{Packs, Restriction, Rule};
use crate::{
    decision::{Action, RestrictionId, RuleId},
    event::TypeId,
    plain::escaped,
};
use std::sync::OnceLock;

/// Written when the first decision asks for it.
#[derive(Debug, Default)]
pub struct Written(OnceLock<Pieces>);

/// A copy of packs is about to become other packs.
impl Clone for Written {
    fn clone(&self) -> Self {
        Written::default()
    }
}

impl Written {
    pub(super) fn of(&self, packs: &Packs) -> &Pieces {
        self.0.get_or_init(|| Pieces::new(packs))
    }
}

/// Pieces of decisions.
#[derive(Debug)]
pub struct Pieces {
    types: Vec<Vec<u8>>,
    actions: [Vec<u8>; Action::ALL.len()],
    rules: Vec<Vec<u8>>,
    restrictions: Vec<(Vec<u8>, Vec<u8>)>,
    standing: Vec<Vec<u8>>,
    /// `,"pack":"…"}`, which ends every decision.
    pub end: Vec<u8>,
}

impl Pieces {
    fn new(packs: &Packs) -> Pieces {
        Pieces {
            types: packs.types.types.iter().map(|kind| of_type(&kind.name)).collect(),
            actions: Action::ALL.map(of_action),
            rules: packs.rules.iter().map(rule).collect(),
            restrictions: packs.restrictions.iter().map(restriction).collect(),
            standing: packs.restrictions.iter().map(standing).collect(),
            end: object(|out| member(",\"pack\":\"", Some(&packs.name), out)),
        }
    }

    /// `","type":"…","wallet":"`, which stands between the event's id and its wallet.
    #[must_use]
    pub fn of_type(&self, id: TypeId) -> &[u8] {
        &self.types[usize::from(id.0)]
    }

    /// `","action":"…","score":`, which stands between the event's time and the score.
    #[must_use]
    pub fn of_action(&self, action: Action) -> &[u8] {
        &self.actions[action as usize]
    }

    /// `{"rule":"…","clause":"…","action":"…","score":0`.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> &[u8] {
        &self.rules[usize::from(id.0)]
    }

    /// `{"restriction":"…"`, and `,"clause":"…","action":"…"`, between which stands whose it is.
    #[must_use]
    pub fn restriction(&self, id: RestrictionId) -> (&[u8], &[u8]) {
        let (name, rest) = &self.restrictions[usize::from(id.0)];
        (name, rest)
    }

    /// `{"name":"…","status":"…"}`.
    #[must_use]
    pub fn standing(&self, id: RestrictionId) -> &[u8] {
        &self.standing[usize::from(id.0)]
    }
}

fn of_type(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    member("\",\"type\":\"", Some(name), &mut out);
    out.extend_from_slice(b",\"wallet\":\"");
    out
}

fn of_action(action: Action) -> Vec<u8> {
    let mut out = Vec::new();
    member("\",\"action\":\"", Some(action.name()), &mut out);
    out.extend_from_slice(b",\"score\":");
    out
}

fn rule(rule: &Rule) -> Vec<u8> {
    let mut out = Vec::new();
    member("{\"rule\":\"", Some(&rule.id), &mut out);
    member(",\"clause\":\"", rule.clause.as_deref(), &mut out);
    member(",\"action\":\"", Some(rule.action.name()), &mut out);
    if rule.score > 0 {
        out.extend_from_slice(format!(",\"score\":{}", rule.score).as_bytes());
    }
    out
}

fn restriction(restriction: &Restriction) -> (Vec<u8>, Vec<u8>) {
    let (mut name, mut rest) = (Vec::new(), Vec::new());
    member("{\"restriction\":\"", Some(&restriction.name), &mut name);
    member(",\"clause\":\"", restriction.clause.as_deref(), &mut rest);
    member(",\"action\":\"", Some(restriction.action.name()), &mut rest);
    (name, rest)
}

fn standing(restriction: &Restriction) -> Vec<u8> {
    object(|out| {
        member("{\"name\":\"", Some(&restriction.name), out);
        member(",\"status\":\"", restriction.status.as_deref(), out);
    })
}

/// What `write` writes, and the end of an object.
fn object(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out.push(b'}');
    out
}

/// A text after `opening`, which ends with its quote; nothing for none.
fn member(opening: &str, text: Option<&str>, out: &mut Vec<u8>) {
    if let Some(text) = text {
        out.extend_from_slice(opening.as_bytes());
        escaped(text, out);
        out.push(b'"');
    }
}
