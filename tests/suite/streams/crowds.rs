//! Random packs with so many more rules that they are found by their conditions instead of being asked one by one.

use super::{
    Random,
    packs::{CONDITIONS, list, random_pack},
    records::{OPERATIONS, OTHERS},
};

const MEASURES: &[&str] = &[
    "",
    "count = { within = \"1h\", over = 2 }",
    "count = { per = [\"ip\"], within = \"30m\", over = 1 }",
    "sum = { of = \"amount\", within = \"1d\", over = 250 }",
    "sum = { of = \"amount\", within = \"calendar day\", over = \"2 MCI\" }",
    "distinct = { of = \"counterparty\", within = \"2h\", over = 1 }",
    "change = { of = \"country\", within = \"2h\" }",
    "streak = { reset = [\"login\"], within = \"1h\", from = 2 }",
    "new = { of = \"device\", within = \"1d\" }",
    "idle = { since = [\"transfer\"], over = \"1h\" }",
    "after = { of = [\"topup\"], within = \"30m\" }",
];

/// Bounds that meet the amounts of the streams exactly, and texts that are theirs.
const MORE: &[&str] = &[
    "amount == 100",
    "amount in [50, 150.00, 99.995]",
    "amount >= 100 && amount <= 150",
    "!(amount > 100)",
    "100.00 <= amount",
    "attributes.level >= 2.5",
    "attributes.tag in [\"a\", \"b\"]",
    "attributes.tag == \"b\" && !anonymous",
    "device.startsWith(\"d\")",
    "client_status == \"identified\"",
    "!has(ip)",
];

/// A [`random_pack`] with at least 60 rules more.
pub fn crowded_pack(seed: u64) -> String {
    let mut random = Random::new(seed.wrapping_mul(104_729).wrapping_add(7));
    let conditions: Vec<&str> = CONDITIONS.iter().chain(MORE).copied().collect();
    let types: Vec<&str> = OPERATIONS.iter().chain(OTHERS).copied().collect();
    let mut pack = random_pack(seed);
    for number in 0..60 + random.below(40) {
        let when = match random.below(4) {
            0 => random.pick(&conditions).to_owned(),
            1 => format!("({}) || ({})", random.pick(&conditions), random.pick(&conditions)),
            2 => format!("!({}) && ({})", random.pick(&conditions), random.pick(&conditions)),
            _ => format!("({}) && ({})", random.pick(&conditions), random.pick(&conditions)),
        };
        let when = if random.chance(90) { format!("when = '{when}'\n") } else { String::new() };
        let measure = random.pick(MEASURES);
        let counts = if !measure.is_empty() && random.chance(30) { "counts = \"accepted\"\n" } else { "" };
        let action = random.pick(&["monitor", "captcha", "monitor", "hold", "refuse"]);
        let mode = random.pick(&["live", "live", "shadow", "shadow", "off"]);
        let score = random.below(20);
        let on = list(if random.chance(70) { &types } else { OPERATIONS });
        pack += &format!(
            "\n[[rule]]\nid = \"crowd-{number}\"\non = {on}\n{when}{measure}\n{counts}action = \"{action}\"\nscore = {score}\nmode = \"{mode}\"\n"
        );
    }
    pack
}
