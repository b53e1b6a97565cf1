//! `replay --report`: what the page says is what the replay found, nothing in it runs but its own scripts, and a real browser
//! draws every chart without a complaint.
//!
//! The browser is Chromium without a window (`KUZET_BROWSER` names another). Where there is none the test says on the
//! terminal that it was left out and passes; with `KUZET_REQUIRE_BROWSER=1` that fails.

use crate::{
    cli::{kuzet, path},
    harness::in_repository,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

/// Everything that a report can have: labels, sweeps of numbers and of spans, and a comparison.
struct Case {
    folder: tempfile::TempDir,
    arguments: Vec<String>,
}

impl Case {
    fn new() -> Case {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| path(&folder.path().join(name)).to_owned();
        let flags = ["generate", "--events", "3000", "--patterns", "1", "--seed", "5", "--bad", "9"];
        let ran = kuzet(&[&flags[..], &["--out", &at("events.ndjson"), "--truth", &at("truth.ndjson")]].concat(), b"");
        assert_eq!(ran.code, 0, "{}", ran.talk);
        let mut labels = "event,wallet,label\n".to_owned();
        for line in fs::read_to_string(at("truth.ndjson")).expect("the truth").lines() {
            let value: Value = serde_json::from_str(line).expect("JSON");
            let label = if value["near_miss"] == true { "legitimate" } else { "fraud" };
            for event in value["events"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                labels += &format!("{event},{},{label}\n", value["wallet"].as_str().expect("a wallet"));
            }
        }
        fs::write(at("labels.csv"), labels).expect("a file");
        let arguments = [
            "replay",
            &at("events.ndjson"),
            "--labels",
            &at("labels.csv"),
            "--compare",
            "rules/typologies.toml",
            "--sweep",
            "equal-transfers.over=5..15:5",
            "--sweep",
            "country-change.within=1h,2h,1d",
            "--sweep",
            "large-transfer.limit=99999999,999999999",
        ];
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Case { folder, arguments }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The page and the summary that goes with it.
    fn report(&self, more: &[&str]) -> (String, Value) {
        let file = self.file("report.html");
        let mut arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        arguments.extend(["--json", "--report", path(&file)]);
        arguments.extend(more);
        let ran = kuzet(&arguments, b"");
        assert_eq!(ran.code, 0, "{}", ran.talk);
        (fs::read_to_string(file).expect("the page"), serde_json::from_str(&ran.out).expect("one JSON object"))
    }
}

/// What the charts are drawn from.
fn data(html: &str) -> Value {
    let data = html.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next()).expect("the data");
    serde_json::from_str(data).expect("JSON")
}

fn sum(values: &Value) -> u64 {
    match values {
        Value::Array(values) => values.iter().map(sum).sum(),
        value => value.as_u64().expect("a count"),
    }
}

#[test]
fn the_page_says_what_the_summary_says() {
    let (html, summary) = Case::new().report(&[]);
    let data = data(&html);
    let actions = data["actions"].as_array().expect("actions");
    let over_time: Vec<u64> = (0..actions.len())
        .map(|place| data["time"]["buckets"].as_array().expect("buckets").iter().map(|of| sum(&of[1][place])).sum())
        .collect();
    let left_out = html.split(" decisions lie far").next().and_then(|before| before.rsplit('>').next());
    let left_out: u64 = left_out.and_then(|count| count.parse().ok()).unwrap_or(0);
    assert_eq!(over_time.iter().sum::<u64>() + left_out, summary["decided"].as_u64().expect("a count"));
    for (action, count) in actions.iter().zip(over_time) {
        let all = summary["actions"][action.as_str().expect("a name")].as_u64().expect("a count");
        assert!(count <= all && all <= count + left_out, "{action}: {count} of {all}");
    }
    let hours = data["hours"].as_array().expect("days");
    let of_kind = |kind: usize| -> u64 {
        hours.iter().flat_map(|day| day.as_array().expect("hours")).map(|hour| sum(&hour[kind])).sum()
    };
    let acted = sum(&summary["decided"]) - sum(&summary["actions"]["allow"]);
    assert_eq!([of_kind(0), of_kind(1)], [sum(&summary["decided"]), acted]);
    for rule in summary["rules"].as_array().expect("rules") {
        let drawn = data["rules"].as_array().expect("rules").iter().find(|drawn| drawn["rule"] == rule["rule"]);
        assert_eq!(drawn.expect("the rule")["hits"], rule["hits"]);
    }
    let scores = data["scores"].as_array().expect("scores");
    let repeats = sum(&summary["labels"]["repeats"]);
    assert_eq!(scores.iter().map(|of| sum(&of[1])).sum::<u64>() + repeats, sum(&summary["decided"]));
    let fraud: u64 = scores.iter().map(|of| sum(&of[1][0])).sum();
    assert_eq!(fraud, sum(&summary["labels"]["events"]["fraud"]));
    assert_eq!(data["labels"], summary["labels"]);
    assert_eq!(data["sweeps"], summary["sweeps"]);
    assert_eq!(data["compare"]["rules"], summary["compare"]["rules"]);
    for pack in ["rules/onevision.toml", "rules/typologies.toml"] {
        let text = fs::read_to_string(in_repository(pack)).expect("a pack");
        let shown = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let shown = shown.replace('"', "&quot;").replace('\'', "&#39;");
        assert!(html.contains(&shown), "{pack} is shown to the letter");
    }
}

#[test]
fn the_same_input_is_the_same_page() {
    let case = Case::new();
    let first = case.report(&["--threads", "1"]).0;
    assert!(first == case.report(&["--threads", "1"]).0, "two runs");
    assert!(first == case.report(&["--threads", "2"]).0, "two threads");
}

const HOSTILE: &str = "</script><img src=x onerror=document.documentElement.dataset.hit=1>";

/// A pack, events, labels and lists of somebody who would have the page run something.
fn hostile() -> Case {
    let mut case = Case::new();
    let pack = format!(
        "# </pre>{HOSTILE}\nname = \"bad\"\nversion = \"1\"\nuses = [\"onevision.toml\"]\n\
         [lists.mules]\nentries = [\"77010000009\", \"other\"]\n\
         [[rule]]\nid = \"any\"\nclause = '''{HOSTILE}'''\ntitle = '''{HOSTILE}'''\non = [\"transfer\"]\n\
         when = 'counterparty in lists.mules'\naction = \"hold\"\n"
    );
    fs::write(case.file("bad.toml"), pack).expect("a pack");
    let wallet = HOSTILE.trim_start_matches("</script>");
    let event = |id: &str, amount: &str| {
        format!(
            r#"{{"id":"{id}{HOSTILE}","type":"transfer","time":"2026-03-01T08:00:00Z","wallet":"{wallet}","counterparty":"77010000009","amount":"{amount}"}}"#
        ) + "\n"
    };
    let rejected = format!(r#"{{"id":"e-3","type":"{HOSTILE}","time":"2026-03-01T08:00:00Z","wallet":"w"}}"#);
    let input = event("e-1", "5000") + &event("e-2", "150000") + &rejected + "\n";
    fs::write(case.file("bad.ndjson"), input).expect("events");
    let arguments = ["replay", "bad.ndjson", "--rules", "bad.toml", "--compare", "rules/onevision.toml"];
    case.arguments = arguments
        .iter()
        .map(|name| if name.starts_with("bad") { path(&case.file(name)).to_owned() } else { (*name).to_owned() })
        .collect();
    case
}

#[test]
fn what_others_wrote_is_text() {
    let case = hostile();
    for names in ["masked", "full"] {
        let (html, _) = case.report(&["--report-wallets", names]);
        let [start, end] = ["<body>", "<script>"].map(|mark| html.find(mark).expect("a page"));
        assert!(!html[start..end].contains("<img"), "{names}");
        assert!(html[start..end].contains("&lt;img src=x onerror="), "{names}");
        assert_eq!(html[start..end].contains("77010000009"), names == "full", "names of lists");
    }
}

#[test]
fn wallets_are_masked_unless_they_are_asked_for() {
    let case = Case::new();
    let (full, _) = case.report(&["--report-wallets", "full"]);
    let named: Vec<Value> = data(&full)["wallets"].as_array().expect("wallets").clone();
    assert!(named.len() > 3, "some wallets are named");
    // Examples in packs have wallets that are nobody's.
    let html = case.report(&[]).0;
    let page = html.split("<section id=\"rule-texts\"").next().expect("a first part");
    let masked = format!("{page}{}", data(&html));
    for wallet in named.iter().map(|of| of["wallet"].as_str().expect("a wallet")) {
        assert!(full.contains(wallet) && !masked.contains(wallet), "{wallet}");
    }
    let events = fs::read(case.file("events.ndjson")).expect("the events");
    for line in String::from_utf8_lossy(&events).lines() {
        let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
        for field in ["wallet", "counterparty", "ip"] {
            // A shorter text of a bad record may be part of anything.
            let text = event[field].as_str().filter(|text| text.len() > 9);
            assert!(text.is_none_or(|text| !masked.contains(text)), "{line}");
        }
    }
}

#[test]
fn the_libraries_are_the_released_files() {
    let folder = in_repository("src/replay/report/assets");
    let table = fs::read_to_string(folder.join("README.md")).expect("the table");
    for library in ["d3", "plot"] {
        let bytes = fs::read(folder.join(format!("{library}.min.js"))).expect("the library");
        let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let row = table.lines().find(|line| line.starts_with(&format!("| `{library}.min.js`"))).expect("its row");
        assert!(row.contains(&hash), "{library} is {hash}, not what {row} says");
        let licence = fs::read_to_string(folder.join(format!("{library}.LICENSE"))).expect("the licence");
        assert!(licence.contains("Permission to use, copy, modify, and/or distribute this software"));
    }
}

#[test]
fn wrong_reports_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("one");
    fs::write(&file, "").expect("a file");
    let file = path(&file);
    for (arguments, expected) in [
        (vec!["-", "--out", file, "--report", file], "--out and --report both write to"),
        (vec![file, "--report", file], "would overwrite"),
        (vec!["-", "--report-wallets", "full"], "--report"),
    ] {
        let ran = kuzet(&[&["replay"], &arguments[..]].concat(), b"");
        assert!(ran.code == 2 && ran.talk.contains(expected), "{}", ran.talk);
    }
}

/// The browser, or nothing where the calling test is to be left out.
fn browser(test: &str) -> Option<PathBuf> {
    let named = env::var_os("KUZET_BROWSER").map(PathBuf::from);
    let folders = || env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>();
    let usual = ["chromium", "chromium-browser", "google-chrome"];
    let found = named.or_else(|| {
        folders().iter().flat_map(|folder| usual.map(|name| folder.join(name))).find(|program| program.is_file())
    });
    if found.is_none() {
        assert!(env::var_os("KUZET_REQUIRE_BROWSER").is_none(), "no Chromium for {test}");
        let line = format!("\n!!! LEFT OUT: {test}: no Chromium on this machine\n");
        io::stderr().write_all(line.as_bytes()).expect("standard error takes a line");
    }
    found
}

/// Opens a page without a network; gives what is asked for and what its console says.
fn open(browser: &Path, page: &Path, flags: &[&str]) -> (String, Vec<String>) {
    let profile = tempfile::tempdir().expect("a folder");
    let ran = Command::new(browser)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--enable-logging=stderr"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=3000"])
        .arg(format!("--user-data-dir={}", path(profile.path())))
        .args(flags)
        .arg(format!("file://{}", path(page)))
        .output()
        .expect("the browser runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    let console = said.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    (String::from_utf8_lossy(&ran.stdout).into_owned(), console)
}

