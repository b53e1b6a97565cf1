//! What a sweep tries: `equal-transfers.over=5..20`, and the rule with each value in its place.

use crate::{
    decision::RuleId,
    limits,
    number::Decimal,
    rules::{
        Measure, Mode, Packs, Rule,
        condition::{Condition, Scope, nearest::nearest},
    },
    time::Span,
};

/// What of a rule is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knob {
    /// What a count, a sum or a number of different values must exceed.
    Over,
    /// The one number of the rule's condition.
    Limit,
    Within,
    /// The length of a streak, `from` or `at`.
    Length,
    Score,
}

/// One `--sweep`.
#[derive(Clone, Debug)]
pub struct Spec {
    pub rule: RuleId,
    /// As it was written: `equal-transfers.over`.
    pub name: String,
    pub knob: Knob,
    /// What the values are so many of, where they are not plain numbers.
    pub unit: Option<String>,
    /// In the order written; ranges rise.
    pub values: Vec<Tried>,
}

/// One value and the rule that has it.
#[derive(Clone, Debug)]
pub struct Tried {
    pub value: String,
    pub rule: Rule,
    /// It is what the packs say now.
    pub current: bool,
}

impl Spec {
    /// Reads `RULE.KEY=FROM..TO`, `RULE.KEY=FROM..TO:STEP` or `RULE.KEY=ONE,ANOTHER`.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(text: &str, packs: &Packs) -> Result<Spec, String> {
        let form = || format!("\"{text}\" is not RULE.KEY=VALUES, such as equal-transfers.over=5..20");
        let (name, values) = text.split_once('=').ok_or_else(form)?;
        let (rule, key) = name.trim().rsplit_once('.').ok_or_else(form)?;
        let place = packs.rules.iter().position(|known| known.id == rule).ok_or_else(|| {
            let known = packs.rules.iter().map(|rule| rule.id.as_str());
            let hint = nearest(rule, known).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            format!("no rule is called {rule}{hint}")
        })?;
        let written = &packs.rules[place];
        if written.mode == Mode::Off {
            return Err(format!("{rule} is off; set its mode to live or shadow to sweep it"));
        }
        let knob = knob(key, written)?;
        let unit = unit(knob, written, packs);
        let current = current(knob, written);
        let tried = |value: String| {
            let rule = turned(written, knob, &value, packs)?;
            let current = current.as_ref() == Some(&value);
            Ok(Tried { value, rule, current })
        };
        let values = expand(values, unit.as_deref())?.into_iter().map(tried).collect::<Result<Vec<Tried>, String>>();
        let values = values.map_err(|why| format!("{name}: {why}"))?;
        let id = RuleId(u16::try_from(place).expect("rules are bounded by limits::RULES"));
        Ok(Spec { rule: id, name: name.trim().to_owned(), knob, unit, values })
    }

    /// Its name, with what the values are so many of.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.unit {
            Some(unit) => format!("{}, in {unit}", self.name),
            None => self.name.clone(),
        }
    }
}

fn knob(key: &str, rule: &Rule) -> Result<Knob, String> {
    let has = match (key, &rule.measure) {
        ("over" | "limit", Some(Measure::Count { .. } | Measure::Sum { .. } | Measure::Distinct { .. })) => {
            Some(Knob::Over)
        }
        ("limit", None) => Some(Knob::Limit),
        ("within", Some(Measure::Idle { .. }) | None) => None,
        ("within", Some(_)) => Some(Knob::Within),
        ("from", Some(Measure::Streak { exactly: false, .. }))
        | ("at", Some(Measure::Streak { exactly: true, .. })) => Some(Knob::Length),
        ("score", _) => Some(Knob::Score),
        _ => None,
    };
    has.ok_or_else(|| {
        let keys = match &rule.measure {
            None => "limit (the number of its condition) and score",
            Some(Measure::Count { .. } | Measure::Sum { .. } | Measure::Distinct { .. }) => "over, within and score",
            Some(Measure::Streak { exactly: false, .. }) => "from, within and score",
            Some(Measure::Streak { exactly: true, .. }) => "at, within and score",
            Some(Measure::Idle { .. }) => "score",
            Some(_) => "within and score",
        };
        format!("{} has no {key} to sweep; it has {keys}", rule.id)
    })
}

/// The unit of a limit, which it keeps.
fn unit(knob: Knob, rule: &Rule, packs: &Packs) -> Option<String> {
    match (knob, rule.measure.as_ref()?) {
        (Knob::Over, Measure::Sum { over, .. }) => Some(packs.units[usize::from(over.unit?.0)].name.clone()),
        _ => None,
    }
}

