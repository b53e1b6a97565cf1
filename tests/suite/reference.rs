//! The naive reference: what the specification says, written down as plainly as possible and as slowly as it likes.
//! It exists to judge the engine, so it shares no code with it, keeps the whole history of everything as one plain
//! list and rescans that list for every event. It has no rings, no shared windows and no running totals.
//! Out of scope: the cap of 2^20 events, reloads and `warming`, list files, and the text of reject messages.

mod calendar;
mod condition;
mod decimal;
mod decision;
mod event;
mod json;
mod measure;
mod mutation;
mod pack;
#[cfg(test)]
mod worked_examples;

use std::net::IpAddr;

use calendar::{DAY, HOUR};
use condition::{Surroundings, entry_holds};
use decimal::Decimal;
use decision::{Decision, Reason};
use event::{Demands, Event, Value};
use measure::{Bench, Finding, LATENESS, Past};
use pack::{Action, Measure, Mode, Packs, Restriction, Rule, Target};

pub use mutation::Mutation;

/// How long an id is remembered behind the wallet's newest event.
const DEDUP: i64 = HOUR;
/// How far a record may be behind the newest time decided.
const MAX_PAST: i64 = 7 * DAY;
/// How many waiting operations of a wallet are remembered.
const WAITING: usize = 64;
const HIGHEST_SCORE: u64 = 1000;

/// What one record comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The exact bytes of the decision.
    Decision(String),
    /// The field at fault, where there is one.
    Reject { field: Option<String> },
}

type Country = fn(IpAddr) -> Option<String>;
type Anonymous = fn(IpAddr) -> Option<bool>;

pub struct Reference {
    packs: Packs,
    pack_name: String,
    mutation: Option<Mutation>,
    country: Option<Country>,
    anonymous: Option<Anonymous>,
    /// Every decided event that was no duplicate, in order of arrival.
    history: Vec<Past>,
    /// Every restriction that was ever imposed, in order of arrival.
    impositions: Vec<Imposition>,
    waiting: Vec<Waiting>,
    /// Wallets that forgot a waiting operation since they last listed any.
    forgetful: Vec<String>,
    silences: Vec<Silence>,
}

/// Who bears a restriction.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Bearer {
    Wallet(String),
    Address(IpAddr),
    Everyone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Lifted,
    Cancelled,
    RanOut,
}

struct Imposition {
    /// Its place in the packs.
    restriction: usize,
    bearer: Bearer,
    since: i64,
    until: Option<i64>,
    by: String,
    by_event: String,
    /// The rules that asked for it while it stood.
    asked: Vec<usize>,
    /// How a signal, or a later imposition of the same name, ended it.
    end: Option<End>,
}

/// An operation that was held, and the impositions that it waits for.
struct Waiting {
    id: String,
    wallet: String,
    time: i64,
    arrival: usize,
    waits_for: Vec<usize>,
}

/// A rule that a confirmation has silenced for a wallet and a calendar period.
struct Silence {
    rule: usize,
    wallet: String,
    period: i64,
}

/// Who asks for a restriction.
enum Asker<'a> {
    Rule(usize),
    Signal(&'a str),
}

impl Reference {
    pub fn new(packs: &[&str], pack_name: &str) -> Reference {
        Reference {
            packs: Packs::read(packs),
            pack_name: pack_name.to_owned(),
            mutation: None,
            country: None,
            anonymous: None,
            history: Vec::new(),
            impositions: Vec::new(),
            waiting: Vec::new(),
            forgetful: Vec::new(),
            silences: Vec::new(),
        }
    }

    pub fn with_mutation(mut self, mutation: Mutation) -> Reference {
        self.mutation = Some(mutation);
        self.packs.calendar.thirty_day_months = mutation == Mutation::MonthsAreThirtyDays;
        self.packs.calendar.ambiguous_takes_second = mutation == Mutation::AmbiguousTakesSecond;
        self
    }

    pub fn with_geo(mut self, country: Country, anonymous: Anonymous) -> Reference {
        self.country = Some(country);
        self.anonymous = Some(anonymous);
        self
    }

