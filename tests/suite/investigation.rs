//! The walk-through of `docs/`: every command on the page is run, in order, and what the page shows of its output comes out.

use crate::{cli::path, harness::in_repository};
use std::{fs, process::Command};

/// Commands that must find something different.
fn expected_code(command: &str) -> i32 {
    let differs = command.contains("--fail-on-change") || command.contains("candidate.toml --verify");
    if differs { 3 } else { 0 }
}

#[test]
fn commands_of_the_investigation() {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(in_repository("docs/investigation")).expect("the page's files") {
        let from = entry.expect("an entry").path();
        fs::copy(&from, folder.path().join(from.file_name().expect("a name"))).expect("a copy");
    }
    let page = fs::read_to_string(in_repository("docs/investigation.md")).expect("the page");
    let blocks = page.split("```console\n").skip(1).map(|part| part.split("```").next().expect("a block"));
    let (mut run, mut shown, mut output) = (0, 0, String::new());
    for line in blocks.flat_map(str::lines) {
        let Some(command) = line.strip_prefix("$ kuzet ") else {
            assert!(output.contains(line), "the page shows\n{line}\nbut it is\n{output}");
            shown += 1;
            continue;
        };
        let ran = Command::new(env!("CARGO_BIN_EXE_kuzet"))
            .args(command.split_whitespace())
            .env_clear()
            .current_dir(folder.path())
            .output()
            .unwrap_or_else(|error| panic!("{command} in {}: {error}", path(folder.path())));
        let talk = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(expected_code(command)), "{command}\n{talk}");
        output = String::from_utf8(ran.stdout).expect("UTF-8");
        run += 1;
    }
    assert!(run >= 11 && shown >= 15, "{run} commands, {shown} lines shown");
}
