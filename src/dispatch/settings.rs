//! What `kuzet alert` is told beside its endpoints: its place in a consumer group, and the cluster and topics that `kuzet run` has.
//!
//! `deploy/alert.toml` has the group, under `[service]`; where Kafka is, how it is reached and what topics are called stands in the
//! file of `kuzet run`, so that one deployment says it once.

use crate::{
    alert::{self, Config, config::Secrets},
    kafka::{
        client::{Cluster, Member},
        topics::{Layout, Role},
    },
    options::Layers,
    rules::diagnostic::Diagnostics,
    run::{
        self,
        start::{From, Gone, Start, Words},
    },
    sidecar::Millis,
};
use std::net::SocketAddr;
use tracing::Level;

/// The words for `decisions`.
const DECISIONS: Words = Words {
    topic: "decisions",
    done: "read",
    mend: "`kuzet replay --alert` tells what they would have been; start once with `--gone skip`",
};

/// Everything that a process is told.
pub struct Settings {
    pub alerts: Config,
    pub cluster: Cluster,
    pub layout: Layout,
    pub member: Member,
    pub start: Start,
    /// An alert that is not delivered after so many ms is saved.
    pub save_after: Millis,
    pub listen: Option<SocketAddr>,
    pub level: Level,
}

/// Makes settings of both files' layers.
///
/// # Errors
/// Everything that is wrong in either.
pub fn settings(mut layers: Layers, deployment: Layers) -> Result<Settings, Diagnostics> {
    let deployment = run::config::settings(deployment)?;
    let alerts = alert::config::read(&mut layers, Secrets::Read);
    let mut layout = deployment.layout;
    layout.roles = &Role::ALERT;
    let instance = layers.text("service.instance").to_owned();
    let member = Member {
        group: layers.name("service.group"),
        instance: Some(instance).filter(|name| !name.is_empty()),
        session_timeout_ms: deployment.session_timeout_ms,
    };
    if member.group == deployment.group {
        layers.refuse("service.group", "must be another group than that of `kuzet run`, which reads other topics");
    }
    let save_after = layers.span("service.save_after");
    let from = From::read(&mut layers, "service.start", false);
    let gone = layers.choice("service.gone", &[("stop", Gone::Stop), ("skip", Gone::Skip)]);
    let save_after = layers.bounded("service.save_after", save_after, 1, 60_000);
    let listen = layers.listen("service.listen");
    match alerts {
        Some(alerts) if !layers.diagnostics.has_errors() => Ok(Settings {
            alerts,
            cluster: deployment.cluster,
            layout,
            member,
            start: Start { from, gone, words: DECISIONS },
            save_after,
            listen,
            level: deployment.level,
        }),
        _ => {
            layers.diagnostics.sort();
            Err(layers.diagnostics)
        }
    }
}
