//! The next tick, decided while the last one ends.

use super::*;
use crate::limits;

const AHEAD: Command = Command::Poll { wait: 0, records: 1_024 };
const NOW: Command = Command::Await { wait: 0 };
const LATER: Command = Command::Await { wait: 100 };

fn send_second(records: &[(Partition, Offset)], position: Offset) -> Command {
    let positions = Positions(vec![position]);
    let record = |(partition, next): &(Partition, Offset)| {
        (*partition, Standing { next: *next, tag: tag(2), positions: positions.clone() })
    };
    Command::Send { records: records.iter().map(record).collect(), within: CALL }
}

impl Worker {
    /// Committing, and partition 0 is decided ahead up to offset 20.
    fn ahead(&mut self) {
        self.sending();
        self.check(Fact::Underway, &[AHEAD]);
        self.check(Fact::Polled(vec![batch(0, 14, 20)]), &[Command::DecideAhead(vec![batch(0, 14, 20)])]);
        self.check(Fact::Decided, &[NOW]);
        self.check(Fact::Delivered, &[send_offsets(&[(0, 14), (1, 12)])]);
        self.check(Fact::OffsetsSent, &[COMMIT]);
    }

    /// The same, and with partition 1 up to offset 13 the tick that is ahead is full.
    fn full_ahead(&mut self) {
        self.ahead();
        self.check(Fact::Underway, &[AHEAD]);
        // Records that weigh as much as all that a tick may hold.
        let full = Batch { records: limits::TICK_RECORDS, ..batch(1, 12, 13) };
        self.check(Fact::Polled(vec![full]), &[Command::DecideAhead(vec![full])]);
        self.check(Fact::Decided, &[NOW]);
    }
}

#[test]
fn the_next_tick_is_decided_while_the_last_one_ends() {
    let mut worker = Worker::ready();
    worker.ahead();
    worker.check(Fact::Underway, &[AHEAD]);
    worker.check(Fact::Polled(vec![]), &[Command::Await { wait: 2 }]);
    worker.check(Fact::Underway, &[AHEAD]);
    worker.check(Fact::Polled(vec![batch(1, 12, 13)]), &[Command::DecideAhead(vec![batch(1, 12, 13)])]);
    worker.check(Fact::Decided, &[NOW]);
    worker.check(CLEAN, &[Command::Release(1), Command::Begin]);
    worker.check(Fact::Begun, &[Command::Poll { wait: 50, records: 1_024 }]);
    worker.now += 50;
    worker.check(Fact::Polled(vec![]), &[send_second(&[(0, 20), (1, 13)], 5)]);
}

/// Its bytes wait for the transaction then, and not the other way round.
#[test]
fn a_tick_that_is_full_is_sealed_while_the_last_one_ends() {
    let mut worker = Worker::ready();
    worker.full_ahead();
    let sealed = |partition, next| {
        let standing = Standing { next, tag: tag(2), positions: Positions(vec![5]) };
        Command::SealAhead { partition, standing }
    };
    worker.check(Fact::Underway, &[sealed(0, 20), NOW]);
    worker.check(Fact::Underway, &[sealed(1, 13), NOW]);
    worker.check(Fact::Underway, &[LATER]);
    worker.check(CLEAN, &[Command::Release(1), Command::Begin]);
    worker.check(Fact::Begun, &[send_second(&[(0, 20), (1, 13)], 5)]);
}

#[test]
fn a_commit_is_not_kept_waiting_for_what_is_sealed_ahead() {
    let mut worker = Worker::ready();
    worker.full_ahead();
    worker.check(CLEAN, &[Command::Release(1), Command::Begin]);
    worker.check(Fact::Begun, &[send_second(&[(0, 20), (1, 13)], 5)]);
}

