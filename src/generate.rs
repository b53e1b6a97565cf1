//! `kuzet generate`: synthetic events by seed, with known patterns planted and a truth file that says what they must do.
//!
//! Three streams are merged in the order of time: everyday traffic that no rule minds, planted patterns and near misses,
//! and records that must be rejected. The same options give the same bytes on every machine: no clock, no
//! floating-point number, no order of a hash map. Events are written as they come, so memory grows with the wallets
//! and the planted patterns, not with the events.
//!
//! It knows the packs it writes for only as a reader of their documents would: no rule is evaluated here.

pub mod background;
pub mod bad;
pub mod patterns;
pub mod record;

use crate::random::Random;
use crate::{
    files::{
        identity::{Identity, is_standard},
        pipe::Pipe,
    },
    time::{Timestamp, Zone},
    wording::{self, grouped, several},
};
use background::{Background, Times, WALLETS_MAX, WALLETS_MIN};
use patterns::{INSTANCES_MAX, Plan};
use record::Record;
use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
};

/// The zone of the packs, whose days and hours the traffic follows.
const ZONE: &str = "Asia/Almaty";
const DAY: i64 = 24 * 60 * 60 * 1_000;
const HOURS_A_DAY: i64 = 24;

/// Longest range in days: fewer than any six months, so that no everyday wallet falls asleep.
const DAYS_MAX: u32 = 180;
/// 2018-01-01T00:00:00+06:00, the first date on which the packs know the MCI.
const START_MIN: Timestamp = Timestamp(1_514_743_200_000);
/// Years up to 2199, which leaves room for the range and its calendar.
const START_MAX: Timestamp = Timestamp(7_258_118_400_000);

/// One planted instance of every pattern for that many events, unless the caller says how many…
const EVENTS_A_PATTERN: u64 = 10_000;
/// …and at most that many.
const PATTERNS_DEFAULT_MAX: u64 = 20;

/// What is generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub seed: u64,
    /// Good events in all, planted ones among them.
    pub events: u64,
    /// Everyday wallets.
    pub wallets: u64,
    pub start: Timestamp,
    pub days: u32,
    /// Planted instances of every pattern.
    pub patterns: u64,
    /// Records that must be rejected, besides the events.
    pub bad: u64,
}

/// What has been written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Good events, and how many of them are planted.
    pub events: u64,
    pub planted: u64,
    /// Instances that must fire, and instances that must not.
    pub patterns: u64,
    pub near_misses: u64,
    pub bad: u64,
    /// Patterns for which the dates left no room, and how many instances of each.
    pub skipped: BTreeMap<&'static str, u64>,
}

impl Options {
    /// Refuses options out of bounds, naming the flag, the value and the bound.
    fn check(&self) -> io::Result<()> {
        let Options { wallets, start, days, patterns, .. } = self;
        if !(WALLETS_MIN..=WALLETS_MAX).contains(wallets) {
            return refused(format!("--wallets is {wallets}; it must be {WALLETS_MIN} to {WALLETS_MAX}"));
        }
        if !(1..=DAYS_MAX).contains(days) {
            return refused(format!("--days is {days}; it must be 1 to {DAYS_MAX}"));
        }
        if !(START_MIN..=START_MAX).contains(start) {
            return refused(format!("--start is {start}; it must be from {START_MIN} to {START_MAX}"));
        }
        if *patterns > INSTANCES_MAX {
            return refused(format!("--patterns is {patterns}; it must be at most {INSTANCES_MAX}"));
        }
        Ok(())
    }
}

fn refused<T>(message: String) -> io::Result<T> {
    Err(io::Error::new(ErrorKind::InvalidInput, message))
}

/// Writes events as NDJSON in the order of time, and what is true of them.
///
/// # Errors
/// `InvalidInput` for options out of bounds; else those of `events` and `truth`.
pub fn generate<'a>(
    options: &Options,
    events: &'a mut dyn Write,
    mut truth: Option<&'a mut dyn Write>,
) -> io::Result<Summary> {
    options.check()?;
    let zone = Zone::load(ZONE).map_err(io::Error::other)?;
    let start = options.start.0;
    let plan = patterns::plan(options.seed, &zone, (start, start + i64::from(options.days) * DAY), options.patterns);
    let planted = u64::try_from(plan.events.len()).map_err(io::Error::other)?;
    let Some(everyday) = options.events.checked_sub(planted) else {
        return refused(format!(
            "--events is {}, but --patterns {} alone takes {planted}; ask for more events or fewer patterns",
            options.events, options.patterns
        ));
    };
    let mut summary = Summary { events: options.events, planted, skipped: plan.skipped.clone(), ..Summary::default() };
    for line in &plan.truths {
        *(if line.near_miss { &mut summary.near_misses } else { &mut summary.patterns }) += 1;
        if let Some(truth) = truth.as_mut() {
            line.write(*truth)?;
        }
    }
    summary.bad = merge(options, &zone, plan, everyday, &mut Lines { events, truth, line: Vec::new(), count: 0 })?;
    Ok(summary)
}

