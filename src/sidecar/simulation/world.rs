//! The world: virtual time, a faulty network, a broker, workers that are killed, paused and stopped.
//!
//! Everything that happens is an event at a time; chance comes from the seed alone. Faults stop at `HEALED`, and then
//! everything must be processed within `PATIENCE`.

use super::{
    broker::{Broker, Input, Marker, Refusal, Request, Response},
    flaw::Flaw,
    group::{Assignment, Beat, Group},
    log::{Topic, Value},
    process::{Call, Position, Process, Restore, Wish},
    random::Random,
    toy::{Outbox, RESTRICTION_PARTITIONS, WALLETS, restore},
};
use crate::sidecar::{
    Batch, Command, Delivery, Diagnosis, Ending, Fact, Failure, Millis, Offset, Partition, Positions, Rest, Settings,
    Sort, Stage, Standing,
};
use std::collections::{BTreeMap, VecDeque};

/// All in virtual ms.
pub const HEALED: Millis = 12_000;
const PATIENCE: Millis = 60_000;
const SESSION_TIMEOUT: Millis = 1_000;
const REBALANCE_TIMEOUT: Millis = 2_000;
const TRANSACTION_TIMEOUT: Millis = 1_500;
const SLOW_END: Millis = 60;
const CALL: Millis = 400;
const DRAIN: Millis = 4_500;
const TERM_PATIENCE: Millis = 5_000;
const SWEEP: Millis = 50;
const BEAT: Millis = 150;
/// Records of each partition's input.
const INPUTS: u64 = 60;

/// What a seed is judged by and with.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub seed: u64,
    pub delivery: Delivery,
    pub flaw: Option<Flaw>,
    /// Broker and client that have KIP-890's second part.
    pub bump_each: bool,
    /// A broker that, starting again, loses the ends of transactions that it had not written yet (KAFKA-20734).
    pub loses_markers: bool,
    pub traced: bool,
}

/// Which kinds of fault a seed has, in permille of where they can fall.
#[derive(Clone, Copy, Debug)]
struct Faults {
    network: u64,
    errors: u64,
    kills: u64,
    pauses: u64,
    terms: u64,
    broker: u64,
}

#[derive(Clone, Debug)]
enum Event {
    /// A request reaches the broker; nobody hears the answer if `heard` is false.
    Arrive {
        slot: usize,
        incarnation: u64,
        ask: u64,
        epoch: u32,
        request: Request,
        heard: bool,
    },
    Answer {
        slot: usize,
        incarnation: u64,
        ask: u64,
        response: Response,
    },
    /// The client sends the request of its call again.
    Retry {
        slot: usize,
        incarnation: u64,
        ask: u64,
    },
    Deadline {
        slot: usize,
        incarnation: u64,
        ask: u64,
    },
    /// Something that needs no broker is done.
    Local {
        slot: usize,
        incarnation: u64,
        ask: u64,
        command: Command,
    },
    Run {
        slot: usize,
        incarnation: u64,
    },
    Beat {
        slot: usize,
        incarnation: u64,
    },
    Joined {
        slot: usize,
        incarnation: u64,
        assignment: Assignment,
    },
    Marker(Marker),
    Sweep,
    Input {
        partition: Partition,
    },
    /// A chance for a worker to be killed, paused or stopped, and for the broker to go down.
    Chance,
    Start {
        slot: usize,
    },
    BrokerUp,
    /// The partitions have a leader again.
    Elected,
}

#[derive(Debug)]
pub struct World {
    pub case: Case,
    random: Random,
    pub now: Millis,
    sequence: u64,
    events: BTreeMap<(Millis, u64), Event>,
    pub broker: Broker,
    processes: Vec<Option<Process>>,
    paused_until: Vec<Millis>,
    incarnations: u64,
    faults: Faults,
    pub partitions: Partition,
    /// What happened how often, to know that a fault was there at all.
    pub tally: BTreeMap<String, u64>,
    pub trace: Vec<String>,
    pub failure: Option<String>,
}

fn number(places: usize) -> u64 {
    u64::try_from(places).expect("few")
}

impl World {
    pub fn new(case: Case) -> World {
        let mut random = Random::new(case.seed);
        let workers = usize::try_from(random.between(2, 3)).expect("few");
        let partitions = Partition::try_from(random.between(2, 4)).expect("few");
        let mut some = |permille: u64| if random.permille(600) { permille } else { 0 };
        let mut faults = Faults {
            network: some(25),
            errors: some(15),
            kills: some(30),
            pauses: some(30),
            terms: some(20),
            broker: some(10),
        };
        if case.delivery == Delivery::AtLeastOnce {
            // Nothing fences the produce of a zombie there: it may set the state back, and its partition stops.
            faults.pauses = 0;
        }
        let group = Group::new(partitions, SESSION_TIMEOUT, REBALANCE_TIMEOUT);
        let transactional = case.delivery == Delivery::ExactlyOnce;
        let mut world = World {
            case,
            random,
            now: 0,
            sequence: 0,
            events: BTreeMap::new(),
            broker: Broker::new(group, TRANSACTION_TIMEOUT, case.bump_each, transactional),
            processes: (0..workers).map(|_| None).collect(),
            paused_until: vec![0; workers],
            incarnations: 0,
            faults,
            partitions,
            tally: BTreeMap::new(),
            trace: Vec::new(),
            failure: None,
        };
        for slot in 0..workers {
            let at = world.random.between(0, 500);
            world.after(at, Event::Start { slot });
        }
        for partition in 0..partitions {
            world.after(1, Event::Input { partition });
        }
        world.after(SWEEP, Event::Sweep);
        world.after(100, Event::Chance);
        world
    }

