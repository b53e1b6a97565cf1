//! `kuzet alert --test` and the configuration, from outside.

use super::{SECRET, configured, secret_in};
use crate::{
    cli::kuzet,
    documents::blocks,
    receiver::{Mode, Receiver},
};
use kuzet::{alert::config, rules::diagnostic::Source};
use serde_json::Value;
use std::{fs, time::Duration};

#[test]
fn a_sample_shows_the_whole_exchange_and_no_secret() {
    let receiver = Receiver::start(Mode::Raw("HTTP/1.1 500 X\r\nContent-Length: 6\r\n\r\nno\u{1b}[2J"));
    let folder = tempfile::tempdir().expect("a folder");
    let secret = secret_in(folder.path(), "secret", SECRET);
    let token = secret_in(folder.path(), "token", "Bearer hunter2");
    let config = folder.path().join("alert.toml");
    let text = format!(
        "[[endpoints]]\nname = \"desk\"\nurl = \"{}\"\nhttp = true\nallow = [\"127.0.0.0/8\"]\nsecrets = [\"{secret}\"]\nsecret_headers = [\"Authorization: {token}\"]",
        receiver.url()
    );
    fs::write(&config, text).expect("a file");
    let config = config.to_str().expect("a plain path");
    let ran = kuzet(&["alert", "--config", config, "--test", "desk"], b"");
    assert_eq!(ran.code, 1, "{}", ran.talk);
    assert!(ran.talk.contains("not delivered: answered 500"), "{}", ran.talk);
    for part in [
        &format!("* connected to {}", receiver.address),
        "> POST /hook?from=kuzet HTTP/1.1",
        "> webhook-id: kuzet-test:",
        "> webhook-signature: v1,",
        "> authorization: ***",
        "\"wallet\":\"770***00\"",
        "< HTTP/1.1 500",
        "< content-length: 6",
        "< no\\u{1b}[2J",
    ] {
        assert!(ran.out.contains(part), "no {part} in\n{}", ran.out);
    }
    assert!(!ran.out.contains("hunter2") && !ran.out.contains(SECRET) && !ran.out.contains('\u{1b}'), "{}", ran.out);
    receiver.behave(Mode::Well);
    assert_eq!(kuzet(&["alert", "--config", config, "--test", "desk"], b"").code, 0);
    let chat = folder.path().join("chat.toml");
    let url = secret_in(folder.path(), "url", &receiver.url());
    let text = format!(
        "[[endpoints]]\nname = \"chat\"\nurl_file = \"{url}\"\nhttp = true\nallow = [\"127.0.0.0/8\"]\ntemplate = \"text\""
    );
    fs::write(&chat, text).expect("a file");
    let ran = kuzet(&["alert", "--config", chat.to_str().expect("a plain path"), "--test", "chat"], b"");
    assert!(ran.code == 0 && ran.out.contains("> POST /*** HTTP/1.1"), "{}{}", ran.out, ran.talk);
    assert!(!ran.out.contains("from=kuzet") && !ran.out.contains("webhook-signature"), "{}", ran.out);
    assert!(ran.out.contains("*hold*: transfer of wallet 770***00, score 400: kuzet-test 11 over 10"), "{}", ran.out);
    let unknown = kuzet(&["alert", "--config", config, "--test", "dsk"], b"");
    assert!(
        unknown.code == 2 && unknown.talk.contains("there is no endpoint `dsk`; there are desk"),
        "{}",
        unknown.talk
    );
}

