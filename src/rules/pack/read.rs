//! A pack's text as a draft: what is well-formed, with the place of each value, nothing resolved yet.
//!
//! Tables come in the order of the text, not of the alphabet, since decisions give rules and restrictions in pack
//! order. After a syntax error the rest is read on a best effort: what it says is judged, what it lacks is not.

use super::{
    keys::{EXPIRES, MEASURES, PACK, UNTIL},
    shape::{self, Findings},
    syntax,
};
use crate::{
    decision::Action,
    event::{Currency, Field},
    number::Decimal,
    rules::{Counts, Mode, Target, diagnostic::Diagnostic},
    time::{Span, Zone},
};
use std::ops::Range;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
    value::Datetime,
};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot<T> {
    pub value: T,
    pub span: Range<usize>,
}

pub type Name = Spot<String>;
/// The figures of `[score]`, as written.
pub type Bands = Spot<Vec<(u16, Action)>>;

/// One pack as it is written.
#[derive(Debug, Default)]
pub struct Draft {
    pub source: usize,
    /// The text was read to its end, so that what is not there is missing.
    pub complete: bool,
    /// Whatever other packs and rules may name was read, so that a name that is not there is unknown.
    pub declares_all: bool,
    pub name: Option<Name>,
    pub version: Option<Name>,
    pub zone: Option<Spot<Zone>>,
    pub currency: Option<Spot<Currency>>,
    pub uses: Vec<Name>,
    pub retired: Vec<Name>,
    pub units: Vec<DraftUnit>,
    pub lists: Vec<DraftList>,
    pub types: Vec<DraftType>,
    pub bands: Option<Bands>,
    pub rules: Vec<DraftRule>,
    pub restrictions: Vec<DraftRestriction>,
}

#[derive(Debug)]
pub struct DraftUnit {
    pub name: Name,
    pub worth: Vec<(i64, Decimal)>,
    /// Nothing stands below its name, right or wrong.
    pub bare: bool,
}

#[derive(Debug)]
pub struct DraftList {
    pub name: Name,
    pub entries: Vec<DraftEntry>,
    pub file: Option<Name>,
}

#[derive(Debug)]
pub struct DraftEntry {
    pub value: Name,
    pub expires: Option<Spot<Datetime>>,
}

#[derive(Debug)]
pub struct DraftType {
    pub name: Name,
    pub requires: Vec<Field>,
}

#[derive(Debug)]
pub struct DraftRule {
    /// Of the rule's header.
    pub span: Range<usize>,
    pub id: Option<Name>,
    pub clause: Option<String>,
    pub title: Option<String>,
    pub on: Vec<Name>,
    pub when: Option<Name>,
    pub measures: Vec<Spot<DraftMeasure>>,
    pub score: u16,
    pub action: Action,
    pub restrict: Vec<Name>,
    pub counts: Counts,
    pub mode: Mode,
    pub valid_from: Option<Spot<Datetime>>,
    pub valid_until: Option<Spot<Datetime>>,
    pub examples: Vec<DraftExample>,
}

/// A measure of any kind: what is there of what its kind may have.
#[derive(Debug)]
pub struct DraftMeasure {
    pub kind: &'static str,
    pub of: Option<Spot<Field>>,
    pub per: Vec<Spot<Field>>,
    pub within: Option<Spot<Span>>,
    pub over: Option<Spot<(Decimal, Option<String>)>>,
    /// `reset`, `since`, or the `of` of `after`.
    pub types: Vec<Name>,
    pub from: Option<Spot<u64>>,
    pub at: Option<Spot<u64>>,
    /// `over` of `idle`, and its text.
    pub idle: Option<(Span, String)>,
}

