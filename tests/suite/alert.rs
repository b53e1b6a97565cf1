//! What is sent of a decision and how: judged by a receiver of sockets, by the official library, and by Python.

mod addresses;
mod attempts;
mod command;
mod signatures;

use crate::receiver::{Receiver, Request};
pub use kuzet::alert::now;
use kuzet::{
    alert::{self, Alert, Client, Config, Decided, Endpoint, Outcome, config},
    rules::diagnostic::Source,
};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};
use tokio::runtime;

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const OLD_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
pub const DECISION: &str = r#"{"event":"e-11","type":"transfer","wallet":"77010000001","time":"2026-03-01T08:15:30.123Z","action":"hold","score":400,"reasons":[{"rule":"equal-transfers","clause":"7.15(2)","action":"hold","score":400,"measured":"11","limit":"10","from":"2026-03-01T07:15:30.123Z"}],"restrictions":[{"name":"suspicious"}],"pack":"onevision@2026.1+9f2c1a7b"}"#;

/// A folder with a secret that only its owner can read.
pub fn secret_in(folder: &Path, name: &str, secret: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, format!("{secret}\n")).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
    path.to_str().expect("a plain path").to_owned()
}

/// The configuration of endpoints that are written like in a file; `SECRET` stands for the path of a secret.
pub fn configured(text: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let text = text.replace("OLD_SECRET", &secret_in(folder.path(), "old", OLD_SECRET));
    let text = text.replace("SECRET", &secret_in(folder.path(), "new", SECRET));
    let source = Source { path: "alert.toml".to_owned(), text };
    config::load(source, config::Secrets::Read).map_err(|wrong| wrong.render(false))
}

/// One endpoint at this URL, with these options besides.
pub fn endpoint(url: &str, more: &str) -> Result<Arc<Endpoint>, String> {
    let text = format!("[[endpoints]]\nname = \"desk\"\nurl = '{url}'\nhttp = true\nsecrets = [\"SECRET\"]\n{more}\n");
    configured(&text).map(|config| Arc::clone(&config.endpoints[0]))
}

/// An endpoint of a receiver on loopback.
pub fn endpoint_of(receiver: &Receiver, more: &str) -> Arc<Endpoint> {
    let more = format!("allow = [\"127.0.0.0/8\"]\n{more}");
    endpoint(&receiver.url(), &more).unwrap_or_else(|wrong| panic!("{wrong}"))
}

pub fn alert_for(endpoint: &Endpoint) -> Alert {
    let decided = Decided::read(DECISION.as_bytes()).expect("a decision");
    alert::alert(endpoint, "operations:3:17", &decided).expect("the endpoint wants it")
}

/// Runs to its end; look-ups that hang are left behind.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}

/// One attempt at a receiver.
pub fn attempt_at(receiver: &Receiver, more: &str) -> (Outcome, Vec<Request>) {
    let endpoint = endpoint_of(receiver, more);
    let outcome = block_on(alert::attempt(&Client::new(), &endpoint, &alert_for(&endpoint), now()));
    (outcome, receiver.got())
}