#[test]
fn mistakes_are_told_at_once_and_in_their_places() {
    let text = "[[endpoints]]\nname = \"de sk\"\nurl = \"http://10.0.0.1/\"\nfilter = 'acton == \"hold\"'\nheaders = [\"Webhook-Id: 1\", \"Authorization: x\"]\n\
                allow = [\"10.0.0.1/8\"]\ndeadline = \"1m\"\ngroup = \"1 month\"\nsecrets = [\"whsec_aGVsbG8=\"]\ntemplate = \"text\"\ntext = \"{wallte}\"\nurll = \"\"\n";
    let said = configured(text).expect_err("many mistakes");
    for part in [
        "`endpoints.0.name` must be 1 to 64 letters",
        "`endpoints.0.url` is plain http",
        "there is no `acton` in a decision",
        "did you mean action?",
        "alert.toml:4:11",
        "which is not yours to set",
        "which is a secret: `secret_headers` names its file",
        "its network is `10.0.0.0/8`",
        "`endpoints.0.deadline` must be from 1 to 15000",
        "`endpoints.0.group` must be a fixed time",
        "a secret is not written here",
        "nothing called `wallte`",
        "there is no option `endpoints.0.urll`",
    ] {
        assert!(said.contains(part), "no {part} in\n{said}");
    }
    assert!(configured("").expect_err("nobody").contains("there are 0 [[endpoints]]"));
    let twice = "[[endpoints]]\nname = \"a-b\"\nurl = \"https://desk.example.com\"\nsecrets = [\"SECRET\"]\n".repeat(2);
    assert!(configured(&twice).expect_err("twice").contains("is the name of two endpoints"));
    let unsigned = "[[endpoints]]\nname = \"a\"\nurl = \"https://desk.example.com\"\n";
    assert!(configured(unsigned).expect_err("no secret").contains("KUZET_SECRET_ALERT_A"));
    assert!(configured(&format!("{unsigned}template = \"text\"\n")).is_ok(), "chat services check no signatures");
}

/// The alerts of a replay of the shipped operations, as `--alert-out` has them.
fn alerts_of(config: &str, more: &[&str]) -> Vec<Value> {
    let mut arguments = vec!["replay", "fixtures/operations.ndjson", "--alert", config, "--alert-out", "-"];
    arguments.extend(more);
    let ran = kuzet(&arguments, b"");
    assert_eq!(ran.code, 0, "{}", ran.talk);
    assert!(ran.talk.contains("not sent (--alert-send sends)"), "{}", ran.talk);
    ran.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_replay_tells_what_it_would_send_and_sends_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start(Mode::Well);
    let secret = secret_in(folder.path(), "secret", SECRET);
    let path = folder.path().join("alert.toml");
    let text = format!(
        "[retry]\nschedule = [\"1ms\", \"1ms\"]\n[endpoint]\nhttp = true\nallow = [\"127.0.0.0/8\"]\nfilter = 'action in [\"captcha\", \"block\"]'\n\
         [[endpoints]]\nname = \"desk\"\nurl = \"{}\"\nsecrets = [\"{secret}\"]\n",
        receiver.url()
    );
    fs::write(&path, &text).expect("a file");
    let config = path.to_str().expect("a plain path");
    let told = alerts_of(config, &[]);
    assert_eq!(told, alerts_of(config, &["--threads", "1"]), "on one thread or two");
    assert_eq!(receiver.connections(), 0, "nothing is sent by default");

    // What a plain replay says was blocked, and nothing else.
    let plain = kuzet(&["replay", "fixtures/operations.ndjson", "--out", "-"], b"");
    let decisions = plain.out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let is_duplicate =
        |decision: &Value| decision["flags"].as_array().is_some_and(|flags| flags.contains(&"duplicate".into()));
    let wanted = |decision: &Value| decision["action"] == "block" || decision["action"] == "captcha";
    let blocked = decisions.filter(|decision| wanted(decision) && !is_duplicate(decision));
    let blocked: Vec<Value> = blocked.map(|decision| decision["event"].clone()).collect();
    assert!(!blocked.is_empty());
    assert_eq!(told.iter().map(|alert| alert["body"]["data"]["event"].clone()).collect::<Vec<_>>(), blocked);

    receiver.behave(Mode::Status(503, Some(("Retry-After", "0".to_owned()))));
    let failed = kuzet(&["replay", "fixtures/operations.ndjson", "--alert", config, "--alert-send"], b"");
    assert!(failed.code == 1 && failed.talk.contains("not all alerts were delivered"), "{}", failed.talk);
    assert!(failed.out.contains("not delivered: answered 503"), "{}", failed.out);
    assert_eq!(receiver.got().len(), 9, "three alerts, three attempts each, and then no more");
    receiver.behave(Mode::Well);
    let sent = kuzet(&["replay", "fixtures/operations.ndjson", "--alert", config, "--alert-send"], b"");
    assert!(sent.code == 0 && sent.out.contains("all delivered"), "{}{}", sent.talk, sent.out);
    let got = receiver.got().split_off(9);
    let got = got.iter().map(|request| {
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        serde_json::json!({ "webhook-id": request.header("webhook-id"), "endpoint": "desk", "body": body })
    });
    assert_eq!(got.collect::<Vec<_>>(), told, "what was told is what is sent");

    fs::write(&path, text.replace("allow =", "group = \"12h\"\nallow =")).expect("a file");
    let grouped = alerts_of(config, &[]);
    let counts = grouped.iter().map(|alert| alert["body"]["data"]["group"]["count"].as_u64().expect("a count"));
    assert_eq!(counts.sum::<u64>(), u64::try_from(told.len()).expect("it fits"));
    assert!(grouped.len() < told.len(), "{} of {}", grouped.len(), told.len());
}

