//! Bulk ingestion: records of many requests and sockets become few large writes. Each kind has a bounded queue owned by
//! one task; a full queue makes senders wait. A sender is answered when its records are committed.

pub mod events;
pub mod logs;

use std::{sync::Arc, time::Instant};

use futures::{StreamExt, stream::FuturesUnordered};
use tidegate_store::{LogRecord, Store, Tx};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::{error::ApiError, sockets::hubs::LogHub};
pub use events::Incoming;

/// Batches that may wait: a hundred clients with one each, and some.
const QUEUE: usize = 256;
/// Kilobytes of records of one kind that may wait or be written; senders beyond that are not read from.
const ROOM: u32 = 16 * 1024;
/// Writes under way at once: while one commits, the next is being made.
const WRITES: usize = 2;
/// Records of one write; beyond this a transaction keeps others waiting for too long.
const LOG_ROWS: usize = 8_000;
const EVENT_ROWS: usize = 2_000;

/// Why records were not stored.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The database is away; the same records may be sent again.
    Unavailable(String),
    Refused(String),
}

impl From<tidegate_store::Error> for Failure {
    fn from(error: tidegate_store::Error) -> Self {
        match error {
            tidegate_store::Error::Unavailable(text) | tidegate_store::Error::Conflict(text) => Self::Unavailable(text),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable(text) => Self::Unavailable(text),
            Failure::Refused(text) => Self::Internal(anyhow::anyhow!(text)),
        }
    }
}

type Outcome = Result<(), Failure>;

/// What is waiting takes memory.
pub trait Weight {
    /// About how many bytes it takes.
    fn weight(&self) -> usize;
}

impl Weight for LogRecord {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.message.len()
    }
}

struct Batch<T> {
    rows: Vec<T>,
    sender: Sender,
}

struct Sender {
    done: oneshot::Sender<Outcome>,
    /// The memory that the rows take; free again when they are written.
    _room: Option<OwnedSemaphorePermit>,
}

/// A way into one of the queues.
pub struct Funnel<T> {
    sender: mpsc::Sender<Batch<T>>,
    room: Arc<Semaphore>,
}

impl<T> Clone for Funnel<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), room: self.room.clone() }
    }
}

impl<T: Weight> Funnel<T> {
    /// Waits for room and a place in the queue; the receiver then waits for the commit.
    pub async fn enqueue(&self, rows: Vec<T>) -> oneshot::Receiver<Outcome> {
        let (done, answer) = oneshot::channel();
        let kilobytes = rows.iter().map(Weight::weight).sum::<usize>() / 1024 + 1;
        // A batch that is larger than all the room gets all of it.
        let kilobytes = u32::try_from(kilobytes).map_or(ROOM, |kilobytes| kilobytes.min(ROOM));
        let room = self.room.clone().acquire_many_owned(kilobytes).await.ok();
        // A closed queue drops `done`, which its receiver notices.
        let _ = self.sender.send(Batch { rows, sender: Sender { done, _room: room } }).await;
        answer
    }

    /// Stores records; answers after the commit.
    pub async fn submit(&self, rows: Vec<T>) -> Outcome {
        if rows.is_empty() {
            return Ok(());
        }
        settled(self.enqueue(rows).await.await)
    }
}

/// The outcome, also where the queue's owner is gone.
pub fn settled(answer: Result<Outcome, oneshot::error::RecvError>) -> Outcome {
    answer.unwrap_or_else(|_| Err(Failure::Unavailable("the server is stopping".into())))
}

/// Both queues.
#[derive(Clone)]
pub struct Ingest {
    pub events: Funnel<Incoming>,
    pub logs: Funnel<LogRecord>,
}

