//! Forbidden addresses in hundreds of written forms: none of them is ever connected to.
//!
//! The trap listens on all addresses of this machine. Every form goes two ways: as an endpoint's URL, and past the reading of
//! URLs straight to the look-up, where only the check of what was found stands before the connection. The control reaches the trap
//! with an allow-list, by the same forms.

use super::{alert_for, block_on, endpoint, now};
use crate::receiver::{Mode, Receiver};
use ipnet::IpNet;
use kuzet::alert::{self, Client, Endpoint, Outcome, Resolver, Target, guard, target::Host};
use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio_rustls::rustls::RootCertStore;

/// On every address of this machine, of both families where it has both.
fn trap() -> Receiver {
    let listener = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0")).expect("a port");
    Receiver::on(listener, Mode::Well, None)
}

/// Addresses of this machine, of its neighbours, and of nobody.
const V4: [[u8; 4]; 12] = [
    [127, 0, 0, 1],
    [127, 255, 255, 254],
    [0, 0, 0, 0],
    [10, 0, 0, 1],
    [100, 64, 0, 1],
    [169, 254, 169, 254],
    [172, 16, 0, 1],
    [192, 168, 0, 1],
    [192, 0, 2, 1],
    [198, 18, 0, 1],
    [224, 0, 0, 1],
    [255, 255, 255, 255],
];

/// How an IPv4 address is written by those who mean harm; `getaddrinfo` takes all of these for the address itself.
fn numbers(address: [u8; 4]) -> Vec<String> {
    let [a, b, c, d] = address.map(u32::from);
    let whole = u32::from_be_bytes(address);
    let last_three = (b << 16) | (c << 8) | d;
    let last_two = (c << 8) | d;
    vec![
        format!("{a}.{b}.{c}.{d}"),
        format!("{whole}"),
        format!("{whole:#x}"),
        format!("0X{whole:X}"),
        format!("0{whole:o}"),
        format!("{a}.{last_three}"),
        format!("{a}.{b}.{last_two}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a:#x}.{last_three}"),
        format!("0{a:o}.{b}.{last_two:#x}"),
        format!("0000{a:o}.{b}.{c}.{d}"),
        format!("{a:#x}.{b}.0{c:o}.{d}"),
        format!("0x00000000{a:x}.{b}.{c}.{d}"),
    ]
}

/// The same in IPv6, as hosts of a URL without brackets.
fn in_ipv6(address: [u8; 4]) -> Vec<String> {
    let [a, b, c, d] = address;
    let [high, low] = [[a, b], [c, d]].map(u16::from_be_bytes);
    vec![
        format!("::ffff:{a}.{b}.{c}.{d}"),
        format!("::FFFF:{high:x}:{low:x}"),
        format!("0:0:0:0:0:ffff:{high:04x}:{low:04x}"),
        format!("::{a}.{b}.{c}.{d}"),
        format!("64:ff9b::{a}.{b}.{c}.{d}"),
        format!("64:ff9b:1::{high:x}:{low:x}"),
        format!("2002:{high:x}:{low:x}::1"),
        format!("2001:0:4136:e378:8000:63bf:{:x}:{:x}", !high, !low),
    ]
}

/// What a URL may have around a host.
fn around(host: &str, port: u16) -> Vec<String> {
    vec![
        format!("http://{host}:{port}/"),
        format!("http://{host}.:{port}/"),
        format!("http://desk.example.com@{host}:{port}/"),
        format!("http://user:word@{host}:{port}/"),
    ]
}

fn all_forms(port: u16) -> BTreeSet<String> {
    let mut urls = BTreeSet::new();
    for address in V4 {
        for number in numbers(address) {
            urls.extend(around(&number, port));
        }
        for text in in_ipv6(address) {
            urls.extend(around(&format!("[{text}]"), port));
        }
    }
    for special in [
        "::1",
        "::",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%25eth0",
        "fe80::1%eth0",
        "ff02::1",
        "100::1",
        "2001:db8::1",
        "3fff::1",
    ] {
        urls.extend(around(&format!("[{special}]"), port));
    }
    for odd in [
        "１２７.0.0.1",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "127%2e0%2e0%2e1",
        "%31%32%37.0.0.1",
        "127.0.0.1%00.example.com",
        "127.0.0.1\\@example.com",
        "desk.example.com\\@127.0.0.1",
        "127.0.0.1#@example.com",
        "127.0.0.1?@example.com",
        "[127.0.0.1]",
        "[::ffff:127.0.0.1",
        "::1",
        "127.0.0.1,example.com",
        "127.0.0.1 ",
        " 127.0.0.1",
        "127.0.0.1\t",
        "127.0.0.01",
        "127.0.0.1.1",
        "256.0.0.1",
        "0x7f000001.",
        "127..1",
        "",
        ".",
        "0",
    ] {
        urls.extend(around(odd, port));
    }
    urls
}

#[test]
fn no_written_form_is_connected_to() {
    let trap = trap();
    let urls = all_forms(trap.address.port());
    assert!(urls.len() >= 200, "{} forms", urls.len());
    let mut read = Vec::new();
    for url in &urls {
        let Ok(endpoint) = endpoint(url, "deadline = \"2s\"") else { continue };
        // What is no URL of ours needs no attempt; what is one has to stand it.
        block_on(alert::attempt(&Client::new(), &endpoint, &alert_for(&endpoint), now()));
        read.push(url);
    }
    assert_eq!(trap.connections(), 0);
    assert!(read.is_empty(), "these were read as URLs that may be connected to: {read:?}");
}

