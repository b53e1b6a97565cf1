//! A model of Kafka's logs, two processes with machines, and receivers.

use crate::{
    dispatch::{
        backoff::tests::usual,
        checkpoint::Save,
        endpoint::{Allowed, Ticket},
        machine::{Alert, Answer, Content, Machine, Member, Settings},
        record::{Collected, Kept},
    },
    random::Random,
    sidecar::{Millis, Offset, Partition},
};
use std::collections::{BTreeMap, BTreeSet};

const PARTITIONS: i32 = 3;
const ENDPOINTS: [&str; 3] = ["steady", "failing", "gone"];
const FAILING: usize = 1;
const GONE: usize = 2;
const HOUR: Millis = 3_600_000;

/// What a world may meet; [`World::met`] counts it.
pub const MET: [&str; 7] =
    ["crashes", "moves", "zombies fenced", "unknown ends", "given up", "groups of many", "repeated deliveries"];

/// A mistake of the shell's, to see that it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    CommitsWithoutSaving,
    NobodyIsFenced,
    /// A group's body goes out before it is saved.
    SendsWhatIsNotSealed,
}

/// Key and value of a record.
type Pair = (String, Option<Vec<u8>>);

struct Flight {
    ticket: Ticket,
    lands: Millis,
    answer: Answer,
}

struct Process {
    machine: Machine,
    /// Partitions that it thinks are its own, with the epoch in which it got them and where it reads.
    view: BTreeMap<Partition, (u64, Offset)>,
    flights: Vec<Flight>,
}

pub struct World {
    random: Random,
    flaw: Option<Flaw>,
    now: Millis,
    quiet: bool,
    /// By partition; none for marks and aborted decisions.
    decisions: BTreeMap<Partition, Vec<Option<Vec<Alert>>>>,
    retry: BTreeMap<Partition, Vec<Pair>>,
    failed: BTreeMap<String, BTreeSet<String>>,
    committed: BTreeMap<Partition, Offset>,
    epochs: BTreeMap<Partition, u64>,
    processes: [Option<Process>; 2],
    failing_until: Millis,
    is_gone: bool,
    /// Bodies by id, and how often each id came.
    received: BTreeMap<String, (BTreeSet<String>, u64)>,
    made: u64,
    met: [u64; MET.len()],
}

impl World {
    pub fn new(seed: u64, flaw: Option<Flaw>) -> World {
        let partitions = || 0..PARTITIONS;
        World {
            random: Random::new(seed),
            flaw,
            now: 1_000_000,
            quiet: false,
            decisions: partitions().map(|partition| (partition, Vec::new())).collect(),
            retry: partitions().map(|partition| (partition, Vec::new())).collect(),
            failed: BTreeMap::new(),
            committed: partitions().map(|partition| (partition, 0)).collect(),
            epochs: partitions().map(|partition| (partition, 0)).collect(),
            processes: [None, None],
            failing_until: 0,
            is_gone: false,
            received: BTreeMap::new(),
            made: 0,
            met: [0; MET.len()],
        }
    }

    pub fn met(&self) -> [u64; MET.len()] {
        let mut met = self.met;
        met[4] = self.failed.len() as u64;
        let many =
            |bodies: &BTreeSet<String>| bodies.iter().any(|body| body.contains(" x ") && !body.ends_with(" x 1"));
        met[5] = self.received.values().filter(|(bodies, _)| many(bodies)).count() as u64;
        met[6] = self.received.values().filter(|(_, times)| *times > 1).count() as u64;
        met
    }

    /// Faults for a while, then peace until nothing is left to do.
    pub fn run(&mut self) {
        for _ in 0..600 {
            self.disturb();
            self.work();
        }
        self.quiet = true;
        self.failing_until = 0;
        for _ in 0..400 {
            self.now += HOUR / 4;
            self.own_all();
            self.work();
        }
    }

    fn disturb(&mut self) {
        self.now += self.random.weighted(&[(6, 20), (3, 3_000), (2, 200_000), (1, HOUR)]);
        match self.random.below(12) {
            0..=4 => self.decide(),
            5 => self.crash(),
            6 => self.move_partition(),
            7 => self.failing_until = self.now + self.random.below(4 * HOUR),
            8 if self.random.chance(1, 60) => self.is_gone = true,
            9 => self.compact(),
            _ => {}
        }
        self.own_all();
    }

    fn decide(&mut self) {
        for _ in 0..self.random.below(6) {
            self.made += 1;
            let partition = self.random.below_signed(i64::from(PARTITIONS));
            let partition = Partition::try_from(partition).expect("few");
            let decision = (!self.random.chance(1, 6)).then(|| {
                let count = self.random.below(3);
                (0..count).map(|number| self.alert(partition, number)).collect()
            });
            self.decisions.get_mut(&partition).expect("there").push(decision);
        }
    }

    fn alert(&mut self, partition: Partition, number: u64) -> Alert {
        let endpoint = self.random.weighted(&[(4, 0), (3, FAILING), (1, GONE)]);
        let id = format!("d{}-{number}", self.made);
        let content = if self.random.chance(1, 2) {
            Content::Body(format!("body of {id}"))
        } else {
            let key = format!("w{}-{partition}-{endpoint}", self.random.below(2));
            Content::Grouped(Member { seed: format!("{key}/{id}"), key, window: 20_000, time: 0 })
        };
        Alert { id, endpoint, content }
    }

