//! The grammar against the crate `cel`, which has CEL's own: both accept the same texts and read the same trees.

#![expect(
    clippy::cast_precision_loss,
    reason = "the other parser has floats, and the numbers of these cases are small"
)]

use super::{
    super::{
        syntax::{self, Node, Operator, What},
        token,
    },
    random::Dice,
};
use cel::{
    Env,
    common::ast::{Expr, LiteralValue, operators},
    parser::Expression,
};

/// Our tree as text, or nothing where the text is no CEL to us.
fn ours(source: &str) -> Option<String> {
    let tokens = token::tokens(source).ok()?;
    syntax::parse(source, &tokens).ok().map(|tree| shown(&tree))
}

fn shown(node: &Node<'_>) -> String {
    match &node.what {
        What::Name(name) => (*name).to_owned(),
        What::Number(number) => format!("{:?}", number.to_string().parse::<f64>().expect("a number")),
        What::Text(text) => format!("{text:?}"),
        What::Bool(truth) => truth.to_string(),
        What::Null => "null".to_owned(),
        What::Part { of, name } => format!("(. {} {name})", shown(of)),
        What::Index { of, index } => call("[]", [shown(of), shown(index)]),
        What::Call { of, name, arguments, .. } => {
            let target = of.as_ref().map_or("global".to_owned(), |of| shown(of));
            call(name, [target].into_iter().chain(arguments.iter().map(shown)))
        }
        What::List(items) => call("list", items.iter().map(shown)),
        What::Not(inner) => opposite("!", shown(inner)),
        What::Negative(inner) => opposite("neg", shown(inner)),
        What::Joined { all, parts } => joined(if *all { "&&" } else { "||" }, parts.iter().map(shown).collect()),
        What::Binary { operator, sides, .. } => call(sign(*operator), sides.iter().map(shown)),
        What::Choice(three) => call("?:", three.iter().map(shown)),
    }
}

fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Or => "||",
        Operator::And => "&&",
        Operator::Equal => "==",
        Operator::NotEqual => "!=",
        Operator::Less => "<",
        Operator::AtMost => "<=",
        Operator::More => ">",
        Operator::AtLeast => ">=",
        Operator::In => "in",
        Operator::Plus => "+",
        Operator::Minus => "-",
        Operator::Times => "*",
        Operator::Divide => "/",
        Operator::Remainder => "%",
    }
}

fn call(name: &str, parts: impl IntoIterator<Item = String>) -> String {
    let parts: Vec<String> = parts.into_iter().collect();
    format!("({name} {})", parts.join(" "))
}

/// The other parser drops pairs of `!` and of `-`, and takes a sign into a number.
fn opposite(name: &str, inner: String) -> String {
    if let Some(inside) = inner.strip_prefix(&format!("({name} ")) {
        return inside.strip_suffix(')').expect("a closing bracket").to_owned();
    }
    match inner.strip_prefix('-') {
        Some(number) if name == "neg" => number.to_owned(),
        None if name == "neg" && inner.starts_with(|first: char| first.is_ascii_digit()) => format!("-{inner}"),
        _ => call(name, [inner]),
    }
}

/// Joins flatly: one parser nests to the left, the other in the middle.
fn joined(operator: &str, parts: Vec<String>) -> String {
    let start = format!("({operator} ");
    let flat = parts.iter().map(|part| match part.strip_prefix(&start) {
        Some(inner) => inner.strip_suffix(')').expect("a closing bracket").to_owned(),
        None => part.clone(),
    });
    call(operator, flat)
}

fn theirs(source: &str) -> Option<String> {
    // Without macros, so that has(balance) is a call.
    Env::default().parser().parse(source).ok().map(|tree| shown_theirs(&tree))
}

fn shown_theirs(node: &Expression) -> String {
    match &node.expr {
        Expr::Ident(name) => name.clone(),
        Expr::Literal(LiteralValue::Boolean(truth)) => truth.into_inner().to_string(),
        Expr::Literal(LiteralValue::Int(number)) => format!("{:?}", *number.inner() as f64),
        Expr::Literal(LiteralValue::UInt(number)) => format!("{:?}", *number.inner() as f64),
        Expr::Literal(LiteralValue::Double(number)) => format!("{:?}", number.inner()),
        Expr::Literal(LiteralValue::String(text)) => format!("{:?}", text.inner()),
        Expr::Literal(LiteralValue::Null) => "null".to_owned(),
        Expr::Select(select) => format!("(. {} {})", shown_theirs(&select.operand), select.field),
        Expr::List(list) => call("list", list.elements.iter().map(shown_theirs)),
        Expr::Call(made) => {
            let arguments: Vec<String> = made.args.iter().map(shown_theirs).collect();
            let name = made.func_name.as_str();
            match (&made.target, short(name)) {
                (Some(target), _) => call(name, [shown_theirs(target)].into_iter().chain(arguments)),
                (None, Some(operator @ ("&&" | "||"))) => joined(operator, arguments),
                (None, Some(operator @ ("!" | "neg"))) => opposite(operator, arguments.concat()),
                (None, Some(operator)) => call(operator, arguments),
                (None, None) => call(name, ["global".to_owned()].into_iter().chain(arguments)),
            }
        }
        other => format!("{other:?}"),
    }
}

