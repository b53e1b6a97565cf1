//! A toy engine whose decisions depend on everything before them, so that one lost, doubled or misplaced record shows.
//!
//! Per wallet it counts and sums. A decision tells count, sum and the newest restriction from elsewhere on its wallet;
//! each fifth sum imposes a restriction on a wallet that may be anywhere.

use super::{
    broker::Input,
    log::{Decided, Record, TICK_KEY, Topic, Value},
};
use crate::sidecar::{Offset, Partition, Positions, Standing};
use std::collections::{BTreeMap, BTreeSet};

/// Wallets of each partition, and partitions of the topic of restrictions.
pub const WALLETS: u64 = 3;
pub const RESTRICTION_PARTITIONS: Partition = 2;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wallet {
    pub count: u64,
    pub sum: u64,
    pub last: Offset,
}

/// The state of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shard {
    pub wallets: BTreeMap<u64, Wallet>,
}

/// The restrictions of others that stand, by wallet.
pub type Foreign = BTreeMap<u64, u64>;

/// What one record leads to: its decision, and a restriction for others.
pub fn decide(shard: &mut Shard, foreign: &Foreign, partition: Partition, input: Input) -> (Decided, Option<Record>) {
    let wallet = shard.wallets.entry(input.wallet).or_insert(Wallet { count: 0, sum: 0, last: -1 });
    // A repeat changes nothing, which is what at-least-once leans on.
    if wallet.last < input.offset {
        wallet.count += 1;
        wallet.sum += input.amount + foreign.get(&input.wallet).map_or(0, |by| by % 7);
        wallet.last = input.offset;
    }
    let (count, sum) = (wallet.count, wallet.sum);
    let decided = Decided {
        offset: input.offset,
        wallet: input.wallet,
        count,
        sum,
        foreign: foreign.get(&input.wallet).copied(),
    };
    let imposed =
        (sum % 5 == 0).then(|| Record { key: sum % 16, value: Value::Restriction { by: by(partition, input.offset) } });
    (decided, imposed)
}

/// Who imposed a restriction.
pub fn by(partition: Partition, offset: Offset) -> u64 {
    let number = |signed: i64| u64::try_from(signed).expect("offsets and partitions are not negative");
    number(offset) * 64 + number(i64::from(partition))
}

pub fn restriction_partition(key: u64) -> Partition {
    Partition::try_from(key).expect("keys are small") % RESTRICTION_PARTITIONS
}

/// Bytes for one partition of a topic, and whether the open transaction has seen them.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub topic: Topic,
    pub partition: Partition,
    pub records: Vec<Record>,
    pub sequence: Option<u64>,
    pub sent: bool,
}

/// A partition's part of the tick's bytes.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    pub chunks: Vec<Chunk>,
    touched: BTreeSet<u64>,
    pub sealed: bool,
}

impl Outbox {
    fn push(&mut self, topic: Topic, partition: Partition, records: Vec<Record>) {
        if !records.is_empty() {
            self.chunks.push(Chunk { topic, partition, records, sequence: None, sent: false });
        }
    }

    pub fn decide(
        &mut self,
        shard: &mut Shard,
        foreign: &Foreign,
        positions: &Positions,
        partition: Partition,
        inputs: &[Input],
    ) {
        assert!(!self.sealed, "nothing is added to bytes that are fixed");
        let mut decisions = Vec::new();
        for input in inputs {
            let (decided, imposed) = decide(shard, foreign, partition, *input);
            self.touched.insert(input.wallet);
            decisions
                .push(Record { key: input.wallet, value: Value::Decision { decided, positions: positions.0.clone() } });
            if let Some(imposed) = imposed {
                self.push(Topic::Restrictions, restriction_partition(imposed.key), vec![imposed]);
            }
        }
        self.push(Topic::Decisions, partition, decisions);
    }

    /// Makes the bytes of the changed state, once.
    pub fn seal(&mut self, shard: &Shard, partition: Partition, standing: &Standing) {
        if self.sealed {
            return;
        }
        self.sealed = true;
        let record = |wallet: &u64| {
            let Wallet { count, sum, last } = shard.wallets[wallet];
            Record { key: *wallet, value: Value::Wallet { count, sum, last } }
        };
        let mut records: Vec<Record> = self.touched.iter().map(record).collect();
        // In two parts, so that a fault can fall between them.
        let rest = records.split_off(records.len() / 2);
        self.push(Topic::State, partition, records);
        self.push(Topic::State, partition, rest);
        let tick = Record { key: TICK_KEY, value: Value::Tick(standing.clone()) };
        self.push(Topic::State, partition, vec![tick]);
    }
}

/// Takes over what one record of the `state` topic says; a tick's record is handed back.
pub fn restore(shard: &mut Shard, record: &Record) -> Option<Standing> {
    match &record.value {
        Value::Wallet { count, sum, last } => {
            shard.wallets.insert(record.key, Wallet { count: *count, sum: *sum, last: *last });
            None
        }
        Value::Tick(standing) => Some(standing.clone()),
        other => panic!("the state topic does not hold {other:?}"),
    }
}
