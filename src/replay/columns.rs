//! Decisions as Parquet, for DuckDB, pandas and whatever else reads tables: one row each, typed.
//!
//! The columns are those of the CSV, but that instants, amounts and scores are what they are and lists are lists, and at the end the
//! whole decision as JSON, for what a flat row cannot say. Amounts are decimals: no reader makes binary floats of them unasked.
//!
//! Rows gather until there are enough for a row group, which is compressed and goes out whole, so that memory holds one.

use crate::{
    decision::{Decision, Reason},
    encode,
    event::Event,
    limits,
    rules::Packs,
};
use parquet::{
    basic::{Compression, ZstdLevel},
    data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type},
    errors::Result,
    file::{properties::WriterProperties, writer::SerializedFileWriter, writer::SerializedRowGroupWriter},
    schema::parser::parse_message_type,
};
use std::{mem, sync::Arc};

/// The columns, in the order in which [`Columns::write`] writes them. Eighteen digits hold every amount in tiyn.
const SCHEMA: &str = "message decision {
    required binary event (STRING);
    required binary type (STRING);
    required binary wallet (STRING);
    required int64 time (TIMESTAMP(MILLIS, true));
    optional binary counterparty (STRING);
    optional binary merchant (STRING);
    optional int64 amount (DECIMAL(18, 2));
    required binary action (STRING);
    required int32 score;
    required group rules (LIST) { repeated group list { required binary element (STRING); } }
    required group restrictions (LIST) { repeated group list { required binary element (STRING); } }
    required group shadow (LIST) { repeated group list { required binary element (STRING); } }
    required group standing (LIST) { repeated group list { required binary element (STRING); } }
    required group flags (LIST) { repeated group list { required binary element (STRING); } }
    required binary pack (STRING);
    required binary decision (STRING);
}";

const IN_MEMORY: &str = "rows are written into memory, in columns of the schema's types";

/// A table that is being written.
pub(super) struct Table {
    writer: SerializedFileWriter<Vec<u8>>,
    columns: Columns,
    line: Vec<u8>,
}

/// Rows that have not been written, by column.
#[derive(Default)]
struct Columns {
    rows: usize,
    /// Of texts that are not the same again and again.
    bytes: usize,
    event: Cells<ByteArray>,
    kind: Cells<ByteArray>,
    wallet: Cells<ByteArray>,
    time: Cells<i64>,
    counterparty: Cells<ByteArray>,
    merchant: Cells<ByteArray>,
    amount: Cells<i64>,
    action: Cells<ByteArray>,
    score: Cells<i32>,
    rules: Cells<ByteArray>,
    restrictions: Cells<ByteArray>,
    shadow: Cells<ByteArray>,
    standing: Cells<ByteArray>,
    flags: Cells<ByteArray>,
    pack: Cells<ByteArray>,
    decision: Cells<ByteArray>,
}

/// The values of a column. Where a row may have none or several, the levels say which are whose.
struct Cells<T> {
    values: Vec<T>,
    defined: Vec<i16>,
    repeated: Vec<i16>,
}

impl<T> Default for Cells<T> {
    fn default() -> Self {
        Cells { values: Vec::new(), defined: Vec::new(), repeated: Vec::new() }
    }
}

impl<T> Cells<T> {
    fn push(&mut self, value: T) {
        self.values.push(value);
    }

    fn push_if(&mut self, value: Option<T>) {
        self.defined.push(i16::from(value.is_some()));
        self.values.extend(value);
    }

    fn push_list(&mut self, values: impl Iterator<Item = T>) {
        let before = self.values.len();
        self.values.extend(values);
        let count = self.values.len() - before;
        self.defined.extend(std::iter::repeat_n(i16::from(count > 0), count.max(1)));
        self.repeated.push(0);
        self.repeated.extend(std::iter::repeat_n(1, count.saturating_sub(1)));
    }

    /// Writes the next column of a row group, and is empty then.
    fn write<D: DataType<T = T>>(&mut self, group: &mut SerializedRowGroupWriter<'_, Vec<u8>>) -> Result<()> {
        let mut column = group.next_column()?.expect("the schema has as many columns as are written");
        // There are rows, so a column without levels is one that has exactly one value each.
        let [defined, repeated] =
            [&self.defined, &self.repeated].map(|levels| (!levels.is_empty()).then_some(levels.as_slice()));
        column.typed::<D>().write_batch(&self.values, defined, repeated)?;
        column.close()?;
        self.values.clear();
        self.defined.clear();
        self.repeated.clear();
        Ok(())
    }
}

