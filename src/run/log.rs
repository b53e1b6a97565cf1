//! The log: one JSON object a line on standard error.
//!
//! What an event says is never logged; a wallet or an address that a message needs goes through [`crate::mask`]. Whatever else
//! a value holds is escaped as JSON, so that one event is one line.

use tracing::Level;

/// Lines from `level` on; called once a process.
pub fn start(level: Level) {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(level)
        .with_writer(std::io::stderr)
        // Where standard error takes no line, telling it so would panic: deciding does not depend on who reads along.
        .log_internal_errors(false)
        .with_current_span(false)
        .finish();
    // A second start in one process (tests) keeps the first.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
