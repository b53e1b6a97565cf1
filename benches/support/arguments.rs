//! What a bench without a harness was asked for.
//!
//! `cargo bench` passes `--bench`; without it (`cargo test --benches`) a bench runs small and only checks its answers,
//! as criterion's do. Settings are given as `--events 100000`; there is no help beyond `benches/README.md`.

/// Whether answers are to be checked on little data, and nothing measured.
pub fn test_mode() -> bool {
    flag("--test") || !flag("--bench")
}

/// Whether `name` was given.
pub fn flag(name: &str) -> bool {
    std::env::args().any(|argument| argument == name)
}

/// What was given behind `name`.
pub fn value(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

/// The number given behind `name`, or `otherwise`.
///
/// # Panics
/// If it is not a number.
pub fn number(name: &str, otherwise: u64) -> u64 {
    value(name).map_or(otherwise, |text| match text.replace('_', "").parse() {
        Ok(number) => number,
        Err(_) => panic!("{name} takes a number, not {text}"),
    })
}
