//! An HTTP receiver of webhooks that behaves well or badly, on loopback, and remembers what it got.
//!
//! It speaks HTTP over plain sockets and shares no code with what it judges. Threads end with the connections they serve, and
//! all of them when the receiver is dropped.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How it answers.
#[derive(Clone, Debug)]
pub enum Mode {
    /// 200.
    Well,
    /// Any other status, with this header where there is one.
    Status(u16, Option<(&'static str, String)>),
    /// Exactly these bytes.
    Raw(&'static str),
    /// Takes the request and says nothing.
    Hang,
    /// One byte of the answer after each of these.
    Drip(Duration),
    /// 200 and a body of so many bytes.
    Huge(usize),
    /// 200 and so many bytes of headers.
    HugeHeaders(usize),
    /// Ends the connection in the middle of the status line.
    Cut,
}

/// One request that came whole.
#[derive(Clone, Debug)]
pub struct Request {
    pub line: String,
    /// By names in small letters.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

struct Shared {
    mode: Mutex<Mode>,
    got: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    /// Bytes that were written before whoever asked went away.
    written: AtomicUsize,
    stopped: AtomicBool,
    tls: Option<Arc<ServerConfig>>,
}

pub struct Receiver {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

impl Receiver {
    /// On a free port of loopback.
    pub fn start(mode: Mode) -> Receiver {
        Receiver::on(TcpListener::bind("127.0.0.1:0").expect("a port of loopback"), mode, None)
    }

    pub fn on(listener: TcpListener, mode: Mode, tls: Option<Arc<ServerConfig>>) -> Receiver {
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            mode: Mutex::new(mode),
            got: Mutex::default(),
            connections: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            tls,
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                serving.connections.fetch_add(1, Ordering::SeqCst);
                let serving = Arc::clone(&serving);
                // Whoever hangs up is nobody's error.
                thread::spawn(move || drop(serving.serve(stream)));
            }
        });
        Receiver { address, shared }
    }

    /// A plain URL of it.
    pub fn url(&self) -> String {
        format!("http://{}/hook?from=kuzet", self.address)
    }

    /// Answers otherwise from the next request on.
    pub fn behave(&self, mode: Mode) {
        *self.shared.mode.lock().expect("no test panics while it holds this") = mode;
    }

    /// Every request so far.
    pub fn got(&self) -> Vec<Request> {
        self.shared.got.lock().expect("no test panics while it holds this").clone()
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Bytes of answers that were taken off its hands.
    pub fn written(&self) -> usize {
        self.shared.written.load(Ordering::SeqCst)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // The thread that accepts wakes up; a listener that is gone has nobody to wake.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        // A client that says nothing is let go of, so that no test waits for ever.
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some(config) => {
                let server = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                Box::new(StreamOwned::new(server, stream))
            }
        };
        let request = read(&mut stream)?;
        self.got.lock().expect("no test panics while it holds this").push(request);
        let mode = self.mode.lock().expect("no test panics while it holds this").clone();
        self.answer(&mut *stream, mode)
    }

    fn answer(&self, stream: &mut dyn Stream, mode: Mode) -> io::Result<()> {
        let head = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        match mode {
            Mode::Well => self.write(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"),
            Mode::Status(status, header) => {
                let header = header.map(|(name, value)| format!("{name}: {value}\r\n")).unwrap_or_default();
                self.write(stream, format!("HTTP/1.1 {status} X\r\n{header}Content-Length: 2\r\n\r\nno").as_bytes())
            }
            Mode::Raw(text) => self.write(stream, text.as_bytes()),
            // Until the client goes, or says more, which it must not.
            Mode::Hang => stream.read(&mut [0]).map(drop),
            Mode::Drip(pause) => {
                for byte in head(0).bytes() {
                    thread::sleep(pause);
                    self.write(stream, &[byte])?;
                }
                Ok(())
            }
            Mode::Huge(length) => {
                self.write(stream, head(length).as_bytes())?;
                let piece = [b'x'; 4096];
                for _ in 0..length / piece.len() {
                    self.write(stream, &piece)?;
                }
                Ok(())
            }
            Mode::HugeHeaders(length) => {
                self.write(stream, b"HTTP/1.1 200 OK\r\n")?;
                for place in 0..length / 1_000 {
                    self.write(stream, format!("X-{place}: {}\r\n", "x".repeat(1_000)).as_bytes())?;
                }
                self.write(stream, b"\r\n")
            }
            Mode::Cut => self.write(stream, b"HTTP/1."),
        }
    }

    fn write(&self, stream: &mut dyn Stream, bytes: &[u8]) -> io::Result<()> {
        stream.write_all(bytes)?;
        stream.flush()?;
        self.written.fetch_add(bytes.len(), Ordering::SeqCst);
        Ok(())
    }
}

fn read(stream: &mut dyn Stream) -> io::Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut lines = lines.into_iter();
    let line = lines.next().unwrap_or_default();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| {
            line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Request { line, headers, body })
}
