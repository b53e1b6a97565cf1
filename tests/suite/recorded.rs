//! The README's tables of speed and of growth are made of recorded runs, and stay what these runs say.
//!
//! Figures are copied by no hand. The README names a record between two marks (`<!-- speed: benches/record/….md -->` and
//! `<!-- end of speed -->`); what stands there must be the table that this makes of it, and
//! `KUZET_BLESS=1 cargo test --test suite recorded` writes it. While the README has no such marks it claims nothing.

use crate::harness::in_repository;
use std::{collections::BTreeMap, fs};

/// What the README claims, and what makes the table of a record.
type Claim = (&'static str, fn(&str) -> String);

const CLAIMS: [Claim; 2] = [("speed", table), ("growth with rules", rows)];
const NAMED: &str = " -->\n";

/// The shapes, in the order of the bench.
const SHAPES: [&str; 5] = ["uniform", "skewed", "hot", "shuffled", "bursts"];

/// One row a contestant: events a second of the first shape, then the ratios to naive of all.
fn table(record: &str) -> String {
    assert!(!record.contains("void"), "a void run says nothing");
    let mut names = Vec::new();
    let mut rates = BTreeMap::new();
    let mut ratios = BTreeMap::new();
    let mut shape = None;
    for line in record.lines() {
        if let Some((name, _)) = line.split_once(": ").filter(|(name, _)| SHAPES.contains(name)) {
            shape = Some(name);
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (Some(shape), ["", name, rate, ratio, ""]) = (shape, cells.as_slice()) else { continue };
        let Some(rate) = rate.strip_suffix(" M") else { continue };
        if shape == SHAPES[0] {
            names.push(*name);
            rates.insert(*name, rate);
        }
        ratios.insert((*name, shape), ratio.split(' ').next().expect("a first word"));
    }
    let mut table = format!("| | M events/s, {} | {} |\n", SHAPES[0], SHAPES.join(" | "));
    table += &format!("|---{}|\n", "|---".repeat(1 + SHAPES.len()));
    for name in names {
        let ratios = SHAPES.map(|shape| *ratios.get(&(name, shape)).unwrap_or_else(|| panic!("no {shape} of {name}")));
        table += &format!("| {name} | {} | {} |\n", rates[name], ratios.join(" | "));
    }
    table
}

#[test]
fn a_table_is_made_of_a_run() {
    let mut record = "# throughput\n\n| rules | ns |\n".to_owned();
    for (place, shape) in SHAPES.iter().enumerate() {
        record += &format!("\n{shape}: 1000 events of 216 bytes, 5 rounds\n| | events/s | ratio |\n|---|---|---|\n");
        record +=
            &format!("| naive | 0.93 M | 1.00 (1.00 to 1.00) |\n| ours | 1.8{place} M | 2.0{place} (1.9 to 2.1) |\n");
        record += "ours is 0.55 of theirs alone\n";
    }
    let expected = "| | M events/s, uniform | uniform | skewed | hot | shuffled | bursts |\n\
        |---|---|---|---|---|---|---|\n\
        | naive | 0.93 | 1.00 | 1.00 | 1.00 | 1.00 | 1.00 |\n\
        | ours | 1.80 | 2.00 | 2.01 | 2.02 | 2.03 | 2.04 |\n";
    assert_eq!(table(&record), expected);
}

/// The table of a record as it was printed.
fn rows(record: &str) -> String {
    record.lines().filter(|line| line.starts_with('|')).map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_figures_of_the_readme_are_what_was_recorded() {
    let path = in_repository("README.md");
    let mut text = fs::read_to_string(&path).expect("the README");
    for (claim, table) in CLAIMS {
        let (begin, end) = (format!("<!-- {claim}: "), format!("<!-- end of {claim} -->"));
        let Some((before, rest)) = text.split_once(&begin) else { continue };
        let (record, rest) = rest.split_once(NAMED).expect("a record's name behind the first mark");
        let (shown, after) = rest.split_once(&end).expect("the second mark");
        let made = table(&fs::read_to_string(in_repository(record)).expect("the record that the README names"));
        if std::env::var_os("KUZET_BLESS").is_some() {
            text = [before, &begin, record, NAMED, &made, &end, after].concat();
        } else {
            assert_eq!(shown, made, "KUZET_BLESS=1 cargo test --test suite recorded writes it");
        }
    }
    if std::env::var_os("KUZET_BLESS").is_some() {
        fs::write(path, text).expect("the README can be written");
    }
}

/// What documents link to in this repository is there: a record that is replaced takes its links with it.
#[test]
fn the_links_of_the_documents_lead_somewhere() {
    let documents = ["README.md", "benches/README.md", "docs/investigation.md"];
    for document in documents.map(in_repository) {
        let text = fs::read_to_string(&document).expect("a document");
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let here: Vec<&str> = links.filter(|link| !link.contains("://") && !link.starts_with('#')).collect();
        assert!(!here.is_empty(), "{}", document.display());
        for link in here {
            let file = link.split('#').next().expect("a first part");
            assert!(document.with_file_name(file).exists(), "{}: {link}", document.display());
        }
    }
}
