//! `kuzet alert` against a real broker and real receivers while it is killed again and again: nothing that was committed is missed,
//! nothing that was aborted is sent, one id has one body.
//!
//! `KUZET_ALERTS=5000 KUZET_KILLS=20 cargo test --test suite kafka::alerts` is the long form; `KUZET_SEED` chooses another.

use super::{
    cluster, created, layout,
    sidecar::{Events, Feeder, Sidecar, wait_until_decided},
    transactions::{PATIENCE, committed, producer},
};
use crate::{
    broker::{self, Broker},
    harness::in_repository,
    receiver::{Mode, Receiver, Request},
};
use kuzet::{
    kafka::{drain::drain, topics::Role},
    random::Random,
};
use nix::sys::signal::Signal;
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Where the process is killed: what it is about to do, and how likely.
const POINTS: &[(u64, &str)] = &[
    (1, "InitProducer"),
    (2, "Restore"),
    (4, "Attempt"),
    (4, "Answer"),
    (3, "Begin"),
    (3, "Send"),
    (3, "SendOffsets"),
    (5, "Commit"),
    (4, "Committed"),
];

/// An endpoint by the score of the decisions that it asks for, and how often one comes.
const ENDPOINTS: [(u64, &str); 6] =
    [(50, "steady"), (15, "failing"), (10, "hanging"), (10, "gone"), (10, "busy"), (20, "grouped")];
const GROUPED: usize = 5;
const GONE: usize = 3;

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// What was asked for, by endpoint: ids of decisions.
#[derive(Clone, Default)]
struct Asked {
    ids: BTreeMap<usize, BTreeSet<String>>,
}

/// Bodies of one id, and whether one was taken.
type Bodies = (BTreeSet<Vec<u8>>, bool);

/// What was received, by endpoint: each body of an id, and whether one was taken.
#[derive(Clone, Default)]
struct Received {
    alerts: BTreeMap<(usize, String), Bodies>,
}

impl Received {
    fn add(&mut self, endpoint: usize, request: &Request, taken: bool) {
        let id = request.header("webhook-id").to_owned();
        let (bodies, was_taken) = self.alerts.entry((endpoint, id)).or_default();
        bodies.insert(request.body.clone());
        *was_taken |= taken;
    }

    /// What is wrong with it, beside what was given up.
    fn judge(&self, asked: &Asked, failed: &BTreeSet<(usize, String)>) -> Result<(), String> {
        if let Some((name, _)) = self.alerts.iter().find(|(_, (bodies, _))| bodies.len() != 1) {
            return Err(format!("{name:?} has more than one body"));
        }
        let named = self.alerts.keys().chain(failed);
        if let Some((endpoint, id)) = named.into_iter().find(|(endpoint, id)| !asked.ids[endpoint].contains(id)) {
            return Err(format!("nobody asked {} for {id}", ENDPOINTS[*endpoint].1));
        }
        for (endpoint, ids) in asked.ids.iter().filter(|(endpoint, _)| **endpoint != GROUPED) {
            let name = ENDPOINTS[*endpoint].1;
            for id in ids {
                let key = (*endpoint, id.clone());
                let taken = self.alerts.get(&key).is_some_and(|(_, taken)| *taken);
                match (taken, failed.contains(&key), *endpoint == GONE) {
                    (false, false, _) => return Err(format!("{name} missed {id}")),
                    (_, true, false) => return Err(format!("{id} for {name} was given up")),
                    _ => {}
                }
            }
        }
        let counted: u64 = self.of_groups().map(|body| body["data"]["group"]["count"].as_u64().expect("a count")).sum();
        let asked = asked.ids[&GROUPED].len() as u64;
        if counted == asked { Ok(()) } else { Err(format!("groups tell of {counted} decisions and not of {asked}")) }
    }

    fn of_groups(&self) -> impl Iterator<Item = serde_json::Value> + '_ {
        let taken = self.alerts.iter().filter(|((endpoint, _), (_, taken))| *endpoint == GROUPED && *taken);
        taken.map(|(_, (bodies, _))| serde_json::from_slice(bodies.first().expect("a body")).expect("JSON"))
    }
}

