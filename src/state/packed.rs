//! Short logs as they lie in a record: measured and lengthened there, without being unpacked.
//!
//! Nearly every event is no earlier than anything that its key remembers. For those a log is read from its newest
//! entry back to where the window begins, and lengthened by writing one entry before bytes that are copied as they
//! lie; what has passed is the end of those bytes, and is left out. That took the whole of a step with the default pack
//! from 16,250 instructions to what `benches/record/instructions.toml` says. Late events, long logs and windows of
//! months are unpacked into a [`super::memory::Memory`], which gives the same answers.
//!
//! Records of the topic `state` have these bytes as they lie, too: to change them is to write another version there
//! (`super::record::cells`).
//!
//! A log: the time of the newest entry, by which a reader sees whether all has passed; how many earlier ones there are;
//! then each entry, the newest first, with the time back to the next one in between.

use super::{
    bytes::{MARGIN, Reader, Writer, put_over},
    memory::{HERE, Known, Layout, Memory},
};
use crate::{
    time::{Calendar, Period, Timestamp},
    window::{
        Moment,
        calendar::{FEW as FEW_VALUES, Periods, Total},
        log::{FEW, One},
    },
};

/// What is remembered of a key, as it was found.
#[derive(Debug)]
pub enum Look<'a> {
    Nothing,
    /// No entry is later than the event, and no length is in months.
    Short(PackedLog<'a>),
    /// What the event's period comes to without it.
    Total(i128),
    Values(PackedValues<'a>),
    Newest(Timestamp),
    Memory(&'a mut Memory),
}

/// Most bytes of a number.
pub const NUMBER_ROOM: usize = 9;
/// Most bytes of an amount: two heads and 128 bits.
pub const AMOUNT_ROOM: usize = 2 + 16;

/// What an entry of a log is besides its time, written and read.
pub trait Packed: Sized {
    /// Most bytes that it takes.
    fn room(&self) -> usize;
    fn put(&self, out: &mut Writer<'_>);
    fn take(reader: &mut Reader<'_>) -> Self;
    /// Reads past one.
    fn skip(reader: &mut Reader<'_>);
}

impl Packed for One {
    #[inline(always)]
    fn room(&self) -> usize {
        0
    }
    #[inline(always)]
    fn put(&self, _out: &mut Writer<'_>) {}
    #[inline(always)]
    fn take(_reader: &mut Reader<'_>) -> Self {
        One
    }
    #[inline(always)]
    fn skip(_reader: &mut Reader<'_>) {}
}

/// Amounts have two of the six decimals that are kept.
pub const NEVER_USED: u64 = 10_000;

/// An amount as the one number that nearly every amount is: below 2^64, the digits that are never used 0 and left out,
/// which its lowest bit tells.
#[inline(always)]
fn short_amount(amount: i128) -> Option<u64> {
    // 64 bits divide in a few steps, 128 in a hundred.
    let small = u64::try_from(amount).ok()?;
    (small % NEVER_USED == 0).then(|| small / NEVER_USED * 2)
}

impl Packed for i128 {
    #[inline(always)]
    fn room(&self) -> usize {
        AMOUNT_ROOM
    }
    #[inline(always)]
    fn put(&self, out: &mut Writer<'_>) {
        match short_amount(*self) {
            Some(short) => out.number(short),
            None => {
                out.number(1);
                out.wide(*self);
            }
        }
    }
    #[inline(always)]
    fn take(reader: &mut Reader<'_>) -> Self {
        let folded = reader.number();
        if folded & 1 == 0 { i128::from(folded / 2 * NEVER_USED) } else { reader.wide() }
    }
    #[inline]
    fn skip(reader: &mut Reader<'_>) {
        if reader.number() & 1 == 1 {
            reader.wide();
        }
    }
}

impl Packed for u128 {
    #[inline(always)]
    fn room(&self) -> usize {
        16
    }
    #[inline(always)]
    fn put(&self, out: &mut Writer<'_>) {
        out.array(&self.to_le_bytes(), 16);
    }
    #[inline(always)]
    fn take(reader: &mut Reader<'_>) -> Self {
        reader.hash()
    }
    #[inline(always)]
    fn skip(reader: &mut Reader<'_>) {
        reader.pass(16);
    }
}

impl Packed for Known {
    #[inline]
    fn room(&self) -> usize {
        1 + NUMBER_ROOM + self.bytes().len()
    }
    #[inline(always)]
    fn put(&self, out: &mut Writer<'_>) {
        match self {
            Known::Here { tag, length, bytes } => {
                out.array(&[*tag], 1);
                out.number((*length).into());
                out.array(bytes, (*length).into());
            }
            Known::There { tag, text } => {
                out.array(&[*tag], 1);
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
    #[inline]
    fn skip(reader: &mut Reader<'_>) {
        reader.pass(1);
        let length = reader.count();
        reader.pass(length);
    }
}

/// What a short memory says of an event as it lies, and where, so that it can be said of bytes that are borrowed later.
#[derive(Clone, Copy, Debug)]
pub enum Lying {
    Log { newest: Timestamp, earlier: usize, at: usize },
    Total(i128),
    Values { at: usize },
    Newest(Timestamp),
}

impl Lying {
    /// Nothing where it has to be opened.
    #[inline(always)]
    #[must_use]
    pub fn read(layout: Layout, origin: Timestamp, mut reader: Reader<'_>, moment: &Moment<'_>) -> Option<Lying> {
        match layout {
            Layout::Log { .. } => {
                let PackedLog { newest, earlier, reader } = PackedLog::read(origin, reader);
                (newest <= moment.time).then_some(Lying::Log { newest, earlier, at: reader.at() })
            }
            Layout::Totals(calendar) => Some(Lying::Total(PackedTotals::read(reader).total(calendar, moment))),
            Layout::Values(calendar) => {
                let readable = NewestPeriod::read(reader).is_of(calendar, moment);
                readable.then_some(Lying::Values { at: reader.at() })
            }
            Layout::Newest => Some(Lying::Newest(reader.time(origin))),
            Layout::Opened => None,
        }
    }

    /// The same of the bytes that it was read from.
    #[inline(always)]
    #[must_use]
    pub fn look(self, bytes: &[u8]) -> Look<'_> {
        match self {
            Lying::Log { newest, earlier, at } => {
                Look::Short(PackedLog { newest, earlier, reader: Reader::new(bytes, at) })
            }
            Lying::Total(total) => Look::Total(total),
            Lying::Values { at } => Look::Values(PackedValues::read(Reader::new(bytes, at))),
            Lying::Newest(time) => Look::Newest(time),
        }
    }
}

/// A short memory as it lies, in terms that another process has, too: the instant that it begins with, unless it is of
/// periods, is counted from this process's origin there.
#[derive(Clone, Copy, Debug)]
pub struct Bare<'a> {
    pub begins: Option<Timestamp>,
    pub rest: &'a [u8],
}

impl<'a> Bare<'a> {
    /// What ends at `end`.
    #[inline]
    #[must_use]
    pub fn read(layout: Layout, origin: Timestamp, mut reader: Reader<'a>, end: usize) -> Bare<'a> {
        let begins = (!layout.is_of_periods()).then(|| reader.time(origin));
        Bare { begins, rest: reader.bytes(end - reader.at()) }
    }

    /// Most bytes that [`Bare::put`] writes.
    #[must_use]
    pub fn room(&self) -> usize {
        NUMBER_ROOM + self.rest.len()
    }

    pub fn put(&self, origin: Timestamp, out: &mut Writer<'_>) {
        if let Some(begins) = self.begins {
            out.time(origin, begins);
        }
        out.bytes(self.rest);
    }
}

/// A log that lies in a record.
#[derive(Clone, Copy, Debug)]
pub struct PackedLog<'a> {
    newest: Timestamp,
    earlier: usize,
    /// Stands at the value of the newest entry.
    reader: Reader<'a>,
}

/// The part of a log that has not passed, as it lies.
#[derive(Clone, Copy, Debug)]
pub struct Staying<'a> {
    newest: Timestamp,
    entries: usize,
    /// From the value of the newest entry to the end of the oldest that stays.
    reader: Reader<'a>,
    length: usize,
}

impl<'a> PackedLog<'a> {
    #[inline(always)]
    pub fn read(origin: Timestamp, mut reader: Reader<'a>) -> Self {
        let newest = reader.time(origin);
        let earlier = reader.count();
        PackedLog { newest, earlier, reader }
    }

    /// How many entries there are, at least one.
    #[must_use]
    #[inline(always)]
    pub fn count(&self) -> usize {
        self.earlier + 1
    }

    /// All entries, the newest first.
    #[inline(always)]
    pub fn entries<V: Packed>(self) -> impl Iterator<Item = (Timestamp, V)> + use<'a, V> {
        let PackedLog { newest: mut time, earlier, mut reader } = self;
        (0..=earlier).map(move |place| {
            if place > 0 {
                time.0 -= reader.number().cast_signed();
            }
            (time, V::take(&mut reader))
        })
    }

    /// The newest entry's time, and its value as a text with the type of it.
    #[inline(always)]
    #[must_use]
    pub fn newest_text(mut self) -> (Timestamp, u8, &'a [u8]) {
        let tag = self.reader.byte();
        let length = self.reader.count();
        (self.newest, tag, self.reader.bytes(length))
    }

    /// What is left of the log without the entries before `floor`, if an event at `time` can be written before it:
    /// where none is later, and one more is still few.
    #[inline(always)]
    #[must_use]
    pub fn staying<V: Packed>(self, floor: Timestamp, time: Timestamp) -> Option<Staying<'a>> {
        let staying = self.since::<V>(floor);
        (self.newest <= time && staying.entries < FEW).then_some(staying)
    }

    #[inline(always)]
    fn since<V: Packed>(self, floor: Timestamp) -> Staying<'a> {
        let PackedLog { newest, earlier, reader } = self;
        let (mut time, mut ahead) = (newest, reader);
        let (mut entries, mut length) = (0, 0);
        while time >= floor {
            V::skip(&mut ahead);
            (entries, length) = (entries + 1, ahead.at() - reader.at());
            if entries > earlier {
                break;
            }
            time.0 -= ahead.number().cast_signed();
        }
        Staying { newest, entries, reader, length }
    }
}

impl Staying<'_> {
    /// What is left where there was nothing.
    pub const NOTHING: Staying<'static> =
        Staying { newest: Timestamp::MIN, entries: 0, reader: Reader::NOTHING, length: 0 };

    /// Most bytes that [`Staying::append`] writes.
    #[inline(always)]
    pub fn room<V: Packed>(&self, value: &V) -> usize {
        3 * NUMBER_ROOM + value.room() + self.length
    }

    /// Writes the log with one entry more, which is not earlier than any.
    #[inline(always)]
    pub fn append<V: Packed>(mut self, origin: Timestamp, time: Timestamp, value: &V, out: &mut Writer<'_>) {
        out.time(origin, time);
        out.count(self.entries);
        value.put(out);
        if self.entries == 0 {
            return;
        }
        out.number((time.0 - self.newest.0).cast_unsigned());
        if self.length <= MARGIN {
            out.array(&self.reader.short_bytes(self.length), self.length);
        } else {
            out.bytes(self.reader.bytes(self.length));
        }
    }
}

/// Writes entries that are in the order (time, arrival), at least one, as a log.
#[inline(always)]
pub fn put_log<V: Packed>(entries: &[(Timestamp, V)], origin: Timestamp, out: &mut Writer<'_>) {
    let Some(((newest, value), earlier)) = entries.split_last() else { unreachable!("only what is short is packed") };
    out.time(origin, *newest);
    out.count(earlier.len());
    value.put(out);
    let mut later = *newest;
    for (time, value) in earlier.iter().rev() {
        out.number((later.0 - time.0).cast_unsigned());
        value.put(out);
        later = *time;
    }
}

/// Most bytes of a log of these entries.
#[inline]
pub fn room_of<V: Packed>(entries: &[(Timestamp, V)]) -> usize {
    (entries.len() + 1) * NUMBER_ROOM + entries.iter().map(|(_, value)| value.room()).sum::<usize>()
}

/// Most bytes of a period: its number, how many there are, and a total or how many values.
pub const PERIOD_ROOM: usize = 2 * NUMBER_ROOM + AMOUNT_ROOM;
/// Most bytes of the totals of the two periods that are kept.
pub const TOTALS_ROOM: usize = 2 * PERIOD_ROOM;

/// The newest period, how many more there are, and what is kept of each.
#[inline]
pub fn put_periods<T>(kept: &[(Period, T)], out: &mut Writer<'_>, put: impl Fn(&T, &mut Writer<'_>)) {
    for (place, (period, of_it)) in kept.iter().enumerate() {
        out.signed(period.0.into());
        if place == 0 {
            out.count(kept.len() - 1);
        }
        put(of_it, out);
    }
}

/// The totals of the periods, the later first, each read by `take`.
#[inline]
pub fn take_periods<'a, T: Total>(
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

#[inline(always)]
fn take_period(reader: &mut Reader<'_>) -> Period {
    Period(i32::try_from(reader.signed()).expect("a period was written as one"))
}

/// Fewest bytes of a total. So many hold a day's sum of up to a million of the major unit, so that a total that grows nearly
/// always stays where it lies.
const TOTAL_BYTES: usize = 4;

/// Counts or sums of periods, which are always short.
#[inline]
pub fn put_totals(totals: &Periods<i128>, out: &mut Writer<'_>) {
    put_periods(totals.kept(), out, |total, out| put_total(*total, out));
}

#[inline(always)]
fn put_total(total: i128, out: &mut Writer<'_>) {
    match short_amount(total) {
        Some(short) => out.roomy_number(short, TOTAL_BYTES),
        None => total.put(out),
    }
}

#[inline]
pub fn take_totals(totals: &mut Periods<i128>, reader: &mut Reader<'_>) {
    take_periods(totals, reader, |total, reader| *total = i128::take(reader));
}

/// The newest of the periods that lie in a record, and what is behind it.
#[derive(Clone, Copy, Debug)]
struct NewestPeriod<'a> {
    whole: Reader<'a>,
    period: Period,
    /// How many earlier ones there are.
    earlier: usize,
    /// Stands behind that number.
    reader: Reader<'a>,
}

impl<'a> NewestPeriod<'a> {
    #[inline(always)]
    fn read(whole: Reader<'a>) -> Self {
        let mut reader = whole;
        let period = take_period(&mut reader);
        let earlier = reader.count();
        NewestPeriod { whole, period, earlier, reader }
    }

    /// Whether it is that of an event, which is the newest of all.
    #[inline(always)]
    fn is_of(&self, calendar: Calendar, moment: &Moment<'_>) -> bool {
        moment.newest == moment.time && moment.zone.period(moment.time, calendar) == self.period
    }

    #[inline(always)]
    fn begin(&self, earlier: usize, out: &mut Writer<'_>) {
        out.signed(self.period.0.into());
        out.count(earlier);
    }

    /// How many periods before it are not gone for its events, of which one stands at `rest`.
    #[inline(always)]
    fn left(&self, mut rest: Reader<'_>) -> usize {
        usize::from(self.earlier > 0 && take_period(&mut rest).0 == self.period.0 - 1)
    }
}

/// The counts or sums of periods as they lie.
#[derive(Clone, Copy, Debug)]
pub struct PackedTotals<'a> {
    newest: NewestPeriod<'a>,
    total: i128,
    /// Stands behind the newest period's total.
    rest: Reader<'a>,
}