    fn is(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// Takes one record in; the order of work is that of section 8.
    pub fn feed(&mut self, record: &[u8]) -> Outcome {
        let demands = Demands {
            currency: &self.packs.currency,
            requires: &self.packs.events,
            keeps_mapped: self.is(Mutation::MappedAddressDiffers),
        };
        let event = match event::read(record, &demands) {
            Ok(event) => event,
            Err(field) => return Outcome::Reject { field },
        };
        if let Some(first) = self.remembered(&event) {
            return self.repeat(first, event);
        }
        if self.is_past(event.time) {
            return Outcome::Reject { field: Some("time".to_owned()) };
        }
        self.decide(event)
    }

    fn is_past(&self, time: i64) -> bool {
        let Some(newest) = self.history.iter().map(|past| past.event.time).max() else { return false };
        let oldest = newest - MAX_PAST;
        if self.is(Mutation::MaxPastInclusive) { time <= oldest } else { time < oldest }
    }

    fn newest_of(&self, wallet: &str) -> Option<i64> {
        self.history.iter().filter(|past| past.event.wallet == wallet).map(|past| past.event.time).max()
    }

    /// The place in the history of the event whose id this one repeats.
    fn remembered(&self, event: &Event) -> Option<usize> {
        let oldest = self.newest_of(&event.wallet)? - DEDUP;
        let in_time = |time: i64| if self.is(Mutation::IdForgottenAtDedup) { time > oldest } else { time >= oldest };
        self.history.iter().rposition(|past| {
            past.event.wallet == event.wallet && past.event.id == event.id && in_time(past.event.time)
        })
    }

    fn repeat(&mut self, first: usize, event: Event) -> Outcome {
        let original = &self.history[first];
        let same_amount = original.event.amount() == event.amount() || self.is(Mutation::ConflictIgnoresAmount);
        let same =
            original.event.kind == event.kind && same_amount && original.event.counterparty() == event.counterparty();
        if !same {
            return Outcome::Reject { field: Some("id".to_owned()) };
        }
        let (action, score) = (original.action, original.score);
        let time = if self.is(Mutation::DuplicateAtFirstTime) { original.event.time } else { event.time };
        let decision = Decision {
            action,
            score,
            restrictions: self.standing_names(&event, time),
            flags: vec!["duplicate"],
            ..Decision::default()
        };
        let text = decision.print(&event, &self.pack_name);
        if self.is(Mutation::DuplicatesCountTwice) {
            let event = self.with_what_is_known(event.clone());
            self.remember(event, action, score, None);
        }
        if self.is(Mutation::DuplicatesStateStatus) {
            self.history[first].stated_status = event.fields.get("client_status").cloned();
        }
        Outcome::Decision(text)
    }

    /// The event with what is known of its wallet and its address.
    fn with_what_is_known(&self, mut event: Event) -> Event {
        if !event.fields.contains_key("client_status") {
            let status = self.known_status(&event.wallet).unwrap_or_else(|| Value::Text("unidentified".to_owned()));
            event.fields.insert("client_status".to_owned(), status);
        }
        event.fields.entry("currency".to_owned()).or_insert_with(|| Value::Text(self.packs.currency.clone()));
        if let Some(address) = event.address() {
            let country = self.country.and_then(|look_up| look_up(address));
            if let Some(country) = country {
                event.fields.entry("country".to_owned()).or_insert(Value::Text(country));
            }
            if let Some(anonymous) = self.anonymous.and_then(|look_up| look_up(address)) {
                event.fields.entry("anonymous".to_owned()).or_insert(Value::Bool(anonymous));
            }
        }
        event
    }

    /// The last `client_status` that was stated of a wallet, by arrival.
    fn known_status(&self, wallet: &str) -> Option<Value> {
        let mut stated = self.history.iter().filter(|past| past.event.wallet == wallet && past.stated_status.is_some());
        let last = if self.is(Mutation::StatusByTime) {
            stated.max_by_key(|past| past.event.time)
        } else {
            stated.next_back()
        };
        last.and_then(|past| past.stated_status.clone())
    }

    fn decide(&mut self, event: Event) -> Outcome {
        let stated_status = event.fields.get("client_status").cloned();
        let event = self.with_what_is_known(event);
        let silenced_before = self.silences.len();
        self.obey_signal(&event);
        let stood = self.standing_for(&event);
        let mut decision = Decision::default();
        self.list_waiting(&event, &mut decision);
        let fired = self.fired(&event, silenced_before);
        self.settle(&event, &fired, &stood, &mut decision);
        let asked = self.impose_for_rules(&event, &fired, decision.action);
        self.wait(&event, decision.action, &stood, asked);
        if self.newest_of(&event.wallet).is_some_and(|newest| self.is_late(event.time, newest)) {
            decision.flags.push("late");
        }
        decision.restrictions = self.standing_names(&event, event.time);
        let text = decision.print(&event, &self.pack_name);
        self.remember(event, decision.action, decision.score, stated_status);
        Outcome::Decision(text)
    }

    fn is_late(&self, time: i64, newest: i64) -> bool {
        if self.is(Mutation::LateFlagInclusive) { time <= newest - LATENESS } else { time < newest - LATENESS }
    }

    fn remember(&mut self, event: Event, action: Action, score: u64, stated_status: Option<Value>) {
        let matches = (0..self.packs.rules.len()).map(|index| self.matches(index, &event)).collect();
        self.history.push(Past { event, stated_status, action, score, matches });
    }

    fn rule(&self, index: usize) -> &Rule {
        &self.packs.rules[index]
    }

    fn bench<'a>(&'a self, event: &'a Event) -> Bench<'a> {
        Bench { packs: &self.packs, history: &self.history, event, mutation: self.mutation }
    }

    /// Whether the event is one of those that the rule measures.
    fn matches(&self, index: usize, event: &Event) -> bool {
        let rule = self.rule(index);
        rule.on.contains(&event.kind)
            && rule.per.iter().all(|name| event.field(name).is_some())
            && measure::measurable(&rule.measure, event, self.is(Mutation::ChangeRemembersUnknown))
            && rule.when.as_ref().is_none_or(|when| when.holds(event, self))
    }

    /// The rules that are over their limit, in pack order, and what they found.
    fn fired(&self, event: &Event, silences: usize) -> Vec<(usize, Finding)> {
        let mut fired = Vec::new();
        for index in 0..self.packs.rules.len() {
            let rule = self.rule(index);
            let inclusive = self.is(Mutation::ValidUntilInclusive);
            let begun = rule.valid_from.is_none_or(|from| from <= event.time);
            let ended =
                rule.valid_until.is_some_and(|until| if inclusive { until < event.time } else { until <= event.time });
            let may_fire = rule.mode != Mode::Off && begun && !ended && self.matches(index, event);
            if !may_fire || self.is_silent(index, event, silences) {
                continue;
            }
            if let Some(finding) = self.bench(event).judge(index) {
                fired.push((index, finding));
            }
        }
        fired
    }

    /// Whether one of the first `silences` confirmations covers the rule for this event.
    fn is_silent(&self, index: usize, event: &Event, silences: usize) -> bool {
        self.silences[..silences].iter().any(|silence| {
            silence.rule == index && silence.wallet == event.wallet && self.period(index, event) == Some(silence.period)
        })
    }

    /// The calendar period of the event in the rule's window, if that is a calendar one.
    fn period(&self, index: usize, event: &Event) -> Option<i64> {
        let window = match &self.rule(index).measure {
            Measure::Count { within, .. } | Measure::Sum { within, .. } | Measure::Distinct { within, .. } => *within,
            _ => return None,
        };
        let is_calendar = !matches!(window, calendar::Window::Sliding(_));
        is_calendar.then(|| self.bench(event).calendar().period(event.time, window))
    }

    /// Action, score and reasons of the decision.
    fn settle(&self, event: &Event, fired: &[(usize, Finding)], stood: &[usize], decision: &mut Decision) {
        let mut total = 0;
        for (index, finding) in fired {
            let rule = self.rule(*index);
            let reason = Reason::of_rule(rule, finding);
            if rule.mode == Mode::Shadow {
                decision.shadow.push(reason);
                if self.is(Mutation::ShadowScores) {
                    total += rule.score;
                }
                continue;
            }
            decision.reasons.push(reason);
            decision.action = decision.action.max(rule.action);
            total += rule.score;
        }
        decision.score = if self.is(Mutation::ScoreNotCapped) { total } else { total.min(HIGHEST_SCORE) };
        for (action, from) in &self.packs.bands {
            let reached =
                if self.is(Mutation::BandExclusive) { decision.score > *from } else { decision.score >= *from };
            if reached {
                decision.action = decision.action.max(*action);
            }
        }
        for place in stood {
            let imposition = &self.impositions[*place];
            let restriction = self.restriction(imposition.restriction);
            decision.reasons.push(Reason {
                restriction: Some(restriction.name.clone()),
                of: self.borne_by(&imposition.bearer, event),
                clause: restriction.clause.clone(),
                action: restriction.action,
                since: Some(imposition.since),
                until: imposition.until,
                by: Some(imposition.by.clone()),
                by_event: Some(imposition.by_event.clone()),
                ..Reason::default()
            });
            decision.action = decision.action.max(restriction.action);
        }
    }

    /// What a reason says in `of`: nothing for the event's own wallet.
    fn borne_by(&self, bearer: &Bearer, event: &Event) -> Option<&'static str> {
        match bearer {
            Bearer::Wallet(wallet) if *wallet == event.wallet => None,
            Bearer::Wallet(_) => Some("counterparty"),
            Bearer::Address(_) => Some("ip"),
            Bearer::Everyone => Some("all"),
        }
    }