#[derive(Debug)]
pub struct DraftRestriction {
    pub name: Name,
    pub clause: Option<String>,
    pub action: Option<Action>,
    pub on: Vec<Name>,
    pub target: Target,
    pub incoming: Option<Spot<bool>>,
    pub imposed_by: Vec<Name>,
    pub when: Option<Name>,
    pub lasts: Option<Span>,
    pub renews: bool,
    pub lifted_by: Vec<Name>,
    pub cancelled_by: Vec<Name>,
    pub confirms: Option<Spot<bool>>,
    pub status: Option<String>,
}

#[derive(Debug)]
pub struct DraftExample {
    /// Its place among its rule's examples, from 1.
    pub number: usize,
    pub span: Range<usize>,
    pub title: Option<Name>,
    pub action: Option<Action>,
    pub fires: Option<bool>,
    pub events: Vec<DraftEvent>,
}

/// One entry of `events`: its fields as they are written.
#[derive(Debug)]
pub struct DraftEvent {
    pub span: Range<usize>,
    /// The place of each field that is stated, attributes as `attributes.name`.
    pub places: Vec<(String, Range<usize>)>,
    pub kind: Option<Name>,
    pub time: Option<Name>,
    /// The other fields, values as JSON texts, in the order of [`Field::KNOWN`].
    pub fields: Vec<(&'static str, String)>,
    pub attributes: Vec<(String, String)>,
    pub repeat: u32,
    pub every: Option<Spot<Span>>,
}

/// Reads a pack. What is wrong with it is in the findings.
#[must_use]
pub fn read(source: usize, text: &str, found: &mut Vec<Diagnostic>) -> Draft {
    if let Some(error) = syntax::another_language(source, text) {
        found.push(error);
        return Draft { source, ..Draft::default() };
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut findings = Findings { source, ..Findings::default() };
    let syntax = syntax::told(source, text, &errors);
    if errors.iter().any(|error| syntax::swallows(error.message())) {
        found.extend(syntax);
        return Draft { source, ..Draft::default() };
    }
    shape::table(PACK, &(0..0), root.get_ref(), &mut findings);
    if !root.get_ref().contains_key("uses") {
        shape::needed(PACK, &["timezone", "currency"], root.get_ref(), &mut findings);
    }
    let mut draft = draft(source, View { table: root.get_ref(), span: 0..0 }, &mut findings);
    draft.complete = errors.is_empty();
    draft.declares_all = errors.iter().all(|error| syntax::spares_names(text, error));
    let lines: Vec<Range<usize>> = syntax
        .iter()
        .filter_map(|error| error.place.as_ref())
        .map(|place| syntax::line_of(text, place.span.start))
        .collect();
    let broken = |when: &mut Option<Name>| {
        when.take_if(|when| lines.iter().any(|line| line.contains(&when.span.start)));
    };
    draft.rules.iter_mut().for_each(|rule| broken(&mut rule.when));
    draft.restrictions.iter_mut().for_each(|restriction| broken(&mut restriction.when));
    let believable = |finding: &Diagnostic| {
        let start = finding.place.as_ref().map_or(0, |place| place.span.start);
        !lines.iter().any(|line| line.contains(&start))
    };
    found.extend(findings.found.into_iter().filter(believable));
    if draft.complete {
        found.extend(findings.hollow);
    }
    found.extend(syntax);
    draft
}

/// A table that has been checked: what is wrong in it reads as absent.
#[derive(Clone)]
struct View<'a> {
    table: &'a DeTable<'a>,
    span: Range<usize>,
}

impl<'a> View<'a> {
    fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table.get(key)
    }

    fn name(&self, key: &str) -> Option<Name> {
        name(self.get(key)?)
    }

    fn text(&self, key: &str) -> Option<String> {
        self.name(key).map(|name| name.value)
    }

