//! What a support desk that is only simulated asks of an engine: to lift restrictions without there being an event.

use super::{Changes, Engine, Fixed, Input, StateKey};
use crate::{
    decision::Decision,
    event::{ClientStatus, Event},
};

impl Engine {
    /// Whether a [step](Self::step) would reject the record of an event.
    pub fn rejects(&mut self, input: &Input<'_>) -> bool {
        match *input {
            Input::Event { event, reference } => self.meet(event, reference, None).is_err(),
            Input::Hashed { hashed, reference } => self.meet(hashed.event, reference, None).is_err(),
            Input::Packs(_) => false,
        }
    }

    /// Does what a signal does to restrictions. It is no event: no rule judges it, no window counts it, and its wallet
    /// is no newer by it. The decision says which operations wait no more.
    pub fn lift(&mut self, signal: &Event<'_>, decision: &mut Decision, changes: &mut Changes) {
        decision.clear();
        changes.touched.clear();
        let Engine { packs, plan, names, settings, geo, horizon, store, recorder, .. } = self;
        let wallet = settings.hash_key.hash(signal.wallet.as_bytes());
        let record = store.wallets.find(wallet);
        store.wallets.open(wallet, record, signal.time, &plan.shapes);
        let status = store.wallets.open.status.unwrap_or(ClientStatus::Unidentified);
        let fixed = Fixed { packs, plan, names, settings, geo, horizon: *horizon };
        let turn = fixed.turn(signal, wallet, status, store.wallets.open.newest);
        changes.touch(StateKey::Wallet(wallet));
        for (restriction, effect) in &plan.types[usize::from(signal.kind.0)].effects {
            turn.signal(store, *restriction, *effect, changes);
        }
        store.wallets.open.special.judged();
        turn.list_waiting(store, decision);
        if let Some(recorder) = recorder {
            recorder.note(&changes.touched, None);
        }
        store.wallets.close(&plan.shapes, &turn.moment);
    }
}
