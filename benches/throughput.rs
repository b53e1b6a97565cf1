//! Events a second, bytes to bytes on one core, beside a naive loop, a tuned one and parsing alone.
//!
//! All contestants take turns in one run, so that a busy machine is busy for all of them, and every figure is judged
//! by its ratio to the naive loop of the same round. Counting lines shows that the memory's pace was the usual one: if
//! it does not come out at 20 to 40 times naive, the run is void. The answers are compared: naive, tuned and Kuzet
//! must write the same bytes wherever events are in order.

mod naive;
mod stream;
mod tuned;

#[path = "support/arguments.rs"]
mod arguments;
#[path = "support/batches.rs"]
mod batches;
#[path = "support/draft.rs"]
mod draft;
#[path = "support/packs.rs"]
mod packs;
#[path = "support/parsers.rs"]
mod parsers;
#[path = "support/sink.rs"]
mod sink;
#[path = "support/together.rs"]
mod together;

use batches::{Batches, read_records};
use kuzet::rules::Packs;
use sink::{Sink, read_lines};
use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};
use stream::Shape;

/// What is called with the stream; it holds everything that a contestant remembers.
type Contestant<'a> = Box<dyn FnMut(&[u8], &mut Sink) + 'a>;

/// One that is called for each line, which the standard library's reader finds: the yardstick's way.
fn by_line<'a>(mut take: impl FnMut(&[u8], &mut Sink) + 'a) -> Contestant<'a> {
    Box::new(move |stream, sink| {
        read_lines(stream, |line| take(line, sink));
    })
}

/// One that is called for each record, which Kuzet's own reader finds: whoever Kuzet is held to loses nothing by it.
fn by_record<'a>(mut take: impl FnMut(&[u8]) + 'a) -> Contestant<'a> {
    Box::new(move |stream, _| read_records(stream, &mut take))
}

/// One that takes part, made anew for every round.
struct Entrant<'a> {
    name: &'static str,
    make: Box<dyn Fn() -> Contestant<'a> + 'a>,
    work: Work,
}

/// What a contestant does with a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    /// Looks at it.
    Reads,
    /// Reads its fields with a library for JSON: the pace that deciding is held to.
    Parses,
    /// Reads its fields with our own decoder.
    Decodes,
    /// Writes the decisions of the five rules.
    Answers,
    /// Writes the decisions of more rules.
    Decides,
}

const LINES: usize = 0;
const NAIVE: usize = 5;
const KUZET: usize = 7;

fn entrants<'a>(five: &'a Arc<Packs>, whole: &'a Arc<Packs>) -> Vec<Entrant<'a>> {
    fn entrant<'a>(name: &'static str, work: Work, make: impl Fn() -> Contestant<'a> + 'a) -> Entrant<'a> {
        Entrant { name, make: Box::new(make), work }
    }
    let engine = |packs: &'a Arc<Packs>| {
        move || -> Contestant<'a> {
            let mut kuzet = Batches::new(packs);
            Box::new(move |stream, sink| kuzet.run(stream, sink))
        }
    };
    vec![
        entrant("counting lines", Work::Reads, || {
            by_line(|line, _| {
                black_box(line);
            })
        }),
        entrant("sonic-rs, borrowed", Work::Parses, || by_record(parsers::sonic_rs)),
        entrant("simd-json, borrowed", Work::Parses, || {
            let mut scratch = parsers::Scratch::default();
            by_record(move |record| parsers::simd_json(&mut scratch, record))
        }),
        entrant("serde_json, borrowed", Work::Parses, || by_record(parsers::serde_json)),
        entrant("kuzet's decoder", Work::Decodes, move || {
            let mut decoder = kuzet::event::decode::Decoder::default();
            by_record(move |record| parsers::kuzet(&mut decoder, five, record))
        }),
        entrant("naive", Work::Answers, move || {
            let mut naive = naive::Naive::new(&five.name);
            by_line(move |line, sink| naive.decide(line, sink))
        }),
        entrant("tuned", Work::Answers, move || {
            let mut tuned = tuned::Tuned::new(&five.name);
            by_line(move |line, sink| tuned.decide(line, sink))
        }),
        entrant("kuzet, five rules", Work::Answers, engine(five)),
        entrant("kuzet, default and typologies", Work::Decides, engine(whole)),
    ]
}

/// One contestant over the whole stream: how long it took, and what it wrote. Letting go of its memory is not timed.
fn run(entrant: &Entrant<'_>, stream: &[u8], keep: bool) -> (Duration, u64, Vec<u8>) {
    let mut contestant = (entrant.make)();
    let mut sink = Sink::new(keep);
    let start = Instant::now();
    contestant(stream, &mut sink);
    let elapsed = start.elapsed();
    let (length, written) = sink.finish();
    (elapsed, length, written)
}

