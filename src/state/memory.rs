//! What one measure remembers of one key, and how a short one is written.
//!
//! A [`Memory`] is what measures work on. A short one is packed into its wallet's record once the event is decided:
//! instants by their distance from each other, amounts without the digits that they never have, so that a transfer
//! remembered for an hour takes some ten bytes and not the hundred of a vector with its allocation.

use super::{
    Hash,
    bytes::{MARGIN, Reader, Writer},
    packed::{
        NUMBER_ROOM, PERIOD_ROOM, Packed, PackedLog, put_log, put_periods, put_totals, room_of, take_periods,
        take_totals,
    },
};
use crate::{
    time::{Calendar, Period, Span, Timestamp},
    window::{
        Moment, Reach,
        calendar::{Periods, Total, Values},
        log::{One, Weight},
        sliding::{Entry, Window},
        streak::{self, Row},
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
    /// Not at all: its record is of that key alone.
    OfRecord(KeyId),
}

/// Which fields the key of a record is of: a number, of the same fields the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId(pub u16);

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

    /// How a short memory can be worked on as it lies.
    #[must_use]
    pub fn layout(&self) -> Layout {
        let millis = |span: &Span| if let Span::Millis(millis) = span { Some(*millis) } else { None };
        match (self.kind, self.calendar()) {
            (Kind::Count | Kind::Sum, Some(calendar)) => Layout::Totals(calendar),
            (Kind::Newest, _) => Layout::Newest,
            (Kind::Distinct, Some(calendar)) => Layout::Values(calendar),
            (Kind::Streak(_), _) => Layout::Opened,
            _ if self.spans.iter().all(|span| millis(span).is_some()) => {
                Layout::Log { millis: self.spans.iter().filter_map(millis).max().unwrap_or_default() }
            }
            _ => Layout::Opened,
        }
    }
}

/// How a short memory of a measure is worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// It keeps entries, the longest of its windows is of so many ms, and none is of months.
    Log { millis: i64 },
    /// It keeps a count or a sum for each of two periods.
    Totals(Calendar),
    /// It keeps the different values of two periods.
    Values(Calendar),
    /// It keeps one instant.
    Newest,
    /// It is opened for every event.
    Opened,
}

impl Layout {
    /// Whether a short memory begins with a period, and not with an instant.
    #[inline]
    #[must_use]
    pub fn is_of_periods(self) -> bool {
        matches!(self, Layout::Totals(_) | Layout::Values(_))
    }
}

/// Longest text of a `change` that lies in place: a UUID is 36 bytes, an IPv6 address at most 39.
pub(super) const HERE: usize = 40;
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

    /// Puts a text of two letters in a value's place, which is what most changes are of: a country.
    #[inline]
    pub fn put_letters(place: &mut Option<Known>, tag: u8, letters: [u8; 2]) {
        if let Some(Known::Here { tag: its, length, bytes: [first, second, ..] }) = place {
            (*its, *length, *first, *second) = (tag, 2, letters[0], letters[1]);
        } else {
            *place = Some(Known::of_bytes(tag, &letters));
        }
    }

    /// Of a text as [`Known::is`] is told of it.
    #[must_use]
    #[inline]
    pub fn of_bytes(tag: u8, text: &[u8]) -> Self {
        let mut bytes = [0; HERE];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text);
                Known::Here { tag, length, bytes }
            }
            _ => Known::There { tag, text: text.into() },
        }
    }

    #[inline(always)]
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Known::Here { length, bytes, .. } => &bytes[..usize::from(*length)],
            Known::There { text, .. } => text,
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes()).expect("a copy of a str")
    }

    /// Whether it is the value of that type and text.
    #[must_use]
    #[inline(always)]
    pub fn is(&self, tag: u8, text: &[u8]) -> bool {
        self.tag() == tag && self.bytes() == text
    }

    /// The type of the value.
    #[must_use]
    #[inline(always)]
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

/// An event's own entry in a measure.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    Nothing,
    /// In millionths.
    Number(i128),
    Value(Hash),
    Known(&'a Known),
}

/// Millionths in one.
pub const MILLION: i128 = 1_000_000;

impl<'a> Item<'a> {
    /// What it adds to a sum, or to a count that is kept in millionths.
    #[must_use]
    #[inline]
    pub fn number(self) -> i128 {
        match self {
            Item::Number(number) => number,
            _ => MILLION,
        }
    }

    /// # Panics
    /// Where the measure is not of values.
    #[must_use]
    #[inline]
    pub fn value(self) -> Hash {
        match self {
            Item::Value(hash) => hash,
            Item::Nothing | Item::Number(_) | Item::Known(_) => unreachable!("this measure observes a value"),
        }
    }

