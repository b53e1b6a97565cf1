//! Everything that looks at Kuzet from outside, in one binary so that it links once.

mod clauses;
mod cli;
mod harness;
mod house;