/// The values that a text stands for; each may name the unit, which it has anyway.
fn expand(text: &str, unit: Option<&str>) -> Result<Vec<String>, String> {
    let mut values = Vec::new();
    for part in text.split(',') {
        let part = part.trim();
        let part = unit.and_then(|unit| part.strip_suffix(unit)).map_or(part, str::trim_end);
        match part.split_once("..") {
            None if part.is_empty() => return Err("there is a value missing".to_owned()),
            None => values.push(part.to_owned()),
            Some((from, rest)) => {
                let (to, step) = rest.split_once(':').unwrap_or((rest, "1"));
                let [from, to, step] = [from, to, step].map(number);
                let (mut at, to, step) = (from?, to?, step?);
                if step <= Decimal::ZERO || to < at {
                    return Err(format!("the range {part} is empty; write FROM..TO:STEP, rising"));
                }
                while at <= to {
                    values.push(at.normalize().to_string());
                    at += step;
                    if values.len() > limits::SWEEP_VALUES {
                        break;
                    }
                }
            }
        }
    }
    let most = limits::SWEEP_VALUES;
    if values.len() > most { Err(format!("more than {most} values; take a larger step")) } else { Ok(values) }
}

fn number(text: &str) -> Result<Decimal, String> {
    text.trim().parse().map_err(|_| format!("\"{text}\" is not a number"))
}

/// What the packs say now.
fn current(knob: Knob, rule: &Rule) -> Option<String> {
    match (knob, rule.measure.as_ref()) {
        (
            Knob::Over,
            Some(Measure::Count { over, .. } | Measure::Sum { over, .. } | Measure::Distinct { over, .. }),
        ) => Some(over.number.normalize().to_string()),
        (Knob::Limit, _) => {
            let source = rule.when.as_ref()?.source();
            let number: Decimal = source[numbers(source).into_iter().next()?].parse().ok()?;
            Some(number.normalize().to_string())
        }
        (Knob::Within, Some(measure)) => Some(measure.within()?.to_string()),
        (Knob::Length, Some(Measure::Streak { at_least, .. })) => Some(at_least.to_string()),
        (Knob::Score, _) => Some(rule.score.to_string()),
        _ => None,
    }
}

/// The rule with another value.
fn turned(rule: &Rule, knob: Knob, value: &str, packs: &Packs) -> Result<Rule, String> {
    let mut rule = rule.clone();
    match (knob, &mut rule.measure) {
        (Knob::Over, Some(Measure::Sum { over, .. })) => over.number = limit(value)?,
        (Knob::Over, Some(Measure::Count { over, .. } | Measure::Distinct { over, .. })) => {
            let number = limit(value)?;
            if !number.fract().is_zero() {
                return Err(format!("{value} is not a whole number, and what is counted is"));
            }
            over.number = number;
        }
        (Knob::Limit, _) => rule.when = Some(other_number(&rule, value, packs)?),
        (Knob::Within, Some(measure)) => set_within(measure, Span::parse(value)?)?,
        (Knob::Length, Some(Measure::Streak { at_least, .. })) => {
            let length: u64 = value.parse().map_err(|_| format!("{value} is not a whole number"))?;
            if length == 0 {
                return Err("a streak is at least 1 long".to_owned());
            }
            *at_least = length;
        }
        (Knob::Score, _) => {
            let most = limits::SCORE;
            let score: u16 = value.parse().map_err(|_| format!("{value} is not a score from 0 to {most}"))?;
            if score > most {
                return Err(format!("{value} is not a score from 0 to {most}"));
            }
            rule.score = score;
        }
        _ => unreachable!("`knob` has looked at the measure"),
    }
    Ok(rule)
}

/// A limit as packs may have it.
fn limit(value: &str) -> Result<Decimal, String> {
    let number = number(value)?;
    if number < Decimal::ZERO || number.scale() > 6 {
        return Err(format!("{value} is no limit: from 0 on, with at most 6 decimals"));
    }
    Ok(number)
}

fn set_within(measure: &mut Measure, span: Span) -> Result<(), String> {
    match measure {
        Measure::Count { within, .. } | Measure::Sum { within, .. } | Measure::Distinct { within, .. } => {
            *within = span
        }
        Measure::Change { within, .. }
        | Measure::Streak { within, .. }
        | Measure::New { within, .. }
        | Measure::After { within, .. } => {
            if matches!(span, Span::Calendar(_)) {
                return Err(format!("this measure has no {span}; write a time such as 2h"));
            }
            *within = span;
        }
        Measure::Idle { .. } => {}
    }
    Ok(())
}

/// The rule's condition with another number in the place of its only one.
fn other_number(rule: &Rule, value: &str, packs: &Packs) -> Result<Condition, String> {
    let when = rule.when.as_ref().ok_or("the rule has no condition")?;
    let source = when.source();
    let numbers = numbers(source);
    let [place] = numbers.as_slice() else {
        let count = numbers.len();
        return Err(format!("the condition `{source}` has {count} numbers; a limit can be swept where there is one"));
    };
    let number = number(value)?.normalize();
    let text = format!("{}{number}{}", &source[..place.start], &source[place.end..]);
    let scope = Scope { units: &packs.units, lists: &packs.lists };
    Condition::compile(&text, &scope)
        .map_err(|errors| format!("`{text}`: {}", errors.first().map_or("it is wrong", |error| error.message.as_str())))
}