    /// # Panics
    /// Where the measure is not of values with their texts.
    #[must_use]
    #[inline]
    pub fn known(self) -> &'a Known {
        match self {
            Item::Known(known) => known,
            Item::Nothing | Item::Number(_) | Item::Value(_) => unreachable!("a change observes a value with its text"),
        }
    }
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

    /// Remembers an event, unless it is gone already.
    pub fn remember(&mut self, shape: &Shape, moment: &Moment<'_>, item: Item<'_>) {
        let spans = &shape.spans;
        let calendar = || shape.calendar().expect("a memory of periods belongs to a calendar measure");
        match self {
            Memory::Count(window) => window.remember(spans, moment, One),
            Memory::Sum(window) => window.remember(spans, moment, item.number()),
            Memory::Distinct(window) => window.remember(spans, moment, item.value()),
            Memory::Total(periods) => periods.remember(calendar(), moment, item.number()),
            Memory::Values(periods) => periods.remember(calendar(), moment, item.value()),
            Memory::New(trail) => trail.remember(spans, moment, item.value()),
            Memory::After(trail) => trail.remember(spans, moment, One),
            Memory::Newest(newest) => *newest = moment.time.max(*newest),
            Memory::Change(trail) => trail.remember(spans, moment, item.known().clone()),
            Memory::Streak(row) => {
                let longer = streak::lengthen(*row, spans[0], moment);
                let restarts = shape.kind == Kind::Streak(Some(longer.length));
                *row = (!restarts).then_some(longer);
            }
        }
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

    /// Reads what nearly every event asks of it; nothing comes of it.
    #[must_use]
    pub fn read_ahead(&self) -> u64 {
        with_log!(self, log => log.read_ahead(), otherwise
            Memory::Total(periods) => periods.kept().len() as u64,
            Memory::Values(periods) => periods.kept().len() as u64,
            Memory::Streak(row) => row.map_or(0, |row| row.length),
            Memory::Newest(time) => time.0.cast_unsigned(),
        )
    }

    /// Fetches what leads to all that will be asked of a value, where it is long.
    pub fn fetch(&self, value: Hash) {
        match self {
            Memory::Distinct(window) => window.fetch(value),
            Memory::New(trail) => trail.fetch(value),
            _ => {}
        }
    }

    /// Fetches all that will be asked of a value, where it is long, once what leads to it has been [fetched](Memory::fetch).
    pub fn look_ahead(&self, value: Hash) {
        match self {
            Memory::Distinct(window) => window.look_ahead(value),
            Memory::New(trail) => trail.look_ahead(value),
            Memory::Values(periods) => periods.kept().iter().for_each(|(_, values)| values.look_ahead(value)),
            _ => {}
        }
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

fn packing_of<V: Packed>(entries: Option<&[(Timestamp, V)]>) -> Packing {
    match entries {
        None => Packing::Long,
        Some([]) => Packing::Empty,
        Some(entries) => Packing::Short(room_of(entries)),
    }
}

const SHORT: &str = "only what is short is packed";

impl Memory {
    /// Writes a memory into the room that [`Memory::packing`] asks for.
    #[inline]
    pub fn write(&self, origin: Timestamp, out: &mut Writer<'_>) {
        match self {
            Memory::Count(log) => put_log(log.short().expect(SHORT), origin, out),
            Memory::Sum(log) => put_log(log.short().expect(SHORT), origin, out),
            Memory::Distinct(log) => put_log(log.short().expect(SHORT), origin, out),
            Memory::Change(log) => put_log(log.short().expect(SHORT), origin, out),
            Memory::New(log) => put_log(log.short().expect(SHORT), origin, out),
            Memory::After(log) => put_log(log.short().expect(SHORT), origin, out),
            Memory::Total(totals) => put_totals(totals, out),
            Memory::Values(periods) => put_periods(periods.kept(), out, |values, out| {
                let values = values.few().expect(SHORT);
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
            Memory::Count(log) => log.refill(PackedLog::read(origin, *reader).entries()),
            Memory::Sum(log) => log.refill(PackedLog::read(origin, *reader).entries()),
            Memory::Distinct(log) => log.refill(PackedLog::read(origin, *reader).entries()),
            Memory::Change(log) => log.refill(PackedLog::read(origin, *reader).entries()),
            Memory::New(log) => log.refill(PackedLog::read(origin, *reader).entries()),
            Memory::After(log) => log.refill(PackedLog::read(origin, *reader).entries()),
            Memory::Total(totals) => take_totals(totals, reader),
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
        KeyForm::Nothing | KeyForm::OfRecord(_) => {}
        KeyForm::Amount => out.number(u64::try_from(key).expect("an amount's minor units fit 64 bits")),
        KeyForm::Hashed => out.array(&key.to_le_bytes(), 16),
    }
}

#[inline(always)]
pub fn take_key(form: KeyForm, reader: &mut Reader<'_>) -> Hash {
    match form {
        KeyForm::Nothing | KeyForm::OfRecord(_) => 0,
        KeyForm::Amount => reader.number().into(),
        KeyForm::Hashed => reader.hash(),
    }
}

#[cfg(test)]
pub(in crate::state) mod tests;
