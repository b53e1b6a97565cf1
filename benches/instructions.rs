//! Instructions of one event in decode, step and encode: what a busy machine cannot blur, so a gate can hold it.
//!
//! The last events of a fixed stream are counted, after all others have warmed the engine up. Over 5 % more than
//! `benches/record/instructions.toml` says fails; `KUZET_BLESS=1` writes that file anew, and the commit that carries it
//! has to say what the instructions buy. Fewer than recorded do not fail, but ask for the record to be lowered, so that
//! what was won is held. A machine on which nothing can be counted fails: a gate that is silent holds nothing.

mod stream;

#[expect(dead_code, reason = "this bench has nothing to set")]
#[path = "support/arguments.rs"]
mod arguments;
#[path = "support/draft.rs"]
mod draft;
#[path = "support/engine.rs"]
mod engine;
#[path = "support/packs.rs"]
mod packs;
#[path = "instructions/record.rs"]
mod record;
#[path = "instructions/stepping.rs"]
mod stepping;

use anyhow::Context;
use engine::Kuzet;
use record::{Record, Stages, Verdict, judge};
use std::{hint::black_box, process::ExitCode};
use stream::Shape;

const PACKS: [(&str, &str); 3] =
    [("five", "benches/five.toml"), ("default", "rules/onevision.toml"), ("typologies", "rules/typologies.toml")];
const SHAPES: [Shape; 2] = [Shape::Uniform, Shape::Bursts];

/// Events of a stream, and how many of its last ones are counted.
#[derive(Clone, Copy)]
struct Size {
    events: u64,
    counted: usize,
}

/// A single step took 20 µs of a rented processor, so these are 40 s of one.
const MEASURED: Size = Size { events: 20_000, counted: 24 };
const TRIED: Size = Size { events: 500, counted: 3 };

/// Before and after each stage, and two to begin with, between which there is nothing.
const MARKS_OF_AN_EVENT: usize = 4;

fn main() -> anyhow::Result<ExitCode> {
    let test = arguments::test_mode();
    let size = if test { TRIED } else { MEASURED };
    if let Some(pack) = arguments::value("--count") {
        counted_program(&pack, &arguments::value("--shape").expect("the parent names a shape"), size);
        return Ok(ExitCode::SUCCESS);
    }
    if test {
        try_out()?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut counted = Record::here()?;
    for (pack, _) in PACKS {
        for shape in SHAPES {
            let stages = count(pack, shape, size)?;
            counted.instructions.entry(pack.to_owned()).or_default().insert(shape.name().to_owned(), stages);
        }
    }
    if std::env::var_os("KUZET_BLESS").is_some() {
        counted.write()?;
    }
    Ok(compare(Record::recorded()?.as_ref(), &counted))
}

/// What is counted, in a process of its own.
fn counted_program(pack: &str, shape: &str, size: Size) {
    let (_, path) = PACKS.into_iter().find(|(name, _)| *name == pack).expect("the parent names a pack");
    let shape = Shape::ALL.into_iter().find(|known| known.name() == shape).expect("the parent names a shape");
    let stream = shape.write(size.events);
    let records: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let (warm_up, counted) = records.split_at(records.len() - size.counted);
    let mut kuzet = Kuzet::new(&packs::load(path));
    let mut out = Vec::with_capacity(64 * 1024);
    for record in warm_up {
        out.clear();
        kuzet.decide(record, &mut out);
    }
    stepping::begin();
    stepping::mark();
    stepping::mark();
    for record in counted {
        out.clear();
        stepping::mark();
        let event = kuzet.decoding.decode(record);
        stepping::mark();
        kuzet.deciding.step(&event);
        stepping::mark();
        kuzet.deciding.encode(&event, &mut out);
        stepping::mark();
        black_box(&out);
    }
}

/// Instructions an event, rounded down.
fn count(pack: &str, shape: Shape, size: Size) -> anyhow::Result<Stages> {
    let mode = if arguments::test_mode() { "--test" } else { "--bench" };
    let arguments = [mode, "--count", pack, "--shape", shape.name()];
    let intervals = stepping::intervals(&arguments, 2 + MARKS_OF_AN_EVENT * size.counted)
        .context("instructions are NOT MEASURED, so nothing is held: this gate needs Linux and `ptrace` of a child")?;
    let mean = |stage: usize| {
        let of_the_stage = intervals.iter().skip(stage).step_by(MARKS_OF_AN_EVENT);
        of_the_stage.sum::<u64>() / size.counted as u64
    };
    Ok(Stages { decode: mean(1), step: mean(2), encode: mean(3) })
}

/// The table of counts beside the record, and whether the gate holds.
fn compare(recorded: Option<&Record>, counted: &Record) -> ExitCode {
    println!("{}, {}; {} events of each stream", counted.rustc, counted.processor, MEASURED.counted);
    println!("| pack | stream | stage | recorded | counted | |\n|---|---|---|---|---|---|");
    let mut verdicts = Vec::new();
    for (pack, shapes) in &counted.instructions {
        for (shape, stages) in shapes {
            let before = recorded.and_then(|record| record.instructions.get(pack)?.get(shape));
            for (place, (stage, now)) in stages.named().into_iter().enumerate() {
                let was = before.map_or(0, |stages| stages.named()[place].1);
                let verdict = judge(was, now);
                let word = match verdict {
                    Verdict::AsRecorded => "",
                    Verdict::Fewer => "fewer",
                    Verdict::More => "MORE",
                };
                println!("| {pack} | {shape} | {stage} | {was} | {now} | {word} |");
                verdicts.push(verdict);
            }
        }
    }
    let bless = "KUZET_BLESS=1 cargo bench --no-default-features --bench instructions";
    if let Some(record) = recorded
        && (&record.rustc, &record.processor) != (&counted.rustc, &counted.processor)
    {
        println!("VOID: recorded with {} on {}. `{bless}` records this one", record.rustc, record.processor);
        return ExitCode::SUCCESS;
    }
    if verdicts.contains(&Verdict::Fewer) {
        println!("fewer than recorded: hold what was won, `{bless}`");
    }
    if verdicts.contains(&Verdict::More) {
        println!("MORE than recorded: if they buy something, the commit says what and carries the record, `{bless}`");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Counts little, twice, and sees that counts are counts and that the judge judges.
fn try_out() -> anyhow::Result<()> {
    let [first, again] = [(); 2].map(|()| count("five", Shape::Uniform, TRIED));
    let (first, again) = (first?, again?);
    for ((stage, first), (_, again)) in first.named().into_iter().zip(again.named()) {
        assert!(first > 0, "{stage} takes instructions");
        assert_eq!(judge(first, again), Verdict::AsRecorded, "{stage} takes the same twice: {first}, {again}");
    }
    assert_eq!(judge(100, 105), Verdict::AsRecorded);
    assert_eq!(judge(100, 106), Verdict::More);
    assert_eq!(judge(100, 95), Verdict::AsRecorded);
    assert_eq!(judge(100, 94), Verdict::Fewer);
    assert_eq!(judge(0, 1), Verdict::More, "what nobody has recorded is not passed over");
    println!("counted twice: the same");
    Ok(())
}
