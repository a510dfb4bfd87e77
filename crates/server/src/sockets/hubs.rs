//! Who follows live: one reader of the outbox and one of new log records per server, and their listeners. Nothing is read
//! while nobody listens; a listener that falls behind is told so.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use tidegate_api::{events::ReceivedEvent, logs::Log};
use tidegate_core::{json, time::Timestamp};
use tidegate_store::{Dialect, LogRecord, Position, Result, Store, StoredEvent, Tx, Wake};
use tokio::sync::{Mutex, Notify, broadcast};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Pages that a listener may be behind; one that is further behind reads on from the database by itself.
const PAGES: usize = 32;
const LOGS: usize = 256;
/// Events of a page.
const EVENTS: i64 = 64;
/// Log records of one look at the database.
const RECORDS: i64 = 1000;
/// Each listener takes about so long to be told. While there are many, pages are made to be worth it.
const TELLING: Duration = Duration::from_micros(50);
/// Without a nudge, how long until the next look.
const POLL: Duration = Duration::from_millis(500);
/// Commits of other servers may become visible a little after records with later times.
const OVERLAP_SECONDS: f64 = 2.0;

/// A live event: taken apart for filters and ready to be sent.
pub struct LiveEvent {
    pub position: Position,
    pub event: ReceivedEvent,
    pub message: Utf8Bytes,
}

impl LiveEvent {
    pub fn new(position: Position, stored: &StoredEvent) -> Result<Self> {
        Ok(Self { position, event: stored.parse()?, message: message(stored) })
    }
}

/// Events that were committed one after the other. They are told together: a listener is woken once for all of them.
pub type LivePage = Arc<Vec<LiveEvent>>;

/// An event as subscribers get it.
pub fn message(event: &StoredEvent) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Message<'e> {
        r#type: &'static str,
        event: &'e StoredEvent,
    }
    json::to_text(&Message { r#type: "event", event }).into()
}

/// Follows the outbox for all listeners.
#[derive(Clone)]
pub struct EventHub(Arc<EventHubInner>);

struct EventHubInner {
    store: Store,
    sender: broadcast::Sender<LivePage>,
    /// How far the listeners were told; `None` while there are none.
    position: Mutex<Option<Position>>,
    wanted: Notify,
}

impl EventHub {
    pub fn start(store: &Store, stopping: &CancellationToken) -> Self {
        let (sender, _) = broadcast::channel(PAGES);
        let hub = Self(Arc::new(EventHubInner {
            store: store.clone(),
            sender,
            position: Mutex::new(None),
            wanted: Notify::new(),
        }));
        let (own, stopping) = (hub.clone(), stopping.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = own.follow() => {}
                () = stopping.cancelled() => {}
            }
        });
        hub
    }

    /// Everything after the position answered comes through the receiver.
    pub async fn listen(&self) -> Result<(Position, broadcast::Receiver<LivePage>)> {
        let mut position = self.0.position.lock().await;
        let start = match *position {
            Some(start) => start,
            None => self.0.store.read(async move |tx: &mut Tx| tx.outbox_head().await).await?,
        };
        let receiver = self.0.sender.subscribe();
        *position = Some(start);
        drop(position);
        self.0.wanted.notify_one();
        Ok((start, receiver))
    }

    async fn follow(&self) {
        let mut wakes = self.0.store.wakes();
        loop {
            let more = match self.step().await {
                Ok(Some(more)) => more,
                Ok(None) => {
                    self.0.wanted.notified().await;
                    true
                }
                Err(error) => {
                    tracing::warn!("live events are late: {error}");
                    false
                }
            };
            if !more {
                nudged(&mut wakes, Wake::Events).await;
            }
            let pause = TELLING.saturating_mul(u32::try_from(self.0.sender.receiver_count()).unwrap_or(u32::MAX));
            if pause >= Duration::from_millis(1) {
                tokio::time::sleep(pause.min(POLL)).await;
            }
        }
    }

    /// Tells listeners the next events. Answers whether there may be more now; `None` when nobody listens.
    async fn step(&self) -> Result<Option<bool>> {
        let start = {
            let mut position = self.0.position.lock().await;
            if self.0.sender.receiver_count() == 0 {
                *position = None;
            }
            *position
        };
        let Some(start) = start else { return Ok(None) };
        let events = self.0.store.read(async move |tx: &mut Tx| tx.read_outbox(start, EVENTS).await).await?;
        let more = events.len() as i64 >= EVENTS;
        let mut position = self.0.position.lock().await;
        let Some((last, _)) = events.last() else { return Ok(Some(more)) };
        *position = Some(*last);
        let mut page = Vec::with_capacity(events.len());
        for (at, event) in &events {
            match LiveEvent::new(*at, event) {
                Ok(live) => page.push(live),
                Err(error) => tracing::warn!(event.id = %event.id, "event {} cannot be read: {error}", event.id),
            }
        }
        let _ = self.0.sender.send(Arc::new(page));
        Ok(Some(more))
    }
}