    fn restriction(&self, index: usize) -> &Restriction {
        &self.packs.restrictions[index]
    }

    fn is_signal(&self, kind: &str) -> bool {
        self.packs.restrictions.iter().any(|restriction| {
            [&restriction.imposed_by, &restriction.lifted_by, &restriction.cancelled_by]
                .iter()
                .any(|signals| signals.iter().any(|s| s == kind))
        })
    }

    fn stands(&self, imposition: &Imposition, time: i64) -> bool {
        let inclusive = self.is(Mutation::UntilInclusive);
        let begun = !self.is(Mutation::SinceBoundsBelow) || imposition.since <= time;
        imposition.end.is_none()
            && begun
            && imposition.until.is_none_or(|until| if inclusive { time <= until } else { time < until })
    }

    /// Who bears the restriction when this event asks for it.
    fn bearer(&self, restriction: usize, event: &Event) -> Option<Bearer> {
        match self.restriction(restriction).target {
            Target::Wallet => Some(Bearer::Wallet(event.wallet.clone())),
            Target::Address => event.address().map(Bearer::Address),
            Target::All => Some(Bearer::Everyone),
        }
    }

    /// The imposition that nothing but its own end has ended.
    fn unended(&self, restriction: usize, bearer: &Bearer) -> Option<usize> {
        self.impositions
            .iter()
            .position(|one| one.restriction == restriction && one.bearer == *bearer && one.end.is_none())
    }