    /// A text as what it means; absent where it means nothing.
    fn parsed<T>(&self, key: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Spot<T>> {
        let Spot { value, span } = self.name(key)?;
        Some(Spot { value: parse(&value)?, span })
    }

    fn flag(&self, key: &str) -> Option<Spot<bool>> {
        let value = self.get(key)?;
        Some(Spot { value: value.get_ref().as_bool()?, span: value.span() })
    }

    fn number(&self, key: &str) -> Option<Spot<u64>> {
        let value = self.get(key)?;
        let number = u64::try_from(shape::whole(value.get_ref())?).ok()?;
        Some(Spot { value: number, span: value.span() })
    }

    fn moment(&self, key: &str) -> Option<Spot<Datetime>> {
        let value = self.get(key)?;
        let moment = value.get_ref().as_datetime().filter(|moment| moment.date.is_some())?;
        Some(Spot { value: *moment, span: value.span() })
    }

    fn action(&self, key: &str) -> Option<Action> {
        self.parsed(key, Action::parse).map(|action| action.value)
    }

    fn span_of_time(&self, key: &str) -> Option<Spot<Span>> {
        self.parsed(key, |text| Span::parse(text).ok())
    }

    /// The entries of a list, or the one value that stands in its place.
    fn entries(&self, key: &str) -> &'a [Spanned<DeValue<'a>>] {
        match self.get(key) {
            Some(value) => match value.get_ref() {
                DeValue::Array(entries) => entries,
                _ => std::slice::from_ref(value),
            },
            None => &[],
        }
    }

    fn names(&self, key: &str) -> Vec<Name> {
        self.entries(key).iter().filter_map(name).filter(|name| !name.value.is_empty()).collect()
    }

    fn fields(&self, key: &str) -> Vec<Spot<Field>> {
        let field = |name: Name| Some(Spot { value: Field::parse(&name.value)?, span: name.span });
        self.names(key).into_iter().filter_map(field).collect()
    }

    /// The tables of a list of tables.
    fn tables(&self, key: &str) -> Vec<View<'a>> {
        self.entries(key).iter().filter_map(view).collect()
    }

    /// The entries of a table with free keys, in the order of the text.
    fn open(&self, key: &str) -> Vec<(Name, &'a Spanned<DeValue<'a>>)> {
        let Some(inner) = self.get(key).and_then(view) else { return Vec::new() };
        let mut entries: Vec<_> = inner
            .table
            .iter()
            .map(|(name, value)| (Spot { value: name.get_ref().to_string(), span: name.span() }, value))
            .collect();
        entries.sort_by_key(|(name, _)| name.span.start);
        entries
    }
}

fn view<'a>(value: &'a Spanned<DeValue<'a>>) -> Option<View<'a>> {
    Some(View { table: value.get_ref().as_table()?, span: value.span() })
}

fn name(value: &Spanned<DeValue<'_>>) -> Option<Name> {
    Some(Spot { value: value.get_ref().as_str()?.to_owned(), span: value.span() })
}

fn draft(source: usize, pack: View<'_>, found: &mut Findings) -> Draft {
    Draft {
        source,
        complete: true,
        declares_all: true,
        name: pack.name("name"),
        version: pack.name("version"),
        zone: pack.parsed("timezone", |text| Zone::load(text).ok()),
        currency: pack.parsed("currency", shape::currency),
        uses: pack.names("uses"),
        retired: pack.names("retired"),
        units: pack.open("units").into_iter().map(|(name, value)| unit(name, value)).collect(),
        lists: pack.open("lists").into_iter().map(|(name, value)| list(name, value, found)).collect(),
        types: pack.open("event").into_iter().map(|(name, value)| event_type(name, value)).collect(),
        bands: bands(&pack),
        rules: pack.tables("rule").into_iter().map(|view| rule(&view, found)).collect(),
        restrictions: pack.open("restriction").into_iter().map(|(name, value)| restriction(name, value)).collect(),
    }
}

fn unit(name: Name, value: &Spanned<DeValue<'_>>) -> DraftUnit {
    let dates = value.get_ref().as_table().into_iter().flatten();
    let mut worth: Vec<(i64, Decimal)> = dates
        .filter_map(|(date, worth)| Some((shape::date(date.get_ref())?, shape::worth(worth.get_ref()).ok()?)))
        .collect();
    worth.sort_by_key(|(date, _)| *date);
    DraftUnit { name, worth, bare: value.get_ref().as_table().is_some_and(|table| table.is_empty()) }
}

