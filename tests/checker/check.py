#!/usr/bin/env python3
"""Judges a run of `kuzet run` from outside: what the broker holds, read by another client in another language.

Each record of `operations` must have led to exactly one committed decision, the same bytes as `kuzet replay` gives over the
records of its partition, or to exactly one dead letter with its original bytes. Lost, doubled and different ones are
counted; so are those that belong to no record, and those that stand in another order than their records. Decisions of one
partition must have applied restrictions at positions that never go back.

Before it judges, it forges each anomaly that it knows into what it has read, and must find every one.

    check.py --brokers HOST:PORT --prefix TEST. --kuzet target/debug/kuzet [--repeats]

`--repeats` is for at-least-once: a record may have led to several decisions of the same action and score. Where a worker
died between its state and its decision, the only one is that of a repeat.
"""

import argparse
import copy
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition

DAY_MS = 24 * 60 * 60 * 1000


# A transaction whose producer died is open for its timeout, and nothing behind it is read until it is over.
PATIENCE_S = 60


def client(brokers, isolation):
    return KafkaConsumer(
        bootstrap_servers=brokers,
        isolation_level=isolation,
        enable_auto_commit=False,
        auto_offset_reset="none",
        check_crcs=True,
        fetch_max_wait_ms=50,
    )


def read(brokers, topic):
    """Every committed record of a topic, by partition, in order, once every transaction in it is over."""
    consumer, all_of_it = client(brokers, "read_committed"), client(brokers, "read_uncommitted")
    partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(partitions)
    ends = all_of_it.end_offsets(partitions)
    begun = time.monotonic()
    while any(consumer.end_offsets(partitions)[partition] < end for partition, end in ends.items()):
        if time.monotonic() - begun > PATIENCE_S:
            raise SystemExit(f"{topic}: a transaction is open for more than {PATIENCE_S} s: {ends}, {consumer.end_offsets(partitions)}")
        time.sleep(0.2)
    begins = consumer.beginning_offsets(partitions)
    for partition in partitions:
        consumer.seek(partition, begins[partition])
    found = {partition.partition: [] for partition in partitions}
    while any(consumer.position(partition) < ends[partition] for partition in partitions):
        for partition, records in consumer.poll(timeout_ms=500).items():
            found[partition.partition].extend(records)
    consumer.close()
    all_of_it.close()
    return found


def header(record, name):
    values = [value for key, value in record.headers if key == name]
    return values[0].decode() if len(values) == 1 else None


class Record:
    """One record that the engine wrote, without the client that read it."""

    def __init__(self, record):
        self.id = header(record, "kuzet-id")
        self.restrictions = header(record, "kuzet-restrictions")
        self.error = header(record, "kuzet-error")
        self.truncated = header(record, "kuzet-truncated")
        self.key = record.key
        self.value = record.value
        self.partition = record.partition


def wallet_of(value):
    """The wallet that a record states, as far as it can be read at all."""
    try:
        wallet = json.loads(value)["wallet"]
        return wallet.encode() if isinstance(wallet, str) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def in_time(record):
    """Whether an event's time is near enough to the broker's own time of its record; a replay has no such clock."""
    try:
        happened = datetime.fromisoformat(json.loads(record.value)["time"]).timestamp() * 1000
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return True
    return record.timestamp - 7 * DAY_MS <= happened <= record.timestamp + 5 * 60_000


def expected(kuzet, operations, options):
    """What each record must lead to: the bytes of a decision, or none for a dead letter."""
    outcome = {}
    with tempfile.TemporaryDirectory() as folder:
        for partition, records in operations.items():
            lines = []
            for record in records:
                usable = record.value is not None and b"\n" not in record.value and record.value.strip(b" \t\r")
                keyed = usable and wallet_of(record.value) in (None, record.key)
                if keyed and in_time(record):
                    lines.append(record)
                else:
                    outcome[(partition, record.offset)] = None
            events = Path(folder, "events.ndjson")
            rejects = Path(folder, "rejects.ndjson")
            decisions = Path(folder, "decisions.ndjson")
            events.write_bytes(b"".join(record.value + b"\n" for record in lines))
            command = [kuzet, "replay", *options, "--emit", "all", "--out", decisions, "--rejects", rejects, events]
            done = subprocess.run(command, capture_output=True)
            if done.returncode != 0:
                raise SystemExit(f"replay failed: {done.stderr.decode()}")
            rejected = {json.loads(line)["line"] for line in rejects.read_bytes().splitlines()}
            decided = iter(decisions.read_bytes().splitlines())
            for number, record in enumerate(lines, 1):
                outcome[(partition, record.offset)] = None if number in rejected else next(decided)
            assert next(decided, None) is None, "one outcome a record"
    return outcome


def place(identity, topic):
    """Partition and offset that an id names."""
    parts = (identity or "").rsplit(":", 2)
    if len(parts) != 3 or parts[0] != topic or not parts[1].isdigit() or not parts[2].isdigit():
        return None
    return int(parts[1]), int(parts[2])


