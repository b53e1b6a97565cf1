//! The packs in force, and those that a reload puts in their place.
//!
//! SIGHUP asks for one. The main thread loads them; what is wrong is told with every error at once, and the old ones stay in
//! force. Workers take them up between ticks, each when it gets there: as a restart under other packs would, but with
//! the state where it is.

use crate::rules::Packs;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// What a process decides by.
#[derive(Debug)]
pub struct InForce {
    packs: Mutex<Arc<Packs>>,
    loads: AtomicU64,
}

impl InForce {
    #[must_use]
    pub fn new(packs: Arc<Packs>) -> InForce {
        InForce { packs: Mutex::new(packs), loads: AtomicU64::new(0) }
    }

    #[must_use]
    pub fn get(&self) -> Arc<Packs> {
        Arc::clone(&self.packs.lock().expect("nothing panics while it holds the packs"))
    }

    /// How often others were loaded.
    #[must_use]
    pub fn loads(&self) -> u64 {
        self.loads.load(Ordering::SeqCst)
    }

    fn replace(&self, packs: Arc<Packs>) {
        *self.packs.lock().expect("nothing panics while it holds the packs") = packs;
        self.loads.fetch_add(1, Ordering::SeqCst);
    }
}

/// How other packs come while a process runs.
pub struct Reload<'a> {
    /// SIGHUP.
    pub asked: Arc<AtomicBool>,
    /// Loads them anew, or says everything that is wrong with them.
    pub load: &'a dyn Fn() -> Result<Arc<Packs>, String>,
}

impl Reload<'_> {
    /// Loads them if that was asked for.
    pub fn attend(&self, in_force: &InForce) {
        if !self.asked.swap(false, Ordering::SeqCst) {
            return;
        }
        match (self.load)() {
            Ok(packs) => {
                tracing::info!(pack = packs.name, "other packs are loaded");
                in_force.replace(packs);
            }
            Err(reasons) => {
                tracing::error!(reasons, "the packs cannot be loaded, and those that are in force stay so");
            }
        }
    }
}
