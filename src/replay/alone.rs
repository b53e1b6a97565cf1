//! Records of any kind, many at once on one thread: a batch is read, decided on and written before the next.
//!
//! Records of our own that lie in one buffer need no batch (`together`); foreign ones borrow from the one mapper, and those that are
//! sorted or come from a topic from whoever hands them out, so they are kept. The engine is told of all of a batch before the first,
//! which is worth more than the keeping costs.

use super::{
    Halt, ReplayError, Setup, batch::Batch, companion::Companion, intake::Intake, support::Supported, writer::Writer,
};
use crate::{
    engine::{Changes, Hasher},
    files::{Inputs, Taken},
};

/// An engine, and a batch.
struct Alone<'s> {
    setup: &'s Setup,
    intake: Intake,
    engine: Supported,
    hasher: Hasher,
    changes: Changes,
    batch: Batch,
}

/// Goes through all inputs.
pub(super) fn go_through(
    setup: &Setup,
    inputs: &mut Inputs,
    writer: &mut Writer<'_>,
    companions: &mut [&mut dyn Companion],
) -> Result<(), Halt> {
    let mut alone = Alone::new(setup);
    loop {
        alone.take_all(inputs, writer, companions)?;
        if alone.intake.has_ended() {
            return alone.settle(inputs, writer, companions);
        }
        // Nothing waits for a batch to fill.
        if inputs.may_wait() {
            alone.settle(inputs, writer, companions)?;
        }
        writer.pause(inputs)?;
        match inputs.fill() {
            Ok(true) => {}
            ended => {
                alone.settle(inputs, writer, companions)?;
                return ended.map(|_| ()).map_err(Halt::Input);
            }
        }
    }
}

impl<'s> Alone<'s> {
    fn new(setup: &'s Setup) -> Self {
        let engine = setup.engine();
        Alone {
            setup,
            intake: Intake::new(&setup.packs, setup.mapping.as_ref(), setup.range),
            hasher: engine.hasher(),
            engine,
            changes: Changes::default(),
            batch: Batch::default(),
        }
    }

    /// Decides on everything that has been read, but for the last few records.
    fn take_all(
        &mut self,
        inputs: &mut Inputs,
        writer: &mut Writer<'_>,
        companions: &mut [&mut dyn Companion],
    ) -> Result<(), Halt> {
        while let Some(Taken { source, name, record }) = inputs.take() {
            if let Err(misfit) = self.batch.read(source, &record, &mut self.intake, &mut self.hasher) {
                let source = name.to_owned();
                self.settle(inputs, writer, companions)?;
                return Err(Halt::Replay(ReplayError::Misfit { source, misfit }));
            }
            if self.batch.is_full() {
                self.settle(inputs, writer, companions)?;
            }
        }
        Ok(())
    }

    /// Decides on what has been read, and writes it.
    fn settle(
        &mut self,
        inputs: &Inputs,
        writer: &mut Writer<'_>,
        companions: &mut [&mut dyn Companion],
    ) -> Result<(), Halt> {
        self.batch.step(&mut self.engine, self.setup.range, &mut self.changes);
        for companion in companions {
            self.batch.show(*companion);
        }
        Ok(self.batch.write(writer, |source| inputs.name(source))?)
    }
}
