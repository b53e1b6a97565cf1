//! The configuration of alerts: who wants which decisions, and how they are sent.
//!
//! `deploy/alert.toml` is built in, as `deploy/kuzet.toml` is for `kuzet run`: its table `[endpoint]` is what every
//! `[[endpoints]]` begins with. Secrets come from files that only their owner can read, or from variables.

use super::{Filter, Target, sign::Secret, target, template::Template};
use crate::{
    limits,
    options::{BuiltIn, Layers, Origin, Several, Value, secret_in, secret_of},
    rules::{
        diagnostic::{Diagnostic, Diagnostics, Source},
        pack::quoted,
    },
    time::Span,
};
use hyper::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, PROXY_AUTHORIZATION};
use ipnet::IpNet;
use std::{ops::Range, path::Path, str::FromStr, sync::Arc, time::Duration};

pub const BUILT_IN: BuiltIn = BuiltIn {
    path: "deploy/alert.toml",
    text: include_str!("../../deploy/alert.toml"),
    variables: "KUZET_ALERT_",
    several: Some(Several { each: "endpoints", defaults: "endpoint" }),
};

/// Headers that are ours, or the connection's.
const OURS: &[&str] = &[
    "host",
    "content-type",
    "content-length",
    "transfer-encoding",
    "connection",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "user-agent",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

/// Whether what is secret is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    Read,
    /// For a dry run, by somebody who may not have them: endpoints have no [`Endpoint::receiver`].
    Left,
}

/// Everybody who wants alerts.
#[derive(Debug)]
pub struct Config {
    pub endpoints: Vec<Arc<Endpoint>>,
    pub retry: Retry,
}

/// When a failed attempt is made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The wait after each failed attempt; after the last of them comes a last attempt.
    pub schedule: Vec<Duration>,
    /// By how much of itself chance shortens or lengthens a wait, in percent.
    pub jitter: u32,
}

/// A subscription.
#[derive(Debug)]
pub struct Endpoint {
    pub name: Arc<str>,
    pub filter: Filter,
    /// Nothing for the standard JSON.
    pub template: Option<Template>,
    /// Wallets and addresses are not masked.
    pub full: bool,
    /// What one wallet and one rule do within so many ms is one alert.
    pub group: Option<i64>,
    pub rate: Option<Rate>,
    pub concurrency: usize,
    pub receiver: Option<Receiver>,
}

/// At most so many alerts in any stretch of time so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub alerts: u32,
    pub within: Duration,
}

/// What it takes to send something to an endpoint.
#[derive(Debug)]
pub struct Receiver {
    pub target: Target,
    /// The URL came from a file of its own or a variable: its path is shown to nobody.
    pub secret_path: bool,
    pub secrets: Vec<Secret>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub allow: Vec<IpNet>,
    pub deadline: Duration,
}

/// Reads a file that says nothing but what alerts are.
///
/// # Errors
/// Everything that is wrong in it.
pub fn load(source: Source, secrets: Secrets) -> Result<Config, Diagnostics> {
    finish(BUILT_IN.read(Some(source), &[]), secrets)
}

/// Makes a configuration of layers of which nothing else is wanted.
///
/// # Errors
/// Everything that is wrong in them.
pub fn finish(mut layers: Layers, secrets: Secrets) -> Result<Config, Diagnostics> {
    match read(&mut layers, secrets) {
        Some(config) if !layers.diagnostics.has_errors() => Ok(config),
        _ => {
            layers.diagnostics.sort();
            Err(layers.diagnostics)
        }
    }
}

/// Reads what is about endpoints; what is wrong is noted in the layers. Nothing where that is all there is.
pub fn read(layers: &mut Layers, secrets: Secrets) -> Option<Config> {
    let retry = retry(layers);
    let count = layers.tables();
    if count == 0 || count > limits::ALERT_ENDPOINTS {
        let message = format!("there are {count} [[endpoints]]; name from 1 to {}", limits::ALERT_ENDPOINTS);
        layers.diagnostics.push(Diagnostic::error(message).help("deploy/alert.toml says what an endpoint is"));
        return None;
    }
    let mut endpoints: Vec<Arc<Endpoint>> = Vec::new();
    for place in 0..count {
        let mut reading = Reading { layers, above: format!("endpoints.{place}."), secrets };
        let Some(endpoint) = reading.endpoint() else { continue };
        if endpoints.iter().any(|other| variable_of(&other.name) == variable_of(&endpoint.name)) {
            layers.refuse(&format!("endpoints.{place}.name"), "is the name of two endpoints");
        }
        endpoints.push(Arc::new(endpoint));
    }
    Some(Config { endpoints, retry })
}

fn retry(layers: &mut Layers) -> Retry {
    let mut schedule = Vec::new();
    for text in texts(layers, "retry.schedule") {
        match Span::parse(&text) {
            Ok(Span::Millis(millis)) => schedule.push(Duration::from_millis(millis.unsigned_abs())),
            _ => layers.refuse("retry.schedule", &format!("must be lengths of time, such as \"5s\"; `{text}` is none")),
        }
    }
    if schedule.len() > limits::ALERT_ATTEMPTS {
        layers.refuse("retry.schedule", &format!("has at most {} waits", limits::ALERT_ATTEMPTS));
    }
    Retry { schedule, jitter: layers.whole("retry.jitter", 0, 100) }
}

