//! What the documents say is run: commands of the README, and packs of the rule language's page.

use crate::harness::{Judge, in_repository};
use std::{fs, process::Command};

/// The fenced blocks of one language in a document.
pub fn blocks(path: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(in_repository(path)).expect("a document");
    let opening = format!("```{language}\n");
    let parts = text.split(opening.as_str()).skip(1);
    parts.map(|part| part.split("```").next().expect("a first part").to_owned()).collect()
}

/// Every `kuzet` command of the README succeeds; `cargo test` is this.
#[test]
fn commands_of_the_readme() {
    let blocks = blocks("README.md", "console");
    let commands: Vec<&str> =
        blocks.iter().flat_map(|block| block.lines()).filter_map(|line| line.strip_prefix("$ ")).collect();
    let mut run = 0;
    for command in commands {
        let Some(arguments) = command.strip_prefix("cargo run --release -- ") else {
            assert_eq!(command, "cargo test");
            continue;
        };
        let output = Command::new(env!("CARGO_BIN_EXE_kuzet"))
            .args(arguments.split(' '))
            .current_dir(in_repository(""))
            .output()
            .expect("kuzet runs");
        assert!(output.status.success(), "{command}\n{}", String::from_utf8_lossy(&output.stderr));
        run += 1;
    }
    assert!(run >= 6, "the README has commands");
}

/// The README's main command shows decisions with reasons.
#[test]
fn the_main_job_tells_decisions_in_plain_words() {
    let output = Command::new(env!("CARGO_BIN_EXE_kuzet"))
        .args(["replay", "fixtures/operations.ndjson"])
        .current_dir(in_repository(""))
        .output()
        .expect("kuzet runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    for part in
        ["rules over their limit: 15 of 15", "equal-transfers (7.15(2))", "flagged decisions", "rejected records"]
    {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
}

/// Each block of the rule language's page is a whole pack that loads, and whose examples come out as they say.
#[test]
fn packs_of_the_rule_language() {
    let blocks = blocks("rules/README.md", "toml");
    assert!(!blocks.is_empty(), "the page has packs");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (number, block) in blocks.iter().enumerate() {
        let path = folder.path().join(format!("block-{number}.toml"));
        fs::write(&path, block).expect("a file");
        let output = Command::new(env!("CARGO_BIN_EXE_kuzet")).arg("check").arg(&path).output().expect("kuzet runs");
        assert!(output.status.success(), "{block}\n{}", String::from_utf8_lossy(&output.stderr));
        Judge::of_text(block);
    }
}

/// The decision that the README shows is one that the default pack gives.
#[test]
fn the_decision_of_the_readme() {
    let shown: String = blocks("README.md", "json").remove(0).lines().map(str::trim_start).collect();
    let mut judge = Judge::of("rules/onevision.toml");
    let mut last = String::new();
    for number in 1..=11 {
        let second = if number == 11 { "08:15:30".to_owned() } else { format!("07:15:{}", 29 + number) };
        let event = format!(
            r#"{{"id":"e-{number}","type":"transfer","time":"2026-03-01T{second}Z","wallet":"77010000001","counterparty":"77020000002","amount":"5000"}}"#
        );
        last = judge.feed(event.as_bytes()).expect("a decision");
    }
    assert_eq!(last, shown);
}