/// Waits for a change of this kind, or for a while.
async fn nudged(wakes: &mut broadcast::Receiver<Wake>, kind: Wake) {
    let _ = tokio::time::timeout(POLL, async {
        loop {
            match wakes.recv().await {
                Ok(wake) if wake == kind => return,
                Err(broadcast::error::RecvError::Lagged(_)) => return,
                Ok(_) => {}
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    })
    .await;
}

/// Hands new log records to all listeners. On SQLite there is one server, which hears of every record where it is taken in;
/// on PostgreSQL the database tells what other servers took in too.
#[derive(Clone)]
pub struct LogHub(Arc<LogHubInner>);

struct LogHubInner {
    store: Store,
    sender: broadcast::Sender<Arc<Vec<Log>>>,
    wanted: Notify,
}

impl LogHub {
    pub fn start(store: &Store, stopping: &CancellationToken) -> Self {
        let (sender, _) = broadcast::channel(LOGS);
        let hub = Self(Arc::new(LogHubInner { store: store.clone(), sender, wanted: Notify::new() }));
        if store.dialect() == Dialect::Postgres {
            let (own, stopping) = (hub.clone(), stopping.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = own.follow() => {}
                    () = stopping.cancelled() => {}
                }
            });
        }
        hub
    }

    pub fn listen(&self) -> broadcast::Receiver<Arc<Vec<Log>>> {
        let receiver = self.0.sender.subscribe();
        self.0.wanted.notify_one();
        receiver
    }

    /// Tells listeners of records that were just committed.
    pub fn tell(&self, records: &[Vec<LogRecord>]) {
        if self.0.store.dialect() == Dialect::Sqlite && self.0.sender.receiver_count() > 0 {
            let created = self.0.store.now();
            let logs = records.iter().flatten().map(|record| record.to_log(created)).collect();
            let _ = self.0.sender.send(Arc::new(logs));
        }
    }

    async fn follow(&self) {
        let mut wakes = self.0.store.wakes();
        loop {
            self.0.wanted.notified().await;
            let mut tail = Tail { since: self.0.store.now(), after: None, seen: HashMap::new() };
            while self.0.sender.receiver_count() > 0 {
                if tail.after.is_none() {
                    nudged(&mut wakes, Wake::Logs).await;
                }
                let (since, after) = (tail.since, tail.after);
                let page = self
                    .0
                    .store
                    .read(async move |tx: &mut Tx| tx.list_logs_created_since(since, after, RECORDS).await)
                    .await;
                match page {
                    Ok(page) => {
                        let logs = tail.pass(page);
                        if !logs.is_empty() {
                            let _ = self.0.sender.send(Arc::new(logs));
                        }
                    }
                    Err(error) => {
                        tracing::warn!("live logs are late: {error}");
                        tail.after = None;
                    }
                }
            }
        }
    }
}

/// How far the records of all servers were read. Commits become visible a little out of order, so the last moments are
/// looked at again, and what was told is remembered for as long.
struct Tail {
    since: Timestamp,
    /// Set while pages are full: reading goes on right behind this record.
    after: Option<Uuid>,
    seen: HashMap<Uuid, Timestamp>,
}

impl Tail {
    /// The records of a page that were not told yet.
    fn pass(&mut self, mut page: Vec<Log>) -> Vec<Log> {
        let last = page.last().and_then(|log| Some((log.created?, log.id)));
        match last {
            Some((created, id)) if page.len() as i64 >= RECORDS => (self.since, self.after) = (created, Some(id)),
            Some((created, _)) => {
                (self.since, self.after) = (self.since.max(created.plus_seconds(-OVERLAP_SECONDS)), None);
            }
            None => self.after = None,
        }
        page.retain(|log| self.seen.insert(log.id, log.created.unwrap_or(self.since)).is_none());
        let horizon = self.since.plus_seconds(-OVERLAP_SECONDS);
        self.seen.retain(|_, created| *created >= horizon);
        page
    }
}
