//! What does not load: where it is wrong, what is said, and what is advised.

use super::Packs;

/// Conditions at the margin; below each its errors as `[the text at fault] message | advice`. `KUZET_BLESS=1` writes
/// what is said now; read the difference.
const CASES: &str = include_str!("mistakes.txt");

#[test]
fn every_mistake_is_named_at_its_place_with_advice() {
    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/rules/condition/tests/mistakes.txt");
    let packs = Packs::new();
    let is_source = |line: &&str| !line.starts_with("    ");
    let mut shown = String::new();
    for source in CASES.lines().filter(is_source) {
        shown += &format!("{source}\n");
        for error in packs.compile(source).err().unwrap_or_default() {
            shown += &format!("    [{}] {} | {}\n", &source[error.span], error.message, error.help);
        }
    }
    if std::env::var_os("KUZET_BLESS").is_some() {
        return std::fs::write(PATH, shown).expect("the cases can be written");
    }
    if let Some((got, expected)) = shown.lines().zip(CASES.lines()).find(|(got, expected)| got != expected) {
        panic!("\n     got: {got}\nexpected: {expected}\nall of it:\n{shown}");
    }
    assert_eq!(shown, CASES);
}
