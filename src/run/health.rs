//! How the workers are, for `/healthz` and `/readyz`.
//!
//! Alive is a worker whose loop goes round; ready is one whose every assigned partition is restored and decided on. Lag
//! and a slow cluster change neither, so that an orchestrator does not restart what is only behind.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// A loop that did not go round for this long hangs: no call to Kafka is allowed to take as long.
const SILENCE: Duration = Duration::from_secs(60);

/// One worker.
#[derive(Debug)]
pub struct Worker {
    began: Instant,
    /// ms since it began.
    beat: AtomicU64,
    ready: AtomicBool,
    ended: AtomicBool,
}

impl Default for Worker {
    fn default() -> Self {
        Worker {
            began: Instant::now(),
            beat: AtomicU64::new(0),
            ready: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        }
    }
}

impl Worker {
    /// The loop has gone round.
    pub fn beat(&self, ready: bool) {
        self.beat.store(self.now(), Ordering::Relaxed);
        self.ready.store(ready, Ordering::Relaxed);
    }

    pub fn ended(&self) {
        self.ended.store(true, Ordering::SeqCst);
    }

    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    #[must_use]
    pub fn is_alive(&self) -> bool {
        let silent = self.now().saturating_sub(self.beat.load(Ordering::Relaxed));
        !self.has_ended() && u128::from(silent) < SILENCE.as_millis()
    }

    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is_alive() && self.ready.load(Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).expect("a process runs for less than 2^64 ms")
    }
}
