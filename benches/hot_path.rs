//! Decode, step and encode apart, by criterion, over every shape of stream.
//!
//! Step is measured on an engine that has seen the events before: half of the stream is fed unmeasured, the other half
//! is timed, and every sample begins with an engine of its own, for an event that comes twice is a duplicate. Compare
//! with `cargo bench --bench hot_path -- --baseline NAME`, pick with `-- step/five/hot`; absolute figures of a shared machine mean little.

mod stream;

#[path = "support/draft.rs"]
mod draft;
#[path = "support/packs.rs"]
mod packs;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use kuzet::{
    decision::Decision,
    encode::encode,
    engine::{Changes, Engine, Input, Settings},
    event::{Event, decode::Decoder},
    geo::Geo,
    rules::Packs,
};
use std::{hint::black_box, sync::Arc};
use stream::Shape;

/// Events of the stream.
const EVENTS: u64 = 20_000;

fn benches(criterion: &mut Criterion) {
    for (name, path) in [("five", "benches/five.toml"), ("typologies", "rules/typologies.toml")] {
        let packs = packs::load(path);
        for shape in Shape::ALL {
            let name = format!("{name}/{}", shape.name());
            let stream = shape.write(EVENTS);
            let records: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
            decode(criterion, &name, &packs, &records);
            let mut decoders: Vec<Decoder> = records.iter().map(|_| Decoder::default()).collect();
            let events: Vec<Event<'_>> = decoders
                .iter_mut()
                .zip(&records)
                .map(|(decoder, record)| decoder.decode(record, &packs.types, packs.currency).expect("good records"))
                .collect();
            step_and_encode(criterion, &name, &packs, &events);
        }
    }
}

fn decode(criterion: &mut Criterion, name: &str, packs: &Packs, records: &[&[u8]]) {
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(EVENTS));
    let mut decoder = Decoder::default();
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            for record in records {
                let event = decoder.decode(record, &packs.types, packs.currency).expect("good records");
                black_box(&event);
            }
        });
    });
}

fn step_and_encode(criterion: &mut Criterion, name: &str, packs: &Arc<Packs>, events: &[Event<'_>]) {
    let (first, second) = events.split_at(events.len() / 2);
    let mut decision = Decision::default();
    let mut warm = || {
        let mut engine = Engine::new(Arc::clone(packs), Arc::new(Geo::default()), Settings::default());
        for event in first {
            step(&mut engine, event, &mut Decision::default());
        }
        engine
    };
    let mut group = criterion.benchmark_group("step");
    group.throughput(Throughput::Elements(second.len() as u64)).sample_size(20);
    group.bench_function(name, |bencher| {
        let measured = |mut engine: Engine| {
            for event in second {
                step(&mut engine, event, &mut decision);
            }
            engine
        };
        bencher.iter_batched(&mut warm, measured, BatchSize::PerIteration);
    });
    group.finish();

    let mut engine = warm();
    let decisions: Vec<Decision> = second.iter().map(|event| step_to(&mut engine, event)).collect();
    let mut out = Vec::new();
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(second.len() as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            out.clear();
            for (decision, event) in decisions.iter().zip(second) {
                encode(decision, event, packs, &mut out);
            }
            black_box(&out);
        });
    });
}

fn step(engine: &mut Engine, event: &Event<'_>, decision: &mut Decision) {
    let input = Input::Event { event, reference: None };
    engine.step(&input, decision, &mut Changes::default()).expect("the stream has nothing to reject");
    black_box(&decision);
}

fn step_to(engine: &mut Engine, event: &Event<'_>) -> Decision {
    let mut decision = Decision::default();
    step(engine, event, &mut decision);
    decision
}

criterion_group!(all, benches);
criterion_main!(all);