impl Ingest {
    /// Starts the owners of the queues; they end when the last handle is gone.
    pub fn start(store: &Store, log_hub: &LogHub, heartbeat_lease_seconds: f64) -> Self {
        let events = spawn("events", EVENT_ROWS, store, move |store: Store, rows: Rows<Incoming>| async move {
            store
                .write("events", async move |tx: &mut Tx| events::store(tx, &rows, heartbeat_lease_seconds).await)
                .await
        });
        let log_hub = log_hub.clone();
        let logs = spawn("logs", LOG_ROWS, store, move |store: Store, rows: Rows<LogRecord>| {
            let log_hub = log_hub.clone();
            async move {
                let written = rows.clone();
                store.write("logs", async move |tx: &mut Tx| tx.create_logs(written.iter().flatten()).await).await?;
                log_hub.tell(&rows);
                Ok(())
            }
        });
        Self { events, logs }
    }
}

/// The records of one write, still in the batches they came in.
pub type Rows<T> = Arc<Vec<Vec<T>>>;

fn spawn<T, W, F>(kind: &'static str, limit: usize, store: &Store, write: W) -> Funnel<T>
where
    T: Weight + Send + Sync + 'static,
    W: Fn(Store, Rows<T>) -> F + Send + Sync + 'static,
    F: Future<Output = tidegate_store::Result<()>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(QUEUE);
    tokio::spawn(own(kind, limit, store.clone(), receiver, write));
    Funnel { sender, room: Arc::new(Semaphore::new(ROOM as usize)) }
}

async fn own<T, W, F>(kind: &'static str, limit: usize, store: Store, mut queue: mpsc::Receiver<Batch<T>>, write: W)
where
    T: Send + Sync + 'static,
    W: Fn(Store, Rows<T>) -> F,
    F: Future<Output = tidegate_store::Result<()>>,
{
    let mut under_way = FuturesUnordered::new();
    let mut open = true;
    while open || !under_way.is_empty() {
        tokio::select! {
            biased;
            Some(()) = under_way.next() => {}
            first = queue.recv(), if open && under_way.len() < WRITES => match first {
                Some(first) => {
                    let mut batches = vec![first];
                    let mut count = batches[0].rows.len();
                    while count < limit && let Ok(batch) = queue.try_recv() {
                        count += batch.rows.len();
                        batches.push(batch);
                    }
                    metrics::histogram!("tidegate_ingest_rows", "kind" => kind).record(count as f64);
                    metrics::gauge!("tidegate_ingest_waiting_batches", "kind" => kind).set(queue.len() as f64);
                    under_way.push(write_batches(kind, &store, batches, &write));
                }
                None => open = false,
            },
        }
    }
}

/// One write for all; when the database refuses it, one for each, so that only the sender at fault hears of it.
async fn write_batches<T, W, F>(kind: &'static str, store: &Store, batches: Vec<Batch<T>>, write: &W)
where
    W: Fn(Store, Rows<T>) -> F,
    F: Future<Output = tidegate_store::Result<()>>,
{
    let started = Instant::now();
    let (rows, senders): (Vec<_>, Vec<Sender>) = batches.into_iter().map(|batch| (batch.rows, batch.sender)).unzip();
    let count: usize = rows.iter().map(Vec::len).sum();
    let rows = Arc::new(rows);
    let outcome = write(store.clone(), rows.clone()).await.map_err(Failure::from);
    metrics::histogram!("tidegate_ingest_write_seconds", "kind" => kind).record(started.elapsed().as_secs_f64());
    if matches!(outcome, Err(Failure::Refused(_))) && senders.len() > 1 {
        let Ok(rows) = Arc::try_unwrap(rows) else {
            for sender in senders {
                let _ = sender.done.send(outcome.clone());
            }
            return;
        };
        for (rows, sender) in rows.into_iter().zip(senders) {
            let outcome = write(store.clone(), Arc::new(vec![rows])).await.map_err(Failure::from);
            let _ = sender.done.send(outcome);
        }
        return;
    }
    if outcome.is_ok() {
        metrics::counter!("tidegate_ingested_rows_total", "kind" => kind).increment(count as u64);
    }
    for sender in senders {
        let _ = sender.done.send(outcome.clone());
    }
}
