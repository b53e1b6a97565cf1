//! `kuzet run` as a test sees it: a process with a log, an HTTP port and signals; and what goes into and comes out of its topics.

use super::{cluster, layout};
use crate::{broker::Broker, harness::in_repository, python};
use kuzet::{
    kafka::{
        partitioner::Partitioner,
        topics::{Layout, Role},
    },
    random::Random,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rdkafka::{
    ClientConfig, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    producer::{BaseProducer, BaseRecord, Producer},
};
use std::{
    env, fmt, fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Whoever waits longer on this machine is broken.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Partitions of `operations` in tests.
pub const PARTITIONS: i32 = 4;

/// One process.
pub struct Sidecar {
    child: Child,
    log: mpsc::Receiver<serde_json::Value>,
    /// All that was logged so far.
    pub said: Vec<serde_json::Value>,
}

impl Sidecar {
    /// Starts one on the topics of `test`, with more flags.
    pub fn start(broker: &Broker, test: &str, flags: &[&str]) -> Sidecar {
        Sidecar::start_at(&broker.address(), test, flags)
    }

    /// The same by another listener of a broker.
    pub fn start_at(address: &str, test: &str, flags: &[&str]) -> Sidecar {
        let mut command = command(address, test);
        command.args(flags);
        Sidecar::spawn(command, test)
    }

    /// Starts another command that logs.
    pub fn spawn(mut command: Command, test: &str) -> Sidecar {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("kuzet starts");
        let lines = BufReader::new(child.stderr.take().expect("a pipe was asked for")).lines();
        let (sender, log) = mpsc::channel();
        let mut copy = copy(test, child.id());
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(copy) = &mut copy {
                    writeln!(copy, "{line}").expect("the copy of a log can be written");
                }
                let text = || serde_json::Value::String(line.clone());
                if sender.send(serde_json::from_str(&line).unwrap_or_else(|_| text())).is_err() {
                    return;
                }
            }
        });
        Sidecar { child, log, said: Vec::new() }
    }

    /// The next line of the log, or none when there is no more.
    pub fn next_line(&mut self) -> Option<serde_json::Value> {
        let line = self.log.recv_timeout(PATIENCE);
        assert!(line != Err(mpsc::RecvTimeoutError::Timeout), "kuzet says nothing more:\n{}", self.told());
        let line = line.ok()?;
        self.said.push(line.clone());
        Some(line)
    }

    /// Waits for a line whose message begins with `words`.
    pub fn wait_for(&mut self, words: &str) -> serde_json::Value {
        loop {
            let line = self.next_line().unwrap_or_else(|| panic!("kuzet ended without `{words}`:\n{}", self.told()));
            if line["message"].as_str().is_some_and(|message| message.starts_with(words)) {
                return line;
            }
        }
    }

    /// Whether such a line comes in time.
    pub fn says(&mut self, within: Duration, wanted: impl Fn(&serde_json::Value) -> bool) -> bool {
        let due = Instant::now() + within;
        while let Ok(line) = self.log.recv_timeout(due.saturating_duration_since(Instant::now())) {
            self.said.push(line.clone());
            if wanted(&line) {
                return true;
            }
        }
        false
    }

    /// The last of all that was logged, whether anybody has asked for it or not.
    pub fn told(&self) -> String {
        let unread: Vec<_> = self.log.try_iter().collect();
        let all: Vec<String> = self.said.iter().chain(&unread).map(ToString::to_string).collect();
        all[all.len().saturating_sub(60)..].join("\n")
    }

    /// Waits until it is about to carry out the machine's command of that name, for the `times`-th time from now; whether a
    /// transaction is open then. It must log at `trace`.
    pub fn wait_for_command(&mut self, name: &str, times: usize) -> bool {
        let mut open = false;
        let mut met = 0;
        while met < times {
            let line = self.next_line().unwrap_or_else(|| panic!("kuzet ended without {name}:\n{}", self.told()));
            let Some(command) = line["command"].as_str() else { continue };
            let command = command.split([' ', '(']).next().expect("a name");
            met += usize::from(command == name);
            open = match command {
                "Begin" => true,
                "Release" | "InitProducer" => false,
                _ => open,
            };
        }
        open
    }

    /// Waits until every assigned partition is restored, as `/readyz` says.
    pub fn wait_until_ready(&mut self) {
        let line = self.wait_for("metrics and health are told");
        let address = line["address"].as_str().expect("an address").to_owned();
        let begun = Instant::now();
        while get(&address, "/readyz").is_none_or(|(status, _)| status != 200) {
            assert!(begun.elapsed() < PATIENCE, "kuzet gets ready:\n{}", self.told());
            thread::sleep(Duration::from_millis(20));
        }
        self.said.push(serde_json::json!({ "address": address }));
    }

    /// What a path of its HTTP port answers.
    pub fn get(&self, path: &str) -> (u16, String) {
        let address = self.said.iter().find_map(|line| line["address"].as_str()).expect("it told its address");
        get(address, path).expect("it answers")
    }

    pub fn signal(&self, signal: Signal) {
        send(&self.child, signal);
    }

    /// Ends it between one instruction and the next.
    pub fn kill(mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child that was killed ends");
    }

    /// Waits for its end.
    pub fn ended(mut self) -> (ExitStatus, String) {
        while self.next_line().is_some() {}
        (self.child.wait().expect("a child can be waited for"), self.told())
    }

    /// SIGTERM, and its end.
    pub fn terminate(self) -> (ExitStatus, String) {
        self.signal(Signal::SIGTERM);
        self.ended()
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("what kuzet said last:\n{}", self.told());
        }
        // Whatever a failed test leaves behind; one that has ended is no longer there to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `KUZET_TEST_LOGS=FOLDER` keeps whole logs there.
