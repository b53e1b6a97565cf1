//! The reader of `restrictions`: one thread a process, that hands every record to every worker.
//!
//! The topic has one partition, so that all instances apply restrictions in one order and one number says how far. Workers
//! are told how far the reader is only once it has passed the end that the topic had when it started: a decision
//! must know what stood before. Records of a compacted topic: the newest of a key is all that matters.

use super::{client::Cluster, errors};
use crate::{
    sidecar::{Offset, Positions},
    state::record::StateRecord,
};
use rdkafka::{
    Message, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
};
use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How long one question to the cluster may take, and how long a poll waits.
const PATIENCE: Duration = Duration::from_secs(5);
const WAIT: Duration = Duration::from_millis(20);
/// How often an idle reader looks whether the end lies behind the last record.
const LOOK: Duration = Duration::from_secs(1);

/// What the reader has for one worker since that asked last.
#[derive(Debug, Default)]
struct Waiting {
    records: Vec<(Offset, StateRecord)>,
    /// The offset of the next record, once the end at the start is passed.
    read: Option<Offset>,
    failed: Option<String>,
}

/// A worker's end of the reader.
#[derive(Clone, Debug, Default)]
pub struct Feed(Arc<Mutex<Waiting>>);

/// Restrictions as one worker has them: those that count, and those that are read and do not count yet.
#[derive(Debug, Default)]
pub struct Known {
    waiting: Vec<(Offset, StateRecord)>,
    /// The newest record of each key, in the order of offsets.
    applied: BTreeMap<Offset, StateRecord>,
    offsets: HashMap<Vec<u8>, Offset>,
    read: Option<Offset>,
}

impl Known {
    /// Takes what the reader has; how far it is, where that has changed.
    ///
    /// # Errors
    /// Why the reader is no more.
    pub fn take(&mut self, feed: &Feed) -> Result<Option<Positions>, String> {
        let mut waiting = feed.0.lock().expect("nothing panics while it holds the feed");
        if let Some(reason) = &waiting.failed {
            return Err(reason.clone());
        }
        self.waiting.append(&mut mem::take(&mut waiting.records));
        let moved = waiting.read != self.read;
        self.read = waiting.read;
        Ok(self.read.filter(|_| moved).map(|read| Positions(vec![read])))
    }

    /// Lets the records before `positions` count, and hands them over in their order.
    pub fn apply(&mut self, positions: &Positions) -> Vec<(Offset, StateRecord)> {
        let until = positions.0.first().copied().unwrap_or(0);
        let later = self.waiting.partition_point(|(offset, _)| *offset < until);
        let now: Vec<_> = self.waiting.drain(..later).collect();
        for (offset, record) in &now {
            if let Some(older) = self.offsets.insert(record.key.clone(), *offset) {
                self.applied.remove(&older);
            }
            self.applied.insert(*offset, record.clone());
        }
        now
    }

    /// All that count, in the order of their offsets.
    pub fn applied(&self) -> impl Iterator<Item = (Offset, &StateRecord)> {
        self.applied.iter().map(|(offset, record)| (*offset, record))
    }
}

/// Starts the reader for the workers' feeds; it ends when `stop` is set.
///
/// # Errors
/// A configuration that librdkafka does not take.
pub fn start(
    cluster: &Cluster,
    topic: &str,
    feeds: Vec<Feed>,
    stop: Arc<AtomicBool>,
) -> Result<thread::JoinHandle<()>, KafkaError> {
    let committed: BaseConsumer = cluster.reader().create()?;
    let uncommitted: BaseConsumer = cluster.uncommitted_reader().create()?;
    let reader = Reader { committed, uncommitted, topic: topic.to_owned(), feeds, stop, read: 0 };
    Ok(thread::spawn(move || reader.run()))
}

struct Reader {
    committed: BaseConsumer,
    uncommitted: BaseConsumer,
    topic: String,
    feeds: Vec<Feed>,
    stop: Arc<AtomicBool>,
    read: Offset,
}

impl Reader {
    fn run(mut self) {
        if let Err(error) = self.follow() {
            let reason = format!("the topic {} cannot be read: {error}", self.topic);
            self.tell(|waiting| waiting.failed = Some(reason.clone()));
        }
    }

