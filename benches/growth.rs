//! What an event costs as things grow: rules, one wallet's events, wallets, and the memory that wallets take.
//!
//! Four curves, each a table with the bound that it must keep: `--measure rules`, `wallet`, `wallets` or `memory`; all
//! without it. Events are written while nothing is timed, a chunk at a time, so that a run of ten million wallets
//! needs no gigabytes of input. Costs are those of all three steps, bytes to bytes; decoding the same chunk alone is
//! timed beside it, for a ratio of whole costs flatters a slow step by the same decoding in both.

#[path = "support/arguments.rs"]
mod arguments;
#[path = "growth/cost.rs"]
mod cost;
#[path = "support/draft.rs"]
mod draft;
#[path = "growth/memory.rs"]
mod memory;
#[path = "support/packs.rs"]
mod packs;
#[path = "growth/rules.rs"]
mod rules;
#[path = "support/together.rs"]
mod together;
#[path = "growth/wallet.rs"]
mod wallet;
#[path = "growth/wallets.rs"]
mod wallets;

/// A name, and what prints its table: small and without meaning in test mode.
type Curve = (&'static str, fn(bool));

fn main() {
    let test = arguments::test_mode();
    if let Some(wallets) = arguments::value("--memory-of") {
        return memory::child(wallets.parse().expect("--memory-of takes a number of wallets"));
    }
    if test {
        println!("On little data, to see that it runs: the figures mean nothing.");
    }
    let wanted = arguments::value("--measure");
    let curves: [Curve; 4] = [
        ("rules", rules::measure),
        ("wallet", wallet::measure),
        ("wallets", wallets::measure),
        ("memory", memory::measure),
    ];
    for (name, measure) in curves {
        if wanted.as_ref().is_none_or(|wanted| wanted == name) {
            println!("\n## {name}");
            measure(test);
        }
    }
}