fn copy(test: &str, id: u32) -> Option<fs::File> {
    let folder = env::var_os("KUZET_TEST_LOGS")?;
    Some(fs::File::create(PathBuf::from(folder).join(format!("{test}-{id}.log"))).expect("a file for a log"))
}

/// Sends a signal to a child.
pub fn send(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id()).expect("an id of a process");
    kill(Pid::from_raw(id), signal).expect("a child can be signalled");
}

/// `kuzet run` on the topics of a test, not yet started.
pub fn command(address: &str, test: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kuzet"));
    command.args(["run", "--kafka-brokers", address, "--single-node", "--kafka-group", test]);
    command.args(["--kafka-partitions", &PARTITIONS.to_string(), "--http-listen", "127.0.0.1:0"]);
    let layout = layout(test);
    for role in Role::ALL {
        command.args([format!("--topics-{}", role.name()), layout.name(role).to_owned()]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// `kuzet run --init`, or another call that ends by itself: how, and all it said.
pub fn once(broker: &Broker, test: &str, flags: &[&str]) -> (ExitStatus, String) {
    once_at(&broker.address(), test, flags)
}

/// The same by another listener of a broker.
pub fn once_at(address: &str, test: &str, flags: &[&str]) -> (ExitStatus, String) {
    let output = command(address, test).args(flags).stdout(Stdio::piped()).output().expect("kuzet starts");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status, text.into_owned())
}

fn get(address: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: kuzet\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// Puts records into `operations`, as a producer of the operator's would.
pub struct Feeder {
    producer: BaseProducer,
    topic: String,
    sent: u64,
}

impl Feeder {
    pub fn new(broker: &Broker, test: &str) -> Feeder {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", broker.address()).set("acks", "all").set("enable.idempotence", "true");
        config.set("partitioner", Partitioner::Murmur2.name()).set("linger.ms", "5");
        config.set("topic.metadata.propagation.max.ms", "60000");
        let producer = config.create().expect("a producer");
        Feeder { producer, topic: layout(test).name(Role::Operations).to_owned(), sent: 0 }
    }

    /// One record, with a key and a value or without.
    pub fn send(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.send_to(None, key, value);
    }

    /// The same, into a partition that its key does not say.
    pub fn send_to(&mut self, partition: Option<i32>, key: Option<&[u8]>, value: Option<&[u8]>) {
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.topic);
        (record.partition, record.key, record.payload) = (partition, key, value);
        self.producer.send(record).map_err(|(error, _)| error).expect("there is room");
        self.sent += 1;
        self.producer.poll(Duration::ZERO);
    }

    /// Feeds so many operations and waits until they are on the broker.
    pub fn feed(&mut self, events: &mut Events, count: usize) {
        events.take(count).for_each(|event| self.event(&event));
        self.flush();
    }

    pub fn event(&mut self, event: &Event) {
        self.send(Some(event.wallet.as_bytes()), Some(event.text.as_bytes()));
    }

    /// Waits until everything is on the broker.
    pub fn flush(&self) {
        self.producer.flush(PATIENCE).expect("everything is delivered");
    }
}

/// Feeds operations on a thread of its own until it is stopped.
pub struct Stream {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<u64>,
}

impl Stream {
    /// A few operations every few ms: enough that ticks are never empty, so few that the machine keeps up.
    pub fn start(mut feeder: Feeder, mut events: Events) -> Stream {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                events.by_ref().take(5).for_each(|event| feeder.event(&event));
                thread::sleep(Duration::from_millis(5));
            }
            feeder.flush();
            feeder.sent
        });
        Stream { stop, thread }
    }

    /// Ends it; how many there were.
    pub fn end(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("the stream does not panic")
    }
}

/// An operation.
pub struct Event {
    pub wallet: String,
    pub text: String,
}

/// Operations of few wallets, so that windows fill, restrictions come and go, and each decision leans on many before it.
/// Nothing in them reaches across partitions: no address is used twice, no counterparty bears what stops its income.
pub struct Events {
    random: Random,
    number: u64,
    wallets: u64,
    begin: i64,
}

impl Events {
    pub fn new(seed: u64, wallets: u64) -> Events {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        // As far back as is accepted, less a day: event time runs ahead of the clock, and must not overtake it.
        let begin = i64::try_from(now.as_millis()).expect("it fits") - 6 * 24 * 3_600 * 1_000;
        Events { random: Random::new(seed), number: 0, wallets, begin }
    }
}

