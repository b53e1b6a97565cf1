//! Small sets of events in every order that they can arrive in. A mistake in what a late event sees shows up in some
//! permutation of five events, and five events can be worked out on paper.

use super::records::{Draft, Wording, instant};

/// A pack with one thing in it, and every order of a few events.
pub struct SmallSet {
    pub name: &'static str,
    pub pack: String,
    pub orders: Vec<Vec<Vec<u8>>>,
}

const HEAD: &str = "name = \"small\"\nversion = \"1\"\ntimezone = \"Asia/Almaty\"\ncurrency = \"KZT\"\n[event.transfer]\nrequires = [\"amount\", \"counterparty\"]\n\
    [event.login]\n[event.failed]\n[event.order]\n[event.proof]\n[event.nothing]\n";

/// Type, time of 2024-02-29 or a whole instant, and further fields as JSON.
type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const SETS: &[(&str, &str, &[Row])] = &[
    (
        "count",
        "[[rule]]\nid = \"r\"\non = [\"login\"]\ncount = { within = \"10m\", over = 1 }\n",
        &[
            ("login", "10:00:00", &[]),
            ("login", "10:10:00", &[]),
            ("login", "10:10:00.001", &[]),
            ("login", "10:15:00", &[]),
            ("login", "10:20:00", &[]),
            ("nothing", "10:25:00", &[]),
        ],
    ),
    (
        "count by address",
        "[[rule]]\nid = \"r\"\non = [\"login\"]\ncount = { per = [\"ip\"], within = \"10m\", over = 1 }\n",
        &[
            ("login", "10:00:00", &[("ip", "\"10.0.0.1\"")]),
            ("login", "10:10:00", &[("ip", "\"::ffff:10.0.0.1\"")]),
            ("login", "10:18:00", &[("ip", "\"10.0.0.1\"")]),
            ("login", "10:25:00", &[("ip", "\"10.0.0.2\"")]),
            ("login", "10:40:00", &[]),
        ],
    ),
    (
        "sum",
        "[[rule]]\nid = \"r\"\non = [\"transfer\"]\nsum = { of = \"amount\", within = \"30m\", over = 10 }\n",
        &[
            ("transfer", "10:00:00", &[("amount", "4"), ("counterparty", "\"c\"")]),
            ("transfer", "10:20:00", &[("amount", "\"5.5\""), ("counterparty", "\"c\"")]),
            ("transfer", "10:20:00", &[("amount", "0.5"), ("counterparty", "\"c\"")]),
            ("transfer", "10:30:00", &[("amount", "0.01"), ("counterparty", "\"c\"")]),
            ("transfer", "10:50:00", &[("amount", "6"), ("counterparty", "\"c\"")]),
        ],
    ),
    (
        "sum of a calendar day",
        "[[rule]]\nid = \"r\"\non = [\"transfer\"]\nsum = { of = \"amount\", within = \"calendar day\", over = 10 }\n",
        &[
            ("transfer", "2024-02-28T17:59:59.999Z", &[("amount", "6"), ("counterparty", "\"c\"")]),
            ("transfer", "2024-02-28T18:00:00Z", &[("amount", "5"), ("counterparty", "\"c\"")]),
            ("transfer", "2024-02-29T18:30:00Z", &[("amount", "6"), ("counterparty", "\"c\"")]),
            ("transfer", "2024-02-29T19:00:00Z", &[("amount", "7"), ("counterparty", "\"c\"")]),
            ("transfer", "2024-03-01T18:59:59Z", &[("amount", "8"), ("counterparty", "\"c\"")]),
        ],
    ),
    (
        "distinct",
        "[[rule]]\nid = \"r\"\non = [\"login\"]\ndistinct = { of = \"device\", within = \"10m\", over = 1 }\n",
        &[
            ("login", "10:00:00", &[("device", "\"x\"")]),
            ("login", "10:05:00", &[("device", "\"x\"")]),
            ("login", "10:08:00", &[]),
            ("login", "10:10:00", &[("device", "\"y\"")]),
            ("login", "10:15:00", &[("device", "\"x\"")]),
            ("login", "10:20:00", &[("device", "\"z\"")]),
        ],
    ),
    (
        "change",
        "[[rule]]\nid = \"r\"\non = [\"login\"]\nchange = { of = \"country\", within = \"10m\" }\n",
        &[
            ("login", "10:00:00", &[("country", "\"KZ\"")]),
            ("login", "10:05:00", &[]),
            ("login", "10:10:00", &[("country", "\"RU\"")]),
            ("login", "10:10:00", &[("country", "\"CN\"")]),
            ("login", "10:20:00", &[("country", "\"CN\"")]),
            ("login", "10:21:00", &[("country", "\"KZ\"")]),
        ],
    ),
    (
        "streak from",
        "[[rule]]\nid = \"r\"\non = [\"failed\"]\nstreak = { reset = [\"login\"], within = \"10m\", from = 2 }\n",
        &[
            ("failed", "10:00:00", &[]),
            ("failed", "10:10:00", &[]),
            ("failed", "10:05:00", &[]),
            ("login", "10:12:00", &[]),
            ("failed", "10:20:00.001", &[]),
            ("nothing", "10:26:00", &[]),
        ],
    ),
    (
        "streak at",
        "[[rule]]\nid = \"r\"\non = [\"failed\"]\nstreak = { within = \"10m\", at = 2 }\naction = \"block\"\ncounts = \"accepted\"\n\
         [[rule]]\nid = \"s\"\non = [\"failed\"]\nstreak = { within = \"10m\", at = 2 }\n",
        &[
            ("failed", "10:00:00", &[]),
            ("failed", "10:05:00", &[]),
            ("failed", "10:10:00", &[]),
            ("failed", "10:20:00", &[]),
            ("failed", "10:30:00.001", &[]),
        ],
    ),
    (
        "new",
        "[[rule]]\nid = \"r\"\non = [\"login\"]\nnew = { of = \"device\", within = \"10m\" }\n",
        &[
            ("login", "10:00:00", &[("device", "\"x\"")]),
            ("login", "10:10:00", &[("device", "\"y\"")]),
            ("login", "10:10:00.001", &[("device", "\"x\"")]),
            ("login", "10:20:00", &[("device", "\"y\"")]),
            ("login", "10:31:00", &[("device", "\"z\"")]),
        ],
    ),
    (
        "idle",
        "[[rule]]\nid = \"r\"\non = [\"transfer\", \"login\"]\nidle = { since = [\"transfer\"], over = \"1h\" }\n",
        &[
            ("transfer", "10:00:00", &[("amount", "1"), ("counterparty", "\"c\"")]),
            ("transfer", "11:00:00.001", &[("amount", "1"), ("counterparty", "\"c\"")]),
            ("login", "11:30:00", &[]),
            ("transfer", "12:00:00.001", &[("amount", "1"), ("counterparty", "\"c\"")]),
            ("login", "13:00:00.002", &[]),
        ],
    ),
    (
        "after",
        "[[rule]]\nid = \"r\"\non = [\"transfer\"]\nafter = { of = [\"login\"], within = \"10m\" }\n",
        &[
            ("login", "10:00:00", &[]),
            ("transfer", "10:10:00", &[("amount", "1"), ("counterparty", "\"c\"")]),
            ("transfer", "10:10:00.001", &[("amount", "1"), ("counterparty", "\"c\"")]),
            ("login", "10:10:00.001", &[]),
            ("transfer", "10:09:00", &[("amount", "1"), ("counterparty", "\"c\"")]),
            ("nothing", "10:15:00.001", &[]),
        ],
    ),
    (
        "months",
        "[[rule]]\nid = \"r\"\non = [\"login\"]\ncount = { within = \"1 months\", over = 1 }\n",
        &[
            ("login", "2024-01-29T23:30:00+06:00", &[]),
            ("login", "2024-01-30T10:00:00+06:00", &[]),
            ("login", "2024-01-31T23:59:00+06:00", &[]),
            ("login", "2024-02-02T10:00:00+06:00", &[]),
            ("login", "2024-02-05T00:00:00+06:00", &[]),
        ],
    ),
    (
        "restriction",
        "[restriction.held]\naction = \"hold\"\non = [\"transfer\"]\nimposed_by = [\"order\"]\nlasts = \"10m\"\nlifted_by = [\"proof\"]\n",
        &[
            ("order", "10:00:00", &[]),
            ("transfer", "10:05:00", &[("amount", "1"), ("counterparty", "\"c\"")]),
            ("transfer", "10:09:59.999", &[("amount", "2"), ("counterparty", "\"c\"")]),
            ("proof", "10:10:00", &[]),
            ("nothing", "10:12:00", &[]),
            ("proof", "10:06:00", &[]),
        ],
    ),
    (
        "waiting for two",
        "[restriction.one]\naction = \"hold\"\non = [\"transfer\"]\nimposed_by = [\"order\"]\nlasts = \"10m\"\nrenews = true\n\
         [restriction.two]\naction = \"pin\"\non = [\"transfer\"]\nlifted_by = [\"proof\"]\n\
         [[rule]]\nid = \"r\"\non = [\"transfer\"]\nwhen = \"amount > 1\"\nrestrict = \"two\"\n",
        &[
            ("order", "10:00:00", &[]),
            ("order", "10:05:00", &[]),
            ("transfer", "10:06:00", &[("amount", "2"), ("counterparty", "\"c\"")]),
            ("transfer", "10:09:00", &[("amount", "1"), ("counterparty", "\"c\"")]),
            ("proof", "10:14:00", &[]),
            ("nothing", "10:15:00", &[]),
        ],
    ),
];

