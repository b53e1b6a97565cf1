//! Everything that looks at Kuzet from outside, in one binary so that it links once.

mod against_reference;
mod clauses;
mod harness;
mod house;
mod reference;
mod streams;
