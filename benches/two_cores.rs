//! A replay of a file into a file on two threads, beside the same on one.
//!
//! Both take turns in one run and must write the same bytes. Where the machine is busy with other things, wall-clock
//! time says little; the processor time of each thread says how evenly the work is divided, and two cores of one's own
//! take as long as the busier thread.

mod stream;

#[path = "support/arguments.rs"]
mod arguments;
#[path = "support/draft.rs"]
mod draft;
#[path = "support/packs.rs"]
mod packs;

use kuzet::{
    engine::Settings,
    files::{Inputs, records::Framing},
    geo::Geo,
    replay::{self, Emit, Outputs, Setup, Threads, progress::Progress, sink::Sink},
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use stream::Shape;

/// What one replay took.
struct Took {
    elapsed: f64,
    /// Processor time by thread, the busiest first, in seconds; none where the system does not tell.
    busy: Vec<f64>,
}

fn main() {
    let test = arguments::test_mode();
    let events = arguments::number("--events", if test { 20_000 } else { 2_000_000 });
    let rounds = arguments::number("--rounds", if test { 1 } else { 5 });
    let pack = arguments::value("--rules").unwrap_or_else(|| "rules/onevision.toml".to_owned());
    let wanted = arguments::value("--shape");
    let shape = Shape::ALL.into_iter().find(|shape| wanted.as_ref().is_none_or(|name| name == shape.name()));
    let shape = shape.expect("--shape takes a shape's name");
    let folder = match arguments::value("--folder") {
        Some(path) => tempfile::tempdir_in(path),
        None => tempfile::tempdir(),
    };
    let folder = folder.expect("a folder for the files");
    let input = folder.path().join("events.ndjson");
    fs::write(&input, shape.write(events)).expect("the events can be written");
    let setup = Setup {
        packs: packs::load(&pack),
        geo: Arc::new(Geo::default()),
        settings: Settings::default(),
        mapping: None,
        lift_after: None,
        range: None,
        probes: Vec::new(),
    };
    let mut times: [Vec<Took>; 2] = Default::default();
    for _ in 0..rounds {
        let outputs =
            [(Threads::One, "one"), (Threads::Two, "two")].map(|(threads, name)| (threads, folder.path().join(name)));
        for ((threads, output), times) in outputs.iter().zip(&mut times) {
            times.push(run(&setup, *threads, &input, output));
        }
        let [one, two] = outputs.map(|(_, path)| fs::read(path).expect("the decisions"));
        assert!(one == two && !one.is_empty(), "one thread and two write the same bytes");
    }
    println!("{events} events by {pack}, every decision written: the same bytes on one thread and on two");
    if !test {
        report(events, &times);
    }
}

fn run(setup: &Setup, threads: Threads, input: &Path, output: &Path) -> Took {
    let outputs = Outputs {
        decisions: Some(Sink::open(output, "decisions").expect("a file can be made")),
        format: replay::Format::Ndjson,
        emit: Emit::All,
        rejects: None,
        goes_on_unread: false,
        tell_flagged: false,
        progress: Progress::new(true),
    };
    let inputs = Inputs::new(&[input.to_owned()], Framing::Lines).expect("the events are there");
    let done = AtomicBool::new(false);
    let before = processor_seconds();
    thread::scope(|scope| {
        let watch = scope.spawn(|| processor_seconds_until(&done));
        let start = Instant::now();
        let ended = replay::run(setup, threads, inputs, outputs).expect("nothing to reject or to fail");
        let elapsed = start.elapsed().as_secs_f64();
        done.store(true, Ordering::Relaxed);
        assert!(ended.stopped.is_none() && ended.summary.rejected == 0, "every event is decided on");
        let spent = watch.join().expect("the watch ends").into_iter();
        let spent = spent.map(|(thread, seconds)| seconds - before.get(&thread).unwrap_or(&0.0));
        let mut busy: Vec<f64> = spent.filter(|seconds| *seconds > elapsed / 20.0).collect();
        busy.sort_by(|one, other| other.total_cmp(one));
        Took { elapsed, busy }
    })
}

/// Processor time of each thread as it was last seen, until all is `done`.
fn processor_seconds_until(done: &AtomicBool) -> BTreeMap<PathBuf, f64> {
    let mut seen = BTreeMap::new();
    while !done.load(Ordering::Relaxed) {
        seen.extend(processor_seconds());
        thread::sleep(Duration::from_millis(2));
    }
    seen.extend(processor_seconds());
    seen
}

/// Processor time of each thread of this process so far, where the system is Linux.
fn processor_seconds() -> BTreeMap<PathBuf, f64> {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return BTreeMap::new() };
    let spent = |path: &Path| -> Option<f64> {
        let text = fs::read_to_string(path.join("schedstat")).ok()?;
        Some(text.split(' ').next()?.parse::<f64>().ok()? / 1e9)
    };
    threads.flatten().filter_map(|thread| Some((thread.path(), spent(&thread.path())?))).collect()
}

fn report(events: u64, [one, two]: &[Vec<Took>; 2]) {
    println!("| round | one thread: ns an event | two threads | ratio | processor ns by thread | bound of the ratio |");
    println!("|---|---|---|---|---|---|");
    let events = f64::from(u32::try_from(events).expect("below four billion"));
    let nanoseconds = |seconds: f64| seconds * 1e9 / events;
    let mut ratios = Vec::new();
    let mut bounds = Vec::new();
    for (round, (one, two)) in one.iter().zip(two).enumerate() {
        let ratio = one.elapsed / two.elapsed;
        let bound = one.busy.first().zip(two.busy.first()).map_or(f64::NAN, |(one, two)| one / two);
        let shares: Vec<String> = two.busy.iter().map(|busy| format!("{:.0}", nanoseconds(*busy))).collect();
        let [alone, beside] = [one.elapsed, two.elapsed].map(nanoseconds);
        let shares = shares.join(" + ");
        println!("| {} | {alone:.0} | {beside:.0} | {ratio:.2} | {shares} | {bound:.2} |", round + 1);
        ratios.push(ratio);
        bounds.push(bound);
    }
    for (what, mut values) in [("ratio", ratios), ("bound by processor time", bounds)] {
        values.sort_by(f64::total_cmp);
        println!("median {what}: {:.2}", values[values.len() / 2]);
    }
}
