//! Parquet in and out of `replay`: what other programs have written comes in as NDJSON would, and what goes out is read by them.

use crate::{
    cli::{Ran, kuzet, path},
    harness::in_repository,
    python,
};
use kuzet::files::{Inputs, records::Framing};
use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::{Field, RowAccessor},
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::PathBuf,
    process::Command,
};

/// By pyarrow, pandas and DuckDB: `tests/checker/tables.py` has written them.
const EVENTS: [&str; 5] = ["millis_snappy", "micros_zstd", "nanos_plain", "int96", "pandas"];

fn replay(input: &str, more: &[&str]) -> Ran {
    kuzet(&[&["replay", input, "--out", "-", "--emit", "all", "--json"], more].concat(), b"")
}

#[test]
fn rows_are_the_events_that_lines_would_be() {
    let judged = replay("fixtures/parquet/events.ndjson", &[]);
    assert_eq!((judged.code, judged.out.lines().count()), (0, 4), "{}", judged.talk);
    let folder = tempfile::tempdir().expect("a folder");
    let rejects = path(&folder.path().join("rejects")).to_owned();
    for name in EVENTS {
        let file = format!("fixtures/parquet/{name}.parquet");
        for threads in ["1", "2"] {
            let ran = replay(&file, &["--rejects", &rejects, "--threads", threads]);
            assert_eq!((ran.code, ran.out.as_str()), (0, judged.out.as_str()), "{name}: {}", ran.talk);
            let reject: Value =
                serde_json::from_str(&fs::read_to_string(&rejects).expect("rejects")).expect("one reject");
            assert_eq!(
                [&reject["source"], &reject["line"], &reject["field"]],
                [&json!(file), &json!(4), &json!("amount")]
            );
            let record: Value =
                serde_json::from_str(reject["record"].as_str().expect("a record")).expect("the row as JSON");
            assert_eq!([&record["id"], &record["amount"]], [&json!("e-4"), &Value::Null]);
        }
    }
    // A folder may have both, and they are sorted as one.
    for name in ["millis_snappy.parquet", "events.ndjson"] {
        fs::copy(in_repository("fixtures/parquet").join(name), folder.path().join(name)).expect("a copy");
    }
    fs::remove_file(&rejects).expect("it was written");
    let both = replay(path(folder.path()), &["--sort", "--sort-memory", "1"]);
    assert_eq!((both.code, both.out.lines().count()), (0, 8), "{}", both.talk);
    assert_eq!(both.out.matches("\"duplicate\"").count(), 4);
}

