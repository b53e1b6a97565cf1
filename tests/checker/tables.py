"""Tables that other programs write, and tables of ours as they read them.

    tables.py write FOLDER       writes the files of fixtures/parquet with pyarrow and DuckDB
    tables.py read TABLE NDJSON  reads decisions with pyarrow, pandas and DuckDB, and holds them against the same as NDJSON

Needs pyarrow, pandas and duckdb.
"""

import datetime
import decimal
import json
import pathlib
import sys

import duckdb
import pandas
import pyarrow
import pyarrow.parquet

ROWS = [
    # id, wallet, counterparty, amount, minutes, status, device, risk
    ("e-1", "77010000001", "77010000002", "5000.00", 0, "identified", "d-1", 3),
    ("e-2", "77010000001", "77010000003", "150000.50", 1, None, None, None),
    ("e-3", "77010000002", 'quote " and \\ and \n', "0.10", 2, None, "d-2", 4),
    ("e-4", "77010000001", "77010000002", None, 3, None, None, None),
    ("e-5", "77010000003", "77010000001", "99999999999999.99", 4, "unidentified", "d-1", None),
]
START = datetime.datetime(2026, 3, 1, 8, 0, tzinfo=datetime.timezone.utc)


def columns():
    time = [START + datetime.timedelta(minutes=row[4], milliseconds=123 if row[4] == 1 else 0) for row in ROWS]
    return {
        "id": [row[0] for row in ROWS],
        "type": ["transfer" for _ in ROWS],
        "time": time,
        "wallet": [row[1] for row in ROWS],
        "counterparty": [row[2] for row in ROWS],
        "amount": [None if row[3] is None else decimal.Decimal(row[3]) for row in ROWS],
        "client_status": [row[5] for row in ROWS],
        "attributes": [{"device": row[6], "risk": row[7]} for row in ROWS],
    }


def write(folder):
    found = columns()
    schema = lambda time, amount: pyarrow.schema([
        ("id", pyarrow.string()), ("type", pyarrow.dictionary(pyarrow.int8(), pyarrow.string())), ("time", time),
        ("wallet", pyarrow.string()), ("counterparty", pyarrow.large_string()), ("amount", amount),
        ("client_status", pyarrow.string()),
        ("attributes", pyarrow.struct([("device", pyarrow.string()), ("risk", pyarrow.int16())])),
    ])
    variants = {
        "millis_snappy": (pyarrow.timestamp("ms", "UTC"), pyarrow.decimal128(18, 4), "snappy", "2.6", "1.0"),
        "micros_zstd": (pyarrow.timestamp("us", "UTC"), pyarrow.decimal128(38, 2), "zstd", "2.6", "2.0"),
        "nanos_plain": (pyarrow.timestamp("ns", "UTC"), pyarrow.decimal128(16, 2), "none", "2.4", "1.0"),
    }
    for name, (time, amount, compression, version, page) in variants.items():
        table = pyarrow.table(found, schema=schema(time, amount))
        pyarrow.parquet.write_table(
            table, folder / f"{name}.parquet", compression=compression, version=version, data_page_version=page,
            row_group_size=2, use_dictionary=name != "nanos_plain",
        )
    table = pyarrow.table(found, schema=schema(pyarrow.timestamp("ms", "UTC"), pyarrow.decimal128(18, 2)))
    pyarrow.parquet.write_table(table, folder / "int96.parquet", use_deprecated_int96_timestamps=True)
    # A flat table, as data frames have them: attributes as columns, amounts as texts, and columns nobody knows.
    flat = pandas.DataFrame({
        **{name: values for name, values in found.items() if name != "attributes"},
        "amount": [row[3] and row[3].replace(".00", "") for row in ROWS],
        "attributes.device": [row[6] for row in ROWS],
        "attributes.risk": pandas.array([row[7] for row in ROWS], dtype="Int16"),
        "tags": [["a", "b"] for _ in ROWS],
        "balance_ratio": [0.1 for _ in ROWS],
        "blob": [b"\xff\x00" * 8 for _ in ROWS],
    })
    schema = pyarrow.Schema.from_pandas(flat).set(len(flat.columns) - 1, pyarrow.field("blob", pyarrow.binary(16)))
    pyarrow.parquet.write_table(pyarrow.Table.from_pandas(flat, schema=schema), folder / "pandas.parquet")
    # A foreign schema by DuckDB: local times, doubles, words of its own, a group.
    connection = duckdb.connect()
    connection.execute(f"""
        COPY (SELECT n AS number, 'SEND' AS kind, TIMESTAMP '2026-03-01 13:00:00' + n * INTERVAL 1 MINUTE AS at,
                     {{'phone': '7701000000' || n, 'name/full': 'a'}} AS payer, '7702' AS payee,
                     (n * 1250000.5)::DOUBLE AS sum, n % 2 = 0 AS vpn, DATE '2026-03-01' AS booked,
                     12.5::FLOAT AS rate, 7::UBIGINT AS branch
              FROM range(1, 6) t(n))
        TO '{folder / "duckdb.parquet"}' (FORMAT parquet, COMPRESSION zstd)""")
    lines = []
    for place, row in enumerate(ROWS):
        line = {name: values[place] for name, values in found.items() if values[place] is not None}
        line["time"] = line["time"].isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if "amount" in line:
            line["amount"] = row[3]
        line["attributes"] = {name: value for name, value in line["attributes"].items() if value is not None}
        if not line["attributes"]:
            del line["attributes"]
        lines.append(json.dumps(line))
    (folder / "events.ndjson").write_text("\n".join(lines) + "\n")