/// Receivers on loopback, and the file that tells of them.
struct Receivers {
    all: Vec<Receiver>,
    /// Requests of each that came before it took any.
    before: Vec<usize>,
    folder: tempfile::TempDir,
}

impl Receivers {
    fn start() -> Receivers {
        let busy = || Mode::Status(429, Some(("Retry-After", "1".to_owned())));
        let modes = [Mode::Well, Mode::Status(500, None), Mode::Hang, Mode::Status(410, None), busy(), Mode::Well];
        let folder = tempfile::tempdir().expect("a folder");
        let all = modes.map(Receiver::start).into_iter().collect();
        let receivers = Receivers { all, before: vec![0; ENDPOINTS.len()], folder };
        fs::write(receivers.config(), receivers.text()).expect("a file");
        receivers
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("alert.toml")
    }

    fn text(&self) -> String {
        let secret = self.folder.path().join("secret");
        private(&secret, "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz");
        // Hours of the usual schedule as seconds: long enough that nothing but `gone` is given up.
        let waits = [&["50ms", "300ms", "1s"][..], &["4s"; 24], &["30s"; 5]].concat();
        let mut text = format!("[retry]\nschedule = {waits:?}\n");
        for (score, ((_, name), receiver)) in ENDPOINTS.iter().zip(&self.all).enumerate() {
            let group = if score == GROUPED { "1500ms" } else { "" };
            let concurrency = if *name == "busy" { 1 } else { 4 };
            write!(
                text,
                "[[endpoints]]\nname = \"{name}\"\nurl = \"{}\"\nhttp = true\nallow = [\"127.0.0.0/8\"]\n\
                 secrets = [{secret:?}]\nfilter = 'score == {score}'\ngroup = \"{group}\"\nconcurrency = {concurrency}\n\
                 deadline = \"400ms\"\n",
                receiver.url()
            )
            .expect("a String takes everything");
        }
        text
    }

    /// Everybody is well from now on, but for who is gone.
    fn heal(&mut self) {
        for (place, receiver) in self.all.iter().enumerate().filter(|(place, _)| *place != GONE) {
            if ![0, GROUPED].contains(&place) {
                self.before[place] = receiver.got().len();
                receiver.behave(Mode::Well);
            }
        }
    }

    fn received(&self, gone_takes: bool) -> Received {
        let mut received = Received::default();
        for (endpoint, receiver) in self.all.iter().enumerate() {
            for (place, request) in receiver.got().iter().enumerate() {
                let taken = place >= self.before[endpoint] && (endpoint != GONE || gone_takes);
                received.add(endpoint, request, taken);
            }
        }
        received
    }
}

fn private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("ours");
}

/// Puts decisions into `decisions` as an engine does: in transactions, some of which it aborts.
struct Decider {
    producer: BaseProducer,
    topic: String,
    random: Random,
    made: u64,
    aborted: u64,
    asked: Asked,
}

impl Decider {
    fn new(broker: &Broker, test: &str, seed: u64) -> Decider {
        let asked = Asked { ids: (0..ENDPOINTS.len()).map(|endpoint| (endpoint, BTreeSet::new())).collect() };
        let topic = layout(test).name(Role::Decisions).to_owned();
        Decider { producer: producer(broker, test), topic, random: Random::new(seed), made: 0, aborted: 0, asked }
    }

    /// Decisions until so many alerts more are asked for.
    fn decide(&mut self, alerts: u64) {
        let until = self.asked() + alerts;
        while self.asked() < until {
            self.producer.begin_transaction().expect("none is open");
            let most = (until - self.asked()).min(12);
            let mut asked = Vec::new();
            for _ in 0..=self.random.below(most) {
                let weights = ENDPOINTS.iter().enumerate().map(|(endpoint, (weight, _))| (*weight, Some(endpoint)));
                let weights: Vec<_> = weights.chain([(30, None)]).collect();
                asked.push((self.one(&weights), self.made));
            }
            assert!(drain(&self.producer, PATIENCE), "all is sent");
            if self.random.chance(1, 4) {
                self.producer.abort_transaction(PATIENCE).expect("aborted");
                self.aborted += asked.len() as u64;
                continue;
            }
            self.producer.commit_transaction(PATIENCE).expect("committed");
            for (endpoint, made) in asked {
                if let Some(endpoint) = endpoint {
                    self.asked.ids.get_mut(&endpoint).expect("one of them").insert(format!("operations:0:{made}"));
                }
            }
        }
    }