#[test]
fn a_foreign_table_is_mapped_by_its_columns() {
    let ran = replay("fixtures/parquet/duckdb.parquet", &["--map", "fixtures/mapping/table.toml"]);
    assert_eq!(ran.code, 0, "{}", ran.talk);
    let told: Vec<String> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a decision"))
        .map(|decision| format!("{} {} {}", decision["event"], decision["time"], decision["wallet"]))
        .collect();
    assert_eq!(told.len(), 5);
    assert_eq!(told[0], r#""SEND-1" "2026-03-01T08:01:00Z" "77010000001""#);
    // 2 × 1250000.5 is a double without a fraction, and more than 100 MCI; every other row came by a VPN.
    let second: Value = serde_json::from_str(ran.out.lines().nth(1).expect("a second")).expect("a decision");
    let rules: Vec<&Value> =
        second["reasons"].as_array().expect("reasons").iter().map(|reason| &reason["rule"]).collect();
    assert_eq!(rules[..3], ["limit-unidentified", "large-transfer", "anonymous-operation"]);
    let table = replay(
        "fixtures/parquet/duckdb.parquet",
        &[
            "--map",
            "fixtures/mapping/table.toml",
            "--sweep",
            "large-transfer.limit=1250000,1250000.5,3750001.49,6250002.5",
        ],
    );
    let summary: Value = serde_json::from_str(&table.talk).expect("a summary");
    let hits: Vec<&Value> =
        summary["sweeps"][0]["points"].as_array().expect("values").iter().map(|point| &point["hits"]).collect();
    assert_eq!(hits, [5, 4, 3, 0]);
}

#[test]
fn what_is_no_table_or_not_readable_as_one_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = fs::read(in_repository("fixtures/parquet/micros_zstd.parquet")).expect("a table");
    let cut = folder.path().join("cut.parquet");
    fs::write(&cut, &whole[..whole.len() - 9]).expect("a file");
    let ran = replay(path(&cut), &[]);
    let start =
        format!("error: cannot read {}: the Parquet file is damaged or of a kind that is not known here (", path(&cut));
    assert!(ran.code == 1 && ran.talk.contains(&start), "{}", ran.talk);
    let ran = kuzet(&["replay", "-"], &whole);
    let told = "cannot read standard input: it is Parquet, which begins at its end; name the file itself";
    assert!(ran.code == 1 && ran.talk.contains(told), "{}", ran.talk);
    let ran = replay("fixtures/parquet/micros_zstd.parquet", &["--map", "fixtures/mapping/till.toml"]);
    let told = "it is Parquet, and the mapping is for CSV; write format = \"parquet\" into the mapping";
    assert!(ran.code == 2 && ran.talk.contains(told), "{}", ran.talk);
    let map = folder.path().join("table.toml");
    let mapping = fs::read_to_string(in_repository("fixtures/mapping/till.toml")).expect("a mapping");
    let lines =
        mapping.lines().filter(|line| !["format", "header", "delimiter"].iter().any(|key| line.starts_with(key)));
    fs::write(&map, std::iter::once("format = \"parquet\"").chain(lines).collect::<Vec<_>>().join("\n"))
        .expect("a mapping");
    let rows = folder.path().join("rows.csv");
    fs::write(&rows, "a,b\n1,2\n3,4\n").expect("a file");
    let ran = replay(path(&rows), &["--map", path(&map)]);
    let told = format!("the mapping does not fit {}: it is not Parquet, which the mapping is for", path(&rows));
    assert!(ran.code == 2 && ran.talk.contains(&told), "{}", ran.talk);
    assert!(ran.talk.contains("\"rejected\":0,"), "{}", ran.talk);
    // A page that is damaged is found where it is read; what came before is decided.
    let mut damaged = whole;
    for byte in &mut damaged[3_000..3_400] {
        *byte = !*byte;
    }
    fs::write(&cut, damaged).expect("a file");
    let ran = replay(path(&cut), &[]);
    assert!(ran.code == 1 && ran.talk.contains("the Parquet file is damaged"), "{}", ran.talk);
}

/// Decisions on the made-up month as a table and as lines.
fn decided(folder: &tempfile::TempDir, emit: &str) -> (PathBuf, PathBuf) {
    let (table, lines) = (folder.path().join("decisions.parquet"), folder.path().join("decisions.ndjson"));
    for (out, more) in [(&table, &["--threads", "2"][..]), (&lines, &["--format", "ndjson"])] {
        let always = ["replay", "fixtures/operations.ndjson", "--emit", emit, "--out", path(out)];
        let ran = kuzet(&[&always, more].concat(), b"");
        assert_eq!(ran.code, 0, "{}", ran.talk);
    }
    (table, lines)
}

