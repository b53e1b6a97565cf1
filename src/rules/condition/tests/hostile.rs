//! Hostile text: whatever the bytes, compiling ends with a condition or with errors inside the text, in little stack.

use super::{Packs, random::Dice};
use crate::limits::{CONDITION_BYTES, CONDITION_DEPTH};

/// Small against the 2 MiB of a thread and the 8 MiB of a process, and this is a debug build.
const STACK_BYTES: usize = 256 * 1024;

fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).expect("a thread");
    thread.join().expect("nothing panics");
}

fn compile(packs: &Packs, source: &str) -> bool {
    match packs.compile(source) {
        Ok(condition) => {
            let _ = super::Given::parse("amount=5").outcome(&condition, packs);
            true
        }
        Err(errors) => {
            assert!(!errors.is_empty(), "{source:?} is refused without a reason");
            for error in errors {
                assert!(source.get(error.span.clone()).is_some(), "{source:?}: {error:?} is no part of it");
                assert!(!error.message.is_empty() && !error.help.is_empty(), "{source:?}: {error:?}");
            }
            false
        }
    }
}

/// `unit` over and over, up to the longest condition.
fn repeated(unit: &str) -> String {
    unit.repeat(CONDITION_BYTES / unit.len())
}

#[test]
fn a_long_text_is_refused_before_it_is_read() {
    let packs = Packs::new();
    for source in [".".repeat(20_000), "(".repeat(1_000_000), "a".repeat(CONDITION_BYTES + 1)] {
        let errors = packs.compile(&source).expect_err("too long");
        let expected = format!("a condition has at most 1024 bytes, and this has {}", source.len());
        assert_eq!((errors.len(), errors[0].message.as_str()), (1, expected.as_str()));
    }
    let longest = format!("amount > 1{}", " ".repeat(CONDITION_BYTES - 10));
    assert!(packs.compile(&longest).is_ok());
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of what is repeated, one a line")]
fn repetition_needs_little_stack() {
    on_a_small_stack(|| {
        let packs = Packs::new();
        let units = [
            "(",
            "[",
            "!",
            "-",
            ".",
            "\"",
            "'",
            "\\",
            "{",
            ")",
            "]",
            "?",
            ":",
            ",",
            "a",
            "1",
            "é",
            "\n",
            "//",
            "\0",
            "!(",
            "-(",
            "[(",
            "([",
            "f(",
            "has(",
            "a.",
            "a[",
            "x.f(",
            "a?",
            "a?b:",
            "a?(",
            "a||",
            "a&&",
            "a==",
            "1+",
            "1*",
            "1-",
            "a in ",
            "a||a&&a==1+1*-(",
            "a||a&&a==1+1*-[",
            "a||a&&a==1+1*!x.f(",
            "!-",
            "r'",
            "'''",
            "b\"",
            "0x",
            "1e",
            "1.",
            ".5",
            "1e9999999999999999999999",
            "\\u",
            "'\\",
            "a ? a||a&&a==1+1*-a[",
            "\u{FEFF}",
        ];
        for unit in units {
            let start = repeated(unit);
            for source in [
                start.clone(),
                format!("{}1", &start[..start.len() - unit.len()]),
                format!("amount > {}", &start[..start.len() - 12 * unit.len().min(80)]),
            ] {
                compile(&packs, &source);
            }
        }
    });
}

#[test]
fn nesting_is_allowed_up_to_its_bound() {
    on_a_small_stack(|| {
        let packs = Packs::new();
        let wrapped =
            |open: &str, close: &str, times: usize| format!("{}true{}", open.repeat(times), close.repeat(times));
        for (open, close) in [("(", ")"), ("!", ""), ("!(", ")"), ("true == (", ")"), ("false || true && (", ")")] {
            assert!(compile(&packs, &wrapped(open, close, 12)), "{open}");
            assert!(!compile(&packs, &wrapped(open, close, 52)), "{open}");
        }
        assert!(compile(&packs, &wrapped("(", ")", CONDITION_DEPTH)));
        assert!(!compile(&packs, &wrapped("(", ")", CONDITION_DEPTH + 1)));
        // CEL asks for 24 to 32 of what repeats, and joining has no height at all.
        assert!(compile(&packs, &format!("amount > {}1", "1 + ".repeat(24))));
        assert!(compile(&packs, &format!("{}true", "anonymous || ".repeat(70))));
        assert!(compile(&packs, &format!("amount in [{}1]", "1, ".repeat(300))));
        assert!(compile(&packs, &format!("amount > {}1{}", "1 + -(".repeat(15), ")".repeat(15))));
        assert!(compile(&packs, &format!("amount in [{}1{}]", "1 - (".repeat(29), ")".repeat(29))));
    });
}

#[test]
fn patterns_are_bounded() {
    on_a_small_stack(|| {
        let packs = Packs::new();
        for (pattern, right) in [
            (r"^\\w+@\\w+$", true),
            ("^(7701|7702|7705)[0-9]{7}$", true),
            ("(?i)казино|ставк", true),
            ("[a-z]{1000}{1000}", false),
            (r"\\w{200}", true),
            (r"\\pL{200}", false),
            ("(", false),
            (r"(a)\\1", false),
            ("(?=a)", false),
            (&"(".repeat(900), false),
            (&format!("{}a{}", "(".repeat(400), ")".repeat(400)), false),
            (&format!("a{}", "*".repeat(900)), false),
            (&format!("a{}", "{2}".repeat(200)), false),
            (&format!("[{}", "a-z".repeat(200)), false),
        ] {
            assert_eq!(compile(&packs, &format!("wallet.matches(\"{pattern}\")")), right, "{pattern}");
        }
    });
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of words, one a line")]
fn mixtures_end_in_errors_within_the_text() {
    on_a_small_stack(|| {
        let packs = Packs::new();
        let words = [
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "!",
            "-",
            ".",
            "\"",
            "'",
            "\\",
            "amount",
            "attributes.x",
            "units.MCI",
            "in",
            "lists.mules",
            "1",
            "0.5",
            "?",
            ":",
            "&&",
            "||",
            "==",
            "<",
            ",",
            "+",
            "*",
            "/",
            "has(",
            "r\"",
            "b'",
            "é",
            "\n",
            "//",
            "`",
            "1e9",
            "0x",
            "u",
            "=",
            "&",
            "null",
            "true",
            ".matches(",
            "\"(\"",
            " ",
            "\u{0}",
            "time",
        ];
        for seed in 0..3_000 {
            let mut dice = Dice::new(seed);
            // Few different words make deep runs, many make nonsense.
            let few: Vec<&str> = (0..=dice.below(6)).map(|_| *dice.pick(&words)).collect();
            let mut source = String::new();
            let length = dice.below(CONDITION_BYTES);
            while source.len() < length {
                let word: &&str = dice.pick(&few);
                source.push_str(word);
            }
            if source.len() <= CONDITION_BYTES {
                compile(&packs, &source);
            }
        }
    });
}

#[test]
fn bytes_that_were_changed_end_in_errors_within_the_text() {
    let packs = Packs::new();
    let source =
        "client_status != \"identified\" && (amount > 100 * units.MCI || has(attributes.é)) && !(ip in lists.shared)";
    for seed in 0..5_000 {
        let mut dice = Dice::new(seed);
        let mut bytes = source.as_bytes().to_vec();
        for _ in 0..=dice.below(3) {
            let at = dice.below(bytes.len());
            match dice.below(3) {
                0 => bytes[at] = u8::try_from(dice.below(256)).expect("a byte"),
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, *dice.pick(source.as_bytes())),
            }
        }
        compile(&packs, &String::from_utf8_lossy(&bytes));
    }
}
