//! Which decisions an endpoint wants: a CEL condition over a decision, as rules' conditions are over an event.
//!
//! Words, grammar and places of mistakes are those of `rules::condition`; the names are a decision's. They are few and have
//! fixed types, so that a mistake is found when the configuration is read. There is one departure: a list is always there, empty
//! where the decision has none, since `!("late" in flags)` must hold for a decision without flags.

use super::Decided;
use crate::{
    decision::Action,
    limits::SCORE,
    number::Decimal,
    rules::condition::{
        ConditionError,
        nearest::nearest,
        parse, pattern,
        program::Comparison,
        syntax::{Node, Operator, What},
    },
    time::Timestamp,
};
use regex::bytes::Regex;
use std::ops::Range;

/// A compiled filter.
#[derive(Clone, Debug)]
pub struct Filter {
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Constant(bool),
    Not(Box<Test>),
    All(Vec<Test>),
    Any(Vec<Test>),
    Numbers(Comparison, [Number; 2]),
    Texts { equal: bool, sides: [Text; 2] },
    Times(Comparison, [Time; 2]),
    Among(Text, Vec<Text>),
    AmongNumbers(Number, Vec<Number>),
    Within(Text, List),
    Has(Text),
    HasAny(List),
    Search(Search, [Text; 2]),
    Matches(Text, Box<Regex>),
}

#[derive(Clone, Copy, Debug)]
enum Search {
    Start,
    End,
    Anywhere,
}

#[derive(Clone, Copy, Debug)]
enum Number {
    Constant(Decimal),
    Score,
}

#[derive(Clone, Copy, Debug)]
enum Time {
    Constant(Timestamp),
    Decision,
}

#[derive(Clone, Debug)]
enum Text {
    Constant(String),
    Member(Member),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Action,
    Type,
    Wallet,
    Event,
    Stage,
    Pack,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    Rules,
    Shadow,
    Restrictions,
    Flags,
    Released,
    Cancelled,
    Expired,
}

const MEMBERS: [(&str, Member); 6] = [
    ("action", Member::Action),
    ("type", Member::Type),
    ("wallet", Member::Wallet),
    ("event", Member::Event),
    ("stage", Member::Stage),
    ("pack", Member::Pack),
];
const LISTS: [(&str, List); 7] = [
    ("rules", List::Rules),
    ("shadow", List::Shadow),
    ("restrictions", List::Restrictions),
    ("flags", List::Flags),
    ("released", List::Released),
    ("cancelled", List::Cancelled),
    ("expired", List::Expired),
];
const FLAGS: [&str; 4] = ["late", "duplicate", "warming", "capped"];

/// An operand and its type; what was a mistake has been noted and is nothing.
enum Typed {
    Test(Test),
    Number(Number),
    Text(Text),
    Time(Time),
    List(List),
}

impl Filter {
    /// # Errors
    /// Every mistake, in the order of the text.
    pub fn compile(source: &str) -> Result<Filter, Vec<ConditionError>> {
        if source.trim().is_empty() {
            let (message, help) = ("this filter is empty".to_owned(), "write true for every decision".to_owned());
            return Err(vec![ConditionError { span: 0..source.len(), message, help }]);
        }
        let (_, tree) = parse(source)?;
        let mut reader = Reader { source, errors: Vec::new() };
        let test = reader.truth(&tree);
        reader.errors.sort_by_key(|error| (error.span.start, error.span.end));
        match test {
            Some(test) if reader.errors.is_empty() => Ok(Filter { test }),
            _ => Err(reader.errors),
        }
    }

    /// Whether it holds for a decision; what asks for a stage that is not there does not.
    #[must_use]
    pub fn holds(&self, decided: &Decided) -> bool {
        holds(&self.test, decided) == Some(true)
    }
}

struct Reader<'s> {
    source: &'s str,
    errors: Vec<ConditionError>,
}

