//! One call at a time on a thread of its own, for calls that only wait: those that end a transaction take some six answers of the
//! broker, and a worker has records to decide on meanwhile.
//!
//! librdkafka forbids calls on one producer from several threads at once. So whoever has asked asks nothing else of the
//! producer until the answer is there.

use std::{
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

type Job<T> = Box<dyn FnOnce() -> T + Send>;

/// A thread that makes calls. Dropping it waits for the one that goes on.
pub struct Aside<T> {
    jobs: Option<Sender<Job<T>>>,
    answers: Receiver<T>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Aside<T> {
    #[must_use]
    pub fn start() -> Aside<T> {
        let (jobs, asked) = mpsc::channel::<Job<T>>();
        let (answer, answers) = mpsc::channel();
        let thread = thread::spawn(move || {
            while let Ok(job) = asked.recv() {
                if answer.send(job()).is_err() {
                    break;
                }
            }
        });
        Aside { jobs: Some(jobs), answers, thread: Some(thread) }
    }

    /// Begins a call.
    pub fn ask(&self, job: impl FnOnce() -> T + Send + 'static) {
        let jobs = self.jobs.as_ref().expect("it is there until it is dropped");
        jobs.send(Box::new(job)).expect("the thread lives as long as this does");
    }

    /// What the call came to, if it is over within `wait`.
    ///
    /// # Panics
    /// Where the call has.
    #[must_use]
    pub fn answer(&self, wait: Duration) -> Option<T> {
        match self.answers.recv_timeout(wait) {
            Ok(answer) => Some(answer),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("a call to the client library panicked"),
        }
    }
}

impl<T> Drop for Aside<T> {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A call that has panicked was told where its answer was asked for.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_there_when_its_call_is_over() {
        let aside = Aside::start();
        let (go, gone) = mpsc::channel::<u32>();
        aside.ask(move || gone.recv().expect("it is told"));
        assert_eq!(aside.answer(Duration::ZERO), None, "it goes on");
        go.send(7).expect("it waits");
        assert_eq!(aside.answer(Duration::from_secs(60)), Some(7));
        aside.ask(|| 8);
        drop(aside);
    }
}