/// What the bytes of the tick say that ends, they said before.
#[test]
fn restrictions_count_for_what_is_decided_ahead() {
    let mut worker = Worker::ready();
    worker.sending();
    worker.check(Fact::RestrictionsRead(Positions(vec![9])), &[]);
    worker.check(Fact::Underway, &[AHEAD]);
    let decide = Command::DecideAhead(vec![batch(0, 14, 20)]);
    let expected = [Command::ApplyRestrictions(Positions(vec![9])), decide];
    worker.check(Fact::Polled(vec![batch(0, 14, 20)]), &expected);
    worker.check(Fact::RestrictionsRead(Positions(vec![12])), &[]);
    worker.check(Fact::Decided, &[NOW]);
    worker.check(Fact::Underway, &[AHEAD]);
    // One tick has one place in the restrictions.
    worker.check(Fact::Polled(vec![batch(0, 20, 21)]), &[Command::DecideAhead(vec![batch(0, 20, 21)])]);
    worker.check(Fact::Decided, &[NOW]);
    worker.check(failed(Sort::Abort), &[Command::Pause(vec![0, 1]), INIT]);
    worker.renewed(&[fetch(&[0, 1])]);
    worker.check(Fact::CommittedOffsets(vec![(0, None), (1, None)]), &[Command::Begin]);
    worker.check(Fact::Begun, &[send(&[(0, 14), (1, 12)])]);
    worker.check(Fact::Underway, &[LATER]);
    worker.check(Fact::Delivered, &[send_offsets(&[(0, 14), (1, 12)])]);
    worker.check(Fact::OffsetsSent, &[COMMIT]);
    worker.check(CLEAN, &[Command::Release(1), Command::Begin]);
    // All partitions are still paused: nothing more is gathered.
    worker.check(Fact::Begun, &[send_second(&[(0, 21)], 9)]);
}

#[test]
fn what_was_decided_ahead_goes_with_the_tick_that_it_rests_upon() {
    let mut worker = Worker::ready();
    worker.ahead();
    worker.check(failed(Sort::Unknown), &[Command::Pause(vec![0, 1]), RETRY]);
    worker.check(Fact::Polled(vec![]), &[INIT]);
    worker.renewed(&[fetch(&[0, 1])]);
    let doubt = Fact::CommittedOffsets(vec![(0, Some(commit(14, 1))), (1, None)]);
    let both = [Command::Pause(vec![0, 1]), Command::DropState(0), Command::DropState(1)];
    let ahead = [Command::Pause(vec![0]), Command::DropState(0), fetch(&[0, 1])];
    worker.check(doubt, &[both.as_slice(), &ahead].concat());
}

#[test]
fn a_commit_that_turns_out_well_lets_the_next_tick_go_on() {
    let mut worker = Worker::ready();
    worker.ahead();
    worker.check(failed(Sort::Unknown), &[Command::Pause(vec![0, 1]), RETRY]);
    worker.check(Fact::Polled(vec![]), &[INIT]);
    worker.renewed(&[fetch(&[0, 1])]);
    let found = Fact::CommittedOffsets(vec![(0, Some(commit(14, 1))), (1, Some(commit(12, 1)))]);
    worker.check(found, &[Command::Release(1), Command::Begin]);
    worker.check(Fact::Begun, &[send_second(&[(0, 20)], 5)]);
    // What stood before it is what the last one committed.
    worker.check(failed(Sort::Abort), &[INIT]);
    worker.renewed(&[fetch(&[0])]);
    worker.check(Fact::CommittedOffsets(vec![(0, Some(commit(14, 1)))]), &[Command::Begin]);
}

#[test]
fn a_wish_that_comes_meanwhile_is_granted_when_its_ticks_are_over() {
    let mut worker = Worker::ready();
    worker.ahead();
    worker.check(Fact::Underway, &[AHEAD]);
    worker.check(Fact::Revoked(vec![0]), &[LATER]);
    worker.check(Fact::Underway, &[LATER]);
    worker.check(CLEAN, &[Command::Release(1), Command::Begin]);
    worker.check(Fact::Begun, &[send_second(&[(0, 20)], 5)]);
    let offsets = vec![(0, commit(20, 2))];
    worker.check(Fact::Delivered, &[Command::SendOffsets { offsets, within: CALL }]);
    worker.check(Fact::OffsetsSent, &[COMMIT]);
    worker.check(CLEAN, &[Command::Release(2), Command::DropState(0), Command::Unassign(vec![0]), IDLE]);
}

#[test]
fn of_a_partition_that_is_lost_meanwhile_nothing_more_is_committed() {
    let mut worker = Worker::ready();
    worker.ahead();
    worker.check(Fact::Underway, &[AHEAD]);
    worker.check(Fact::Lost(vec![0]), &[LATER]);
    worker.check(CLEAN, &[Command::Release(1), Command::Begin]);
    let expected = [Command::DropState(0), Command::Unassign(vec![0]), Command::Pause(vec![1]), INIT];
    worker.check(Fact::Begun, &expected);
}

#[test]
fn sigterm_commits_what_was_decided_ahead_too() {
    let mut worker = Worker::ready();
    worker.ahead();
    worker.check(Fact::ShutdownAsked, &[]);
    worker.check(Fact::Underway, &[LATER]);
    worker.check(CLEAN, &[Command::Release(1), Command::Begin]);
    worker.check(Fact::Begun, &[send_second(&[(0, 20)], 5)]);
}