const DARK: &str = "--blink-settings=preferredColorScheme=0";

#[test]
fn a_browser_draws_every_chart() {
    let Some(browser) = browser("a_browser_draws_every_chart") else { return };
    let (whole, hostile) = (Case::new(), hostile());
    // Labels that no rule meets, and values that never hit.
    let idle = Case::new();
    fs::write(idle.file("labels.csv"), "event,label\nnobody,fraud\n").expect("a file");
    for (case, charts, names) in [(&whole, 18, "masked"), (&hostile, 8, "full"), (&idle, 18, "masked")] {
        let (html, _) = case.report(&["--report-wallets", names]);
        let page = case.file("report.html");
        assert_eq!(html.matches("<figure data-chart=").count(), charts);
        for flags in
            [["--window-size=1280,900", "--lang=en"], ["--window-size=390,844", "--lang=en"], [DARK, "--lang=kk"]]
        {
            let (dom, console) = open(&browser, &page, &[&flags[..], &["--dump-dom"]].concat());
            assert!(console.is_empty(), "{flags:?}: {console:#?}");
            let drawn = format!("data-charts=\"{charts} of {charts}\"");
            assert!(dom.contains(&drawn), "{flags:?}: not {drawn}");
            assert!(!dom.contains("NaN") || html.contains("NaN"), "{flags:?}: a place that is no number");
            assert!(!dom.contains("data-hit"), "{flags:?}: a text has run");
            assert_eq!(dom.matches("<img").count(), html.matches("<img").count(), "{flags:?}");
        }
        let pdf = case.file("report.pdf");
        let flag = format!("--print-to-pdf={}", path(&pdf));
        let (_, console) = open(&browser, &page, &[&flag]);
        assert!(console.is_empty(), "{console:#?}");
        assert!(fs::read(&pdf).expect("paper").starts_with(b"%PDF-"));
    }
}