/// The output: whole lines, counted.
struct Lines<'a> {
    events: &'a mut dyn Write,
    truth: Option<&'a mut dyn Write>,
    line: Vec<u8>,
    count: u64,
}

impl Lines<'_> {
    fn write(&mut self, record: &Record) -> io::Result<()> {
        self.count += 1;
        self.line.clear();
        record.write(&mut self.line);
        self.events.write_all(&self.line)
    }

    fn write_bad(&mut self, kind: &bad::Kind, line: &[u8]) -> io::Result<()> {
        self.count += 1;
        self.events.write_all(line)?;
        self.events.write_all(b"\n")?;
        let Some(truth) = self.truth.as_mut() else { return Ok(()) };
        write!(truth, "{{\"bad\":\"{}\",\"line\":{}", kind.name, self.count)?;
        if let Some(field) = kind.field {
            write!(truth, ",\"field\":\"{field}\"")?;
        }
        truth.write_all(b"}\n")
    }
}

/// Merges planted events, everyday ones and bad records; gives the number of bad ones.
fn merge(options: &Options, zone: &Zone, plan: Plan, everyday: u64, lines: &mut Lines<'_>) -> io::Result<u64> {
    let hours = i64::from(options.days) * HOURS_A_DAY;
    let mut times = Times::new(zone, options.start.0, hours, everyday);
    let mut random = Random::of(options.seed, u64::MAX - 2);
    let mut background = Background::new(options.seed, zone, options.wallets);
    let mut planted = plan.events.into_iter().peekable();
    let mut exclusive = plan.exclusive.into_iter().peekable();
    let mut bad = BadRecords { wanted: options.bad, written: 0, everyday, newest: None, operation: None };
    let mut given = 0;
    while let Some(mut time) = times.next(&mut random) {
        while exclusive.next_if(|(_, last)| *last < time).is_some() {}
        if let Some((_, last)) = exclusive.peek().filter(|(first, last)| (*first..=*last).contains(&time)) {
            time = last + 1;
        }
        while let Some(record) = planted.next_if(|record| record.time <= time) {
            lines.write(&record)?;
        }
        let record = background.event(time);
        lines.write(&record)?;
        given += 1;
        bad.after(record);
        bad.write_due(given, options.start.0, lines)?;
    }
    for record in planted {
        lines.write(&record)?;
        bad.after(record);
    }
    bad.write_due(everyday, options.start.0, lines)?;
    Ok(bad.written)
}

/// Bad records, spread evenly over the everyday ones.
struct BadRecords {
    wanted: u64,
    written: u64,
    everyday: u64,
    /// The time of the newest good event.
    newest: Option<i64>,
    /// The last operation, which a conflict repeats, as long as it is the newest event of its wallet: then its id is
    /// still remembered.
    operation: Option<Record>,
}

impl BadRecords {
    fn after(&mut self, record: Record) {
        self.newest = Some(record.time);
        if record.amount.is_some() || self.operation.as_ref().is_some_and(|last| last.wallet == record.wallet) {
            self.operation = Some(record).filter(|record| record.amount.is_some());
        }
    }

    /// Writes those that are due after `given` everyday events.
    fn write_due(&mut self, given: u64, start: i64, lines: &mut Lines<'_>) -> io::Result<()> {
        let due = |written: u64| {
            let share = u128::from(written + 1) * u128::from(self.everyday) / u128::from(self.wanted + 1);
            u128::from(given) >= share
        };
        let mut written = self.written;
        while written < self.wanted && due(written) {
            let number = written + 1;
            let mut kinds = bad::KINDS.iter().cycle().skip(remainder(written, bad::KINDS.len())).take(bad::KINDS.len());
            // Some kinds need good events before them; where there are none, the next kind stands in.
            let good = bad::Before { start, newest: self.newest, operation: self.operation.as_ref() };
            let found = kinds.find_map(|kind| Some((kind, kind.write(number, &good)?)));
            let (kind, line) = found.expect("nearly all kinds can be written without good events");
            lines.write_bad(kind, &line)?;
            written += 1;
        }
        self.written = written;
        Ok(())
    }
}

fn remainder(number: u64, length: usize) -> usize {
    let length = u64::try_from(length).expect("lengths fit 64 bits");
    usize::try_from(number % length).expect("a remainder is below its length")
}

