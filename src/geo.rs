//! STUB: what is known of an address, from MaxMind databases held in memory.

use crate::event::Country;
use std::net::IpAddr;

/// The databases in use; the default knows nothing.
#[derive(Debug, Default)]
pub struct Geo {}

impl Geo {
    #[must_use]
    pub fn country(&self, _ip: IpAddr) -> Option<Country> {
        None
    }
    #[must_use]
    pub fn anonymous(&self, _ip: IpAddr) -> Option<bool> {
        None
    }
    /// `geo@…` for the `pack` of a decision; nothing when no file is in use.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        None
    }
}
