//! A broker that asks who is there: SASL by a secret from a file, with TLS where the build has it, and what is said of a wrong secret.

use super::sidecar::{Events, Feeder, Sidecar, once_at, wait_until_decided};
use crate::broker::{self, Broker};
use std::{fs, os::unix::fs::OpenOptionsExt, path::Path, process::Command};

const PASSWORD: &str = "a-secret-of-tests";

/// What the broker's listener asks for.
fn login() -> String {
    format!(
        "listener.name.guarded.sasl.enabled.mechanisms=PLAIN\n\
         listener.name.guarded.plain.sasl.jaas.config=\
         org.apache.kafka.common.security.plain.PlainLoginModule required user_kuzet=\"{PASSWORD}\";"
    )
}

fn secret(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    let mut options = fs::File::options();
    let mut out = options.create(true).write(true).mode(0o600).open(&file).expect("a file of one's own");
    std::io::Write::write_all(&mut out, text.as_bytes()).expect("it takes a secret");
    file.display().to_string()
}

/// A sidecar's configuration whose password is `password`.
fn config(folder: &Path, name: &str, options: &str, password: &str) -> String {
    let file = folder.join(format!("{name}.toml"));
    let user = secret(folder, "user", "kuzet\n");
    let password = secret(folder, name, password);
    let text =
        format!("[kafka.options]\n{options}\n[secrets]\nsasl_username = \"{user}\"\nsasl_password = \"{password}\"\n");
    fs::write(&file, text).expect("a file");
    file.display().to_string()
}

/// Topics are made, operations decided on and the topic replayed, all by that listener.
fn works(broker: &Broker, test: &str, config: &str) {
    let address = broker.guarded_address();
    let (status, told) = once_at(&address, test, &["--init", "--config", config]);
    assert_eq!(status.code(), Some(0), "{told}");
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(61, 20));
    feeder.feed(&mut events, 1_000);
    let mut sidecar = Sidecar::start_at(&address, test, &["--config", config, "--start", "earliest"]);
    sidecar.wait_until_ready();
    wait_until_decided(broker, test);
    let (status, told) = sidecar.terminate();
    assert_eq!(status.code(), Some(0), "{told}");
    assert!(!told.contains(PASSWORD), "{told}");
    let replay = Command::new(env!("CARGO_BIN_EXE_kuzet"))
        .args(["replay", "--kafka", &address, "--topic", &format!("{test}.operations"), "--config", config])
        .output()
        .expect("kuzet starts");
    let told = String::from_utf8_lossy(&replay.stdout);
    assert!(told.contains("1,000 offsets of 4 partitions"), "{told}{}", String::from_utf8_lossy(&replay.stderr));
}

/// The refusal says what to mend, and no secret.
fn is_refused(broker: &Broker, test: &str, config: &str, because: &str) {
    let (status, told) = once_at(&broker.guarded_address(), test, &["--config", config]);
    assert_eq!(status.code(), Some(1), "{told}");
    let refusal = told.lines().last().expect("a refusal");
    assert!(refusal.starts_with("error: no answer from Kafka at 127.0.0.1:"), "{told}");
    assert!(refusal.contains(because), "{told}");
    assert!(!told.contains("not-the-secret"), "{told}");
}

#[test]
fn a_secret_lets_in() {
    let Some(broker) = broker::guarded("SASL_PLAINTEXT", &login()) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let options = "\"security.protocol\" = \"sasl_plaintext\"\n\"sasl.mechanism\" = \"PLAIN\"";
    works(&broker, "guarded", &config(folder.path(), "right", options, PASSWORD));
    let wrong = config(folder.path(), "wrong", options, "not-the-secret");
    is_refused(&broker, "guarded", &wrong, "Invalid username or password");
}

#[cfg(feature = "tls")]
#[test]
fn tls_is_for_whom_the_certificate_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = |name: &str| {
        let own = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
        let file = folder.path().join(format!("{name}.pem"));
        fs::write(&file, own.cert.pem()).expect("a file");
        (own, file)
    };
    let (brokers, authority) = certificate("brokers");
    let (_, stranger) = certificate("stranger");
    let store = folder.path().join("store.pem");
    fs::write(&store, brokers.signing_key.serialize_pem() + &brokers.cert.pem()).expect("a file");
    let more = format!(
        "{}\nlistener.name.guarded.ssl.keystore.type=PEM\nlistener.name.guarded.ssl.keystore.location={}",
        login(),
        store.display()
    );
    let Some(broker) = broker::guarded("SASL_SSL", &more) else { return };
    let options = |authority: &Path| {
        format!(
            "\"security.protocol\" = \"sasl_ssl\"\n\"sasl.mechanism\" = \"PLAIN\"\n\"ssl.ca.location\" = \"{}\"",
            authority.display()
        )
    };
    works(&broker, "guarded-tls", &config(folder.path(), "right", &options(&authority), PASSWORD));
    let wrong = config(folder.path(), "wrong", &options(&stranger), PASSWORD);
    is_refused(&broker, "guarded-tls", &wrong, "certificate");
}