/// Synthetic events by seed, with known patterns planted and a truth file
#[derive(clap::Args, Clone, Debug)]
pub struct GenerateArgs {
    /// Good events in all, planted ones among them
    #[arg(long, default_value_t = 10_000)]
    pub events: u64,
    /// The same seed and flags give the same bytes
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Everyday wallets [default: one for every 50 events, 100 to 100000]
    #[arg(long)]
    pub wallets: Option<u64>,
    /// The first instant, RFC 3339; only what planted dormant wallets did long ago comes before it
    #[arg(long, default_value = "2026-03-01T00:00:00+05:00", value_parser = parse_start)]
    pub start: Timestamp,
    /// How many days the events cover; patterns that need more are skipped
    #[arg(long, default_value_t = 31)]
    pub days: u32,
    /// Planted instances of every pattern and near miss [default: one for every 10000 events, at most 20]
    ///
    /// Those of the typologies fire only with `replay --rules rules/typologies.toml`.
    #[arg(long)]
    pub patterns: Option<u64>,
    /// Records that must be rejected, besides the events
    #[arg(long, default_value_t = 0)]
    pub bad: u64,
    /// Where the events go; `-` is standard output
    #[arg(long, default_value = "-")]
    pub out: PathBuf,
    /// Where the truth goes: one JSON line for every planted instance and every bad record; `-` is standard output
    #[arg(long)]
    pub truth: Option<PathBuf>,
}

fn parse_start(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).map_err(|error| format!("\"{text}\" {error}"))
}

impl GenerateArgs {
    /// The options, with every default worked out.
    #[must_use]
    pub fn options(&self) -> Options {
        Options {
            seed: self.seed,
            events: self.events,
            wallets: self.wallets.unwrap_or_else(|| (self.events / 50).clamp(100, 100_000)),
            start: self.start,
            days: self.days,
            patterns: self.patterns.unwrap_or_else(|| (self.events / EVENTS_A_PATTERN).min(PATTERNS_DEFAULT_MAX)),
            bad: self.bad,
        }
    }
}

/// Bytes that gather before they are written.
const BUFFER_BYTES: usize = 256 * 1024;

/// The command line's `generate`: events and truth to their files, a summary to standard error. A reader of the events who
/// has seen enough, such as `head`, is no failure; a truth file is written to its end all the same.
///
/// # Errors
/// Options out of bounds, two outputs in one file, files that cannot be written.
pub fn run(args: &GenerateArgs) -> anyhow::Result<()> {
    let options = args.options();
    // Nothing is emptied before what can be known to be wrong is known.
    options.check()?;
    if let Some(truth) = &args.truth
        && (*truth == args.out
            || Identity::of_output(truth).is_some_and(|it| Identity::of_output(&args.out) == Some(it)))
    {
        let name = truth.display();
        return Ok(refused(format!("--out and --truth both write to {name}; give each a file of its own"))?);
    }
    let mut truth = args.truth.as_deref().map(|path| Output::open(path, "the truth")).transpose()?;
    let mut events = Output::open(&args.out, "events")?;
    let summary = if let Some(truth) = &mut truth {
        let mut events = Pipe::new(&mut events);
        let summary = generate(&options, &mut events, Some(truth))?;
        events.flush()?;
        truth.flush()?;
        summary
    } else {
        match generate(&options, &mut events, None).and_then(|summary| events.flush().map(|()| summary)) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            result => result?,
        }
    };
    // There is nobody left to tell when standard error is gone.
    let _ = write!(io::stderr(), "{summary}");
    Ok(())
}

/// A file or standard output, whose errors say what was written where.
struct Output {
    what: &'static str,
    name: String,
    writer: BufWriter<Box<dyn Write>>,
}

impl Output {
    /// Opens a file, emptying it, or standard output for `-`.
    fn open(path: &Path, what: &'static str) -> io::Result<Output> {
        let (name, writer): (_, io::Result<Box<dyn Write>>) = if is_standard(path) {
            ("standard output".to_owned(), Ok(Box::new(io::stdout().lock())))
        } else {
            (path.display().to_string(), File::create(path).map(|file| Box::new(file) as _))
        };
        let writer = writer.map_err(|error| named(&error, what, &name))?;
        Ok(Output { what, name, writer: BufWriter::with_capacity(BUFFER_BYTES, writer) })
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes).map_err(|error| named(&error, self.what, &self.name))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush().map_err(|error| named(&error, self.what, &self.name))
    }
}

/// The error, of the same kind, in a whole sentence.
fn named(error: &io::Error, what: &str, name: &str) -> io::Error {
    // That kind is kept for options that are refused.
    let kind = if error.kind() == ErrorKind::InvalidInput { ErrorKind::Other } else { error.kind() };
    io::Error::new(kind, format!("cannot write {what} to {name}: {}", wording::unwritable(error)))
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { events, planted, patterns, near_misses, bad, skipped } = self;
        write!(out, "{}", several(*events, "event"))?;
        if *planted > 0 {
            let (patterns, near_misses) = (several(*patterns, "pattern"), several(*near_misses, "near miss"));
            write!(out, ", {} of them planted: {patterns} and {near_misses}", grouped(*planted))?;
        }
        writeln!(out)?;
        if *bad > 0 {
            writeln!(out, "{} that must be rejected", several(*bad, "record"))?;
        }
        if !skipped.is_empty() {
            let names: Vec<&str> = skipped.keys().copied().collect();
            writeln!(out, "skipped, for they do not fit between the dates: {}", names.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
