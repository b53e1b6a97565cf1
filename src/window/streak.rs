//! Matching events in a row, with no reset between them and no gap longer than `within`.
//!
//! A row goes by arrival. A late event lengthens it without moving its last time.

use super::{Moment, Reach};
use crate::time::{Span, Timestamp};

/// A row that has at least one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub length: u64,
    pub last: Timestamp,
    pub earliest: Timestamp,
}

/// The row that an event belongs to, the event included.
#[must_use]
pub fn lengthen(row: Option<Row>, within: Span, moment: &Moment<'_>) -> Row {
    let time = moment.time;
    match row {
        Some(row) if continues(row, within, moment) => {
            Row { length: row.length + 1, last: row.last.max(time), earliest: row.earliest.min(time) }
        }
        _ => Row { length: 1, last: time, earliest: time },
    }
}

/// Whether the row is still known and the event comes within its gap.
fn continues(row: Row, within: Span, moment: &Moment<'_>) -> bool {
    let reach = Reach::new(within, moment);
    reach.sees(row.last) && (moment.time <= row.last || reach.holds(row.last, moment.time))
}