    /// The impositions that stop this event, in the order of its reasons.
    fn standing_for(&self, event: &Event) -> Vec<usize> {
        let mut found = Vec::new();
        if self.is_signal(&event.kind) {
            return found;
        }
        for index in 0..self.packs.restrictions.len() {
            let restriction = self.restriction(index);
            if !restriction.on.contains(&event.kind) {
                continue;
            }
            let mut bearers: Vec<Bearer> = self.bearer(index, event).into_iter().collect();
            if restriction.incoming && self.is_operation(&event.kind) && !self.is(Mutation::IncomingIgnored) {
                let other =
                    event.counterparty().filter(|other| *other != event.wallet || self.is(Mutation::SelfCheckedTwice));
                bearers.extend(other.map(Bearer::Wallet));
            }
            let places = bearers.iter().filter_map(|bearer| self.unended(index, bearer));
            found.extend(places.filter(|place| self.stands(&self.impositions[*place], event.time)));
        }
        found
    }

    fn is_operation(&self, kind: &str) -> bool {
        self.packs.events.get(kind).is_some_and(|requires| requires.iter().any(|name| name == "amount"))
    }

    /// The names and statuses of what stands on the event's wallet, its address and all, in pack order.
    fn standing_names(&self, event: &Event, time: i64) -> Vec<(String, Option<String>)> {
        let bears = |index: usize| {
            let place = self.bearer(index, event).and_then(|bearer| self.unended(index, &bearer));
            place.is_some_and(|place| self.stands(&self.impositions[place], time))
        };
        let standing =
            (0..self.packs.restrictions.len()).filter(|index| bears(*index)).map(|index| self.restriction(index));
        standing.map(|restriction| (restriction.name.clone(), restriction.status.clone())).collect()
    }

