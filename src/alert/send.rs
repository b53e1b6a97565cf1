//! One attempt: the name is looked up and checked, the connection goes to what was checked, the alert is posted, and the answer judged.
//!
//! hyper and rustls themselves and no client above them: a client that pools, follows, decompresses and asks variables for
//! proxies has to be told not to, each time it is updated. Here a connection takes a [`Checked`] address, is used once and closed.
//! Everything together has one deadline. rustls has ring for its cryptography.

use super::{
    Alert, Endpoint,
    config::Receiver,
    guard::{self, Checked, Resolver, System},
    sign,
    target::Host,
};
use crate::{
    limits::{ALERT_ANSWER_BYTES, ALERT_CONNECT_MS, ALERT_RETRY_AFTER_MS},
    time::Timestamp,
};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, StatusCode,
    body::Bytes,
    client::conn::http1,
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};

/// Whom we believe, and who looks names up.
pub struct Client {
    tls: TlsConnector,
    /// Certificates of authorities that we believe.
    roots: usize,
    resolver: Box<dyn Resolver>,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered with 2xx.
    Delivered { status: u16 },
    /// To be tried again, not before `after` where the endpoint said so.
    Retry { after: Option<Duration>, why: String },
    /// 410: the endpoint wants no more alerts.
    Disabled,
}

/// Everything that was said in an attempt.
#[derive(Debug)]
pub struct Exchange {
    pub request: Request<Bytes>,
    pub heard: Heard,
    pub outcome: Outcome,
}

/// What came back, as far as it came.
#[derive(Debug, Default)]
pub struct Heard {
    /// What was connected to.
    pub address: Option<SocketAddr>,
    pub status: Option<StatusCode>,
    pub headers: HeaderMap,
    /// At most [`ALERT_ANSWER_BYTES`] of the answer.
    pub answer: Vec<u8>,
}

impl Client {
    /// With the authorities that the system believes; `SSL_CERT_FILE` and `SSL_CERT_DIR` name others.
    #[must_use]
    pub fn new() -> Client {
        let mut roots = RootCertStore::empty();
        // What cannot be read is missing, and whoever needed it hears of it in the handshake.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Client::with(roots, Box::new(System))
    }

    /// With these authorities and this resolver.
    ///
    /// # Panics
    /// Never: the protocols are those that ring has.
    #[must_use]
    pub fn with(roots: RootCertStore, resolver: Box<dyn Resolver>) -> Client {
        let count = roots.len();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the default protocols")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Client { tls: TlsConnector::from(Arc::new(config)), roots: count, resolver }
    }
}

impl Default for Client {
    fn default() -> Self {
        Client::new()
    }
}

/// The time of the clock, which attempts are signed with.
///
/// # Panics
/// In the year 292,000,000.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).expect("the clock is before the year 292,000,000"))
}

/// Makes one attempt at `now`, which the signature is about.
///
/// # Panics
/// Where the endpoint was loaded for a dry run.
pub async fn attempt(client: &Client, endpoint: &Endpoint, alert: &Alert, now: Timestamp) -> Outcome {
    exchange(client, endpoint, alert, now).await.outcome
}

/// The same, with everything that was said.
///
/// # Panics
/// Where the endpoint was loaded for a dry run.
pub async fn exchange(client: &Client, endpoint: &Endpoint, alert: &Alert, now: Timestamp) -> Exchange {
    let receiver = endpoint.receiver.as_ref().expect("an endpoint of a dry run is sent nothing");
    let request = request(receiver, alert, now);
    let mut heard = Heard::default();
    let ended = timeout(receiver.deadline, converse(client, receiver, &request, &mut heard)).await;
    let problem = match ended {
        Ok(Ok(())) => None,
        Ok(Err(why)) => Some(why),
        Err(_) => Some(format!("no whole answer within {} ms", receiver.deadline.as_millis())),
    };
    let outcome = judge(heard.status, &heard.headers, problem, now);
    Exchange { request, heard, outcome }
}

fn request(receiver: &Receiver, alert: &Alert, now: Timestamp) -> Request<Bytes> {
    let seconds = now.0.div_euclid(1_000);
    let mut request = Request::new(alert.body.clone());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = receiver.target.path.clone().into();
    let signatures = sign::signatures(&receiver.secrets, alert.id.as_str(), seconds, &alert.body);
    let ours = [
        (HOST, receiver.target.authority()),
        (CONTENT_TYPE, "application/json".to_owned()),
        (CONTENT_LENGTH, alert.body.len().to_string()),
        (USER_AGENT, concat!("kuzet/", env!("CARGO_PKG_VERSION")).to_owned()),
        (CONNECTION, "close".to_owned()),
        (HeaderName::from_static("webhook-id"), alert.id.to_string()),
        (HeaderName::from_static("webhook-timestamp"), seconds.to_string()),
        (HeaderName::from_static("webhook-signature"), signatures),
    ];
    for (name, value) in ours {
        if !value.is_empty() {
            let value = HeaderValue::from_str(&value).expect("ids, hosts, numbers and base64 are visible ASCII");
            request.headers_mut().insert(name, value);
        }
    }
    for (name, value) in &receiver.headers {
        request.headers_mut().append(name.clone(), value.clone());
    }
    request
}

