//! Drafts into packs: names resolved over all that are loaded, what clashes found, conditions compiled.
//!
//! All loaded packs share one space of names, so a rule may restrict with what another pack declares, and an order
//! typed by a signal of one pack may be refused because another pack's restriction stops that type. Where a pack
//! is missing or broken, an unknown name proves nothing and is passed over.

use super::{
    Gathered, Loaded, Part,
    quoted::inside,
    read::{Bands, Draft, DraftEntry, DraftMeasure, DraftRestriction, DraftRule, Name, Spot},
    shape,
};
use crate::{
    decision::{Action, RestrictionId, RuleId},
    event::{
        Currency, Field, FieldType, TypeId, TypeSet,
        decode::{TypeEntry, TypeTable},
    },
    limits,
    rules::{
        Counts, Limit, List, Measure, Packs, Restriction, Rule, Target, Unit, UnitId,
        condition::{Condition, Scope},
        diagnostic::{Diagnostic, Diagnostics, Place, closest},
        example::Example,
        lists,
    },
    time::{Span, Timestamp, Zone},
};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, ops::Range};
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

    /// The one time zone and the one currency of all packs.
    fn agree(&mut self, drafts: &[Gathered]) -> (Option<Zone>, Option<Currency>) {
        let mut zone: Option<(Zone, Place)> = None;
        let mut currency: Option<(Currency, Place)> = None;
        for Gathered { draft, .. } in drafts {
            if let Some(Spot { value, span }) = &draft.zone {
                let here = place(draft, span);
                match &zone {
                    Some((first, before)) if first.name() != value.name() => {
                        let before = before.clone();
                        self.clash(
                            "all packs must have one time zone".to_owned(),
                            &here,
                            &before,
                            "write the same in each",
                        );
                    }
                    Some(_) => {}
                    None => zone = Some((value.clone(), here)),
                }
            }
            if let Some(Spot { value, span }) = &draft.currency {
                let here = place(draft, span);
                match &currency {
                    Some((first, before)) if first != value => {
                        let before = before.clone();
                        self.clash(
                            "all packs must have one currency".to_owned(),
                            &here,
                            &before,
                            "write the same in each",
                        );
                    }
                    Some(_) => {}
                    None => currency = Some((*value, here)),
                }
            }
        }
        (zone.map(|(zone, _)| zone), currency.map(|(currency, _)| currency))
    }

    /// Two packs of one name would not be told apart in decisions.
    fn names(&mut self, drafts: &[Gathered]) {
        let mut seen: HashMap<&str, Place> = HashMap::new();
        for Gathered { draft, .. } in drafts {
            let Some(name) = &draft.name else { continue };
            let here = place(draft, &name.span);
            if let Some(before) = seen.get(name.value.as_str()) {
                let message = format!("two packs are called `{}`", name.value);
                self.clash(message, &here, &before.clone(), "load only one of them, or rename one");
            }
            seen.entry(&name.value).or_insert(here);
        }
    }

    fn bound(&mut self, what: &str, count: usize, most: usize, here: &Place) {
        if count == most + 1 {
            let help = format!("all loaded packs together have at most {most}");
            self.error(format!("too many {what}"), here, "one too many", help);
        }
    }

    fn declare_types(&mut self, drafts: &[Gathered]) {
        for Gathered { draft, .. } in drafts {
            for kind in &draft.types {
                let here = place(draft, &kind.name.span);
                let mut requires = kind.requires.clone();
                requires.sort();
                requires.dedup();
                if let Some((id, before)) = self.type_places.get(&kind.name.value).cloned() {
                    if self.types[usize::from(id.0)].requires != requires {
                        let message = format!("event type `{}` requires other fields in another pack", kind.name.value);
                        self.clash(message, &here, &before, "write the same in both, or remove one");
                    }
                    continue;
                }
                self.bound("event types", self.types.len() + 1, limits::TYPES, &here);
                let Ok(id) = u8::try_from(self.types.len()) else { continue };
                self.types.push(TypeEntry { name: kind.name.value.clone(), requires });
                self.type_places.insert(kind.name.value.clone(), (TypeId(id), here));
            }
        }
    }

    fn declare_units(&mut self, drafts: &[Gathered]) {
        for Gathered { draft, .. } in drafts {
            for unit in &draft.units {
                let here = place(draft, &unit.name.span);
                match self.units.iter().position(|known| known.name == unit.name.value) {
                    Some(known) if self.units[known].worth != unit.worth => {
                        let before = self.unit_places[known].clone();
                        let message = format!("unit `{}` has another worth in another pack", unit.name.value);
                        self.clash(message, &here, &before, "write the same in both, or remove one");
                    }
                    Some(_) => {}
                    None => {
                        self.bound("units", self.units.len() + 1, limits::UNITS, &here);
                        if unit.worth.is_empty() {
                            let help = "write `\"2026-01-01\" = \"4325\"` below it";
                            self.error(format!("unit `{}` has no worth", unit.name.value), &here, "this unit", help);
                        }
                        self.units.push(Unit { name: unit.name.value.clone(), worth: unit.worth.clone() });
                        self.unit_places.push(here);
                    }
                }
            }
        }
    }

    fn declare_lists(&mut self, drafts: &[Gathered], zone: &Zone) {
        for gathered in drafts {
            let draft = &gathered.draft;
            for (list, file) in draft.lists.iter().zip(&gathered.files) {
                let here = place(draft, &list.name.span);
                let mut compiled = List { name: list.name.value.clone(), ..List::default() };
                for entry in &list.entries {
                    self.inline_entry(draft, entry, zone, &mut compiled);
                }
                if let Some(file) = file {
                    self.file_entries(*file, zone, &mut compiled);
                }
                match self.lists.iter().position(|known| known.name == compiled.name) {
                    Some(known) if self.lists[known].texts != compiled.texts => {
                        let before = self.list_places[known].clone();
                        let message = format!("list `{}` has other entries in another pack", compiled.name);
                        self.clash(message, &here, &before, "write the same in both, or remove one");
                    }
                    Some(_) => {}
                    None => {
                        self.bound("lists", self.lists.len() + 1, limits::LISTS, &here);
                        self.lists.push(compiled);
                        self.list_places.push(here);
                    }
                }
            }
        }
    }

    fn inline_entry(&mut self, draft: &Draft, entry: &DraftEntry, zone: &Zone, list: &mut List) {
        let expires = entry.expires.as_ref().and_then(|moment| self.instant(draft, moment, zone));
        let written = lists::Written { value: &entry.value.value, span: entry.value.span.clone(), expires };
        if let Err(message) = list.add(&written) {
            self.error(message, &place(draft, &entry.value.span), "again", "keep one of the two");
        }
    }

    fn file_entries(&mut self, file: usize, zone: &Zone, list: &mut List) {
        let text = self.diagnostics.sources[file].text.clone();
        let expires = |text: &str| match shape::date(text) {
            Some(date) => Some(zone.midnight(date)),
            None => Timestamp::parse(text).ok(),
        };
        for entry in lists::read_file(file, &text, &expires, &mut self.diagnostics.list) {
            if let Err(message) = list.add(&entry) {
                let here = Place { source: file, span: entry.span.clone() };
                self.error(message, &here, "again", "keep one of the two");
            }
        }
    }

    fn declare_restrictions(&mut self, drafts: &[Gathered]) {
        let mut count = 0;
        for Gathered { draft, .. } in drafts {
            for restriction in &draft.restrictions {
                let here = place(draft, &restriction.name.span);
                count += 1;
                self.bound("restrictions", count, limits::RESTRICTIONS, &here);
                let name = restriction.name.value.clone();
                if let Some((_, before)) = self.restrictions.get(&name).cloned() {
                    let message = format!("two restrictions are called `{name}`");
                    self.clash(message, &here, &before, "rename one of them");
                    continue;
                }
                let id = RestrictionId(u16::try_from(count - 1).unwrap_or(u16::MAX));
                self.restrictions.insert(name, (id, here));
            }
        }
        for Gathered { draft, .. } in drafts {
            for name in &draft.retired {
                if let Some((_, before)) = self.restrictions.get(&name.value).cloned() {
                    let message = format!("restriction `{}` is retired and still declared", name.value);
                    self.clash(message, &place(draft, &name.span), &before, "remove one of the two");
                }
            }
        }
    }

    fn declare_rules(&mut self, drafts: &[Gathered]) {
        let mut count = 0;
        for Gathered { draft, .. } in drafts {
            for rule in &draft.rules {
                count += 1;
                self.bound("rules", count, limits::RULES, &place(draft, &rule.span));
                let Some(id) = &rule.id else { continue };
                let here = place(draft, &id.span);
                if let Some(before) = self.rules.get(&id.value).cloned() {
                    self.clash(format!("two rules are called `{}`", id.value), &here, &before, "rename one of them");
                    continue;
                }
                self.rules.insert(id.value.clone(), here);
            }
        }
    }

    fn collect_signals(&mut self, drafts: &[Gathered]) {
        for Gathered { draft, .. } in drafts {
            for restriction in &draft.restrictions {
                let named = [&restriction.imposed_by, &restriction.lifted_by, &restriction.cancelled_by];
                for signal in named.into_iter().flatten() {
                    let here = place(draft, &signal.span);
                    self.signals.entry(signal.value.clone()).or_insert(here);
                }
            }
        }
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
            Ok(condition) => Some(condition),
            Err(errors) => {
                for error in errors {
                    let source = &self.diagnostics.sources[draft.source].text;
                    let span = inside(source, &when.span, &error.span);
                    let mut diagnostic = Diagnostic::error(error.message).at(draft.source, span, "");
                    diagnostic.help = error.help;
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
        if !imposing && written.imposed_by.is_empty() && !self.partial {
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
            identity: identity(written),
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

    fn measure(&mut self, draft: &Draft, written: &DraftRule) -> Option<Measure> {
        let (first, others) = written.measures.split_first()?;
        for other in others {
            let message = format!(
                "a rule has at most one measure, and this one has `{}` and `{}`",
                first.value.kind, other.value.kind
            );
            let (here, before) = (place(draft, &other.span), place(draft, &first.span));
            self.clash(message, &here, &before, "make two rules of it");
        }
        self.one_measure(draft, written, first)
    }

    fn one_measure(&mut self, draft: &Draft, written: &DraftRule, spot: &Spot<DraftMeasure>) -> Option<Measure> {
        let measure = &spot.value;
        let per = self.per(draft, measure);
        let of = || measure.of.as_ref().map(|of| of.value.clone());
        let within = || measure.within.as_ref().map(|within| within.value);
        Some(match measure.kind {
            "count" => Measure::Count { over: self.count_limit(draft, measure)?, per, within: within()? },
            "distinct" => {
                Measure::Distinct { of: of()?, over: self.count_limit(draft, measure)?, per, within: within()? }
            }
            "sum" => {
                self.summed(draft, measure);
                Measure::Sum { of: of()?, over: self.sum_limit(draft, measure)?, per, within: within()? }
            }
            "change" => Measure::Change { of: of()?, per, within: within()? },
            "new" => Measure::New { of: of()?, per, within: within()? },
            "streak" => {
                let reset = self.types(draft, &measure.types);
                self.self_resetting(draft, written, measure);
                let (at_least, exactly) = self.place_in_row(draft, spot)?;
                Measure::Streak { per, reset, within: within()?, at_least, exactly }
            }
            "idle" => {
                let since = self.types(draft, &measure.types);
                let (over, over_text) = measure.idle.clone()?;
                Measure::Idle { since, over, over_text }
            }
            _ => Measure::After { of: self.types(draft, &measure.types), per, within: within()? },
        })
    }

    /// What is counted apart: the wallet where nothing else is said.
    fn per(&mut self, draft: &Draft, measure: &DraftMeasure) -> Vec<Field> {
        let mut per: Vec<Field> = Vec::new();
        for field in &measure.per {
            if per.contains(&field.value) {
                let message = format!("`{}` is named twice in `per`", field.value.name());
                self.error(message, &place(draft, &field.span), "again", "remove one");
                continue;
            }
            per.push(field.value.clone());
        }
        if per.is_empty() { vec![Field::Wallet] } else { per }
    }

    /// Only amounts and attributes can be added up.
    fn summed(&mut self, draft: &Draft, measure: &DraftMeasure) {
        let Some(of) = &measure.of else { return };
        if of.value != Field::Amount && of.value.value_type() != FieldType::Any {
            let message = format!("`{}` cannot be added up", of.value.name());
            let help = "sum `amount`, or a number in `attributes`";
            self.error(message, &place(draft, &of.span), "here", help);
        }
    }

    fn count_limit(&mut self, draft: &Draft, measure: &DraftMeasure) -> Option<Limit> {
        let Spot { value: (number, unit), span } = measure.over.as_ref()?;
        let here = place(draft, span);
        let kind = measure.kind;
        if unit.is_some() {
            let message = format!("a `{kind}` has no unit");
            self.error(message, &here, "here", "write a whole number; only a `sum` is over so many units");
        } else if !number.fract().is_zero() {
            self.error(format!("a `{kind}` is a whole number"), &here, "here", "write a whole number");
        }
        Some(Limit { number: *number, unit: None })
    }

    fn sum_limit(&mut self, draft: &Draft, measure: &DraftMeasure) -> Option<Limit> {
        let Spot { value: (number, name), span } = measure.over.as_ref()?;
        let here = place(draft, span);
        let Some(name) = name else {
            let amount = measure.of.as_ref().is_some_and(|of| of.value == Field::Amount);
            let most = if amount { limits::AMOUNT_FRACTION_DIGITS } else { limits::ATTRIBUTE_FRACTION_DIGITS };
            if number.scale() as usize > most {
                let message =
                    format!("the limit has {} decimals, more than the {most} of what is summed", number.scale());
                self.error(message, &here, "here", format!("write at most {most} digits after the point"));
            }
            return Some(Limit { number: *number, unit: None });
        };
        let Some(unit) = self.units.iter().position(|unit| unit.name == *name) else {
            let known = self.units.iter().map(|unit| unit.name.as_str());
            let help =
                meant(name, known, format!("declare it with `[units.{name}]`, or name the pack that does in `uses`"));
            let spot = Name { value: name.clone(), span: span.clone() };
            self.unknown(format!("no unit is called `{name}`"), draft, &spot, help);
            return None;
        };
        if self.units[unit].worth.iter().any(|(_, worth)| !exact(*number, *worth)) {
            let message = format!("so many `{name}` cannot be multiplied out exactly");
            self.error(message, &here, "here", "write a smaller number, or one with fewer decimals");
        }
        Some(Limit { number: *number, unit: Some(UnitId(u16::try_from(unit).ok()?)) })
    }

    /// `from` or `at`, one of them.
    fn place_in_row(&mut self, draft: &Draft, spot: &Spot<DraftMeasure>) -> Option<(u64, bool)> {
        match (&spot.value.from, &spot.value.at) {
            (Some(from), None) => Some((from.value, false)),
            (None, Some(at)) => Some((at.value, true)),
            (Some(from), Some(at)) => {
                let (here, before) = (place(draft, &at.span), place(draft, &from.span));
                let help = "keep `from` for that event and all after it, `at` for that one alone";
                self.clash("a streak has `from` or `at`, not both".to_owned(), &here, &before, help);
                None
            }
            (None, None) => {
                if draft.complete {
                    let message = "a streak needs `from` or `at`".to_owned();
                    let help = "write `from = 3` for the third in a row and all after it, `at = 3` for the third alone";
                    self.error(message, &place(draft, &spot.span), "here", help);
                }
                None
            }
        }
    }

    /// A type that both counts and resets would never make a row.
    fn self_resetting(&mut self, draft: &Draft, written: &DraftRule, measure: &DraftMeasure) {
        for reset in &measure.types {
            if written.on.iter().any(|on| on.value == reset.value) {
                let message = format!("`{}` is counted by this streak and also ends it", reset.value);
                self.warn(message, &place(draft, &reset.span), "here", "remove it from `reset` or from `on`");
            }
        }
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

/// Whether the product of two decimals needs no rounding.
fn exact(number: crate::number::Decimal, worth: crate::number::Decimal) -> bool {
    const MANTISSA: i128 = 1 << 96;
    number.mantissa().checked_mul(worth.mantissa()).is_some_and(|product| product < MANTISSA)
        && number.scale() + worth.scale() <= 28
}

/// What state is addressed by over reloads: the rule's id and what decides what its measure remembers.
///
/// What `within` and `over` say of a sliding window is left out: a rule whose window is made longer keeps what it has.
fn identity(written: &DraftRule) -> u64 {
    let sorted = |names: &[Name]| {
        let mut names: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.join(",")
    };
    let mut parts = vec![
        written.id.as_ref().map(|id| id.value.clone()).unwrap_or_default(),
        sorted(&written.on),
        written.when.as_ref().map(|when| when.value.clone()).unwrap_or_default(),
        match written.counts {
            Counts::Attempted => "attempted".to_owned(),
            Counts::Accepted => "accepted".to_owned(),
        },
    ];
    if let Some(Spot { value: measure, .. }) = written.measures.first() {
        let per: Vec<_> = measure.per.iter().map(|field| field.value.name()).collect();
        parts.push(measure.kind.to_owned());
        parts.push(measure.of.as_ref().map(|of| of.value.name().into_owned()).unwrap_or_default());
        parts.push(if per.is_empty() { Field::Wallet.name().into_owned() } else { per.join(",") });
        parts.push(sorted(&measure.types));
        parts.push(match measure.within.as_ref().map(|within| within.value) {
            Some(calendar @ Span::Calendar(_)) => calendar.to_string(),
            _ => "sliding".to_owned(),
        });
        parts.push(if measure.at.is_some() { "at" } else { "from" }.to_owned());
    }
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let (first, _) = digest.split_first_chunk::<8>().expect("SHA-256 has 32 bytes");
    u64::from_be_bytes(*first)
}
