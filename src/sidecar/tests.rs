//! The machine as data: facts in, the exact commands out.

mod ahead;

use super::{
    Batch, Command, Commit, Delivery, Diagnosis, Ending, Fact, Failure, Machine, Millis, Offset, Partition, Place,
    Positions, Rest, Settings, Sort, Stage, Standing, Tag,
};

const CALL: Millis = 2_000;
const IDLE: Command = Command::Poll { wait: 100, records: 1_024 };
const RETRY: Command = IDLE;
const SOON: Command = Command::Poll { wait: 0, records: 1_024 };

struct Worker {
    machine: Machine,
    now: Millis,
}

fn tag(tick: u64) -> Tag {
    Tag { incarnation: 7, tick }
}

fn commit(next: Offset, tick: u64) -> Commit {
    Commit { next, tag: Some(tag(tick)) }
}

fn standing(next: Offset, tick: u64) -> Standing {
    Standing { next, tag: tag(tick), positions: Positions(vec![5]) }
}

fn batch(partition: Partition, first: Offset, next: Offset) -> Batch {
    Batch { partition, first, next, records: u64::try_from(next - first).expect("forward") }
}

fn failed(sort: Sort) -> Fact {
    Fact::Failed(Failure { sort, reason: "made up".to_owned() })
}

fn send(records: &[(Partition, Offset)]) -> Command {
    let record = |(partition, next): &(Partition, Offset)| (*partition, standing(*next, 1));
    Command::Send { records: records.iter().map(record).collect(), within: CALL }
}

fn send_offsets(offsets: &[(Partition, Offset)]) -> Command {
    let offset = |(partition, next): &(Partition, Offset)| (*partition, commit(*next, 1));
    Command::SendOffsets { offsets: offsets.iter().map(offset).collect(), within: CALL }
}

fn fetch(partitions: &[Partition]) -> Command {
    Command::FetchCommitted { partitions: partitions.to_vec(), within: CALL }
}

const INIT: Command = Command::InitProducer { within: CALL };
const COMMIT: Command = Command::Commit { within: CALL };
const SETTLE: Command = Command::Settle { within: CALL };
const CLEAN: Fact = Fact::Committed { disturbed: false };

impl Worker {
    fn new(delivery: Delivery) -> Worker {
        let settings = Settings { delivery, incarnation: 7, ..Settings::default() };
        let mut worker = Worker { machine: Machine::new(settings), now: 1_000 };
        worker.check(Fact::RestrictionsRead(Positions(vec![5])), &[]);
        worker.check(Fact::Started, &[INIT]);
        let begin = [Command::ApplyRestrictions(Positions(vec![5])), IDLE];
        if delivery == Delivery::AtLeastOnce {
            worker.check(Fact::ProducerReady, &begin);
        } else {
            worker.check(Fact::ProducerReady, &[SETTLE]);
            assert!(!worker.machine.is_ready());
            worker.check(Fact::Settled, &begin);
        }
        worker
    }

    /// Another producer, beyond doubt.
    fn renewed(&mut self, expected: &[Command]) {
        self.check(Fact::ProducerReady, &[SETTLE]);
        self.check(Fact::Settled, expected);
    }

    /// One that decides on partitions 0 and 1, from offset 10.
    fn ready() -> Worker {
        let mut worker = Worker::new(Delivery::ExactlyOnce);
        worker.takes_over();
        worker
    }

    fn takes_over(&mut self) {
        let both = vec![0, 1];
        let commits = vec![(0, None), (1, None)];
        self.check(
            Fact::Assigned(both.clone()),
            &[Command::Assign(both.clone()), Command::Pause(both.clone()), fetch(&both)],
        );
        self.check(Fact::CommittedOffsets(commits), &[SOON]);
        for partition in [0, 1] {
            let wait = if partition == 1 { IDLE } else { SOON };
            let restore = Command::Restore { partition, records: 20_000 };
            self.check(Fact::Polled(vec![]), &[restore]);
            self.check(Fact::Restored { partition, records: 0, rest: Rest::End(None) }, &[SOON]);
            let seek = Command::Seek { partition, to: Place::Beginning, within: CALL };
            self.check(Fact::Polled(vec![]), &[seek]);
            self.check(Fact::Sought { partition, at: 10 }, &[Command::Resume(vec![partition]), wait]);
        }
    }