/// Nothing at all is a page without charts.
#[test]
fn a_report_of_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("report.html");
    let ran = kuzet(&["replay", "-", "--report", path(&page)], b"");
    assert_eq!(ran.code, 0, "{}", ran.talk);
    assert!(fs::read_to_string(&page).expect("the page").contains("Nothing was decided."));
    let Some(browser) = browser("a_report_of_nothing") else { return };
    let (dom, console) = open(&browser, &page, &["--dump-dom"]);
    assert!(console.is_empty() && dom.contains("data-charts=\"0 of 0\""), "{console:#?}");
}

/// A script that the page's policy does not name does not run, and the console says so: silence means something.
#[test]
fn a_browser_says_what_it_refuses() {
    let Some(browser) = browser("a_browser_says_what_it_refuses") else { return };
    let case = Case::new();
    let (html, _) = case.report(&[]);
    let planted = "<script>document.documentElement.dataset.hit=1</script><img src=\"x.png\"></body>";
    let page = case.file("report.html");
    fs::write(&page, html.replace("</body>", planted)).expect("a page");
    let (dom, console) = open(&browser, &page, &["--dump-dom"]);
    assert!(!dom.contains("data-hit"));
    assert_eq!(console.iter().filter(|line| line.contains("Content Security Policy")).count(), 2, "{console:#?}");
}