/// An endpoint whose host was not read as a URL's is.
fn past_reading(host: &str, port: u16, allow: &[&str]) -> Endpoint {
    let networks = allow.iter().map(|network| format!("\"{network}\"")).collect::<Vec<_>>().join(", ");
    let endpoint = endpoint("http://desk.example.com/", &format!("allow = [{networks}]"));
    let mut endpoint = Arc::into_inner(endpoint.unwrap_or_else(|wrong| panic!("{wrong}"))).expect("nobody else has it");
    let receiver = endpoint.receiver.as_mut().expect("it has secrets");
    (receiver.target.host, receiver.target.port) = (Host::Name(host.to_owned()), port);
    endpoint
}

fn attempt_past_reading(host: &str, port: u16, allow: &[&str]) -> Outcome {
    let endpoint = past_reading(host, port, allow);
    block_on(alert::attempt(&Client::new(), &endpoint, &alert_for(&endpoint), now()))
}

#[test]
fn no_look_up_is_connected_to_and_the_control_is() {
    let trap = trap();
    let port = trap.address.port();
    let forms: BTreeSet<String> =
        V4.into_iter().flat_map(|address| [numbers(address), in_ipv6(address)].concat()).collect();
    assert!(forms.len() >= 200, "{} forms", forms.len());
    for host in forms.iter().map(String::as_str).chain(["localhost", "::1", "::", "fe80::1%lo"]) {
        match attempt_past_reading(host, port, &[]) {
            Outcome::Retry { why, .. } => {
                assert!(why.contains("refused: ") || why.contains("looked up"), "{host}: {why}")
            }
            other => panic!("{host}: {other:?}"),
        }
    }
    assert_eq!(trap.connections(), 0);
    // The same forms do lead to the trap where they are allowed, so it is the check that kept them from it.
    let mut reached = 0;
    for host in numbers([127, 0, 0, 1]) {
        let outcome = attempt_past_reading(&host, port, &["127.0.0.0/8"]);
        assert_eq!(outcome, Outcome::Delivered { status: 200 }, "{host}");
        reached += 1;
    }
    let [mapped, local] = [("::ffff:127.0.0.1", "::ffff:0:0/96"), ("localhost", "127.0.0.0/8")];
    let _ = attempt_past_reading(mapped.0, port, &[mapped.1]);
    let _ = attempt_past_reading(local.0, port, &[local.1, "::1/128"]);
    assert!(trap.connections() >= reached, "{} of {reached}", trap.connections());
    let plain = endpoint(&format!("http://127.0.0.1:{port}/"), "allow = [\"127.0.0.0/8\"]").expect("it is allowed");
    let before = trap.connections();
    let outcome = block_on(alert::attempt(&Client::new(), &plain, &alert_for(&plain), now()));
    assert_eq!((outcome, trap.connections()), (Outcome::Delivered { status: 200 }, before + 1));
}

/// Gives its answers one after the other, the last for ever.
struct Answers {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    asked: Arc<AtomicUsize>,
}

impl Answers {
    fn new(answers: Vec<Vec<IpAddr>>) -> (Answers, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        (Answers { answers: Mutex::new(answers), asked: Arc::clone(&asked) }, asked)
    }
}

impl Resolver for Answers {
    fn resolve<'a>(&'a self, _: &'a str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().expect("no test panics while it holds this");
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Box::pin(async move { Ok(answer) })
    }
}

const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(9, 9, 9, 9));

/// Checked without connecting, because the first answer is somebody's.
#[test]
fn a_resolver_that_answers_publicly_first_gains_nothing() {
    let endpoint = past_reading("desk.example.com", 443, &[]);
    let target: &Target = &endpoint.receiver.as_ref().expect("it has secrets").target;
    for private in V4
        .map(IpAddr::from)
        .into_iter()
        .chain([IpAddr::V6(Ipv6Addr::LOCALHOST), "fd00::1".parse().expect("an address")])
    {
        let (answers, asked) =
            Answers::new(vec![vec![PUBLIC], vec![private], vec![PUBLIC, private], vec![private, PUBLIC]]);
        let check = || block_on(guard::check(target, &[] as &[IpNet], &answers));
        let first = check().expect("the first answer is public");
        assert_eq!(first.addresses().iter().map(|address| address.ip()).collect::<Vec<_>>(), [PUBLIC]);
        for _ in 0..3 {
            let why = check().expect_err("one private answer refuses all");
            assert!(why.contains("refused: the host is"), "{why}");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 4, "each attempt looks up once");
    }
}

/// What connects goes to the address that was checked: a second look-up would find the trap.
#[cfg(target_os = "linux")]
#[test]
fn an_attempt_looks_up_once() {
    let trap = Receiver::start(Mode::Well);
    let port = trap.address.port();
    let allowed = TcpListener::bind(("127.0.0.2", port)).expect("Linux has all of 127.0.0.0/8");
    let receiver = Receiver::on(allowed, Mode::Well, None);
    let answers = [[127, 0, 0, 2], [127, 0, 0, 1]].map(|address| vec![IpAddr::from(address)]).to_vec();
    let (resolver, asked) = Answers::new(answers);
    let client = Client::with(RootCertStore::empty(), Box::new(resolver));
    let endpoint = past_reading("desk.example.com", port, &["127.0.0.2/32"]);
    let attempt = || block_on(alert::attempt(&client, &endpoint, &alert_for(&endpoint), now()));
    assert_eq!(attempt(), Outcome::Delivered { status: 200 });
    assert_eq!((asked.load(Ordering::SeqCst), receiver.got().len(), trap.connections()), (1, 1, 0));
    assert!(matches!(attempt(), Outcome::Retry { why, .. } if why.contains("loopback")));
    assert_eq!((asked.load(Ordering::SeqCst), receiver.got().len(), trap.connections()), (2, 1, 0));
}
