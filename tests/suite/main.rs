//! The integration tests, in one binary because each costs a link.

mod geo;
mod geo_fixtures;
