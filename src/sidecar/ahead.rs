//! The next tick, decided while the transaction of the last one ends.
//!
//! Delivering what is left of a tick and committing it are a handful of answers that somebody else works on. Instead of
//! waiting for them the shell says that they are under way, and more records are polled and decided on. They are a tick
//! without a transaction: nothing of it is sent, and its positions of `restrictions` are its own, because the bytes of the
//! tick before it are fixed. Once it is full its own are fixed too: under load they are made while the broker is waited for.
//! It rests upon the state that this one leaves. So it begins its transaction once this one is committed beyond doubt, and
//! where this one is dropped it goes too, state and all: there is still no undo.
//! What the group wishes meanwhile is granted as if it had been said when the tick was over.

use super::{
    Command, Delivery, Fact, Machine, Stage,
    fact::{Batch, Millis},
    takeover::Hold,
    tick::Tick,
};
use crate::limits;
use std::ops::Bound;

/// What goes on while the next tick is gathered.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    stage: Stage,
    command: Command,
    since: Millis,
}

impl Machine {
    /// What was asked for takes its time: the next tick may be gathered meanwhile.
    pub(super) fn underway(&mut self, out: &mut Vec<Command>) {
        let Some(records) = self.room_ahead() else {
            let wait = if self.seal_ahead(out) { 0 } else { self.settings.idle };
            return out.push(Command::Await { wait });
        };
        self.underway = Some(Asked { stage: self.stage, command: self.asked.clone(), since: self.asked_at });
        self.ask(Stage::GatheringAhead, Command::Poll { wait: 0, records }, out);
    }

    /// How many records may be decided ahead with one poll; none where something else comes first.
    fn room_ahead(&self) -> Option<u64> {
        let (bound, piece) = (self.settings.tick_records, self.settings.poll_records);
        let undisturbed = self.settings.delivery == Delivery::ExactlyOnce && !self.recovering && self.wish.is_none();
        let over = self.drain_by.is_some() || !self.revoked.is_empty() || self.has_takeover_work();
        let room = bound.saturating_sub(self.ahead.as_ref().map_or(0, |ahead| ahead.records));
        (undisturbed && !over && room > 0).then(|| piece.min(room))
    }

    /// Has one more partition of a tick that is full sealed, so that its transaction has nothing to wait for but its delivery. One
    /// at a time: an answer may be there any moment.
    fn seal_ahead(&mut self, out: &mut Vec<Command>) -> bool {
        let (bound, incarnation) = (self.settings.tick_records, self.settings.incarnation);
        let Some(ahead) = self.ahead.as_mut().filter(|ahead| ahead.records >= bound) else { return false };
        ahead.sealed = true;
        let rest = (ahead.sealed_to.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let Some((partition, part)) = ahead.parts.range(rest).next() else { return false };
        let (partition, standing) = (*partition, ahead.standing(part, incarnation));
        ahead.sealed_to = Some(partition);
        out.push(Command::SealAhead { partition, standing });
        true
    }

    /// Records came: they are the next tick's.
    pub(super) fn polled_ahead(&mut self, batches: &[Batch], out: &mut Vec<Command>) {
        let Some(accepted) = self.accept(batches) else {
            return self.illegal(&Fact::Polled(batches.to_vec()), out);
        };
        if accepted.is_empty() {
            return self.resume(limits::AWAIT_MS, out);
        }
        if self.ahead.is_none() {
            self.apply_restrictions(out);
        }
        let mut ahead = self.ahead.take().unwrap_or_else(|| self.next_tick());
        self.add(&mut ahead, &accepted);
        self.ahead = Some(ahead);
        self.ask(Stage::DecidingAhead, Command::DecideAhead(accepted), out);
    }

    /// Goes back to what is under way, and waits for it that long.
    pub(super) fn resume(&mut self, wait: Millis, out: &mut Vec<Command>) {
        let Asked { stage, command, since } = self.underway.take().expect("only what goes on is left for a while");
        (self.stage, self.asked, self.asked_at) = (stage, command, since);
        out.push(Command::Await { wait });
    }

    /// The group's wish is granted when the tick is over.
    pub(super) fn wished_ahead(&mut self, wish: Fact, out: &mut Vec<Command>) {
        self.wish = Some(wish);
        self.resume(self.settings.idle, out);
    }

    /// What was decided ahead is a tick like any other; one that comes in the midst of a recovery gathers nothing more.
    pub(super) fn take_ahead(&mut self) -> Option<Tick> {
        let mut tick = self.ahead.take()?;
        for (partition, part) in &mut tick.parts {
            if let Some(Hold::Ready { commit, .. }) = self.held.get(partition) {
                part.before = *commit;
            }
        }
        tick.sealed |= self.recovering;
        Some(tick)
    }
}
