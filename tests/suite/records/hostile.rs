//! Records that are not what was written: each is an error, never a panic, never another state.

use super::{Log, Shard, dense_stream, restored};
use crate::{harness::packs, streams::Random};