fn texts(layers: &Layers, path: &str) -> Vec<String> {
    match layers.value(path) {
        Value::Texts(texts) => texts.clone(),
        _ => panic!("{path} is a list"),
    }
}

/// What the variables of an endpoint are called: KUZET_SECRET_ALERT_NAME.
fn variable_of(name: &str) -> String {
    format!("KUZET_SECRET_ALERT_{}", name.replace('-', "_").to_ascii_uppercase())
}

/// What the variable of an endpoint's URL is called; of another family, or `desk-url` and the URL of `desk` would have one.
fn url_variable_of(name: &str) -> String {
    format!("KUZET_SECRET_URL_{}", name.replace('-', "_").to_ascii_uppercase())
}

/// Reads one endpoint.
struct Reading<'l> {
    layers: &'l mut Layers,
    /// `endpoints.0.`
    above: String,
    secrets: Secrets,
}

impl Reading<'_> {
    fn path(&self, name: &str) -> String {
        format!("{}{name}", self.above)
    }

    fn refuse(&mut self, name: &str, message: &str) {
        let path = self.path(name);
        self.layers.refuse(&path, message);
    }

    fn text(&self, name: &str) -> String {
        self.layers.text(&self.path(name)).to_owned()
    }

    fn texts(&self, name: &str) -> Vec<String> {
        texts(self.layers, &self.path(name))
    }

    fn flag(&self, name: &str) -> bool {
        let path = self.path(name);
        matches!(self.layers.value(&path), Value::Flag(true))
    }

    /// Everything is read, so that every mistake is told, before anything that is missing ends it.
    fn endpoint(&mut self) -> Option<Endpoint> {
        let name = self.name();
        let filter = self.filter();
        let template = self.template();
        let group = self.group();
        let rate = self.rate();
        let receiver = self.receiver(&name, template.is_some());
        let concurrency = self.path("concurrency");
        Some(Endpoint {
            name: name.as_str().into(),
            filter: filter?,
            template,
            full: self.flag("full"),
            group,
            rate,
            concurrency: self.layers.whole(&concurrency, 1, 64),
            receiver,
        })
    }

    fn name(&mut self) -> String {
        let name = self.text("name");
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > 64 || !name.chars().all(allowed) {
            self.refuse("name", "must be 1 to 64 letters, digits, `-` and `_`");
        }
        name
    }

    fn filter(&mut self) -> Option<Filter> {
        let text = self.text("filter");
        let errors = match Filter::compile(&text) {
            Ok(filter) => return Some(filter),
            Err(errors) => errors,
        };
        for error in errors {
            self.refuse_part("filter", &error.span, &error.message, &error.help);
        }
        None
    }

    /// Says what is wrong with a part of a text.
    fn refuse_part(&mut self, name: &str, part: &Range<usize>, message: &str, help: &str) {
        let path = self.path(name);
        let said = Diagnostic::error(format!("`{path}`: {message}")).help(help);
        let said = match self.layers.origin(&path) {
            Origin::File(span) => {
                let text = self.layers.diagnostics.sources.first().map_or("", |source| source.text.as_str());
                let place = quoted::inside(text, &span, part);
                said.at(0, place, "")
            }
            Origin::Given(_) | Origin::Default => said,
        };
        self.layers.diagnostics.push(said);
    }

    fn template(&mut self) -> Option<Template> {
        let path = self.path("template");
        if !self.layers.choice(&path, &[("standard", false), ("text", true)]) {
            return None;
        }
        let text = self.text("text");
        match Template::parse(&text) {
            Ok(template) => Some(template),
            Err((part, message, help)) => {
                self.refuse_part("text", &part, &message, &help);
                None
            }
        }
    }

    fn group(&mut self) -> Option<i64> {
        let path = self.path("group");
        if self.text("group").is_empty() {
            return None;
        }
        let millis = self.layers.span(&path);
        Some(self.layers.bounded(&path, millis, 1, limits::ALERT_GROUP_MS))
    }

    fn rate(&mut self) -> Option<Rate> {
        let (rate, within) = (self.path("rate"), self.path("rate_within"));
        let alerts: u32 = self.layers.whole(&rate, 0, 1_000_000);
        let millis = self.layers.span(&within);
        let millis: u64 = self.layers.bounded(&within, millis, 1, limits::ALERT_GROUP_MS);
        (alerts > 0).then_some(Rate { alerts, within: Duration::from_millis(millis) })
    }

    fn receiver(&mut self, name: &str, unsigned: bool) -> Option<Receiver> {
        let allow = self.allow();
        let headers = self.headers();
        let deadline = self.path("deadline");
        let millis = self.layers.span(&deadline);
        let millis: u64 = self.layers.bounded(&deadline, millis, 1, limits::ALERT_DEADLINE_MS);
        let target = self.target(name, &allow);
        if self.secrets == Secrets::Left {
            return None;
        }
        let secrets = self.signing(name);
        if secrets.is_empty() && !unsigned {
            let variable = variable_of(name);
            let message = format!(
                "must name a file, or {variable} hold a secret: the receiver of standard JSON checks its signature"
            );
            self.refuse("secrets", &message);
        }
        let (target, secret_path) = target?;
        Some(Receiver { target, secret_path, secrets, headers, allow, deadline: Duration::from_millis(millis) })
    }

    fn allow(&mut self) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for text in self.texts("allow") {
            match text.parse::<IpNet>() {
                Ok(network) if network.trunc() == network => networks.push(network),
                Ok(network) => self.refuse("allow", &format!("has `{text}`; its network is `{}`", network.trunc())),
                Err(_) => self.refuse("allow", &format!("must be networks such as \"10.0.0.0/8\"; `{text}` is none")),
            }
        }
        networks
    }

    /// The URL, from the file that is read anyway, from a file of its own, or from a variable, and whether it is a secret. None
    /// for a dry run's secret.
    fn target(&mut self, name: &str, allow: &[IpNet]) -> Option<(Target, bool)> {
        let (text, file) = (self.text("url"), self.text("url_file"));
        let given = if self.secrets == Secrets::Read { secret_in(&url_variable_of(name)) } else { None };
        let (text, option, secret) = match (given, text.is_empty(), file.is_empty()) {
            (Some(url), _, _) => (url, "url", true),
            (None, false, true) => (text, "url", false),
            (None, true, _) if self.secrets == Secrets::Left => return None,
            (None, true, false) => match secret_of(Path::new(&file)) {
                Ok(url) => (url, "url_file", true),
                Err(why) => {
                    self.refuse("url_file", &why);
                    return None;
                }
            },
            (None, false, false) => {
                self.refuse("url_file", "stands beside `url`; keep one of them");
                return None;
            }
            (None, true, true) => {
                self.refuse("url", "must say where alerts are sent");
                return None;
            }
        };
        match target::parse(text.trim(), self.flag("http"), allow) {
            Ok(target) => Some((target, secret)),
            Err(why) => {
                self.refuse(option, &why);
                None
            }
        }
    }

    fn signing(&mut self, name: &str) -> Vec<Secret> {
        let mut written: Vec<String> = Vec::new();
        match secret_in(&variable_of(name)) {
            Some(several) => written.extend(several.split_whitespace().map(str::to_owned)),
            None => {
                for file in self.texts("secrets") {
                    match secret_of(Path::new(&file)) {
                        Ok(secret) => written.push(secret.trim().to_owned()),
                        Err(_) if file.starts_with("whsec_") => {
                            self.refuse(
                                "secrets",
                                "names files; a secret is not written here, where it would be copied and mailed",
                            );
                        }
                        Err(why) => self.refuse("secrets", &format!("names {file}, which {why}")),
                    }
                }
            }
        }
        if written.len() > limits::ALERT_SECRETS {
            self.refuse("secrets", &format!("has at most {}", limits::ALERT_SECRETS));
        }
        let mut secrets = Vec::new();
        for text in written {
            match Secret::parse(&text) {
                Ok(secret) => secrets.push(secret),
                Err(why) => self.refuse("secrets", why),
            }
        }
        secrets
    }

    fn headers(&mut self) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        for text in self.texts("headers") {
            if let Some(name) = self.header_name("headers", &text) {
                if [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION].contains(&name) {
                    self.refuse(
                        "headers",
                        &format!("has `{name}`, which is a secret: `secret_headers` names its file"),
                    );
                }
                let value = text.split_once(':').map_or("", |(_, value)| value.trim());
                match HeaderValue::from_str(value) {
                    Ok(value) => headers.push((name, value)),
                    Err(_) => self.refuse("headers", &format!("has `{name}` with a value that is no header's")),
                }
            }
        }
        for text in self.texts("secret_headers") {
            let Some(name) = self.header_name("secret_headers", &text) else { continue };
            if self.secrets == Secrets::Left {
                continue;
            }
            let file = text.split_once(':').map_or("", |(_, file)| file.trim());
            match secret_of(Path::new(file)).map(|value| HeaderValue::from_str(value.trim())) {
                Ok(Ok(mut value)) => {
                    value.set_sensitive(true);
                    headers.push((name, value));
                }
                Ok(Err(_)) => self.refuse("secret_headers", &format!("names {file}, which holds no header's value")),
                Err(why) => self.refuse("secret_headers", &format!("names {file}, which {why}")),
            }
        }
        if headers.len() > limits::ALERT_HEADERS {
            self.refuse("headers", &format!("and `secret_headers` have at most {}", limits::ALERT_HEADERS));
        }
        headers
    }

    fn header_name(&mut self, option: &str, text: &str) -> Option<HeaderName> {
        let name = text.split_once(':').and_then(|(name, _)| HeaderName::from_str(name.trim()).ok());
        match name {
            Some(name) if OURS.contains(&name.as_str()) => {
                self.refuse(option, &format!("has `{name}`, which is not yours to set"));
                None
            }
            Some(name) => Some(name),
            None => {
                self.refuse(option, "must be texts such as \"X-Team: fraud\"");
                None
            }
        }
    }
}
