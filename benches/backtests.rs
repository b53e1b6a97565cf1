//! What a backtest costs beside a plain replay of the same file: a comparison, and sweeps of a rule that acts alone and of
//! one that restricts.
//!
//! All take turns in one run. A figure is the ratio of the medians; a lone time says nothing. Each answer is held against the
//! plain replay's.

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
    replay::{
        self, Outputs, Setup, Threads,
        companion::Companion,
        compare::Comparison,
        sweep::{Sweeps, spec::Spec},
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};
use stream::Shape;

/// Rules that neither restrict nor count what is accepted, beside the built-in ones, of which one does that; what the second
/// refuses is not accepted.
const PACK: &str = r#"
name = "backtests"
version = "1"
uses = ["onevision.toml"]
[[rule]]
id = "spread"
on = ["transfer"]
count = { per = ["wallet"], within = "1d", over = 8 }
action = "monitor"
[[rule]]
id = "dear"
on = ["transfer"]
when = "amount > 150000"
action = "refuse"
"#;

/// What is run beside the plain replay, with the sweep that it is.
const BACKTESTS: [(&str, Option<&str>); 6] = [
    ("comparison", None),
    ("sweep of 20 values of a rule that acts alone", Some("spread.over=1..20")),
    ("sweep of 5 values of a rule that restricts", Some("large-transfer.limit=60000..100000:10000")),
    ("sweep of 10 values of a rule that restricts", Some("large-transfer.limit=55000..100000:5000")),
    ("sweep of 5 values of a rule that refuses", Some("dear.limit=130000..170000:10000")),
    ("sweep of 20 values of a rule that refuses", Some("dear.limit=60000..155000:5000")),
];

fn main() {
    let test = arguments::test_mode();
    let events = arguments::number("--events", if test { 10_000 } else { 500_000 });
    let rounds = arguments::number("--rounds", if test { 1 } else { 5 });
    let wanted = arguments::value("--shape");
    let shape = Shape::ALL.into_iter().find(|shape| wanted.as_ref().is_none_or(|name| name == shape.name()));
    let shape = shape.expect("--shape takes a shape's name");
    let folder = tempfile::tempdir().expect("a folder for the files");
    let (input, pack) = (folder.path().join("events.ndjson"), folder.path().join("backtests.toml"));
    fs::write(&input, shape.write(events)).expect("the events can be written");
    fs::write(&pack, PACK).expect("the pack can be written");
    let setup = Setup {
        packs: packs::load(&pack),
        geo: Arc::new(Geo::default()),
        settings: Settings::default(),
        mapping: None,
        lift_after: None,
        range: None,
        probes: Vec::new(),
    };
    for (threads, name) in [(Threads::One, "one thread"), (Threads::Two, "two threads and more")] {
        let mut times = vec![Vec::new(); BACKTESTS.len() + 1];
        for _ in 0..rounds {
            let began = Instant::now();
            let actions = run(&setup, threads, &input, &mut []);
            times[0].push(began.elapsed().as_secs_f64());
            for ((_, sweep), times) in BACKTESTS.iter().zip(&mut times[1..]) {
                let began = Instant::now();
                match sweep {
                    None => compare(&setup, threads, &input),
                    Some(text) => self::sweep(&setup, threads, &input, text, &actions),
                }
                times.push(began.elapsed().as_secs_f64());
            }
        }
        println!("{events} events on {name}: every answer is that of the plain replay");
        if !test {
            let plain = median(&mut times[0]);
            for ((what, _), times) in BACKTESTS.iter().zip(&mut times[1..]) {
                println!("{what}: {:.2} x a plain replay", median(times) / plain);
            }
        }
    }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Decisions by action.
fn run(setup: &Setup, threads: Threads, input: &Path, companions: &mut [&mut dyn Companion]) -> [u64; 7] {
    let inputs = Inputs::new(&[PathBuf::from(input)], Framing::Lines).expect("the events are there");
    let ended = replay::run_beside(setup, threads, inputs, Outputs::none(), companions).expect("nothing fails");
    ended.summary.actions
}

/// The packs without the rule on one side: what it hits appears.
fn compare(setup: &Setup, threads: Threads, input: &Path) {
    let mut comparison = Comparison::new(setup, packs::load("rules/onevision.toml"));
    let actions = run(setup, threads, input, &mut [&mut comparison]);
    let before: Vec<u64> = comparison.actions.iter().map(|after| after.iter().sum()).collect();
    assert_eq!(before, actions, "each decision is compared once");
}

/// The value that the packs have now gives the decisions of the plain replay.
fn sweep(setup: &Setup, threads: Threads, input: &Path, text: &str, actions: &[u64; 7]) {
    let spec = Spec::parse(text, &setup.packs).expect("a sweep");
    let setup = &mut setup.clone();
    let mut sweeps = Sweeps::new(setup, vec![spec], None, true);
    let mut companions: Vec<&mut dyn Companion> = sweeps.companions().collect();
    run(setup, threads, input, &mut companions);
    loop {
        let mut again: Vec<&mut dyn Companion> = sweeps.again(setup).collect();
        if again.is_empty() {
            break;
        }
        run(setup, threads, input, &mut again);
    }
    let swept = sweeps.settle().remove(0);
    let place = swept.spec.values.iter().position(|tried| tried.current).expect("the value that is");
    assert_eq!(&swept.points[place].actions, actions);
}
