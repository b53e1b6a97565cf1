//! Every bound of the engine in one place, each with its unit and why it is what it is.
//!
//! A bound that leans on another says so in a `const` assertion beside it, so that changing one without the
//! other does not build. Bounds that a pack or a flag may change are only defaults here.

/// Longest record in bytes, without its line end (spec, section 10).
pub const RECORD_BYTES: usize = 65_536;
/// Deepest nesting of a record; the record itself is level 1 (spec, section 10).
pub const RECORD_DEPTH: usize = 16;
/// Longest event id in bytes.
pub const ID_BYTES: usize = 128;
/// Longest wallet in bytes.
pub const WALLET_BYTES: usize = 64;
/// Digits of an amount before the point and after it.
pub const AMOUNT_WHOLE_DIGITS: usize = 16;
pub const AMOUNT_FRACTION_DIGITS: usize = 2;
/// Largest amount and largest absolute balance, in minor units (10^15 of the currency).
pub const AMOUNT_MINOR_MAX: i64 = 100_000_000_000_000_000;
/// Digits of a number in `attributes` before the point and after it.
pub const ATTRIBUTE_WHOLE_DIGITS: usize = 16;
pub const ATTRIBUTE_FRACTION_DIGITS: usize = 6;

/// Events that one key of a measure may hold; past that the oldest go and decisions say `capped`.
pub const WINDOW_EVENTS: usize = 1 << 20;
/// Waiting operations that are remembered of one wallet.
pub const WAITING: usize = 64;

/// Addresses whose restrictions are kept although they have run out; past that those go which only a repeat of an
/// event from before `max_past` could ask about.
pub const ADDRESSES: usize = 1 << 20;

/// How far behind the newest event of its wallet an event may come without the flag `late`, in ms.
pub const LATENESS_MS: i64 = 5 * 60 * 1_000;
/// How long a wallet's event ids are remembered, in ms of event time.
pub const DEDUP_MS: i64 = 60 * 60 * 1_000;
/// How far an event's time may lie ahead of its record's own timestamp, in ms.
pub const MAX_FUTURE_MS: i64 = 5 * 60 * 1_000;
/// How far an event's time may lie behind its record's own timestamp, in ms.
pub const MAX_PAST_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// Longest pack or list file in bytes.
pub const PACK_BYTES: usize = 8 * 1024 * 1024;
/// Longest condition in bytes, checked before any parser sees it (spec, section 10).
pub const CONDITION_BYTES: usize = 1_024;
/// Height of a condition's tree and open brackets in it: whoever walks it needs no more stack than that. CEL asks
/// every implementation for 12 nested calls and 24 operators in a row.
pub const CONDITION_DEPTH: usize = 32;
/// Compiled size of one `matches` pattern in bytes, which bounds the time that a long text can take: 7 ms was the
/// worst found for a text as long as a record.
pub const PATTERN_BYTES: usize = 256 * 1024;
/// Nesting of groups in a `matches` pattern.
pub const PATTERN_DEPTH: u32 = 32;
/// Event types, rules, restrictions, units, lists of all loaded packs together.
pub const TYPES: usize = 256;
pub const RULES: usize = 16_384;
pub const RESTRICTIONS: usize = 256;
pub const UNITS: usize = 64;
pub const LISTS: usize = 256;
/// From how many different conditions of one event type on they are found by an index. Fewer are asked one by one, so that
/// packs as small as the default one pay nothing for it.
pub const INDEXED_CONDITIONS: usize = 24;
/// Packs that are loaded together, those that `uses` brings among them.
pub const PACKS: usize = 64;
/// Longest name of a pack, rule, restriction, type, unit or list, in bytes.
pub const NAME_BYTES: usize = 128;
/// Longest clause, title, note or status of a pack, in bytes.
pub const PACK_TEXT_BYTES: usize = 1_024;
/// Dates from which a unit has another worth.
pub const UNIT_DATES: usize = 1_024;
/// Longest entry of a list in bytes.
pub const LIST_ENTRY_BYTES: usize = 1_024;
/// Syntax errors that are told of one pack; a file of garbage has one a line.
pub const SYNTAX_ERRORS: usize = 1_000;
/// Events of one example of a rule, repeats counted, and of all examples that are loaded together.
pub const EXAMPLE_EVENTS: usize = 10_000;
pub const EXAMPLES_EVENTS: usize = 1 << 18;
/// Highest score of a rule and of a decision.
pub const SCORE: u16 = 1_000;

