//! KAFKA-17754: the end of one transaction that arrives late may end the next one.
//!
//! A proxy stands between a producer and the broker. It keeps back the first request to end a transaction and breaks the
//! connection, so that the client sends it again on another; later it lets the kept one through, as a network may. The control
//! does what a plain client does and shows the torn transaction; the other does what a worker does and shows none.

use super::{created, transactions::committed};
use crate::broker::{self, Broker};
use kuzet::{
    kafka::{client::Cluster, drain::drain, partitioner::Partitioner, sender::Sender, topics::Role},
    sidecar::Sort,
};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(60);
/// The number of the request EndTxn, which stands first in its frame.
const END_TXN: [u8; 2] = [0, 26];
const HOST: &[u8] = b"127.0.0.1";

/// A way to the broker on which the end of a transaction can be kept back.
#[derive(Clone)]
struct Proxy {
    port: u16,
    broker: u16,
    /// The next end is kept.
    armed: Arc<AtomicBool>,
    kept: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Proxy {
    fn start(broker: &Broker) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let address = broker.address();
        let broker = address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let proxy = Proxy { port, broker, armed: Arc::default(), kept: Arc::default() };
        let own = proxy.clone();
        // Connections and their threads end with the test's process.
        thread::spawn(move || {
            for client in listener.incoming() {
                let (proxy, client) = (own.clone(), client.expect("a connection"));
                thread::spawn(move || drop(proxy.serve(&client)));
            }
        });
        proxy
    }

    fn cluster(&self) -> Cluster {
        Cluster::new(&format!("127.0.0.1:{}", self.port), "kuzet-test", BTreeMap::new()).expect("no options")
    }

    /// Hands frames on in both directions until one side ends.
    fn serve(&self, client: &TcpStream) -> io::Result<()> {
        let broker = TcpStream::connect(("127.0.0.1", self.broker))?;
        let (own, mut answers, mut back) = (self.clone(), broker.try_clone()?, client.try_clone()?);
        thread::spawn(move || {
            while let Ok(answer) = frame(&mut answers) {
                if back.write_all(&own.readdressed(answer)).is_err() {
                    break;
                }
            }
            let _ = back.shutdown(Shutdown::Both);
        });
        let (mut requests, mut forth) = (client, &broker);
        while let Ok(request) = frame(&mut requests) {
            if request[4..].starts_with(&END_TXN) && self.armed.swap(false, Ordering::SeqCst) {
                *self.kept.lock().expect("nobody panics") = Some(request);
                break;
            }
            forth.write_all(&request)?;
        }
        client.shutdown(Shutdown::Both)?;
        broker.shutdown(Shutdown::Both)
    }

    /// The broker tells its own address; the client shall come here.
    fn readdressed(&self, mut answer: Vec<u8>) -> Vec<u8> {
        let place = |port: u16| [HOST, &u32::from(port).to_be_bytes()].concat();
        let (theirs, ours) = (place(self.broker), place(self.port));
        let mut at = 0;
        while let Some(found) = memchr::memmem::find(&answer[at..], &theirs) {
            answer[at + found..at + found + ours.len()].copy_from_slice(&ours);
            at += found + ours.len();
        }
        answer
    }

    /// The kept request arrives.
    fn release(&self) {
        let kept = self.kept.lock().expect("nobody panics").take().expect("an end was kept back");
        let mut broker = TcpStream::connect(("127.0.0.1", self.broker)).expect("the broker listens");
        broker.write_all(&kept).expect("it takes a request");
        frame(&mut broker).expect("it answers");
    }
}

/// One request or answer, its length first.
fn frame(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let bytes = usize::try_from(u32::from_be_bytes(length)).expect("a frame is in memory");
    let mut frame = length.to_vec();
    frame.resize(4 + bytes, 0);
    from.read_exact(&mut frame[4..])?;
    Ok(frame)
}

fn record<'a>(topic: &'a str, value: &'a str) -> BaseRecord<'a, [u8], [u8]> {
    BaseRecord::to(topic).key(b"77010000001".as_slice()).payload(value.as_bytes())
}

/// The control: a producer that goes on after a commit that took effect the second time.
#[test]
fn a_late_end_tears_the_next_transaction_of_a_producer_that_goes_on() {
    let Some(broker) = broker::shared() else { return };
    let layout = created(broker, "late-end");
    let (topic, proxy) = (layout.name(Role::Decisions), Proxy::start(broker));
    let producer: BaseProducer =
        proxy.cluster().transactional("late-end", Partitioner::Murmur2).create().expect("a producer");
    producer.init_transactions(PATIENCE).expect("transactions");
    let send = |value| {
        producer.send(record(topic, value)).map_err(|(error, _)| error).expect("there is room");
        assert!(drain(&producer, PATIENCE), "all is sent");
    };
    producer.begin_transaction().expect("none is open");
    send("one");
    proxy.armed.store(true, Ordering::SeqCst);
    producer.commit_transaction(PATIENCE).expect("committed the second time");
    producer.begin_transaction().expect("none is open");
    send("half of two");
    proxy.release();
    drop(producer);
    assert_eq!(committed(broker, topic, 4), ["one", "half of two"], "nobody has committed the second transaction");
}

/// What a worker does: `begin` refuses, another producer comes, and what is late finds its epoch gone.
#[test]
fn a_late_end_finds_another_producer() {
    let Some(broker) = broker::shared() else { return };
    let layout = created(broker, "late-end-defended");
    let (topic, proxy) = (layout.name(Role::Decisions), Proxy::start(broker));
    let sender = || {
        let mut sender =
            Sender::new(&proxy.cluster(), Some("late-end-defended"), Partitioner::Murmur2).expect("a producer");
        let begun = Instant::now();
        while let Err(failure) = sender.initialise(PATIENCE) {
            assert!(failure.sort == Sort::Retriable && begun.elapsed() < PATIENCE, "{failure:?}");
        }
        sender
    };
    let send = |sender: &Sender, value| {
        sender.send(record(topic, value)).expect("there is room");
        sender.settle(PATIENCE).expect("all is sent");
    };
    let first = sender();
    first.begin().expect("none is open");
    send(&first, "one");
    proxy.armed.store(true, Ordering::SeqCst);
    assert_eq!(first.commit(PATIENCE), Ok(true), "committed the second time, and it tells of the disturbance");
    let refused = first.begin().expect_err("its last end may still be on its way");
    assert_eq!(refused.sort, Sort::Fatal, "{refused:?}");
    drop(first);
    let second = sender();
    second.begin().expect("none is open");
    send(&second, "half of two");
    proxy.release();
    send(&second, "rest of two");
    assert_eq!(second.commit(PATIENCE), Ok(false));
    drop(second);
    assert_eq!(committed(broker, topic, 4), ["one", "half of two", "rest of two"]);
}
