//! `kuzet run` beside bare librdkafka loops that do nothing but consume and produce, in the same transactional setting on one
//! real broker.
//!
//! `copy` writes one record for each that it reads; `as many` writes as many records as Kuzet does, its state among them. All
//! take turns over the same records. A rate is that between the first tenth and the last of the records, so that what starting
//! costs is no part of it. Needs what `deploy/kafka/start.sh` needs; without it the bench says so and measures nothing.
//!
//! `cargo bench --bench kafka -- --records 300000 --rounds 3 --tick 10000`

#[path = "support/arguments.rs"]
mod arguments;

use kuzet::kafka::{
    client::{Cluster, Member},
    drain::drain,
    partitioner::Partitioner,
    topics::{Layout, Role, Topics},
};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, Producer},
};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const PATIENCE: Duration = Duration::from_secs(120);
const PARTITIONS: i32 = 8;

/// A broker that ends with its pipe.
struct Broker {
    address: String,
    child: Child,
    wanted: Option<ChildStdin>,
}

impl Broker {
    fn start() -> Option<Broker> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/kafka/start.sh");
        let mut child = Command::new(script)
            .args(["--port", "19392", "--controller-port", "19393"])
            .env("KUZET_KAFKA_JVM", "-XX:TieredStopAtLevel=4")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let wanted = child.stdin.take();
        let mut address = String::new();
        BufReader::new(child.stdout.take()?).read_line(&mut address).ok()?;
        let address = address.trim().to_owned();
        (!address.is_empty()).then_some(Broker { address, child, wanted })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.wanted.take());
        let _ = self.child.wait();
    }
}

/// When each part of a run was reached: a rate leaves the first tenth and the last out.
struct Clock {
    all: u64,
    from: Option<(Instant, u64)>,
    to: Option<(Instant, u64)>,
}

impl Clock {
    fn new(all: u64) -> Clock {
        Clock { all, from: None, to: None }
    }

    fn at(&mut self, done: u64) {
        if done >= self.all / 10 {
            self.from.get_or_insert((Instant::now(), done));
        }
        if done >= self.all / 10 * 9 {
            self.to.get_or_insert((Instant::now(), done));
        }
    }

    /// Records a second.
    fn rate(&self) -> f64 {
        let (from, to) = (self.from.expect("it got there"), self.to.expect("it got there"));
        let records = u32::try_from(to.1 - from.1).expect("few enough to wait for");
        f64::from(records) / (to.0 - from.0).as_secs_f64()
    }
}

fn cluster(address: &str) -> Cluster {
    Cluster::new(address, "bench", BTreeMap::new()).expect("no options")
}

fn layout(address: &str, name: &str) -> Layout {
    let mut layout = Layout::new(8, true);
    layout.names = Role::ALL.map(|role| format!("{name}.{}", role.name()));
    // All contestants read the same records.
    layout.names[0] = "operations".to_owned();
    Topics::new(&cluster(address).admin()).expect("a client").init(&layout).expect("topics");
    layout
}

fn fill(address: &str, records: u64) {
    let producer: BaseProducer =
        cluster(address).idempotent(Partitioner::Murmur2).set("linger.ms", "20").create().expect("a producer");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let now = i64::try_from(now).expect("it fits");
    for number in 0..records {
        let wallet = format!("7701{:07}", number.wrapping_mul(0x9e37_79b9) % (records / 10).max(1));
        let time = kuzet::time::Timestamp(now + i64::try_from(number / 1_000).expect("few"));
        let text = format!(
            r#"{{"id":"e-{number}","type":"transfer","time":"{time}","wallet":"{wallet}","counterparty":"7702{:07}","amount":"{}","currency":"KZT","ip":"10.0.{}.{}","country":"KZ","client_status":"identified","device":"d-{}","channel":"app"}}"#,
            number % 999_983,
            100 + number % 20_000,
            number % 250,
            number / 250 % 250,
            number % 1_000
        );
        let mut record = BaseRecord::<str, str>::to("operations").key(&wallet).payload(&text);
        while let Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) = producer.send(record) {
            producer.poll(Duration::from_millis(1));
            record = back;
        }
    }
    assert!(drain(&producer, PATIENCE), "everything is there");
}