    fn asked(&self) -> u64 {
        self.asked.ids.values().map(|ids| ids.len() as u64).sum()
    }

    fn one(&mut self, weights: &[(u64, Option<usize>)]) -> Option<usize> {
        self.made += 1;
        let endpoint = self.random.weighted(weights);
        let score = endpoint.unwrap_or(900);
        let wallet = format!("7701000000{}", self.random.below(4));
        let value = format!(
            r#"{{"event":"e-{}","type":"transfer","wallet":"{wallet}","time":"2026-03-01T08:15:30Z","action":"hold","score":{score},"reasons":[{{"rule":"large-transfer","action":"hold","score":300}}],"pack":"p@1"}}"#,
            self.made
        );
        let id = format!("operations:0:{}", self.made);
        let headers = OwnedHeaders::new().insert(Header { key: "kuzet-id", value: Some(&id) });
        let record = BaseRecord::to(&self.topic).key(&wallet).payload(&value).headers(headers);
        self.producer.send(record).map_err(|(error, _)| error).expect("there is room");
        endpoint
    }
}

/// One with a name, unless others share its work.
fn command(broker: &Broker, test: &str, config: &Path, is_named: bool) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kuzet"));
    command.arg("alert").arg("--config").arg(config);
    command.args(["--kafka-brokers", &broker.address(), "--single-node", "--service-group", test]);
    command.args(["--start", "earliest", "--listen", "127.0.0.1:0"]);
    command.args(["--session-timeout", "3s", "--service-save-after", "300ms"]);
    if is_named {
        command.args(["--service-instance", test]);
    }
    let layout = layout(test);
    for role in Role::ALL {
        command.args([format!("--topics-{}", role.name()), layout.name(role).to_owned()]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn start(broker: &Broker, test: &str, config: &Path, level: &str) -> Sidecar {
    let mut command = command(broker, test, config, true);
    command.args(["--log-level", level]);
    Sidecar::spawn(command, test)
}

/// Alerts that were given up.
fn failed(broker: &Broker, test: &str) -> BTreeSet<(usize, String)> {
    let records = committed(broker, layout(test).name(Role::AlertsFailed), 4);
    let name = |text: &String| {
        let record: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let endpoint = ENDPOINTS.iter().position(|(_, name)| record["endpoint"] == *name).expect("one of them");
        (endpoint, record["id"].as_str().expect("an id").to_owned())
    };
    records.iter().map(name).collect()
}

/// Keys of `alerts-retry` whose newest record is no deletion.
fn waiting(broker: &Broker, test: &str) -> BTreeSet<String> {
    let reader: BaseConsumer = cluster(broker).reader().create().expect("a reader");
    let mut all = TopicPartitionList::new();
    for partition in 0..4 {
        all.add_partition_offset(layout(test).name(Role::AlertsRetry), partition, Offset::Beginning).expect("one");
    }
    reader.assign(&all).expect("an assignment");
    let (mut keys, mut ends, begun) = (BTreeSet::new(), 0, Instant::now());
    while ends < 4 {
        assert!(begun.elapsed() < PATIENCE, "the end comes");
        match reader.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                let key = String::from_utf8(message.key().expect("a key").to_vec()).expect("UTF-8");
                if message.payload().is_some() {
                    keys.insert(key)
                } else {
                    keys.remove(&key)
                };
            }
            Some(Err(KafkaError::PartitionEOF(_))) => ends += 1,
            Some(Err(error)) => panic!("{error}"),
            None => {}
        }
    }
    keys
}

