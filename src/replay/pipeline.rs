//! A replay on two threads: one decides, the other does everything else.
//!
//! The caller's thread reads, maps, decodes, hashes, counts and writes; a second one has the engine, whose steps depend on one
//! another and are the larger half of the work. Batches go round: filled here, decided on there, written here in the
//! order in which they were sent, so that the bytes are those of one thread. Encoding is done by whichever thread has time: the
//! engine's where no batch waits for it, else this one. That evens out what no fixed division does, for a pack of five rules
//! steps in half the time that one of fifty takes.
//!
//! Nothing waits for a batch to fill: before an input is read that may keep us waiting, everything read so far is decided
//! on and written.

use super::{
    Emit, Halt, ReplayError, Setup, batch::Batch, companion::Companion, intake::Intake, range::Range,
    support::Supported, writer::Writer,
};
use crate::{
    engine::{Changes, Hasher},
    files::{Inputs, Taken},
    limits,
    mapping::Misfit,
    rules::Packs,
};
use std::{
    mem,
    num::NonZero,
    panic,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

/// Goes through all inputs as one thread would.
pub(super) fn go_through(
    setup: &Setup,
    inputs: &mut Inputs,
    writer: &mut Writer<'_>,
    companions: &mut [&mut dyn Companion],
) -> Result<(), Halt> {
    let (engine, emit) = (setup.engine(), writer.emit());
    let intake = Intake::new(&setup.packs, setup.mapping.as_ref(), setup.range);
    let (range, hasher) = (setup.range, engine.hasher());
    let engine = move |undecided: Receiver<Batch>, decided: SyncSender<Batch>| {
        decide(engine, range, &setup.packs, emit, &undecided, &decided);
    };
    beside((intake, hasher), inputs, writer, engine, companions)
}

/// Reads, hashes and writes here while `other` works on what was read in a thread of its own, and companions look at what it has
/// decided in theirs, one after the other. A panic of any ends all: what one holds of the channels goes with it, and its
/// neighbours find out when they next send or receive.
fn beside(
    reading: (Intake, Hasher),
    inputs: &mut Inputs,
    writer: &mut Writer<'_>,
    other: impl FnOnce(Receiver<Batch>, SyncSender<Batch>) + Send,
    companions: &mut [&mut dyn Companion],
) -> Result<(), Halt> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let shares = companions.chunks_mut(companions.len().div_ceil(cores).max(1));
    let batches = limits::BATCHES + shares.len();
    thread::scope(|scope| {
        // With room for every batch there is, sending never waits.
        let (undecided, to_decide) = sync_channel(batches);
        let (decided, mut to_write) = sync_channel(batches);
        let mut others = vec![start(scope, "engine", move || other(to_decide, decided))?];
        for share in shares {
            let (seen, after) = sync_channel(batches);
            let before = mem::replace(&mut to_write, after);
            others.push(start(scope, "companions", move || accompany(share, &before, &seen))?);
        }
        let ended = Reading::new(reading, inputs, writer, undecided, to_write, batches).go_through();
        for other in others {
            if let Err(payload) = other.join() {
                panic::resume_unwind(payload);
            }
        }
        ended
    })
}

fn start<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() + Send + 'scope,
) -> Result<thread::ScopedJoinHandle<'scope, ()>, Halt> {
    let builder = thread::Builder::new().name(name.to_owned());
    builder.spawn_scoped(scope, work).map_err(|cause| Halt::Replay(ReplayError::Thread(cause)))
}

/// A thread of companions: shows them what was decided and passes it on.
fn accompany(companions: &mut [&mut dyn Companion], decided: &Receiver<Batch>, seen: &SyncSender<Batch>) {
    while let Ok(batch) = decided.recv() {
        for companion in &mut *companions {
            batch.show(*companion);
        }
        if seen.send(batch).is_err() {
            return;
        }
    }
}

/// The engine's thread: decides on batches until nobody sends any more, or nobody wants them back.
fn decide(
    mut engine: Supported,
    range: Option<Range>,
    packs: &Packs,
    emit: Emit,
    undecided: &Receiver<Batch>,
    decided: &SyncSender<Batch>,
) {
    let mut changes = Changes::default();
    let mut next = undecided.recv().ok();
    while let Some(mut batch) = next {
        batch.step(&mut engine, range, &mut changes);
        let waiting = undecided.try_recv().ok();
        if waiting.is_none() {
            batch.encode(packs, emit);
        }
        if decided.send(batch).is_err() {
            return;
        }
        next = waiting.or_else(|| undecided.recv().ok());
    }
}

/// The caller's thread.
struct Reading<'a, 'w> {
    intake: Intake,
    hasher: Hasher,
    inputs: &'a mut Inputs,
    writer: &'a mut Writer<'w>,
    undecided: SyncSender<Batch>,
    decided: Receiver<Batch>,
    /// What is being filled.
    open: Batch,
    free: Vec<Batch>,
    /// Batches that were sent and have not come back.
    away: usize,
}