impl Reader<'_> {
    fn refuse<T>(&mut self, span: &Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Option<T> {
        self.errors.push(ConditionError { span: span.clone(), message: message.into(), help: help.into() });
        None
    }

    fn written(&self, node: &Node<'_>) -> String {
        self.source[node.span.clone()].to_owned()
    }

    fn truth(&mut self, node: &Node<'_>) -> Option<Test> {
        match self.typed(node)? {
            Typed::Test(test) => Some(test),
            Typed::List(_) => {
                let written = self.written(node);
                self.refuse(
                    &node.span,
                    format!("`{written}` is a list, where true or false is needed"),
                    format!("write has({written}), or \"…\" in {written}"),
                )
            }
            _ => {
                let written = self.written(node);
                let message = format!("`{written}` is neither true nor false");
                self.refuse(&node.span, message, "compare it: action in [\"hold\", \"block\"] && score >= 500")
            }
        }
    }

    fn typed(&mut self, node: &Node<'_>) -> Option<Typed> {
        match &node.what {
            What::Name(name) => self.name(name, &node.span),
            What::Number(number) => Some(Typed::Number(Number::Constant(*number))),
            What::Text(text) => Some(Typed::Text(Text::Constant(text.clone()))),
            What::Bool(truth) => Some(Typed::Test(Test::Constant(*truth))),
            What::Not(inner) => self.truth(inner).map(|test| Typed::Test(Test::Not(Box::new(test)))),
            What::Joined { all, parts } => {
                // Every part is read, so that every mistake is told.
                let tests: Vec<Option<Test>> = parts.iter().map(|part| self.truth(part)).collect();
                let tests = tests.into_iter().collect::<Option<Vec<_>>>()?;
                Some(Typed::Test(if *all { Test::All(tests) } else { Test::Any(tests) }))
            }
            What::Binary { operator, at, sides } => self.binary(*operator, at, sides, &node.span).map(Typed::Test),
            What::Call { of, name, at, arguments } => self.call(of.as_deref(), name, at, arguments).map(Typed::Test),
            What::List(_) => self.refuse(&node.span, "a list stands only on the right of `in`", IN),
            _ => {
                let written = self.written(node);
                let help = "there are comparisons, in, has(), startsWith, endsWith, contains and matches";
                self.refuse(&node.span, format!("a filter has no `{written}`"), help)
            }
        }
    }

    fn name(&mut self, name: &str, span: &Range<usize>) -> Option<Typed> {
        if let Some((_, member)) = MEMBERS.iter().find(|(known, _)| *known == name) {
            return Some(Typed::Text(Text::Member(*member)));
        }
        if let Some((_, list)) = LISTS.iter().find(|(known, _)| *known == name) {
            return Some(Typed::List(*list));
        }
        match name {
            "score" => return Some(Typed::Number(Number::Score)),
            "time" => return Some(Typed::Time(Time::Decision)),
            _ => {}
        }
        let names = || {
            MEMBERS.iter().map(|(name, _)| *name).chain(LISTS.iter().map(|(name, _)| *name)).chain(["score", "time"])
        };
        let help = match nearest(name, names()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("a decision has {}", names().collect::<Vec<_>>().join(", ")),
        };
        self.refuse(span, format!("there is no `{name}` in a decision"), help)
    }

    fn binary(
        &mut self,
        operator: Operator,
        at: &Range<usize>,
        sides: &[Node<'_>; 2],
        span: &Range<usize>,
    ) -> Option<Test> {
        if operator == Operator::In {
            return self.within(&sides[0], &sides[1]);
        }
        let Some(comparison) = Comparison::of(operator) else {
            let mark = self.source[at.clone()].to_owned();
            return self.refuse(at, format!("a filter has no `{mark}`"), "write the figure itself: score >= 500");
        };
        let (left, right) = (self.typed(&sides[0]), self.typed(&sides[1]));
        let equal = match comparison {
            Comparison::Equal => Some(true),
            Comparison::NotEqual => Some(false),
            _ => None,
        };
        match (left?, right?) {
            (Typed::Number(left), Typed::Number(right)) => {
                self.possible_score(left, right, &sides[1]);
                self.possible_score(right, left, &sides[0]);
                Some(Test::Numbers(comparison, [left, right]))
            }
            (Typed::Text(left), Typed::Text(right)) => match equal {
                Some(equal) => {
                    self.possible(&left, &right, &sides[1]);
                    self.possible(&right, &left, &sides[0]);
                    Some(Test::Texts { equal, sides: [left, right] })
                }
                None => self.refuse(
                    span,
                    "texts are compared with == and != alone",
                    "actions from hold on are action in [\"hold\", \"refuse\", \"block\"]",
                ),
            },
            (Typed::Time(left), Typed::Time(right)) => Some(Test::Times(comparison, [left, right])),
            (Typed::Time(left), Typed::Text(Text::Constant(text))) => {
                Some(Test::Times(comparison, [left, self.time(&text, &sides[1])?]))
            }
            (Typed::Text(Text::Constant(text)), Typed::Time(right)) => {
                Some(Test::Times(comparison, [self.time(&text, &sides[0])?, right]))
            }
            (Typed::List(_), _) | (_, Typed::List(_)) => {
                self.refuse(span, "a list is searched with `in`", "write \"large-transfer\" in rules")
            }
            _ => {
                let help = "a number stands without quotes, a text within them";
                self.refuse(span, "these two do not compare", help)
            }
        }
    }

    fn time(&mut self, text: &str, node: &Node<'_>) -> Option<Time> {
        match Timestamp::parse(text) {
            Ok(time) => Some(Time::Constant(time)),
            Err(why) => self.refuse(&node.span, format!("`{text}` {why}"), "write \"2026-03-18T00:00:00+05:00\""),
        }
    }

    fn within(&mut self, left: &Node<'_>, right: &Node<'_>) -> Option<Test> {
        if let What::List(items) = &right.what {
            return self.among(left, items, right);
        }
        match (self.typed(left), self.typed(right)?) {
            (Some(Typed::Text(text)), Typed::List(list)) => {
                if let (List::Flags, Text::Constant(flag)) = (list, &text)
                    && !FLAGS.contains(&flag.as_str())
                {
                    return self.refuse(
                        &left.span,
                        format!("there is no flag `{flag}`"),
                        format!("flags are {}", FLAGS.join(", ")),
                    );
                }
                if let (List::Flags, Text::Constant(flag)) = (list, &text)
                    && flag == "duplicate"
                {
                    let help = "leave it out";
                    return self.refuse(&left.span, "a decision with the flag `duplicate` never alerts", help);
                }
                Some(Test::Within(text, list))
            }
            (None, _) => None,
            (Some(_), Typed::List(_)) => self.refuse(&left.span, "only texts are in lists", IN),
            _ => {
                let written = self.written(right);
                self.refuse(&right.span, format!("`{written}` is not a list"), IN)
            }
        }
    }

    fn among(&mut self, left: &Node<'_>, items: &[Node<'_>], right: &Node<'_>) -> Option<Test> {
        if items.is_empty() {
            return self.refuse(&right.span, "nothing is in an empty list", "name what it is compared with");
        }
        let value = self.typed(left);
        let typed: Vec<Option<Typed>> = items.iter().map(|item| self.typed(item)).collect();
        let typed: Vec<Typed> = typed.into_iter().collect::<Option<_>>()?;
        match value? {
            Typed::Text(text) => {
                let mut among = Vec::new();
                for (item, node) in typed.into_iter().zip(items) {
                    let Typed::Text(item) = item else { return self.refuse(&node.span, "this is no text", IN) };
                    self.possible(&text, &item, node);
                    among.push(item);
                }
                Some(Test::Among(text, among))
            }
            Typed::Number(number) => {
                let mut among = Vec::new();
                for (item, node) in typed.into_iter().zip(items) {
                    let Typed::Number(item) = item else {
                        return self.refuse(&node.span, "this is no number", "write score in [400, 500]");
                    };
                    among.push(item);
                }
                Some(Test::AmongNumbers(number, among))
            }
            _ => self.refuse(&left.span, "only texts and numbers are in lists", IN),
        }
    }

    fn call(&mut self, of: Option<&Node<'_>>, name: &str, at: &Range<usize>, arguments: &[Node<'_>]) -> Option<Test> {
        let search = match (of, name, arguments) {
            (None, "has", [argument]) => {
                return match self.typed(argument)? {
                    Typed::Text(text @ Text::Member(_)) => Some(Test::Has(text)),
                    Typed::List(list) => Some(Test::HasAny(list)),
                    _ => self.refuse(&argument.span, "has() takes a name", "write has(stage) or has(rules)"),
                };
            }
            (Some(of), "matches", [pattern]) => {
                let text = self.text(of);
                let What::Text(written) = &pattern.what else {
                    return self.refuse(
                        &pattern.span,
                        "the pattern of matches() is a text in quotes",
                        "write event.matches(\"^e-[0-9]+$\")",
                    );
                };
                return match pattern::compile(written) {
                    Ok(compiled) => Some(Test::Matches(text?, Box::new(compiled))),
                    Err(_) => self.refuse(
                        &pattern.span,
                        "this is no pattern of RE2's",
                        "brackets and backslashes must come in pairs",
                    ),
                };
            }
            (Some(_), "startsWith", [_]) => Search::Start,
            (Some(_), "endsWith", [_]) => Search::End,
            (Some(_), "contains", [_]) => Search::Anywhere,
            _ => {
                let help = "the functions are has(rules), and startsWith, endsWith, contains and matches behind a text";
                return self.refuse(at, format!("there is no function {name}() like this"), help);
            }
        };
        let (text, part) = (self.text(of?), self.text(&arguments[0]));
        Some(Test::Search(search, [text?, part?]))
    }

    fn text(&mut self, node: &Node<'_>) -> Option<Text> {
        match self.typed(node)? {
            Typed::Text(text) => Some(text),
            Typed::List(_) => {
                self.refuse(&node.span, "this is a list, where a text is needed", "write \"large-transfer\" in rules")
            }
            _ => self.refuse(&node.span, "this is no text", "a text is action, type, wallet, event, stage or pack"),
        }
    }

    /// Reports an action that there is not: such a filter would never hold.
    fn possible(&mut self, member: &Text, literal: &Text, node: &Node<'_>) {
        let (Text::Member(Member::Action), Text::Constant(text)) = (member, literal) else { return };
        if Action::parse(text).is_none() {
            let names = Action::ALL.map(Action::name);
            let help = match nearest(text, names) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("actions are {}", names.join(", ")),
            };
            self.refuse::<()>(&node.span, format!("there is no action `{text}`"), help);
        }
    }

    fn possible_score(&mut self, score: Number, literal: Number, node: &Node<'_>) {
        if let (Number::Score, Number::Constant(number)) = (score, literal)
            && number > Decimal::from(SCORE)
        {
            self.refuse::<()>(&node.span, format!("a score is at most {SCORE}"), "write score >= 500");
        }
    }
}

