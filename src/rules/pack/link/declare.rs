//! What all drafts declare together: one time zone, one currency, and each name once.
//!
//! Units, lists and event types may repeat with the same content; rules and restrictions may not.

use super::{Gathered, Linker, place};
use crate::{
    decision::RestrictionId,
    event::{Currency, TypeId, decode::TypeEntry},
    limits,
    rules::{
        List, Unit,
        diagnostic::Place,
        lists,
        pack::{
            read::{Draft, DraftEntry, Spot},
            shape,
        },
    },
    time::{Timestamp, Zone},
};
use std::collections::HashMap;

impl Linker {
    /// The one time zone and the one currency of all packs.
    pub(super) fn agree(&mut self, drafts: &[Gathered]) -> (Option<Zone>, Option<Currency>) {
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
    pub(super) fn names(&mut self, drafts: &[Gathered]) {
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

    pub(super) fn bound(&mut self, what: &str, count: usize, most: usize, here: &Place) {
        if count == most + 1 {
            let help = format!("all loaded packs together have at most {most}");
            self.error(format!("too many {what}"), here, "one too many", help);
        }
    }

    pub(super) fn declare_types(&mut self, drafts: &[Gathered]) {
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

    pub(super) fn declare_units(&mut self, drafts: &[Gathered]) {
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
                        if unit.bare {
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

    pub(super) fn declare_lists(&mut self, drafts: &[Gathered], zone: &Zone) {
        for gathered in drafts {
            let draft = &gathered.draft;
            for (list, file) in draft.lists.iter().zip(&gathered.files) {
                let here = place(draft, &list.name.span);
                let mut others = Vec::new();
                let mut compiled = List { name: list.name.value.clone(), ..List::default() };
                for entry in &list.entries {
                    self.inline_entry(draft, entry, zone, &mut compiled);
                    note(&entry.value.value, || place(draft, &entry.value.span), &mut others);
                }
                if let Some(file) = file {
                    self.file_entries(*file, zone, &mut compiled, &mut others);
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
                        self.not_addresses.push(others);
                        self.list_places.push(here);
                    }
                }
            }
        }
    }

    pub(super) fn inline_entry(&mut self, draft: &Draft, entry: &DraftEntry, zone: &Zone, list: &mut List) {
        let expires = entry.expires.as_ref().and_then(|moment| self.instant(draft, moment, zone));
        let written = lists::Written { value: &entry.value.value, span: entry.value.span.clone(), expires };
        if let Err(message) = list.add(&written) {
            self.error(message, &place(draft, &entry.value.span), "again", "keep one of the two");
        }
    }

    pub(super) fn file_entries(
        &mut self,
        file: usize,
        zone: &Zone,
        list: &mut List,
        others: &mut Vec<(String, Place)>,
    ) {
        let text = self.diagnostics.sources[file].text.clone();
        let expires = |text: &str| {
            let exactly = Timestamp::parse(text).ok();
            exactly.or_else(|| shape::instant(&shape::moment_in(text)?, zone))
        };
        for entry in lists::read_file(file, &text, &expires, &mut self.diagnostics.list) {
            let here = Place { source: file, span: entry.span.clone() };
            note(entry.value, || here.clone(), others);
            if let Err(message) = list.add(&entry) {
                self.error(message, &here, "again", "keep one of the two");
            }
        }
    }

    /// An entry that is neither address nor range is never the event's address, and was not meant to stand in a list
    /// that is looked through for one.
    pub(super) fn addresses(&mut self) {
        for list in std::mem::take(&mut self.address_lists) {
            let list = usize::from(list.0);
            let name = self.lists[list].name.clone();
            for (value, here) in std::mem::take(&mut self.not_addresses[list]) {
                let message = format!(
                    "`{}` is neither an address nor a range, and a condition says `ip in lists.{name}`",
                    shape::shorten(&value)
                );
                let help = "write an address such as 203.0.113.7 or a range such as 203.0.113.0/24, or move it to another list";
                self.error(message, &here, "this entry", help);
            }
        }
    }

    pub(super) fn declare_restrictions(&mut self, drafts: &[Gathered]) {
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

    pub(super) fn declare_rules(&mut self, drafts: &[Gathered]) {
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

    pub(super) fn collect_signals(&mut self, drafts: &[Gathered]) {
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
}

/// Remembers an entry that is neither an address nor a range, as far as anybody would read.
fn note(value: &str, here: impl FnOnce() -> Place, others: &mut Vec<(String, Place)>) {
    const KEPT: usize = 10;
    if others.len() < KEPT && lists::network(value).is_none() {
        others.push((value.to_owned(), here()));
    }
}
