//! What the numbers in the state's records stand for: measures by what they are, rules and restrictions by their names, and
//! as much of each as other packs must know when they take over from these.
//!
//! A reload and a restart with other packs are the same thing: the dictionary of the packs that were in force is all that
//! the new ones are told. A number is given out once; a measure or a rule that goes and comes back has another, so that
//! what was written down of it before it went is not taken for its own.

use super::{names::Names, plan::Plan};
use crate::{
    decision::Action,
    event::TypeSet,
    limits,
    rules::{Packs, Restriction, Target},
    state::record::{
        codec::{Malformed, Read, Sink, Source},
        numbers::{Numbers, Places},
    },
    time::{Span, Timestamp},
};

/// The packs in force, as far as the state leans on them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dictionary {
    /// By slot.
    pub slots: Vec<Measure>,
    /// By rule.
    pub rules: Vec<Ruled>,
    /// By restriction.
    pub restrictions: Vec<Declared>,
    /// The first numbers of measures, rules and restrictions that have not been given out.
    next: [u32; 3],
}

/// A slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    pub number: u32,
    pub identity: String,
    pub spans: Vec<Span>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruled {
    pub number: u32,
    pub id: String,
    /// Before this instant it has not seen its whole window yet.
    pub warm_from: Option<Timestamp>,
}

/// A restriction, as it runs on when no pack declares it any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    pub number: u32,
    pub name: String,
    pub clause: Option<String>,
    pub status: Option<String>,
    pub action: Action,
    pub target: Target,
    pub incoming: bool,
    pub renews: bool,
    pub confirms: bool,
    pub lasts: Option<Span>,
    /// Names of event types.
    pub on: Vec<String>,
    pub lifted_by: Vec<String>,
    pub cancelled_by: Vec<String>,
}

impl Declared {
    fn new(number: u32, restriction: &Restriction, packs: &Packs) -> Declared {
        let names = |types: &TypeSet| types.iter().map(|kind| packs.types.name(kind).to_owned()).collect();
        Declared {
            number,
            name: restriction.name.clone(),
            clause: restriction.clause.clone(),
            status: restriction.status.clone(),
            action: restriction.action,
            target: restriction.target,
            incoming: restriction.incoming,
            renews: restriction.renews,
            confirms: restriction.confirms,
            lasts: restriction.lasts,
            on: names(&restriction.on),
            lifted_by: names(&restriction.lifted_by),
            cancelled_by: names(&restriction.cancelled_by),
        }
    }

    /// The same under other packs: nothing imposes it any more.
    pub fn retired(&self, packs: &Packs) -> Restriction {
        let types = |names: &[String]| {
            let mut types = TypeSet::default();
            names.iter().filter_map(|name| packs.types.find(name)).for_each(|kind| types.insert(kind));
            types
        };
        Restriction {
            name: self.name.clone(),
            clause: self.clause.clone(),
            action: self.action,
            on: types(&self.on),
            target: self.target,
            incoming: self.incoming,
            imposed_by: TypeSet::default(),
            when: None,
            lasts: self.lasts,
            renews: self.renews,
            lifted_by: types(&self.lifted_by),
            cancelled_by: types(&self.cancelled_by),
            confirms: self.confirms,
            status: self.status.clone(),
        }
    }
}

impl Dictionary {
    /// That of these packs, which take over from those of `before`. When rules are warm is not known yet.
    pub fn after(before: &Dictionary, packs: &Packs, plan: &Plan) -> Dictionary {
        let mut next = before.next;
        let mut number = |known: Option<u32>, kind: usize| {
            known.unwrap_or_else(|| {
                next[kind] += 1;
                next[kind] - 1
            })
        };
        let slots = plan.slots.iter().zip(&plan.shapes).map(|(slot, shape)| {
            let known = before.slots.iter().find(|other| other.identity == slot.identity);
            let number = number(known.map(|known| known.number), 0);
            Measure { number, identity: slot.identity.clone(), spans: shape.spans.clone() }
        });
        let slots = slots.collect();
        let rules = packs.rules.iter().map(|rule| {
            let known = before.rules.iter().find(|other| other.id == rule.id);
            Ruled { number: number(known.map(|known| known.number), 1), id: rule.id.clone(), warm_from: None }
        });
        let rules = rules.collect();
        let restrictions = packs.restrictions.iter().map(|restriction| {
            let known = before.restrictions.iter().find(|other| other.name == restriction.name);
            Declared::new(number(known.map(|known| known.number), 2), restriction, packs)
        });
        let restrictions = restrictions.collect();
        Dictionary { slots, rules, restrictions, next }
    }

