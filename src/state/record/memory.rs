//! What one measure remembers of one key, in a record: a memory that is long, or that is a record of its own. Those that lie in
//! a wallet's own record are [`cells`](super::cells), and were as here in version 1.
//!
//! A long log or a large set goes in pieces, of which only those are written that have changed: an event of a wallet that
//! makes a million an hour writes what one of a quiet wallet does.

use super::codec::{Malformed, Read, Sink, Source};
use crate::{
    state::memory::{Known, Memory, Shape},
    time::{Period, Timestamp},
    window::{
        calendar::{Periods, Total, Values},
        log::{Log, One, Piece, Weight},
        sliding::Window,
        streak::Row,
        trail::Trail,
    },
};
use std::collections::BTreeMap;

/// The pieces of one memory.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    /// Of all that it has now.
    pub labels: Vec<u64>,
    /// Those that have changed since they were written last.
    pub changed: Vec<(u64, Vec<u8>)>,
}

/// The bodies of the pieces of one memory, by label.
pub type Bodies = BTreeMap<u64, Vec<u8>>;

/// No amount that is remembered, in millionths, and no total of a period is larger.
pub(super) const LARGEST_AMOUNT: u128 = 1 << 77;
pub(super) const LARGEST_TOTAL: u128 = 1 << 120;
const LONGEST_ROW: u64 = 1 << 62;
const _: () = assert!((crate::limits::AMOUNT_MINOR_MAX as u128) * 10_000 < LARGEST_AMOUNT);
const _: () = assert!(crate::limits::ATTRIBUTE_WHOLE_DIGITS == 16 && 10_u128.pow(16 + 6) < LARGEST_AMOUNT);

