//! The worker's own words in runs' logs: collected, sent in batches, never waited for by what they are about.

use std::{sync::Arc, time::Duration};

use tidegate_api::logs::LogCreate;
use tidegate_client::Client;
use tidegate_core::time::Timestamp;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::task::TaskTracker;
use tracing::warn;
use uuid::Uuid;

/// Records waiting to be sent; more are dropped and counted.
const QUEUE: usize = 4096;
const BATCH: usize = 500;
/// How long a record may wait for company.
const WAIT: Duration = Duration::from_millis(200);
const RETRY: Duration = Duration::from_secs(2);
/// Give a batch up after this many tries; the client itself retries within each.
const TRIES: usize = 3;

pub(crate) const WORKER: &str = "tidegate.worker";
pub(crate) const PROCESS: &str = "tidegate.worker.process";

/// Levels as Python's logging has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Info = 20,
    Warning = 30,
    Error = 40,
}

enum Message {
    Record(LogCreate),
    Flush(oneshot::Sender<()>),
}

/// Where records are handed in. The task ends when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Logs {
    sender: mpsc::Sender<Message>,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Logs {
    pub(crate) fn spawn(client: Client, now: Arc<dyn Fn() -> Timestamp + Send + Sync>, tasks: &TaskTracker) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tasks.spawn(send_all(client, receiver));
        Self { sender, now }
    }

    pub(crate) fn write(&self, flow_run_id: Uuid, name: &str, level: Level, message: impl Into<String>) {
        let record = LogCreate {
            name: name.to_owned(),
            level: level as i64,
            message: message.into(),
            timestamp: (self.now)(),
            flow_run_id: Some(flow_run_id),
            task_run_id: None,
        };
        if self.sender.try_send(Message::Record(record)).is_err() {
            metrics::counter!(crate::metrics::LINES_DROPPED).increment(1);
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

async fn send_all(client: Client, mut queue: mpsc::Receiver<Message>) {
    while let Some(message) = queue.recv().await {
        let (mut batch, mut waiting) = (Vec::new(), None);
        let mut take = |message: Message| match message {
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

async fn send(client: &Client, batch: &[LogCreate]) {
    if batch.is_empty() {
        return;
    }
    for _ in 0..TRIES {
        match client.create_logs(batch).await {
            Ok(()) => return,
            Err(error) if error.is_transient() => sleep(RETRY).await,
            Err(error) => {
                warn!(records = batch.len(), "the server does not take the runs' log records: {error}");
                return;
            }
        }
    }
    metrics::counter!(crate::metrics::LINES_DROPPED).increment(batch.len() as u64);
}
