//! A replay on two threads writes what one writes: the same bytes everywhere, the same exit code, in time.

use crate::harness::in_repository;
use kuzet::event::decode::is_blank_line;
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

/// A command with these arguments, which inherits nothing of the environment that it would heed.
fn kuzet(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kuzet"));
    command.args(line.split(' ').filter(|argument| !argument.is_empty())).env_clear().current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Everything that a run leaves behind, but how fast it was.
#[derive(Debug, PartialEq)]
struct Left {
    code: Option<i32>,
    out: String,
    talk: String,
    decisions: Option<String>,
    rejects: Option<String>,
}

fn run(folder: &Path, line: &str, input: &[u8]) -> Left {
    let mut child = kuzet(folder, line).spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let output = std::thread::scope(|scope| {
        // A command that reads no input closes the pipe early.
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().expect("the binary ends")
    });
    let written = |name: &str| {
        let path = folder.join(name);
        let text = fs::read_to_string(&path).ok();
        text.inspect(|_| fs::remove_file(path).expect("a file that was just read"))
    };
    Left {
        code: output.status.code(),
        out: without_speed(&output.stdout),
        talk: without_speed(&output.stderr),
        decisions: written("decisions"),
        rejects: written("rejects"),
    }
}

/// The only figures that differ from run to run are left out.
fn without_speed(text: &[u8]) -> String {
    let text = String::from_utf8(text.to_vec()).expect("output is UTF-8");
    let kept = text.lines().map(|line| match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(mut summary)) => {
            summary.retain(|key, _| !["seconds", "events_a_second"].contains(&key.as_str()));
            Value::Object(summary).to_string()
        }
        _ => line
            .strip_suffix(" a second")
            .and_then(|line| line.rsplit_once("  "))
            .map_or(line, |(line, _)| line)
            .to_owned(),
    });
    kept.collect::<Vec<_>>().join("\n")
}

fn record(id: &str, minute: usize, extra: &str) -> String {
    format!(
        r#"{{"id":"{id}","type":"transfer","time":"2026-03-01T08:{:02}:{:02}Z","wallet":"7701000{}","counterparty":"77010000002"{extra}}}"#,
        minute / 60 % 60,
        minute % 60,
        minute % 7
    )
}

/// Records of every kind, of which hundreds make one batch.
fn mixed() -> Vec<u8> {
    let amount = |number: usize| format!(",\"amount\":{}", number % 50 * 5_000 + 1);
    let escaped = r#","amount":7,"cause":"\u0448\"\n","attributes":{"\u0061":"\t","n":-0.5,"t":true}"#;
    let mut out = Vec::new();
    for number in 0..3_000 {
        let id = format!("e-{number}");
        let before = |extra: &str| record(&format!("e-{}", number - 1), number - 1, extra);
        let line = match number % 30 {
            3 => "rubbish".to_owned(),
            // A duplicate, and a conflict.
            5 => before(&amount(number - 1)),
            7 => before(",\"amount\":2"),
            9 => String::new(),
            11 => " \t".to_owned(),
            13 => record(&id, number, ",\"amount\":\"1.005\""),
            15 => record(&id, number, escaped),
            17 => record(&id, number, ",\"amount\":7").replace("2026-03", "2025-03"),
            19 if number % 300 == 19 => "x".repeat(70_000),
            _ => record(&id, number, &amount(number)),
        };
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(match number % 100 {
            21 => b"\xff\xfe\n",
            99 => b"\r\n",
            _ => b"\n",
        });
    }
    out
}

/// The files that the command lines below name.
fn write_inputs(folder: &Path) {
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).expect("a file");
    let fixture = |name: &str| fs::read(in_repository("fixtures/mapping").join(name)).expect("a fixture");
    let mixed = mixed();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&mixed).expect("memory can be written");
    let zstd = zstd::encode_all(&mixed[..], 1).expect("memory can be written");
    write("mixed", &mixed);
    write("mixed.gz", &gzip.finish().expect("memory can be written"));
    write("mixed.zst", &zstd);
    write("cut.zst", &zstd[..zstd.len() / 2]);
    write("later", mixed[mixed.len() / 2..].to_vec().as_slice());
    write("empty", b"");
    for name in ["till.toml", "bank.toml", "bank.ndjson"] {
        write(name, &fixture(name));
    }
    let till = String::from_utf8(fixture("till.csv")).expect("text");
    let (head, rows) = till.split_once('\n').expect("a first row");
    write("till.csv", format!("{head}\n{}", rows.repeat(300)).as_bytes());
    write("unclosed.csv", format!("{head}\n{}\"{rows}", rows.repeat(30)).as_bytes());
    write("other.csv", b"a,b\n1,2\n");
}