/// What a file reader holds, in bytes: a record that is not yet whole, and one read after it. So little that it stays in a
/// core's cache beside the state, whose lines it would push out.
pub const READ_BYTES: usize = 192 * 1024;
/// What sorting gathers in memory before it spills, in bytes, unless a flag says otherwise.
pub const SORT_BYTES: usize = 64 * 1024 * 1024;
/// What a range of a topic may hold of records that were fetched ahead, in KiB, over all partitions and at least for each; and
/// records and bytes that are taken of one partition at a time.
pub const TOPIC_QUEUE_KIB: usize = 64 * 1024;
pub const TOPIC_QUEUE_LEAST_KIB: usize = 1024;
pub const TOPIC_RECORDS: usize = 512;
pub const TOPIC_BYTES: usize = 1024 * 1024;
/// Decisions of a topic that wait for their records while they are verified, and records of `restrictions` that are held for it.
pub const VERIFY_HELD: usize = 1 << 20;
/// Runs that are merged at once, and what is read of each at a time, in bytes: with what undoes the compression, 25 MiB.
pub const SORT_RUNS: usize = 64;
pub const SORT_READ_BYTES: usize = 64 * 1024;
/// What an output gathers before it writes, in bytes.
pub const WRITE_BYTES: usize = 256 * 1024;
/// Records that `replay` hands from one thread to the other at once: enough that a hand-over, a few µs, is a hundredth of
/// the work on them, and so few that what the two threads share stays in a core's cache.
pub const BATCH_RECORDS: usize = 256;
/// Bytes of records past which a batch is handed over although it has fewer.
pub const BATCH_BYTES: usize = 64 * 1024;
/// Batches in all: one that is being filled, one that is being decided on, one that is being written, and one more, so
/// that neither thread waits when the other is held up for the time of a batch.
pub const BATCHES: usize = 4;
/// Rows of decisions, and bytes of their texts, that gather before they are written to a table at once.
pub const TABLE_ROWS: usize = 1 << 15;
pub const TABLE_BYTES: usize = 16 * 1024 * 1024;
/// Longest mapping file in bytes.
pub const MAPPING_BYTES: usize = 1024 * 1024;
/// Columns that a mapping joins to one field.
pub const MAPPED_PARTS: usize = 256;
/// Columns of one row of CSV.
pub const CSV_COLUMNS: usize = 4_096;
/// Different reasons, and different skipped values, that a summary tells apart; the rest is one figure.
pub const SUMMARY_REASONS: usize = 64;
/// Flagged decisions that a summary tells in plain words.
pub const SUMMARY_FLAGGED: usize = 10;
/// Events that share a key with one that is explained, and are kept; some hundred replays of them take seconds.
pub const EXPLAIN_EVENTS: usize = 1 << 14;
/// Values of one sweep, and of all sweeps of a replay: each may need restrictions and windows of its own.
pub const SWEEP_VALUES: usize = 1_000;
/// Wallets of which a swept value accepts other operations, noted one by one; with more of them, all count as such.
pub const PARTED_WALLETS: usize = 1 << 17;
/// Changed decisions that a comparison tells of each kind.
pub const COMPARE_EXAMPLES: usize = 3;
/// Buckets of a report's decisions over time: about as many bars as a screen can show.
pub const REPORT_BUCKETS: usize = 240;
/// Wallets whose decisions a report counts exactly, at some 100 bytes each; past that its figures are lower bounds.
pub const REPORT_WALLETS: usize = 1 << 18;
/// Wallets that a report names.
pub const REPORT_WALLETS_SHOWN: usize = 20;
/// Wallets that a summary counts one by one, at 8 bytes each; past that it says "more than".
pub const SUMMARY_WALLETS: usize = 1 << 26;