    /// A tick of both partitions whose bytes are about to be sent.
    fn sending(&mut self) {
        let batches = vec![batch(0, 10, 14), batch(1, 10, 12)];
        self.check(Fact::Polled(batches.clone()), &[Command::Decide(batches)]);
        self.check(Fact::Decided, &[Command::Begin]);
        self.check(Fact::Begun, &[Command::Poll { wait: 50, records: 1_024 }]);
        self.now += 50;
        self.check(Fact::Polled(vec![]), &[send(&[(0, 14), (1, 12)])]);
    }

    fn committing(&mut self) {
        self.sending();
        self.check(Fact::Delivered, &[send_offsets(&[(0, 14), (1, 12)])]);
        self.check(Fact::OffsetsSent, &[COMMIT]);
    }

    #[track_caller]
    fn check(&mut self, fact: Fact, expected: &[Command]) {
        let said = format!("{fact:?}");
        let mut commands = Vec::new();
        self.machine.step(self.now, fact, &mut commands);
        assert_eq!(commands, expected, "after {said}");
    }
}

#[test]
fn a_takeover_pauses_initialises_locates_restores_seeks_and_resumes() {
    let worker = Worker::ready();
    assert!(worker.machine.is_ready());
}

#[test]
fn a_tick_is_one_transaction() {
    let mut worker = Worker::ready();
    worker.committing();
    worker.check(CLEAN, &[Command::Release(1), IDLE]);
}

#[test]
fn what_was_delivered_before_is_not_decided_again() {
    let mut worker = Worker::ready();
    worker.check(Fact::Polled(vec![batch(0, 6, 10)]), &[IDLE]);
    let rest = Command::Decide(vec![Batch { records: 6, ..batch(0, 10, 14) }]);
    worker.check(Fact::Polled(vec![Batch { records: 6, ..batch(0, 8, 14) }]), &[rest]);
}

#[test]
fn after_an_abort_the_same_bytes_are_sent_again() {
    let mut worker = Worker::ready();
    worker.sending();
    worker.check(failed(Sort::Abort), &[Command::Pause(vec![0, 1]), INIT]);
    worker.renewed(&[fetch(&[0, 1])]);
    worker.check(Fact::CommittedOffsets(vec![(0, None), (1, None)]), &[Command::Begin]);
    worker.check(Fact::Begun, &[send(&[(0, 14), (1, 12)])]);
}

/// A transaction that the broker calls over, and whose end it has lost, would end with the next one (KAFKA-20734).
#[test]
fn nothing_is_sent_before_all_that_was_open_shows_as_over() {
    let mut worker = Worker::ready();
    worker.sending();
    worker.check(failed(Sort::Abort), &[Command::Pause(vec![0, 1]), INIT]);
    worker.check(Fact::ProducerReady, &[SETTLE]);
    for _ in 0..100 {
        worker.check(failed(Sort::Retriable), &[RETRY]);
        worker.check(Fact::Polled(vec![]), &[SETTLE]);
    }
    worker.check(Fact::Settled, &[fetch(&[0, 1])]);
}

