//! A progress bar on standard error, for long inputs at a terminal.

use crate::wording::{grouped, several};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

/// A replay that takes less shows no bar.
const APPEARS_AFTER: Duration = Duration::from_secs(1);

/// The bar, which comes into being only when the work turns out to be long.
pub struct Progress {
    wanted: bool,
    began: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Never shown where standard error is no terminal, nor when `hidden`.
    #[must_use]
    pub fn new(hidden: bool) -> Progress {
        Progress { wanted: !hidden && std::io::stderr().is_terminal(), began: Instant::now(), bar: None }
    }

    /// Told now and then how many bytes have been read, of how many, and how many records.
    pub fn tell(&mut self, (read, total): (u64, Option<u64>), records: u64) {
        if !self.wanted || (self.bar.is_none() && self.began.elapsed() < APPEARS_AFTER) {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| bar(total).with_elapsed(self.began.elapsed()));
        bar.set_message(message(records, self.began.elapsed()));
        bar.set_position(read);
    }

    /// Takes the bar off the screen.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// How many records there have been, and how many a second. Sorting reads everything before there is a first one.
fn message(records: u64, elapsed: Duration) -> String {
    if records == 0 {
        return "reading".to_owned();
    }
    let a_second = u128::from(records) * 1_000 / elapsed.as_millis().max(1);
    let a_second = u64::try_from(a_second).unwrap_or(u64::MAX);
    format!("{}, {} a second", several(records, "record"), grouped(a_second))
}

fn bar(total: Option<u64>) -> ProgressBar {
    let template = match total {
        Some(_) => "{bar:30} {percent:>3} %  {binary_bytes}/{binary_total_bytes}  {msg}  {eta} left",
        None => "{spinner} {binary_bytes}  {msg}  {elapsed}",
    };
    let style = ProgressStyle::with_template(template).expect("the template is one of the two above");
    ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(5)).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_has_a_rate() {
        for (records, millis, expected) in [
            (0, 5_000, "reading"),
            (1, 2_000, "1 record, 0 a second"),
            (1_500_000, 2_000, "1,500,000 records, 750,000 a second"),
            (7, 0, "7 records, 7,000 a second"),
        ] {
            assert_eq!(message(records, Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn both_bars_have_a_template() {
        for total in [None, Some(10)] {
            bar(total).finish_and_clear();
        }
    }
}
