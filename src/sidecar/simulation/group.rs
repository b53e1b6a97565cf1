//! A model of the consumer group's coordinator: generations, cooperative rebalances, static members.
//!
//! As in Kafka, a rebalance ends when all members have joined or its time is over; a partition that somebody still
//! owns is given to nobody until its owner has let go and joined again.

use crate::sidecar::{Millis, Partition};
use std::collections::{BTreeMap, BTreeSet};

pub type MemberId = u64;

#[derive(Clone, Debug)]
struct Member {
    slot: usize,
    seen: Millis,
    joined: bool,
    owned: BTreeSet<Partition>,
    assigned: BTreeSet<Partition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Stable,
    Preparing { until: Millis },
}

#[derive(Clone, Debug)]
pub struct Group {
    partitions: Partition,
    session_timeout: Millis,
    rebalance_timeout: Millis,
    generation: i64,
    phase: Phase,
    members: BTreeMap<MemberId, Member>,
    next_member: MemberId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    Fine,
    Rebalance,
    Unknown,
}

/// What a member hears when a rebalance is over.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub slot: usize,
    pub member: MemberId,
    pub generation: i64,
    pub partitions: BTreeSet<Partition>,
}

impl Group {
    pub fn new(partitions: Partition, session_timeout: Millis, rebalance_timeout: Millis) -> Group {
        Group {
            partitions,
            session_timeout,
            rebalance_timeout,
            generation: 0,
            phase: Phase::Stable,
            members: BTreeMap::new(),
            next_member: 1,
        }
    }

    /// A member joins, newly or again; none when the coordinator does not know it any more. The static member of the
    /// same slot is replaced, without a rebalance when the group is stable.
    pub fn join(
        &mut self,
        slot: usize,
        member: Option<MemberId>,
        owned: BTreeSet<Partition>,
        now: Millis,
    ) -> Option<(MemberId, Option<Assignment>)> {
        if let Some(member) = member {
            self.members.get(&member)?;
            self.prepare(now);
            let known = self.members.get_mut(&member)?;
            (known.joined, known.owned, known.seen) = (true, owned, now);
            return Some((member, None));
        }
        let id = self.next_member;
        self.next_member += 1;
        let old = self.members.iter().find(|(_, member)| member.slot == slot).map(|(id, _)| *id);
        let replaced = old.and_then(|old| self.members.remove(&old));
        let assigned = replaced.as_ref().map(|member| member.assigned.clone()).unwrap_or_default();
        // A partition that waits for its owner to let go would wait for ever if the owner came back without a rebalance.
        let others: usize = self.members.values().map(|member| member.assigned.len()).sum();
        let whole = others + assigned.len() == usize::try_from(self.partitions).expect("few");
        let quiet = replaced.is_some() && whole && self.phase == Phase::Stable;
        if !quiet {
            self.prepare(now);
        }
        self.members.insert(id, Member { slot, seen: now, joined: !quiet, owned, assigned: assigned.clone() });
        if quiet {
            let assignment = Assignment { slot, member: id, generation: self.generation, partitions: assigned };
            return Some((id, Some(assignment)));
        }
        Some((id, None))
    }

    fn prepare(&mut self, now: Millis) {
        if self.phase == Phase::Stable {
            self.phase = Phase::Preparing { until: now + self.rebalance_timeout };
            self.members.values_mut().for_each(|member| member.joined = false);
        }
    }

    pub fn generation(&self) -> i64 {
        self.generation
    }

    pub fn beat(&mut self, member: MemberId, now: Millis) -> Beat {
        let Some(known) = self.members.get_mut(&member) else { return Beat::Unknown };
        known.seen = now;
        if self.phase != Phase::Stable && !known.joined { Beat::Rebalance } else { Beat::Fine }
    }

    pub fn leave(&mut self, member: MemberId, now: Millis) {
        if self.members.remove(&member).is_some() {
            self.prepare(now);
        }
    }

    /// Whether offsets of this member and generation are accepted. As in Kafka, a transactional commit that names
    /// neither is not checked at all.
    pub fn accepts(&self, member: Option<MemberId>, generation: i64) -> bool {
        match member {
            None => generation < 0,
            Some(member) => generation == self.generation && self.members.contains_key(&member),
        }
    }

    /// A broker that comes back gives everybody time.
    pub fn restarted(&mut self, now: Millis) {
        self.members.values_mut().for_each(|member| member.seen = now);
    }

    /// Lets sessions and rebalances run out; a rebalance that is over gives its assignments.
    pub fn sweep(&mut self, now: Millis) -> Vec<Assignment> {
        let dead = |member: &Member| member.seen + self.session_timeout < now;
        let before = self.members.len();
        self.members.retain(|_, member| !dead(member));
        if self.members.len() < before {
            self.prepare(now);
        }
        let Phase::Preparing { until } = self.phase else { return Vec::new() };
        if now < until && !self.members.values().all(|member| member.joined) {
            return Vec::new();
        }
        self.members.retain(|_, member| member.joined);
        self.phase = Phase::Stable;
        self.generation += 1;
        self.assign();
        let generation = self.generation;
        let told = |(id, member): (&MemberId, &Member)| Assignment {
            slot: member.slot,
            member: *id,
            generation,
            partitions: member.assigned.clone(),
        };
        self.members.iter().map(told).collect()
    }

    /// Sticky and even: nobody keeps more than the quota, and what is taken from an owner waits for the next round.
    fn assign(&mut self) {
        if self.members.is_empty() {
            return;
        }
        let quota = usize::try_from(self.partitions).expect("few").div_ceil(self.members.len());
        let claimed: BTreeSet<Partition> =
            self.members.values().flat_map(|member| member.owned.iter().copied()).collect();
        let mut free: Vec<Partition> = (0..self.partitions).filter(|partition| !claimed.contains(partition)).collect();
        for member in self.members.values_mut() {
            member.assigned = member.owned.iter().copied().take(quota).collect();
            while member.assigned.len() < quota && !free.is_empty() {
                member.assigned.insert(free.remove(0));
            }
        }
    }
}
