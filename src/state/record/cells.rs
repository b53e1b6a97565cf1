//! The memories that lie in a wallet's own record, as a record of the topic has them: a short one goes there and comes back as
//! its bytes in memory. Unpacked and written in another form they took an eighth of the time of `kuzet run`'s worker, so they
//! take a twentieth. Only the instant that one begins with is another: each process counts those from an origin of its own, a
//! record from its wallet's newest.
//!
//! In memory these bytes are read without a look at whether they can be; so every one that comes from outside is held against
//! what a memory can say before it is kept. Records of version 1 had such memories as [`memory`](super::memory) writes them.

use super::{
    codec::{Malformed, Read, Sink, Source, time_before},
    key::SlotNumber,
    memory::{LARGEST_AMOUNT, LARGEST_TOTAL, period_of, row_of},
};
use crate::{
    state::{
        Hash,
        bytes::unfolded,
        memory::{KeyForm, Kind, Shape},
        packed::{Bare, NEVER_USED},
    },
    time::Timestamp,
    window::{calendar::FEW as FEW_VALUES, log::FEW},
};

/// A memory behind its measure and its length; `key` are the bytes that say of what it is.
pub fn write_short(number: SlotNumber, key: &[u8], memory: &Bare<'_>, near: Timestamp, out: &mut Sink) {
    let begins = memory.begins.map(|begins| near.0 - begins.0);
    out.number(u64::from(number) << 1);
    out.count(key.len() + begins.map_or(0, Sink::bytes_of_signed) + memory.rest.len());
    out.bytes(key);
    if let Some(begins) = begins {
        out.signed(begins);
    }
    out.bytes(memory.rest);
}

/// The same of a memory that goes in pieces, whose own part has been written.
pub fn write_long(number: SlotNumber, key: &[u8], written: &[u8], out: &mut Sink) {
    out.number(u64::from(number) << 1 | 1);
    out.count(key.len() + written.len());
    out.bytes(key);
    out.bytes(written);
}

/// What comes next: of which measure, whether it goes in pieces, and the bytes of its key and its own.
///
/// # Errors
/// As of all here, where the bytes are not what is read.
pub fn read_head<'a>(source: &mut Source<'a>) -> Read<(SlotNumber, bool, Source<'a>)> {
    let head = source.number()?;
    let number = SlotNumber::try_from(head >> 1).map_err(|_| Malformed("no such measure"))?;
    Ok((number, head & 1 != 0, Source::new(source.text_bytes()?)))
}

/// # Errors
/// See [`read_head`].
pub fn read_key(form: KeyForm, source: &mut Source<'_>) -> Read<Hash> {
    match form {
        KeyForm::Nothing | KeyForm::OfRecord(_) => Ok(0),
        KeyForm::Amount => packed_number(source).map(Hash::from),
        KeyForm::Hashed => source.hash(),
    }
}

/// All that is left, as a short memory of that shape.
///
/// # Errors
/// See [`read_head`].
pub fn read_short<'a>(source: &mut Source<'a>, shape: &Shape, near: Timestamp) -> Read<Bare<'a>> {
    let begins = if shape.layout().is_of_periods() { None } else { Some(source.time_before(near)?) };
    let rest = source.rest();
    match (shape.kind, begins) {
        (Kind::Distinct, None) => check_periods(source, check_values)?,
        (_, None) => check_periods(source, |source| check_amount(source, LARGEST_TOTAL))?,
        (Kind::Count | Kind::After, Some(newest)) => check_log(source, newest, |_| Ok(()))?,
        (Kind::Sum, Some(newest)) => check_log(source, newest, |source| check_amount(source, LARGEST_AMOUNT))?,
        (Kind::Distinct | Kind::New, Some(newest)) => check_log(source, newest, |source| source.hash().map(drop))?,
        (Kind::Change, Some(newest)) => check_log(source, newest, check_known)?,
        (Kind::Streak(_), Some(last)) => {
            let earliest = earlier_time(source, last)?;
            row_of(earliest, last, packed_number(source)?)?;
        }
        (Kind::Newest, Some(_)) => {}
    }
    source.end()?;
    Ok(Bare { begins, rest })
}

/// A number as [`bytes`](crate::state::bytes) has it.
fn packed_number(source: &mut Source<'_>) -> Read<u64> {
    let first = source.byte()?;
    if first == 0 {
        return source.half();
    }
    let more = first.trailing_zeros() as usize;
    let mut word = [0; 8];
    word[0] = first;
    word[1..=more].copy_from_slice(source.bytes(more)?);
    Ok(u64::from_le_bytes(word) >> (more + 1))
}

fn packed_signed(source: &mut Source<'_>) -> Read<i64> {
    packed_number(source).map(unfolded)
}

/// An instant by how many ms it lies before `later`.
fn earlier_time(source: &mut Source<'_>, later: Timestamp) -> Read<Timestamp> {
    let apart = i64::try_from(packed_number(source)?);
    time_before(later, apart.map_err(|_| Malformed("an instant lies beyond the years that are known"))?)
}

/// The newest entry first, and how many there are before it.
fn check_log(
    source: &mut Source<'_>,
    newest: Timestamp,
    mut check: impl FnMut(&mut Source<'_>) -> Read<()>,
) -> Read<()> {
    let earlier = packed_number(source)?;
    if earlier >= FEW as u64 {
        return Err(Malformed("a short log is long"));
    }
    check(source)?;
    let mut time = newest;
    for _ in 0..earlier {
        time = earlier_time(source, time)?;
        check(source)?;
    }
    Ok(())
}

fn check_amount(source: &mut Source<'_>, largest: u128) -> Read<()> {
    let folded = packed_number(source)?;
    let amount = match folded {
        1 => match packed_number(source)? {
            1 => source.hash()?,
            small if small & 1 == 0 => (small >> 1).into(),
            _ => return Err(Malformed("an amount is not written like that")),
        },
        // In memory it is worked out in 64 bits.
        short if short & 1 == 0 => {
            (short >> 1).checked_mul(NEVER_USED).ok_or(Malformed("an amount is too large"))?.into()
        }
        _ => return Err(Malformed("an amount is not written like that")),
    };
    if amount <= largest { Ok(()) } else { Err(Malformed("an amount is too large")) }
}

fn check_known(source: &mut Source<'_>) -> Read<()> {
    source.byte()?;
    let length = usize::try_from(packed_number(source)?).map_err(|_| Malformed("it ends too early"))?;
    let text = std::str::from_utf8(source.bytes(length)?);
    text.map(drop).map_err(|_| Malformed("a text is not UTF-8"))
}

/// The newest period, whether there is one before it, and what is kept of each.
fn check_periods(source: &mut Source<'_>, mut check: impl FnMut(&mut Source<'_>) -> Read<()>) -> Read<()> {
    let newest = period_of(packed_signed(source)?)?;
    let earlier = packed_number(source)?;
    check(source)?;
    match earlier {
        0 => Ok(()),
        1 if period_of(packed_signed(source)?)? < newest => check(source),
        1 => Err(Malformed("an earlier period comes first")),
        _ => Err(Malformed("more than two periods are kept")),
    }
}

fn check_values(source: &mut Source<'_>) -> Read<()> {
    let count = usize::try_from(packed_number(source)?).ok().filter(|count| *count <= FEW_VALUES);
    let mut values = [0; FEW_VALUES];
    for place in 0..count.ok_or(Malformed("few values are many"))? {
        let value = source.hash()?;
        if values[..place].contains(&value) {
            return Err(Malformed("a value is there twice"));
        }
        values[place] = value;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
