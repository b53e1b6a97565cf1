//! A real Apache Kafka broker for tests: one that they share, and ones of their own for those that kill it.
//!
//! `deploy/kafka/start.sh` is the broker, on free ports of loopback. Its standard input is a pipe that this process holds,
//! so it ends when this process does, however that happens; its data is removed by a second small process on such a pipe.
//! Where no broker can be had (no Java, no Maven, no jars) a test says on the terminal that it was left out and
//! passes; with `KUZET_REQUIRE_BROKER=1` that fails. A broker that can be had and does not start always fails.

use crate::harness::in_repository;
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use std::{
    env, fs,
    fs::File,
    io::{self, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, OnceLock},
    thread,
    time::{Duration, Instant},
};

/// Long enough for a machine that does ten other things; whoever waits longer is broken.
const PATIENCE: Duration = Duration::from_secs(180);

/// The broker that tests share, started by the first that asks; none if the calling test is to be left out.
pub fn shared() -> Option<&'static Broker> {
    static SHARED: OnceLock<Broker> = OnceLock::new();
    can_be_had().then(|| SHARED.get_or_init(|| Broker::start(None)))
}

/// A broker for the calling test alone, which may kill it; none if the test is to be left out.
pub fn own() -> Option<Broker> {
    can_be_had().then(|| Broker::start(None))
}

/// A broker for the calling test alone that lets clients in by another security protocol too, at [`Broker::guarded_address`];
/// `more` are further lines of its properties, where that listener is called `guarded`.
pub fn guarded(protocol: &str, more: &str) -> Option<Broker> {
    can_be_had().then(|| Broker::start(Some((protocol, more))))
}

/// Whether a broker can be had at all; says so where it cannot, past libtest, which shows nothing of a test that passes.
fn can_be_had() -> bool {
    static JARS: OnceLock<Result<(), String>> = OnceLock::new();
    let Err(reason) = JARS.get_or_init(fetch_jars) else { return true };
    let test = thread::current().name().unwrap_or("a test").to_owned();
    assert!(env::var_os("KUZET_REQUIRE_BROKER").is_none(), "no Kafka broker for {test}: {reason}");
    let line = format!("\n!!! LEFT OUT: {test}: no Kafka broker: {reason}\n");
    io::stderr().write_all(line.as_bytes()).expect("standard error takes a line");
    false
}

