//! The analyst's flags of `kuzet replay`: what goes along with it, what is said of that, and which exit code it makes.

use super::{
    Failure,
    topic::{Production, VerifyTopicArgs},
};
use crate::{
    limits, pack_files,
    replay::{
        Setup,
        companion::Companion,
        compare::{self, Comparison},
        labels::{self, Labels, load, scores::Scores},
        moment::{self, Edge},
        report::{self, Found, Gathered, Named, Written},
        summary::Summary,
        sweep::{self, Sweeps, Swept, spec::Spec},
        verify::{self, Verification},
    },
    rules::{Packs, diagnostic::Diagnostics},
    time::Span,
    wording::{grouped, several},
};
use anyhow::anyhow;
use clap::Args;
use serde_json::{Map, Value};
use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    sync::Arc,
};

#[derive(Debug, Args)]
#[command(next_help_heading = "Backtests")]
pub(super) struct DeskArgs {
    /// Packs to compare with those of --rules, over the same records; several times, or joined by commas
    #[arg(long, value_name = "PACK", env = "KUZET_COMPARE", value_delimiter = ',')]
    compare: Vec<PathBuf>,

    /// End with 3 when a decision differs between the two: its action, score, live rules, or the restrictions that stand on
    /// it and their ends. Rules in shadow change nothing
    #[arg(long, env = "KUZET_FAIL_ON_CHANGE", requires = "compare",
        value_parser = |text: &str| super::replay::yes_or_no("KUZET_FAIL_ON_CHANGE", text))]
    fail_on_change: bool,

    /// Lift what rules impose after this time (such as 2h), as support would: history made without a rule has no signals
    #[arg(long, value_name = "SPAN", env = "KUZET_LIFT_AFTER", value_parser = fixed_span)]
    pub lift_after: Option<i64>,

    /// File of labels, CSV or NDJSON: `event`, `wallet` or `counterparty`, `label` (fraud or legitimate), and when it
    /// became `known`
    #[arg(long, value_name = "FILE", env = "KUZET_LABELS", conflicts_with = "label_field")]
    labels: Option<PathBuf>,

    /// What the columns of the labels are called, such as wallet=nodeid,label=isFraud
    #[arg(long, value_name = "NAMES", env = "KUZET_LABEL_COLUMNS", requires = "labels", value_parser = load::Columns::parse)]
    label_columns: Option<load::Columns>,

    /// Field of the events that says whether they are fraud, such as attributes.is_fraud
    #[arg(long, value_name = "FIELD", env = "KUZET_LABEL_FIELD")]
    label_field: Option<String>,

    /// Leave out labels that became known later: a date or an instant
    #[arg(long, value_name = "TIME", env = "KUZET_AS_OF")]
    as_of: Option<String>,

    /// How long after an event it is believed to be legitimate (such as 60d): fraud is found late
    #[arg(long, value_name = "SPAN", env = "KUZET_LABEL_AGE", value_parser = fixed_span)]
    label_age: Option<i64>,

    /// Try many values of a rule in one pass: RULE.KEY=FROM..TO:STEP or a list; several times, each with the other rules as
    /// they are
    #[arg(long, value_name = "VALUES", env = "KUZET_SWEEP")]
    sweep: Vec<String>,

    /// Write all that is found as one page of HTML with charts, which opens without a network; `-` is standard output
    #[arg(long, value_name = "FILE", env = "KUZET_REPORT")]
    pub report: Option<PathBuf>,

    /// How the report names wallets
    #[arg(long, value_name = "HOW", env = "KUZET_REPORT_WALLETS", value_enum, default_value_t, requires = "report")]
    report_wallets: Named,

    /// Derive recorded decisions (NDJSON) once more, show the first that differs, and end with 3 if one does
    #[arg(long, value_name = "FILE", env = "KUZET_VERIFY")]
    verify: Option<PathBuf>,

    #[command(flatten)]
    verify_topic: VerifyTopicArgs,
}

pub(super) fn fixed_span(text: &str) -> Result<i64, String> {
    match Span::parse(text)? {
        Span::Millis(millis) => Ok(millis),
        Span::Months(_) | Span::Calendar(_) => Err("write a time of fixed length, such as 2h or 1d".to_owned()),
    }
}

impl DeskArgs {
    fn specs(&self, packs: &Packs) -> Result<Vec<Spec>, Failure> {
        let usage = |message: String| Failure::usage(anyhow!("--sweep: {message}"));
        let specs = self.sweep.iter().map(|text| Spec::parse(text, packs)).collect::<Result<Vec<_>, _>>();
        let specs = specs.map_err(usage)?;
        let (values, most) = (specs.iter().map(|spec| spec.values.len()).sum::<usize>(), limits::SWEEP_VALUES);
        if values > most {
            Err(usage(format!("{values} values in all; at most {most} are tried at once")))
        } else {
            Ok(specs)
        }
    }

