//! A backtest of rows of CSV beside only parsing them with the csv crate, and the memory that it takes as the rows grow.
//!
//! The rows are as PaySim writes them, of as many wallets as a tenth of them, read by the mapping that Kuzet ships for it. There are three yardsticks, all from a
//! file with as large a buffer as ours, and each contestant is held against each of them. The barest reads each row into one record of bytes that is used again: it
//! neither checks UTF-8 nor looks at a cell. The second is what the crate's tutorial begins with, a record of text for each row; the third what most programs come
//! to, each row deserialised into a struct of its own.

use super::{arguments, median, packs};
use kuzet::{
    engine::Settings,
    files::{Inputs, records::Framing},
    geo::Geo,
    limits, mapping,
    random::Random,
    replay::{self, Outputs, Setup, Threads},
};
use serde::Deserialize;
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Instant,
};

/// How many times only parsing two threads may take.
const BOUND: f64 = 3.0;
/// The first contestants are only beside what the others are held.
const YARDSTICKS: usize = 3;
/// How much the peak may grow when the rows grow to four times as many: nothing but what the allocator leaves.
const FLAT: f64 = 1.1;
/// Wallets of the rows by which memory is judged, however many they are.
const WALLETS: u64 = 50_000;
/// Rows of an hour.
const RATE: u64 = 10_000;

/// Ratios, then peaks.
pub fn measure(test: bool) {
    let rows = arguments::number("--rows", if test { 5_000 } else { 1_750_000 });
    let rounds = arguments::number("--rounds", if test { 1 } else { 5 });
    let folder = tempfile::tempdir().expect("a folder for the files");
    let file = folder.path().join("rows.csv");
    write(&file, rows, rows.div_ceil(10)).expect("the rows can be written");
    let setup = setup();
    let contestants: [(&str, &dyn Fn() -> u64); 5] = [
        ("only parsing, one record of bytes", &|| parse(&file)),
        ("only parsing, a record of text for each row", &|| records(&file)),
        ("only parsing, deserialised", &|| deserialise(&file)),
        ("kuzet on one thread", &|| backtest(&setup, Threads::One, &file)),
        ("kuzet on two threads", &|| backtest(&setup, Threads::Two, &file)),
    ];
    let mut times = vec![Vec::new(); contestants.len()];
    for _ in 0..rounds {
        for ((name, run), times) in contestants.iter().zip(&mut times) {
            let began = Instant::now();
            assert_eq!(run(), rows, "{name} has seen every row");
            times.push(began.elapsed().as_secs_f64());
        }
    }
    println!("{rows} rows of CSV, beside each of the first {YARDSTICKS}:");
    if !test {
        let medians: Vec<f64> = times.iter_mut().map(|times| median(times)).collect();
        for ((name, _), time) in contestants.iter().zip(&medians) {
            let beside = medians[..YARDSTICKS].iter().map(|yardstick| format!("{:6.2}", time / yardstick));
            println!("{name:44} {}", beside.collect::<String>());
        }
        let two_threads = medians[contestants.len() - 1];
        for ((name, _), yardstick) in contestants[..YARDSTICKS].iter().zip(&medians) {
            if two_threads > BOUND * yardstick {
                println!("two threads: OVER {BOUND} x {name}");
            }
        }
    }
    memory(rows, folder.path());
}

/// The peak of a process that replays so many rows, and of one that replays four times as many.
fn memory(rows: u64, folder: &Path) {
    let peaks = [1, 4].map(|times| {
        let file = folder.join(format!("{times}.csv"));
        write(&file, times * rows, WALLETS.min(rows)).expect("the rows can be written");
        let program = std::env::current_exe().expect("a running program has a path");
        let output = Command::new(program).arg("--peak-of").arg(&file).output().expect("it can be started");
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        std::fs::remove_file(&file).expect("it was written just now");
        text.parse::<f64>().unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
    });
    let over = if peaks[1] > FLAT * peaks[0] { format!(" OVER {FLAT}") } else { String::new() };
    let [one, four] = peaks.map(|peak| peak / 1024.0);
    println!("peak of {rows} rows {one:.0} MiB, of {} rows {four:.0} MiB{over}", 4 * rows);
}

