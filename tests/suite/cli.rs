//! The command line from outside: bytes in, exit codes, standard output and standard error out.

use crate::harness::in_repository;
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What a command left behind.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub talk: String,
}

/// Runs the binary with nothing of the environment that it would heed.
pub fn kuzet(arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kuzet"))
        .args(arguments)
        .env_clear()
        .current_dir(in_repository(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || {
        // A command that reads no input closes the pipe early.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("the binary ends");
    feeder.join().expect("the feeder ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    Ran { code: output.status.code().expect("no signal"), out: text(output.stdout), talk: text(output.stderr) }
}

fn record(id: &str, minute: usize, extra: &str) -> String {
    format!(
        r#"{{"id":"{id}","type":"transfer","time":"2026-03-01T08:{minute:02}:00Z","wallet":"77010000001","counterparty":"77010000002"{extra}}}"#
    )
}

/// Two of three are flagged: one over 100 000 tenge, and what comes after it.
fn three() -> String {
    [
        record("e-1", 0, r#","amount":"5000""#),
        record("e-2", 1, r#","amount":"150000""#),
        record("e-3", 2, r#","amount":"100.50""#),
    ]
    .join("\n")
        + "\n"
}

fn ids(decisions: &str) -> Vec<String> {
    let id = |line: &str| {
        let decision: Value = serde_json::from_str(line).expect("a decision is JSON");
        decision["event"].as_str().expect("an id").to_owned()
    };
    decisions.lines().map(id).collect()
}

pub fn path(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

#[test]
fn decisions_go_where_they_are_sent() {
    let file = three();
    for (emit, expected) in [("all", vec!["e-1", "e-2", "e-3"]), ("flagged", vec!["e-2", "e-3"]), ("none", vec![])] {
        let ran = kuzet(&["replay", "-", "--out", "-", "--emit", emit], file.as_bytes());
        assert_eq!((ran.code, ids(&ran.out)), (0, expected.iter().map(|id| (*id).to_owned()).collect()), "{emit}");
        assert!(ran.talk.starts_with("events decided  3  "), "{}", ran.talk);
        assert!(!ran.talk.contains("flagged decisions"), "{}", ran.talk);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("decisions.ndjson");
    let ran = kuzet(&["replay", "-", "--out", path(&out)], file.as_bytes());
    assert_eq!((ran.code, ran.talk.as_str()), (0, ""));
    assert_eq!(ids(&fs::read_to_string(out).expect("the decisions")), ["e-2", "e-3"]);
}

#[test]
fn the_summary_ends_with_flagged_decisions_in_plain_words() {
    let ran = kuzet(&["replay", "-"], three().as_bytes());
    assert_eq!((ran.code, ran.talk.as_str()), (0, ""));
    let told = ran.out.split("\nflagged decisions\n").nth(1).unwrap_or_else(|| panic!("{}", ran.out));
    assert_eq!(
        told,
        "  2026-03-01 13:01:00  hold     77010000001 transfer e-2 of 150000.00: large-transfer (7.15(1))\n  \
         2026-03-01 13:02:00  hold     77010000001 transfer e-3 of 100.50: suspicious (7.13) stands since 13:01:00 by \
         large-transfer (event e-2); monitoring (7.14) stands since 13:01:00 by large-transfer (event e-2)\n"
    );
}

#[test]
fn the_summary_is_json_when_asked() {
    let input = three() + "rubbish\n";
    let ran = kuzet(&["replay", "-", "--json"], input.as_bytes());
    let summary: Value = serde_json::from_str(&ran.out).expect("one JSON object");
    assert_eq!((ran.code, ran.talk.as_str()), (0, ""));
    for (key, expected) in [
        ("decided", json!(3)),
        ("rejected", json!(1)),
        ("flagged", json!(2)),
        ("restriction_only", json!(1)),
        ("wallets", json!(1)),
        ("from", json!("2026-03-01T08:00:00Z")),
        ("to", json!("2026-03-01T08:02:00Z")),
        ("stopped", json!(null)),
    ] {
        assert_eq!(summary[key], expected, "{key}");
    }
    let ran = kuzet(&["replay", "-", "--json", "--out", "-"], input.as_bytes());
    assert_eq!(ids(&ran.out), ["e-2", "e-3"]);
    assert_eq!(serde_json::from_str::<Value>(&ran.talk).expect("one JSON object")["decided"], 3);
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 1).expect("memory can be written")
}

#[test]
fn files_are_one_stream_however_they_are_packed() {
    let whole = three();
    let lines: Vec<String> = whole.lines().map(|line| format!("{line}\r\n")).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("a file");
        path
    };
    let files =
        [write("1.ndjson.gz", &gzip(&lines[0])), write("2", &zstd(&lines[1])), write("3.ndjson", lines[2].as_bytes())];
    let expected = kuzet(&["replay", "-", "--out", "-", "--emit", "all"], whole.as_bytes()).out;
    assert_eq!(expected.lines().count(), 3);
    let ran = kuzet(&["replay", path(&files[0]), path(&files[1]), path(&files[2]), "--out", "-", "--emit", "all"], b"");
    assert_eq!(ran.out, expected);
    let ran =
        kuzet(&["replay", path(&files[0]), "-", path(&files[2]), "--out", "-", "--emit", "all"], &zstd(&lines[1]));
    assert_eq!(ran.out, expected);
    for packed in [
        [gzip(&lines[0]), gzip(&lines[1]), gzip(&lines[2])].concat(),
        [zstd(&lines[0]), zstd(&(lines[1].clone() + &lines[2]))].concat(),
    ] {
        assert_eq!(kuzet(&["replay", "-", "--out", "-", "--emit", "all"], &packed).out, expected);
    }
}

#[test]
fn an_empty_file_has_no_events() {
    for input in [b"".as_slice(), b"\n  \r\n\n", &gzip(""), &zstd("")] {
        let ran = kuzet(&["replay", "-", "--strict"], input);
        assert_eq!(ran.code, 0, "{}", ran.talk);
        assert!(ran.out.starts_with("events decided  0\nwallets         0\n"), "{}", ran.out);
    }
}

/// One bad record, and the reject that it must become.
fn check_reject(input: &[u8], error: &str, field: Option<&str>) {
    let ran = kuzet(&["replay", "-", "--rejects", "-", "--strict"], input);
    let kept = &input[..input.len().min(65_536)];
    let mut expected = format!(r#"{{"source":"-","line":1,"offset":0,"error":{}"#, Value::from(error));
    if let Some(field) = field {
        expected += &format!(r#","field":{}"#, Value::from(field));
    }
    let end = if input.len() > kept.len() {
        format!(r#","bytes":{},"truncated":true}}"#, input.len())
    } else {
        "}".to_owned()
    };
    let shown = String::from_utf8_lossy(&input[..input.len().min(200)]).into_owned();
    match std::str::from_utf8(kept) {
        Ok(text) => {
            let expected = format!("{expected},\"record\":{}{end}\n", Value::from(text));
            assert!(ran.out == expected, "{shown}:\n{}\n{expected}", ran.out);
        }
        // How bytes become base64 has a test of its own.
        Err(_) => {
            let (start, end) = (format!("{expected},\"record_base64\":\""), format!("\"{end}\n"));
            assert!(ran.out.starts_with(&start) && ran.out.ends_with(&end), "{shown}:\n{}", ran.out);
        }
    }
    assert_eq!(ran.out.lines().count(), 1);
    assert_eq!(ran.code, 1, "--strict allows no reject");
    assert!(ran.talk.ends_with("error: records rejected: 1; --strict allows none\n"), "{}", ran.talk);
}

#[test]
fn a_bad_amount_is_named() {
    let digits = "9".repeat(60_000);
    let shown = "9".repeat(64);
    for (amount, error) in [
        ("1e400", "1e400 is not a plain decimal such as 12.34"),
        ("NaN", "not JSON: a value is expected at byte 119, but `N` stands there"),
        ("-0", "-0 has a sign; it is to be over 0"),
        (
            "1.000000000000000000000000000000",
            "1.000000000000000000000000000000 has 30 digits after the point; at most 2 are allowed",
        ),
        (&digits, &format!("{shown}… has 60000 digits before the point; at most 16 are allowed")),
        ("\"1.005\"", "\"1.005\" has 3 digits after the point; at most 2 are allowed"),
        ("[1]", "an array stands here; a decimal, as a number or text, is expected"),
    ] {
        let input = record("e", 0, &format!(",\"amount\":{amount}"));
        check_reject(input.as_bytes(), &format!("amount: {error}"), Some("amount"));
    }
}

#[test]
fn a_hostile_record_is_rejected_whole() {
    let too_long = |bytes: usize| format!("the record has {bytes} bytes; at most 65536 are allowed");
    let deep = "[".repeat(1_000_000);
    check_reject(deep.as_bytes(), &too_long(1_000_000), None);
    let line = "x".repeat(10_000_000);
    check_reject(line.as_bytes(), &too_long(10_000_000), None);
    let digits = record("e", 0, &format!(",\"amount\":{}", "9".repeat(100_000)));
    check_reject(digits.as_bytes(), &too_long(digits.len()), None);
    // The cut falls inside a character, so what is kept is not UTF-8.
    let split = format!("x{}", "я".repeat(40_000));
    check_reject(split.as_bytes(), &too_long(80_001), None);
    let nested = record("e", 0, &format!(",\"x\":{}{}", "[".repeat(30_000), "]".repeat(30_000)));
    let at = nested.find("[[").expect("brackets") + 15;
    check_reject(
        nested.as_bytes(),
        &format!("the record is nested deeper than 16 levels, the record being the first, at byte {at}"),
        None,
    );
    check_reject(b"\xff{}", "not JSON: the record is not UTF-8 from byte 0 on", None);
    check_reject(
        b"\xef\xbb\xbf{}",
        "not JSON: the record's `{` is expected at byte 0, but a byte order mark stands there",
        None,
    );
    let null = record("a\0b", 0, ",\"amount\":\"1\"");
    let error =
        "id: not JSON: an escape in place of a control character is expected at byte 8, but `\\u0000` stands there";
    check_reject(null.as_bytes(), error, Some("id"));
}

#[test]
fn the_longest_record_is_taken() {
    let short = record("e", 0, ",\"amount\":\"1\"");
    let padding = 65_536 - short.len() - ",\"x\":\"\"".len();
    let longest = record("e", 0, &format!(",\"amount\":\"1\",\"x\":\"{}\"", "x".repeat(padding)));
    assert_eq!(longest.len(), 65_536);
    let ran = kuzet(&["replay", "-", "--strict"], format!("{longest}\r\n").as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.talk);
    check_reject(
        longest.replacen('x', "xx", 1).as_bytes(),
        "the record has 65537 bytes; at most 65536 are allowed",
        None,
    );
}

#[test]
fn rejects_say_where_they_came_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let (input, rejects) = (folder.path().join("in.ndjson"), folder.path().join("rejects.ndjson"));
    fs::write(&input, format!("\r\n{}\r\n \nrubbish\r\n", record("e", 0, ",\"amount\":1"))).expect("a file");
    let ran = kuzet(&["replay", path(&input), "--rejects", path(&rejects)], b"");
    assert_eq!(ran.code, 0, "rejects are no failure without --strict");
    let offset = 2 + record("e", 0, ",\"amount\":1").len() + 2 + 2;
    let error = "not JSON: the record's `{` is expected at byte 0, but `r` stands there";
    assert_eq!(
        fs::read_to_string(rejects).expect("the rejects"),
        format!(
            "{{\"source\":\"{}\",\"line\":4,\"offset\":{offset},\"error\":\"{error}\",\"record\":\"rubbish\"}}\n",
            path(&input)
        )
    );
    let told = format!("\nrejected records\n  1  {error} (first: {}:4)\n", path(&input));
    assert!(ran.out.contains(&told), "{}", ran.out);
}

#[test]
fn an_input_that_cannot_be_read_is_a_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let cut = folder.path().join("cut.ndjson.zst");
    let many: String = (0..50_000).map(|number| record(&format!("e-{number}"), 0, ",\"amount\":1") + "\n").collect();
    let packed = zstd(&many);
    fs::write(&cut, &packed[..packed.len() / 2]).expect("a file");
    let ran = kuzet(&["replay", path(&cut), "--json"], b"");
    let summary: Value = serde_json::from_str(&ran.out).expect("a summary of what came before");
    let decided = summary["decided"].as_u64().expect("a count");
    assert!(decided > 1_000, "{decided}");
    let error = format!(
        "cannot read {} after line {decided}: the compressed data is cut off (incomplete frame); fetch the file again",
        path(&cut)
    );
    assert_eq!(summary["stopped"], error.as_str());
    assert_eq!((ran.code, ran.talk), (1, format!("error: {error}\n")));

    let (missing, empty) = (folder.path().join("missing.ndjson"), folder.path().join("empty"));
    fs::create_dir(&empty).expect("a folder");
    for (name, hint) in [
        (path(&missing), "there is no such file"),
        (path(&empty), "it is a directory; name files, or a directory that has some"),
    ] {
        // What is missing is found before the work begins.
        let ran = kuzet(&["replay", "-", name], three().as_bytes());
        assert_eq!((ran.code, ran.out.as_str(), ran.talk), (1, "", format!("error: cannot read {name}: {hint}\n")));
    }
}

#[test]
fn a_full_disk_is_a_failure() {
    for (flag, what, input) in
        [("--out", "decisions", three()), ("--rejects", "rejected records", "rubbish\n".to_owned())]
    {
        let ran = kuzet(&["replay", "-", flag, "/dev/full"], input.as_bytes());
        let error = format!("error: cannot write {what} to /dev/full: no space is left on the device\n");
        assert_eq!((ran.code, ran.out.as_str(), ran.talk), (1, "", error));
    }
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let many: String =
        (0..20_000).map(|number| record(&format!("e-{number}"), 0, ",\"amount\":200000") + "\n").collect();
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("in.ndjson");
    fs::write(&input, many).expect("a file");
    let mut child = Command::new(env!("CARGO_BIN_EXE_kuzet"))
        .args(["replay", path(&input), "--out", "-"])
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the binary ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn nothing_that_is_read_is_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("in.ndjson");
    fs::write(&input, three()).expect("a file");
    let roundabout = folder.path().join(".").join("in.ndjson");
    for flag in ["--out", "--rejects"] {
        let ran = kuzet(&["replay", path(&input), flag, path(&roundabout)], b"");
        let error = format!(
            "error: {flag} {} would overwrite {}, which is read; write to another file\n",
            path(&roundabout),
            path(&input)
        );
        assert_eq!((ran.code, ran.talk), (2, error));
    }
    assert_eq!(fs::read_to_string(&input).expect("the input"), three());
    let ran = kuzet(&["replay", "-", "--out", "-", "--rejects", "-"], b"");
    assert_eq!(ran.talk, "error: --out and --rejects both write to -; give each a file of its own\n");
    let ran = kuzet(&["replay", "-", "-"], b"");
    assert_eq!((ran.code, ran.talk.as_str()), (2, "error: standard input (-) can be read only once; name it once\n"));
}

const DOTS_HEAD: &str = "name = \"dots\"\nversion = \"1\"\ntimezone = \"Asia/Almaty\"\ncurrency = \"KZT\"\n[event.login]\nrequires = []\n[[rule]]\nid = \"dots\"\non = [\"login\"]\nwhen = ";

#[test]
fn a_bad_pack_or_mapping_is_told_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: String| -> String {
        let file = folder.path().join(name);
        fs::write(&file, text).expect("a file");
        path(&file).to_owned()
    };
    let big = write("big.toml", "# x\n".repeat(2_500_000));
    let dots = write("dots.toml", format!("{DOTS_HEAD}\"a{}\"\n", ".a".repeat(20_000)));
    let map = write("map.toml", "format = \"xml\"\n[fields]\nid = { row = true }\n".to_owned());
    let directory = path(folder.path());
    for (flag, file, expected) in [
        (
            "--rules",
            big.as_str(),
            vec![format!(
                "error: {big} has 10000000 bytes, more than the 8388608 that a pack or a list file may have\n"
            )],
        ),
        (
            "--rules",
            &dots,
            vec![format!(" --> {dots}:10:8\n"), "error: `when` has 40001 bytes, more than 1024\n".to_owned()],
        ),
        ("--rules", directory, vec![format!("error: {directory} is a directory, not a file\n")]),
        ("--rules", "nowhere.toml", vec!["error: nowhere.toml cannot be read: there is no such file\n".to_owned()]),
        (
            "--map",
            &map,
            vec![
                format!("error: `format` is \"csv\", \"json\" or \"parquet\"\n --> {map}:1:10\n"),
                format!(
                    "error: `wallet` is not mapped, and every event needs it; add wallet = {{ field = \"…\" }}\n --> {map}:2:1\n"
                ),
            ],
        ),
        ("--map", "nowhere.toml", vec!["error: nowhere.toml cannot be read: there is no such file\n".to_owned()]),
    ] {
        let ran = kuzet(&["replay", "-", flag, file], three().as_bytes());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{flag} {file}");
        for part in expected {
            assert!(ran.talk.contains(&part), "{flag} {file}:\n{}", ran.talk);
        }
    }
}

#[test]
fn foreign_files_are_mapped() {
    for (file, map, expected, rejected, skipped) in [
        (
            "till.csv",
            "till.toml",
            vec!["PAY-1", "SEND-1", "SEND-3"],
            4,
            "  1  type \"FEE\" (first: fixtures/mapping/till.csv:5)\n",
        ),
        (
            "bank.ndjson",
            "bank.toml",
            vec!["17", "18"],
            2,
            "  1  type \"info\" (first: fixtures/mapping/bank.ndjson:3)\n",
        ),
    ] {
        let (file, map) = (format!("fixtures/mapping/{file}"), format!("fixtures/mapping/{map}"));
        let ran = kuzet(&["replay", &file, "--map", &map, "--out", "-", "--emit", "all"], b"");
        assert_eq!((ran.code, ids(&ran.out)), (0, expected.iter().map(|id| (*id).to_owned()).collect()), "{file}");
        assert!(ran.talk.contains(&format!("\nrecords skipped by the mapping\n{skipped}")), "{}", ran.talk);
        assert!(ran.talk.contains(&format!("\nrecords rejected  {rejected}\n")), "{}", ran.talk);
    }
}

#[test]
fn a_foreign_reject_carries_the_foreign_bytes() {
    let ran =
        kuzet(&["replay", "fixtures/mapping/till.csv", "--map", "fixtures/mapping/till.toml", "--rejects", "-"], b"");
    let expected = r#"{"source":"fixtures/mapping/till.csv","line":9,"offset":371,"error":"amount: \"1.005\" has 3 digits after the point; at most 2 are allowed","field":"amount","record":"6;SEND;01.03.2026 13:04;77010000001;77010000002;1.005;0;"}"#;
    assert_eq!(ran.out.lines().nth(2), Some(expected), "{}", ran.out);
}

#[test]
fn a_file_that_the_mapping_does_not_fit_is_wrong_usage() {
    let ran = kuzet(&["replay", "-", "--map", "fixtures/mapping/paysim.toml"], b"a,b\n1,2\n");
    let error = "error: the mapping does not fit -: it has no column \"step\"; its columns are \"a\", \"b\"\n";
    assert_eq!((ran.code, ran.talk.as_str()), (2, error));
}

#[test]
fn flags_may_come_from_the_environment() {
    let run = |name: &str, value: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kuzet"));
        command.args(["replay", "fixtures/mapping/bank.ndjson"]).env_clear().env(name, value);
        command.current_dir(in_repository("")).output().expect("the binary runs")
    };
    let lines = |output: &std::process::Output| output.stdout.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(run("KUZET_STRICT", "1").status.code(), Some(1));
    assert_eq!(run("KUZET_STRICT", "0").status.code(), Some(0));
    assert_eq!(lines(&run("KUZET_JSON", "true")), 1);
    assert_eq!(lines(&run("KUZET_REJECTS", "-")), 5);
    assert_eq!(run("KUZET_MAP", "nowhere.toml").status.code(), Some(2));
    assert_eq!(run("KUZET_RULES", "rules/onevision.toml,nowhere.toml").status.code(), Some(2));
}

#[test]
fn the_command_line_explains_itself() {
    let ran = kuzet(&[], b"");
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    for command in ["replay", "check", "generate"] {
        assert!(ran.talk.contains(&format!("  {command} ")), "{}", ran.talk);
    }
    let ran = kuzet(&["--version"], b"");
    assert_eq!((ran.code, ran.out), (0, format!("kuzet {}\n", env!("CARGO_PKG_VERSION"))));
    assert_eq!(kuzet(&["replay", "--help"], b"").code, 0);
    for wrong in [["replay", "--nonsense"], ["replay", "--emit=some"], ["rewind", "-"]] {
        assert_eq!(kuzet(&wrong, b"").code, 2, "{wrong:?}");
    }
    assert_eq!(kuzet(&["replay"], b"").code, 2);
}

/// Runs a command line in a shell, in a folder; `$KUZET` is the binary.
fn shell(folder: &Path, line: &str) -> Ran {
    let output = Command::new("bash")
        .args(["-c", line])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("KUZET", env!("CARGO_BIN_EXE_kuzet"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    Ran { code: output.status.code().expect("no signal"), out: text(output.stdout), talk: text(output.stderr) }
}

#[test]
fn a_closed_standard_output_hides_no_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).expect("a file");
    let many: String =
        (0..5_000).map(|number| record(&format!("e-{number}"), 0, ",\"amount\":200000") + "\n").collect();
    let packed = gzip(&many);
    write("cut.gz", &packed[..packed.len() / 2]);
    write("bad.toml", b"name = 1\n");
    write("rubbish.ndjson", (many.clone() + "rubbish\n").as_bytes());
    for (line, code) in [
        ("replay cut.gz", 1),
        ("replay cut.gz --json", 1),
        ("replay cut.gz --out - --emit none", 1),
        ("replay cut.gz --strict --out -", 1),
        ("check bad.toml", 2),
        ("check --json bad.toml", 2),
        ("replay rubbish.ndjson --strict", 1),
        ("replay rubbish.ndjson --strict --out - --emit all", 1),
        ("replay rubbish.ndjson --strict --rejects - --out decisions.ndjson", 1),
        ("replay rubbish.ndjson --out - --emit all --rejects rejects.ndjson", 0),
        ("replay rubbish.ndjson --out - --emit all", 0),
        ("replay rubbish.ndjson", 0),
        ("generate --events 3000 --truth truth.ndjson --bad 7", 0),
    ] {
        // The reader has left before the first byte is written.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_kuzet"));
        command.args(line.split(' ')).env_clear().current_dir(folder.path()).stdin(Stdio::null());
        let output = command.stdout(writer).stderr(Stdio::piped()).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(code), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let count = |name: &str| fs::read_to_string(folder.path().join(name)).expect("a file").lines().count();
    let counts = ["decisions.ndjson", "rejects.ndjson", "truth.ndjson"].map(count);
    assert_eq!(counts, [5_000, 1, 7], "the other output is whole");
}

#[cfg(unix)]
#[test]
fn no_other_name_of_an_input_is_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let pack = "name = \"mine\"\nversion = \"1\"\nuses = [\"base.toml\"]\n";
    let base = "name = \"base\"\nversion = \"1\"\ntimezone = \"Asia/Almaty\"\ncurrency = \"KZT\"\n\
                [event.transfer]\nrequires = [\"amount\"]\n[lists.mules]\nfile = \"mules.txt\"\n";
    let database = fs::read(in_repository("fixtures/geo/country.mmdb")).expect("a database");
    let files: [(&str, &[u8]); 6] = [
        ("in.ndjson", &three().into_bytes()),
        ("mine.toml", pack.as_bytes()),
        ("base.toml", base.as_bytes()),
        ("mules.txt", b"7\n"),
        ("c.mmdb", &database),
        ("-", b"a file that is called like standard input\n"),
    ];
    for (name, bytes) in files {
        fs::write(path(name), bytes).expect("a file");
    }
    fs::hard_link(path("in.ndjson"), path("hard")).expect("a hard link");
    std::os::unix::fs::symlink("base.toml", path("soft")).expect("a symbolic link");
    for (line, input) in [
        ("replay in.ndjson --out hard", "in.ndjson"),
        ("replay in.ndjson --rejects hard", "in.ndjson"),
        ("replay - --out in.ndjson < in.ndjson", "standard input"),
        ("replay - --out hard < in.ndjson", "standard input"),
        ("replay in.ndjson --out - >> in.ndjson", "in.ndjson"),
        ("replay in.ndjson >> in.ndjson", "in.ndjson"),
        ("replay in.ndjson --rules mine.toml --out mine.toml", "mine.toml"),
        ("replay in.ndjson --rules mine.toml --out base.toml", "base.toml"),
        ("replay in.ndjson --rules mine.toml --out soft", "base.toml"),
        ("replay in.ndjson --rules mine.toml --rejects mules.txt", "mules.txt"),
        ("replay in.ndjson --geo-country c.mmdb --out c.mmdb", "c.mmdb"),
        ("replay in.ndjson --geo-country c.mmdb --out c.mmdb.sha256", "c.mmdb.sha256"),
        ("replay ./- --out ./-", "./-"),
    ] {
        let ran = shell(folder.path(), &format!("$KUZET {line}"));
        let refused = format!(" would overwrite {input}, which is read; write to another file\n");
        assert!(ran.code == 2 && ran.talk.ends_with(&refused), "{line}: {} {}", ran.code, ran.talk);
    }
    for (line, name) in [
        ("replay in.ndjson --out new --rejects ./new", "new"),
        ("generate --out new --truth new", "new"),
        ("generate --out new --truth ./new", "./new"),
        ("generate --truth -", "-"),
        ("generate --out - --truth -", "-"),
        ("generate --truth new > new", "new"),
    ] {
        let ran = shell(folder.path(), &format!("$KUZET {line}"));
        let refused = format!(" both write to {name}; give each a file of its own\n");
        assert!(ran.code == 2 && ran.talk.ends_with(&refused), "{line}: {} {}", ran.code, ran.talk);
    }
    for (name, bytes) in files {
        assert_eq!(fs::read(path(name)).expect("a file"), bytes, "{name}");
    }
}

#[test]
fn a_dash_is_standard_although_a_file_is_called_so() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("-"), three()).expect("a file");
    let line = "echo rubbish | $KUZET replay - --rejects - 2> /dev/null";
    let ran = shell(folder.path(), line);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 1), "{}", ran.out);
    let ran = shell(folder.path(), "$KUZET replay ./- --out - --emit all");
    assert_eq!((ran.code, ids(&ran.out)), (0, vec!["e-1".to_owned(), "e-2".to_owned(), "e-3".to_owned()]));
    let ran = shell(folder.path(), "$KUZET generate --events 10 --bad 1 --out events --truth -");
    assert_eq!((ran.code, ran.out.lines().count()), (0, 1), "{}", ran.out);
    let ran = shell(folder.path(), "$KUZET replay - < - --out - --emit all");
    assert_eq!((ran.code, ran.out.lines().count()), (0, 3), "{}", ran.talk);
}

#[test]
fn refused_options_empty_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("events"), "precious").expect("a file");
    let ran = shell(folder.path(), "$KUZET generate --days 0 --out events");
    assert_eq!((ran.code, ran.talk.as_str()), (2, "error: --days is 0; it must be 1 to 180\n"));
    assert_eq!(fs::read_to_string(folder.path().join("events")).expect("a file"), "precious");
}