    fn verification(&self, setup: &Setup, production: Option<&Production>) -> Result<Option<Verification>, Failure> {
        match (&self.verify, &self.verify_topic.verify_topic, production) {
            (Some(path), _, _) => {
                let opened = Verification::open(path, &setup.packs, setup.range);
                opened.map(Some).map_err(|why| Failure::usage(anyhow!(why)))
            }
            (None, Some(topic), Some(production)) => production.verification(topic, setup).map(Some),
            (None, Some(_), None) => {
                let why = "--verify-topic holds decisions against the operations of a topic; --kafka reads one";
                Err(Failure::usage(anyhow!(why)))
            }
            (None, None, _) => Ok(None),
        }
    }

    fn labels(&self, packs: &Packs) -> Result<Option<Labels>, Failure> {
        let usage = |message: String| Failure::usage(anyhow!(message));
        let as_of = self.as_of.as_deref().map(|text| moment::read(text, Edge::End, &packs.zone)).transpose();
        let as_of = as_of.map_err(|why| usage(format!("--as-of: {why}")))?;
        let mut labels = match (&self.labels, &self.label_field) {
            (Some(path), _) => {
                let columns = self.label_columns.clone().unwrap_or_default();
                load::of_file(path, &columns, &packs.zone, as_of).map_err(usage)?
            }
            (None, Some(field)) => load::of_field(field, as_of).map_err(usage)?,
            (None, None) if self.as_of.is_some() || self.label_age.is_some() => {
                return Err(usage(
                    "--as-of and --label-age are about labels; give --labels or --label-field".to_owned(),
                ));
            }
            (None, None) => return Ok(None),
        };
        labels.age = self.label_age.unwrap_or_default();
        if labels.age > 0 && as_of.is_none() {
            lacks_a_day(&labels).map_or(Ok(()), |why| Err(usage(why)))?;
        }
        Ok(Some(labels))
    }
}

/// Why it cannot be told when somebody looked, from whom on backwards labels are too young.
fn lacks_a_day(labels: &Labels) -> Option<String> {
    let undated = labels.cases.iter().filter(|case| case.known.is_none()).count() as u64;
    let lacking = match (undated, labels.cases.len() as u64) {
        (0, 0) => "there is no label that says when it became known".to_owned(),
        (0, _) => return None,
        (undated, all) if undated == all => "no label says when it became known".to_owned(),
        (undated, all) => {
            format!("{} of {} do not say when they became known", grouped(undated), several(all, "label"))
        }
    };
    Some(format!(
        "--label-age counts back from the day on which the labels were looked up, and {lacking}; \
         give that day by --as-of, such as --as-of 2026-03-31"
    ))
}

/// What goes along with a replay.
pub(super) struct Desk {
    comparison: Option<Comparison>,
    scores: Option<Scores>,
    sweeps: Option<Sweeps>,
    swept: Vec<Swept>,
    verification: Option<Verification>,
    fail_on_change: bool,
    gathered: Option<Gathered>,
    names: Named,
    written: Vec<Written>,
    other: Option<(Arc<Packs>, Vec<Written>)>,
}

impl Desk {
    /// Loads what the flags ask for. Every file that is read is noted.
    /// `again` tells that the inputs can be read a second time, `written` how the packs of `setup` are written.
    pub fn new(
        args: &DeskArgs,
        setup: &mut Setup,
        written: Vec<Written>,
        again: bool,
        production: Option<&Production>,
        read: &mut Vec<PathBuf>,
    ) -> Result<Desk, Failure> {
        let other = (!args.compare.is_empty()).then(|| load_packs(&args.compare, setup, read)).transpose()?;
        let specs = args.specs(&setup.packs)?;
        if let Some(range) = &mut setup.range {
            let values = specs.iter().flat_map(|spec| &spec.values).map(|value| &value.rule);
            let rules = setup.packs.rules.iter().chain(other.iter().flat_map(|(packs, _)| &packs.rules)).chain(values);
            range.reach_back(rules, &setup.packs.zone);
        }
        let comparison = other.as_ref().map(|(packs, _)| Comparison::new(setup, Arc::clone(packs)));
        let labels = args.labels(&setup.packs)?.map(Arc::new);
        read.extend(args.labels.clone());
        let scores = labels.as_ref().map(|labels| Scores::new(Arc::clone(&setup.packs), Arc::clone(labels)));
        let sweeps = (!specs.is_empty()).then(|| Sweeps::new(setup, specs, labels.as_ref(), again));
        read.extend(args.verify.clone());
        let verification = args.verification(setup, production)?;
        let fail_on_change = args.fail_on_change;
        let gathered = args.report.as_ref().map(|_| Gathered::new(&setup.packs.zone, labels.clone()));
        Ok(Desk {
            comparison,
            scores,
            sweeps,
            swept: Vec::new(),
            verification,
            fail_on_change,
            gathered,
            names: args.report_wallets,
            written,
            other,
        })
    }