/// Says everything and hears the answer; what was heard stays also when time runs out.
async fn converse(
    client: &Client,
    receiver: &Receiver,
    request: &Request<Bytes>,
    heard: &mut Heard,
) -> Result<(), String> {
    let target = &receiver.target;
    let checked = guard::check(target, &receiver.allow, &*client.resolver).await?;
    let (stream, address) = connect(&checked).await?;
    heard.address = Some(address);
    // What does not delay cannot fail but for a connection that is gone, which the next line finds.
    let _ = stream.set_nodelay(true);
    if !target.tls {
        return speak(stream, request, heard).await;
    }
    let name = match &target.host {
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| "TLS takes no such host name".to_owned())?,
        Host::Address(address) => ServerName::from(*address),
    };
    let stream = client.tls.connect(name, stream).await.map_err(|error| match client.roots {
        0 => format!(
            "TLS: {error}; this machine knows no authorities: install its CA certificates, or set SSL_CERT_FILE"
        ),
        _ => format!("TLS: {error}"),
    })?;
    speak(stream, request, heard).await
}

/// Connects to the first address that answers.
async fn connect(checked: &Checked) -> Result<(TcpStream, SocketAddr), String> {
    let mut why = String::new();
    for address in checked.addresses() {
        match timeout(Duration::from_millis(ALERT_CONNECT_MS), TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok((stream, *address)),
            Ok(Err(error)) => why = format!("{address} cannot be connected to: {error}"),
            Err(_) => why = format!("{address} did not take a connection within {ALERT_CONNECT_MS} ms"),
        }
    }
    Err(why)
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: &Request<Bytes>,
    heard: &mut Heard,
) -> Result<(), String> {
    let cannot = |error: hyper::Error| format!("no answer: {error}");
    let mut connection = http1::Builder::new();
    connection.max_buf_size(ALERT_ANSWER_BYTES);
    let (mut sender, connection) = connection.handshake(TokioIo::new(stream)).await.map_err(cannot)?;
    // Ends with this function, also when time runs out in it.
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        // What fails here fails the answer, too.
        let _ = connection.await;
    });
    let request = request.clone().map(Full::new);
    let answer = sender.send_request(request).await.map_err(cannot)?;
    heard.status = Some(answer.status());
    heard.headers.clone_from(answer.headers());
    let mut body = answer.into_body();
    while heard.answer.len() < ALERT_ANSWER_BYTES {
        let Some(frame) = body.frame().await else { break };
        if let Some(bytes) = frame.map_err(cannot)?.data_ref() {
            let room = ALERT_ANSWER_BYTES - heard.answer.len();
            heard.answer.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }
    Ok(())
}

/// What an answer comes to; the status decides, whatever became of the rest.
fn judge(status: Option<StatusCode>, headers: &HeaderMap, problem: Option<String>, now: Timestamp) -> Outcome {
    let Some(status) = status else {
        return Outcome::Retry { after: None, why: problem.unwrap_or_else(|| "no answer".to_owned()) };
    };
    let why = match status {
        status if status.is_success() => return Outcome::Delivered { status: status.as_u16() },
        StatusCode::GONE => return Outcome::Disabled,
        status if status.is_redirection() => format!("answered {status}, and redirects are not followed"),
        status => format!("answered {status}"),
    };
    Outcome::Retry { after: retry_after(headers, now), why }
}

/// `Retry-After` in seconds or as a date of HTTP, within its bound; nothing where it is neither.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let most = Duration::from_millis(ALERT_RETRY_AFTER_MS.unsigned_abs());
    let wait = if !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit()) {
        text.parse().map_or(most, Duration::from_secs)
    } else {
        let due = httpdate::parse_http_date(text).ok()?;
        let now = UNIX_EPOCH + Duration::from_millis(now.0.max(0).unsigned_abs());
        due.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Timestamp::parse("2026-11-22T12:00:00Z").expect("a time");
        for (text, expected) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("Sun, 22 Nov 2026 12:01:00 GMT", Some(60)),
            ("Sun, 22 Nov 2026 11:00:00 GMT", Some(0)),
            ("99999999999999999999999", Some(86_400)),
            ("Sun, 22 Nov 2037 12:01:00 GMT", Some(86_400)),
            ("soon", None),
            ("-5", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn the_status_decides() {
        let now = Timestamp(0);
        let of =
            |status: u16| judge(StatusCode::from_u16(status).ok(), &HeaderMap::new(), Some("cut off".to_owned()), now);
        assert_eq!(of(204), Outcome::Delivered { status: 204 });
        assert_eq!(of(410), Outcome::Disabled);
        for (status, why) in
            [(302, "redirects are not followed"), (400, "answered 400"), (404, "answered 404"), (500, "answered 500")]
        {
            assert!(matches!(of(status), Outcome::Retry { after: None, why: said } if said.contains(why)), "{status}");
        }
    }
}
