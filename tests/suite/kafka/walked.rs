//! The part of the walk-through that reads production's topic, run on a topic that `kuzet run` has worked on.

use super::{
    layout,
    sidecar::{Events, Feeder, Sidecar, created, wait_until_decided},
};
use crate::{broker, investigation};
use kuzet::kafka::topics::Role;
use std::fs;

#[test]
fn commands_of_the_investigation_that_read_a_topic() {
    let Some(broker) = broker::shared() else { return };
    let test = "walked";
    created(broker, test);
    let (mut feeder, mut events) = (Feeder::new(broker, test), Events::new(51, 50));
    feeder.feed(&mut events, 3_000);
    let mut sidecar = Sidecar::start(broker, test, &["--start", "earliest"]);
    sidecar.wait_until_ready();
    wait_until_decided(broker, test);
    let (status, told) = sidecar.terminate();
    assert_eq!(status.code(), Some(0), "{told}");

    let folder = investigation::folder();
    let file = folder.path().join("production.toml");
    let layout = layout(test);
    let names = Role::ALL.map(|role| format!("{} = \"{}\"\n", role.name().replace('-', "_"), layout.name(role)));
    let text = fs::read_to_string(&file).expect("the page's configuration");
    assert!(text.contains("127.0.0.1:9092"), "{text}");
    let text = text.replace("127.0.0.1:9092", &broker.address());
    let text = format!("{}group = \"{test}\"\n[topics]\n{}", text, names.concat());
    fs::write(&file, text).expect("a file");
    let mut run = 0;
    for mut step in investigation::steps().into_iter().filter(investigation::Step::needs_broker) {
        // Tests share a broker, so that their topics bear their names.
        for line in &mut step.shown {
            *line = line.replace("topic operations", &format!("topic {}", layout.name(Role::Operations)));
            *line = line.replace("topic decisions", &format!("topic {}", layout.name(Role::Decisions)));
        }
        step.run(folder.path());
        run += 1;
    }
    assert_eq!(run, 4, "commands that read a topic");
}
