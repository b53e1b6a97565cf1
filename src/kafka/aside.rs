//! Calls one after the other on a thread of their own, while which a worker has records to decide on: handing a tick's records to
//! librdkafka is a fourth of its work, and the calls that end a transaction wait for some six answers of the broker.
//!
//! librdkafka forbids calls that begin or end a transaction from several threads at once. So whoever has asked for one asks
//! nothing else of the producer until the answer is there.

use std::{
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

type Job<T> = Box<dyn FnOnce() -> Option<T> + Send>;

/// A thread that makes calls. Dropping it waits for those that were begun.
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
                if job().is_some_and(|told| answer.send(told).is_err()) {
                    break;
                }
            }
        });
        Aside { jobs: Some(jobs), answers, thread: Some(thread) }
    }

    /// Begins a call, behind those that were begun before.
    pub fn ask(&self, job: impl FnOnce() -> T + Send + 'static) {
        self.begin(Box::new(move || Some(job())));
    }

    /// Begins a call that nobody waits for.
    pub fn tell(&self, job: impl FnOnce() + Send + 'static) {
        self.begin(Box::new(move || {
            job();
            None
        }));
    }

    fn begin(&self, job: Job<T>) {
        let jobs = self.jobs.as_ref().expect("it is there until it is dropped");
        jobs.send(job).expect("the thread lives until a call panics, which is told where an answer is asked for");
    }

    /// What the first call that was asked for and not yet answered came to, if it is over within `wait`.
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

    #[test]
    fn calls_that_nobody_waits_for_come_in_their_turn() {
        let aside = Aside::start();
        let (note, noted) = mpsc::channel();
        for number in 0..3 {
            let note = note.clone();
            aside.tell(move || note.send(number).expect("it is heard"));
        }
        aside.ask(move || noted.try_iter().collect::<Vec<u32>>());
        assert_eq!(aside.answer(Duration::from_secs(60)), Some(vec![0, 1, 2]));
    }
}
