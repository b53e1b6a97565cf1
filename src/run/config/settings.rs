//! What the options mean: texts and numbers as the types of the program, each within its bounds.
//!
//! Every mistake is collected and told at once. Secrets come from files that only their owner can read, or from variables;
//! an option of librdkafka that holds one is refused in the file, where it would be copied, mailed and committed.

use crate::{
    engine,
    hash::HashKey,
    kafka::{client::Cluster, partitioner::Partitioner, topics::Layout},
    limits,
    options::{Layers, Value},
    rules::diagnostic::{Diagnostic, Diagnostics},
    run::{
        shard::Keys,
        start::{self, From, Gone, Start},
    },
    sidecar::Delivery,
};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};
use tracing::Level;

/// Options of librdkafka that are secrets, and what they are called in `[secrets]`.
const SECRETS: &[(&str, &str)] =
    &[("sasl.username", "sasl_username"), ("sasl.password", "sasl_password"), ("ssl.key.password", "ssl_key_password")];
/// Options that would hold a secret and have no file of their own in `[secrets]`.
const NEVER_WRITTEN: &[&str] = &[
    "sasl.oauthbearer.client.secret",
    "ssl.key.pem",
    "ssl.keystore.password",
    "sasl.oauthbearer.assertion.private.key.pem",
];

/// Everything that a process is told.
pub struct Settings {
    pub rules: Vec<PathBuf>,
    pub map: Option<PathBuf>,
    pub geo_country: Option<PathBuf>,
    pub geo_anonymous: Option<PathBuf>,
    pub engine: engine::Settings,
    /// No key was given.
    pub fixed_hash_key: bool,
    pub cluster: Cluster,
    pub group: String,
    pub instance: Option<String>,
    pub workers: usize,
    pub delivery: Delivery,
    pub partitioner: Partitioner,
    pub keys: Keys,
    pub stop_at_wrong_partition: bool,
    pub start: Start,
    pub layout: Layout,
    pub tick_ms: u64,
    pub tick_records: u64,
    pub session_timeout_ms: u32,
    pub listen: Option<SocketAddr>,
    pub level: Level,
}

/// Makes settings of the layers.
///
/// # Errors
/// Everything that is wrong in them.
pub fn settings(layers: Layers) -> Result<Settings, Diagnostics> {
    let mut reading = Reading { layers };
    let read = reading.settings();
    let mut diagnostics = reading.layers.diagnostics;
    match read {
        Some(settings) if !diagnostics.has_errors() => Ok(settings),
        _ => {
            diagnostics.sort();
            Err(diagnostics)
        }
    }
}

struct Reading {
    layers: Layers,
}

impl Reading {
    /// None once something makes going on senseless; all else is noted and goes on.
    fn settings(&mut self) -> Option<Settings> {
        let (hash_key, fixed_hash_key) = self.hash_key();
        let engine = engine::Settings {
            lateness: self.layers.span("engine.lateness"),
            dedup: self.layers.span("engine.dedup"),
            max_future: self.layers.span("engine.max_future"),
            max_past: self.layers.span("engine.max_past"),
            hash_key,
            ..engine::Settings::default()
        };
        let group = self.layers.name("kafka.group");
        let from = From::read(&mut self.layers, "kafka.start", true);
        let gone = self.layers.choice("kafka.gone", &[("stop", Gone::Stop), ("skip", Gone::Skip)]);
        let session = self.layers.span("session.timeout");
        let session_timeout_ms = self.layers.bounded("session.timeout", session, 1_000, 300_000);
        let cluster = self.cluster();
        Some(Settings {
            rules: self.layers.paths("rules"),
            map: self.layers.path("map"),
            geo_country: self.layers.path("geo.country"),
            geo_anonymous: self.layers.path("geo.anonymous"),
            engine,
            fixed_hash_key,
            group,
            instance: Some(self.layers.text("kafka.instance").to_owned()).filter(|name| !name.is_empty()),
            workers: self.layers.whole("kafka.workers", 1, 64),
            delivery: self.layers.choice(
                "kafka.delivery",
                &[("exactly-once", Delivery::ExactlyOnce), ("at-least-once", Delivery::AtLeastOnce)],
            ),
            partitioner: self
                .layers
                .choice("kafka.partitioner", &[("murmur2", Partitioner::Murmur2), ("crc32", Partitioner::Crc32)]),
            keys: self.layers.choice("kafka.key", &[("wallet", Keys::Wallet), ("other", Keys::Other)]),
            stop_at_wrong_partition: self.layers.choice("kafka.wrong_partition", &[("count", false), ("stop", true)]),
            start: Start { from, gone, words: start::OPERATIONS },
            layout: self.layout(),
            tick_ms: self.tick(),
            tick_records: self.layers.whole("tick.records", 1, 100_000),
            session_timeout_ms,
            listen: self.layers.listen("http.listen"),
            level: self.layers.choice(
                "log.level",
                &[
                    ("info", Level::INFO),
                    ("error", Level::ERROR),
                    ("warn", Level::WARN),
                    ("debug", Level::DEBUG),
                    ("trace", Level::TRACE),
                ],
            ),
            cluster: cluster?,
        })
    }

    fn tick(&mut self) -> u64 {
        let millis = self.layers.span("tick.wait");
        // A tick and a slow end of it must be over before the broker gives the transaction up.
        self.layers.bounded("tick.wait", millis, 1, 5_000)
    }

