//! Examples that rules carry: events, and what becomes of the last.
//!
//! An example is turned into records here, so that it goes through the same decoder and engine as any event.
//! `kuzet check` runs them.

use super::{
    diagnostic::{Diagnostic, Place},
    pack::DraftExample,
};
use crate::{
    decision::{Action, RuleId},
    limits,
    time::{Span, Timestamp},
};
use std::ops::Range;

/// An example of a rule.
#[derive(Clone, Debug)]
pub struct Example {
    pub rule: RuleId,
    /// What it shows, in quotes, or else its number among its rule's examples.
    pub title: String,
    /// The events as records, in order.
    pub records: Vec<Vec<u8>>,
    /// The events as they are written.
    written: Vec<Written>,
    /// The action of the last record's decision.
    pub action: Action,
    /// Whether the rule is among the reasons of the last decision (or in `shadow`), where the example says.
    pub fires: Option<bool>,
    pub place: Place,
}

/// An event as it is written, which may make several records.
#[derive(Clone, Debug)]
struct Written {
    /// How many records there are with those of this event.
    upto: usize,
    span: Range<usize>,
    fields: Vec<(String, Range<usize>)>,
}

/// Who does what in an example that does not say.
const WALLET: &str = "77010000001";

impl Example {
    /// The example of a draft, or nothing where the draft lacks something that has been reported.
    pub(super) fn new(
        rule: RuleId,
        source: usize,
        draft: &DraftExample,
        left: &mut usize,
        found: &mut Vec<Diagnostic>,
    ) -> Option<Example> {
        let events = draft.events.iter().map(|event| event.repeat as usize).sum::<usize>();
        if events > limits::EXAMPLE_EVENTS || events > *left {
            let most = limits::EXAMPLE_EVENTS.min(*left);
            found.push(
                Diagnostic::error(format!("an example of {events} events is too long"))
                    .at(source, draft.span.clone(), "this example")
                    .help(format!("keep it to {most}; all examples together have at most {}", limits::EXAMPLES_EVENTS)),
            );
            return None;
        }
        *left -= events;
        let mut records = Vec::with_capacity(events);
        let mut written = Vec::with_capacity(draft.events.len());
        for event in &draft.events {
            let time = event.time.as_ref()?;
            let kind = event.kind.as_ref()?;
            for repeat in 0..event.repeat {
                let time = repeated(&time.value, event.every.as_ref().map(|every| every.value), repeat)?;
                records.push(record(records.len() + 1, &kind.value, &time, &event.fields, &event.attributes));
            }
            written.push(Written { upto: records.len(), span: event.span.clone(), fields: event.places.clone() });
        }
        Some(Example {
            rule,
            title: match &draft.title {
                Some(title) => format!("\"{}\"", title.value),
                None => format!("example {}", draft.number),
            },
            records,
            written,
            action: draft.action?,
            fires: draft.fires,
            place: Place { source, span: draft.span.clone() },
        })
    }

    /// Where the event of a record is written, or the field of it that is meant.
    #[must_use]
    pub fn place_of(&self, record: usize, field: Option<&str>) -> Place {
        let at = self.written.partition_point(|event| event.upto <= record);
        let span = self.written.get(at).map_or(&self.place.span, |event| {
            let stated = event.fields.iter().find(|(name, _)| Some(name.as_str()) == field);
            stated.map_or(&event.span, |(_, span)| span)
        });
        Place { source: self.place.source, span: span.clone() }
    }
}

/// The time of a repeat; the first keeps its text.
fn repeated(time: &str, every: Option<Span>, repeat: u32) -> Option<String> {
    match every {
        Some(Span::Millis(every)) if repeat > 0 => {
            let time = Timestamp::parse(time).ok()?;
            Some(Timestamp(time.0 + every * i64::from(repeat)).to_string())
        }
        _ => Some(time.to_owned()),
    }
}

/// One record, fields in the order of the spec's table.
fn record(
    number: usize,
    kind: &str,
    time: &str,
    fields: &[(&'static str, String)],
    attributes: &[(String, String)],
) -> Vec<u8> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let stated = |name: &str| fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.clone());
    let mut parts = vec![
        format!("\"id\":{}", stated("id").unwrap_or_else(|| quoted(&format!("e{number}")))),
        format!("\"type\":{}", quoted(kind)),
        format!("\"time\":{}", quoted(time)),
        format!("\"wallet\":{}", stated("wallet").unwrap_or_else(|| quoted(WALLET))),
    ];
    let others = fields.iter().filter(|(field, _)| !matches!(*field, "id" | "wallet"));
    parts.extend(others.map(|(field, value)| format!("\"{field}\":{value}")));
    if !attributes.is_empty() {
        let inner: Vec<String> = attributes.iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
        parts.push(format!("\"attributes\":{{{}}}", inner.join(",")));
    }
    format!("{{{}}}", parts.join(",")).into_bytes()
}
