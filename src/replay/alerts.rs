//! `kuzet replay --alert`: the alerts that decisions of a replay would make, or make.
//!
//! They are made by the same code as those of `kuzet alert`, under the ids `<source>:<offset>`, so that what an analyst sees is
//! what an endpoint would get. By default they are only told. Sent, they go through one thread an endpoint with a bounded queue;
//! somebody waits at a terminal, so only the schedule's waits of up to a minute are waited for, and an endpoint that takes three
//! alerts in a row by none of its attempts is sent no more. The same replay sends the same ids again.

use super::{Outcome, companion::Companion};
use crate::{
    alert::{self, Alert, Client, Config, Decided, Endpoint, config::Retry, group::Groups},
    encode,
    event::Event,
    files::records::Record,
    rules::Packs,
    wording,
};
use serde_json::{Map, Value, json};
use std::{
    collections::VecDeque,
    fmt::Write as _,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Alerts of one endpoint that wait for its thread.
const WAITING: usize = 256;
/// The longest that is waited for between two attempts.
const PATIENCE: Duration = Duration::from_secs(60);
/// Alerts in a row that an endpoint did not take, after which it is sent no more.
const GIVEN_UP: u32 = 3;

/// Makes alerts of what a replay decides.
pub struct Alerts {
    packs: Arc<Packs>,
    /// Inputs as they were named.
    sources: Vec<String>,
    lanes: Vec<Lane>,
    course: Course,
    line: Vec<u8>,
    /// Why alerts could not be told.
    broken: Option<io::Error>,
}

/// What is made for one endpoint.
struct Lane {
    endpoint: Arc<Endpoint>,
    groups: Option<Groups>,
    made: u64,
    tally: Tally,
}

enum Course {
    Told(Box<dyn Write + Send>),
    Sent(Vec<(SyncSender<Alert>, JoinHandle<Tally>)>),
}

/// What became of one endpoint's alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub delivered: u64,
    pub failed: u64,
    /// Why the last that failed did.
    pub why: Option<String>,
}

impl Alerts {
    /// Alerts that are told to `out`, a line of JSON each.
    #[must_use]
    pub fn told(config: &Config, packs: &Arc<Packs>, sources: &[PathBuf], out: Box<dyn Write + Send>) -> Alerts {
        Alerts::new(config, packs, sources, Course::Told(out))
    }

    /// Alerts that are sent.
    ///
    /// # Errors
    /// A thread or a runtime that cannot be had.
    pub fn sent(config: &Config, packs: &Arc<Packs>, sources: &[PathBuf]) -> io::Result<Alerts> {
        let client = Arc::new(Client::new());
        let start = |endpoint: &Arc<Endpoint>| {
            let (sender, receiver) = sync_channel(WAITING);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let courier = Courier {
                endpoint: Arc::clone(endpoint),
                retry: config.retry.clone(),
                client: Arc::clone(&client),
                sent: VecDeque::new(),
            };
            let work = move || runtime.block_on(courier.deliver(&receiver));
            Ok((sender, thread::Builder::new().name(format!("alert {}", endpoint.name)).spawn(work)?))
        };
        let couriers = config.endpoints.iter().map(start).collect::<io::Result<_>>()?;
        Ok(Alerts::new(config, packs, sources, Course::Sent(couriers)))
    }

    fn new(config: &Config, packs: &Arc<Packs>, sources: &[PathBuf], course: Course) -> Alerts {
        let lane = |endpoint: &Arc<Endpoint>| Lane {
            endpoint: Arc::clone(endpoint),
            groups: Groups::new(endpoint),
            made: 0,
            tally: Tally::default(),
        };
        let name = |path: &PathBuf| Path::to_string_lossy(path).into_owned();
        Alerts {
            packs: Arc::clone(packs),
            sources: sources.iter().map(name).collect(),
            lanes: config.endpoints.iter().map(lane).collect(),
            course,
            line: Vec::new(),
            broken: None,
        }
    }

    fn take(&mut self, place: usize, alert: Alert) {
        self.lanes[place].made += 1;
        match &mut self.course {
            Course::Told(out) => {
                let body: Value = serde_json::from_slice(&alert.body).expect("a body is JSON");
                let line = json!({ "webhook-id": alert.id.as_str(), "endpoint": &*alert.endpoint, "body": body });
                if self.broken.is_none() {
                    self.broken = writeln!(out, "{line}").err();
                }
            }
            // A thread ends only when there is nothing more, or by a panic that joining it passes on.
            Course::Sent(couriers) => drop(couriers[place].0.send(alert)),
        }
    }

    /// There are no more decisions: closes what is gathered, and waits until all is sent.
    ///
    /// # Errors
    /// Alerts that could not be told.
    pub fn settle(&mut self) -> io::Result<()> {
        for place in 0..self.lanes.len() {
            let closed = self.lanes[place].groups.as_mut().map(Groups::close_all).unwrap_or_default();
            closed.into_iter().for_each(|alert| self.take(place, alert));
        }
        match &mut self.course {
            Course::Told(out) => match self.broken.take() {
                Some(error) => return Err(error),
                None => out.flush()?,
            },
            Course::Sent(couriers) => {
                for ((sender, courier), lane) in couriers.drain(..).zip(&mut self.lanes) {
                    drop(sender);
                    lane.tally = courier.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                }
            }
        }
        Ok(())
    }

