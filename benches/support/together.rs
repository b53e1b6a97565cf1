//! One engine on many events together, as `replay` and `run` have them: decode, look ahead, step.

use kuzet::{
    decision::Decision,
    engine::{Changes, Engine, Input, Settings},
    event::{Event, decode::Decoder},
    geo::Geo,
    limits::BATCH_RECORDS,
    rules::Packs,
};
use std::sync::Arc;

/// One engine with everything that it uses again and again.
pub struct Together {
    packs: Arc<Packs>,
    engine: Engine,
    /// One for each event of a batch, which borrows from it.
    decoders: Vec<Decoder>,
    decision: Decision,
    changes: Changes,
}

impl Together {
    pub fn new(packs: &Arc<Packs>) -> Together {
        Together {
            packs: Arc::clone(packs),
            engine: Engine::new(Arc::clone(packs), Arc::new(Geo::default()), Settings::default()),
            decoders: (0..BATCH_RECORDS).map(|_| Decoder::default()).collect(),
            decision: Decision::default(),
            changes: Changes::default(),
        }
    }

    /// Decides on at most `BATCH_RECORDS` records, has each decision shown, and says how many they were.
    pub fn decide<'r>(
        &mut self,
        records: impl Iterator<Item = &'r [u8]>,
        mut show: impl FnMut(&Decision, &Event<'_>, &Packs),
    ) -> usize {
        let Together { packs, engine, decoders, decision, changes } = self;
        let decoded = decoders.iter_mut().zip(records).map(|(decoder, record)| {
            match decoder.decode(record, &packs.types, packs.currency) {
                Ok(event) => event,
                Err(fault) => panic!("{fault}: {}", String::from_utf8_lossy(record)),
            }
        });
        let events: Vec<Event<'_>> = decoded.collect();
        for hashed in &engine.look_ahead(events.iter()) {
            if let Err(fault) = engine.step(&Input::Hashed { hashed, reference: None }, decision, changes) {
                panic!("{fault}: {:?}", hashed.event());
            }
            show(decision, hashed.event(), packs);
        }
        events.len()
    }
}
