//! What a world must look like in the end, worked out by one sequential pass that shares only the toy engine with it.

use super::{
    log::{Decided, Topic, Value},
    toy::{Foreign, RESTRICTION_PARTITIONS, Shard, decide, restriction_partition},
    world::World,
};
use crate::sidecar::{Delivery, Offset, Partition, Positions, Tag};
use std::collections::BTreeMap;

/// Restrictions that a sequential pass expects, by who imposed them.
type Imposed = BTreeMap<u64, u64>;

/// Judges all of a world; an error says what is wrong.
pub fn judge(world: &mut World) -> Result<(), String> {
    if let Some(failure) = &world.failure {
        return Err(failure.clone());
    }
    if world.case.delivery == Delivery::AtLeastOnce {
        return (0..world.partitions).try_for_each(|partition| at_least_once(world, partition));
    }
    if world.case.loses_markers {
        return (0..world.partitions).try_for_each(|partition| a_beginning(world, partition));
    }
    let mut imposed = Imposed::new();
    for partition in 0..world.partitions {
        exactly_once(world, partition, &mut imposed)?;
    }
    let mut found = Imposed::new();
    for partition in 0..RESTRICTION_PARTITIONS {
        for (_, key, value) in world.committed(Topic::Restrictions, partition) {
            let Value::Restriction { by } = value else { return Err(format!("{value:?} among the restrictions")) };
            if found.insert(by, key).is_some() || restriction_partition(key) != partition {
                return Err(format!("restriction {key} by {by} is doubled or misplaced"));
            }
        }
    }
    if found != imposed {
        return Err(format!("restrictions {found:?}, expected {imposed:?}"));
    }
    Ok(())
}

fn decisions(world: &mut World, partition: Partition) -> Result<Vec<(Decided, Positions)>, String> {
    let decision = |(_, _, value)| match value {
        Value::Decision { decided, positions } => Ok((decided, Positions(positions))),
        other => Err(format!("{other:?} among the decisions")),
    };
    world.committed(Topic::Decisions, partition).into_iter().map(decision).collect()
}

/// Each input has exactly one decision, in order, the same that a replay gives which applies restrictions where the
/// decision says; state, offset and the tick's record agree with it.
fn exactly_once(world: &mut World, partition: Partition, imposed: &mut Imposed) -> Result<(), String> {
    let found = decisions(world, partition)?;
    let inputs = world.broker.inputs[&partition].clone();
    let mut shard = Shard::default();
    let mut replay = Replay::new(world);
    for (place, input) in inputs.iter().enumerate() {
        let Some((decided, positions)) = found.get(place) else {
            return Err(format!("partition {partition}: no decision at {}", input.offset));
        };
        replay.apply(positions).map_err(|why| format!("partition {partition} at {}: {why}", input.offset))?;
        let (expected, restriction) = decide(&mut shard, &replay.foreign, partition, *input);
        if *decided != expected {
            return Err(format!("partition {partition}: {decided:?}, expected {expected:?}"));
        }
        if let Some(record) = restriction {
            imposed.insert(super::toy::by(partition, input.offset), record.key);
        }
    }
    if found.len() != inputs.len() {
        return Err(format!("partition {partition}: {} decisions for {} inputs", found.len(), inputs.len()));
    }
    let (restored, standing) = world.restored(partition);
    if restored != shard {
        return Err(format!("partition {partition}: state {restored:?}, expected {shard:?}"));
    }
    let last: Offset = inputs.last().map_or(0, |last| last.offset + 1);
    let commit = world.broker.offsets.committed.get(&partition).map(|commit| (commit.next, commit.tag));
    let standing: Option<(Offset, Option<Tag>)> = standing.map(|standing| (standing.next, Some(standing.tag)));
    if commit != standing || commit.is_none_or(|(next, _)| next != last) {
        return Err(format!("partition {partition}: offset {commit:?}, tick {standing:?}, end {last}"));
    }
    Ok(())
}

/// What can be read is each input's decision once, in order, as far as it goes.
fn a_beginning(world: &mut World, partition: Partition) -> Result<(), String> {
    let found = decisions(world, partition)?;
    let expected = world.broker.inputs[&partition].iter().map(|input| input.offset);
    let wrong =
        found.iter().map(|(decided, _)| decided.offset).zip(expected).find(|(found, expected)| found != expected);
    match wrong {
        Some((found, expected)) => Err(format!("partition {partition}: a decision at {found}, expected at {expected}")),
        None => Ok(()),
    }
}

/// No input is without a decision.
fn at_least_once(world: &mut World, partition: Partition) -> Result<(), String> {
    let found = decisions(world, partition)?;
    for input in &world.broker.inputs[&partition] {
        if !found.iter().any(|(decided, _)| decided.offset == input.offset) {
            return Err(format!("partition {partition}: no decision at {}", input.offset));
        }
    }
    Ok(())
}

/// The restrictions topic, applied as far as decisions say.
struct Replay {
    restrictions: Vec<Vec<(Offset, u64, Value)>>,
    at: Positions,
    foreign: Foreign,
}

impl Replay {
    fn new(world: &mut World) -> Replay {
        Replay {
            restrictions: (0..RESTRICTION_PARTITIONS).map(|p| world.committed(Topic::Restrictions, p)).collect(),
            at: Positions::default(),
            foreign: Foreign::new(),
        }
    }

    fn apply(&mut self, positions: &Positions) -> Result<(), String> {
        if !positions.covers(&self.at) {
            return Err(format!("restrictions went back from {:?} to {positions:?}", self.at));
        }
        for (partition, to) in positions.0.iter().enumerate() {
            let from = self.at.0.get(partition).copied().unwrap_or(0);
            for (at, key, value) in &self.restrictions[partition] {
                if let Value::Restriction { by } = value
                    && (from..*to).contains(at)
                {
                    self.foreign.insert(*key, *by);
                }
            }
        }
        self.at = positions.clone();
        Ok(())
    }
}
