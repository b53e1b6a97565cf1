//! `replay --sort`: whatever the order and however little the memory, the decisions are those of a file that was in order.

use crate::cli::{kuzet, path};
use kuzet::{
    files::{
        Inputs,
        records::Framing,
        sort::{Order, Room},
    },
    random::Random,
    replay::turns::turns,
};
use serde_json::Value;
use std::{fs, io::Write, path::PathBuf};

/// Events of many wallets in no order, some records that are none among them.
fn shuffled(events: usize, seed: u64) -> Vec<String> {
    let text =
        kuzet(&["generate", "--events", &events.to_string(), "--patterns", "1", "--seed", &seed.to_string()], b"").out;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut random = Random::new(seed);
    for place in (1..lines.len()).rev() {
        lines.swap(place, random.place(place + 1));
    }
    for (number, line) in lines.iter_mut().enumerate() {
        match number % 50 {
            7 => *line = format!("rubbish {number}"),
            // Its time can be read, and nothing else.
            23 => *line = line.replacen("\"type\":", "\"kind\":", 1),
            _ => {}
        }
    }
    lines
}

/// The slow and plain judge: a stable sort of everything by the instant, what has none with what came before it.
fn in_order(files: &[&[String]]) -> Vec<String> {
    let mut all: Vec<(String, String)> = Vec::new();
    for file in files {
        let mut time = String::new();
        for line in *file {
            let said: Option<Value> = serde_json::from_str(line).ok();
            if let Some(said) = said {
                let instant: jiff::Timestamp = said["time"].as_str().expect("a time").parse().expect("a time");
                time = format!("{:020}", instant.as_millisecond());
            }
            all.push((time.clone(), line.clone()));
        }
    }
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all.into_iter().map(|(_, line)| line).collect()
}

fn text(lines: &[String]) -> String {
    lines.join("\n") + "\n"
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

#[test]
fn decisions_are_those_of_a_file_in_order() {
    let lines = shuffled(3_000, 11);
    let (one, two) = lines.split_at(1_777);
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| path(&folder.path().join(name)).to_owned();
    fs::write(file("1.ndjson"), text(one)).expect("a file");
    fs::write(file("2.ndjson.gz"), gzip(&text(two))).expect("a file");
    fs::write(file("sorted"), text(&in_order(&[one, two]))).expect("a file");
    let judged = kuzet(&["replay", &file("sorted"), "--out", "-", "--emit", "all", "--rejects", &file("judged")], b"");
    assert!(judged.out.lines().count() > 2_500, "{}", judged.talk);
    let (first, second) = (file("1.ndjson"), file("2.ndjson.gz"));
    for (memory, spills) in [("64MiB", false), ("100KiB", true), ("4KiB", true)] {
        for threads in ["1", "2"] {
            let (out, rejects) = (file("out"), file("rejects"));
            let ran = kuzet(
                &[
                    "replay",
                    &first,
                    &second,
                    "--sort",
                    "--sort-memory",
                    memory,
                    "--threads",
                    threads,
                    "--out",
                    &out,
                    "--emit",
                    "all",
                    "--rejects",
                    &rejects,
                    "--json",
                ],
                b"",
            );
            assert_eq!(ran.code, 0, "{}", ran.talk);
            assert!(fs::read_to_string(&out).expect("decisions") == judged.out, "{memory}, {threads}");
            let sorted = serde_json::from_str::<Value>(&ran.out).expect("a summary")["sorted"].take();
            assert_eq!(sorted["records"], lines.len(), "{sorted}");
            assert_eq!(sorted["runs"].as_u64().expect("a count") > 0, spills, "{sorted}");
            // So many that runs are merged into runs.
            assert!(memory != "4KiB" || sorted["runs"].as_u64().expect("a count") > 130, "{sorted}");
            check_rejects(
                &fs::read_to_string(&rejects).expect("rejects"),
                &file("judged"),
                [&first, &second],
                [one, two],
            );
        }
    }
}

/// Each reject names the place that its record came from, and they come in the order of the sorted file.
fn check_rejects(rejects: &str, judged: &str, names: [&str; 2], files: [&[String]; 2]) {
    let read = |text: &str| -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).expect("a reject is JSON")).collect()
    };
    let (found, judged) = (read(rejects), read(&fs::read_to_string(judged).expect("rejects")));
    assert!(found.len() > 100, "{}", found.len());
    assert_eq!(found.len(), judged.len());
    for (found, judged) in found.iter().zip(&judged) {
        assert_eq!([&found["error"], &found["record"]], [&judged["error"], &judged["record"]]);
        let file = names.iter().position(|name| found["source"] == *name).expect("one of the two");
        let line = usize::try_from(found["line"].as_u64().expect("a line")).expect("a small number");
        assert_eq!(found["record"], files[file][line - 1]);
        let offset: usize = files[file][..line - 1].iter().map(|line| line.len() + 1).sum();
        assert_eq!(found["offset"], offset);
    }
}

