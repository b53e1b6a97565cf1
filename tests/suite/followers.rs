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
    rules::{Mode, Packs, Rule},
    state::Hash,
};
use std::{collections::HashSet, sync::Arc};

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

/// One value of one rule: an engine of its own, and followers.
struct Pair {
    what: String,
    whole: Engine,
    /// It has windows for all rules that heed decisions.
    heeding: Follower,
    /// It has them for wallets of which it accepts other operations.
    trusting: Option<Follower>,
}

impl Pair {
    fn new(packs: &Packs, spec: &Spec, value: usize, told_by: RuleId, parted: &HashSet<Hash>) -> Pair {
        let mut changed = packs.clone();
        changed.rules[usize::from(spec.rule.0)] = spec.values[value].rule.clone();
        let (changed, geo) = (Arc::new(changed), Arc::new(Geo::default()));
        let follower = |heeding| {
            let (packs, geo) = (Arc::clone(&changed), Arc::clone(&geo));
            Follower::new(packs, geo, Settings::default(), (spec.rule, told_by), heeding)
        };
        let trusting = Heeding::by_wallet(packs) || parted.is_empty();
        Pair {
            what: format!("{} = {}", spec.name, spec.values[value].value),
            whole: Engine::new(Arc::clone(&changed), Arc::clone(&geo), Settings::default()),
            heeding: follower(Heeding::All),
            trusting: trusting.then(|| follower(Heeding::Of(parted.clone()))),
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
    /// By followers that have windows for no wallet, and for some.
    trusting: u64,
    partly_trusting: u64,
}

/// The wallets of which each value accepts what the packs as they are do not, or the other way round.
fn parted(packs: &Arc<Packs>, specs: &[Spec], stream: &[Vec<u8>]) -> Vec<HashSet<Hash>> {
    let (mut decision, mut changes, mut decoder) = (Decision::default(), Changes::default(), Decoder::default());
    let mut accepted = |packs: &Arc<Packs>| {
        let mut engine = Engine::new(Arc::clone(packs), Arc::new(Geo::default()), Settings::default());
        let mut accepted = |record: &Vec<u8>| {
            let event = decoder.decode(record, &packs.types, packs.currency).ok()?;
            engine.step(&Input::Event { event: &event, reference: None }, &mut decision, &mut changes).ok()?;
            let new = !decision.flags.duplicate;
            new.then(|| (Hashed::new(&event, Settings::default().hash_key).wallet(), decision.action.accepted()))
        };
        stream.iter().map(&mut accepted).collect::<Vec<_>>()
    };
    let now = accepted(packs);
    let values = specs.iter().flat_map(|spec| spec.values.iter().map(|value| (spec.rule, value.rule.clone())));
    let mut of_value = |(place, rule): (RuleId, Rule)| {
        let mut changed = Packs::clone(packs);
        changed.rules[usize::from(place.0)] = rule;
        let then = accepted(&Arc::new(changed));
        now.iter().zip(then).filter(|(now, then)| *now != then).filter_map(|(now, _)| Some((*now)?.0)).collect()
    };
    values.map(&mut of_value).collect()
}

fn compare(seed: u64, shape: &Shape, text: &str, told: &mut Told) {
    let packs = load_text(text);
    let stream = random_stream(seed, 200, shape);
    let mut judge = Judge::of_text(text);
    let specs = specs(&packs, &mut Random::new(seed));
    let parted = parted(&packs, &specs, &stream);
    let mut probes = Vec::new();
    let mut pairs = Vec::new();
    for spec in &specs {
        for value in 0..spec.values.len() {
            let place = RuleId(u16::try_from(packs.rules.len() + probes.len()).expect("few rules"));
            pairs.push(Pair::new(&packs, spec, value, place, &parted[probes.len()]));
            probes.push(spec.values[value].rule.clone());
        }
    }
    let mut base = Engine::with_probes(&packs, &probes, Arc::new(Geo::default()), Settings::default());
    let (mut decision, mut changes) = (Decision::default(), Changes::default());
    let (mut followed, mut wanted) = (Decision::default(), Decision::default());
    let mut decoder = Decoder::default();
    for (number, record) in stream.iter().enumerate() {
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
        let hashed = Hashed::new(&event, Settings::default().hash_key);
        for (Pair { what, whole, heeding, trusting }, parted) in pairs.iter_mut().zip(&parted) {
            let stepped = whole.step(&input, &mut wanted, &mut changes);
            assert_eq!(stepped.is_ok(), done.is_ok(), "seed {seed}, record {number}");
            if done.is_err() || decision.flags.duplicate {
                continue;
            }
            for follower in [heeding].into_iter().chain(trusting.as_mut()) {
                follower.step(&hashed, &decision.over, &mut followed);
                let (found, wanted) = (essence(&followed), essence(&wanted));
                let record = String::from_utf8_lossy(record);
                assert_eq!(found, wanted, "seed {seed}, {shape:?}, {what}, record {number}: {record}\n{text}");
            }
            told.compared += 1;
            told.changed += u64::from(essence(&wanted) != essence(&decision));
            told.trusting += u64::from(parted.is_empty() && trusting.is_some());
            told.partly_trusting += u64::from(!parted.is_empty() && trusting.is_some());
        }
    }
}

#[test]
fn a_follower_decides_as_an_engine_of_its_own() {
    let mut told = Told::default();
    let seeds = std::env::var("KUZET_SEEDS").map_or(0..40, |text| {
        let (from, to) = text.split_once("..").expect("KUZET_SEEDS=from..to");
        from.parse().expect("a number")..to.parse().expect("a number")
    });
    for seed in seeds {
        let pack = random_pack(seed);
        for shape in Shape::ALL {
            compare(seed, shape, &pack, &mut told);
        }
    }
    let Told { compared, changed, trusting, partly_trusting } = told;
    assert!(changed > compared / 20, "of {compared} decisions only {changed} are others than before");
    assert!(trusting > compared / 2 && partly_trusting > 1_000, "{trusting} and {partly_trusting} of {compared}");
}