    /// Lifts and imposes what a signal lifts and imposes, in pack order.
    fn obey_signal(&mut self, event: &Event) {
        for index in 0..self.packs.restrictions.len() {
            let restriction = self.restriction(index);
            let imposes = restriction.imposed_by.contains(&event.kind)
                && restriction.when.as_ref().is_none_or(|when| when.holds(event, self));
            let lifts = restriction.lifted_by.contains(&event.kind);
            let cancels = restriction.cancelled_by.contains(&event.kind);
            if imposes {
                self.impose(index, event, Asker::Signal(&event.kind));
            }
            if lifts {
                self.lift(index, event, End::Lifted);
            }
            if cancels {
                self.lift(index, event, End::Cancelled);
            }
        }
    }

    fn lift(&mut self, restriction: usize, event: &Event, end: End) {
        let Some(place) = self.bearer(restriction, event).and_then(|bearer| self.unended(restriction, &bearer)) else {
            return;
        };
        let still_stands = self.stands(&self.impositions[place], event.time) || self.is(Mutation::LateSignalReleases);
        self.impositions[place].end = Some(if still_stands { end } else { End::RanOut });
        let confirmed = end == End::Lifted || self.is(Mutation::CancelConfirms);
        if still_stands && confirmed && self.restriction(restriction).confirms && !self.is(Mutation::ConfirmsIgnored) {
            for rule in self.impositions[place].asked.clone() {
                if let Some(period) = self.period(rule, event) {
                    self.silences.push(Silence { rule, wallet: event.wallet.clone(), period });
                }
            }
        }
    }

    /// Imposes a restriction, or lets it stand; gives the imposition, unless there is nobody to bear it.
    fn impose(&mut self, restriction: usize, event: &Event, asker: Asker<'_>) -> Option<usize> {
        let bearer = self.bearer(restriction, event)?;
        let asking_rule = match asker {
            Asker::Rule(rule) => Some(rule),
            Asker::Signal(_) => None,
        };
        let by = match asker {
            Asker::Rule(rule) => self.rule(rule).id.clone(),
            Asker::Signal(signal) => signal.to_owned(),
        };
        let until = self.restriction(restriction).lasts.map(|lasts| self.end(event.time, lasts));
        if let Some(place) = self.unended(restriction, &bearer) {
            if self.stands(&self.impositions[place], event.time) {
                let renews = (self.restriction(restriction).renews || self.is(Mutation::RenewsAlways))
                    && !self.is(Mutation::RenewsIgnored);
                let moves = self.is(Mutation::SinceMoves);
                let confirms_first_only = self.is(Mutation::ConfirmsFirstRuleOnly);
                let imposition = &mut self.impositions[place];
                if renews {
                    imposition.until = imposition.until.max(until);
                }
                if moves {
                    imposition.since = event.time;
                }
                if !confirms_first_only {
                    imposition.asked.extend(asking_rule);
                }
                return Some(place);
            }
            self.impositions[place].end = Some(End::RanOut);
        }
        self.impositions.push(Imposition {
            restriction,
            bearer,
            since: event.time,
            until,
            by,
            by_event: event.id.clone(),
            asked: asking_rule.into_iter().collect(),
            end: None,
        });
        Some(self.impositions.len() - 1)
    }

    fn end(&self, time: i64, lasts: calendar::Window) -> i64 {
        if self.is(Mutation::CalendarDayLastsADay) && lasts == calendar::Window::CalendarDay {
            return time + DAY;
        }
        self.packs.calendar.end(time, lasts)
    }

    /// Imposes what the rules ask for; gives the impositions that the event asked for.
    fn impose_for_rules(&mut self, event: &Event, fired: &[(usize, Finding)], action: Action) -> Vec<usize> {
        if action.turns_away() && self.is(Mutation::RefusedImposesNothing) {
            return Vec::new();
        }
        let mut asked = Vec::new();
        for (rule, _) in fired {
            if self.rule(*rule).mode != Mode::Live && !self.is(Mutation::ShadowImposes) {
                continue;
            }
            for name in self.rule(*rule).restrict.clone() {
                let restriction = self
                    .packs
                    .restrictions
                    .iter()
                    .position(|one| one.name == name)
                    .expect("packs are validated elsewhere");
                asked.extend(self.impose(restriction, event, Asker::Rule(*rule)));
            }
        }
        asked
    }