    fn crash(&mut self) {
        let number = self.random.place(2);
        if self.processes[number].take().is_some() {
            self.met[0] += 1;
        }
    }

    /// A partition goes from one process to the other: asked for, or lost without a word.
    fn move_partition(&mut self) {
        let partition = Partition::try_from(self.random.below_signed(i64::from(PARTITIONS))).expect("few");
        let [one, two] = &self.processes;
        let epoch = self.epochs[&partition];
        let owns = |process: &Option<Process>| {
            process.as_ref().is_some_and(|process| process.view.get(&partition).is_some_and(|(of, _)| *of == epoch))
        };
        let from = if owns(one) {
            0
        } else if owns(two) {
            1
        } else {
            return;
        };
        self.met[1] += 1;
        if self.random.chance(1, 2) {
            self.checkpoint(from, Save::All);
            let now = self.now;
            if let Some(process) = &mut self.processes[from] {
                process.machine.drop_partition(now, partition);
                process.view.remove(&partition);
            }
        }
        self.take_over(1 - from, partition);
    }

    /// Every partition has an owner that is alive.
    fn own_all(&mut self) {
        for number in 0..2 {
            if self.processes[number].is_none() {
                self.processes[number] = Some(self.process());
            }
        }
        for partition in 0..PARTITIONS {
            let epoch = self.epochs[&partition];
            let owned = self
                .processes
                .iter()
                .flatten()
                .any(|process| process.view.get(&partition).is_some_and(|(of, _)| *of == epoch));
            if !owned {
                let number = self.random.place(2);
                self.take_over(number, partition);
            }
        }
    }

    fn process(&mut self) -> Process {
        let settings = Settings { backoff: usual(), save_after: 1_000, seed: self.random.draw() };
        let endpoints = ENDPOINTS.map(|name| {
            let queue = if name == "failing" { 60 } else { 1_000 };
            Allowed { queue, ..Allowed::new(name, 3, None) }
        });
        let render = Box::new(|_: usize, collected: &Collected| format!("{} x {}", collected.seed, collected.count));
        let machine = Machine::new(settings, endpoints.to_vec(), render);
        Process { machine, view: BTreeMap::new(), flights: Vec::new() }
    }

    fn take_over(&mut self, number: usize, partition: Partition) {
        if self.processes[number].is_none() {
            self.processes[number] = Some(self.process());
        }
        let epoch = self.epochs.get_mut(&partition).expect("there");
        *epoch += 1;
        let process = self.processes[number].as_mut().expect("made just now");
        if process.view.remove(&partition).is_some() {
            process.machine.drop_partition(self.now, partition);
        }
        for (key, value) in &self.retry[&partition] {
            process.machine.restored(partition, key.as_bytes(), value.as_deref());
        }
        let next = self.committed[&partition];
        process.machine.begin(self.now, partition, next).expect("its own records are understood");
        process.view.insert(partition, (*epoch, next));
    }

    /// Older records of a key may go at any time.
    fn compact(&mut self) {
        for log in self.retry.values_mut() {
            let mut newest: BTreeMap<String, usize> = BTreeMap::new();
            for (place, (key, _)) in log.iter().enumerate() {
                newest.insert(key.clone(), place);
            }
            let mut place = 0;
            log.retain(|(key, _)| {
                place += 1;
                newest[key] == place - 1
            });
        }
    }

    fn work(&mut self) {
        for number in 0..2 {
            self.read(number);
            self.attempt(number);
            self.land(number);
            if self.quiet || self.random.chance(2, 3) {
                self.checkpoint(number, Save::Due);
            }
        }
    }

    fn read(&mut self, number: usize) {
        let Some(process) = &mut self.processes[number] else { return };
        for (partition, (_, next)) in &mut process.view {
            let log = &self.decisions[partition];
            for _ in 0..self.random.below(8) {
                let Some(decision) = log.get(usize::try_from(*next).expect("offsets")) else { break };
                if let Some(alerts) = decision {
                    process.machine.decided(self.now, *partition, *next, alerts.clone());
                }
                *next += 1;
            }
        }
    }

    fn attempt(&mut self, number: usize) {
        let Some(process) = &mut self.processes[number] else { return };
        for attempt in process.machine.attempts(self.now) {
            let fails = match attempt.endpoint {
                FAILING => self.now < self.failing_until,
                GONE => self.is_gone,
                _ => !self.quiet && self.random.chance(1, 10),
            };
            let arrives = !fails || self.random.chance(1, 4);
            if arrives {
                let (bodies, times) = self.received.entry(attempt.id.clone()).or_default();
                bodies.insert(attempt.body.clone());
                *times += 1;
            }
            let answer = match (fails, attempt.endpoint) {
                (false, _) => Answer::Delivered,
                (true, GONE) => Answer::Gone,
                (true, _) => Answer::Failed {
                    after: self.random.chance(1, 8).then(|| self.random.below(60_000)),
                    why: "HTTP 500".to_owned(),
                },
            };
            let lands = self.now + self.random.below(5_000);
            process.flights.push(Flight { ticket: attempt.ticket, lands, answer });
        }
        if self.flaw == Some(Flaw::SendsWhatIsNotSealed) {
            for (id, body) in process.machine.sealing() {
                let (bodies, times) = self.received.entry(id).or_default();
                bodies.insert(body);
                *times += 1;
            }
        }
    }