fn list(name: Name, value: &Spanned<DeValue<'_>>, found: &mut Findings) -> DraftList {
    match view(value) {
        Some(view) => {
            let entries = view.entries("entries").iter().filter_map(|value| entry(value, found)).collect();
            DraftList { name, entries, file: view.name("file").filter(|file| !file.value.is_empty()) }
        }
        None => {
            let entries = value.get_ref().as_array().into_iter().flat_map(|entries| entries.iter());
            DraftList { name, entries: entries.filter_map(|value| entry(value, found)).collect(), file: None }
        }
    }
}

/// When an entry of a list ends; in one of the two spellings.
fn expiry(view: &View<'_>, found: &mut Findings) -> Option<Spot<Datetime>> {
    let [expires, until] = [EXPIRES, UNTIL].map(|key| view.get(key));
    if let (Some(_), Some(until)) = (expires, until) {
        found.error(until.span(), "`until` is another spelling of `expires`", "here", "keep `expires`");
    }
    let value = expires.or(until)?;
    Some(Spot { value: shape::moment(value.get_ref())?, span: value.span() })
}

fn entry(value: &Spanned<DeValue<'_>>, found: &mut Findings) -> Option<DraftEntry> {
    match view(value) {
        Some(view) => Some(DraftEntry { value: view.name("value")?, expires: expiry(&view, found) }),
        None => Some(DraftEntry { value: name(value)?, expires: None }),
    }
}

fn event_type(name: Name, value: &Spanned<DeValue<'_>>) -> DraftType {
    let requires = view(value).map(|view| view.fields("requires")).unwrap_or_default();
    DraftType { name, requires: requires.into_iter().map(|field| field.value).collect() }
}

fn bands(pack: &View<'_>) -> Option<Bands> {
    let span = pack.get("score")?.span();
    let band = |(name, value): (Name, &Spanned<DeValue<'_>>)| {
        let figure = u16::try_from(shape::whole(value.get_ref())?).ok()?;
        Some((figure, Action::parse(&name.value)?))
    };
    Some(Spot { value: pack.open("score").into_iter().filter_map(band).collect(), span })
}

fn rule(view: &View<'_>, found: &mut Findings) -> DraftRule {
    let measure = |kind: &'static str| {
        let key = view.table.get_key_value(kind)?;
        Some(Spot { value: measure(kind, &self::view(key.1)?), span: key.0.span() })
    };
    let mut measures: Vec<Spot<DraftMeasure>> = MEASURES.into_iter().filter_map(measure).collect();
    measures.sort_by_key(|measure| measure.span.start);
    DraftRule {
        span: view.span.clone(),
        id: view.name("id"),
        clause: view.text("clause"),
        title: view.text("title"),
        on: view.names("on"),
        when: view.name("when"),
        measures,
        score: view.number("score").and_then(|score| u16::try_from(score.value).ok()).unwrap_or(0),
        action: view.action("action").unwrap_or_default(),
        restrict: view.names("restrict"),
        counts: if view.text("counts").as_deref() == Some("accepted") { Counts::Accepted } else { Counts::Attempted },
        mode: match view.text("mode").as_deref() {
            Some("shadow") => Mode::Shadow,
            Some("off") => Mode::Off,
            _ => Mode::Live,
        },
        valid_from: view.moment("valid_from"),
        valid_until: view.moment("valid_until"),
        examples: (1..).zip(view.tables("example")).map(|(number, view)| example(number, &view, found)).collect(),
    }
}