    #[must_use]
    pub fn numbers(&self) -> Numbers {
        Numbers {
            slots: self.slots.iter().map(|slot| slot.number).collect(),
            rules: self.rules.iter().map(|rule| rule.number).collect(),
            restrictions: self.restrictions.iter().map(|restriction| restriction.number).collect(),
        }
    }

    /// Where what has a number is, with so many names of those who imposed something.
    #[must_use]
    pub fn places(&self, names: &Names) -> Places {
        let names = u32::try_from(names.texts().len()).expect("names have numbers of 32 bits");
        Places::new(&self.numbers(), (self.next[0], self.next[1], names))
    }

    pub fn write(&self, names: &Names, out: &mut Sink) {
        self.next.iter().for_each(|next| out.number((*next).into()));
        out.count(self.slots.len());
        for slot in &self.slots {
            out.number(slot.number.into());
            out.text(slot.identity.as_bytes());
            out.count(slot.spans.len());
            slot.spans.iter().for_each(|span| write_span(*span, out));
        }
        out.count(self.rules.len());
        for rule in &self.rules {
            out.number(rule.number.into());
            out.text(rule.id.as_bytes());
            out.option(rule.warm_from, Sink::time);
        }
        out.count(self.restrictions.len());
        self.restrictions.iter().for_each(|restriction| write_declared(restriction, out));
        out.count(names.texts().len());
        names.texts().iter().for_each(|name| out.text(name.as_bytes()));
    }

    /// # Errors
    /// Where the bytes are not those of a dictionary.
    pub fn read(source: &mut Source<'_>) -> Read<(Dictionary, Names)> {
        let next = [source.small()?, source.small()?, source.small()?];
        let slots = source.list(|source| {
            let (number, identity) = (source.small()?, source.text()?.to_owned());
            Ok(Measure { number, identity, spans: source.list(read_span)? })
        })?;
        let rules = source.list(|source| {
            let (number, id) = (source.small()?, source.text()?.to_owned());
            Ok(Ruled { number, id, warm_from: source.option(Source::any_time)? })
        })?;
        let restrictions = source.list(read_declared)?;
        let names = source.list(|source| source.text().map(Box::from))?;
        source.end()?;
        let dictionary = Dictionary { slots, rules, restrictions, next };
        let Numbers { slots, rules, restrictions } = dictionary.numbers();
        for (mut numbers, next) in [slots, rules, restrictions].into_iter().zip(next) {
            numbers.sort_unstable();
            if !numbers.is_sorted_by(|left, right| left < right) || numbers.last().is_some_and(|last| *last >= next) {
                return Err(Malformed("a number was given out twice, or not at all"));
            }
        }
        if dictionary.slots.len() > limits::RULES || dictionary.restrictions.len() > limits::RESTRICTIONS {
            return Err(Malformed("no packs have so many rules or restrictions"));
        }
        Ok((dictionary, Names::of_texts(names)))
    }
}

fn write_span(span: Span, out: &mut Sink) {
    out.text(span.to_string().as_bytes());
}

fn read_span(source: &mut Source<'_>) -> Read<Span> {
    Span::parse(source.text()?).map_err(|_| Malformed("a length of time is none"))
}

const TARGETS: [Target; 3] = [Target::Wallet, Target::Ip, Target::All];

fn write_declared(restriction: &Declared, out: &mut Sink) {
    out.number(restriction.number.into());
    out.text(restriction.name.as_bytes());
    for text in [&restriction.clause, &restriction.status] {
        out.option(text.as_ref(), |out, text| out.text(text.as_bytes()));
    }
    out.byte(restriction.action as u8);
    out.byte(restriction.target as u8);
    [restriction.incoming, restriction.renews, restriction.confirms].into_iter().for_each(|flag| out.byte(flag.into()));
    out.option(restriction.lasts, |out, span| write_span(span, out));
    for types in [&restriction.on, &restriction.lifted_by, &restriction.cancelled_by] {
        out.count(types.len());
        types.iter().for_each(|name| out.text(name.as_bytes()));
    }
}

fn read_declared(source: &mut Source<'_>) -> Read<Declared> {
    let text = |source: &mut Source<'_>| source.text().map(str::to_owned);
    Ok(Declared {
        number: source.small()?,
        name: text(source)?,
        clause: source.option(text)?,
        status: source.option(text)?,
        action: one_of(&Action::ALL, source.byte()?)?,
        target: one_of(&TARGETS, source.byte()?)?,
        incoming: source.flag()?,
        renews: source.flag()?,
        confirms: source.flag()?,
        lasts: source.option(read_span)?,
        on: source.list(text)?,
        lifted_by: source.list(text)?,
        cancelled_by: source.list(text)?,
    })
}

fn one_of<T: Copy>(all: &[T], place: u8) -> Read<T> {
    all.get(usize::from(place)).copied().ok_or(Malformed("a restriction is of no kind that is known"))
}
