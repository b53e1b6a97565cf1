//! Three-valued logic, exhaustively: every way to join three operands that are true, false or an error.

use super::{ERROR, Given, NO, Packs, YES};

const OPERANDS: [(&str, Option<bool>); 4] =
    [("has(wallet)", YES), ("has(merchant)", NO), ("anonymous", ERROR), ("attributes.x > 1", ERROR)];

/// CEL's tables, written out.
fn and(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (NO, _) | (_, NO) => NO,
        (YES, YES) => YES,
        _ => ERROR,
    }
}

fn or(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (YES, _) | (_, YES) => YES,
        (NO, NO) => NO,
        _ => ERROR,
    }
}

fn not(inner: Option<bool>) -> Option<bool> {
    inner.map(|truth| !truth)
}

#[test]
fn errors_are_absorbed_where_another_part_decides() {
    let (packs, given) = (Packs::new(), Given::parse("a.x=text"));
    let check = |source: String, expected: Option<bool>| {
        let condition = packs.compile(&source).unwrap_or_else(|errors| panic!("{source}: {errors:#?}"));
        assert_eq!(given.outcome(&condition, &packs), expected, "{source}");
    };
    for (a, av) in OPERANDS {
        check(format!("!({a})"), not(av));
        check(format!("!!({a})"), av);
        for (b, bv) in OPERANDS {
            check(format!("{a} && {b}"), and(av, bv));
            check(format!("{a} || {b}"), or(av, bv));
            check(format!("({a}) == ({b})"), av.zip(bv).map(|(a, b)| a == b));
            check(format!("({a}) != ({b})"), av.zip(bv).map(|(a, b)| a != b));
            for (c, cv) in OPERANDS {
                check(format!("{a} && {b} && {c}"), and(and(av, bv), cv));
                check(format!("{a} || {b} || {c}"), or(or(av, bv), cv));
                check(format!("{a} && {b} || {c}"), or(and(av, bv), cv));
                check(format!("{a} || {b} && {c}"), or(av, and(bv, cv)));
                check(format!("({a} || {b}) && {c}"), and(or(av, bv), cv));
                check(format!("{a} && ({b} || !({c}))"), and(av, or(bv, not(cv))));
                check(format!("!({a} && {b}) || !({c})"), or(not(and(av, bv)), not(cv)));
            }
        }
    }
}