    /// Lets a held operation wait for the holds and pins on its wallet that stood on it or that it imposed.
    fn wait(&mut self, event: &Event, action: Action, stood: &[usize], asked: Vec<usize>) {
        if !self.is_operation(&event.kind) || !matches!(action, Action::Hold | Action::Pin) {
            return;
        }
        let own = Bearer::Wallet(event.wallet.clone());
        let mut waits_for: Vec<usize> = stood.iter().copied().chain(asked).collect();
        waits_for.retain(|place| {
            let imposition = &self.impositions[*place];
            imposition.bearer == own
                && matches!(self.restriction(imposition.restriction).action, Action::Hold | Action::Pin)
        });
        if waits_for.is_empty() {
            return;
        }
        let arrival = self.history.len();
        self.waiting.push(Waiting {
            id: event.id.clone(),
            wallet: event.wallet.clone(),
            time: event.time,
            arrival,
            waits_for,
        });
        let of_wallet = self.waiting.iter().enumerate().filter(|(_, one)| one.wallet == event.wallet);
        if of_wallet.clone().count() > WAITING {
            let (oldest, _) = of_wallet.min_by_key(|(_, one)| (one.time, one.arrival)).expect("more than none");
            self.waiting.remove(oldest);
            self.forgetful.push(event.wallet.clone());
        }
    }

    /// Lists the wallet's operations that wait for nothing any more.
    fn list_waiting(&mut self, event: &Event, decision: &mut Decision) {
        let any_suffices = self.is(Mutation::ListedAtFirstGone);
        let is_gone = |place: &usize| !self.stands_still(*place, event.time);
        let is_listed = |one: &Waiting| {
            one.wallet == event.wallet
                && if any_suffices { one.waits_for.iter().any(is_gone) } else { one.waits_for.iter().all(is_gone) }
        };
        let mut listed: Vec<&Waiting> = self.waiting.iter().filter(|one| is_listed(one)).collect();
        listed.sort_by_key(|one| (one.time, one.arrival));
        let arrivals: Vec<usize> = listed.iter().map(|one| one.arrival).collect();
        for one in &listed {
            let ended = |end: End| one.waits_for.iter().any(|place| self.impositions[*place].end == Some(end));
            let ran_out = one.waits_for.iter().any(|place| self.impositions[*place].end.is_none());
            let list = if ended(End::Cancelled) && !self.is(Mutation::CancelledAsReleased) {
                &mut decision.cancelled
            } else if (ended(End::RanOut) || ran_out) && !self.is(Mutation::ExpiredAsReleased) {
                &mut decision.expired
            } else {
                &mut decision.released
            };
            list.push(one.id.clone());
        }
        self.waiting.retain(|one| !arrivals.contains(&one.arrival));
        if !arrivals.is_empty() && self.forgetful.contains(&event.wallet) {
            self.forgetful.retain(|wallet| *wallet != event.wallet);
            decision.waiting_forgotten = true;
        }
    }

    /// Whether an imposition has neither been ended nor run out by `time`. It has no beginning here.
    fn stands_still(&self, place: usize, time: i64) -> bool {
        let imposition = &self.impositions[place];
        imposition.end.is_none() && imposition.until.is_none_or(|until| time < until)
    }
}

impl Surroundings for Reference {
    fn unit(&self, name: &str, event: &Event) -> Option<Decimal> {
        self.bench(event).worth(name)
    }

    fn listed(&self, value: &Value, list: &str, event: &Event) -> bool {
        let in_force =
            |until: i64| if self.is(Mutation::ListExpiryInclusive) { event.time <= until } else { event.time < until };
        self.packs.lists[list].iter().any(|entry| entry.until.is_none_or(in_force) && entry_holds(&entry.value, value))
    }

    fn error_wins(&self) -> bool {
        self.is(Mutation::ErrorNotAbsorbed)
    }
}