impl Events {
    /// When the first of them happens, in ms.
    pub fn begin(&self) -> i64 {
        self.begin
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.number += 1;
        let number = self.number;
        let wallet = format!("7701{:07}", self.random.below(self.wallets));
        let ahead = i64::try_from(number).expect("few") * 250 - self.random.below_signed(60_000);
        let time = kuzet::time::Timestamp(self.begin + ahead);
        let kind = self.random.weighted(&[
            (60, "transfer"),
            (10, "payment"),
            (6, "topup"),
            (8, "login"),
            (5, "login_failed"),
            (6, "contact_confirmed"),
            (3, "identity_confirmed"),
            (2, "time_passed"),
        ]);
        let amount = self.random.weighted(&[(40, "5000"), (30, "700.50"), (10, "150000"), (10, "49000"), (10, "12")]);
        let country = self.random.weighted(&[(9, "KZ"), (1, "RU")]);
        let id = if self.random.chance(1, 20) { format!("again-{}", number % 7) } else { format!("e-{number}") };
        let other = self.random.below(1_000);
        let (a, b) = (number / 250 % 250, number % 250);
        let counterparty =
            if kind == "transfer" { format!(r#","counterparty":"7702{other:07}""#) } else { String::new() };
        let amount = if matches!(kind, "transfer" | "payment" | "topup") {
            format!(r#","amount":"{amount}""#)
        } else {
            String::new()
        };
        let text = format!(
            r#"{{"id":"{id}","type":"{kind}","time":"{time}","wallet":"{wallet}"{counterparty}{amount},"ip":"10.{}.{a}.{b}","country":"{country}","client_status":"identified"}}"#,
            number / 62_500 % 250
        );
        Some(Event { wallet, text })
    }
}

/// Waits until every record of `operations` has led to something that is committed.
pub fn wait_until_decided(broker: &Broker, test: &str) {
    let layout = layout(test);
    let client: BaseConsumer = cluster(broker).reader().create().expect("a client");
    let begun = Instant::now();
    for partition in 0..PARTITIONS {
        loop {
            let seen =
                (end(&client, layout.name(Role::Operations), partition), offset(broker, test, partition).unwrap_or(0));
            if seen.1 >= seen.0 {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "partition {partition} of {test} is decided: {seen:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn end(client: &BaseConsumer, topic: &str, partition: i32) -> i64 {
    client.fetch_watermarks(topic, partition, PATIENCE).map_or(i64::MAX, |(_, end)| end)
}

/// The group's committed offset.
pub fn offset(broker: &Broker, test: &str, partition: i32) -> Option<i64> {
    let mut config = cluster(broker).reader();
    config.set("group.id", test);
    let client: BaseConsumer = config.create().expect("a client of the group");
    let mut list = TopicPartitionList::new();
    list.add_partition(layout(test).name(Role::Operations), partition);
    let found = client.committed_offsets(list, PATIENCE).ok()?;
    let offset = found.elements().first()?.offset().to_raw();
    offset.filter(|offset| *offset >= 0)
}

/// What the checker counted; it has found nothing wrong.
#[derive(Debug)]
pub struct Verdict {
    pub operations: u64,
    pub decisions: u64,
    pub dead_letters: u64,
    pub flagged: u64,
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { operations, decisions, dead_letters, flagged } = self;
        write!(
            out,
            "{operations} operations, {decisions} decisions ({flagged} flagged), {dead_letters} dead letters; none lost, doubled, \
             different, made up or out of order"
        )
    }
}

/// Lets the checker judge the topics of `test`: another client, another language. None where it cannot be had.
pub fn judge(broker: &Broker, test: &str, flags: &[&str]) -> Option<Verdict> {
    let python = python()?;
    let output = Command::new(python)
        .arg(in_repository("tests/checker/check.py"))
        .args(["--brokers", &broker.address(), "--prefix", &format!("{test}."), "--kuzet", env!("CARGO_BIN_EXE_kuzet")])
        .args(flags)
        .output()
        .expect("python runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{test}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
    let counted: serde_json::Value = serde_json::from_str(&said).expect("one line of JSON");
    let count = |name: &str| counted[name].as_u64().expect("a count");
    Some(Verdict {
        operations: count("operations"),
        decisions: count("decisions"),
        dead_letters: count("dead_letters"),
        flagged: count("flagged"),
    })
}

/// A Python with the checker's client, made once below the target folder.
fn python() -> Option<PathBuf> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match PYTHON.get_or_init(|| python::prepare("checker", "tests/checker/requirements.txt")) {
        Ok(python) => Some(python.clone()),
        Err(reason) => {
            let test = thread::current().name().unwrap_or("a test").to_owned();
            assert!(env::var_os("KUZET_REQUIRE_BROKER").is_none(), "no checker for {test}: {reason}");
            let line = format!("\n!!! LEFT OUT: the checker of {test}: {reason}\n");
            io::stderr().write_all(line.as_bytes()).expect("standard error takes a line");
            None
        }
    }
}

/// The topics of a test, and whether they were created.
pub fn created(broker: &Broker, test: &str) -> Layout {
    super::created(broker, test)
}