#[test]
fn alerts_arrive_whatever_is_killed() {
    let Some(broker) = broker::shared() else { return };
    let test = "alerts";
    created(broker, test);
    let (alerts, kills, seed) = (number("KUZET_ALERTS", 500), number("KUZET_KILLS", 5), number("KUZET_SEED", 1));
    let mut random = Random::new(seed);
    let mut receivers = Receivers::start();
    let mut decider = Decider::new(broker, test, seed);
    let (mut points, began) = (Vec::new(), Instant::now());
    for _ in 0..kills {
        let mut victim = start(broker, test, &receivers.config(), "trace");
        decider.decide(alerts / (kills + 1));
        let point = random.weighted(POINTS);
        let times = match point {
            "InitProducer" => 1,
            "Attempt" | "Answer" | "Send" => random.place(40) + 1,
            _ => random.place(3) + 1,
        };
        victim.wait_for_command(point, times);
        // Some die at once, some a little later.
        thread::sleep(Duration::from_micros(random.below(20_000)));
        victim.kill();
        points.push(point);
    }
    let seconds = began.elapsed().as_secs();
    let busy = receivers.all[4].got().len() as u64;
    receivers.heal();
    let mut last = start(broker, test, &receivers.config(), "info");
    last.wait_until_ready();
    decider.decide(alerts.saturating_sub(decider.asked()).max(1));
    wait_until_all_is_said(broker, test, &receivers, &decider);
    let metrics = last.get("/metrics").1;
    let (status, told) = last.terminate();
    assert_eq!(status.code(), Some(0), "{told}");
    assert!(metrics.contains("kuzet_alert_disabled{endpoint=\"gone\"}"), "{metrics}");
    assert!(
        busy <= seconds + 2 * kills + 2,
        "whoever says when to come again is asked once then: {busy} in {seconds} s"
    );

    let (received, failed) = (receivers.received(false), failed(broker, test));
    let groups = received.of_groups().filter(|body| body["data"]["group"]["count"] != 1).count();
    assert!(groups > 0 && failed.len() as u64 > alerts / 20, "groups of many, and alerts that were given up");
    let repeats = receivers.all.iter().map(|receiver| receiver.got().len()).sum::<usize>() - received.alerts.len();
    println!(
        "seed {seed}: {} alerts of {} decisions, {} of them aborted; {kills} kills at {points:?}; {repeats} repeats, {groups} \
         groups of many, {} given up",
        decider.asked(),
        decider.made,
        decider.aborted,
        failed.len()
    );
    the_judge_sees_what_is_wrong(&received, &decider.asked, &failed);
    what_was_given_up_is_sent_by_hand(broker, test, &mut receivers, &failed);
}

/// Waits until the judge finds nothing wrong, and nothing waits any more.
fn wait_until_all_is_said(broker: &Broker, test: &str, receivers: &Receivers, decider: &Decider) {
    let begun = Instant::now();
    loop {
        let verdict = receivers.received(false).judge(&decider.asked, &failed(broker, test));
        let waiting = waiting(broker, test);
        if verdict.is_ok() && waiting.is_empty() {
            return;
        }
        assert!(begun.elapsed() < 2 * PATIENCE, "{verdict:?}; {waiting:?}");
        thread::sleep(Duration::from_millis(300));
    }
}

/// Instances come and go, and one is stopped in its tracks past the session's time, with groups open and alerts in its hands.
#[test]
fn alerts_arrive_whoever_has_the_partitions() {
    let Some(broker) = broker::shared() else { return };
    let test = "alerts-group";
    created(broker, test);
    let mut receivers = Receivers::start();
    receivers.heal();
    let mut decider = Decider::new(broker, test, 9);
    let start = || Sidecar::spawn(command(broker, test, &receivers.config(), false), test);
    let mut first = start();
    first.wait_until_ready();
    for _ in 0..4 {
        first.wait_for("a partition's alerts are restored");
    }
    decider.decide(60);
    let mut second = start();
    second.wait_for("a partition's alerts are restored");
    decider.decide(60);
    second.signal(Signal::SIGSTOP);
    decider.decide(60);
    // It is taken for dead, and finds out when it goes on.
    first.wait_for("a partition's alerts are restored");
    second.signal(Signal::SIGCONT);
    let mut third = start();
    third.wait_for("a partition's alerts are restored");
    decider.decide(60);
    let (status, told) = first.terminate();
    assert_eq!(status.code(), Some(0), "{told}");
    decider.decide(60);
    wait_until_all_is_said(broker, test, &receivers, &decider);
    for process in [second, third] {
        let (status, told) = process.terminate();
        assert_eq!(status.code(), Some(0), "{told}");
    }
}

