//! Attempts, many at a time, on a thread with tokio of their own: no receiver ever holds up the thread that speaks to Kafka.

use super::machine::{Answer, Attempt};
use crate::{
    alert::{self, Alert, Client, Endpoint, Outcome, WebhookId},
    time::Timestamp,
};
use std::{
    io,
    sync::{Arc, mpsc},
    thread,
};
use tokio::{runtime, sync::mpsc as channel, task};

/// Takes attempts, and says what became of each. How many are under way is bounded by the endpoints' concurrency.
pub struct Courier {
    attempts: channel::UnboundedSender<Attempt>,
    answers: mpsc::Receiver<(u64, Answer)>,
}

impl Courier {
    /// # Errors
    /// A system that gives no thread.
    pub fn start(endpoints: Vec<Arc<Endpoint>>) -> io::Result<Courier> {
        let (attempts, mut asked) = channel::unbounded_channel::<Attempt>();
        let (answer, answers) = mpsc::channel();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("courier".to_owned()).spawn(move || {
            let client = Arc::new(Client::new());
            runtime.block_on(async move {
                while let Some(attempt) = asked.recv().await {
                    let (client, endpoint) = (Arc::clone(&client), Arc::clone(&endpoints[attempt.endpoint]));
                    let answer = answer.clone();
                    task::spawn(async move {
                        let said = one(&client, &endpoint, &attempt).await;
                        // Nobody waits for it any more.
                        let _ = answer.send((attempt.ticket, said));
                    });
                }
            });
        })?;
        Ok(Courier { attempts, answers })
    }

    pub fn send(&self, attempt: Attempt) {
        self.attempts.send(attempt).expect("the courier ends with whoever sends");
    }

    pub fn answers(&self) -> impl Iterator<Item = (u64, Answer)> + '_ {
        self.answers.try_iter()
    }
}

/// Makes one attempt.
pub async fn one(client: &Client, endpoint: &Endpoint, attempt: &Attempt) -> Answer {
    let Some(id) = WebhookId::parse(&attempt.id) else {
        return Answer::Failed { after: None, why: "its record holds no id that can be sent".to_owned() };
    };
    let alert =
        Alert { id, endpoint: Arc::clone(&endpoint.name), body: attempt.body.clone().into(), time: Timestamp(0) };
    match alert::attempt(client, endpoint, &alert, alert::now()).await {
        Outcome::Delivered { .. } => Answer::Delivered,
        Outcome::Retry { after, why } => {
            let after = after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            Answer::Failed { after, why }
        }
        Outcome::Disabled => Answer::Gone,
    }
}
