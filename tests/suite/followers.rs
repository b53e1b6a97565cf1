//! An engine that is told which rules are over their limit, against one that judges them all.
//!
//! Random packs and streams, every live rule that has something to sweep, with other values: the follower's decisions are those
//! of an engine that was loaded with the changed rule. And probes change no byte of what the engine decides that has them.

use crate::{
    harness::{Judge, load_text},
    streams::{Random, Shape, random_pack, random_stream},
};
use kuzet::{
    decision::{Decision, Reason, RuleId, Text},
    encode,
    engine::{Changes, Engine, Follower, Hashed, Heeding, Input, Settings},
    event::decode::Decoder,
    geo::Geo,
    replay::sweep::spec::Spec,
    rules::{Mode, Packs},
};
use std::sync::Arc;

/// What a follower must get right: all but what was measured, shadow rules and flags.
fn essence(decision: &Decision) -> String {
    let texts = |list: &[Text]| list.iter().map(|text| decision.text(*text).to_owned()).collect::<Vec<_>>();
    let reasons = decision.reasons.iter().map(|reason| match reason {
        Reason::Rule(reason) => format!("{:?}", reason.rule),
        Reason::Restriction(reason) => format!(
            "{:?} of {:?} from {} to {:?} by {} {}",
            reason.restriction,
            reason.of,
            reason.since,
            reason.until,
            decision.text(reason.by),
            decision.text(reason.by_event)
        ),
    });
    format!(
        "{:?} {} {:?} {:?} released {:?} cancelled {:?} expired {:?} {}",
        decision.action,
        decision.score,
        reasons.collect::<Vec<_>>(),
        decision.restrictions,
        texts(&decision.released),
        texts(&decision.cancelled),
        texts(&decision.expired),
        decision.waiting_forgotten
    )
}

/// One value of one rule: an engine of its own, and a follower.
struct Pair {
    what: String,
    whole: Engine,
    follower: Follower,
    /// It takes the other's word for rules that heed decisions, until the two differ in what they accept.
    trusting: Option<Follower>,
}

impl Pair {
    fn new(packs: &Packs, spec: &Spec, value: usize, told_by: RuleId) -> Pair {
        let mut changed = packs.clone();
        changed.rules[usize::from(spec.rule.0)] = spec.values[value].rule.clone();
        let (changed, geo) = (Arc::new(changed), Arc::new(Geo::default()));
        let follower = |heeding| {
            let (packs, geo) = (Arc::clone(&changed), Arc::clone(&geo));
            Follower::new(packs, geo, Settings::default(), (spec.rule, told_by), heeding)
        };
        Pair {
            what: format!("{} = {}", spec.name, spec.values[value].value),
            whole: Engine::new(Arc::clone(&changed), Arc::clone(&geo), Settings::default()),
            follower: follower(Heeding::Own),
            trusting: Some(follower(Heeding::Theirs)),
        }
    }
}

/// What can be swept of a pack, each with two values.
fn specs(packs: &Packs, random: &mut Random) -> Vec<Spec> {
    let live = packs.rules.iter().filter(|rule| rule.mode == Mode::Live);
    let texts = live.flat_map(|rule| {
        [("over", "0,3"), ("limit", "10,5000"), ("within", "1m,3h"), ("from", "1,3"), ("at", "1,3"), ("score", "0,700")]
            .map(|(key, values)| format!("{}.{key}={values}", rule.id))
    });
    let mut specs: Vec<Spec> = texts.filter_map(|text| Spec::parse(&text, packs).ok()).collect();
    random.shuffle(&mut specs);
    specs.truncate(6);
    specs
}

/// How many decisions were held against each other, and how many of them differ from those of the packs as they are.
#[derive(Default)]
struct Told {
    compared: u64,
    changed: u64,
    /// By those that had not yet accepted anything else.
    trusting: u64,
}

fn compare(seed: u64, shape: &Shape, text: &str, told: &mut Told) {
    let packs = load_text(text);
    let mut judge = Judge::of_text(text);
    let specs = specs(&packs, &mut Random::new(seed));
    let mut probes = Vec::new();
    let mut pairs = Vec::new();
    for spec in &specs {
        for value in 0..spec.values.len() {
            let place = RuleId(u16::try_from(packs.rules.len() + probes.len()).expect("few rules"));
            probes.push(spec.values[value].rule.clone());
            pairs.push(Pair::new(&packs, spec, value, place));
        }
    }
    let mut base = Engine::with_probes(&packs, &probes, Arc::new(Geo::default()), Settings::default());
    let (mut decision, mut changes) = (Decision::default(), Changes::default());
    let (mut followed, mut wanted) = (Decision::default(), Decision::default());
    let mut decoder = Decoder::default();
    for (number, record) in random_stream(seed, 200, shape).iter().enumerate() {
        let plain = judge.feed(record);
        let Ok(event) = decoder.decode(record, &packs.types, packs.currency) else { continue };
        let input = Input::Event { event: &event, reference: None };
        let done = base.step(&input, &mut decision, &mut changes);
        assert_eq!(done.is_ok(), plain.is_ok(), "seed {seed}, record {number}");
        let mut line = Vec::new();
        if let Ok(plain) = plain {
            encode::encode(&decision, &event, &packs, &mut line);
            assert_eq!(String::from_utf8_lossy(&line), plain, "seed {seed}, record {number}: a probe shows\n{text}");
        }
        for Pair { what, whole, follower, trusting } in &mut pairs {
            let stepped = whole.step(&input, &mut wanted, &mut changes);
            assert_eq!(stepped.is_ok(), done.is_ok(), "seed {seed}, record {number}");
            if done.is_err() || decision.flags.duplicate {
                continue;
            }
            let hashed = Hashed::new(&event, Settings::default().hash_key);
            let mut check = |follower: &mut Follower| {
                follower.step(&hashed, &decision.over, &mut followed);
                let (found, wanted) = (essence(&followed), essence(&wanted));
                let record = String::from_utf8_lossy(record);
                assert_eq!(found, wanted, "seed {seed}, {shape:?}, {what}, record {number}: {record}\n{text}");
            };
            check(follower);
            if let Some(follower) = trusting {
                check(follower);
                told.trusting += 1;
            }
            if wanted.action.accepted() != decision.action.accepted() {
                *trusting = None;
            }
            told.compared += 1;
            told.changed += u64::from(essence(&wanted) != essence(&decision));
        }
    }
}

#[test]
fn a_follower_decides_as_an_engine_of_its_own() {
    let mut told = Told::default();
    let seeds = std::env::var("KUZET_SEEDS").map_or(0..60, |text| {
        let (from, to) = text.split_once("..").expect("KUZET_SEEDS=from..to");
        from.parse().expect("a number")..to.parse().expect("a number")
    });
    for seed in seeds {
        let pack = random_pack(seed);
        for shape in Shape::ALL {
            compare(seed, shape, &pack, &mut told);
        }
    }
    let Told { compared, changed, trusting } = told;
    assert!(changed > compared / 20, "of {compared} decisions only {changed} are others than before");
    assert!(trusting > compared / 2 && trusting < compared, "{trusting} of {compared}");
}
