//! What one measure remembers of one key, and how a short one is written.
//!
//! A [`Memory`] is what measures work on. A short one is packed into its wallet's record once the event is decided:
//! instants by their distance from each other, amounts without the digits that they never have, so that a transfer
//! remembered for an hour takes some ten bytes and not the hundred of a vector with its allocation.

use super::{
    Hash,
    bytes::{MARGIN, Reader, Writer, put_signed, put_time},
};
use crate::{
    time::{Calendar, Period, Span, Timestamp},
    window::{
        Moment, Reach,
        calendar::{Periods, Total, Values},
        log::{One, Weight},
        sliding::{Entry, Window},
        streak::Row,
        trail::Trail,
    },
};
use std::sync::Arc;

/// What a measure remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Count,
    Sum,
    Distinct,
    Change,
    New,
    After,
    /// With the length at which the streak starts afresh.
    Streak(Option<u64>),
    Newest,
}

/// How the key of a memory is written, less the wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// The wallet is all of it.
    Nothing,
    /// An amount in minor units.
    Amount,
    /// A keyed hash of the fields.
    Hashed,
}

/// What memories of one measure look like.
#[derive(Clone, Debug)]
pub struct Shape {
    pub kind: Kind,
    pub key: KeyForm,
    /// The lengths of the rules that share it; one calendar period, or sliding ones.
    pub spans: Vec<Span>,
}

impl Shape {
    #[must_use]
    pub fn calendar(&self) -> Option<Calendar> {
        match self.spans.as_slice() {
            [Span::Calendar(calendar)] => Some(*calendar),
            _ => None,
        }
    }
}

/// Longest text of a `change` that lies in place: a UUID is 36 bytes, an IPv6 address at most 39.
const HERE: usize = 40;
const _: () = assert!(HERE == MARGIN, "a text in place is read as it lies, with what is behind it");

/// A value that `change` must be able to print. Longer texts are what makes `change` allocate.
#[derive(Clone)]
pub enum Known {
    /// Behind the text may stand anything.
    Here {
        tag: u8,
        length: u8,
        bytes: [u8; HERE],
    },
    There {
        tag: u8,
        text: Arc<[u8]>,
    },
}

impl Known {
    /// Values of different types are different, whatever their texts; `tag` tells the type.
    #[must_use]
    pub fn new(tag: u8, text: &str) -> Self {
        Known::of_bytes(tag, text.as_bytes())
    }

    #[inline]
    fn of_bytes(tag: u8, text: &[u8]) -> Self {
        let mut bytes = [0; HERE];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text);
                Known::Here { tag, length, bytes }
            }
            _ => Known::There { tag, text: text.into() },
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Known::Here { length, bytes, .. } => &bytes[..usize::from(*length)],
            Known::There { text, .. } => text,
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes()).expect("a copy of a str")
    }

    /// The type of the value.
    #[must_use]
    pub fn tag(&self) -> u8 {
        match self {
            Known::Here { tag, .. } | Known::There { tag, .. } => *tag,
        }
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Known) -> bool {
        self.tag() == other.tag() && self.bytes() == other.bytes()
    }
}

impl Eq for Known {}

impl std::fmt::Debug for Known {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {:?}", self.tag(), self.as_str())
    }
}

impl Weight for Known {
    fn weight(&self) -> i128 {
        0
    }
}

impl Entry for Known {
    /// Only neighbours are asked of a `change`, never a value's places.
    const DISTINCT: bool = false;
    fn value(&self) -> u128 {
        0
    }
}

/// What one measure remembers of one key.
#[derive(Clone, Debug)]
pub enum Memory {
    Count(Window<One>),
    Sum(Window<i128>),
    Distinct(Window<u128>),
    Total(Periods<i128>),
    Values(Periods<Values>),
    Change(Trail<Known>),
    New(Trail<u128>),
    After(Trail<One>),
    Streak(Option<Row>),
    Newest(Timestamp),
}

