//! Records on their way to the server: collected, sent in batches by a task of their own, never waited for by what they
//! are about.

use std::{future::Future, time::Duration};

use tidegate_client::Client;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::task::TaskTracker;
use tracing::warn;

/// Records waiting to be sent; more are dropped and counted.
const QUEUE: usize = 4096;
const BATCH: usize = 500;
/// How long a record may wait for company.
const WAIT: Duration = Duration::from_millis(200);
const RETRY: Duration = Duration::from_secs(2);
/// Give a batch up after this many tries; the client itself retries within each.
const TRIES: usize = 3;

/// What can be sent in batches.
pub(crate) trait Record: Sized + Send + Sync + 'static {
    /// What they are called when the server does not take them.
    const NAME: &'static str;
    /// The counter of those that were dropped.
    const DROPPED: &'static str;

    fn send(client: &Client, batch: &[Self]) -> impl Future<Output = tidegate_client::Result<()>> + Send;
}

enum Message<R> {
    Record(R),
    Flush(oneshot::Sender<()>),
}

/// Where records are handed in. The task ends when the last clone is dropped.
pub(crate) struct Outbox<R> {
    sender: mpsc::Sender<Message<R>>,
}

impl<R> Clone for Outbox<R> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone() }
    }
}

impl<R: Record> Outbox<R> {
    pub(crate) fn spawn(client: Client, tasks: &TaskTracker) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tasks.spawn(send_all(client, receiver));
        Self { sender }
    }

    pub(crate) fn push(&self, record: R) {
        if self.sender.try_send(Message::Record(record)).is_err() {
            metrics::counter!(R::DROPPED).increment(1);
        }
    }

    /// Waits until everything written before has been sent, or given up.
    pub(crate) async fn flush(&self) {
        let (sender, done) = oneshot::channel();
        if self.sender.send(Message::Flush(sender)).await.is_ok() {
            let _ = done.await;
        }
    }
}

async fn send_all<R: Record>(client: Client, mut queue: mpsc::Receiver<Message<R>>) {
    while let Some(message) = queue.recv().await {
        let (mut batch, mut waiting) = (Vec::new(), None);
        let mut take = |message: Message<R>| match message {
            Message::Record(record) => {
                batch.push(record);
                batch.len() < BATCH
            }
            Message::Flush(done) => {
                waiting = Some(done);
                false
            }
        };
        let deadline = Instant::now() + WAIT;
        let mut goes_on = take(message);
        while goes_on {
            goes_on = tokio::select! {
                message = queue.recv() => message.is_some_and(&mut take),
                () = sleep_until(deadline) => false,
            };
        }
        send(&client, &batch).await;
        let _ = waiting.map(|done| done.send(()));
    }
}

async fn send<R: Record>(client: &Client, batch: &[R]) {
    if batch.is_empty() {
        return;
    }
    for _ in 0..TRIES {
        match R::send(client, batch).await {
            Ok(()) => return,
            Err(error) if error.is_transient() => sleep(RETRY).await,
            Err(error) => {
                warn!(records = batch.len(), "the server does not take {}: {error}", R::NAME);
                return;
            }
        }
    }
    metrics::counter!(R::DROPPED).increment(batch.len() as u64);
}