    fn tell(&self, what: impl Fn(&mut Waiting)) {
        for feed in &self.feeds {
            what(&mut feed.0.lock().expect("nothing panics while it holds the feed"));
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn follow(&mut self) -> Result<(), KafkaError> {
        let Some(end) = self.end_at_start()? else { return Ok(()) };
        // Everything before it is read when librdkafka next says that the end is reached.
        let mut goal = Some(end);
        let mut passed = false;
        let mut looked = Instant::now();
        self.read_from(rdkafka::Offset::Beginning)?;
        while !self.stopped() {
            match self.committed.poll(WAIT) {
                None if passed && goal.is_none() && looked.elapsed() >= LOOK => {
                    looked = Instant::now();
                    goal = self.end_behind();
                    if goal.is_some() {
                        self.read_from(rdkafka::Offset::Offset(self.read))?;
                    }
                }
                None => {}
                Some(Ok(message)) => {
                    let offset = message.offset();
                    let key = message.key().unwrap_or_default().to_vec();
                    let record = StateRecord { key, value: message.payload().map(<[u8]>::to_vec) };
                    self.read = self.read.max(offset + 1);
                    let read = passed.then_some(self.read);
                    self.tell(|waiting| {
                        waiting.records.push((offset, record.clone()));
                        waiting.read = read;
                    });
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    if let Some(goal) = goal.take() {
                        passed = true;
                        self.read = self.read.max(goal);
                        let read = Some(self.read);
                        self.tell(|waiting| waiting.read = read);
                    }
                }
                Some(Err(error)) if errors::remedy(&error) == errors::Remedy::Retry => {
                    tracing::warn!(%error, topic = self.topic, "reading goes on when the cluster is back");
                }
                Some(Err(error)) => return Err(error),
            }
        }
        Ok(())
    }

    fn read_from(&self, offset: rdkafka::Offset) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, 0, offset)?;
        self.committed.assign(&list)
    }

    /// The end, where it lies behind what was read: transactions leave marks behind their records, and another instance
    /// may have counted them at its start and wait for us to have come as far.
    fn end_behind(&self) -> Option<Offset> {
        let (_, end) = self.committed.fetch_watermarks(&self.topic, 0, PATIENCE).ok()?;
        (end > self.read).then_some(end)
    }

    /// The end that the topic had at the start, once every transaction before it is over; none if asked to stop.
    fn end_at_start(&self) -> Result<Option<Offset>, KafkaError> {
        let mut wanted = None;
        while !self.stopped() {
            let reader = if wanted.is_none() { &self.uncommitted } else { &self.committed };
            match (reader.fetch_watermarks(&self.topic, 0, PATIENCE), wanted) {
                (Ok((_, end)), None) => wanted = Some(end),
                (Ok((_, end)), Some(wanted)) if end >= wanted => return Ok(Some(wanted)),
                (Ok(_), Some(_)) => thread::sleep(WAIT),
                (Err(error), _) if errors::remedy(&error) == errors::Remedy::Retry => thread::sleep(WAIT),
                (Err(error), _) => return Err(error),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, value: &str) -> StateRecord {
        StateRecord { key: key.as_bytes().to_vec(), value: Some(value.as_bytes().to_vec()) }
    }

    #[test]
    fn restrictions_count_up_to_a_position() {
        let feed = Feed::default();
        let mut known = Known::default();
        assert_eq!(known.take(&feed), Ok(None));
        {
            let mut waiting = feed.0.lock().expect("no panic");
            waiting.records.extend([(0, record("a", "1")), (2, record("b", "1")), (3, record("a", "2"))]);
            waiting.read = Some(5);
        }
        assert_eq!(known.take(&feed), Ok(Some(Positions(vec![5]))));
        assert_eq!(known.take(&feed), Ok(None), "nothing has moved");
        assert_eq!(known.apply(&Positions(vec![3])), [(0, record("a", "1")), (2, record("b", "1"))]);
        assert_eq!(known.apply(&Positions(vec![5])), [(3, record("a", "2"))]);
        let applied: Vec<_> = known.applied().map(|(offset, record)| (offset, record.clone())).collect();
        assert_eq!(applied, [(2, record("b", "1")), (3, record("a", "2"))], "the newest of each key");
        feed.0.lock().expect("no panic").failed = Some("gone".to_owned());
        assert_eq!(known.take(&feed), Err("gone".to_owned()));
    }
}