/// Where the numbers of a condition stand: digits that are no part of a name, a string or a comment.
fn numbers(source: &str) -> Vec<std::ops::Range<usize>> {
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    let end_of = |from: usize, part: fn(u8) -> bool| {
        bytes[from..].iter().position(|byte| !part(*byte)).map_or(bytes.len(), |length| from + length)
    };
    while at < bytes.len() {
        at = match bytes[at] {
            quote @ (b'"' | b'\'') => {
                let mut end = at + 1;
                while end < bytes.len() && bytes[end] != quote {
                    end += if bytes[end] == b'\\' { 2 } else { 1 };
                }
                end + 1
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => end_of(at, |byte| byte != b'\n'),
            letter if letter.is_ascii_alphabetic() || letter == b'_' => {
                end_of(at, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
            }
            digit if digit.is_ascii_digit() => {
                let end = end_of(at, |byte| byte.is_ascii_alphanumeric() || byte == b'.');
                found.push(at..end);
                end
            }
            _ => at + 1,
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packs() -> Packs {
        crate::pack_files::builtin().packs
    }

    fn values(text: &str) -> Result<Vec<String>, String> {
        Ok(Spec::parse(text, &packs())?.values.into_iter().map(|tried| tried.value).collect())
    }

    #[test]
    fn ranges_and_lists_are_values() {
        for (text, expected) in [
            ("equal-transfers.over=5..8", "5 6 7 8"),
            ("equal-transfers.over=5, 8..10:2 ,20", "5 8 10 20"),
            ("large-transfer.limit=50000..200000:50000", "50000 100000 150000 200000"),
            ("large-transfer.limit=0.5..1:0.25", "0.5 0.75 1"),
            ("equal-transfers.within=30m,1h,1d", "30m 1h 1d"),
            ("daily-pin.over=50..100:50", "50 100"),
            ("daily-pin.over=50 MCI, 100..200:100 MCI,300", "50 100 200 300"),
            ("password-captcha.from=2..4", "2 3 4"),
            ("password-lockout.at=5,6", "5 6"),
            ("large-transfer.score=0,300", "0 300"),
        ] {
            assert_eq!(values(text).map(|values| values.join(" ")).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn the_current_value_is_known() {
        for (text, expected) in [
            ("equal-transfers.over=9..11", "10"),
            ("large-transfer.limit=90000,100000", "100000"),
            ("equal-transfers.within=30m,1h", "1h"),
            ("daily-pin.over=100 MCI", "100"),
            ("password-lockout.at=5,6", "6"),
        ] {
            let spec = Spec::parse(text, &packs()).expect("a sweep");
            let current: Vec<&str> =
                spec.values.iter().filter(|tried| tried.current).map(|tried| tried.value.as_str()).collect();
            assert_eq!(current, [expected], "{text}");
        }
    }

    #[test]
    fn a_condition_gets_another_number() {
        let spec = Spec::parse("limit-unidentified.limit=7", &packs()).expect("a sweep");
        let when = spec.values[0].rule.when.as_ref().expect("a condition");
        assert_eq!(when.source(), "client_status != \"identified\" && amount > 7 * units.MCI");
        assert_eq!(numbers("a1 > 2.50 && b.c3 == \"4\\\"5\" // 6\n || x == '7' + 8").len(), 2);
    }

    #[test]
    fn what_cannot_be_swept_is_told() {
        for (text, why) in [
            ("equal-transfers", "\"equal-transfers\" is not RULE.KEY=VALUES, such as equal-transfers.over=5..20"),
            ("equal-transfer.over=1", "no rule is called equal-transfer; did you mean equal-transfers?"),
            (
                "large-transfer.over=1",
                "large-transfer has no over to sweep; it has limit (the number of its condition) and score",
            ),
            ("equal-transfers.over=9..5", "the range 9..5 is empty; write FROM..TO:STEP, rising"),
            ("equal-transfers.over=x", "equal-transfers.over: \"x\" is not a number"),
            ("equal-transfers.over=1.5", "equal-transfers.over: 1.5 is not a whole number, and what is counted is"),
            ("daily-pin.over=50 KZT", "daily-pin.over: \"50 KZT\" is not a number"),
            ("equal-transfers.over=-1", "equal-transfers.over: -1 is no limit: from 0 on, with at most 6 decimals"),
            ("equal-transfers.over=1..1000000", "more than 1000 values; take a larger step"),
            ("equal-transfers.score=1001", "equal-transfers.score: 1001 is not a score from 0 to 1000"),
            (
                "over-balance.limit=5",
                "over-balance.limit: the condition `has(balance) && amount > balance` has 0 numbers; a limit can be \
                 swept where there is one",
            ),
            (
                "country-change.within=calendar day",
                "country-change.within: this measure has no calendar day; write a time such as 2h",
            ),
        ] {
            assert_eq!(values(text).err().as_deref(), Some(why), "{text}");
        }
    }
}
