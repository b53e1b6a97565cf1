//! What does not load: where it is wrong, what is said, and what is advised.

use super::Packs;

/// Conditions at the margin; below each its errors as `[the text at fault] message | advice`.
const CASES: &str = include_str!("mistakes.txt");

#[test]
fn every_mistake_is_named_at_its_place_with_advice() {
    let packs = Packs::new();
    let is_source = |line: &&str| !line.starts_with("    ");
    let mut shown = String::new();
    for source in CASES.lines().filter(is_source) {
        shown += &format!("{source}\n");
        for error in packs.compile(source).err().unwrap_or_default() {
            let advice = error.help.map_or(String::new(), |help| format!(" | {help}"));
            shown += &format!("    [{}] {}{advice}\n", &source[error.span], error.message);
        }
    }
    if let Some((got, expected)) = shown.lines().zip(CASES.lines()).find(|(got, expected)| got != expected) {
        panic!("\n     got: {got}\nexpected: {expected}\nall of it:\n{shown}");
    }
    assert_eq!(shown, CASES);
}