/// What an entry is besides its time.
trait Written: Sized {
    fn write(&self, out: &mut Sink);
    fn read(source: &mut Source<'_>) -> Read<Self>;
}

impl Written for One {
    fn write(&self, _out: &mut Sink) {}
    fn read(_source: &mut Source<'_>) -> Read<Self> {
        Ok(One)
    }
}

/// Amounts have two of the six decimals that are kept; those go without the four zeros, which the lowest bit tells.
const NEVER_USED: u128 = 10_000;

fn write_amount(amount: i128, out: &mut Sink) {
    let amount = u128::try_from(amount).expect("what is measured is never negative");
    out.wide(if amount.is_multiple_of(NEVER_USED) { amount / NEVER_USED * 2 } else { amount * 2 + 1 });
}

fn read_amount(source: &mut Source<'_>, largest: u128) -> Read<i128> {
    let folded = source.wide()?;
    let amount = if folded & 1 == 0 { (folded / 2).checked_mul(NEVER_USED) } else { Some(folded / 2) };
    if folded & 1 == 1 && (folded / 2).is_multiple_of(NEVER_USED) {
        return Err(Malformed("an amount has zeros that it goes without"));
    }
    let amount = amount.filter(|amount| *amount <= largest).ok_or(Malformed("an amount is too large"))?;
    Ok(amount.cast_signed())
}

impl Written for i128 {
    fn write(&self, out: &mut Sink) {
        write_amount(*self, out);
    }
    fn read(source: &mut Source<'_>) -> Read<Self> {
        read_amount(source, LARGEST_AMOUNT)
    }
}

impl Written for u128 {
    fn write(&self, out: &mut Sink) {
        out.hash(*self);
    }
    fn read(source: &mut Source<'_>) -> Read<Self> {
        source.hash()
    }
}

impl Written for Known {
    fn write(&self, out: &mut Sink) {
        out.byte(self.tag());
        out.text(self.as_str().as_bytes());
    }
    fn read(source: &mut Source<'_>) -> Read<Self> {
        let tag = source.byte()?;
        Ok(Known::new(tag, source.text()?))
    }
}

/// How many, and each: the first one's time by its distance from `near`, the others' by that from the one before.
fn write_entries<'a, V: Written + 'a>(
    count: usize,
    entries: impl Iterator<Item = (Timestamp, &'a V)>,
    near: Timestamp,
    out: &mut Sink,
) {
    let mut before: Option<Timestamp> = None;
    out.count(count);
    for (time, value) in entries {
        match before {
            None => out.signed(near.0 - time.0),
            Some(before) => out.number((time.0 - before.0).cast_unsigned()),
        }
        value.write(out);
        before = Some(time);
    }
}

fn read_entries<V: Written>(source: &mut Source<'_>, near: Timestamp) -> Read<Vec<(Timestamp, V)>> {
    let mut before = None;
    source.list(|source| {
        let time = match before {
            None => source.time_before(near)?,
            Some(before) => source.time_after(before)?,
        };
        before = Some(time);
        Ok((time, V::read(source)?))
    })
}

/// Instants in pieces are counted from here: a piece stays as it is while its wallet grows newer.
const EPOCH: Timestamp = Timestamp(0);
const SHORT: u8 = 0;
const LONG: u8 = 1;

fn write_log<V: Written + Weight>(
    (log, dropped): (&mut Log<V>, Option<Timestamp>),
    near: Timestamp,
    out: &mut Sink,
    pieces: &mut Pieces,
) {
    if let Some(entries) = log.short() {
        out.byte(SHORT);
        return write_entries(entries.len(), entries.iter().map(|(time, value)| (*time, value)), near, out);
    }
    let chunks = log.long().expect("a log is short or long");
    pieces.labels.extend(chunks.labels());
    out.byte(LONG);
    out.count(pieces.labels.len());
    out.count(chunks.count());
    out.count(chunks.popped());
    out.option(dropped, |out, dropped| out.signed(near.0 - dropped.0));
    chunks.write_pieces(|label, times, values| {
        let mut body = Sink::default();
        write_entries(times.len(), times.iter().copied().zip(values), EPOCH, &mut body);
        pieces.changed.push((label, body.bytes));
    });
}

type LogAndDropped<V> = (Log<V>, Option<Timestamp>);

fn read_log<V: Written + Weight>(
    source: &mut Source<'_>,
    near: Timestamp,
    bodies: impl FnOnce() -> Bodies,
) -> Read<LogAndDropped<V>> {
    match source.byte()? {
        SHORT => {
            let entries = read_entries(source, near)?;
            if entries.len() > crate::window::log::FEW {
                return Err(Malformed("a short log is long"));
            }
            Ok((Log::of_few(entries), None))
        }
        LONG => {
            let (count, len, popped) = (source.number()?, source.number()?, source.number()?);
            let dropped = source.option(|source| source.time_before(near))?;
            let bodies = whole(bodies(), count)?;
            let mut pieces = Vec::with_capacity(bodies.len());
            for (label, body) in bodies {
                let mut source = Source::new(&body);
                let entries = read_entries(&mut source, EPOCH)?;
                source.end()?;
                pieces.push(Piece { label, entries });
            }
            let popped = usize::try_from(popped).map_err(|_| UNLIKE)?;
            let log = Log::of_pieces(pieces, popped).ok_or(UNLIKE)?;
            if log.len() as u64 == len { Ok((log, dropped)) } else { Err(UNLIKE) }
        }
        _ => Err(Malformed("a log is neither short nor long")),
    }
}

const UNLIKE: Malformed = Malformed("its pieces are not those of one log");

/// All pieces are there.
fn whole(bodies: Bodies, count: u64) -> Read<Bodies> {
    if bodies.len() as u64 == count { Ok(bodies) } else { Err(Malformed("pieces of it are missing or too many")) }
}

/// The newest period first, and of each what is kept.
fn write_periods<T: Total>(kept: &mut [(Period, T)], out: &mut Sink, mut write: impl FnMut(Period, &mut T, &mut Sink)) {
    out.count(kept.len());
    for (period, total) in kept {
        out.signed(period.0.into());
        write(*period, total, out);
    }
}

fn read_periods<T: Total>(
    source: &mut Source<'_>,
    mut read: impl FnMut(Period, &mut T, &mut Source<'_>) -> Read<()>,
) -> Read<Periods<T>> {
    let mut periods = Periods::default();
    let count = source.count()?;
    if count > 2 {
        return Err(Malformed("more than two periods are kept"));
    }
    for _ in 0..count {
        let period = period_of(source.signed()?)?;
        if periods.kept().last().is_some_and(|(later, _): &(Period, T)| *later <= period) {
            return Err(Malformed("an earlier period comes first"));
        }
        read(period, periods.append(period), source)?;
    }
    Ok(periods)
}

/// A period within the years that timestamps have.
pub(super) fn period_of(number: i64) -> Read<Period> {
    let period = i32::try_from(number).ok().filter(|period| period.unsigned_abs() < 1 << 22);
    period.map(Period).ok_or(Malformed("a period lies beyond the years that are known"))
}

pub(super) fn row_of(earliest: Timestamp, last: Timestamp, length: u64) -> Read<Row> {
    let plausible = earliest <= last && (1..LONGEST_ROW).contains(&length);
    if plausible { Ok(Row { length, last, earliest }) } else { Err(Malformed("no row is like that")) }
}

/// A label for a segment of the values of one period.
fn segment_label(period: Period, segment: u32) -> u64 {
    u64::from(period.0.cast_unsigned()) << 32 | u64::from(segment)
}

fn write_values(period: Period, values: &mut Values, out: &mut Sink, pieces: &mut Pieces) {
    if let Some(few) = values.few() {
        out.byte(SHORT);
        let mut few = few.to_vec();
        few.sort_unstable();
        out.count(few.len());
        return few.iter().for_each(|value| value.write(out));
    }
    let table = values.many().expect("values are few or many");
    let before = pieces.labels.len();
    pieces.labels.extend(table.labels().map(|segment| segment_label(period, segment)));
    out.byte(LONG);
    out.count(pieces.labels.len() - before);
    out.count(table.len());
    table.write_segments(|segment, records| {
        let mut records: Vec<u128> = records.copied().collect();
        records.sort_unstable();
        let mut body = Sink::default();
        body.count(records.len());
        records.iter().for_each(|value| value.write(&mut body));
        pieces.changed.push((segment_label(period, segment), body.bytes));
    });
}

fn read_values(period: Period, values: &mut Values, source: &mut Source<'_>, bodies: &mut Bodies) -> Read<()> {
    let mut add = |source: &mut Source<'_>| {
        let before = values.len();
        for value in source.list(u128::read)? {
            values.add(value);
        }
        Ok(values.len() - before)
    };
    match source.byte()? {
        SHORT => {
            add(source)?;
            if values.many().is_some() { Err(Malformed("few values are many")) } else { Ok(()) }
        }
        LONG => {
            let (count, len) = (source.number()?, source.number()?);
            let later = bodies.split_off(&segment_label(period, u32::MAX));
            let mut own = bodies.split_off(&segment_label(period, 0));
            bodies.extend(later);
            own = whole(own, count)?;
            let mut found = 0;
            for body in own.values() {
                let mut source = Source::new(body);
                found += add(&mut source)? as u64;
                source.end()?;
            }
            if found != len {
                return Err(Malformed("values of it are missing or doubled"));
            }
            if let Some(table) = values.many() {
                table.write_segments(|_, _| {});
            }
            Ok(())
        }
        _ => Err(Malformed("values are neither few nor many")),
    }
}

/// Appends a memory; `near` is an instant that most of its own are near.
pub fn write(memory: &mut Memory, near: Timestamp, out: &mut Sink, pieces: &mut Pieces) {
    match memory {
        Memory::Count(window) => write_log(window.kept(), near, out, pieces),
        Memory::Sum(window) => write_log(window.kept(), near, out, pieces),
        Memory::Distinct(window) => write_log(window.kept(), near, out, pieces),
        Memory::Change(trail) => write_log(trail.kept(), near, out, pieces),
        Memory::New(trail) => write_log(trail.kept(), near, out, pieces),
        Memory::After(trail) => write_log(trail.kept(), near, out, pieces),
        Memory::Total(periods) => write_periods(periods.kept_mut(), out, |_, total, out| write_amount(*total, out)),
        Memory::Values(periods) => {
            write_periods(periods.kept_mut(), out, |period, values, out| write_values(period, values, out, pieces));
        }
        Memory::Streak(row) => out.option(*row, |out, row| {
            out.signed(near.0 - row.last.0);
            out.signed(row.last.0 - row.earliest.0);
            out.number(row.length);
        }),
        Memory::Newest(time) => out.signed(near.0 - time.0),
    }
}

/// The memory that was written, of a measure of that shape; `bodies` gives its pieces, if it asks for them.
///
/// # Errors
/// Where the bytes, or the pieces, are not those of one.
pub fn read(source: &mut Source<'_>, shape: &Shape, near: Timestamp, bodies: impl FnOnce() -> Bodies) -> Read<Memory> {
    fn window<V: crate::window::sliding::Weighed>((log, dropped): LogAndDropped<V>) -> Window<V> {
        Window::restored(log, dropped)
    }
    fn trail<V: crate::window::sliding::Entry>((log, dropped): LogAndDropped<V>) -> Trail<V> {
        Trail::restored(log, dropped)
    }
    Ok(match Memory::new(shape) {
        Memory::Count(_) => Memory::Count(window(read_log(source, near, bodies)?)),
        Memory::Sum(_) => Memory::Sum(window(read_log(source, near, bodies)?)),
        Memory::Distinct(_) => Memory::Distinct(window(read_log(source, near, bodies)?)),
        Memory::Change(_) => Memory::Change(trail(read_log(source, near, bodies)?)),
        Memory::New(_) => Memory::New(trail(read_log(source, near, bodies)?)),
        Memory::After(_) => Memory::After(trail(read_log(source, near, bodies)?)),
        Memory::Total(_) => Memory::Total(read_periods(source, |_, total: &mut i128, source| {
            *total = read_amount(source, LARGEST_TOTAL)?;
            Ok(())
        })?),
        Memory::Values(_) => {
            let (mut taken, mut bodies) = (None, Some(bodies));
            let periods = read_periods(source, |period, values, source| {
                let bodies = taken.get_or_insert_with(|| bodies.take().map(|bodies| bodies()).unwrap_or_default());
                read_values(period, values, source, bodies)
            })?;
            if taken.is_some_and(|left| !left.is_empty()) {
                return Err(Malformed("there are pieces of a period that it does not have"));
            }
            Memory::Values(periods)
        }
        Memory::Streak(_) => Memory::Streak(source.option(|source| {
            let last = source.time_before(near)?;
            let earliest = source.time_before(last)?;
            row_of(earliest, last, source.number()?)
        })?),
        Memory::Newest(_) => Memory::Newest(source.time_before(near)?),
    })
}