impl<'a> PackedTotals<'a> {
    #[inline(always)]
    pub fn read(reader: Reader<'a>) -> Self {
        let newest = NewestPeriod::read(reader);
        let mut rest = newest.reader;
        PackedTotals { newest, total: i128::take(&mut rest), rest }
    }

    /// Writes the first total of all, which is that of an event's period.
    #[inline(always)]
    pub fn first(calendar: Calendar, moment: &Moment<'_>, item: i128, out: &mut Writer<'_>) {
        out.signed(moment.zone.period(moment.time, calendar).0.into());
        out.count(0);
        put_total(item, out);
    }

    /// The total of the event's period, without the event.
    #[must_use]
    #[inline(always)]
    pub fn total(&self, calendar: Calendar, moment: &Moment<'_>) -> i128 {
        if self.newest.is_of(calendar, moment) { self.total } else { self.total_of_another(calendar, moment) }
    }

    #[inline(never)]
    fn total_of_another(&self, calendar: Calendar, moment: &Moment<'_>) -> i128 {
        let mut periods = Periods::default();
        take_totals(&mut periods, &mut { self.newest.whole });
        periods.total(calendar, moment, 0)
    }

    /// Where the total of the event's period lies, and what it becomes with the event: if nothing else changes.
    #[must_use]
    #[inline(always)]
    pub fn replaced(&self, calendar: Calendar, moment: &Moment<'_>, item: i128) -> Option<Replaced> {
        let newest = &self.newest;
        let stays = newest.is_of(calendar, moment) && newest.left(self.rest) == newest.earlier;
        let at = newest.reader.at();
        stays.then(|| Replaced { at, length: self.rest.at() - at, amount: self.total + item })
    }
}