/// Largest batch that `operations` may hold, in bytes: Kafka's own default, which a single record may fill.
pub const OPERATION_BATCH_BYTES: i64 = 1_048_588;
/// Largest batch that `dead-letters` must take, in bytes, and largest record of our producers: whatever `operations`
/// let in, with its diagnosis, goes out again.
pub const DEAD_LETTER_BATCH_BYTES: i64 = 2 * 1024 * 1024;
/// Key and value of a dead letter that are sent whole, in bytes; of longer ones the beginning is, and says so. A batch of
/// `operations` is bounded as it was compressed, so what was in it may be much longer.
pub const DEAD_LETTER_BYTES: usize = 1024 * 1024 + 64 * 1024;
/// Longest decision in bytes that is sent.
pub const DECISION_BYTES: usize = 768 * 1024;
/// Longest body of one record of `state`, in bytes; what is longer goes in parts, so that no record of a wallet comes near
/// the largest that a topic takes, and a change of something long writes little more than what has changed.
pub const STATE_PART_BYTES: usize = 16 * 1024;
/// Longest record of `state`, key, value and seal together.
pub const STATE_RECORD_BYTES: usize = STATE_PART_BYTES + 128;
/// Records that a producer holds before it refuses more, in KiB.
pub const PRODUCER_QUEUE_KIB: i64 = 64 * 1024;
/// How long a tick gathers records, in ms, and how many at most: what one Kafka transaction holds of the input. The time sets
/// the pace: the bound is more than a worker decides on in it, so that one that is behind writes larger transactions, of
/// which each record costs less, and catches up. It bounds memory alone: that of two ticks, for one is decided while the other
/// ends.
pub const TICK_MS: u64 = 50;
pub const TICK_RECORDS: u64 = 16_384;
/// Bytes past which what a tick makes of a partition goes on in another bundle, so that one is as good as another for whatever
/// comes next.
pub const BUNDLE_BYTES: usize = 128 * 1024;
/// Bytes of bundles that a worker keeps for its next ticks: of two full ones, with a decision and some state for each record.
pub const SPARE_BYTES: usize = 32 * 1024 * 1024;
/// Records of one poll at most: while librdkafka sends what was decided on, the next are decided on, so that the two cost as
/// much as the longer one. Fewer would make smaller batches of the wire, more would leave it idle for longer.
pub const POLL_RECORDS: u64 = 1_024;
/// How many bytes of the input count as one more record of a tick, so that large records do not fill the memory: a tick
/// holds at most 64 MiB of them.
pub const TICK_RECORD_BYTES: usize = 4 * 1024;
/// `transaction.timeout.ms`, as Kafka Streams has it: how long a dead worker's open transaction holds readers up.
pub const TRANSACTION_TIMEOUT_MS: u64 = 10_000;
/// `session.timeout.ms`: how long a dead worker keeps its partitions.
pub const SESSION_TIMEOUT_MS: u64 = 10_000;
/// A commit or abort that took longer than this in ms may have been sent twice (KAFKA-17754).
pub const SLOW_END_MS: u64 = 1_000;
/// How long a worker that has nothing to decide waits for the end of a transaction before it looks for records again, in ms.
pub const AWAIT_MS: u64 = 2;
/// How long a poll waits without work, and after a call that failed retriably, in ms.
pub const IDLE_POLL_MS: u64 = 100;
pub const RETRY_POLL_MS: u64 = 100;
/// The longest that one call to Kafka may take, in ms; between calls the group is polled.
pub const CALL_MS: u64 = 2_000;
/// How long after SIGTERM a worker is over, in ms; the process has 5 s.
pub const DRAIN_MS: u64 = 4_500;
/// Records of `state` in one slice of a restore, between which ticks and polls go on.
pub const RESTORE_SLICE: u64 = 20_000;
/// Records of `state` of one partition, repeats of a key that are not yet compacted among them. At 16 KiB a record
/// this is more than any host holds: it stops a restore that would never end.
pub const RESTORE_RECORDS: u64 = 1 << 28;
/// How often a tick's bytes are sent before its state is dropped and restored.
pub const SENDS: u32 = 5;
/// How many ticks and producers in a row may be given up without one tick committed before the worker stops.
pub const FAILURES: u32 = 20;
/// How often offsets and state of a partition must contradict each other before the worker stops.
pub const CONTRADICTIONS: u32 = 3;
/// Partitions of one worker.
pub const WORKER_PARTITIONS: usize = 1_024;

/// Longest decision in bytes that opens a group, and is kept until its window is over; a longer one is alerted on alone.
pub const ALERT_SEED_BYTES: usize = 64 * 1024;
/// Alerts that wait for one endpoint, and bytes of their bodies: what an endpoint that is dead may cost of the memory. Past
/// that its alerts go to `alerts-failed`, and nobody else's do.
pub const ALERT_QUEUE: usize = 50_000;
pub const ALERT_QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// Alerts that one checkpoint of `kuzet alert` saves, and as many that it gives up. Groups that have grown come besides: as many as
/// decisions were read since the last checkpoint, at most.
pub const ALERT_CHECKPOINT: usize = 500;
/// Characters of the reason that an alert was given up for.
pub const ALERT_REASON_CHARACTERS: usize = 300;