    fn after(&mut self, wait: Millis, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now + wait, self.sequence), event);
    }

    fn count(&mut self, what: &str) {
        match self.tally.get_mut(what) {
            Some(times) => *times += 1,
            None => drop(self.tally.insert(what.to_owned(), 1)),
        }
    }

    fn note(&mut self, note: impl FnOnce() -> String) {
        if self.case.traced {
            let line = format!("{:6} {}", self.now, note());
            self.trace.push(line);
        }
    }

    fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
    }

    fn healed(&self) -> bool {
        self.now >= HEALED
    }

    fn fault(&mut self, permille: u64) -> bool {
        !self.healed() && self.random.permille(permille)
    }

    /// Runs until everything is processed, or something is wrong.
    pub fn run(&mut self) {
        while self.failure.is_none() && !(self.healed() && self.is_done()) {
            let Some(((at, _), event)) = self.events.pop_first() else {
                return self.fail("the world stands still".to_owned());
            };
            self.now = at;
            if at > HEALED + PATIENCE && self.case.loses_markers {
                // What hangs waits for an operator.
                return;
            }
            if at > HEALED + PATIENCE {
                let stages: Vec<_> =
                    self.processes.iter().map(|process| process.as_ref().map(|p| p.machine.stage())).collect();
                return self.fail(format!("not done {PATIENCE} ms after the last fault: {stages:?}"));
            }
            self.happen(event);
        }
    }

    fn is_done(&self) -> bool {
        let through = |partition: Partition| {
            let last = self.broker.inputs.get(&partition).and_then(|inputs| inputs.last());
            let committed = self.broker.offsets.committed.get(&partition);
            last.is_some_and(|last| committed.is_some_and(|committed| committed.next == last.offset + 1))
        };
        let all = |partition| number(self.broker.inputs[&partition].len()) == INPUTS;
        (0..self.partitions).all(|partition| through(partition) && all(partition))
            && !self.broker.has_open_transactions()
            && self.processes.iter().flatten().all(|process| process.machine.is_ready())
    }

    fn happen(&mut self, event: Event) {
        if let Some((slot, incarnation)) = event.of_process() {
            let until = self.paused_until[slot];
            if until > self.now {
                return self.after(until - self.now, event);
            }
            if self.processes[slot].as_ref().is_none_or(|process| process.incarnation != incarnation) {
                return;
            }
        }
        match event {
            Event::Arrive { slot, incarnation, ask, epoch, request, heard } => {
                self.arrive(slot, incarnation, ask, epoch, request, heard);
            }
            Event::Answer { slot, ask, response, .. } => self.answer(slot, ask, response),
            Event::Retry { slot, ask, .. } if self.calls(slot) == Some(ask) => self.transmit(slot),
            Event::Deadline { slot, ask, .. } if self.calls(slot) == Some(ask) => self.deadline(slot),
            Event::Local { slot, ask, command, .. } if self.process(slot).ask == ask => self.local(slot, command),
            Event::Retry { .. } | Event::Deadline { .. } | Event::Local { .. } => {}
            Event::Run { slot, .. } => self.carry_out(slot),
            Event::Beat { slot, incarnation } => self.beat(slot, incarnation),
            Event::Joined { slot, assignment, .. } => self.joined(slot, assignment),
            Event::Marker(marker) if !self.broker.up => self.after(20, Event::Marker(marker)),
            Event::Marker(marker) if self.broker.is_due(marker) => self.broker.write(marker),
            Event::Marker(_) => {}
            Event::Sweep => self.sweep(),
            Event::Input { partition } => self.input(partition),
            Event::Chance => self.chance(),
            Event::Start { slot } => self.start(slot),
            Event::Elected => self.broker.leaderless = false,
            Event::BrokerUp => {
                self.broker.up = true;
                self.broker.group.restarted(self.now);
                if self.case.loses_markers {
                    self.broker.leaderless = true;
                    self.broker.lose_markers();
                    let election = self.random.between(50, 2_000);
                    self.after(election, Event::Elected);
                }
                // Every connection was broken.
                for process in self.processes.iter_mut().flatten() {
                    process.producer.disturbed = true;
                }
            }
        }
        self.let_markers_happen();
    }

    fn let_markers_happen(&mut self) {
        for marker in std::mem::take(&mut self.broker.markers) {
            let wait = if self.fault(50) { self.random.between(50, 600) } else { self.random.between(1, 8) };
            self.after(wait, Event::Marker(marker));
        }
    }

    /// The request that a call waits for.
    fn calls(&self, slot: usize) -> Option<u64> {
        self.processes[slot].as_ref()?.call.as_ref().map(|call| call.ask)
    }

    fn process(&mut self, slot: usize) -> &mut Process {
        self.processes[slot].as_mut().expect("an event of a process finds it")
    }

    // ---- what happens to workers ----

    fn start(&mut self, slot: usize) {
        if self.processes[slot].is_some() {
            return;
        }
        self.incarnations += 1;
        let incarnation = self.incarnations;
        let slow_end = if self.case.flaw == Some(Flaw::ProducerReused) { Millis::MAX } else { SLOW_END };
        let settings = Settings {
            delivery: self.case.delivery,
            incarnation,
            tick: 40,
            tick_records: 6,
            // Some take a tick in pieces, most whole.
            poll_records: if incarnation.is_multiple_of(4) { 2 } else { 6 },
            transaction_timeout: TRANSACTION_TIMEOUT,
            session_timeout: SESSION_TIMEOUT,
            slow_end,
            idle: 50,
            retry: 20,
            call: CALL,
            drain: DRAIN,
            restore_slice: 7,
            restore_records: 100_000,
        };
        let ends = (0..RESTRICTION_PARTITIONS).map(|partition| self.broker.log(Topic::Restrictions, partition).end());
        let ends: Vec<Offset> = ends.collect();
        self.processes[slot] = Some(Process::new(incarnation, settings, ends));
        self.note(|| format!("worker {slot} starts as {incarnation}"));
        self.join(slot);
        self.after(BEAT, Event::Beat { slot, incarnation });
        self.tell(slot, Fact::Started);
    }

    fn chance(&mut self) {
        if self.healed() {
            return;
        }
        self.after(100, Event::Chance);
        for slot in 0..self.processes.len() {
            if self.processes[slot].is_none() || self.paused_until[slot] > self.now {
                continue;
            }
            if self.fault(self.faults.kills) {
                self.die(slot, "kill");
            } else if self.fault(self.faults.pauses) {
                let length = self.random.between(100, 4_000);
                self.paused_until[slot] = self.now + length;
                self.process(slot).over_by = None;
                self.count(if length > SESSION_TIMEOUT { "pause past the session" } else { "pause" });
                self.note(|| format!("worker {slot} is paused for {length}"));
            } else if self.fault(self.faults.terms) && !self.process(slot).termed {
                let over_by = self.now + TERM_PATIENCE;
                self.process(slot).termed = true;
                self.process(slot).over_by = Some(over_by);
                self.count("term");
                self.tell_aside(slot, Fact::ShutdownAsked);
            }
        }
        if self.broker.up && self.fault(self.faults.broker) {
            self.broker.up = false;
            self.count("broker restart");
            self.note(|| "the broker goes down".to_owned());
            let length = self.random.between(50, 2_500);
            self.after(length, Event::BrokerUp);
        }
        if self.random.permille(100) {
            for partition in 0..self.partitions {
                self.broker.log(Topic::State, partition).compact();
            }
        }
    }

    fn die(&mut self, slot: usize, how: &str) {
        let stage = self.process(slot).machine.stage();
        self.count(how);
        self.count(&format!("{how} while {}", format!("{stage:?}").split('(').next().expect("a name")));
        self.note(|| format!("worker {slot}: {how} while {stage:?}"));
        self.processes[slot] = None;
        let wait = self.random.between(20, 2_500);
        self.after(wait, Event::Start { slot });
    }

    fn input(&mut self, partition: Partition) {
        let inputs = self.broker.inputs.entry(partition).or_default();
        // Offsets have holes, where a producer's markers stand.
        let offset = inputs.last().map_or(0, |last| last.offset + 1) + i64::from(self.random.permille(150));
        let (wallet, amount) = (self.random.between(0, WALLETS - 1), self.random.between(1, 9));
        let wallet = wallet + WALLETS * u64::try_from(partition).expect("not negative");
        inputs.push(Input { offset, wallet, amount });
        if number(inputs.len()) < INPUTS {
            let wait =
                if self.random.permille(700) { self.random.between(1, 40) } else { self.random.between(100, 700) };
            self.after(wait, Event::Input { partition });
        }
    }

    // ---- the client library's own thread ----

    fn join(&mut self, slot: usize) {
        let (now, up) = (self.now, self.broker.up);
        let membership = &mut self.process(slot).membership;
        membership.unsent = !up;
        let (member, owned) = (membership.member, membership.assigned.clone());
        if !up {
            return;
        }
        let Some((member, assignment)) = self.broker.group.join(slot, member, owned, now) else {
            return self.unknown(slot);
        };
        let incarnation = self.process(slot).incarnation;
        let generation = self.broker.group.generation();
        let membership = &mut self.process(slot).membership;
        membership.member = Some(member);
        membership.stale = if assignment.is_some() { generation - 1 } else { generation };
        if let Some(assignment) = assignment {
            self.after(2, Event::Joined { slot, incarnation, assignment });
        }
    }

    fn beat(&mut self, slot: usize, incarnation: u64) {
        self.after(BEAT, Event::Beat { slot, incarnation });
        if !self.broker.up || self.fault(self.faults.network) {
            return;
        }
        let now = self.now;
        let membership = &self.process(slot).membership;
        if membership.unsent {
            return self.join(slot);
        }
        let Some(member) = membership.member else { return };
        match self.broker.group.beat(member, now) {
            Beat::Fine => {}
            Beat::Rebalance => {
                let membership = &self.process(slot).membership;
                if membership.wish.is_none() && !membership.lost {
                    self.join(slot);
                }
            }
            Beat::Unknown => self.unknown(slot),
        }
    }

    /// The coordinator does not know us any more: everything is lost.
    fn unknown(&mut self, slot: usize) {
        self.count("membership lost");
        let membership = &mut self.process(slot).membership;
        membership.member = None;
        membership.generation = -1;
        membership.unsent = false;
        // What the application is about to do it does; then it hears that all is lost.
        if !membership.wish_told {
            membership.wish = None;
        }
        if membership.assigned.is_empty() && membership.wish.is_none() {
            return self.join(slot);
        }
        membership.lost = true;
        membership.told = false;
    }

    fn joined(&mut self, slot: usize, assignment: Assignment) {
        let membership = &mut self.process(slot).membership;
        if membership.member != Some(assignment.member) || assignment.generation <= membership.stale {
            return;
        }
        membership.generation = assignment.generation;
        let taken: Vec<_> = membership.assigned.difference(&assignment.partitions).copied().collect();
        let given: Vec<_> = assignment.partitions.difference(&membership.assigned).copied().collect();
        membership.wish = match (taken.is_empty(), given.is_empty()) {
            (false, _) => Some(Wish::Take(taken)),
            (true, false) => Some(Wish::Give(given)),
            (true, true) => None,
        };
        membership.wish_told = false;
        self.note(|| format!("worker {slot} joined: {assignment:?}"));
    }

    fn sweep(&mut self) {
        self.after(SWEEP, Event::Sweep);
        if self.broker.up {
            let now = self.now;
            self.broker.sweep(now);
            for assignment in self.broker.group.sweep(now) {
                let slot = assignment.slot;
                let Some(incarnation) = self.processes[slot].as_ref().map(|process| process.incarnation) else {
                    continue;
                };
                let wait = self.random.between(1, 20);
                self.after(wait, Event::Joined { slot, incarnation, assignment });
            }
            self.read_restrictions();
        }
        for slot in 0..self.processes.len() {
            let late = |process: &Process| process.over_by.is_some_and(|by| self.now > by);
            if self.processes[slot].as_ref().is_some_and(late) {
                let stage = self.process(slot).machine.stage();
                self.fail(format!("worker {slot} is not over {TERM_PATIENCE} ms after SIGTERM: {stage:?}"));
            }
        }
    }

    fn read_restrictions(&mut self) {
        for slot in 0..self.processes.len() {
            if self.processes[slot].is_none() || self.paused_until[slot] > self.now {
                continue;
            }
            let mut process = self.processes[slot].take().expect("it was just there");
            let before = process.restrictions.read.clone();
            for (place, partition) in (0..RESTRICTION_PARTITIONS).enumerate() {
                let log = self.broker.log(Topic::Restrictions, partition);
                while process.restrictions.read[place] < log.stable() {
                    let at = process.restrictions.read[place];
                    let record = log.committed(at).map(|record| (record.key, &record.value));
                    process.read_restriction(place, at, record);
                }
            }
            let restrictions = &process.restrictions;
            let caught_up = restrictions.read.iter().zip(&restrictions.caught_up_at).all(|(read, end)| read >= end);
            let (news, positions) = (before != restrictions.read, Positions(restrictions.read.clone()));
            if caught_up && self.case.flaw == Some(Flaw::RestrictionsInTick) {
                process.apply(&positions);
            }
            self.processes[slot] = Some(process);
            if caught_up && (news || positions.0.iter().all(|at| *at == 0)) {
                self.tell_aside(slot, Fact::RestrictionsRead(positions));
            }
        }
    }

    // ---- the shell ----

    /// Tells the machine what it asked for.
    fn tell(&mut self, slot: usize, fact: Fact) {
        let (now, flaw) = (self.now, self.case.flaw);
        let process = self.process(slot);
        process.ask += 1;
        let stage = process.machine.stage();
        let fact = flaw.map_or(fact.clone(), |flaw| flaw.bend(stage, fact));
        if flaw == Some(Flaw::NotAwaited) && matches!(fact, Fact::Committed { .. }) {
            process.call = None;
        }
        self.note(|| format!("worker {slot} <- {fact:?}"));
        let mut commands = Vec::new();
        self.process(slot).machine.step(now, fact, &mut commands);
        self.note(|| format!("worker {slot} -> {commands:?}"));
        let process = self.process(slot);
        process.todo.extend(commands);
        let incarnation = process.incarnation;
        let wait = self.random.between(0, 1);
        self.after(wait, Event::Run { slot, incarnation });
    }

    /// A call is over: the machine is told at once, or when it asks for what came of it.
    fn conclude(&mut self, slot: usize, fact: Fact) {
        let process = self.process(slot);
        // Nothing else that is on its way is an answer.
        let ask = process.next_request();
        let call = process.call.as_mut().expect("a call is over");
        call.ask = ask;
        if call.left {
            call.outcome.get_or_insert(fact);
        } else {
            process.call = None;
            self.tell(slot, fact);
        }
    }

    /// Tells the machine something that it did not ask for.
    fn tell_aside(&mut self, slot: usize, fact: Fact) {
        let now = self.now;
        let mut commands = Vec::new();
        self.note(|| format!("worker {slot} <- {fact:?}"));
        self.process(slot).machine.step(now, fact, &mut commands);
        if !commands.is_empty() {
            self.fail(format!("worker {slot} acts unasked: {commands:?}"));
        }
    }

    fn carry_out(&mut self, slot: usize) {
        while let Some(command) = self.process(slot).todo.pop_front() {
            self.count(format!("{command:?}").split([' ', '(']).next().expect("a name"));
            let flaw = self.case.flaw;
            let process = self.process(slot);
            match command {
                Command::Assign(partitions) => self.grant(slot, &partitions, true),
                Command::Unassign(partitions) if !process.membership.assigned.contains(&partitions[0]) => {}
                Command::Unassign(partitions) => self.grant(slot, &partitions, false),
                Command::Pause(partitions) => process.pause(&partitions, true),
                Command::Resume(partitions) => process.pause(&partitions, false),
                Command::DropState(partition) => {
                    let ahead = process.ahead.get(&partition).cloned();
                    let kept = process.shards.get(&partition).cloned();
                    process.drop_state(partition);
                    if let (Some(ahead), Some(Flaw::AheadKept)) = (ahead.clone(), flaw) {
                        process.ahead.insert(partition, ahead);
                    }
                    if let Some(ahead) = &ahead {
                        self.count(if ahead.sealed { "dropped sealed ahead" } else { "dropped ahead" });
                    }
                    if let (Some(shard), Some(Flaw::DirtyStateKept)) = (kept, self.case.flaw) {
                        self.process(slot).shards.insert(partition, shard);
                    }
                }
                Command::ApplyRestrictions(positions) => process.apply(&positions),
                Command::Release(_) => process.release(),
                Command::SealAhead { partition, standing } => process.seal_ahead(partition, &standing),
                Command::Stop(ending) => return self.ended(slot, &ending),
                command => return self.ask(slot, command),
            }
        }
    }

    fn ended(&mut self, slot: usize, ending: &Ending) {
        let allowed = match ending {
            Ending::Drained | Ending::DrainCut => self.process(slot).termed,
            // A request to initialise that was held up fences the producer that its repetition made.
            Ending::Diagnosis(diagnosis) => matches!(diagnosis, Diagnosis::Fenced { .. }),
        };
        if !allowed {
            self.fail(format!("worker {slot} ends: {ending:?}"));
        }
        let how = match ending {
            Ending::Drained => "drained",
            Ending::DrainCut => "drain cut",
            Ending::Diagnosis(_) => "fenced",
        };
        self.die(slot, how);
    }

    /// The application has done what the group wished.
    fn grant(&mut self, slot: usize, partitions: &[Partition], given: bool) {
        let process = self.process(slot);
        for partition in partitions {
            if given {
                process.membership.assigned.insert(*partition);
                process.positions.insert(*partition, Position::default());
            } else {
                process.membership.assigned.remove(partition);
                process.positions.remove(partition);
            }
        }
        let membership = &mut process.membership;
        membership.wish = None;
        membership.wish_told = false;
        // What is handed back may be less than what was lost since.
        if !given && (!membership.lost || membership.told) {
            membership.lost = false;
            self.join(slot);
        }
    }

    fn ask(&mut self, slot: usize, command: Command) {
        self.process(slot).ask += 1;
        let now = self.now;
        let process = self.process(slot);
        let (incarnation, ask) = (process.incarnation, process.ask);
        let within = match &command {
            Command::InitProducer { within }
            | Command::FetchCommitted { within, .. }
            | Command::Send { within, .. }
            | Command::SendOffsets { within, .. }
            | Command::CommitOffsets { within, .. }
            | Command::Commit { within } => *within,
            Command::Poll { wait, records } => {
                let wait = if self.has_news(slot, *records) { self.random.between(1, 3) } else { (*wait).max(1) };
                return self.after(wait, Event::Local { slot, incarnation, ask, command });
            }
            Command::Await { wait } => {
                let wait = self.random.between(0, 3).min(*wait);
                return self.after(wait, Event::Local { slot, incarnation, ask, command });
            }
            _ => {
                let wait = self.random.between(0, 3);
                return self.after(wait, Event::Local { slot, incarnation, ask, command });
            }
        };
        if let Some(failure) = self.fails_at_once(slot, &command) {
            return self.tell(slot, Fact::Failed(failure));
        }
        let (requests, chunks) = self.requests(slot, &command);
        let process = self.process(slot);
        assert!(process.call.is_none(), "one call at a time");
        let ask = process.next_request();
        let ends = matches!(command, Command::Send { .. } | Command::SendOffsets { .. } | Command::Commit { .. });
        let (deadline, left, outcome) = (now + within, false, None);
        process.call = Some(Call { command, ask, left, outcome, deadline, requests, chunks, response: None });
        self.after(within, Event::Deadline { slot, incarnation, ask });
        self.transmit(slot);
        if ends && self.case.delivery == Delivery::ExactlyOnce && self.calls(slot) == Some(ask) {
            self.leave(slot);
        }
    }

    /// Some shells wait for a call, others do something else meanwhile.
    fn leave(&mut self, slot: usize) {
        if self.process(slot).incarnation.is_multiple_of(3) || self.random.permille(200) {
            return;
        }
        if let Some(call) = &mut self.process(slot).call {
            call.left = true;
        }
        self.tell(slot, Fact::Underway);
    }

    /// Errors that the client makes up by itself.
    fn fails_at_once(&mut self, slot: usize, command: &Command) -> Option<Failure> {
        let failure = |sort, reason: &str| Some(Failure { sort, reason: reason.to_owned() });
        if let Command::SendOffsets { .. } = command
            && self.process(slot).membership.lost
            && self.case.flaw != Some(Flaw::NoGeneration)
        {
            return failure(Sort::Abort, "the assignment is lost");
        }
        let in_transaction = matches!(
            command,
            Command::Send { .. } | Command::SendOffsets { .. } | Command::Commit { .. } | Command::CommitOffsets { .. }
        );
        if !in_transaction || !self.fault(self.faults.errors) {
            return None;
        }
        self.count("error made up");
        match (command, self.random.between(0, 3)) {
            (Command::CommitOffsets { .. }, _) => failure(Sort::Abort, "made up: offsets are refused"),
            (_, 0) => failure(Sort::Fatal, "made up: fatal"),
            (_, 1) => failure(Sort::Unknown, "made up: flush failed"),
            _ => failure(Sort::Abort, "made up: abort"),
        }
    }

    fn requests(&mut self, slot: usize, command: &Command) -> (VecDeque<Request>, VecDeque<(Partition, usize)>) {
        let stable = self.case.flaw != Some(Flaw::UnstableOffset);
        let unnamed = self.case.flaw == Some(Flaw::NoGeneration);
        let process = self.process(slot);
        let membership = &process.membership;
        let (member, generation) = if unnamed { (None, -1) } else { (membership.member, membership.generation) };
        let request = match command {
            Command::Send { records, .. } => {
                for (partition, standing) in records {
                    let shard = process.shards.entry(*partition).or_default();
                    process.outboxes.entry(*partition).or_default().seal(shard, *partition, standing);
                }
                let (mut requests, mut chunks) = process.produce_requests();
                if self.case.flaw == Some(Flaw::UndeliveredCommitted) && self.fault(20) {
                    requests.truncate(1);
                    chunks.truncate(1);
                }
                return (requests, chunks);
            }
            Command::InitProducer { .. } => {
                process.settling = None;
                Request::Init
            }
            Command::FetchCommitted { partitions, .. } => Request::Offsets { partitions: partitions.clone(), stable },
            Command::SendOffsets { offsets, .. } => {
                process.sent_offsets.clone_from(offsets);
                Request::TransactionOffsets { member, generation, offsets: offsets.clone() }
            }
            Command::CommitOffsets { offsets, .. } => {
                Request::GroupOffsets { member, generation, offsets: offsets.clone() }
            }
            Command::Commit { .. } => Request::End { commit: true },
            other => panic!("{other:?} asks no broker"),
        };
        (VecDeque::from([request]), VecDeque::new())
    }

    /// Sends the request that is on turn over a network that may lose or hold it, or its answer.
    fn transmit(&mut self, slot: usize) {
        let process = self.process(slot);
        let (incarnation, epoch) = (process.incarnation, process.producer.epoch);
        let Some(call) = &process.call else { return };
        let ask = call.ask;
        let Some(request) = call.requests.front().cloned() else { return self.finish(slot) };
        let there = self.random.between(1, 4);
        let arrive = |heard| Event::Arrive { slot, incarnation, ask, epoch, request, heard };
        if !self.fault(3 * self.faults.network) {
            return self.after(there, arrive(true));
        }
        let fate = self.random.between(0, 3);
        let notice = self.random.between(5, 150);
        if fate < 3 {
            self.disturb(slot);
            self.after(notice, Event::Retry { slot, incarnation, ask });
        }
        match fate {
            0 => self.count("request lost"),
            1 => {
                self.count("answer lost");
                self.after(there, arrive(false));
            }
            // Nor what a dead process has left in the network.
            2 if self.case.delivery == Delivery::AtLeastOnce => self.count("request lost"),
            2 => {
                self.count("request held");
                let held = self.random.between(20, 1_200);
                self.after(held, arrive(false));
            }
            _ => {
                self.count("request slow");
                let slow = self.random.between(30, 300);
                self.after(slow, arrive(true));
            }
        }
    }

    fn arrive(&mut self, slot: usize, incarnation: u64, ask: u64, epoch: u32, request: Request, heard: bool) {
        if !self.broker.up {
            if heard {
                self.after(30, Event::Retry { slot, incarnation, ask });
            }
            return;
        }
        let now = self.now;
        self.note(|| format!("broker <- {slot}.{incarnation} epoch {epoch} {request:?}"));
        let response = self.broker.handle(slot, epoch, request, now);
        self.note(|| format!("broker -> {response:?}{}", if heard { "" } else { " unheard" }));
        if heard {
            let back = self.random.between(1, 4);
            self.after(back, Event::Answer { slot, incarnation, ask, response });
        }
    }

    fn answer(&mut self, slot: usize, ask: u64, response: Response) {
        let process = self.process(slot);
        let incarnation = process.incarnation;
        let Some(call) = process.call.as_mut().filter(|call| call.ask == ask) else { return };
        match response {
            Response::Refused(Refusal::Later) => self.after(15, Event::Retry { slot, incarnation, ask }),
            Response::Refused(refusal) => {
                let sort = match refusal {
                    Refusal::Fenced => Sort::Fenced,
                    Refusal::IllegalGeneration => Sort::Abort,
                    _ => Sort::Fatal,
                };
                self.conclude(slot, Fact::Failed(Failure { sort, reason: format!("{refusal:?}") }));
            }
            response => {
                call.requests.pop_front();
                call.response = Some(response);
                if let Some((owner, number)) = call.chunks.pop_front()
                    && let Some(outbox) = process.outboxes.get_mut(&owner)
                {
                    outbox.chunks[number].sent = true;
                }
                // What else is on its way for this request is not an answer to the next.
                process.requests += 1;
                let ask = process.requests;
                call.ask = ask;
                let deadline = call.deadline;
                let left = deadline.saturating_sub(self.now);
                self.after(left, Event::Deadline { slot, incarnation, ask });
                self.transmit(slot);
            }
        }
    }

    fn deadline(&mut self, slot: usize) {
        self.count("call timed out");
        self.disturb(slot);
        self.conclude(slot, Fact::Failed(Failure { sort: Sort::Retriable, reason: "timed out".to_owned() }));
    }

    /// The producer's connection broke, or a request of its timed out.
    fn disturb(&mut self, slot: usize) {
        let process = self.process(slot);
        let of_consumer = |call: &Call| matches!(call.command, Command::FetchCommitted { .. });
        process.producer.disturbed |= !process.call.as_ref().is_some_and(of_consumer);
    }

    /// All requests of a call are answered.
    fn finish(&mut self, slot: usize) {
        let flaw = self.case.flaw;
        let process = self.process(slot);
        let call = process.call.as_ref().expect("a call is finished");
        let resolving = process.machine.stage() == Stage::Resolving;
        let taken_for_aborted = flaw == Some(Flaw::UnknownTakenForAborted) && resolving;
        let disturbed = process.producer.disturbed;
        let fact = match (&call.command, call.response.clone()) {
            (Command::InitProducer { .. }, Some(Response::Epoch(epoch))) => {
                process.renew(epoch);
                Fact::ProducerReady
            }
            (Command::FetchCommitted { partitions, .. }, Some(Response::Offsets(_))) if taken_for_aborted => {
                let known =
                    |partition: &Partition| (*partition, process.told_commits.get(partition).copied().flatten());
                Fact::CommittedOffsets(partitions.iter().map(known).collect())
            }
            (Command::FetchCommitted { .. }, Some(Response::Offsets(offsets))) => {
                process.told_commits.extend(offsets.iter().copied());
                Fact::CommittedOffsets(offsets)
            }
            (Command::Send { .. }, _) => Fact::Delivered,
            (Command::SendOffsets { .. }, _) => Fact::OffsetsSent,
            (Command::CommitOffsets { .. }, _) => Fact::OffsetsCommitted,
            (Command::Commit { .. }, response) => {
                if let Some(Response::Epoch(epoch)) = response
                    && epoch != process.producer.epoch
                {
                    process.producer.epoch = epoch;
                    process.producer.sequences.clear();
                }
                Fact::Committed { disturbed }
            }
            (command, response) => panic!("{response:?} does not answer {command:?}"),
        };
        self.conclude(slot, fact);
    }

    // ---- what needs no call ----

    fn local(&mut self, slot: usize, command: Command) {
        let fact = match command {
            Command::Begin if self.process(slot).producer.disturbed && self.case.flaw != Some(Flaw::ProducerReused) => {
                Fact::Failed(Failure { sort: Sort::Fatal, reason: "the connection was disturbed".to_owned() })
            }
            Command::Begin => {
                self.process(slot).begin();
                Fact::Begun
            }
            Command::Settle { .. } => self.settle(slot),
            Command::Decide(batches) => self.decide(slot, batches, false),
            Command::DecideAhead(batches) => self.decide(slot, batches, true),
            Command::Await { .. } => match self.process(slot).call.take_if(|call| call.outcome.is_some()) {
                Some(call) => call.outcome.expect("it is there"),
                None => Fact::Underway,
            },
            Command::Poll { records, .. } => self.poll(slot, records),
            Command::Restore { partition, records } => self.restore(slot, partition, records),
            Command::Seek { partition, to, .. } => {
                let at = to.offset().unwrap_or(0);
                if self.case.flaw != Some(Flaw::NoSeek) {
                    self.process(slot).positions.entry(partition).or_default().next = at;
                }
                Fact::Sought { partition, at }
            }
            Command::Leave { .. } => {
                // A static member leaves without a word; its partitions wait for it until the session is over.
                if self.random.permille(500)
                    && let Some(member) = self.process(slot).membership.member
                {
                    let now = self.now;
                    self.broker.group.leave(member, now);
                }
                Fact::Left
            }
            other => panic!("{other:?} needs a broker"),
        };
        self.tell(slot, fact);
    }

    fn decide(&mut self, slot: usize, batches: Vec<Batch>, ahead: bool) -> Fact {
        for batch in batches {
            if !self.process(slot).holds(batch) {
                self.fail(format!("worker {slot} decides on records that are gone: {batch:?}"));
            }
            let inputs = self.inputs_between(batch.partition, batch.first, batch.next);
            let process = self.process(slot);
            let shard = process.shards.entry(batch.partition).or_default();
            let outboxes = if ahead { &mut process.ahead } else { &mut process.outboxes };
            let outbox: &mut Outbox = outboxes.entry(batch.partition).or_default();
            let restrictions = &process.restrictions;
            outbox.decide(shard, &restrictions.foreign, &restrictions.applied, batch.partition, &inputs);
        }
        Fact::Decided
    }

    fn inputs_between(&self, partition: Partition, first: Offset, next: Offset) -> Vec<Input> {
        let inputs = &self.broker.inputs[&partition];
        inputs.iter().filter(|input| (first..next).contains(&input.offset)).copied().collect()
    }

    /// The records that a poll would bring now.
    fn records(&self, slot: usize, mut records: u64) -> Vec<Batch> {
        let Some(process) = &self.processes[slot] else { return Vec::new() };
        let mut batches = Vec::new();
        for (partition, position) in process.positions.iter().filter(|(_, position)| !position.paused) {
            let Some(inputs) = self.broker.inputs.get(partition).filter(|_| self.broker.up) else { continue };
            let few = usize::try_from(records.min(4)).expect("at most 4");
            let new: Vec<Offset> =
                inputs.iter().map(|input| input.offset).filter(|offset| *offset >= position.next).take(few).collect();
            if let (Some(first), Some(last)) = (new.first(), new.last()) {
                records -= number(new.len());
                let (first, next) = (*first, *last + 1);
                batches.push(Batch { partition: *partition, first, next, records: number(new.len()) });
            }
        }
        batches
    }

    fn has_news(&self, slot: usize, records: u64) -> bool {
        let membership = self.processes[slot].as_ref().map(|process| &process.membership);
        let wished = membership.is_some_and(|membership| membership.lost || membership.wish.is_some());
        wished || !self.records(slot, records).is_empty()
    }

    fn poll(&mut self, slot: usize, records: u64) -> Fact {
        self.process(slot).inbox.clear();
        let membership = &mut self.process(slot).membership;
        if membership.lost {
            membership.told = true;
            self.count("lost");
            return Fact::Lost(self.process(slot).membership.assigned.iter().copied().collect());
        }
        membership.wish_told = membership.wish.is_some();
        match membership.wish.clone() {
            Some(Wish::Take(partitions)) => {
                self.count("revoked");
                if self.case.flaw == Some(Flaw::GivenAwayEarly) {
                    self.grant(slot, &partitions, false);
                }
                return Fact::Revoked(partitions);
            }
            Some(Wish::Give(partitions)) => return Fact::Assigned(partitions),
            None => {}
        }
        let batches = self.records(slot, records);
        for batch in &batches {
            self.process(slot).positions.entry(batch.partition).or_default().next = batch.next;
        }
        self.process(slot).inbox.clone_from(&batches);
        Fact::Polled(batches)
    }

    /// Whether all is over that was open at the first asking.
    fn settle(&mut self, slot: usize) -> Fact {
        let failure = |reason: &str| Fact::Failed(Failure { sort: Sort::Retriable, reason: reason.to_owned() });
        if self.case.flaw == Some(Flaw::NotSettled) {
            return Fact::Settled;
        }
        if !self.broker.up {
            return failure("the broker is down");
        }
        let logs = &self.broker.logs;
        let ends = || logs.iter().map(|(place, log)| (*place, log.end())).collect();
        let process = self.processes[slot].as_mut().expect("it asks");
        let ends: &Vec<_> = process.settling.get_or_insert_with(ends);
        if ends.iter().any(|(place, end)| logs[place].stable() < *end) {
            return failure("something is open");
        }
        Fact::Settled
    }

    fn restore(&mut self, slot: usize, partition: Partition, records: u64) -> Fact {
        let flaw = self.case.flaw;
        if !self.broker.up {
            return Fact::Failed(Failure { sort: Sort::Retriable, reason: "the broker is down".to_owned() });
        }
        let log = self.broker.log(Topic::State, partition).clone();
        let readable = if flaw == Some(Flaw::AbortedStateRestored) { log.end() } else { log.stable() };
        let end = if flaw == Some(Flaw::RestoreEndsEarly) { log.stable() } else { log.end() };
        let process = self.process(slot);
        let restored = process.restores.entry(partition).or_insert_with(|| Restore { end, ..Restore::default() });
        let mut read = 0;
        while restored.at < restored.end.min(readable) && read < records {
            let record = if flaw == Some(Flaw::AbortedStateRestored) {
                log.any(restored.at)
            } else {
                log.committed(restored.at)
            };
            if let Some(record) = record {
                let standing: Option<Standing> = restore(&mut restored.shard, record);
                restored.standing = standing.or(restored.standing.take());
            }
            restored.at += 1;
            read += 1;
        }
        let rest = if restored.at < restored.end {
            Rest::More
        } else {
            let whole = process.restores.remove(&partition).expect("it is being restored");
            if flaw != Some(Flaw::DirtyStateKept) || !process.shards.contains_key(&partition) {
                process.shards.insert(partition, whole.shard);
            }
            let told = process.told_commits.get(&partition).copied().flatten();
            Rest::End(flaw.map_or(whole.standing.clone(), |flaw| flaw.compare_nothing(told, whole.standing)))
        };
        Fact::Restored { partition, records: read, rest }
    }

    /// What the `state` topic of a partition restores to.
    pub fn restored(&mut self, partition: Partition) -> (super::toy::Shard, Option<Standing>) {
        let mut shard = super::toy::Shard::default();
        let mut standing = None;
        for (_, record) in self.broker.log(Topic::State, partition).all_committed() {
            standing = restore(&mut shard, record).or(standing);
        }
        (shard, standing)
    }

    /// The committed records of a topic's partition.
    pub fn committed(&mut self, topic: Topic, partition: Partition) -> Vec<(Offset, u64, Value)> {
        let log = self.broker.log(topic, partition);
        let stable = log.stable();
        let readable = log.all_committed().take_while(|(at, _)| *at < stable);
        readable.map(|(at, record)| (at, record.key, record.value.clone())).collect()
    }
}

impl Event {
    /// The process that an event happens in; what reaches the broker happens there.
    fn of_process(&self) -> Option<(usize, u64)> {
        match self {
            Event::Answer { slot, incarnation, .. }
            | Event::Retry { slot, incarnation, .. }
            | Event::Deadline { slot, incarnation, .. }
            | Event::Local { slot, incarnation, .. }
            | Event::Run { slot, incarnation }
            | Event::Beat { slot, incarnation }
            | Event::Joined { slot, incarnation, .. } => Some((*slot, *incarnation)),
            _ => None,
        }
    }
}