/// An amount that becomes another, where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Replaced {
    at: usize,
    length: usize,
    amount: i128,
}

impl Replaced {
    /// Puts it over the old one, if there is room for it.
    #[inline(always)]
    pub fn put_over(self, bytes: &mut [u8]) -> bool {
        short_amount(self.amount).is_some_and(|short| put_over(bytes, self.at, self.length, short))
    }
}

/// The different values of periods as they lie.
#[derive(Clone, Copy, Debug)]
pub struct PackedValues<'a> {
    newest: NewestPeriod<'a>,
    /// How many the newest period has, and where the first stands.
    count: usize,
    values: Reader<'a>,
}

impl<'a> PackedValues<'a> {
    #[inline(always)]
    pub fn read(reader: Reader<'a>) -> Self {
        let newest = NewestPeriod::read(reader);
        let mut values = newest.reader;
        PackedValues { newest, count: values.count(), values }
    }

    /// How many different ones the newest period has, which is the event's, the event included.
    #[must_use]
    #[inline]
    pub fn total(&self, item: u128) -> i128 {
        (self.count + usize::from(!self.contains(item))) as i128
    }

    fn contains(&self, item: u128) -> bool {
        let mut values = self.values;
        (0..self.count).any(|_| values.hash() == item)
    }

    /// Whether they can be lengthened as they lie by an event, whose value may be there already.
    #[must_use]
    #[inline]
    pub fn takes(&self, calendar: Calendar, moment: &Moment<'_>) -> bool {
        self.count < FEW_VALUES && self.newest.earlier == 0 && self.newest.is_of(calendar, moment)
    }

    /// Writes them with the value of an event, which [`PackedValues::takes`].
    #[inline]
    pub fn add(&self, item: u128, out: &mut Writer<'_>) {
        let new = !self.contains(item);
        self.newest.begin(0, out);
        out.count(self.count + usize::from(new));
        out.bytes({ self.values }.bytes(16 * self.count));
        if new {
            item.put(out);
        }
    }

    /// Most bytes that [`PackedValues::add`] writes.
    #[must_use]
    pub fn room(&self) -> usize {
        3 * NUMBER_ROOM + 16 * (self.count + 1)
    }

    /// Writes the first value of a period.
    pub fn first(calendar: Calendar, moment: &Moment<'_>, item: u128, out: &mut Writer<'_>) {
        out.signed(moment.zone.period(moment.time, calendar).0.into());
        out.count(0);
        out.count(1);
        item.put(out);
    }
}

/// Most bytes of a first value.
pub const FIRST_VALUE_ROOM: usize = 3 * NUMBER_ROOM + 16;