fn text(text: &str) -> ByteArray {
    ByteArray::from(text)
}

impl Columns {
    fn push(&mut self, decision: &Decision, event: &Event<'_>, packs: &Packs, line: &[u8]) {
        let rules = decision.reasons.iter().filter_map(|reason| match reason {
            Reason::Rule(reason) => Some(text(&packs.rule(reason.rule).id)),
            Reason::Restriction(_) => None,
        });
        let restrictions = decision.reasons.iter().filter_map(|reason| match reason {
            Reason::Restriction(reason) => Some(text(&packs.restriction(reason.restriction).name)),
            Reason::Rule(_) => None,
        });
        self.rows += 1;
        self.bytes += line.len() + event.id.len() + event.wallet.len();
        self.event.push(text(event.id));
        self.kind.push(text(packs.types.name(event.kind)));
        self.wallet.push(text(event.wallet));
        self.time.push(event.time.0);
        self.counterparty.push_if(event.counterparty.map(text));
        self.merchant.push_if(event.merchant.map(text));
        self.amount.push_if(event.amount.map(|amount| amount.0));
        self.action.push(text(decision.action.name()));
        self.score.push(i32::from(decision.score));
        self.rules.push_list(rules);
        self.restrictions.push_list(restrictions);
        self.shadow.push_list(decision.shadow.iter().map(|reason| text(&packs.rule(reason.rule).id)));
        self.standing.push_list(decision.restrictions.iter().map(|id| text(&packs.restriction(*id).name)));
        self.flags.push_list(decision.flags.names().map(text));
        self.pack.push(text(&packs.name));
        self.decision.push(ByteArray::from(line.to_vec()));
    }

    /// Writes everything as a row group, in the order of the schema.
    fn write(&mut self, writer: &mut SerializedFileWriter<Vec<u8>>) -> Result<()> {
        let mut group = writer.next_row_group()?;
        for texts in [&mut self.event, &mut self.kind, &mut self.wallet] {
            texts.write::<ByteArrayType>(&mut group)?;
        }
        self.time.write::<Int64Type>(&mut group)?;
        for texts in [&mut self.counterparty, &mut self.merchant] {
            texts.write::<ByteArrayType>(&mut group)?;
        }
        self.amount.write::<Int64Type>(&mut group)?;
        self.action.write::<ByteArrayType>(&mut group)?;
        self.score.write::<Int32Type>(&mut group)?;
        let lists = [&mut self.rules, &mut self.restrictions, &mut self.shadow, &mut self.standing, &mut self.flags];
        for texts in lists.into_iter().chain([&mut self.pack, &mut self.decision]) {
            texts.write::<ByteArrayType>(&mut group)?;
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

impl Table {
    pub fn new() -> Table {
        let schema = parse_message_type(SCHEMA).expect("the schema above is one");
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by("kuzet".to_owned())
            .build();
        let writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties)).expect(IN_MEMORY);
        Table { writer, columns: Columns::default(), line: Vec::new() }
    }

    /// Adds a decision; `line` is it as JSON, where somebody has encoded it. Gives what is to be written to the file now.
    pub fn push(&mut self, decision: &Decision, event: &Event<'_>, packs: &Packs, line: Option<&[u8]>) -> Vec<u8> {
        match line {
            Some(line) => self.columns.push(decision, event, packs, line),
            None => {
                self.line.clear();
                encode::encode(decision, event, packs, &mut self.line);
                self.columns.push(decision, event, packs, &self.line);
            }
        }
        let is_full = self.columns.rows >= limits::TABLE_ROWS || self.columns.bytes >= limits::TABLE_BYTES;
        if is_full { self.write_group() } else { Vec::new() }
    }

    fn write_group(&mut self) -> Vec<u8> {
        self.columns.write(&mut self.writer).expect(IN_MEMORY);
        self.writer.flush().expect(IN_MEMORY);
        mem::take(self.writer.inner_mut())
    }

    /// Gives the rest of the file.
    pub fn finish(mut self) -> Vec<u8> {
        if self.columns.rows > 0 {
            self.columns.write(&mut self.writer).expect(IN_MEMORY);
        }
        self.writer.into_inner().expect(IN_MEMORY)
    }
}