    fn layout(&mut self) -> Layout {
        let partitions =
            self.layers.whole("kafka.partitions", 1, i64::try_from(limits::WORKER_PARTITIONS).unwrap_or(1));
        let Value::Flag(single_node) = *self.layers.value("kafka.single_node") else { panic!("it is a flag") };
        let mut layout = Layout::new(partitions, single_node);
        layout.names = [
            "topics.operations",
            "topics.decisions",
            "topics.dead_letters",
            "topics.state",
            "topics.restrictions",
            "topics.alerts_failed",
            "topics.alerts_retry",
        ]
        .map(|path| self.layers.topic(path));
        let mut names = layout.names.clone();
        names.sort();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            self.layers.refuse("topics.operations", "and the others must be different topics");
        }
        layout
    }

    fn cluster(&mut self) -> Option<Cluster> {
        let mut options = BTreeMap::new();
        let written: Vec<(String, String)> =
            self.layers.free().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        for (name, value) in written {
            let path = format!("kafka.options.{name}");
            if NEVER_WRITTEN.contains(&name.as_str()) || SECRETS.iter().any(|(option, _)| *option == name) {
                let message = "is a secret and is not written here: [secrets] names a file, or a variable holds it";
                self.layers.hide(&path);
                self.layers.refuse(&path, message);
            } else {
                options.insert(name, value);
            }
        }
        for (option, name) in SECRETS {
            if let Some(secret) = self.layers.secret(name) {
                options.insert((*option).to_owned(), secret);
            }
        }
        let brokers = self.layers.name("kafka.brokers");
        match Cluster::new(&brokers, "kuzet", options) {
            Ok(cluster) => Some(cluster),
            Err(refusals) => {
                for refusal in refusals {
                    self.layers.diagnostics.push(Diagnostic::error(format!("kafka.options: {refusal}")));
                }
                None
            }
        }
    }

    /// The key, and whether it is the fixed one.
    fn hash_key(&mut self) -> (HashKey, bool) {
        let Some(text) = self.layers.secret("hash_key") else { return (HashKey::default(), true) };
        // A number may begin with a sign, a digit may not be one.
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let half = |range| text.get(range).filter(|_| digits).and_then(|half| u64::from_str_radix(half, 16).ok());
        match (half(0..16), half(16..32)) {
            (Some(first), Some(second)) => (HashKey(first, second), false),
            _ => {
                let message = "must be 32 hexadecimal digits, in the file that it names or in KUZET_SECRET_HASH_KEY";
                self.layers.refuse("secrets.hash_key", message);
                (HashKey::default(), true)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::BUILT_IN;
    use super::*;
    use crate::rules::diagnostic::Source;
    use std::fs;

    fn told(text: &str) -> Result<Settings, String> {
        let source = Source { path: "k.toml".to_owned(), text: text.to_owned() };
        settings(BUILT_IN.read(Some(source), &[])).map_err(|diagnostics| diagnostics.render(false))
    }

    #[test]
    fn the_built_in_file_says_what_the_program_assumes() {
        let settings = settings(BUILT_IN.read(None, &[])).unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
        assert_eq!(settings.tick_ms, limits::TICK_MS);
        assert_eq!(settings.tick_records, limits::TICK_RECORDS);
        assert_eq!(u64::from(settings.session_timeout_ms), limits::SESSION_TIMEOUT_MS);
        assert_eq!(settings.engine.lateness, limits::LATENESS_MS);
        assert_eq!(settings.engine.dedup, limits::DEDUP_MS);
        assert_eq!(settings.engine.max_future, limits::MAX_FUTURE_MS);
        assert_eq!(settings.engine.max_past, limits::MAX_PAST_MS);
        assert_eq!(settings.layout.names, Layout::new(1, false).names);
        assert!(settings.listen.is_some_and(|address| address.ip().is_loopback()), "loopback by default");
        assert_eq!(settings.start.from, From::Unsaid);
    }

    #[test]
    fn mistakes_are_told_at_once_and_in_their_places() {
        let text = "[kafka]\npartitioner = \"md5\"\nworkers = 0\n[tick]\nwait = \"1 month\"\n[http]\nlisten = \"9464\"\n\
                    [topics]\nstate = \"operations\"\ndecisions = \"a b\"\n[kafka.options]\nacks = \"0\"\nsasl.password = \"hunter2\"\n\
                    [secrets]\nsasl_password = \"hunter3\"\nhash_key = \"/no/such/file\"\n";
        let said = told(text).err().expect("seven mistakes");
        for part in [
            "`kafka.partitioner` must be \"murmur2\" or \"crc32\"",
            "k.toml:2:15",
            "`kafka.workers` must be from 1 to 64",
            "`tick.wait` must be a fixed time",
            "`http.listen` must be an address and a port",
            "must be different topics",
            "`topics.decisions` must be 1 to 249 letters",
            "`acks` cannot be set",
            "`kafka.options.sasl.password` is a secret",
        ] {
            assert!(said.contains(part), "no `{part}` in\n{said}");
        }
        assert!(!said.contains("hunter"), "no secret is shown, and nothing that may be one:\n{said}");
        assert!(said.contains("/no/such/file"), "{said}");
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_is_for_its_owner() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        fs::write(&path, "00000000000000010000000000000002\n").expect("a file");
        let text = format!("[secrets]\nhash_key = {path:?}\n");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("ours");
        assert!(told(&text).err().expect("refused").contains("can be read by everybody"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
        let settings = told(&text).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(matches!(settings.engine.hash_key, HashKey(1, 2)) && !settings.fixed_hash_key);
        fs::write(&path, "short").expect("a file");
        assert!(told(&text).err().expect("refused").contains("32 hexadecimal digits"));
    }
}