#[test]
fn what_cannot_be_written_is_named_without_the_systems_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    for (line, code, told) in [
        (
            "generate --events 10 > /dev/full",
            1,
            "cannot write events to standard output: no space is left on the device",
        ),
        ("generate --events 10 --out /dev/full", 1, "cannot write events to /dev/full: no space is left on the device"),
        (
            "generate --events 10 --bad 1 --truth /dev/full > /dev/null",
            1,
            "cannot write the truth to /dev/full: no space is left on the device",
        ),
        ("generate --out no/where", 1, "cannot write events to no/where: there is no such folder"),
        ("generate --out .", 1, "cannot write events to .: it is a directory; name a file"),
        ("replay - --out no/where", 1, "cannot write decisions to no/where: there is no such folder"),
        ("replay - > /dev/full", 1, "cannot write the summary: no space is left on the device"),
        ("replay - --geo-country no.mmdb", 2, "no.mmdb: cannot be read: there is no such file"),
        ("replay - --geo-country .", 2, ".: cannot be read: it is a directory"),
        ("check --schema pack > /dev/full", 1, "cannot write what was found: no space is left on the device"),
    ] {
        let ran = shell(folder.path(), &format!("$KUZET {line}"));
        assert_eq!((ran.code, ran.talk), (code, format!("error: {told}\n")), "{line}");
    }
    for line in ["replay - --rules no.toml", "replay - --map no.toml", "check no.toml"] {
        let ran = shell(folder.path(), &format!("$KUZET {line}"));
        assert!(ran.talk.starts_with("error: no.toml cannot be read: there is no such file\n"), "{line}: {}", ran.talk);
        assert_eq!(ran.code, 2, "{line}");
    }
}