fn short(name: &str) -> Option<&'static str> {
    let known = [
        (operators::LOGICAL_OR, "||"),
        (operators::LOGICAL_AND, "&&"),
        (operators::EQUALS, "=="),
        (operators::NOT_EQUALS, "!="),
        (operators::LESS, "<"),
        (operators::LESS_EQUALS, "<="),
        (operators::GREATER, ">"),
        (operators::GREATER_EQUALS, ">="),
        (operators::IN, "in"),
        (operators::ADD, "+"),
        (operators::SUBSTRACT, "-"),
        (operators::MULTIPLY, "*"),
        (operators::DIVIDE, "/"),
        (operators::MODULO, "%"),
        (operators::LOGICAL_NOT, "!"),
        (operators::NEGATE, "neg"),
        (operators::INDEX, "[]"),
        (operators::CONDITIONAL, "?:"),
    ];
    known.iter().find(|(long, _)| *long == name).map(|(_, short)| *short)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of texts, one a line")]
fn written_cases_read_alike() {
    for source in [
        "a && b || c && !d",
        "a || b && c || d",
        "a == b == c",
        "1 + 2 * 3 - 4",
        "-a * -b",
        "!a.b(c)",
        "-5 - -5",
        "a in [1, 2,]",
        "a.in",
        "a.for",
        "for",
        "a.b.c(d, e)[1]",
        "f()",
        "f(1,)",
        "[]",
        "[,]",
        "a ? b : c ? d : e",
        "a ? b ? c : d : e",
        "(a ? b : c) || d",
        "1u",
        "0x1F",
        "1e3",
        ".5",
        "1.",
        "1.e",
        "a.5",
        "'a' \"b\"",
        "\"a\\n\"",
        "r'\\n'",
        "'''a'b'''",
        "\"\"\"a\"\"\"",
        "'\\x41\\101\\u0041\\U00000041'",
        "'\\q'",
        "'\\400'",
        "'\\uD800'",
        "''",
        "\"\"",
        "// c\n1",
        "a // c",
        "",
        "a b",
        "a = b",
        "a &&",
        "!",
        "!!a",
        "!!!a",
        "--a",
        "---a",
        "(a",
        "a)",
        "a < b <= c",
        "a[b][c]",
        "true",
        "null",
        "in",
        "a not in b",
        "a.b",
        "_a",
        "a1",
        "1a",
        "'a",
        "'a\nb'",
        "'''a\nb'''",
        "1 - 1",
        "1-1",
        "a-1",
        "a - - 1",
        "x.f().g(1)",
        "- 5",
        "0x",
        "1e",
        "'\\",
        "a;b",
        "a?b",
    ] {
        assert_eq!(ours(source), theirs(source), "{source}");
    }
}

#[test]
fn random_texts_read_alike() {
    let words = [
        "a", "b", "amount", "1", "0.5", "2u", "0x1f", "1e2", "'t'", "\"u\"", "r'v'", "true", "null", "(", ")", "[",
        "]", ",", ".", ".", "+", "-", "*", "/", "%", "!", "==", "!=", "<", "<=", ">", ">=", "&&", "||", " in ", "?",
        ":", "f(", ".g(", "(a)", "(a)", "a", "a", " ", "\n", "// c\n",
    ];
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..6_000 {
        let mut dice = Dice::new(seed);
        let source = if seed % 2 == 0 {
            let length = 1 + dice.below(9);
            (0..length).map(|_| *dice.pick(&words)).collect()
        } else {
            generated(&mut dice, 4)
        };
        // Ours leaves `!-a` to the types, and refuses a name after a leading point at once.
        let other = theirs(&source);
        let known = ["!-", "-!", "(.a", "(.b", "(.f", "(.g", "! -", "- !"].iter().any(|part| source.contains(part));
        let refused_later = |tree: &String| {
            tree.contains(" .") || tree.contains("(.n") || tree.starts_with('.') || tree.contains("Bytes")
        };
        if known || other.as_ref().is_some_and(refused_later) {
            continue;
        }
        assert_eq!(ours(&source), other, "seed {seed}: {source}");
        *(if other.is_some() { &mut accepted } else { &mut refused }) += 1;
    }
    assert!(accepted > 2_500 && refused > 1_000, "{accepted} were read and {refused} refused");
}

/// A right text with as few brackets as binding allows, and sometimes fewer.
fn generated(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 {
        return (*dice.pick(&["a", "b.c", "1", "0.5", "'t'", "true", "f(a)", "a.g(1, b)", "[1, a]", "a[0]"]))
            .to_owned();
    }
    let operators = ["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in", "&&", "||"];
    let (left, right) = (generated(dice, depth - 1), generated(dice, depth - 1));
    match dice.below(9) {
        0 => format!("({left})"),
        1 => format!("!({left})"),
        2 => format!("-({left})"),
        3 => format!("({left}) ? {right} : b"),
        _ => format!("{left} {} {right}", dice.pick(&operators)),
    }
}