/// Consumes and produces, `writes` records for each, in transactions of `tick` records.
fn bare(address: &str, layout: &Layout, group: &str, (records, tick): (u64, u64), writes: f64) -> f64 {
    let member = Member { group: group.to_owned(), instance: None, session_timeout_ms: 10_000 };
    let consumer: BaseConsumer = cluster(address).member(&member).create().expect("a member");
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset("operations", partition, Offset::Beginning).expect("a partition");
    }
    consumer.assign(&list).expect("an assignment");
    let config = cluster(address).transactional(group, Partitioner::Murmur2);
    let producer: BaseProducer = config.create().expect("a producer");
    producer.init_transactions(PATIENCE).expect("transactions");
    let topic = layout.name(Role::Decisions);
    let mut clock = Clock::new(records);
    let (mut done, mut owed) = (0, 0.0);
    while done < records {
        producer.begin_transaction().expect("none is open");
        let mut next: BTreeMap<i32, i64> = BTreeMap::new();
        let until = records.min(done + tick);
        while done < until {
            let Some(message) = consumer.poll(Duration::from_secs(5)) else { panic!("records come") };
            let message = message.expect("a record");
            next.insert(message.partition(), message.offset() + 1);
            owed += writes;
            while owed >= 1.0 {
                owed -= 1.0;
                let key = message.key().expect("a key");
                let mut record =
                    BaseRecord::<[u8], [u8]>::to(topic).key(key).payload(message.payload().expect("a value"));
                while let Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) =
                    producer.send(record)
                {
                    producer.poll(Duration::from_micros(200));
                    record = back;
                }
            }
            done += 1;
        }
        assert!(drain(&producer, PATIENCE), "all is delivered");
        let mut offsets = TopicPartitionList::new();
        for (partition, next) in next {
            offsets.add_partition_offset("operations", partition, Offset::Offset(next)).expect("a partition");
        }
        let metadata = consumer.group_metadata().expect("a group");
        producer.send_offsets_to_transaction(&offsets, &metadata, PATIENCE).expect("offsets");
        producer.commit_transaction(PATIENCE).expect("committed");
        clock.at(done);
    }
    clock.rate()
}

/// `kuzet run` over the same records; its rate, and how many records it wrote for each.
fn kuzet(address: &str, layout: &Layout, group: &str, (records, tick): (u64, u64)) -> (f64, f64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kuzet"));
    command.args(["run", "--kafka-brokers", address, "--single-node", "--kafka-group", group, "--start", "earliest"]);
    command.args(["--http-listen", "127.0.0.1:19394", "--tick-records", &tick.to_string(), "--tick-wait", "1s"]);
    for role in Role::ALL {
        command.args([format!("--topics-{}", role.name()), layout.name(role).to_owned()]);
    }
    let mut child = command.stderr(Stdio::null()).spawn().expect("kuzet starts");
    let mut clock = Clock::new(records);
    let mut done = 0;
    while done < records {
        thread::sleep(Duration::from_millis(10));
        done = committed().unwrap_or(done);
        clock.at(done);
    }
    Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    child.wait().expect("it ends");
    let reader: BaseConsumer = cluster(address).uncommitted_reader().create().expect("a reader");
    let mut written = 0;
    for role in [Role::Decisions, Role::State, Role::Restrictions, Role::DeadLetters] {
        let partitions = if role == Role::Restrictions { 1 } else { PARTITIONS };
        for partition in 0..partitions {
            written += reader.fetch_watermarks(layout.name(role), partition, PATIENCE).expect("an answer").1;
        }
    }
    let each = f64::from(u32::try_from(written).expect("few")) / f64::from(u32::try_from(records).expect("few"));
    (clock.rate(), each)
}

/// The sum of the offsets that are committed.
fn committed() -> Option<u64> {
    let mut stream = TcpStream::connect("127.0.0.1:19394").ok()?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let values = text.lines().filter(|line| line.starts_with("kuzet_next_offset{"));
    Some(values.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
}

fn main() {
    let testing = arguments::test_mode();
    let records = arguments::number("--records", if testing { 2_000 } else { 300_000 });
    let tick = arguments::number("--tick", if testing { 100 } else { 10_000 });
    let rounds = arguments::number("--rounds", if testing { 1 } else { 3 });
    let Some(broker) = Broker::start() else {
        println!("no broker can be had here: nothing is measured");
        return;
    };
    let address = broker.address.as_str();
    layout(address, "fill");
    fill(address, records);
    println!("{records} operations, {tick} a transaction, {PARTITIONS} partitions, Apache Kafka 4.3.1 on one node\n");
    println!("| round | kuzet run | copy | ratio | as many | ratio | records written for each |");
    println!("|---|---|---|---|---|---|---|");
    for round in 0..rounds {
        let name = |what: &str| format!("{what}-{round}");
        let layouts = ["kuzet", "copy", "many"].map(|what| layout(address, &name(what)));
        let (ours, each) = kuzet(address, &layouts[0], &name("kuzet"), (records, tick));
        let copy = bare(address, &layouts[1], &name("copy"), (records, tick), 1.0);
        let many = bare(address, &layouts[2], &name("many"), (records, tick), each);
        println!(
            "| {round} | {ours:.0}/s | {copy:.0}/s | {:.2} | {many:.0}/s | {:.2} | {each:.2} |",
            ours / copy,
            ours / many
        );
    }
}