    /// Every alert that was to be sent was.
    #[must_use]
    pub fn delivered(&self) -> bool {
        self.lanes.iter().all(|lane| lane.tally.failed == 0)
    }

    /// What is said after the summary.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = "\nAlerts\n".to_owned();
        for Lane { endpoint, made, tally, .. } in &self.lanes {
            let made = wording::several(*made, "alert");
            let words = match (&self.course, &tally.why) {
                (Course::Told(_), _) => format!("{made}, not sent (--alert-send sends)"),
                (Course::Sent(_), None) => format!("{made}, all delivered"),
                (Course::Sent(_), Some(why)) => {
                    format!("{made}, {} not delivered: {why}", wording::grouped(tally.failed))
                }
            };
            writeln!(out, "  {}: {words}", endpoint.name).expect("a String takes everything");
        }
        out
    }

    /// What stands in the summary's JSON, by endpoint.
    #[must_use]
    pub fn json(&self) -> Value {
        let sent = matches!(self.course, Course::Sent(_));
        let of = |lane: &Lane| {
            let mut told = json!({ "alerts": lane.made });
            if sent {
                told["delivered"] = json!(lane.tally.delivered);
                told["failed"] = json!(lane.tally.failed);
            }
            (lane.endpoint.name.to_string(), told)
        };
        Value::Object(self.lanes.iter().map(of).collect::<Map<_, _>>())
    }
}

impl Companion for Alerts {
    fn look_ahead(&mut self, _: &mut dyn Iterator<Item = &Event<'_>>) {}

    fn see(&mut self, source: usize, record: &Record<'_>, outcome: &Outcome<'_>) {
        let Outcome::Decided { event, decision, line } = outcome else { return };
        self.line.clear();
        match line {
            Some(line) => self.line.extend_from_slice(line),
            None => encode::encode(decision, event, &self.packs, &mut self.line),
        }
        let decided = Decided::read(&self.line).expect("what was encoded is a decision");
        let id = format!("{}:{}", self.sources[source], record.offset);
        for place in 0..self.lanes.len() {
            let lane = &mut self.lanes[place];
            let alerts = match &mut lane.groups {
                Some(groups) => groups.add(&id, &decided, decided.time),
                None => alert::alert(&lane.endpoint, &id, &decided).into_iter().collect(),
            };
            alerts.into_iter().for_each(|alert| self.take(place, alert));
        }
    }
}

/// Delivers the alerts of one endpoint, one after the other.
struct Courier {
    endpoint: Arc<Endpoint>,
    retry: Retry,
    client: Arc<Client>,
    /// When the last alerts were sent, as many as the endpoint's rate is about.
    sent: VecDeque<Instant>,
}

impl Courier {
    async fn deliver(mut self, alerts: &Receiver<Alert>) -> Tally {
        let mut tally = Tally::default();
        let (mut in_a_row, mut disabled) = (0, false);
        while let Ok(alert) = alerts.recv() {
            if disabled || in_a_row == GIVEN_UP {
                tally.failed += 1;
                continue;
            }
            match self.attempts(&alert).await {
                Ok(()) => {
                    tally.delivered += 1;
                    in_a_row = 0;
                }
                Err(failed) => {
                    tally.failed += 1;
                    in_a_row += 1;
                    disabled = failed.ends_all;
                    tally.why = Some(failed.why);
                }
            }
        }
        tally
    }

    async fn attempts(&mut self, alert: &Alert) -> Result<(), Failed> {
        let mut waits = self.retry.schedule.iter().copied().collect::<VecDeque<_>>();
        loop {
            self.pace().await;
            let (after, why) = match alert::attempt(&self.client, &self.endpoint, alert, alert::now()).await {
                alert::Outcome::Delivered { .. } => return Ok(()),
                alert::Outcome::Disabled => {
                    return Err(Failed { why: "answered 410: it wants no more".to_owned(), ends_all: true });
                }
                alert::Outcome::Retry { after, why } => (after, why),
            };
            let wait = waits.pop_front().map(|wait| wait.max(after.unwrap_or_default()));
            match wait.filter(|wait| *wait <= PATIENCE) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(Failed { why, ends_all: false }),
            }
        }
    }

    /// Waits until the endpoint's rate allows another alert.
    async fn pace(&mut self) {
        let Some(rate) = self.endpoint.rate else { return };
        if self.sent.len() >= usize::try_from(rate.alerts).expect("a count of alerts fits")
            && let Some(first) = self.sent.pop_front()
        {
            tokio::time::sleep(rate.within.saturating_sub(first.elapsed())).await;
        }
        self.sent.push_back(Instant::now());
    }
}

struct Failed {
    why: String,
    /// No other alert is to be sent either.
    ends_all: bool,
}