#[test]
fn the_last_words_of_generate_count_properly() {
    for (arguments, told) in [
        (["--events", "1", "--bad", "1"], "1 event\n1 record that must be rejected\n"),
        (["--events", "3000", "--bad", "1200"], "3,000 events\n1,200 records that must be rejected\n"),
    ] {
        let ran = kuzet(&[&["generate", "--out", "/dev/null"], arguments.as_slice()].concat(), b"");
        assert_eq!((ran.code, ran.talk.as_str()), (0, told));
    }
}

#[test]
fn empty_variables_are_unset() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("in.ndjson"), three() + "rubbish\n").expect("a file");
    let plain = shell(folder.path(), "$KUZET replay in.ndjson --json");
    let names = ["OUT", "REJECTS", "RULES", "EMIT", "STRICT", "JSON", "MAP", "GEO_COUNTRY", "GEO_ANONYMOUS"];
    let empty: Vec<String> = names.iter().map(|name| format!("KUZET_{name}=")).collect();
    let ran = shell(folder.path(), &format!("{} $KUZET replay in.ndjson --json", empty.join(" ")));
    let figures = |text: &str| {
        let mut summary: Value = serde_json::from_str(text).expect("one JSON object");
        for key in ["seconds", "events_a_second"] {
            summary[key].take();
        }
        summary
    };
    assert_eq!((ran.code, ran.talk.as_str(), figures(&ran.out)), (0, "", figures(&plain.out)));
    for (name, value) in [("KUZET_STRICT", "maybe"), ("KUZET_JSON", "2")] {
        let ran = shell(folder.path(), &format!("{name}={value} $KUZET replay in.ndjson"));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{name}");
        assert!(ran.talk.contains(&format!("'{value}'")) && ran.talk.contains(name), "{}", ran.talk);
    }
    assert_eq!(shell(folder.path(), "KUZET_STRICT=yes $KUZET replay in.ndjson").code, 1);
    assert_eq!(shell(folder.path(), "KUZET_STRICT=off $KUZET replay in.ndjson").code, 0);
}