/// The next poll takes the place of what the last one brought, so nothing waits for a transaction undecided.
#[test]
fn a_tick_whose_transaction_cannot_begin_is_sent_by_the_next_producer() {
    let mut worker = Worker::ready();
    worker.check(Fact::Polled(vec![batch(0, 10, 14)]), &[Command::Decide(vec![batch(0, 10, 14)])]);
    worker.check(Fact::Decided, &[Command::Begin]);
    worker.check(failed(Sort::Fatal), &[Command::Pause(vec![0, 1]), RETRY]);
    worker.check(Fact::Polled(vec![]), &[INIT]);
    worker.renewed(&[fetch(&[0])]);
    worker.check(Fact::CommittedOffsets(vec![(0, None)]), &[Command::Begin]);
    worker.check(Fact::Begun, &[send(&[(0, 14)])]);
}

#[test]
fn a_retriable_failure_asks_the_same_again() {
    let mut worker = Worker::ready();
    worker.committing();
    worker.check(failed(Sort::Retriable), &[COMMIT]);
    worker.check(CLEAN, &[Command::Release(1), IDLE]);
}

/// KAFKA-17754: what ended a transaction slowly may end the next one too.
#[test]
fn after_a_slow_commit_comes_another_producer() {
    for (wait, disturbed) in [(1_001, false), (1, true)] {
        let mut worker = Worker::ready();
        worker.committing();
        worker.now += wait;
        worker.check(Fact::Committed { disturbed }, &[Command::Pause(vec![0, 1]), INIT]);
        worker.renewed(&[fetch(&[0, 1])]);
        let found = vec![(0, Some(commit(14, 1))), (1, Some(commit(12, 1)))];
        worker.check(Fact::CommittedOffsets(found), &[Command::Release(1), Command::Resume(vec![0, 1]), IDLE]);
    }
}

#[test]
fn a_commit_of_unknown_outcome_is_judged_by_the_stable_offsets() {
    let other = Some(Commit { next: 14, tag: Some(Tag { incarnation: 8, tick: 1 }) });
    let drop = [Command::Pause(vec![0, 1]), Command::DropState(0), Command::DropState(1), fetch(&[0, 1])];
    for (found, expected) in [
        // As before: not committed.
        ([None, None], [Command::Begin].as_slice()),
        // One is ours and one is not, or somebody else's tick came equally far: in doubt.
        ([Some(commit(14, 1)), None], &drop),
        ([other, other], &drop),
    ] {
        let mut worker = Worker::ready();
        worker.committing();
        worker.check(failed(Sort::Unknown), &[Command::Pause(vec![0, 1]), RETRY]);
        worker.check(Fact::Polled(vec![]), &[INIT]);
        worker.renewed(&[fetch(&[0, 1])]);
        worker.check(Fact::CommittedOffsets(vec![(0, found[0]), (1, found[1])]), expected);
    }
}

#[test]
fn refused_offsets_put_the_partitions_in_doubt() {
    let mut worker = Worker::ready();
    worker.sending();
    worker.check(Fact::Delivered, &[send_offsets(&[(0, 14), (1, 12)])]);
    let expected = [Command::Pause(vec![0, 1]), Command::DropState(0), Command::DropState(1), INIT];
    worker.check(failed(Sort::Abort), &expected);
    worker.renewed(&[fetch(&[0, 1])]);
}

#[test]
fn a_tick_is_taken_in_pieces_to_its_last_record() {
    let mut worker = Worker::ready();
    let mut next = 10;
    for (records, then) in [(1_024, 1_024), (1_024, 1_024), (14_288, 48), (47, 1)] {
        let piece = batch(0, next, next + records);
        next += records;
        worker.check(Fact::Polled(vec![piece]), &[Command::Decide(vec![piece])]);
        let poll = Command::Poll { wait: 50, records: then };
        if next == 1_034 {
            worker.check(Fact::Decided, &[Command::Begin]);
            worker.check(Fact::Begun, &[poll]);
        } else {
            worker.check(Fact::Decided, &[poll]);
        }
    }
    let last = batch(0, next, next + 1);
    worker.check(Fact::Polled(vec![last]), &[Command::Decide(vec![last])]);
    worker.check(Fact::Decided, &[send(&[(0, next + 1)])]);
}