    pub fn companions(&mut self) -> Vec<&mut dyn Companion> {
        let comparison = self.comparison.iter_mut().map(|comparison| -> &mut dyn Companion { comparison });
        let scores = self.scores.iter_mut().map(|scores| -> &mut dyn Companion { scores });
        let sweeps = self.sweeps.iter_mut().flat_map(Sweeps::companions);
        let verification = self.verification.iter_mut().map(|found| -> &mut dyn Companion { found });
        let gathered = self.gathered.iter_mut().map(|gathered| -> &mut dyn Companion { gathered });
        comparison.chain(scores).chain(sweeps).chain(verification).chain(gathered).collect()
    }

    /// What goes along with one more reading of the inputs; nothing where none is needed.
    pub fn next_pass(&mut self, setup: &Setup) -> Vec<&mut dyn Companion> {
        self.sweeps.iter_mut().flat_map(|sweeps| sweeps.next_pass(setup)).collect()
    }

    /// Nothing more comes.
    pub fn settle(&mut self) {
        if let Some(comparison) = &mut self.comparison {
            comparison.settle();
        }
        if let Some(verification) = &mut self.verification {
            verification.settle();
        }
        if let Some(gathered) = &mut self.gathered {
            gathered.settle();
        }
        if let Some(sweeps) = self.sweeps.take() {
            self.swept = sweeps.settle();
        }
    }

    /// What is said after the summary.
    pub fn text(&self) -> String {
        let scores = self.scores.as_ref().map(labels::render::text);
        let comparison = self.comparison.as_ref().map(compare::render::text);
        let verified = self.verification.as_ref().map(|verified| verify::text(&verified.found));
        let all = self.scores.as_ref().map(|scores| &scores.all);
        scores.into_iter().chain(comparison).chain([sweep::render::text(&self.swept, all)]).chain(verified).collect()
    }

    /// What stands beside the summary's own members.
    pub fn json(&self) -> Map<String, Value> {
        let scores = self.scores.as_ref().map(|found| ("labels".to_owned(), labels::render::json(found)));
        let comparison = self.comparison.as_ref().map(|found| ("compare".to_owned(), compare::render::json(found)));
        let all = self.scores.as_ref().map(|scores| &scores.all);
        let sweeps = (!self.swept.is_empty()).then(|| ("sweeps".to_owned(), sweep::render::json(&self.swept, all)));
        let verified = self.verification.as_ref().map(|verified| ("verify".to_owned(), verify::json(&verified.found)));
        scores.into_iter().chain(comparison).chain(sweeps).chain(verified).collect()
    }

    /// The report, where one is asked for.
    pub fn report(&self, summary: &Summary, packs: &Packs, stopped: Option<&str>) -> Option<String> {
        let found = Found {
            summary,
            packs,
            written: &self.written,
            other: self.other.as_ref().map(|(packs, written)| (&**packs, written.as_slice())),
            comparison: self.comparison.as_ref(),
            scores: self.scores.as_ref(),
            swept: &self.swept,
            verification: self.verification.as_ref(),
            stopped,
        };
        self.gathered.as_ref().map(|gathered| report::html(gathered, &found, self.names))
    }

    /// Something differs that must not.
    pub fn fails(&self) -> bool {
        let changes = self.comparison.as_ref().is_some_and(Comparison::has_changes);
        (self.fail_on_change && changes) || self.verification.as_ref().is_some_and(|verified| !verified.found.holds())
    }
}

/// Loads other packs than those of the replay; what is known of addresses is the same.
fn load_packs(
    paths: &[PathBuf],
    setup: &Setup,
    read: &mut Vec<PathBuf>,
) -> Result<(Arc<Packs>, Vec<Written>), Failure> {
    let told = |diagnostics: Diagnostics| Failure::Told(diagnostics.render(io::stderr().is_terminal()));
    let loaded = pack_files::load_paths_noting(paths, read).map_err(told)?;
    let _ = write!(io::stderr(), "{}", loaded.diagnostics.render(io::stderr().is_terminal()));
    let written = Written::of(&loaded);
    let mut packs = loaded.packs;
    if packs.currency != setup.packs.currency {
        let [ours, theirs] = [setup.packs.currency, packs.currency].map(|currency| currency.as_str().to_owned());
        let message = format!("--rules counts in {ours} and --compare in {theirs}; compare packs of one currency");
        return Err(Failure::usage(anyhow!(message)));
    }
    if let Some(name) = setup.geo.name() {
        packs.name = format!("{},{name}", packs.name);
    }
    Ok((Arc::new(packs), written))
}
