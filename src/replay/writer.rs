//! The last step of a replay: counts what became of a record and writes what is to be written of it.

#[cfg(feature = "parquet")]
use super::columns::Table;
use super::{
    Emit, Format, Outcome, Outputs, Setup,
    range::Unreported,
    rejects, sheet,
    sink::WriteError,
    summary::Summary,
    words::{LocalTime, Words},
};
use crate::{
    decision::Decision,
    encode,
    event::Event,
    files::{Inputs, records::Record},
    rules::Packs,
    state::Hash,
    time::Timestamp,
};

/// Counts and writes, in the order of the records.
pub(super) struct Writer<'a> {
    packs: &'a Packs,
    outputs: &'a mut Outputs,
    local: LocalTime,
    summary: Summary,
    #[cfg(feature = "parquet")]
    table: Option<Table>,
}

impl<'a> Writer<'a> {
    pub fn new(setup: &'a Setup, outputs: &'a mut Outputs) -> Self {
        Writer {
            packs: &setup.packs,
            #[cfg(feature = "parquet")]
            table: (outputs.decisions.is_some() && outputs.format == Format::Parquet).then(Table::new),
            outputs,
            local: LocalTime::of(setup.packs.zone.name()),
            summary: Summary { unreported: setup.range.map(Unreported::new), ..Summary::new(&setup.packs) },
        }
    }

    /// Writes what stands before all decisions.
    pub fn begin(&mut self) -> Result<(), WriteError> {
        match (&mut self.outputs.decisions, self.outputs.format) {
            (Some(sink), Format::Csv) => {
                let written = sink.line(|out| out.extend_from_slice(sheet::HEADINGS.as_bytes()));
                unless_unread(self.outputs.goes_on_unread, written)
            }
            _ => Ok(()),
        }
    }

    /// Which decisions are worth encoding as JSON before they come here.
    pub fn emit(&self) -> Emit {
        let wanted = self.outputs.decisions.is_some() && self.outputs.format != Format::Csv;
        if wanted { self.outputs.emit } else { Emit::None }
    }

    /// Counts the wallet of an event that was decided on and is reported.
    pub fn met(&mut self, wallet: Hash) {
        self.summary.wallets.insert_hashed(wallet);
    }

    /// A bare `allow` is written, so it must come by [`Writer::write`].
    pub fn takes_bare(&self) -> bool {
        self.outputs.emit == Emit::All && self.outputs.decisions.is_some()
    }

    /// Counts a bare `allow` that is not written.
    pub fn bare(&mut self, time: Timestamp) {
        self.unreported(|unreported| unreported.saw(time));
        self.summary.bare(time);
    }

    pub fn write(&mut self, source: &str, record: &Record<'_>, outcome: &Outcome<'_>) -> Result<(), WriteError> {
        match outcome {
            Outcome::Decided { event, decision, line } => self.decided(event, decision, *line),
            Outcome::Rejected(fault) => {
                self.summary.rejected(source, record, fault);
                match &mut self.outputs.rejects {
                    Some(sink) => {
                        let written = sink.line(|out| rejects::encode(source, record, fault, out));
                        unless_unread(self.outputs.goes_on_unread, written)
                    }
                    None => Ok(()),
                }
            }
            Outcome::Passed { event, .. } => {
                self.unreported(|unreported| unreported.passed(event.time));
                Ok(())
            }
            Outcome::Outside { time } => {
                self.unreported(|unreported| unreported.left_out(*time));
                Ok(())
            }
            Outcome::Skipped { field, value } => {
                self.summary.skipped(source, record, field, value);
                Ok(())
            }
            Outcome::Header => Ok(()),
        }
    }

    fn unreported(&mut self, count: impl FnOnce(&mut Unreported)) {
        self.summary.unreported.as_mut().map(count);
    }

    fn decided(&mut self, event: &Event<'_>, decision: &Decision, line: Option<&[u8]>) -> Result<(), WriteError> {
        self.unreported(|unreported| unreported.saw(event.time));
        let words = Words { packs: self.packs, local: &self.local };
        self.summary.decided(event, decision, self.outputs.tell_flagged.then_some(&words));
        match &mut self.outputs.decisions {
            Some(sink) if self.outputs.emit.takes(decision) => {
                let written = match (self.outputs.format, line) {
                    #[cfg(feature = "parquet")]
                    (Format::Parquet, line) => match &mut self.table {
                        Some(table) => sink.bytes(&table.push(decision, event, self.packs, line)),
                        None => Ok(()),
                    },
                    (Format::Csv, _) => sink.line(|out| sheet::encode(decision, event, self.packs, out)),
                    (Format::Ndjson, Some(line)) => sink.line(|out| out.extend_from_slice(line)),
                    (Format::Ndjson, None) => sink.line(|out| encode::encode(decision, event, self.packs, out)),
                };
                unless_unread(self.outputs.goes_on_unread, written)
            }
            _ => Ok(()),
        }
    }

    /// Everything that has been read is dealt with, and reading comes next: whoever waits at the other end of a pipe gets
    /// what there is.
    pub fn pause(&mut self, inputs: &Inputs) -> Result<(), WriteError> {
        self.outputs.progress.tell(inputs.progress(), self.summary.records());
        if inputs.may_wait() { self.flush() } else { Ok(()) }
    }

    /// Flushes every output, whatever becomes of the others; the first error is the one to tell.
    fn flush(&mut self) -> Result<(), WriteError> {
        let sinks = [&mut self.outputs.decisions, &mut self.outputs.rejects].into_iter().flatten();
        let goes_on = self.outputs.goes_on_unread;
        sinks.map(|sink| unless_unread(goes_on, sink.flush())).fold(Ok(()), Result::and)
    }

    /// Writes what is left of a table, and what makes it one.
    #[cfg(feature = "parquet")]
    fn finish_table(&mut self) -> Result<(), WriteError> {
        let Some((table, sink)) = self.table.take().zip(self.outputs.decisions.as_mut()) else { return Ok(()) };
        unless_unread(true, sink.bytes(&table.finish()))
    }

    pub fn finish(mut self) -> Result<Summary, WriteError> {
        self.outputs.progress.finish();
        // All is decided: that nobody reads it does not change what has been found.
        self.outputs.goes_on_unread = true;
        #[cfg(feature = "parquet")]
        self.finish_table()?;
        self.flush()?;
        self.summary.settle();
        Ok(self.summary)
    }
}

/// An output without a reader is let go of where the rest of the work is still wanted.
fn unless_unread(goes_on: bool, written: Result<(), WriteError>) -> Result<(), WriteError> {
    match written {
        Err(error) if goes_on && error.is_broken_pipe() => Ok(()),
        written => written,
    }
}