#[test]
fn a_revoked_partition_is_given_away_after_its_tick() {
    let mut worker = Worker::ready();
    worker.check(Fact::Polled(vec![batch(0, 10, 14)]), &[Command::Decide(vec![batch(0, 10, 14)])]);
    worker.check(Fact::Decided, &[Command::Begin]);
    worker.check(Fact::Begun, &[Command::Poll { wait: 50, records: 1_024 }]);
    worker.check(Fact::Revoked(vec![0]), &[send(&[(0, 14)])]);
    worker.check(Fact::Delivered, &[send_offsets(&[(0, 14)])]);
    worker.check(Fact::OffsetsSent, &[COMMIT]);
    worker.check(CLEAN, &[Command::Release(1), Command::DropState(0), Command::Unassign(vec![0]), IDLE]);
}

#[test]
fn of_a_lost_partition_nothing_is_committed() {
    let mut worker = Worker::ready();
    let batches = vec![batch(0, 10, 14), batch(1, 10, 12)];
    worker.check(Fact::Polled(batches.clone()), &[Command::Decide(batches)]);
    worker.check(Fact::Decided, &[Command::Begin]);
    worker.check(Fact::Begun, &[Command::Poll { wait: 50, records: 1_024 }]);
    let expected = [Command::DropState(0), Command::Unassign(vec![0]), Command::Pause(vec![1]), INIT];
    worker.check(Fact::Lost(vec![0]), &expected);
    worker.renewed(&[fetch(&[1])]);
    worker.check(Fact::CommittedOffsets(vec![(1, None)]), &[Command::Begin]);
    worker.check(Fact::Begun, &[send(&[(1, 12)])]);
}

#[test]
fn restrictions_are_applied_between_ticks() {
    let mut worker = Worker::ready();
    worker.sending();
    worker.check(Fact::RestrictionsRead(Positions(vec![9])), &[]);
    worker.check(Fact::Delivered, &[send_offsets(&[(0, 14), (1, 12)])]);
    worker.check(Fact::OffsetsSent, &[COMMIT]);
    worker.check(CLEAN, &[Command::Release(1), Command::ApplyRestrictions(Positions(vec![9])), IDLE]);
}

#[test]
fn nothing_is_decided_before_the_restrictions_that_the_last_owner_knew() {
    let mut worker = Worker::new(Delivery::ExactlyOnce);
    let assigned = [Command::Assign(vec![0]), Command::Pause(vec![0]), fetch(&[0])];
    worker.check(Fact::Assigned(vec![0]), &assigned);
    worker.check(Fact::CommittedOffsets(vec![(0, Some(commit(10, 3)))]), &[SOON]);
    worker.check(Fact::Polled(vec![]), &[Command::Restore { partition: 0, records: 20_000 }]);
    let known = Standing { positions: Positions(vec![8]), ..standing(10, 3) };
    worker.check(Fact::Restored { partition: 0, records: 4, rest: Rest::End(Some(known)) }, &[IDLE]);
    worker.check(Fact::Polled(vec![]), &[IDLE]);
    worker.check(Fact::RestrictionsRead(Positions(vec![8])), &[]);
    let seek = Command::Seek { partition: 0, to: Place::Committed(10), within: CALL };
    worker.check(Fact::Polled(vec![]), &[Command::ApplyRestrictions(Positions(vec![8])), seek]);
}

