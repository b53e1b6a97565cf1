//! What a wallet has besides its memories, in a record: restrictions, operations that wait, ids.

use super::{
    codec::{Malformed, Read, Sink, Source},
    numbers::{Numbers, Places},
};
use crate::{
    decision::Action,
    event::ClientStatus,
    limits,
    state::{
        ids::Remembered,
        special::{IdText, Restrictions, Special, Standing, Waiting},
    },
    time::{Period, Timestamp},
};

/// What a wallet is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub newest: Timestamp,
    pub status: Option<ClientStatus>,
}

impl Head {
    /// The instant in full: all others of the wallet are counted from it.
    pub fn write(&self, out: &mut Sink) {
        out.time(self.newest);
        out.byte(self.status.map_or(0, |status| 1 + status as u8));
    }

    /// # Errors
    /// As of all here, where the bytes are not what is read.
    pub fn read(source: &mut Source<'_>) -> Read<Head> {
        let newest = source.time()?;
        let status = match source.byte()? {
            0 => None,
            place => {
                let known = ClientStatus::ALL.get(usize::from(place) - 1).copied();
                Some(known.ok_or(Malformed("no client has such a status"))?)
            }
        };
        Ok(Head { newest, status })
    }
}

pub fn write_id(known: &Remembered, near: Timestamp, out: &mut Sink) {
    out.half(known.id);
    out.half(known.fingerprint);
    out.signed(near.0 - known.time.0);
    out.number(u64::from(known.score) << 3 | known.action as u64);
}

/// # Errors
/// See [`Head::read`].
pub fn read_id(source: &mut Source<'_>, near: Timestamp) -> Read<Remembered> {
    let (id, fingerprint, time, answer) = (source.half()?, source.half()?, source.time_before(near)?, source.number()?);
    let action = Action::ALL.get((answer & 7) as usize).copied().ok_or(Malformed("no event gets such an action"))?;
    let score = u16::try_from(answer >> 3).ok().filter(|score| *score <= limits::SCORE);
    Ok(Remembered { id, fingerprint, time, action, score: score.ok_or(Malformed("no event gets such a score"))? })
}

fn write_text(text: &IdText, out: &mut Sink) {
    out.text(text.as_str().as_bytes());
}

fn read_text(source: &mut Source<'_>) -> Read<IdText> {
    let text = source.text()?;
    if text.len() > limits::ID_BYTES { Err(Malformed("no event has so long an id")) } else { Ok(IdText::new(text)) }
}

fn write_standing(standing: &Standing, numbers: &Numbers, out: &mut Sink) {
    out.number(numbers.restriction(standing.restriction).into());
    out.number(standing.by.0.into());
    write_text(&standing.by_event, out);
    out.time(standing.since);
    out.option(standing.until, |out, until| out.signed(until.0 - standing.since.0));
}

fn read_standing(source: &mut Source<'_>, places: &Places) -> Read<Standing> {
    let restriction = places.restriction(source.small()?)?;
    let by = places.name(source.small()?)?;
    let by_event = read_text(source)?;
    let since = source.time()?;
    let until = source.option(|source| {
        let length = source.signed()?;
        let plausible = length.unsigned_abs() < 1 << 60;
        if plausible { Ok(Timestamp(since.0 + length)) } else { Err(Malformed("no restriction lasts so long")) }
    })?;
    Ok(Standing { restriction, since, until, by, by_event })
}

/// The restrictions of one place, each name once.
///
fn read_all_standing(source: &mut Source<'_>, places: &Places) -> Read<Vec<Standing>> {
    let list = source.list(|source| read_standing(source, places))?;
    let doubled = |place: usize| list[..place].iter().any(|other| other.restriction == list[place].restriction);
    if (0..list.len()).any(doubled) { Err(Malformed("a restriction stands twice")) } else { Ok(list) }
}

fn write_all_standing(list: &[Standing], numbers: &Numbers, out: &mut Sink) {
    out.count(list.len());
    list.iter().for_each(|standing| write_standing(standing, numbers, out));
}

fn write_waiting(operation: &Waiting, numbers: &Numbers, out: &mut Sink) {
    write_text(&operation.id, out);
    out.time(operation.time);
    out.byte(u8::from(operation.cancelled) | u8::from(operation.expired) << 1);
    let waits_for: Vec<u32> = operation.waits_for.iter().map(|id| numbers.restriction(id)).collect();
    out.count(waits_for.len());
    waits_for.into_iter().for_each(|number| out.number(number.into()));
}

fn read_waiting(source: &mut Source<'_>, places: &Places) -> Read<Waiting> {
    let (id, time, flags) = (read_text(source)?, source.time()?, source.byte()?);
    if flags > 3 {
        return Err(Malformed("a flag is neither 0 nor 1"));
    }
    let mut waits_for = Restrictions::default();
    for restriction in source.list(|source| places.restriction(source.small()?))? {
        waits_for.insert(restriction);
    }
    Ok(Waiting { id, time, waits_for, cancelled: flags & 1 != 0, expired: flags & 2 != 0 })
}

/// What few wallets have.
pub fn write_special(special: &Special, numbers: &Numbers, out: &mut Sink) {
    write_all_standing(&special.standing, numbers, out);
    out.count(special.asked.len());
    for (restriction, rule) in &special.asked {
        out.number(numbers.restriction(*restriction).into());
        out.number(numbers.rule(*rule).into());
    }
    out.count(special.confirmed.len());
    for (rule, period) in &special.confirmed {
        out.number(numbers.rule(*rule).into());
        out.signed(period.0.into());
    }
    out.byte(special.forgotten.into());
    out.count(special.waiting.len());
    special.waiting.iter().for_each(|operation| write_waiting(operation, numbers, out));
}

/// # Errors
/// See [`Head::read`].
pub fn read_special(source: &mut Source<'_>, places: &Places) -> Read<Special> {
    let standing = read_all_standing(source, places)?;
    let asked = source.list(|source| {
        let restriction = places.restriction(source.small()?)?;
        Ok(places.rule(source.small()?)?.map(|rule| (restriction, rule)))
    })?;
    let confirmed = source.list(|source| {
        let rule = places.rule(source.small()?)?;
        let period = i32::try_from(source.signed()?).map_err(|_| Malformed("a period is too large"))?;
        Ok(rule.map(|rule| (rule, Period(period))))
    })?;
    let forgotten = source.flag()?;
    let waiting = source.list(|source| read_waiting(source, places))?;
    if waiting.len() > limits::WAITING || !waiting.is_sorted_by_key(|operation| operation.time) {
        return Err(Malformed("no wallet has such operations waiting"));
    }
    // What was of a rule that is no longer there goes, as it does at a reload.
    Ok(Special {
        standing,
        asked: asked.into_iter().flatten().collect(),
        done: waiting.iter().any(|operation| operation.waits_for.is_empty()),
        waiting: waiting.into(),
        forgotten,
        confirmed: confirmed.into_iter().flatten().collect(),
        ..Special::default()
    })
}