fn measure(kind: &'static str, view: &View<'_>) -> DraftMeasure {
    let one_field = |key: &str| view.parsed(key, Field::parse);
    DraftMeasure {
        kind,
        of: if kind == "after" { None } else { one_field("of") },
        per: view.fields("per"),
        within: view.span_of_time("within"),
        over: view
            .get("over")
            .and_then(|value| Some(Spot { value: shape::over(value.get_ref()).ok()?, span: value.span() })),
        types: match kind {
            "streak" => view.names("reset"),
            "idle" => view.names("since"),
            "after" => view.names("of"),
            _ => Vec::new(),
        },
        from: view.number("from"),
        at: view.number("at"),
        idle: view.name("over").and_then(|over| Some((Span::parse(&over.value).ok()?, over.value))),
    }
}

fn restriction(name: Name, value: &Spanned<DeValue<'_>>) -> DraftRestriction {
    let empty = DeTable::new();
    let view = view(value).unwrap_or(View { table: &empty, span: value.span() });
    DraftRestriction {
        name,
        clause: view.text("clause"),
        action: view.action("action"),
        on: view.names("on"),
        target: match view.text("target").as_deref() {
            Some("ip") => Target::Ip,
            Some("all") => Target::All,
            _ => Target::Wallet,
        },
        incoming: view.flag("incoming"),
        imposed_by: view.names("imposed_by"),
        when: view.name("when"),
        lasts: view.span_of_time("lasts").map(|lasts| lasts.value),
        renews: view.flag("renews").is_some_and(|flag| flag.value),
        lifted_by: view.names("lifted_by"),
        cancelled_by: view.names("cancelled_by"),
        confirms: view.flag("confirms"),
        status: view.text("status"),
    }
}

fn example(number: usize, view: &View<'_>, found: &mut Findings) -> DraftExample {
    DraftExample {
        number,
        span: view.span.clone(),
        title: view.name("title"),
        action: view.action("action"),
        fires: view.flag("fires").map(|flag| flag.value),
        events: view.tables("events").iter().map(|view| event(view, found)).collect(),
    }
}

fn event(view: &View<'_>, found: &mut Findings) -> DraftEvent {
    let repeat = view.number("repeat");
    if let (Some(repeat), None) = (&repeat, view.get("every"))
        && repeat.value > 1
    {
        let help = "write `every = \"1m\"` beside it";
        found.error(repeat.span.clone(), "`repeat` needs `every`, the time between the repeats", "of what", help);
    }
    let known = Field::KNOWN.iter().filter(|field| !matches!(field, Field::Type | Field::Time));
    let fields = known.filter_map(|field| {
        let std::borrow::Cow::Borrowed(name) = field.name() else { return None };
        Some((name, scalar(view.get(name)?.get_ref())?))
    });
    let time = view.get("time").and_then(|value| {
        let text = match value.get_ref() {
            DeValue::Datetime(moment) => moment.to_string(),
            other => other.as_str()?.to_owned(),
        };
        Some(Spot { value: text, span: value.span() })
    });
    let attribute = |(name, value): (Name, &Spanned<DeValue<'_>>)| Some((name.value, scalar(value.get_ref())?));
    let own = view.table.iter().map(|(name, value)| (name.get_ref().to_string(), value.span()));
    let attributes = view.open("attributes").into_iter();
    let places = own.chain(attributes.map(|(name, value)| (format!("attributes.{}", name.value), value.span())));
    DraftEvent {
        span: view.span.clone(),
        places: places.collect(),
        kind: view.name("type"),
        time,
        fields: fields.collect(),
        attributes: view.open("attributes").into_iter().filter_map(attribute).collect(),
        repeat: repeat.and_then(|repeat| u32::try_from(repeat.value).ok()).unwrap_or(1).max(1),
        every: view.span_of_time("every"),
    }
}

/// A value as JSON; a number keeps its text, which is what an amount is.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(serde_json::Value::from(text.as_ref()).to_string()),
        DeValue::Integer(_) => Some(shape::whole(value)?.to_string()),
        DeValue::Float(float) => Some(float.as_str().to_owned()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    }
}