#[test]
fn an_unclosed_quote_is_named_with_its_place() {
    let rows = "PAY;2;01.03.2026 13:01;77010000001;;10;0;\n".repeat(3_000);
    let input = format!("kind;ref;when;phone;to;sum;vpn;note\nPAY;1;01.03.2026 13:00;77010000001;;10;0;\"x\n{rows}");
    let ran = kuzet(&["replay", "-", "--map", "fixtures/mapping/till.toml", "--rejects", "-"], input.as_bytes());
    let reject: Value = serde_json::from_str(&ran.out).expect("one reject");
    let bytes = 3 + rows.len();
    let error = format!(
        "the quote that opens column 8 in line 2 is never closed and takes the rest of the file, {bytes} bytes; close it, \
         or write it twice inside a quoted cell"
    );
    assert_eq!((&reject["error"], &reject["line"], &reject["truncated"]), (&json!(error), &json!(2), &json!(true)));
}

#[test]
fn what_cannot_be_seen_is_escaped_in_messages() {
    for (input, error) in [
        ("{\u{a0}}", "not JSON: a key in quotes is expected at byte 1, but `\\u00a0` stands there"),
        ("{\"a\":1. }", "not JSON: a digit is expected at byte 7, but a blank stands there"),
        ("\u{200b}{}", "not JSON: the record's `{` is expected at byte 0, but `\\u200b` stands there"),
    ] {
        check_reject(input.as_bytes(), error, None);
    }
    let input = record("e", 0, ",\"amount\":\"1\u{a0}000\"");
    let ran = kuzet(&["replay", "-", "--rejects", "-"], input.as_bytes());
    assert!(ran.out.contains("amount: \\\"1\\\\u00a0000\\\" "), "{}", ran.out);
    let input = record("e", 0, ",\"amount\":1").replace("\"id\":\"e\"", "\"id\":true");
    check_reject(input.as_bytes(), "id: a boolean is given; text is expected", Some("id"));
}

#[test]
fn idle_is_told_in_local_time() {
    let login = |id: &str, time: &str| format!(r#"{{"id":"{id}","type":"login","time":"{time}","wallet":"7"}}"#);
    let input = login("a", "2025-01-25T04:34:36Z") + "\n" + &login("b", "2026-03-01T08:00:00Z") + "\n";
    let ran = kuzet(&["replay", "-"], input.as_bytes());
    let told = "inactive-login (5.11.4): last used 2025-01-25 09:34:36, limit 12 months";
    assert!(ran.out.contains(told) && !ran.out.contains("since"), "{}", ran.out);
}