fn main() {
    let five = packs::load("benches/five.toml");
    let whole = packs::load("rules/typologies.toml");
    let entrants = entrants(&five, &whole);
    let wanted = arguments::value("--shape");
    if let Some(name) = arguments::value("--only") {
        return profile(&name, &entrants, wanted.as_deref());
    }
    let test = arguments::test_mode();
    let events = arguments::number("--events", if test { 2_000 } else { 1_000_000 });
    let rounds = arguments::number("--rounds", 5);
    for shape in Shape::ALL {
        if wanted.as_ref().is_some_and(|name| name != shape.name()) {
            continue;
        }
        let stream = shape.write(events);
        if test {
            check(shape, &stream, &entrants);
        } else {
            measure(shape, &stream, events, rounds, &entrants);
        }
    }
}

/// One contestant alone, again and again, for a profiler.
fn profile(name: &str, entrants: &[Entrant<'_>], shape: Option<&str>) {
    let entrant = entrants.iter().find(|entrant| entrant.name == name).expect("--only takes a contestant's name");
    let shape = Shape::ALL.into_iter().find(|known| shape.is_none_or(|name| name == known.name()));
    let events = arguments::number("--events", 1_000_000);
    let stream = shape.expect("--shape takes a shape's name").write(events);
    for _ in 0..arguments::number("--rounds", 5) {
        let (elapsed, _, _) = run(entrant, &stream, false);
        println!("{:.0} ns an event", elapsed.as_secs_f64() * 1e9 / sink::float(events));
    }
}

/// The same answers, byte for byte, of all who answer; out of order only Kuzet's are right, and must be complete.
fn check(shape: Shape, stream: &[u8], entrants: &[Entrant<'_>]) {
    let events = read_lines(stream, |_| ());
    let (_, _, naive) = run(&entrants[NAIVE], stream, true);
    let expected = naive.split(|byte| *byte == b'\n');
    let mut fired = 0;
    for entrant in entrants.iter().filter(|entrant| entrant.work == Work::Answers) {
        let (_, _, written) = run(entrant, stream, true);
        assert_eq!(read_lines(&written, |_| ()), events, "{} answers every event", entrant.name);
        if shape == Shape::Shuffled {
            continue;
        }
        fired = 0;
        for (ours, naive) in written.split(|byte| *byte == b'\n').zip(expected.clone()) {
            let [ours, naive] = [ours, naive].map(String::from_utf8_lossy);
            assert_eq!(ours, naive, "{} answers as naive does, {}", entrant.name, shape.name());
            fired += usize::from(ours.contains("\"reasons\""));
        }
    }
    for entrant in entrants.iter().filter(|entrant| entrant.work != Work::Answers) {
        run(entrant, stream, false);
    }
    if shape == Shape::Shuffled {
        println!("{:<9} {events} events: all answered; the loops by hand know no order", shape.name());
    } else {
        println!("{:<9} {events} events, {fired} fire: answers agree", shape.name());
    }
}

/// The table of one shape.
fn measure(shape: Shape, stream: &[u8], events: u64, rounds: u64, entrants: &[Entrant<'_>]) {
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); entrants.len()];
    for _ in 0..rounds {
        let mut lengths = Vec::new();
        for (times, entrant) in times.iter_mut().zip(entrants) {
            let (elapsed, length, _) = run(entrant, stream, false);
            times.push(elapsed.as_secs_f64());
            lengths.extend((entrant.work == Work::Answers).then_some(length));
        }
        let same = lengths.iter().all(|length| *length == lengths[0]);
        assert!(same || shape == Shape::Shuffled, "answers of unlike length: {lengths:?}");
    }
    let bytes = sink::float(stream.len() as u64) / sink::float(events);
    println!("\n{}: {events} events of {bytes:.0} bytes, {rounds} rounds", shape.name());
    println!("| | events/s | ratio to naive (least to most) |\n|---|---|---|");
    for (own, entrant) in times.iter().zip(entrants) {
        let ratios: Vec<f64> = own.iter().zip(&times[NAIVE]).map(|(own, naive)| naive / own).collect();
        let rate = sink::float(events) / median(own) / 1e6;
        let (least, most) =
            ratios.iter().fold((f64::MAX, 0.0_f64), |(least, most), ratio| (least.min(*ratio), most.max(*ratio)));
        println!("| {} | {rate:.2} M | {:.2} ({least:.2} to {most:.2}) |", entrant.name, median(&ratios));
    }
    let parsers = entrants.iter().zip(&times).filter(|(entrant, _)| entrant.work == Work::Parses);
    let (fastest, parsing) =
        parsers.min_by(|(_, one), (_, other)| median(one).total_cmp(&median(other))).expect("parsers take part");
    let parts: Vec<f64> = parsing.iter().zip(&times[KUZET]).map(|(parsing, ours)| parsing / ours).collect();
    println!("{} is {:.2} of {} alone", entrants[KUZET].name, median(&parts), fastest.name);
    let counting = median(&times[NAIVE]) / median(&times[LINES]);
    if !(20.0..=40.0).contains(&counting) {
        println!("void: counting lines is {counting:.1} times naive, not 20 to 40");
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}