const IN: &str = "write action in [\"hold\", \"block\"] or \"large-transfer\" in rules";

/// `None` is CEL's error: a stage that is not there. `&&` and `||` pass over it where another part decides.
fn holds(test: &Test, of: &Decided) -> Option<bool> {
    match test {
        Test::Constant(truth) => Some(*truth),
        Test::Not(inner) => holds(inner, of).map(|truth| !truth),
        Test::All(parts) => joined(parts, of, false),
        Test::Any(parts) => joined(parts, of, true),
        Test::Numbers(comparison, [left, right]) => Some(comparison.holds(&number(*left, of), &number(*right, of))),
        Test::Texts { equal, sides: [left, right] } => Some((text(left, of)? == text(right, of)?) == *equal),
        Test::Times(comparison, [left, right]) => Some(comparison.holds(&time(*left, of), &time(*right, of))),
        Test::Among(value, among) => {
            let value = text(value, of)?;
            among.iter().try_fold(false, |found, item| Some(found | (text(item, of)? == value)))
        }
        Test::AmongNumbers(value, among) => {
            let value = number(*value, of);
            Some(among.iter().any(|item| number(*item, of) == value))
        }
        Test::Within(value, list) => text(value, of).map(|value| within(*list, of, &mut |item| item == value)),
        Test::Has(member) => Some(text(member, of).is_some()),
        Test::HasAny(list) => Some(within(*list, of, &mut |_| true)),
        Test::Search(search, [value, part]) => {
            let (value, part) = (text(value, of)?, text(part, of)?);
            Some(match search {
                Search::Start => value.starts_with(part),
                Search::End => value.ends_with(part),
                Search::Anywhere => value.contains(part),
            })
        }
        Test::Matches(value, pattern) => Some(pattern.is_match(text(value, of)?.as_bytes())),
    }
}