impl<'a, 'w> Reading<'a, 'w> {
    fn new(
        (intake, hasher): (Intake, Hasher),
        inputs: &'a mut Inputs,
        writer: &'a mut Writer<'w>,
        undecided: SyncSender<Batch>,
        decided: Receiver<Batch>,
        batches: usize,
    ) -> Self {
        let free = (1..batches).map(|_| Batch::default()).collect();
        Reading { intake, hasher, inputs, writer, undecided, decided, open: Batch::default(), free, away: 0 }
    }

    fn go_through(mut self) -> Result<(), Halt> {
        loop {
            self.take_all()?;
            if self.intake.has_ended() {
                return self.settle();
            }
            if self.inputs.may_wait() {
                self.settle()?;
            }
            self.writer.pause(self.inputs)?;
            match self.inputs.fill() {
                Ok(true) => {}
                Ok(false) => return self.settle(),
                Err(error) => {
                    self.settle()?;
                    return Err(Halt::Input(error));
                }
            }
        }
    }

    /// Sends everything that has been read, but for the last few records.
    fn take_all(&mut self) -> Result<(), Halt> {
        while let Some(Taken { source, name, record }) = self.inputs.take() {
            if let Err(misfit) = self.open.read(source, &record, &mut self.intake, &mut self.hasher) {
                let name = name.to_owned();
                return self.refuse(name, misfit);
            }
            if self.open.is_full() {
                self.send()?;
            }
        }
        Ok(())
    }

    /// Everything before the file that does not fit is decided on and written.
    fn refuse(&mut self, source: String, misfit: Misfit) -> Result<(), Halt> {
        self.settle()?;
        Err(Halt::Replay(ReplayError::Misfit { source, misfit }))
    }

    /// Sends the open batch, writes those that are back, and waits for one only when there is none left to fill.
    fn send(&mut self) -> Result<(), Halt> {
        let full = mem::take(&mut self.open);
        self.undecided.send(full).map_err(|_| Halt::Panicked)?;
        self.away += 1;
        while let Ok(batch) = self.decided.try_recv() {
            self.write(batch)?;
        }
        while self.free.is_empty() {
            self.write_next()?;
        }
        self.open = self.free.pop().expect("there is one, or the loop would not have ended");
        Ok(())
    }

    /// Everything that has been read is decided on and written.
    fn settle(&mut self) -> Result<(), Halt> {
        if !self.open.is_empty() {
            self.send()?;
        }
        while self.away > 0 {
            self.write_next()?;
        }
        Ok(())
    }

    fn write_next(&mut self) -> Result<(), Halt> {
        let batch = self.decided.recv().map_err(|_| Halt::Panicked)?;
        self.write(batch)
    }

    fn write(&mut self, mut batch: Batch) -> Result<(), Halt> {
        self.away -= 1;
        batch.write(self.writer, |source| self.inputs.name(source))?;
        self.free.push(batch);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::Settings,
        files::records::Framing,
        geo::Geo,
        replay::{Outputs, progress::Progress, sink::Sink},
    };
    use std::{
        io::{self, Write},
        panic::{AssertUnwindSafe, catch_unwind},
        sync::Arc,
    };

    /// Nobody can write to it.
    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            panic!("the writer's bug");
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Has `work` done beside reading a file of many records, and gives the message of the panic that it ends with.
    fn panic_of(work: impl FnOnce(&Setup, &mut Inputs, &mut Writer<'_>) -> Result<(), Halt>) -> &'static str {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("in.ndjson");
        std::fs::write(&path, "rubbish\n".repeat(100_000)).expect("a file");
        let packs = crate::pack_files::load_paths(&[]).unwrap_or_else(|_| panic!("the built-in pack loads")).packs;
        let setup = Setup {
            packs: Arc::new(packs),
            geo: Arc::new(Geo::default()),
            settings: Settings::default(),
            mapping: None,
            lift_after: None,
            range: None,
            probes: Vec::new(),
        };
        let mut outputs = Outputs {
            decisions: None,
            format: crate::replay::Format::Ndjson,
            emit: Emit::All,
            rejects: Some(Sink::new("x".to_owned(), "rejects", Box::new(Broken))),
            goes_on_unread: false,
            tell_flagged: false,
            progress: Progress::new(true),
        };
        let mut inputs = Inputs::new(&[path], Framing::Lines).expect("the file is there");
        let mut writer = Writer::new(&setup, &mut outputs);
        let caught = catch_unwind(AssertUnwindSafe(|| work(&setup, &mut inputs, &mut writer)));
        caught.err().expect("a panic").downcast_ref::<&'static str>().expect("a message")
    }

    #[test]
    fn a_panic_of_the_engines_thread_is_passed_on() {
        let message = panic_of(|setup, inputs, writer| {
            let reading = (Intake::new(&setup.packs, None, None), setup.engine().hasher());
            let buggy = |undecided: Receiver<Batch>, _decided| {
                let _batch = undecided.recv();
                panic!("the engine's bug");
            };
            beside(reading, inputs, writer, buggy, &mut [])
        });
        assert_eq!(message, "the engine's bug");
    }

    #[test]
    fn a_panic_of_the_callers_thread_ends_the_engines() {
        let message = panic_of(|setup, inputs, writer| go_through(setup, inputs, writer, &mut []));
        assert_eq!(message, "the writer's bug");
    }
}
