//! Drafts into packs: names resolved over all that are loaded, what clashes found, conditions compiled.
//!
//! All loaded packs share one space of names, so a rule may restrict with what another pack declares, and an order
//! typed by a signal of one pack may be refused because another pack's restriction stops that type. Where a pack
//! is missing or broken, an unknown name proves nothing and is passed over.

mod declare;
mod measure;

use super::{
    Gathered, Loaded, Part,
    quoted::inside,
    read::{Bands, Draft, DraftRestriction, DraftRule, Name, Spot},
    shape,
};
use crate::{
    decision::{Action, RestrictionId, RuleId},
    event::{
        Currency, Field, TypeId, TypeSet,
        decode::{TypeEntry, TypeTable},
    },
    limits,
    rules::{
        List, ListId, Packs, Restriction, Rule, Target, Unit,
        condition::{Condition, Scope},
        diagnostic::{Diagnostic, Diagnostics, Place, closest},
        example::Example,
    },
    time::{Span, Timestamp, Zone},
};
use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
};
use toml::value::Datetime;

/// Links drafts, in load order.
pub fn link(drafts: Vec<Gathered>, diagnostics: Diagnostics, partial: bool) -> Result<Loaded, Diagnostics> {
    let mut linker = Linker { diagnostics, partial, ..Linker::default() };
    let (zone, currency) = linker.agree(&drafts);
    let zone = zone.unwrap_or_else(|| Zone::load("UTC").expect("the bundled database has UTC"));
    linker.names(&drafts);
    linker.declare_types(&drafts);
    linker.declare_units(&drafts);
    linker.declare_lists(&drafts, &zone);
    linker.declare_restrictions(&drafts);
    linker.declare_rules(&drafts);
    linker.collect_signals(&drafts);
    linker.confirming(&drafts);
    let mut loaded = linker.compile(&drafts, zone, currency.unwrap_or(Currency(*b"XXX")));
    loaded.diagnostics.sort();
    if loaded.diagnostics.has_errors() { Err(loaded.diagnostics) } else { Ok(loaded) }
}

/// What is known of all drafts together.
#[derive(Default)]
struct Linker {
    diagnostics: Diagnostics,
    partial: bool,
    types: Vec<TypeEntry>,
    type_places: HashMap<String, (TypeId, Place)>,
    units: Vec<Unit>,
    unit_places: Vec<Place>,
    lists: Vec<List>,
    list_places: Vec<Place>,
    /// Of each list the entries that are neither addresses nor ranges.
    not_addresses: Vec<Vec<(String, Place)>>,
    /// Lists in which some condition looks for the event's address.
    address_lists: BTreeSet<ListId>,
    restrictions: HashMap<String, (RestrictionId, Place)>,
    rules: HashMap<String, Place>,
    /// Each signal, and one place that makes it one.
    signals: HashMap<String, Place>,
    examples_left: usize,
}

fn place(draft: &Draft, span: &Range<usize>) -> Place {
    Place { source: draft.source, span: span.clone() }
}

