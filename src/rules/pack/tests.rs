//! Wrong packs and what is said of them, as data: `fixtures/packs/wrong.txt`, judged by one `check`.
//!
//! A case is a title (`#### …`), files (`==== path`; the first is asked for, `HEAD` stands for [`HEAD`]) and what is
//! said (`---- says`). `KUZET_BLESS=1 cargo test wrong_packs` writes what is said now; read the difference.

use super::{Loaded, load};
use crate::{
    limits,
    rules::{
        Counts, Limit, Measure, Mode,
        diagnostic::{Diagnostics, Source},
    },
    time::{Span, Timestamp},
};
use std::collections::HashMap;

/// The beginning that most packs of the tests have.
const HEAD: &str = r#"name     = "test"
version  = "1"
timezone = "Asia/Almaty"
currency = "KZT"
event.transfer.requires = ["amount", "counterparty"]
event.login     = {}
event.confirmed = {}"#;

fn load_files(files: &[(String, String)]) -> Result<Loaded, Diagnostics> {
    let known: HashMap<&str, &str> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let mut beside = |_: &str, name: &str| match known.get(name) {
        Some(text) => Ok(Source { path: name.to_owned(), text: (*text).to_owned() }),
        None => Err(format!("{name} does not exist")),
    };
    let (path, text) = &files[0];
    load(&[Source { path: path.clone(), text: text.clone() }], &mut beside)
}

/// Everything that is said of a pack, warnings of one that loads too.
fn says(files: &[(String, String)]) -> String {
    match load_files(files) {
        Ok(loaded) => loaded.diagnostics.render(false),
        Err(diagnostics) => diagnostics.render(false),
    }
}

fn one(text: &str) -> Result<Loaded, Diagnostics> {
    load_files(&[("test.toml".to_owned(), text.replace("HEAD", HEAD))])
}

fn loaded(text: &str) -> Loaded {
    one(text).unwrap_or_else(|diagnostics| panic!("{}", diagnostics.render(false)))
}

fn errors(text: &str) -> Vec<String> {
    one(text).expect_err("the pack is wrong").list.into_iter().map(|found| found.message).collect()
}

struct Case<'a> {
    title: &'a str,
    body: &'a str,
    files: Vec<(String, String)>,
    says: &'a str,
}

fn cases(text: &str) -> Vec<Case<'_>> {
    let case = |case| {
        let (title, rest): (&str, &str) = str::split_once(case, '\n').expect("a case has a title");
        let (body, says) = rest.split_once("---- says\n").expect("a case has `---- says`");
        let files = body.split("==== ").skip(1).map(|file| {
            let (path, text) = file.split_once('\n').expect("a file has a path");
            (path.to_owned(), text.replace("HEAD", HEAD))
        });
        Case { title, body, files: files.collect(), says }
    };
    text.split("#### ").skip(1).map(case).collect()
}

#[test]
fn wrong_packs_are_told_what_to_write() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/packs/wrong.txt");
    let text = std::fs::read_to_string(path).expect("the fixture is there");
    let bless = std::env::var_os("KUZET_BLESS").is_some();
    let mut blessed = String::new();
    for case in cases(&text) {
        let said = says(&case.files);
        if bless {
            blessed += &format!("#### {}\n{}---- says\n{}\n", case.title, case.body, said);
        } else {
            assert_eq!(said, case.says.strip_suffix('\n').unwrap_or(case.says), "{}", case.title);
        }
    }
    if bless {
        std::fs::write(path, blessed).expect("the fixture can be written");
    }
}
