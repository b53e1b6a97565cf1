//! One decision in process, bytes to bytes, at a steady pace: how long after it was due is it there?
//!
//! An open loop: every event has an instant at which it is due, whether or not the one before it is done, and its
//! latency counts from there, so that a stall is seen by all events that it delays. The machine has stalls of its own;
//! an empty loop takes turns with the engine in the same run, and what the machine does is what both show. Both read the
//! clock as often, so that its cost (some 30 ns a reading) is in both figures.
//!
//! What a decision itself is held up by is the system: page faults are counted, which a busy machine does not change.

mod stream;

#[path = "support/arguments.rs"]
mod arguments;
#[path = "support/draft.rs"]
mod draft;
#[path = "support/engine.rs"]
mod engine;
#[path = "support/packs.rs"]
mod packs;

use engine::Kuzet;
use hdrhistogram::Histogram;
use std::{
    hint::{black_box, spin_loop},
    time::{Duration, Instant},
};
use stream::Shape;

/// Events of one turn of each loop.
const TURN: usize = 50_000;
/// Latencies are kept to three digits, up to 10 s in ns.
const LONGEST: u64 = 10_000_000_000;

fn main() {
    let test = arguments::test_mode();
    let events = arguments::number("--events", if test { 2_000 } else { 4_000_000 });
    let rate = arguments::number("--rate", 200_000);
    let pack = arguments::value("--rules").unwrap_or_else(|| "rules/onevision.toml".to_owned());
    let wanted = arguments::value("--shape");
    let shape = Shape::ALL.into_iter().find(|shape| wanted.as_ref().is_none_or(|name| name == shape.name()));
    let stream = shape.expect("--shape takes a shape's name").write(events);
    let records: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let mut kuzet = Kuzet::new(&packs::load(&pack));
    let mut out = Vec::with_capacity(64 * 1024);
    let interval = Duration::from_nanos(1_000_000_000 / rate);

    let [mut empty, mut ours] = [(); 2].map(|()| Histogram::<u64>::new_with_max(LONGEST, 3).expect("good bounds"));
    // The first fifth warms up: tables grow, pages are touched.
    let (warm_up, measured) = records.split_at(records.len() / 5);
    for record in warm_up {
        out.clear();
        kuzet.decide(record, &mut out);
    }
    let mut turns = Vec::new();
    let mut faults = [0; 2];
    for turn in measured.chunks(TURN) {
        let mut both = [(); 2].map(|()| Histogram::<u64>::new_with_max(LONGEST, 3).expect("good bounds"));
        let [nothing, decisions] = &mut both;
        let begin = page_faults();
        open_loop(turn, interval, nothing, |record| {
            black_box(record);
        });
        let between = page_faults();
        open_loop(turn, interval, decisions, |record| {
            out.clear();
            kuzet.decide(record, &mut out);
            black_box(&out);
        });
        faults[0] += between - begin;
        faults[1] += page_faults() - between;
        empty.add(nothing).expect("the same bounds");
        ours.add(decisions).expect("the same bounds");
        turns.push(both);
    }
    assert_eq!(ours.len(), measured.len() as u64, "every event has a latency");
    if test {
        println!("{} events at {rate} a second: each has a latency", measured.len());
        return;
    }
    report(rate, &pack, &empty, &ours);
    report_turns(&turns);
    println!("page faults of the thread: empty loop {}, kuzet {}", faults[0], faults[1]);
}

/// Page faults of this thread so far; 0 where the system does not tell.
fn page_faults() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
    // Behind the name, which may hold blanks, the eighth figure.
    let figures = text.rsplit_once(')').map_or("", |(_, figures)| figures);
    figures.split_whitespace().nth(7).and_then(|figure| figure.parse().ok()).unwrap_or(0)
}

/// Has each record done when it is due, or as soon after as can be.
fn open_loop(records: &[&[u8]], interval: Duration, latencies: &mut Histogram<u64>, mut work: impl FnMut(&[u8])) {
    let start = Instant::now();
    let mut due = Duration::ZERO;
    for record in records {
        while start.elapsed() < due {
            spin_loop();
        }
        work(record);
        let late = start.elapsed().saturating_sub(due);
        latencies.saturating_record(u64::try_from(late.as_nanos()).unwrap_or(LONGEST));
        due += interval;
    }
}

fn report(rate: u64, pack: &str, empty: &Histogram<u64>, ours: &Histogram<u64>) {
    println!("{} decisions by {pack}, due at {rate} a second", ours.len());
    println!("| ns from when it was due | empty loop | kuzet | difference |\n|---|---|---|---|");
    for (name, quantile) in
        [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("most", 1.0)]
    {
        let [nothing, decision] = [empty, ours].map(|latencies| latencies.value_at_quantile(quantile));
        println!("| {name} | {nothing} | {decision} | {} |", i128::from(decision) - i128::from(nothing));
    }
    let [p50, p999] = [0.5, 0.999].map(|quantile| ours.value_at_quantile(quantile));
    let bound = empty.value_at_quantile(0.999) + 5_000;
    println!("p50 {p50} ns: {}", if p50 < 2_000 { "under 2 µs" } else { "OVER 2 µs" });
    println!("p99.9 {p999} ns: {} the empty loop's and 5 µs ({bound})", if p999 <= bound { "at most" } else { "OVER" });
}

/// The machine's stalls fall on few turns; what the median of all turns shows is the loops' own.
fn report_turns(turns: &[[Histogram<u64>; 2]]) {
    for (name, quantile) in [("p50", 0.5), ("p99.9", 0.999)] {
        let [nothing, decision] = [0, 1].map(|of| {
            let mut all: Vec<u64> = turns.iter().map(|both| both[of].value_at_quantile(quantile)).collect();
            all.sort_unstable();
            all[all.len() / 2]
        });
        println!("{name} of the median turn of {}: empty loop {nothing} ns, kuzet {decision} ns", turns.len());
    }
}