/// Rows keep the numbers that they have in the files, and each file its own columns.
#[test]
fn foreign_rows_are_sorted_by_what_the_mapping_makes_of_them() {
    const MAPPING: &str = r#"
format = "csv"
[fields]
id     = { row = true }
type   = { field = "kind", values = { P = "payment" }, other = "skip" }
time   = { field = "hour", unit = "hour", start = "2026-03-01T00:00:00Z" }
wallet = { field = "who" }
amount = { field = "sum" }
"#;
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| path(&folder.path().join(name)).to_owned();
    fs::write(file("map.toml"), MAPPING).expect("a file");
    fs::write(file("a.csv"), "kind,hour,who,sum\nP,5,7,100\nX,1,7,1\nP,2,7,1.234\nP,0,7,200\n").expect("a file");
    fs::write(file("b.csv"), "sum,who,hour,kind\n300,7,3,P\n400,7,0,P\n").expect("a file");
    let (a, b, map, rejects) = (file("a.csv"), file("b.csv"), file("map.toml"), file("rejects"));
    let arguments = [
        "replay",
        &a,
        &b,
        "--map",
        &map,
        "--sort",
        "--sort-memory",
        "1",
        "--out",
        "-",
        "--emit",
        "all",
        "--rejects",
        &rejects,
        "--json",
    ];
    let ran = kuzet(&arguments, b"");
    assert_eq!(ran.code, 0, "{}", ran.talk);
    let ids: Vec<String> = ran
        .out
        .lines()
        .map(|line| {
            let decision: Value = serde_json::from_str(line).expect("a decision");
            format!("{} {}", decision["event"].as_str().expect("an id"), decision["time"].as_str().expect("a time"))
        })
        .collect();
    let expected = [
        "row-4 2026-03-01T00:00:00Z",
        "row-6 2026-03-01T00:00:00Z",
        "row-5 2026-03-01T03:00:00Z",
        "row-1 2026-03-01T05:00:00Z",
    ];
    assert_eq!(ids, expected);
    let summary: Value = serde_json::from_str(&ran.talk).expect("a summary");
    assert_eq!([&summary["rejected"], &summary["skipped"]], [1, 1]);
    let reject = fs::read_to_string(&rejects).expect("a reject");
    assert!(reject.starts_with(&format!("{{\"source\":\"{a}\",\"line\":4,")), "{reject}");
    // A file that the mapping does not fit is found before anything is decided.
    fs::write(&b, "other\n1\n").expect("a file");
    let ran = kuzet(&arguments, b"");
    assert!(ran.code == 2 && ran.out.is_empty(), "{} {}", ran.out, ran.talk);
    assert!(ran.talk.contains(&format!("the mapping does not fit {b}: it has no column")), "{}", ran.talk);
}

#[test]
fn what_came_before_a_cut_is_sorted_and_decided() {
    let lines = shuffled(2_000, 3);
    let folder = tempfile::tempdir().expect("a folder");
    let cut = folder.path().join("cut.gz");
    let packed = gzip(&text(&lines));
    fs::write(&cut, &packed[..packed.len() / 2]).expect("a file");
    let ran = kuzet(&["replay", path(&cut), "--sort", "--sort-memory", "64KiB", "--out", "-", "--emit", "all"], b"");
    assert_eq!(ran.code, 1);
    assert!(ran.talk.contains("the compressed data is cut off"), "{}", ran.talk);
    let whole = ran.talk.split("after line ").nth(1).and_then(|rest| rest.split(':').next()).expect("a line");
    let whole: usize = whole.parse().expect("a number");
    let sorted = folder.path().join("sorted");
    fs::write(&sorted, text(&in_order(&[&lines[..whole]]))).expect("a file");
    let judged = kuzet(&["replay", path(&sorted), "--out", "-", "--emit", "all"], b"");
    assert!(whole > 500 && judged.out == ran.out, "{whole}");
}

#[test]
fn a_folder_without_room_is_named() {
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_kuzet"))
        .args(["replay", "fixtures/operations.ndjson", "--sort", "--sort-memory", "1KiB"])
        .current_dir(crate::harness::in_repository(""))
        .env_clear()
        .env("TMPDIR", "/nowhere")
        .output()
        .expect("the binary runs");
    let talk = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1));
    assert!(talk.contains("cannot sort by temporary files in /nowhere: there is no such folder; set TMPDIR"), "{talk}");
}

/// Goes through a file in order; gives what sorting came to, and the most bytes that were allocated at once.
fn sort(file: PathBuf, bytes: usize) -> (Order, u64) {
    let mut order = Order::default();
    let measured = allocation_counter::measure(|| {
        let room = Room { bytes, folder: std::env::temp_dir() };
        let mut inputs =
            Inputs::new(std::slice::from_ref(&file), Framing::Lines).expect("the file").sorted(turns(None), room);
        loop {
            while inputs.take().is_some() {}
            if !inputs.fill().expect("the file can be read") {
                break;
            }
        }
        order = inputs.order().expect("it was sorted");
    });
    (order, measured.bytes_max)
}

/// Four times the records take no more memory, although they lie on disk many times over.
#[test]
fn memory_does_not_grow_with_the_records() {
    const BOUND: usize = 256 * 1024;
    let folder = tempfile::tempdir().expect("a folder");
    let lines = text(&shuffled(5_000, 5));
    let once = folder.path().join("once");
    let four_times = folder.path().join("four_times");
    fs::write(&once, lines.repeat(4)).expect("a file");
    fs::write(&four_times, lines.repeat(16)).expect("a file");
    let ((few, least), (many, most)) = (sort(once, BOUND), sort(four_times, BOUND));
    assert_eq!(many.records, 4 * few.records);
    assert!(few.runs > 20 && many.runs > 64, "{few:?} {many:?}");
    // What is read of each run at a time is part of it: at most 64 of them are read at once.
    let merging = 64 * 3 * 64 * 1024;
    let bound = u64::try_from(8 * BOUND + merging).expect("a small number");
    assert!(most < bound && least < bound, "{least} and then {most} bytes, where {bound} are allowed");
}