fn fetch_jars() -> Result<(), String> {
    let output = start_script().arg("--fetch").stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("deploy/kafka/start.sh: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().rev().take(5).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(" | "))
}

fn start_script() -> Command {
    Command::new(in_repository("deploy/kafka/start.sh"))
}

/// One broker with its data, which outlives its process until the broker is dropped.
pub struct Broker {
    port: u16,
    controller_port: u16,
    guarded: Option<u16>,
    folder: PathBuf,
    process: Mutex<Option<Process>>,
    /// Removes the folder when the pipe to it ends, which it does with this process.
    _remover: Child,
}

/// A running broker; `start.sh` becomes it, so the child's id is the broker's.
struct Process {
    child: Child,
    /// Its end is the sign to stop.
    _wanted: ChildStdin,
}

impl Broker {
    fn start(guarded: Option<(&str, &str)>) -> Broker {
        let folder = tempfile::Builder::new().prefix("kuzet-broker-").tempdir().expect("a temporary folder").keep();
        let remover = remove_at_end(&folder);
        let [port, controller_port, guarded_port] = free_ports();
        let broker = Broker {
            port,
            controller_port,
            guarded: guarded.map(|_| guarded_port),
            folder,
            process: Mutex::new(None),
            _remover: remover,
        };
        if let Some((protocol, more)) = guarded {
            broker.guard(guarded_port, protocol, more);
        }
        broker.restart();
        broker
    }

    /// What a client calls `bootstrap.servers`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The same of the listener that asks who is there.
    pub fn guarded_address(&self) -> String {
        format!("127.0.0.1:{}", self.guarded.expect("a broker with such a listener"))
    }

    fn guard(&self, guarded: u16, protocol: &str, more: &str) {
        let Broker { port, controller_port, .. } = self;
        let (plain, guarded) = (format!("PLAINTEXT://127.0.0.1:{port}"), format!("GUARDED://127.0.0.1:{guarded}"));
        let lines = format!(
            "listeners={plain},{guarded},CONTROLLER://127.0.0.1:{controller_port}\nadvertised.listeners={plain},{guarded}\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,GUARDED:{protocol}\n{more}\n"
        );
        fs::write(self.more(), lines).expect("the folder takes a file");
    }

    fn more(&self) -> PathBuf {
        self.folder.join("more.properties")
    }

    /// Ends the broker with SIGKILL, between one instruction and the next.
    pub fn kill(&self) {
        let process = self.process().take();
        let mut process = process.expect("a broker that runs");
        process.child.kill().expect("a child can be killed");
        process.child.wait().expect("a child that was killed ends");
    }

    /// Starts a broker that was killed, with the data that it left, and waits until it answers.
    pub fn restart(&self) {
        let mut running = self.process();
        assert!(running.is_none(), "the broker runs already");
        *running = Some(self.spawn());
        drop(running);
        self.wait_until_ready();
    }

    /// Stops the broker in its tracks (SIGSTOP): connections stay, nothing answers. A signal is sent before it arrives, so
    /// this waits until every thread stands, where the system tells (Linux).
    pub fn pause(&self) {
        self.signal("STOP");
        let id = self.process().as_ref().expect("a broker that runs").child.id();
        while !stands_still(id) {
            thread::yield_now();
        }
    }

    /// Lets a paused broker go on (SIGCONT).
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().expect("no test panics while it holds the process")
    }

    fn spawn(&self) -> Process {
        let log = File::options().create(true).append(true).open(self.log()).expect("a log in the folder");
        let mut script = start_script();
        if self.guarded.is_some() {
            script.arg("--more").arg(self.more());
        }
        let mut child = script
            .args(["--port", &self.port.to_string(), "--controller-port", &self.controller_port.to_string()])
            .arg("--data")
            .arg(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("start.sh was run before, to fetch");
        let wanted = child.stdin.take().expect("a pipe was asked for");
        Process { child, _wanted: wanted }
    }

    /// Asks for metadata until it comes; each try waits for itself.
    fn wait_until_ready(&self) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.address());
        // The first tries find nobody; by default they would grow ten seconds apart.
        config.set("reconnect.backoff.ms", "50").set("reconnect.backoff.max.ms", "200");
        let client: BaseConsumer = config.create().expect("a client");
        let begun = Instant::now();
        while client.fetch_metadata(None, Duration::from_millis(500)).is_err() {
            if let Some(status) = self.ended() {
                panic!("the broker ended with {status}:\n{}", self.said());
            }
            assert!(begun.elapsed() < PATIENCE, "the broker does not answer:\n{}", self.said());
        }
    }

    fn ended(&self) -> Option<ExitStatus> {
        let mut running = self.process();
        let process = running.as_mut().expect("a broker that was started");
        process.child.try_wait().expect("a child can be asked")
    }

    fn signal(&self, signal: &str) {
        let running = self.process();
        let id = running.as_ref().expect("a broker that runs").child.id().to_string();
        let status = Command::new("bash").args(["-c", "kill -s \"$0\" \"$1\"", signal, &id]).status();
        assert!(status.expect("bash runs").success(), "signal {signal}");
    }

    fn log(&self) -> PathBuf {
        self.folder.join("broker.log")
    }

    /// What a failed test leaves on the broker's disk, where `KUZET_TEST_LOGS` asks for it.
    fn keep(&self) {
        let Some(folder) = env::var_os("KUZET_TEST_LOGS").filter(|_| thread::panicking()) else { return };
        let kept = Path::new(&folder).join(self.folder.file_name().expect("a folder with a name"));
        let copied = Command::new("cp").arg("-a").arg(&self.folder).arg(&kept).status();
        println!("the broker's data: {} ({copied:?})", kept.display());
    }

    fn said(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_else(|error| format!("no log: {error}"))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if self.process().is_some() {
            self.kill();
        }
        self.keep();
    }
}

/// Whether every thread of a process is stopped; true where there is no `/proc` to ask.
fn stands_still(id: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else { return true };
    let mut states = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("status")).ok());
    states.all(|status| status.contains("\nState:\tT"))
}

/// Removes the folder once this process is gone or lets go of what is returned: no destructor runs for what tests share,
/// and none after SIGKILL. A broker that is just ending may still write, so it tries more than once.
fn remove_at_end(folder: &Path) -> Child {
    let script = "trap '' INT TERM HUP; read -r _; for _ in {1..100}; do rm -rf \"$0\" && exit; sleep 0.1; done";
    Command::new("bash")
        .args(["-c", script])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("bash runs")
}

/// Three ports that nobody listens on, below those that the system gives to clients: one of these could otherwise take
/// the broker's port while it is killed.
fn free_ports() -> [u16; 3] {
    const FIRST: u32 = 15_000;
    const COUNT: u32 = 15_000;
    static TAKEN: Mutex<u32> = Mutex::new(0);
    let mut taken = TAKEN.lock().expect("nobody panics while looking for a port");
    // Where to begin differs by process, so that two test runs seldom try the same.
    let start = std::process::id().wrapping_mul(97);
    let mut next = || {
        while *taken < COUNT {
            *taken += 1;
            let port = u16::try_from(FIRST + start.wrapping_add(*taken) % COUNT).expect("a port below 30,000");
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return port;
            }
        }
        panic!("no free port from {FIRST} on");
    };
    [next(), next(), next()]
}
