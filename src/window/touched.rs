//! How many entries the windows look at or move: counted in tests, where a bound is held against it, and nothing else.
//!
//! A clock would say less: a scan of a thousand entries hides in the noise of a busy machine, a count does not.

/// Notes that so many entries, or summaries of entries, have been looked at or moved.
#[inline]
pub fn touch(entries: usize) {
    #[cfg(test)]
    COUNT.with(|count| count.set(count.get() + entries));
    #[cfg(not(test))]
    let _ = entries;
}

#[cfg(test)]
thread_local! {
    static COUNT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// What was touched since this was last asked.
#[cfg(test)]
pub fn take() -> usize {
    COUNT.with(std::cell::Cell::take)
}