/// The control: each of these must be found.
fn the_judge_sees_what_is_wrong(received: &Received, asked: &Asked, failed: &BTreeSet<(usize, String)>) {
    received.judge(asked, failed).expect("all is well");
    let must_fail = |received: &Received, failed: &BTreeSet<(usize, String)>, words: &str| {
        let said = received.judge(asked, failed).expect_err(words);
        assert!(said.contains(words), "{said}");
    };
    let first = |endpoint: usize| {
        let mut names = received.alerts.keys().filter(|(of, _)| *of == endpoint);
        names.next().expect("one at least").clone()
    };
    for endpoint in [0, 1, 2, 4] {
        let mut dropped = received.clone();
        dropped.alerts.remove(&first(endpoint));
        must_fail(&dropped, failed, "missed");
    }
    let mut dropped = failed.clone();
    dropped.pop_first();
    must_fail(received, &dropped, "missed");
    let mut untaken = received.clone();
    untaken.alerts.get_mut(&first(1)).expect("it is there").1 = false;
    must_fail(&untaken, failed, "missed");
    let mut changed = received.clone();
    changed.alerts.get_mut(&first(0)).expect("it is there").0.insert(b"{}".to_vec());
    must_fail(&changed, failed, "more than one body");
    let mut made_up = received.clone();
    let alert = made_up.alerts[&first(0)].clone();
    made_up.alerts.insert((0, "operations:0:0".to_owned()), alert);
    must_fail(&made_up, failed, "nobody asked");
    let mut ungrouped = received.clone();
    ungrouped.alerts.remove(&first(GROUPED));
    must_fail(&ungrouped, failed, "groups tell of");
}

fn what_was_given_up_is_sent_by_hand(
    broker: &Broker,
    test: &str,
    receivers: &mut Receivers,
    failed: &BTreeSet<(usize, String)>,
) {
    let config = receivers.config();
    let again = |code: i32, words: &str| {
        let mut command = command(broker, test, &config, true);
        let output = command.arg("--retry-failed").stdout(Stdio::piped()).output().expect("kuzet starts");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.trim(), words, "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code));
    };
    // Some may stand there twice, where a transaction's end was not known.
    let records = committed(broker, layout(test).name(Role::AlertsFailed), 4).len();
    again(1, &format!("0 sent, {records} left in alerts-failed"));
    receivers.before[GONE] = receivers.all[GONE].got().len();
    receivers.all[GONE].behave(Mode::Well);
    again(0, &format!("{records} sent, 0 left in alerts-failed"));
    again(0, "0 sent, 0 left in alerts-failed");
    let received = receivers.received(true);
    for name in failed {
        let (bodies, taken) = &received.alerts[name];
        assert!(*taken && bodies.len() == 1, "{name:?} is taken, as it was sent at first");
    }
}

/// Every metric that the runbook names is told by one of the two.
#[test]
fn metrics_of_the_runbook_are_told() {
    let Some(broker) = broker::shared() else { return };
    let test = "runbook";
    created(broker, test);
    let text = fs::read_to_string(in_repository("docs/runbook.md")).expect("a document");
    let receivers = Receivers::start();
    let mut alert = start(broker, test, &receivers.config(), "info");
    alert.wait_until_ready();
    let mut run = Sidecar::start(broker, test, &["--start", "earliest"]);
    run.wait_until_ready();
    // What is told of a partition is there once something has happened to it.
    Feeder::new(broker, test).feed(&mut Events::new(5, 4), 20);
    wait_until_decided(broker, test);
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let name_at = |place: usize| text[place..].split(|c| !letter(c)).next().expect("a name");
    let named: BTreeSet<&str> = text.match_indices("kuzet_").map(|(place, _)| name_at(place)).collect();
    let begun = Instant::now();
    loop {
        let told = alert.get("/metrics").1 + &run.get("/metrics").1;
        let is_told = |name: &str| told.lines().any(|line| line.split(['{', ' ']).next() == Some(name));
        let missing: Vec<&&str> = named.iter().filter(|name| !is_told(name)).collect();
        if missing.is_empty() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "docs/runbook.md names {missing:?}, which nobody tells");
        thread::sleep(Duration::from_millis(100));
    }
    assert!(named.len() >= 12, "{named:?}");
    for process in [alert, run] {
        let (status, said) = process.terminate();
        assert_eq!(status.code(), Some(0), "{said}");
    }
}
