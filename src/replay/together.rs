//! Many records at once on one thread: all of a batch are decoded, then the engine is told which wallets come, then each is
//! decided on and written.
//!
//! Nothing is copied: events borrow from the buffer that their records were read into, and each from a decoder of its own.
//! Foreign records, which a mapping may skip or find to be of another file, are decided on one by one.

use super::{
    Halt, Outcome, Setup,
    companion::Companion,
    intake,
    intake::Said,
    outcome,
    range::{Gate, Range},
    sink::WriteError,
    support::Supported,
    writer::Writer,
};
use crate::{
    decision::Decision,
    engine::Changes,
    event::decode::Decoder,
    files::{Series, records::Framed},
    limits::BATCH_RECORDS,
    rules::Packs,
};
use std::{iter, sync::Arc};

/// An engine, and room for a batch.
pub(super) struct Together {
    packs: Arc<Packs>,
    engine: Supported,
    range: Option<Range>,
    gate: Gate,
    decision: Decision,
    changes: Changes,
    framed: Vec<Framed>,
    decoders: Vec<Decoder>,
}

impl Together {
    pub fn new(setup: &Setup) -> Together {
        Together {
            packs: Arc::clone(&setup.packs),
            engine: setup.engine(),
            range: setup.range,
            gate: Gate::new(setup.range),
            decision: Decision::default(),
            changes: Changes::default(),
            framed: Vec::with_capacity(BATCH_RECORDS),
            decoders: iter::repeat_with(Decoder::default).take(BATCH_RECORDS).collect(),
        }
    }

    /// Nothing that comes is reported.
    pub fn has_ended(&self) -> bool {
        self.gate.has_ended()
    }

    /// Decides on what has been read, and writes it.
    pub fn take_all(
        &mut self,
        inputs: &mut Series,
        writer: &mut Writer<'_>,
        companions: &mut [&mut dyn Companion],
    ) -> Result<(), Halt> {
        while self.frame(inputs) {
            self.decide(inputs, writer, companions)?;
        }
        Ok(())
    }

    /// Finds the records of the next batch; false where there is none.
    fn frame(&mut self, inputs: &mut Series) -> bool {
        inputs.frame(BATCH_RECORDS, &mut self.framed);
        !self.framed.is_empty()
    }

    fn decide(
        &mut self,
        inputs: &Series,
        writer: &mut Writer<'_>,
        companions: &mut [&mut dyn Companion],
    ) -> Result<(), WriteError> {
        let Together { packs, engine, range, gate, decision, changes, framed, decoders } = self;
        let taken = framed.iter().map(|framed| inputs.taken(framed));
        let said: Vec<Said<'_>> = decoders
            .iter_mut()
            .zip(taken.clone())
            .map(|(decoder, taken)| intake::as_it_came(decoder, packs, &taken.record, gate, |decoded| decoded.event()))
            .collect();
        let events = said.iter().filter_map(|said| match said {
            Said::Event(event) => Some(event),
            _ => None,
        });
        let hashed = engine.look_ahead(events.clone());
        for companion in &mut *companions {
            companion.look_ahead(&mut events.clone());
        }
        let mut hashed = hashed.iter();
        for (said, taken) in said.iter().zip(taken) {
            let outcome = match said {
                Said::Event(event) => {
                    let hashed = hashed.next().expect("each event has been looked ahead to");
                    let stepped = engine.step_hashed(hashed, None, decision, changes);
                    let outcome = outcome(event.clone(), decision, stepped, range.as_ref());
                    if matches!(outcome, Outcome::Decided { .. }) {
                        writer.met(hashed.wallet());
                    }
                    outcome
                }
                Said::Rejected(fault) => Outcome::Rejected(fault.clone()),
                Said::Skipped { field, value } => Outcome::Skipped { field, value },
                Said::Outside { time } => Outcome::Outside { time: *time },
                Said::Header => Outcome::Header,
            };
            for companion in &mut *companions {
                companion.see(taken.source, &taken.record, &outcome);
            }
            writer.write(taken.name, &taken.record, &outcome)?;
        }
        Ok(())
    }
}