/// Command lines, and the exit code of each.
const LINES: &[(&str, i32)] = &[
    ("mixed --out decisions --emit all --rejects rejects", 0),
    ("mixed --out decisions", 0),
    ("mixed --out decisions --strict", 1),
    ("mixed --json --emit none --out decisions", 0),
    ("mixed", 0),
    ("mixed.gz later mixed.zst empty --out - --emit all --rejects rejects", 0),
    ("mixed - later --out decisions --emit all --rejects -", 0),
    ("- --out - --emit all", 0),
    ("mixed cut.zst later --out decisions --emit all", 1),
    ("till.csv --map till.toml --out decisions --emit all --rejects rejects", 0),
    ("till.csv unclosed.csv --map till.toml --out decisions --rejects rejects --json", 0),
    ("till.csv other.csv --map till.toml --out decisions --emit all", 2),
    ("bank.ndjson bank.ndjson --map bank.toml --out decisions --emit all --rejects rejects", 0),
    ("mixed --out /dev/full --emit all", 1),
    ("mixed --rejects /dev/full", 1),
    ("empty", 0),
];

#[test]
fn two_threads_write_what_one_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    write_inputs(folder.path());
    let input = mixed();
    for (line, code) in LINES {
        let [one, two] = [1, 2].map(|threads| {
            let input = if line.split(' ').any(|argument| argument == "-") { &input[..] } else { b"" };
            run(folder.path(), &format!("replay {line} --threads {threads}"), input)
        });
        assert_eq!(one.code, Some(*code), "{line}: {}", one.talk);
        assert!(one == two, "{line}\none thread: {one:#?}\ntwo threads: {two:#?}");
    }
    // What is compared above is not nothing.
    let left = run(folder.path(), "replay mixed --threads 2 --out decisions --emit all --rejects rejects", b"");
    let lines = |text: Option<String>| text.expect("a file").lines().count();
    let records = input.split(|byte| *byte == b'\n').filter(|line| !is_blank_line(line)).count();
    assert_eq!(lines(left.decisions) + lines(left.rejects), records);
    assert!(
        ["(first: mixed:4)", "duplicate", "seen before"].iter().all(|part| left.out.contains(part)),
        "{}",
        left.out
    );
}

#[test]
fn a_pipe_is_answered_before_it_is_read_on() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("first"), record("e-0", 0, ",\"amount\":1")).expect("a file");
    for threads in [1, 2] {
        let line = format!("replay first - --out - --emit all --threads {threads}");
        let mut child = kuzet(folder.path(), &line).spawn().expect("the binary starts");
        let mut input = child.stdin.take().expect("a pipe");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        for number in 0..20 {
            // The first answer is on the file's record, before anything comes through the pipe.
            if number > 0 {
                let record = record(&format!("e-{number}"), number, ",\"amount\":1");
                input.write_all((record + "\n").as_bytes()).expect("the binary reads");
            }
            let mut answer = String::new();
            output.read_line(&mut answer).expect("the binary answers");
            assert!(answer.starts_with(&format!("{{\"event\":\"e-{number}\"")), "{answer}");
        }
        drop(input);
        assert!(child.wait().expect("the binary ends").success());
    }
}

#[test]
fn a_reader_that_leaves_ends_both_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let many: String =
        (0..20_000).map(|number| record(&format!("e-{number}"), number, ",\"amount\":200000") + "\n").collect();
    fs::write(folder.path().join("many"), many).expect("a file");
    for (line, code) in [("many --out -", 0), ("many --out - --rejects rejects", 0), ("many --out - --strict", 0)] {
        let mut child = kuzet(folder.path(), &format!("replay {line} --threads 2")).spawn().expect("the binary starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("the binary ends");
        let summary = if line == "many --out -" { "" } else { "events decided  20,000" };
        let talk = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), talk.starts_with(summary)), (Some(code), true), "{line}: {talk}");
    }
}

#[test]
fn threads_are_one_or_two() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("in"), "").expect("a file");
    for (value, code) in [("1", 0), ("2", 0), ("", 0), ("0", 2), ("3", 2), ("two", 2)] {
        let mut command = kuzet(folder.path(), "replay in");
        let output = command.env("KUZET_THREADS", value).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(code), "{value}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