def first_time(decision):
    """A decision without what a repeat says of itself, for at-least-once."""
    said = json.loads(decision)
    return said["event"], said["action"], said["score"]


def judge(topic, operations, outcome, decisions, letters, repeats):
    """Counts what is wrong."""
    wrong = Counter()
    originals = {(p, r.offset): r for p, records in operations.items() for r in records}
    by_place = defaultdict(list)
    for kind, topics in (("decision", decisions), ("letter", letters)):
        for records in topics.values():
            last = {}
            for record in records:
                at = place(record.id, topic)
                if at is None or at not in originals:
                    wrong["made up"] += 1
                    continue
                by_place[at].append((kind, record))
                # Records of one key keep their order; those of a dead letter, too.
                seat = (at[0], record.key)
                if last.get(seat, (-1, -1))[0] > at[1] and not repeats:
                    wrong["out of order"] += 1
                if kind == "decision":
                    position = int(record.restrictions) if (record.restrictions or "").isdigit() else -1
                    if position < last.get(seat, (-1, -1))[1] and not repeats:
                        wrong["restrictions went back"] += 1
                    last[seat] = (at[1], position)
                else:
                    last[seat] = (at[1], -1)
    for at, original in originals.items():
        found = by_place.get(at, [])
        if not found:
            wrong["lost"] += 1
            continue
        if len(found) > 1 and not repeats:
            wrong["doubled"] += 1
        for kind, record in found[:1] if not repeats else found:
            want = outcome[at]
            if want is None:
                same = kind == "letter" and record.error and record.key == original.key
                cut = record.truncated == "true" and original.value.startswith(record.value or b"")
                same = same and (record.value == original.value or cut)
            elif repeats:
                same = kind == "decision" and first_time(record.value) == first_time(want)
            else:
                same = kind == "decision" and record.value == want and record.key == wallet_of(original.value)
            wrong["different"] += not same
    return +wrong


FORGERIES = {
    "a lost decision": (lambda d, l: d.pop(0), "lost"),
    "a doubled decision": (lambda d, l: d.append(d[-1]), "doubled"),
    "another decision": (lambda d, l: setattr(d[0], "value", d[0].value.replace(b'"score":', b'"score":1')), "different"),
    "a decision of nothing": (lambda d, l: setattr(d[0], "id", d[0].id + "999999"), "made up"),
    "swapped decisions": (lambda d, l: swap(d), "out of order"),
    "restrictions that went back": (lambda d, l: setattr(d[0], "restrictions", "99999999"), "restrictions went back"),
    "a lost dead letter": (lambda d, l: l.pop(0), "lost"),
    "another dead letter": (lambda d, l: setattr(l[0], "value", b"other"), "different"),
}


def swap(decisions):
    """Two decisions of one key change places."""
    first = decisions[0]
    other = next(i for i, r in enumerate(decisions) if i > 0 and r.key == first.key)
    decisions[0], decisions[other] = decisions[other], decisions[0]


def forge(topic, operations, outcome, decisions, letters):
    """Each anomaly that is forged must be found."""
    missed = []
    for name, (forgery, sign) in FORGERIES.items():
        fakes = copy.deepcopy(decisions), copy.deepcopy(letters)
        busy = max(fakes[0].values(), key=len)
        # The wallet with most decisions comes first, so that there is one to swap with.
        busiest = Counter(r.key for r in busy).most_common(1)[0][0]
        busy.sort(key=lambda r: r.key != busiest)
        before = judge(topic, operations, outcome, *fakes, False)[sign]
        forgery(busy, max(fakes[1].values(), key=len))
        if judge(topic, operations, outcome, *fakes, False)[sign] <= before:
            missed.append(name)
    if missed:
        raise SystemExit(f"forged and not found: {missed}")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--brokers", required=True)
    options.add_argument("--prefix", default="")
    options.add_argument("--kuzet", required=True)
    options.add_argument("--rules", action="append", default=[])
    options.add_argument("--repeats", action="store_true")
    options.add_argument("--forge", action="store_true", help="forge anomalies and find them first")
    args = options.parse_args()
    topic = args.prefix + "operations"
    operations = read(args.brokers, topic)

    def written(name):
        return {p: [Record(r) for r in rs] for p, rs in read(args.brokers, args.prefix + name).items()}

    decisions, letters = written("decisions"), written("dead-letters")
    rules = [word for rule in args.rules for word in ("--rules", rule)]
    outcome = expected(args.kuzet, operations, rules)
    if args.forge:
        forge(topic, operations, outcome, decisions, letters)
    wrong = judge(topic, operations, outcome, decisions, letters, args.repeats)
    counted = {
        "operations": len(outcome),
        "decisions": sum(map(len, decisions.values())),
        "dead_letters": sum(map(len, letters.values())),
        "flagged": sum(b'"action":"allow"' not in (want or b'"action":"allow"') for want in outcome.values()),
        "wrong": dict(wrong),
    }
    print(json.dumps(counted))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
