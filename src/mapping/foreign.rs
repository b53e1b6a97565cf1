//! The values of one foreign record, and what the rules of a mapping make of them.

use super::{
    Mapping, csv, json,
    rule::{FieldRule, Refusal, Refused, Value},
    text_of,
};
use crate::{
    event::decode::{Raw, Texts},
    limits::RECORD_BYTES,
    plain::escaped,
};

/// A foreign record that can be read.
pub(super) struct Found<'s, 'r> {
    pub mapping: &'s Mapping,
    /// Its number, from 1, over all inputs.
    pub row: u64,
    pub record: &'r str,
    pub cells: Cells<'s, 'r>,
}

/// Where its values stand.
pub(super) enum Cells<'s, 'r> {
    Row {
        row: &'s csv::Row,
        columns: &'s csv::Columns,
    },
    /// By the mapping's names, as JSON.
    Json(Vec<Option<&'r str>>),
}

impl Found<'_, '_> {
    /// The value of the mapping's name number `name`.
    #[inline(always)]
    pub fn cell(&self, name: usize, scratch: &mut String) -> Result<Raw, &'static str> {
        match &self.cells {
            Cells::Row { row, columns } => Ok(row.cell(columns.place(name), self.record, scratch)),
            Cells::Json(found) => json::cell(found[name], self.record, scratch),
        }
    }

    /// Hands out every value that the record has, in the order of the rules; an error names its rule by its place. `scratch` is
    /// empty at first.
    #[inline]
    pub fn each(
        &self,
        scratch: &mut String,
        mut take: impl FnMut(&FieldRule, Value, &Texts<'_>),
    ) -> Result<(), (usize, Refused)> {
        scratch.push_str(&self.mapping.labels);
        let most = scratch.len() + RECORD_BYTES;
        for (place, rule) in self.mapping.rules.iter().enumerate() {
            let start = scratch.len();
            match rule.value(self, scratch) {
                Ok(Some(value)) => take(rule, value, &Texts { record: self.record, scratch }),
                Ok(None) => {}
                Err(refusal) => return Err(self.skip_after(place, scratch).unwrap_or((place, refusal))),
            }
            // The record is too long for an event, since values hold all of this: nobody will look at the text again.
            if scratch.len() > most {
                scratch.truncate(start);
            }
        }
        Ok(())
    }

    /// A record that a later rule skips is skipped, whatever is wrong with it.
    #[cold]
    fn skip_after(&self, place: usize, scratch: &mut String) -> Option<(usize, Refused)> {
        self.mapping.rules.iter().enumerate().skip(place + 1).find_map(|(place, rule)| {
            let start = scratch.len();
            let value = rule.value(self, scratch);
            scratch.truncate(start);
            match value {
                Err(refused) if matches!(*refused, Refusal::Skip(_)) => Some((place, refused)),
                _ => None,
            }
        })
    }

    /// How long the record is in the spec's own JSON, without a blank.
    #[cold]
    pub fn json_bytes(&self, scratch: &mut String) -> Result<usize, (usize, Refused)> {
        // The record is read again; what was made for it the first time stays as it is.
        let kept = scratch.len();
        let (mut members, mut attributes, mut length) = (0_usize, 0_usize, 0);
        let mut json = Vec::new();
        let again = self.each(scratch, |rule, value, texts| {
            json.clear();
            match value {
                Value::Time(time) => time.write(&mut json),
                Value::Plain(raw) => escaped(text_of(raw, texts), &mut json),
            }
            let quotes = if matches!(value, Value::Plain(Raw::Number(_) | Raw::Bool(_))) { 0 } else { 2 };
            length += rule.key_bytes + json.len() + quotes;
            *(if rule.is_attribute { &mut attributes } else { &mut members }) += 1;
        });
        scratch.truncate(kept);
        again?;
        if self.mapping.rules.iter().any(|rule| rule.is_attribute) {
            length += "\"attributes\":{}".len();
            members += 1;
        }
        let commas = members.saturating_sub(1) + attributes.saturating_sub(1);
        Ok("{}".len() + length + commas)
    }
}
