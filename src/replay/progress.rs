//! A progress bar on standard error, for long inputs at a terminal.

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
        bar.set_message(format!("{} records", crate::wording::grouped(records)));
        bar.set_position(read);
    }

    /// Takes the bar off the screen.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: Option<u64>) -> ProgressBar {
    let template = match total {
        Some(_) => "{bar:30} {percent:>3} %  {binary_bytes}/{binary_total_bytes}  {msg}  {eta} left",
        None => "{spinner} {binary_bytes}  {msg}",
    };
    let style = ProgressStyle::with_template(template).expect("the template is one of the two above");
    ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(5)).with_style(style)
}