    fn land(&mut self, number: usize) {
        let Some(process) = &mut self.processes[number] else { return };
        let (landed, flying) = process.flights.drain(..).partition(|flight| flight.lands <= self.now || self.quiet);
        process.flights = flying;
        let landed: Vec<Flight> = landed;
        for flight in landed {
            process.machine.answered(self.now, flight.ticket, &flight.answer);
        }
    }

    fn checkpoint(&mut self, number: usize, save: Save) {
        let Some(process) = &mut self.processes[number] else { return };
        let checkpoint = process.machine.checkpoint(self.now, save);
        if checkpoint.is_empty() {
            return;
        }
        let lost: Vec<Partition> =
            process.view.iter().filter(|(partition, (of, _))| self.epochs[partition] != *of).map(|(p, _)| *p).collect();
        if !lost.is_empty() && self.flaw != Some(Flaw::NobodyIsFenced) {
            self.met[2] += 1;
            for partition in lost {
                process.view.remove(&partition);
                process.machine.drop_partition(self.now, partition);
            }
            return;
        }
        let end = if self.quiet { 9 } else { self.random.below(10) };
        // 0: aborted. 1: committed, and nobody knows. 2: the process dies in between.
        if end == 0 {
            return;
        }
        let saves = self.flaw != Some(Flaw::CommitsWithoutSaving);
        for record in checkpoint.records.iter().filter(|_| saves) {
            let log = self.retry.get_mut(&record.partition).expect("there");
            log.push((record.key.clone(), record.value.clone()));
        }
        for Kept { id, body, reason, .. } in &checkpoint.failed {
            assert!(reason.is_some(), "who gives up says why");
            self.failed.entry(id.clone()).or_default().insert(body.clone());
        }
        for (partition, offset) in &checkpoint.offsets {
            let committed = self.committed.get_mut(partition).expect("there");
            assert!(*offset >= *committed || self.flaw.is_some(), "offsets never go back");
            *committed = *offset;
        }
        match end {
            1 => self.met[3] += 1,
            2 => self.processes[number] = None,
            _ => process.machine.committed(&checkpoint),
        }
    }

    /// Everything that the decisions asked for was received or given up, with one body for each id, and nothing else.
    pub fn judge(&self) -> Result<(), String> {
        let mut bodies: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let received = self.received.iter().map(|(id, (bodies, _))| (id, bodies));
        for (id, of) in received.chain(&self.failed) {
            bodies.entry(id).or_default().extend(of.iter().map(String::as_str));
        }
        if let Some((id, of)) = bodies.iter().find(|(_, of)| of.len() != 1) {
            return Err(format!("{id} has {} bodies: {of:?}", of.len()));
        }
        let mut members: BTreeMap<&str, u64> = BTreeMap::new();
        let mut asked = BTreeSet::new();
        for alert in self.decisions.values().flatten().flatten().flatten() {
            asked.insert(alert.id.as_str());
            match &alert.content {
                Content::Body(_) if !bodies.contains_key(alert.id.as_str()) => {
                    return Err(format!("{} is missed", alert.id));
                }
                Content::Body(_) => {}
                Content::Grouped(member) => *members.entry(&member.key).or_default() += 1,
            }
        }
        if let Some((id, _)) = bodies.iter().find(|(id, _)| !asked.contains(**id)) {
            return Err(format!("nobody asked for {id}"));
        }
        let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
        for body in bodies.values().flatten().filter(|body| !body.starts_with("body of")) {
            let (key, rest) = body.split_once('/').ok_or("a group's body")?;
            let count = rest.split_once(" x ").and_then(|(_, count)| count.parse::<u64>().ok()).ok_or("a count")?;
            *counted.entry(key).or_default() += count;
        }
        if members != counted {
            return Err(format!("groups: decisions ask for {members:?}, alerts say {counted:?}"));
        }
        self.nothing_is_left()
    }

    fn nothing_is_left(&self) -> Result<(), String> {
        for (partition, log) in &self.retry {
            let mut left = BTreeMap::new();
            for (key, value) in log {
                left.insert(key, value);
            }
            if let Some((key, _)) = left.iter().find(|(_, value)| value.is_some()) {
                return Err(format!("{key} is left in partition {partition}"));
            }
            let end = Offset::try_from(self.decisions[partition].len()).expect("few");
            let read = self.decisions[partition].iter().rposition(Option::is_some).map_or(0, |last| last + 1);
            let read = Offset::try_from(read).expect("few");
            if !(read..=end).contains(&self.committed[partition]) {
                return Err(format!("partition {partition} is committed to {}, not {read}", self.committed[partition]));
            }
        }
        Ok(())
    }
}