#[test]
fn offsets_and_state_that_stay_apart_stop_the_worker() {
    let mut worker = Worker::new(Delivery::ExactlyOnce);
    let assigned = [Command::Assign(vec![0]), Command::Pause(vec![0]), fetch(&[0])];
    worker.check(Fact::Assigned(vec![0]), &assigned);
    let (offset, state) = (commit(10, 3), standing(12, 4));
    let restored = Fact::Restored { partition: 0, records: 4, rest: Rest::End(Some(state.clone())) };
    for _ in 0..2 {
        worker.check(Fact::CommittedOffsets(vec![(0, Some(offset))]), &[SOON]);
        worker.check(Fact::Polled(vec![]), &[Command::Restore { partition: 0, records: 20_000 }]);
        worker.check(restored.clone(), &[Command::DropState(0), RETRY]);
        worker.check(Fact::Polled(vec![]), &[fetch(&[0])]);
        worker.now += 15_000;
    }
    worker.check(Fact::CommittedOffsets(vec![(0, Some(offset))]), &[SOON]);
    worker.check(Fact::Polled(vec![]), &[Command::Restore { partition: 0, records: 20_000 }]);
    let torn = Diagnosis::Torn { partition: 0, commit: Some(offset), standing: Some(state) };
    worker.check(restored, &[Command::Stop(Ending::Diagnosis(torn))]);
}

#[test]
fn sigterm_commits_the_open_tick_and_leaves() {
    let mut worker = Worker::ready();
    worker.check(Fact::Polled(vec![batch(0, 10, 14)]), &[Command::Decide(vec![batch(0, 10, 14)])]);
    worker.check(Fact::ShutdownAsked, &[]);
    worker.check(Fact::Decided, &[Command::Begin]);
    worker.check(Fact::Begun, &[send(&[(0, 14)])]);
    worker.check(Fact::Delivered, &[send_offsets(&[(0, 14)])]);
    worker.check(Fact::OffsetsSent, &[COMMIT]);
    worker.check(CLEAN, &[Command::Release(1), Command::Leave { within: CALL }]);
    worker.check(Fact::Left, &[Command::Stop(Ending::Drained)]);
}

#[test]
fn sigterm_does_not_wait_for_a_broker_that_is_gone() {
    let mut worker = Worker::ready();
    worker.committing();
    worker.check(Fact::ShutdownAsked, &[]);
    worker.now += 3_000;
    worker.check(failed(Sort::Retriable), &[Command::Commit { within: 1_500 }]);
    worker.now += 1_500;
    worker.check(failed(Sort::Retriable), &[Command::Stop(Ending::DrainCut)]);
}

#[test]
fn a_fenced_producer_stops_unless_its_transaction_timed_out() {
    let mut worker = Worker::ready();
    worker.committing();
    let fenced = Diagnosis::Fenced { reason: "made up".to_owned() };
    worker.check(failed(Sort::Fenced), &[Command::Stop(Ending::Diagnosis(fenced))]);

    let mut worker = Worker::ready();
    worker.committing();
    worker.now += 10_000;
    worker.check(failed(Sort::Fenced), &[Command::Pause(vec![0, 1]), RETRY]);
}

#[test]
fn what_cannot_come_stops_the_worker_and_names_itself() {
    let mut worker = Worker::ready();
    worker.sending();
    let illegal = Diagnosis::Illegal { stage: Stage::Sending, fact: "OffsetsSent".to_owned() };
    assert_eq!(illegal.to_string(), "a bug of kuzet, please report it: OffsetsSent cannot come while Sending");
    worker.check(Fact::OffsetsSent, &[Command::Stop(Ending::Diagnosis(illegal))]);
    worker.check(Fact::Delivered, &[]);
}

#[test]
fn without_transactions_offsets_are_committed_after_the_bytes() {
    let mut worker = Worker::new(Delivery::AtLeastOnce);
    worker.takes_over();
    worker.check(Fact::Polled(vec![batch(0, 10, 14)]), &[Command::Decide(vec![batch(0, 10, 14)])]);
    worker.now += 50;
    worker.check(Fact::Decided, &[send(&[(0, 14)])]);
    let offsets = vec![(0, commit(14, 1))];
    worker.check(Fact::Delivered, &[Command::CommitOffsets { offsets, within: CALL }]);
    worker.check(Fact::OffsetsCommitted, &[Command::Release(1), IDLE]);
}