/// What all memories with a log have, under one name.
macro_rules! with_log {
    ($memory:expr, $log:ident => $does:expr, otherwise $($pattern:pat => $other:expr),+ $(,)?) => {
        match $memory {
            Memory::Count($log) => $does,
            Memory::Sum($log) => $does,
            Memory::Distinct($log) => $does,
            Memory::Change($log) => $does,
            Memory::New($log) => $does,
            Memory::After($log) => $does,
            $($pattern => $other),+
        }
    };
}

impl Memory {
    /// One that remembers nothing.
    #[must_use]
    pub fn new(shape: &Shape) -> Memory {
        match (shape.kind, shape.calendar()) {
            (Kind::Count | Kind::Sum, Some(_)) => Memory::Total(Default::default()),
            (Kind::Distinct, Some(_)) => Memory::Values(Default::default()),
            (Kind::Count, None) => Memory::Count(Default::default()),
            (Kind::Sum, None) => Memory::Sum(Default::default()),
            (Kind::Distinct, None) => Memory::Distinct(Default::default()),
            (Kind::Change, _) => Memory::Change(Default::default()),
            (Kind::New, _) => Memory::New(Default::default()),
            (Kind::After, _) => Memory::After(Default::default()),
            (Kind::Streak(_), _) => Memory::Streak(None),
            (Kind::Newest, _) => Memory::Newest(Timestamp::MIN),
        }
    }

    /// Forgets everything and keeps what was allocated.
    pub fn clear(&mut self) {
        with_log!(self, log => log.clear(), otherwise
            Memory::Total(periods) => periods.clear(),
            Memory::Values(periods) => periods.clear(),
            Memory::Streak(row) => *row = None,
            Memory::Newest(time) => *time = Timestamp::MIN,
        );
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        with_log!(self, log => log.is_empty(), otherwise
            Memory::Total(periods) => periods.is_empty(),
            Memory::Values(periods) => periods.is_empty(),
            Memory::Streak(row) => row.is_none(),
            Memory::Newest(time) => *time == Timestamp::MIN,
        )
    }

    /// Lets go of what has passed by `moment.newest`; true when nothing is left.
    pub fn forget(&mut self, spans: &[Span], moment: &Moment<'_>) -> bool {
        let calendar = || match spans {
            [Span::Calendar(calendar)] => *calendar,
            _ => unreachable!("a calendar measure has one period"),
        };
        with_log!(self, log => log.forget(spans, moment), otherwise
            Memory::Total(periods) => periods.forget(calendar(), moment),
            Memory::Values(periods) => periods.forget(calendar(), moment),
            Memory::Streak(row) => *row = row.filter(|row| Reach::new(spans[0], moment).sees(row.last)),
            Memory::Newest(_) => {},
        );
        self.is_empty()
    }

    /// Forgets what was worked out for the lengths of the rules, which may be others now.
    pub fn forget_lengths(&mut self) {
        match self {
            Memory::Count(window) => window.forget_lengths(),
            Memory::Sum(window) => window.forget_lengths(),
            Memory::Distinct(window) => window.forget_lengths(),
            _ => {}
        }
    }

    /// The newest time that is remembered; of periods, the beginning of the newest, which `start` gives.
    pub fn newest(&self, start: impl FnOnce(Period) -> Timestamp) -> Option<Timestamp> {
        with_log!(self, log => log.newest(), otherwise
            Memory::Total(periods) => periods.newest().map(start),
            Memory::Values(periods) => periods.newest().map(start),
            Memory::Streak(row) => row.map(|row| row.last),
            Memory::Newest(time) => Some(*time),
        )
    }

    /// Whether it is short enough to be packed.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.packing() != Packing::Long
    }

    /// How it can be packed.
    #[must_use]
    pub fn packing(&self) -> Packing {
        fn of_periods<T>(kept: &[(Period, T)], values: usize) -> Packing {
            if kept.is_empty() { Packing::Empty } else { Packing::Short(kept.len() * PERIOD_ROOM + values * 16) }
        }
        with_log!(self, log => packing_of(log.short()), otherwise
            Memory::Values(periods) => {
                let few = |(_, values): &(Period, Values)| values.few().map(<[u128]>::len);
                match periods.kept().iter().map(few).sum() {
                    None => Packing::Long,
                    Some(values) => of_periods(periods.kept(), values),
                }
            },
            Memory::Total(periods) => of_periods(periods.kept(), 0),
            Memory::Streak(None) => Packing::Empty,
            Memory::Streak(Some(_)) => Packing::Short(3 * NUMBER_ROOM),
            Memory::Newest(Timestamp::MIN) => Packing::Empty,
            Memory::Newest(_) => Packing::Short(NUMBER_ROOM),
        )
    }
}