fn joined(parts: &[Test], of: &Decided, deciding: bool) -> Option<bool> {
    let mut undecided = Some(!deciding);
    for part in parts {
        match holds(part, of) {
            Some(truth) if truth == deciding => return Some(deciding),
            Some(_) => {}
            None => undecided = None,
        }
    }
    undecided
}

fn number(number: Number, of: &Decided) -> Decimal {
    match number {
        Number::Constant(number) => number,
        Number::Score => Decimal::from(of.score),
    }
}

fn time(time: Time, of: &Decided) -> Timestamp {
    match time {
        Time::Constant(time) => time,
        Time::Decision => of.time,
    }
}

fn text<'t>(text: &'t Text, of: &'t Decided) -> Option<&'t str> {
    match text {
        Text::Constant(text) => Some(text),
        Text::Member(Member::Action) => Some(of.action.name()),
        Text::Member(Member::Type) => Some(&of.kind),
        Text::Member(Member::Wallet) => Some(&of.wallet),
        Text::Member(Member::Event) => Some(&of.event),
        Text::Member(Member::Pack) => Some(&of.pack),
        Text::Member(Member::Stage) => Some(of.stage.as_str()).filter(|stage| !stage.is_empty()),
    }
}

fn within(list: List, of: &Decided, is: &mut dyn FnMut(&str) -> bool) -> bool {
    match list {
        List::Rules => of.rules().any(is),
        List::Shadow => of.shadow.iter().filter_map(|reason| reason.rule.as_deref()).any(is),
        List::Restrictions => of.restrictions.iter().any(|standing| is(&standing.name)),
        List::Flags => of.flags.iter().any(|flag| is(flag)),
        List::Released => of.released.iter().any(|id| is(id)),
        List::Cancelled => of.cancelled.iter().any(|id| is(id)),
        List::Expired => of.expired.iter().any(|id| is(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided() -> Decided {
        let json = r#"{"event":"e-11","type":"transfer","wallet":"77010000001","time":"2026-03-01T08:15:30Z","action":"hold",
            "score":400,"reasons":[{"rule":"equal-transfers","action":"hold"},{"restriction":"suspicious","action":"hold"}],
            "shadow":[{"rule":"new-device","action":"hold"}],"restrictions":[{"name":"suspicious"}],"flags":["late"],"pack":"p@1"}"#;
        Decided::read(json.as_bytes()).expect("a decision")
    }

    #[test]
    fn conditions_hold_or_do_not() {
        for (source, expected) in [
            (r#"action in ["hold", "block"] && score >= 400"#, true),
            (r#"action in ["hold", "block"] && score >= 400.5"#, false),
            (r#""equal-transfers" in rules"#, true),
            (r#""suspicious" in rules"#, false),
            (r#""suspicious" in restrictions && has(shadow)"#, true),
            (r#"!("warming" in flags)"#, true),
            (r#"has(released)"#, false),
            (r#"wallet.startsWith("7701") && event.matches("^e-[0-9]+$")"#, true),
            (r#"type == "payment" || type.endsWith("fer")"#, true),
            (r#"stage == "ip""#, false),
            (r#"stage != "ip""#, false),
            (r#"!has(stage) || stage != "ip""#, true),
            (r#"time >= "2026-03-01T13:15:30+05:00""#, true),
            (r#"time > "2026-03-01T13:15:30+05:00""#, false),
            ("score in [300, 400.0]", true),
            ("true", true),
        ] {
            let filter = Filter::compile(source).unwrap_or_else(|errors| panic!("{source}: {errors:?}"));
            assert_eq!(filter.holds(&decided()), expected, "{source}");
        }
    }

    #[test]
    fn mistakes_are_told_with_what_to_write() {
        for (source, part, message, help) in [
            (r#"acton == "hold""#, "acton", "there is no `acton`", "did you mean action?"),
            (r#"action == "holds""#, "\"holds\"", "no action `holds`", "\"hold\""),
            (r#"action in ["hold", "blocked"]"#, "\"blocked\"", "no action `blocked`", "block"),
            (r#"action >= "hold""#, "action >= \"hold\"", "== and !=", "refuse"),
            ("score > 1001", "1001", "at most 1000", "500"),
            ("score", "score", "neither true nor false", "score >= 500"),
            (r#""lat" in flags"#, "\"lat\"", "no flag", "late"),
            (r#""duplicate" in flags"#, "\"duplicate\"", "never alerts", "leave"),
            (r#"rules == "x""#, "rules == \"x\"", "searched with `in`", "in rules"),
            ("amount > 5", "amount", "there is no `amount`", "a decision has"),
            ("score + 1 > 5", "+", "no `+`", "figure"),
            ("rules.exists(r, true)", "exists", "no function", "has(rules)"),
            ("score >", "", "", ""),
            (" ", " ", "this filter is empty", "true"),
            ("score == \"5\"", "score == \"5\"", "do not compare", "quotes"),
        ] {
            let errors = Filter::compile(source).err().unwrap_or_else(|| panic!("{source} is wrong"));
            let error = &errors[0];
            assert!(error.message.contains(message) && error.help.contains(help), "{source}: {error:?}");
            if !part.is_empty() {
                assert_eq!(&source[error.span.clone()], part, "{source}");
            }
        }
        let both = Filter::compile(r#"acton == "hold" && scor > 5"#).expect_err("two mistakes");
        assert_eq!(both.len(), 2);
    }
}