/// Every order of every small set; a set of six has 720.
pub fn orders_of_small_sets() -> Vec<SmallSet> {
    SETS.iter()
        .map(|(name, pack, rows)| {
            let events: Vec<Vec<u8>> = rows.iter().enumerate().map(|(number, row)| event(number, row)).collect();
            SmallSet { name, pack: format!("{HEAD}{pack}"), orders: orders(&events) }
        })
        .collect()
}

fn event(number: usize, (kind, time, members): &Row) -> Vec<u8> {
    let time = if time.contains('T') { (*time).to_owned() } else { format!("2024-02-29T{time}Z") };
    let draft = Draft::new(format!("e{number}"), kind, instant(&time), "w");
    members.iter().fold(draft, |draft, (name, json)| draft.with(name, json)).print(Wording::PLAIN)
}

/// Every permutation.
fn orders(events: &[Vec<u8>]) -> Vec<Vec<Vec<u8>>> {
    if events.is_empty() {
        return vec![Vec::new()];
    }
    let mut found = Vec::new();
    for first in 0..events.len() {
        let mut others = events.to_vec();
        let event = others.remove(first);
        for mut rest in orders(&others) {
            rest.insert(0, event.clone());
            found.push(rest);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_there() {
        for set in orders_of_small_sets() {
            let events = set.orders[0].len();
            assert_eq!(set.orders.len(), (1..=events).product::<usize>(), "{}", set.name);
        }
    }
}