/// Whether a memory can be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// There is nothing to pack.
    Empty,
    /// Into so many bytes at most.
    Short(usize),
    /// It is too long.
    Long,
}

/// Most bytes of a number.
const NUMBER_ROOM: usize = 9;
/// Most bytes of a period: its number, how many there are, and a total or how many values.
const PERIOD_ROOM: usize = 2 * NUMBER_ROOM + AMOUNT_ROOM;
/// Most bytes of an amount: two heads and 128 bits.
const AMOUNT_ROOM: usize = 2 + 16;

fn packing_of<V: Packed>(entries: Option<&[(Timestamp, V)]>) -> Packing {
    match entries {
        None => Packing::Long,
        Some([]) => Packing::Empty,
        // Each has a time, and there is one number more.
        Some(entries) => Packing::Short((entries.len() + 1) * NUMBER_ROOM + V::room(entries)),
    }
}

/// What an entry of a log is besides its time, written and read.
trait Packed: Sized {
    /// Most bytes that all of them take.
    fn room(entries: &[(Timestamp, Self)]) -> usize;
    fn put(&self, out: &mut Writer<'_>);
    fn take(reader: &mut Reader<'_>) -> Self;
}

impl Packed for One {
    #[inline]
    fn room(_entries: &[(Timestamp, Self)]) -> usize {
        0
    }
    #[inline(always)]
    fn put(&self, _out: &mut Writer<'_>) {}
    #[inline(always)]
    fn take(_reader: &mut Reader<'_>) -> Self {
        One
    }
}

/// Amounts have two of the six decimals that are kept.
const NEVER_USED: u64 = 10_000;

impl Packed for i128 {
    #[inline]
    fn room(entries: &[(Timestamp, Self)]) -> usize {
        entries.len() * AMOUNT_ROOM
    }
    /// A number below 2^64 whose last four digits are 0 goes without them, which its lowest bit tells.
    #[inline(always)]
    fn put(&self, out: &mut Writer<'_>) {
        match u64::try_from(*self) {
            // 64 bits divide in a few steps, 128 in a hundred.
            Ok(small) if small % NEVER_USED == 0 => out.number(small / NEVER_USED * 2),
            _ => {
                out.number(1);
                out.wide(*self);
            }
        }
    }
    #[inline]
    fn take(reader: &mut Reader<'_>) -> Self {
        let folded = reader.number();
        if folded & 1 == 0 { i128::from(folded / 2 * NEVER_USED) } else { reader.wide() }
    }
}

impl Packed for u128 {
    #[inline]
    fn room(entries: &[(Timestamp, Self)]) -> usize {
        entries.len() * 16
    }
    #[inline(always)]
    fn put(&self, out: &mut Writer<'_>) {
        out.array(&self.to_le_bytes(), 16);
    }
    #[inline(always)]
    fn take(reader: &mut Reader<'_>) -> Self {
        reader.hash()
    }
}

impl Packed for Known {
    #[inline]
    fn room(entries: &[(Timestamp, Self)]) -> usize {
        entries.iter().map(|(_, known)| 1 + NUMBER_ROOM + known.bytes().len()).sum()
    }
    #[inline(always)]
    fn put(&self, out: &mut Writer<'_>) {
        out.array(&[self.tag()], 1);
        match self {
            Known::Here { length, bytes, .. } => {
                out.number((*length).into());
                out.array(bytes, (*length).into());
            }
            Known::There { text, .. } => {
                out.count(text.len());
                out.bytes(text);
            }
        }
    }
    #[inline(always)]
    fn take(reader: &mut Reader<'_>) -> Self {
        let tag = reader.bytes(1)[0];
        let length = reader.count();
        match u8::try_from(length) {
            Ok(short) if length <= HERE => Known::Here { tag, length: short, bytes: reader.short_bytes(length) },
            _ => Known::There { tag, text: reader.bytes(length).into() },
        }
    }
}

/// The last time first, by which a reader sees whether all has passed; then how many, and each, with the time to the
/// next. The last one's time is known already.
#[inline(always)]
fn put_entries<V: Packed>(entries: Option<&[(Timestamp, V)]>, origin: Timestamp, out: &mut Writer<'_>) {
    let Some([earlier @ .., (last, value)]) = entries else { unreachable!("only what is short is packed") };
    out.time(origin, *last);
    out.count(earlier.len());
    if let Some((first, between)) = earlier.split_first() {
        out.number((last.0 - first.0.0).cast_unsigned());
        first.1.put(out);
        let mut before = first.0;
        for (time, value) in between {
            out.number((time.0 - before.0).cast_unsigned());
            value.put(out);
            before = *time;
        }
    }
    value.put(out);
}

/// The entries that [`put_entries`] wrote.
fn entries<'r, 'a, V: Packed>(
    origin: Timestamp,
    reader: &'r mut Reader<'a>,
) -> impl Iterator<Item = (Timestamp, V)> + use<'r, 'a, V> {
    let last = reader.time(origin);
    let count = reader.count();
    let mut time = Timestamp(last.0 - if count > 0 { reader.number().cast_signed() } else { 0 });
    (0..=count).map(move |place| {
        if place == count {
            time = last;
        } else if place > 0 {
            time.0 += reader.number().cast_signed();
        }
        (time, V::take(reader))
    })
}

/// The newest period, how many more there are, and what is kept of each.
#[inline]
fn put_periods<T>(kept: &[(Period, T)], out: &mut Writer<'_>, put: impl Fn(&T, &mut Writer<'_>)) {
    for (place, (period, of_it)) in kept.iter().enumerate() {
        out.signed(period.0.into());
        if place == 0 {
            out.count(kept.len() - 1);
        }
        put(of_it, out);
    }
}

fn take_period(reader: &mut Reader<'_>) -> Period {
    Period(i32::try_from(reader.signed()).expect("a period was written as one"))
}

impl Memory {
    /// Appends a memory that is short and not empty.
    ///
    /// # Panics
    /// Where it is not.
    pub fn pack(&self, origin: Timestamp, out: &mut Vec<u8>) {
        let Packing::Short(room) = self.packing() else { unreachable!("only what is short is packed") };
        let from = out.len();
        out.resize(from + room + MARGIN, 0);
        let mut writer = Writer::new(out, from);
        self.write(origin, &mut writer);
        let end = writer.at();
        out.truncate(end);
    }

    /// Writes a memory into the room that [`Memory::packing`] asks for.
    #[inline]
    pub fn write(&self, origin: Timestamp, out: &mut Writer<'_>) {
        match self {
            Memory::Count(log) => put_entries(log.short(), origin, out),
            Memory::Sum(log) => put_entries(log.short(), origin, out),
            Memory::Distinct(log) => put_entries(log.short(), origin, out),
            Memory::Change(log) => put_entries(log.short(), origin, out),
            Memory::New(log) => put_entries(log.short(), origin, out),
            Memory::After(log) => put_entries(log.short(), origin, out),
            Memory::Total(periods) => put_periods(periods.kept(), out, |total, out| total.put(out)),
            Memory::Values(periods) => put_periods(periods.kept(), out, |values, out| {
                let values = values.few().expect("only what is short is packed");
                out.count(values.len());
                values.iter().for_each(|value| value.put(out));
            }),
            Memory::Streak(row) => {
                let row = row.expect("an empty memory is not packed");
                out.time(origin, row.last);
                out.number((row.last.0 - row.earliest.0).cast_unsigned());
                out.number(row.length);
            }
            Memory::Newest(time) => out.time(origin, *time),
        }
    }

    /// Becomes what was packed; it is of that kind already.
    pub fn unpack(&mut self, origin: Timestamp, reader: &mut Reader<'_>) {
        match self {
            Memory::Count(log) => log.refill(entries(origin, reader)),
            Memory::Sum(log) => log.refill(entries(origin, reader)),
            Memory::Distinct(log) => log.refill(entries(origin, reader)),
            Memory::Change(log) => log.refill(entries(origin, reader)),
            Memory::New(log) => log.refill(entries(origin, reader)),
            Memory::After(log) => log.refill(entries(origin, reader)),
            Memory::Total(periods) => take_periods(periods, reader, |total, reader| *total = i128::take(reader)),
            Memory::Values(periods) => take_periods(periods, reader, |values, reader| {
                for _ in 0..reader.count() {
                    values.add(reader.hash());
                }
            }),
            Memory::Streak(row) => {
                let last = reader.time(origin);
                let earliest = Timestamp(last.0 - reader.number().cast_signed());
                *row = Some(Row { length: reader.number(), last, earliest });
            }
            Memory::Newest(time) => *time = reader.time(origin),
        }
    }
}

/// How new a memory is: the number that a packed one begins with, by which it is seen whether it has passed.
#[derive(Clone, Copy, Debug)]
pub enum Stamp {
    Time(Timestamp),
    Period(Period),
}

impl Stamp {
    /// # Panics
    /// Of a memory that is empty: a long one never is.
    #[must_use]
    pub fn of(memory: &Memory) -> Stamp {
        let mut newest = None;
        let time = memory.newest(|period| {
            newest = Some(period);
            Timestamp::MIN
        });
        match newest {
            Some(period) => Stamp::Period(period),
            None => Stamp::Time(time.expect("a long memory is not empty")),
        }
    }

    /// At most nine bytes.
    pub fn write(self, origin: Timestamp, out: &mut Writer<'_>) {
        match self {
            Stamp::Time(time) => out.time(origin, time),
            Stamp::Period(period) => out.signed(period.0.into()),
        }
    }

    pub fn put(self, origin: Timestamp, out: &mut Vec<u8>) {
        match self {
            Stamp::Time(time) => put_time(out, origin, time),
            Stamp::Period(period) => put_signed(out, period.0.into()),
        }
    }
}

/// The totals of the periods, the later first, each read by `take`.
fn take_periods<'a, T: Total>(
    periods: &mut Periods<T>,
    reader: &mut Reader<'a>,
    mut take: impl FnMut(&mut T, &mut Reader<'a>),
) {
    periods.clear();
    let first = take_period(reader);
    let more = reader.count();
    take(periods.append(first), reader);
    for _ in 0..more {
        let period = take_period(reader);
        take(periods.append(period), reader);
    }
}

/// Whether all of a packed memory has surely passed: nothing that began before `floor` counts, of which it is read
/// how new the newest is. Never true of what may still be asked for.
#[must_use]
pub fn has_passed(shape: &Shape, reader: &mut Reader<'_>, origin: Timestamp, moment: &Moment<'_>) -> bool {
    reader.signed() < passed_below(shape, origin, moment)
}

/// All of a packed memory has surely passed if the number that it begins with, its [`Stamp`], is below this.
#[must_use]
pub fn passed_below(shape: &Shape, origin: Timestamp, moment: &Moment<'_>) -> i64 {
    match (shape.kind, shape.calendar()) {
        (Kind::Newest, _) => i64::MIN,
        (_, Some(calendar)) => i64::from(moment.zone.period(moment.newest, calendar).0) - 1,
        _ => {
            let floors = shape.spans.iter().map(|span| Reach::new(*span, moment).floor().0);
            floors.min().expect("a measure that is not of the newest has a length") - origin.0
        }
    }
}

/// A key, less the wallet.
#[inline(always)]
pub fn write_key(form: KeyForm, key: Hash, out: &mut Writer<'_>) {
    match form {
        KeyForm::Nothing => {}
        KeyForm::Amount => out.number(u64::try_from(key).expect("an amount's minor units fit 64 bits")),
        KeyForm::Hashed => out.array(&key.to_le_bytes(), 16),
    }
}

#[inline]
pub fn take_key(form: KeyForm, reader: &mut Reader<'_>) -> Hash {
    match form {
        KeyForm::Nothing => 0,
        KeyForm::Amount => reader.number().into(),
        KeyForm::Hashed => reader.hash(),
    }
}

#[cfg(test)]
pub(in crate::state) mod tests;