def read(path, recorded):
    decisions = [json.loads(line) for line in pathlib.Path(recorded).read_text().splitlines()]
    table = pyarrow.parquet.read_table(path)
    assert table.schema.field("time").type == pyarrow.timestamp("ms", "UTC"), table.schema
    assert table.schema.field("amount").type == pyarrow.decimal128(18, 2), table.schema
    rows = table.to_pylist()
    assert len(rows) == len(decisions), (len(rows), len(decisions))
    for row, decision in zip(rows, decisions):
        assert json.loads(row["decision"]) == decision, (row, decision)
        time = datetime.datetime.fromisoformat(decision["time"].replace("Z", "+00:00"))
        assert row["time"] == time, (row["time"], time)
        for name in ("event", "type", "wallet", "action", "score", "pack"):
            assert row[name] == decision[name], (name, row, decision)
        reasons = decision.get("reasons", [])
        for name, key, of in (
            ("rules", "rule", reasons), ("restrictions", "restriction", reasons), ("shadow", "rule", decision.get("shadow", [])),
            ("standing", "name", decision.get("restrictions", [])),
        ):
            assert row[name] == [item[key] for item in of if key in item], (name, row, decision)
        assert row["flags"] == decision.get("flags", []), row
        assert row["amount"] is None or isinstance(row["amount"], decimal.Decimal), row
    frame = pandas.read_parquet(path)
    assert len(frame) == len(decisions)
    held = sum(decision["action"] == "hold" for decision in decisions)
    assert (frame["action"] == "hold").sum() == held
    count, rules, total = duckdb.execute(
        "SELECT count(*) FILTER (WHERE action = 'hold'), count(*) FILTER (WHERE len(rules) > 0), sum(amount)"
        " FROM read_parquet(?)", [path]
    ).fetchone()
    assert count == held, (count, held)
    assert rules == sum(any("rule" in reason for reason in decision.get("reasons", [])) for decision in decisions)
    assert total == sum(row["amount"] for row in rows if row["amount"] is not None), total
    print(f"{len(rows)} decisions are the same in pyarrow, pandas and DuckDB; {held} hold, amounts add up to {total}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write", folder]:
            write(pathlib.Path(folder))
        case ["read", table, recorded]:
            read(table, recorded)
        case _:
            sys.exit(__doc__)