#[test]
fn decisions_are_a_typed_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let (table, lines) = decided(&folder, "all");
    let lines = fs::read_to_string(lines).expect("decisions");
    let history = fs::read_to_string(in_repository("fixtures/operations.ndjson")).expect("the events");
    let events: Vec<Value> = history.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let reader = SerializedFileReader::new(File::open(&table).expect("a table")).expect("it is Parquet");
    let mut rows = 0;
    for (row, line) in reader.get_row_iter(None).expect("rows").zip(lines.lines()) {
        let row = row.expect("a row");
        let decision: Value = serde_json::from_str(line).expect("a decision");
        assert_eq!(row.get_string(15).expect("the decision"), line);
        assert_eq!(row.get_string(0).expect("the event"), decision["event"].as_str().expect("an id"));
        let time: jiff::Timestamp = decision["time"].as_str().expect("a time").parse().expect("a time");
        assert_eq!(row.get_timestamp_millis(3).expect("a time"), time.as_millisecond());
        assert_eq!(row.get_string(7).expect("the action"), decision["action"].as_str().expect("an action"));
        assert_eq!(row.get_int(8).expect("the score"), decision["score"]);
        let found = row.get_list(9).expect("the rules");
        let rules: Vec<&Value> =
            decision["reasons"].as_array().into_iter().flatten().map(|reason| &reason["rule"]).collect();
        let rules: Vec<&Value> = rules.into_iter().filter(|rule| !rule.is_null()).collect();
        let found: Vec<Value> = found
            .elements()
            .iter()
            .map(|rule| match rule {
                Field::Str(rule) => json!(rule),
                other => panic!("{other}"),
            })
            .collect();
        assert_eq!(found.iter().collect::<Vec<_>>(), rules, "{line}");
        let event =
            events.iter().find(|event| event["id"] == decision["event"] && event["wallet"] == decision["wallet"]);
        if let Some(amount) = event.and_then(|event| event["amount"].as_str()) {
            let found = row.get_decimal(6).expect("an amount");
            let minor = i64::from_be_bytes(found.data().try_into().expect("eight bytes"));
            assert_eq!((found.scale(), minor), (2, minor_of(amount)), "{line}");
        }
        rows += 1;
    }
    assert!(rows > 1_000 && rows == lines.lines().count());
}

fn minor_of(amount: &str) -> i64 {
    let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
    format!("{whole}{part:0<2}").parse().expect("digits")
}

#[test]
fn no_decisions_are_a_table_without_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let (table, _) = decided(&folder, "none");
    let reader = SerializedFileReader::new(File::open(table).expect("a table")).expect("it is Parquet");
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}

/// Another language, other libraries.
#[test]
fn pyarrow_pandas_and_duckdb_read_decisions() {
    let folder = tempfile::tempdir().expect("a folder");
    for emit in ["all", "flagged"] {
        let (table, lines) = decided(&folder, emit);
        let Some(python) = python() else { return };
        let checker = in_repository("tests/checker/tables.py");
        let read = Command::new(python).arg(checker).args(["read", path(&table), path(&lines)]).output();
        let read = read.expect("python runs");
        let said = String::from_utf8_lossy(&read.stdout);
        assert!(read.status.success(), "{said}\n{}", String::from_utf8_lossy(&read.stderr));
        assert!(said.contains("decisions are the same in pyarrow, pandas and DuckDB"), "{said}");
    }
}

/// A Python with these libraries, made once below the target folder.
fn python() -> Option<PathBuf> {
    python::prepare("tables", "tests/checker/tables.txt")
        .inspect_err(|reason| {
            let line = format!("\n!!! LEFT OUT: other readers of Parquet: {reason}\n");
            io::stderr().write_all(line.as_bytes()).expect("standard error takes a line");
        })
        .ok()
}

/// The most bytes that reading a table took at once, and its rows.
fn read(table: &PathBuf) -> (u64, usize) {
    let mut rows = 0;
    let measured = allocation_counter::measure(|| {
        let mut inputs = Inputs::new(std::slice::from_ref(table), Framing::Lines).expect("the table");
        loop {
            while inputs.take().is_some() {
                rows += 1;
            }
            if !inputs.fill().expect("the table can be read") {
                break;
            }
        }
        let (read, total) = inputs.progress();
        let total = total.expect("a file has a size");
        assert!((total..total + 8).contains(&read), "{read} of {total}");
    });
    (measured.bytes_max, rows)
}

#[test]
fn memory_does_not_grow_with_the_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let [few, many] = ["40000", "100000"].map(|events| {
        let (history, table) = (folder.path().join("history"), folder.path().join(events).with_extension("parquet"));
        let made = kuzet(&["generate", "--events", events, "--seed", "2"], b"").out;
        fs::write(&history, made).expect("a file");
        let ran = kuzet(&["replay", path(&history), "--emit", "all", "--out", path(&table), "--json"], b"");
        assert_eq!(ran.code, 0, "{}", ran.talk);
        let decided = serde_json::from_str::<Value>(&ran.out).expect("a summary")["decided"].as_u64().expect("a count");
        let (bytes, rows) = read(&table);
        assert_eq!(rows as u64, decided);
        bytes
    });
    assert!(many < few + few / 4, "{few} and then {many} bytes");
}
