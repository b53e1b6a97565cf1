//! Resident memory at its peak, by the default pack, after one day of ten events of each wallet.
//!
//! A peak belongs to a process and never falls, so every figure comes from a process of its own: this bench starts
//! itself again. Everything is counted: the program, the pack, tables at their growth, buffers.

use super::{
    arguments,
    cost::{Feed, START, Step, float},
    packs,
    wallets::scattered,
};
use std::process::Command;

const DAY: u64 = 24 * 60 * 60 * 1_000;
const EVENTS_OF_A_WALLET: u64 = 10;
/// Bytes a wallet, at ten million of them.
const BOUND: f64 = 200.0;

pub fn measure(test: bool) {
    let most = arguments::number("--most", if test { 1_000 } else { 1_000_000 });
    println!("| wallets | peak, MiB | before the first event, MiB | bytes a wallet | without what was there before |");
    println!("|---|---|---|---|---|");
    let mut wallets = if test { 1_000 } else { 10_000 };
    while wallets <= most {
        let (before, peak) = in_a_process(wallets);
        let [all, own] = [peak, peak - before].map(|kibibytes| float(kibibytes) * 1024.0 / float(wallets));
        let over = if all > BOUND { format!(" OVER {BOUND:.0}") } else { String::new() };
        let [peak, before] = [peak, before].map(|kibibytes| float(kibibytes) / 1024.0);
        println!("| {wallets} | {peak:.0} | {before:.0} | {all:.0}{over} | {own:.0} |");
        wallets *= 10;
    }
}

/// Peaks in KiB before the first event and after the last.
fn in_a_process(wallets: u64) -> (u64, u64) {
    let program = std::env::current_exe().expect("a running program has a path");
    let output = Command::new(program)
        .args(["--bench", "--memory-of", &wallets.to_string()])
        .output()
        .expect("a program that runs can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map(|number| number.parse().expect("the child prints two numbers"));
    match (numbers.next(), numbers.next()) {
        (Some(before), Some(peak)) => (before, peak),
        _ => panic!("the child failed: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// What the process started for it does.
pub fn child(wallets: u64) {
    let mut feed = Feed::new(&packs::load("rules/onevision.toml"));
    let before = peak();
    let events = wallets * EVENTS_OF_A_WALLET;
    let steps = (0..events).map(|number| Step {
        wallet: scattered(number, wallets),
        time: START + i64::try_from(number * DAY / events).expect("within a day"),
    });
    feed.run(steps, |_, _| ());
    println!("{before} {}", peak());
}

/// The peak of this process's resident memory, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this bench runs on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("with its peak");
    line.trim().trim_end_matches(" kB").parse().expect("in kB")
}
