//! The house rules that a compiler does not hold: which module may import which, and that every file says why it is.

use crate::harness::in_repository;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Top-level modules by storey; a module imports only from storeys below its own.
const STOREYS: &[&[&str]] = &[
    &["limits"],
    &["number", "time", "hash", "mask", "memory", "random", "wording"],
    &["event"],
    &["geo", "decision"],
    &["facts"],
    &["rules"],
    &["window"],
    &["state"],
    &["encode", "engine"],
    &["sidecar"],
    &["files", "geo_files", "options", "pack_files", "schema"],
    &["mapping", "generate", "check", "alert", "kafka"],
    &["replay"],
    &["run"],
    &["dispatch", "load"],
    &["commands"],
    &["lib", "main"],
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    sources(&in_repository("src"), &mut found);
    found.sort();
    found
}

/// The top-level module that a file belongs to.
fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(in_repository("src")).expect("a file below src");
    let first = inside.components().next().expect("a file").as_os_str().to_str().expect("a plain name");
    first.trim_end_matches(".rs").to_owned()
}

fn storey(module: &str) -> usize {
    STOREYS
        .iter()
        .position(|storey| storey.contains(&module))
        .unwrap_or_else(|| panic!("module {module} has no storey in tests/suite/house.rs"))
}

/// The modules that a source names behind `crate::` or `kuzet::`, also in `use crate::{a::…, b::…}`; tests left out.
fn imports(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod tests").next().expect("the first part");
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (at, start) in code.match_indices("crate::").chain(code.match_indices("kuzet::")) {
        let rest = &code[at + start.len()..];
        match rest.strip_prefix('{') {
            None => found.push(name(rest)),
            Some(group) => {
                let mut depth = 0_i32;
                let mut item = true;
                for (place, character) in group.char_indices() {
                    match character {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => item = true,
                        c if item && (c.is_alphanumeric() || c == '_') => {
                            found.push(name(&group[place..]));
                            item = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for path in all_sources() {
        let module = module_of(&path);
        let text = fs::read_to_string(&path).expect("a source");
        for import in imports(&text) {
            let known = STOREYS.iter().any(|storey| storey.contains(&import.as_str()));
            if known && import != module && storey(&import) >= storey(&module) {
                wrong.push(format!("{}: {module} imports {import}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that point up:\n{}", wrong.join("\n"));
}

#[test]
fn the_check_sees_an_arrow_that_points_up() {
    assert_eq!(
        imports("use crate::{engine::{Engine, Input}, time};\nfn f() { crate::state::g() }"),
        ["engine", "time", "state"]
    );
}

#[test]
fn every_file_opens_with_its_reason() {
    for path in all_sources() {
        let text = fs::read_to_string(&path).expect("a source");
        assert!(text.starts_with("//! "), "{} does not say why it exists", path.display());
    }
}

/// `deny.toml` lets the package name them; what handles a record that came from outside must not.
#[test]
fn yardsticks_stay_with_the_benches() {
    let text = fs::read_to_string(in_repository("Cargo.toml")).expect("the manifest");
    let manifest: toml::Table = toml::from_str(&text).expect("a manifest is TOML");
    let names = |part: &str| manifest[part].as_table().expect("a table").keys().cloned().collect::<Vec<_>>();
    for yardstick in ["sonic-rs", "simd-json"] {
        assert!(names("dev-dependencies").iter().any(|name| name == yardstick), "{yardstick} takes part");
        assert!(!names("dependencies").iter().any(|name| name == yardstick), "{yardstick} decides nothing");
    }
}