/// What the process started for it does.
pub fn child(file: &str) {
    backtest(&setup(), Threads::Two, Path::new(file));
    let status = std::fs::read_to_string("/proc/self/status").expect("this bench runs on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("with its peak");
    println!("{}", line.trim().trim_end_matches(" kB"));
}

fn setup() -> Setup {
    let mapping = mapping::load_file(Path::new("fixtures/mapping/paysim.toml"));
    let mapping = mapping.unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
    Setup {
        packs: packs::load(Path::new("rules/onevision.toml")),
        geo: Arc::new(Geo::default()),
        settings: Settings::default(),
        mapping: Some(Arc::new(mapping)),
        lift_after: None,
        range: None,
        probes: Vec::new(),
    }
}

/// Rows as PaySim writes them.
fn write(file: &Path, rows: u64, wallets: u64) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    let mut random = Random::new(17);
    writeln!(
        out,
        "step,type,amount,nameOrig,oldbalanceOrg,newbalanceOrig,nameDest,oldbalanceDest,newbalanceDest,isFraud,isFlaggedFraud"
    )?;
    for number in 0..rows {
        let kind =
            random.weighted(&[(35, "CASH_OUT"), (34, "PAYMENT"), (22, "CASH_IN"), (8, "TRANSFER"), (1, "DEBIT")]);
        let (amount, before) = (1 + random.below(90_000), 90_000 + random.below(500_000));
        let (from, to) = (random.below(wallets), random.below(wallets));
        let (cents, step, left) = (random.below(100), 1 + number / RATE, before - amount);
        writeln!(
            out,
            "{step},{kind},{amount}.{cents:02},C{from:010},{before}.0,{left}.{cents:02},C{to:010},{before}.{cents:02},{left}.0,0,0"
        )?;
    }
    out.flush()
}

fn reader(file: &Path) -> csv::Reader<File> {
    csv::ReaderBuilder::new().buffer_capacity(limits::READ_BYTES).from_path(file).expect("the rows are there")
}

fn parse(file: &Path) -> u64 {
    let (mut reader, mut record, mut rows) = (reader(file), csv::ByteRecord::new(), 0);
    while reader.read_byte_record(&mut record).expect("rows") {
        rows += u64::from(record.len() == 11);
    }
    rows
}

/// As the crate's tutorial does it.
fn records(file: &Path) -> u64 {
    let rows = reader(file).into_records().filter(|row| row.as_ref().expect("a row").len() == 11);
    u64::try_from(rows.count()).expect("few")
}

/// A row as a program has it.
#[derive(Deserialize)]
#[expect(non_snake_case, reason = "they are called so")]
struct Row {
    step: u32,
    r#type: String,
    amount: f64,
    nameOrig: String,
    oldbalanceOrg: f64,
    newbalanceOrig: f64,
    nameDest: String,
    isFraud: u8,
}

fn deserialise(file: &Path) -> u64 {
    let rows = reader(file).into_deserialize::<Row>().map(|row| row.expect("a row"));
    let sane = |row: &Row| {
        let texts = [&row.r#type, &row.nameOrig, &row.nameDest];
        let figures = [row.amount, row.oldbalanceOrg, row.newbalanceOrig];
        row.step > 0
            && row.isFraud < 2
            && texts.iter().all(|text| !text.is_empty())
            && figures.iter().all(|figure| *figure >= 0.0)
    };
    u64::try_from(rows.filter(sane).count()).expect("few")
}

fn backtest(setup: &Setup, threads: Threads, file: &Path) -> u64 {
    let inputs = Inputs::new(&[PathBuf::from(file)], Framing::Csv { delimiter: b',' }).expect("the rows are there");
    let ended = replay::run(setup, threads, inputs, Outputs::none()).expect("nothing fails");
    let summary = ended.summary;
    assert_eq!((summary.rejected, summary.skipped), (0, 0), "{:?}", summary.reject_reasons);
    summary.decided
}