// A whole record with its line end, and the byte that proves it too long, fit beside a read of some size.
const _: () = assert!(READ_BYTES >= 2 * (RECORD_BYTES + 2));
// Each thread has a batch in hand while a third is under way.
const _: () = assert!(BATCHES >= 3);
// Places in a batch's text are 32 bits wide: its last record, and that record's texts without escapes, go past the bound; of a
// mapped record also the names of its attributes.
const _: () = assert!(BATCH_BYTES + 2 * RECORD_BYTES + MAPPING_BYTES < u32::MAX as usize);
// A full window of the largest attribute values (22 digits in millionths) must sum without overflow.
const _: () = assert!(10_i128.pow(22) * (WINDOW_EVENTS as i128) < i128::MAX);
const _: () = assert!(AMOUNT_MINOR_MAX as i128 * (WINDOW_EVENTS as i128) < i128::MAX);
// A decision with its headers fits a batch of `decisions`, and a dead letter with its diagnosis (a field's name and a message
// that quotes little) one of `dead-letters`.
const _: () = assert!(DECISION_BYTES as i128 + 64 * 1024 <= OPERATION_BATCH_BYTES as i128);
const _: () = assert!(DEAD_LETTER_BYTES as i128 + 512 * 1024 <= DEAD_LETTER_BATCH_BYTES as i128);
const _: () = assert!(DEAD_LETTER_BYTES >= 2 * RECORD_BYTES);
// A dead letter has room for the largest operation and as much again for its diagnosis, and a producer for several.
const _: () = assert!(DEAD_LETTER_BATCH_BYTES >= OPERATION_BATCH_BYTES + 64 * 1024);
const _: () = assert!(PRODUCER_QUEUE_KIB * 1024 >= 16 * DEAD_LETTER_BATCH_BYTES);
// A batch has room for a record of the state with what Kafka writes around it.
const _: () = assert!(16 * (STATE_RECORD_BYTES as i128) < OPERATION_BATCH_BYTES as i128);
// A tick and a slow end are over before the broker gives the transaction up.
const _: () = assert!(TICK_MS + SLOW_END_MS < TRANSACTION_TIMEOUT_MS);
// A poll takes a piece of a tick, and what a tick holds of the input is within its bound.
const _: () = assert!(0 < POLL_RECORDS && POLL_RECORDS <= TICK_RECORDS);
const _: () = assert!(TICK_RECORDS as i128 * TICK_RECORD_BYTES as i128 <= 64 * 1024 * 1024);
// A drain ends within 5 s, also one that is asked for while a call hangs.
const _: () = assert!(2 * CALL_MS < DRAIN_MS && DRAIN_MS < 5_000);
// A producer holds all that a checkpoint writes; JSON may double a body's length.
const _: () =
    assert!(3 * ALERT_CHECKPOINT as i128 * (2 * ALERT_BODY_BYTES as i128 + 2_048) <= PRODUCER_QUEUE_KIB as i128 * 1024);

/// Endpoints of one configuration.
pub const ALERT_ENDPOINTS: usize = 64;
/// Longest body of an alert in bytes: Standard Webhooks asks for less than 20 kB.
pub const ALERT_BODY_BYTES: usize = 20_000;
/// What is read of an endpoint's answer, in bytes: of its headers, and of its body.
pub const ALERT_ANSWER_BYTES: usize = 64 * 1024;
/// The longest that one attempt may take, from the look-up of the name to the last byte of the answer, in ms.
pub const ALERT_DEADLINE_MS: i64 = 15_000;
/// The longest that one of a host's addresses may take to be connected to, in ms; then the next is tried.
pub const ALERT_CONNECT_MS: u64 = 5_000;
/// Longest `Retry-After` that is obeyed, in ms: an endpoint must not put alerts off for ever.
pub const ALERT_RETRY_AFTER_MS: i64 = 24 * 60 * 60 * 1_000;
/// Waits between attempts.
pub const ALERT_ATTEMPTS: usize = 32;
/// Addresses of one name that are looked at; with more, the name is refused.
pub const ALERT_ADDRESSES: usize = 32;
/// Longest `webhook-id` in bytes.
pub const ALERT_ID_BYTES: usize = 256;
/// Headers of one endpoint besides our own.
pub const ALERT_HEADERS: usize = 16;
/// Secrets of one endpoint: the new one and the old one, and some room.
pub const ALERT_SECRETS: usize = 4;
/// Longest length of time over which alerts are gathered into one, in ms.
pub const ALERT_GROUP_MS: i64 = 24 * 60 * 60 * 1_000;
/// Groups that are open at once for one endpoint; past that the oldest is closed early.
pub const ALERT_GROUPS: usize = 1 << 14;
