//! The walk-through of `docs/`: every command on the page is run, in order, and what the page shows of its output comes out. Those that
//! read a topic are run by `kafka::walked`, where there is a broker.

use crate::{cli::path, harness::in_repository};
use std::{fs, path::Path, process::Command};

/// A command of the page, and the lines that it shows of what comes out.
pub struct Step {
    pub command: String,
    pub shown: Vec<String>,
}

impl Step {
    /// It reads a topic.
    pub fn needs_broker(&self) -> bool {
        self.command.contains("--kafka")
    }

    /// Runs it in a folder, and finds what is shown.
    pub fn run(&self, folder: &Path) {
        let Step { command, shown } = self;
        let ran = Command::new(env!("CARGO_BIN_EXE_kuzet"))
            .args(command.split_whitespace())
            .env_clear()
            .current_dir(folder)
            .output()
            .unwrap_or_else(|error| panic!("{command} in {}: {error}", path(folder)));
        let talk = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(expected_code(command)), "{command}\n{talk}");
        let output = String::from_utf8(ran.stdout).expect("UTF-8");
        for line in shown {
            assert!(output.contains(line), "the page shows\n{line}\nbut it is\n{output}");
        }
    }
}

/// Commands that must find something different.
fn expected_code(command: &str) -> i32 {
    let differs = command.contains("--fail-on-change") || command.contains("candidate.toml --verify");
    if differs { 3 } else { 0 }
}

/// The commands of the page, in order.
pub fn steps() -> Vec<Step> {
    let page = fs::read_to_string(in_repository("docs/investigation.md")).expect("the page");
    let blocks = page.split("```console\n").skip(1).map(|part| part.split("```").next().expect("a block"));
    let mut steps: Vec<Step> = Vec::new();
    for line in blocks.flat_map(str::lines) {
        match line.strip_prefix("$ kuzet ") {
            Some(command) => steps.push(Step { command: command.to_owned(), shown: Vec::new() }),
            None => steps.last_mut().expect("a command comes first").shown.push(line.to_owned()),
        }
    }
    steps
}

/// A folder with the page's files.
pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(in_repository("docs/investigation")).expect("the page's files") {
        let from = entry.expect("an entry").path();
        fs::copy(&from, folder.path().join(from.file_name().expect("a name"))).expect("a copy");
    }
    folder
}

#[test]
fn commands_of_the_investigation() {
    let folder = folder();
    let (mut run, mut shown) = (0, 0);
    for step in steps().iter().filter(|step| !step.needs_broker()) {
        if step.command.contains(".parquet") && !cfg!(feature = "parquet") {
            continue;
        }
        step.run(folder.path());
        run += 1;
        shown += step.shown.len();
    }
    assert!(run >= 14 && shown >= 18, "{run} commands, {shown} lines shown");
}