impl Linker {
    fn error(&mut self, message: String, place: &Place, label: &str, help: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(message).at(place.source, place.span.clone(), label).help(help));
    }

    fn warn(&mut self, message: String, place: &Place, label: &str, help: impl Into<String>) {
        self.diagnostics.push(Diagnostic::warning(message).at(place.source, place.span.clone(), label).help(help));
    }

    /// An error of two places that clash.
    fn clash(&mut self, message: String, place: &Place, before: &Place, help: &str) {
        let error = Diagnostic::error(message)
            .at(place.source, place.span.clone(), "here")
            .also(before.source, before.span.clone(), "and here")
            .help(help);
        self.diagnostics.push(error);
    }

    /// A rule that imposes a restriction with `confirms` has a calendar window and is per wallet.
    fn confirming(&mut self, drafts: &[Gathered]) {
        let restrictions = drafts
            .iter()
            .flat_map(|Gathered { draft, .. }| draft.restrictions.iter().map(move |restriction| (draft, restriction)));
        for (owner, restriction) in restrictions {
            let Some(confirms) = restriction.confirms.as_ref().filter(|confirms| confirms.value) else { continue };
            for Gathered { draft, .. } in drafts {
                for rule in &draft.rules {
                    let asked = rule.restrict.iter().find(|name| name.value == restriction.name.value);
                    let Some(asked) = asked.filter(|_| !confirmable(rule)) else { continue };
                    let message = format!(
                        "`{}` confirms, and the rule that imposes it has no calendar window per wallet",
                        asked.value
                    );
                    let error = Diagnostic::error(message)
                        .at(draft.source, asked.span.clone(), "imposed here")
                        .also(owner.source, confirms.span.clone(), "confirms here")
                        .help(
                            "give the rule a `sum`, `count` or `distinct` per wallet with `within = \"calendar day\"`, \
                             or remove `confirms`",
                        );
                    self.diagnostics.push(error);
                }
            }
        }
    }

    /// The types that `names` names.
    fn types(&mut self, draft: &Draft, names: &[Name]) -> TypeSet {
        let mut set = TypeSet::default();
        for name in names {
            if let Some(kind) = self.kind(draft, name) {
                set.insert(kind);
            }
        }
        set
    }

    fn kind(&mut self, draft: &Draft, name: &Name) -> Option<TypeId> {
        if let Some((id, _)) = self.type_places.get(&name.value) {
            return Some(*id);
        }
        let known = self.types.iter().map(|kind| kind.name.as_str());
        let otherwise = format!("declare it with `[event.{}]`, or name the pack that does in `uses`", name.value);
        let help = meant(&name.value, known, otherwise);
        self.unknown(format!("no event type is called `{}`", shape::shorten(&name.value)), draft, name, help);
        None
    }

    fn unknown(&mut self, message: String, draft: &Draft, name: &Name, help: String) {
        if !self.partial {
            self.error(message, &place(draft, &name.span), "unknown", help);
        }
    }

    fn restriction_id(&mut self, draft: &Draft, name: &Name) -> Option<RestrictionId> {
        if let Some((id, _)) = self.restrictions.get(&name.value) {
            return Some(*id);
        }
        let mut known: Vec<&str> = self.restrictions.keys().map(String::as_str).collect();
        known.sort_unstable();
        let otherwise = format!("declare it with `[restriction.{}]`, or name the pack that does in `uses`", name.value);
        let help = meant(&name.value, known, otherwise);
        self.unknown(format!("no restriction is called `{}`", shape::shorten(&name.value)), draft, name, help);
        None
    }

    fn instant(&mut self, draft: &Draft, moment: &Spot<Datetime>, zone: &Zone) -> Option<Timestamp> {
        let instant = shape::instant(&moment.value, zone);
        if instant.is_none() {
            let here = place(draft, &moment.span);
            let message = "this is no instant of the years 0000 to 9999".to_owned();
            self.error(message, &here, "here", "write a date such as 2026-03-01, or 2026-03-01T08:00:00+05:00");
        }
        instant
    }

    fn condition(&mut self, draft: &Draft, when: Option<&Name>) -> Option<Condition> {
        let when = when.filter(|when| !when.value.is_empty() && when.value.len() <= limits::CONDITION_BYTES)?;
        let scope = Scope { units: &self.units, lists: &self.lists };
        match Condition::compile(&when.value, &scope) {
            Ok(condition) => {
                self.address_lists.extend(condition.address_lists());
                Some(condition)
            }
            Err(errors) => {
                for error in errors {
                    let source = &self.diagnostics.sources[draft.source].text;
                    let span = inside(source, &when.span, &error.span);
                    let mut diagnostic = Diagnostic::error(error.message).at(draft.source, span, "");
                    diagnostic.help = Some(error.help);
                    self.diagnostics.push(diagnostic);
                }
                None
            }
        }
    }

    fn compile(mut self, drafts: &[Gathered], zone: Zone, currency: Currency) -> Loaded {
        let mut compiled = Compiled::default();
        self.examples_left = limits::EXAMPLES_EVENTS;
        for gathered in drafts {
            let draft = &gathered.draft;
            let rules_from = compiled.rules.len();
            let restrictions_from = compiled.restrictions.len();
            for restriction in &draft.restrictions {
                let restriction = self.restriction(draft, restriction, drafts);
                compiled.restrictions.push(restriction);
            }
            for rule in &draft.rules {
                self.rule(draft, rule, &zone, &mut compiled);
            }
            compiled.parts.push(Part {
                path: self.diagnostics.sources[draft.source].path.clone(),
                name: gathered.name(&self.diagnostics.sources),
                asked: gathered.asked,
                rules: rules_from..compiled.rules.len(),
                restrictions: restrictions_from..compiled.restrictions.len(),
            });
        }
        self.addresses();
        let bands = self.bands(drafts);
        let mut signals = TypeSet::default();
        self.signals.keys().filter_map(|name| self.type_places.get(name)).for_each(|(id, _)| signals.insert(*id));
        let names: Vec<&str> = compiled.parts.iter().map(|part| part.name.as_str()).collect();
        let retired = drafts.iter().flat_map(|gathered| &gathered.draft.retired);
        let packs = Packs {
            name: names.join(","),
            zone,
            currency,
            types: TypeTable::new(self.types),
            signals,
            units: self.units,
            lists: self.lists,
            rules: compiled.rules,
            restrictions: compiled.restrictions,
            bands,
            written: Default::default(),
            retired: retired.map(|name| name.value.clone()).collect(),
        };
        Loaded {
            packs,
            parts: compiled.parts,
            examples: compiled.examples,
            rule_places: compiled.rule_places,
            diagnostics: self.diagnostics,
        }
    }

    /// The bands of the one `[score]`, rising in figure and in severity.
    fn bands(&mut self, drafts: &[Gathered]) -> Vec<(u16, Action)> {
        let mut first: Option<(&Bands, Place)> = None;
        for Gathered { draft, .. } in drafts {
            let Some(bands) = &draft.bands else { continue };
            let here = place(draft, &bands.span);
            match &first {
                Some((_, before)) => {
                    let before = before.clone();
                    let help = "remove one; all packs together have one score";
                    self.clash("two packs have a `[score]`".to_owned(), &here, &before, help);
                }
                None => first = Some((bands, here)),
            }
        }
        let Some((bands, here)) = first else { return Vec::new() };
        let mut sorted = bands.value.clone();
        sorted.sort_unstable();
        let mut kept: Vec<(u16, Action)> = Vec::new();
        for (figure, action) in sorted {
            match kept.last() {
                Some((before, severe)) if *severe > action => {
                    let message = format!(
                        "the band `{}` decides nothing: the more severe `{}` begins at {before}, not after {figure}",
                        action.name(),
                        severe.name()
                    );
                    self.warn(message, &here, "this score", "let the figures rise with the actions");
                }
                _ => kept.push((figure, action)),
            }
        }
        kept
    }

    fn restriction(&mut self, draft: &Draft, written: &DraftRestriction, drafts: &[Gathered]) -> Restriction {
        let here = place(draft, &written.name.span);
        self.roles(draft, written);
        for name in &written.on {
            if let Some(signal) = self.signals.get(&name.value).cloned() {
                let message = format!("`{}` is a signal, and no restriction stops a signal", name.value);
                let error = Diagnostic::error(message)
                    .at(draft.source, name.span.clone(), "remove it here")
                    .also(signal.source, signal.span, "this makes it a signal")
                    .help("a type in `imposed_by`, `lifted_by` or `cancelled_by` of any pack cannot be in an `on`");
                self.diagnostics.push(error);
            }
        }
        if let Some(incoming) = &written.incoming
            && incoming.value
            && written.target != Target::Wallet
        {
            let message = "`incoming` goes only with the target `wallet`".to_owned();
            let help = "remove `incoming`; an address and `all` have no counterparty";
            self.error(message, &place(draft, &incoming.span), "here", help);
        }
        if let Some(when) = &written.when
            && written.imposed_by.is_empty()
        {
            let message = "`when` says which signals impose, and there is no `imposed_by`".to_owned();
            let help = "add `imposed_by`, or move the condition to the rules that impose this";
            self.error(message, &place(draft, &when.span), "here", help);
        }
        self.idle_restriction(written, &here, drafts);
        Restriction {
            name: written.name.value.clone(),
            clause: written.clause.clone(),
            action: written.action.unwrap_or_default(),
            on: self.types(draft, &written.on),
            target: written.target,
            incoming: written.incoming.as_ref().is_some_and(|incoming| incoming.value),
            imposed_by: self.types(draft, &written.imposed_by),
            when: self.condition(draft, written.when.as_ref()),
            lasts: written.lasts,
            renews: written.renews,
            lifted_by: self.types(draft, &written.lifted_by),
            cancelled_by: self.types(draft, &written.cancelled_by),
            confirms: written.confirms.as_ref().is_some_and(|confirms| confirms.value),
            status: written.status.clone(),
        }
    }

    /// One signal does one thing to one restriction.
    fn roles(&mut self, draft: &Draft, written: &DraftRestriction) {
        let roles = [
            ("imposed_by", &written.imposed_by),
            ("lifted_by", &written.lifted_by),
            ("cancelled_by", &written.cancelled_by),
        ];
        let mut seen: HashMap<&str, (&str, &Name)> = HashMap::new();
        for (role, signal) in roles.iter().flat_map(|(role, signals)| signals.iter().map(move |signal| (*role, signal)))
        {
            match seen.get(signal.value.as_str()) {
                Some((other, before)) if *other != role => {
                    let message = format!("`{}` is named in `{other}` and in `{role}`", signal.value);
                    let (here, before) = (place(draft, &signal.span), place(draft, &before.span));
                    self.clash(message, &here, &before, "remove it from one of them");
                }
                Some(_) => {}
                None => {
                    seen.insert(&signal.value, (role, signal));
                }
            }
        }
    }

    /// A restriction that never stands, or never ends, is probably not meant.
    fn idle_restriction(&mut self, written: &DraftRestriction, here: &Place, drafts: &[Gathered]) {
        let name = &written.name.value;
        let rules = drafts.iter().flat_map(|gathered| &gathered.draft.rules);
        let imposing = rules.flat_map(|rule| &rule.restrict).any(|restrict| restrict.value == *name);
        let all_read = !self.partial && drafts.iter().all(|gathered| gathered.draft.complete);
        if !imposing && written.imposed_by.is_empty() && all_read {
            let help = format!("add `imposed_by`, or a rule with `restrict = \"{name}\"`");
            self.warn(format!("nothing imposes `{name}`"), here, "this restriction", help);
        }
        if written.lasts.is_none() && written.lifted_by.is_empty() && written.cancelled_by.is_empty() {
            self.warn(format!("nothing ends `{name}`"), here, "this restriction", "add `lasts` or `lifted_by`");
        }
    }

    fn rule(&mut self, draft: &Draft, written: &DraftRule, zone: &Zone, compiled: &mut Compiled) {
        let number = RuleId(u16::try_from(compiled.rules.len()).unwrap_or(u16::MAX));
        for example in &written.examples {
            let kinds: Vec<&Name> = example.events.iter().filter_map(|event| event.kind.as_ref()).collect();
            for kind in kinds {
                self.kind(draft, kind);
            }
            let found = &mut self.diagnostics.list;
            compiled.examples.extend(Example::new(number, draft.source, example, &mut self.examples_left, found));
        }
        let measure = self.measure(draft, written);
        let mut restrict = Vec::new();
        for name in &written.restrict {
            match self.restriction_id(draft, name) {
                Some(id) if !restrict.contains(&id) => restrict.push(id),
                _ => {}
            }
        }
        let valid_from = written.valid_from.as_ref().and_then(|moment| self.instant(draft, moment, zone));
        let valid_until = written.valid_until.as_ref().and_then(|moment| self.instant(draft, moment, zone));
        if let (Some(from), Some(until), Some(moment)) = (valid_from, valid_until, &written.valid_until)
            && from >= until
        {
            let message = "`valid_until` must be after `valid_from`".to_owned();
            self.error(
                message,
                &place(draft, &moment.span),
                "here",
                "a rule fires from the one on and before the other",
            );
        }
        let id = written.id.as_ref().map(|id| id.value.clone()).unwrap_or_default();
        compiled.rule_places.push(place(draft, written.id.as_ref().map_or(&written.span, |id| &id.span)));
        compiled.rules.push(Rule {
            identity: measure::identity(written),
            id,
            clause: written.clause.clone(),
            title: written.title.clone(),
            on: self.types(draft, &written.on),
            when: self.condition(draft, written.when.as_ref()),
            measure,
            score: written.score,
            action: written.action,
            restrict,
            counts: written.counts,
            mode: written.mode,
            valid_from,
            valid_until,
        });
    }
}

/// What is compiled so far.
#[derive(Default)]
struct Compiled {
    rules: Vec<Rule>,
    rule_places: Vec<Place>,
    restrictions: Vec<Restriction>,
    parts: Vec<Part>,
    examples: Vec<Example>,
}

/// Whether a rule has a calendar window per wallet; one whose window is wrong has been told so.
fn confirmable(rule: &DraftRule) -> bool {
    rule.measures.first().is_some_and(|Spot { value: measure, .. }| {
        let calendar = matches!(measure.within, Some(Spot { value: Span::Calendar(_), .. }));
        let per_wallet = measure.per.is_empty() || measure.per.iter().any(|field| field.value == Field::Wallet);
        calendar && per_wallet
    })
}

/// What was probably meant, or else what to do.
fn meant<'a>(word: &str, known: impl IntoIterator<Item = &'a str>, otherwise: String) -> String {
    closest(word, known).map_or(otherwise, |known| format!("did you mean `{known}`?"))
}