#[test]
fn alerts_spare_what_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("alert.toml");
    let text = "[[endpoints]]\nname = \"desk\"\nurl = \"https://desk.example.com\"\n";
    fs::write(&path, text).expect("a file");
    let config = path.to_str().expect("a plain path");
    let replay =
        |more: &[&str]| kuzet(&[&["replay", "fixtures/operations.ndjson", "--alert", config], more].concat(), b"");
    let ran = replay(&["--alert-out", config]);
    assert!(ran.code == 2 && ran.talk.contains("would overwrite"), "{}", ran.talk);
    assert_eq!(fs::read_to_string(&path).expect("it is there"), text);
    let ran = replay(&["--alert-out", "-", "--out", "-"]);
    assert!(ran.code == 2 && ran.talk.contains("--out and --alert-out both write to -"), "{}", ran.talk);
    let ran = replay(&[]);
    assert!(ran.code == 0 && ran.talk.contains("\"endpoint\":\"desk\"") && ran.out.contains("desk: "), "{}", ran.talk);
}

#[test]
fn the_documents_configure_what_they_say() {
    let examples = blocks("README.md", "toml").into_iter().filter(|block| block.contains("[[endpoints]]"));
    let mut loaded = 0;
    for text in examples {
        let source = Source { path: "README.md".to_owned(), text };
        let config =
            config::load(source, config::Secrets::Left).unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
        loaded += config.endpoints.len();
    }
    assert_eq!(loaded, 2);
    for option in config::BUILT_IN.options() {
        let grouped = ["endpoint.rate_within"].contains(&option.path.as_str());
        assert!(!option.help.is_empty() || grouped, "{} says why", option.path);
    }
    let defaults =
        configured("[[endpoints]]\nname = \"a\"\nurl = \"https://desk.example.com\"\nsecrets = [\"SECRET\"]\n");
    let defaults = defaults.unwrap_or_else(|wrong| panic!("{wrong}"));
    let seconds: Vec<u64> = defaults.retry.schedule.iter().map(Duration::as_secs).collect();
    assert_eq!(seconds, [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000], "what Standard Webhooks recommends");
    let receiver = defaults.endpoints[0].receiver.as_ref().expect("secrets were read");
    assert_eq!(receiver.deadline, Duration::from_secs(15));
    assert!(receiver.allow.is_empty() && !defaults.endpoints[0].full);
}
