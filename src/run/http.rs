//! `/metrics`, `/healthz` and `/readyz` on a thread of their own, so that no scrape ever slows a decision.
//!
//! Loopback unless the configuration says otherwise, because what it tells needs no password. A client has a few seconds
//! to say what it wants; connections are bounded.

use super::health::Worker;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::{runtime, sync::Semaphore, task, time};

/// How long a client may take to ask, and a connection to be done.
const HEADERS: Duration = Duration::from_secs(5);
const CONNECTION: Duration = Duration::from_secs(60);
/// Connections at once.
const CONNECTIONS: usize = 64;

/// What is told.
pub struct Told {
    /// Metrics, in Prometheus' text format.
    pub text: Box<dyn Fn() -> String + Send + Sync>,
    pub workers: Vec<Arc<Worker>>,
}

/// Listens on `address` until the process ends; says which port it was.
///
/// # Errors
/// An address that cannot be had.
pub fn start(address: SocketAddr, told: Told) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("http".to_owned()).spawn(move || {
        if let Err(error) = runtime.block_on(serve(listener, Arc::new(told))) {
            tracing::error!(%error, "metrics and health are not told any more");
        }
    })?;
    Ok(bound)
}

async fn serve(listener: TcpListener, told: Arc<Told>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let permit = Arc::clone(&room).acquire_owned().await.expect("nobody closes the semaphore");
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // No more file descriptors, for example: the others may give some back.
                tracing::warn!(%error, "a connection could not be taken");
                time::sleep(HEADERS).await;
                continue;
            }
        };
        let told = Arc::clone(&told);
        task::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = answer(&told, request.method(), request.uri().path());
                async move { Ok::<_, Infallible>(answer) }
            });
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(HEADERS);
            // A client that goes away is nobody's error.
            let _ = time::timeout(CONNECTION, server.serve_connection(TokioIo::new(stream), service)).await;
            drop(permit);
        });
    }
}

fn answer(told: &Told, method: &Method, path: &str) -> Response<Full<Bytes>> {
    if method != Method::GET {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
    }
    match path {
        "/metrics" => {
            let mut answer = text(StatusCode::OK, (told.text)());
            let format = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
            answer.headers_mut().insert(CONTENT_TYPE, format);
            answer
        }
        "/healthz" => {
            health(told.workers.iter().all(|worker| worker.is_alive()), "alive", "a worker hangs or has ended")
        }
        "/readyz" => {
            health(told.workers.iter().all(|worker| worker.is_ready()), "ready", "partitions are being restored")
        }
        _ => text(StatusCode::NOT_FOUND, "there are /metrics, /healthz and /readyz\n".to_owned()),
    }
}

fn health(well: bool, yes: &str, no: &str) -> Response<Full<Bytes>> {
    let (status, words) = if well { (StatusCode::OK, yes) } else { (StatusCode::SERVICE_UNAVAILABLE, no) };
    text(status, format!("{words}\n"))
}

fn text(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
