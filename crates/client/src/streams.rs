//! Streams over WebSockets that survive lost connections: events and logs out, events in.

use std::{collections::VecDeque, marker::PhantomData};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tidegate_api::{
    events::{Event, EventFilter, OccurredFilter, ReceivedEvent},
    filters::LogFilter,
    logs::Log,
};
use tidegate_core::time::Timestamp;
use tracing::debug;
use uuid::Uuid;

use crate::{Client, Error, Result, retry, socket::Socket};

/// Ids remembered to drop what the server sends again after a reconnection.
const REMEMBERED: usize = 1000;
/// Connections that fail one after another before a stream gives up.
const MAX_FAILURES: u32 = 10;
/// Events sent before the publisher waits for the server to have read them.
const CHECKPOINT: usize = 500;

/// What a subscription streams: told apart by id, ordered by time.
pub trait Streamed: DeserializeOwned {
    /// The key of the message that carries it.
    const KEY: &'static str;
    fn id(&self) -> Uuid;
    fn time(&self) -> Timestamp;
}

impl Streamed for ReceivedEvent {
    const KEY: &'static str = "event";
    fn id(&self) -> Uuid {
        self.id
    }
    fn time(&self) -> Timestamp {
        self.occurred
    }
}

impl Streamed for Log {
    const KEY: &'static str = "log";
    fn id(&self) -> Uuid {
        self.id
    }
    fn time(&self) -> Timestamp {
        self.timestamp
    }
}

/// A live stream; reconnects by itself and, for events, catches up on what it missed.
pub struct Subscription<T> {
    client: Client,
    operation: &'static str,
    path: &'static str,
    filter: Value,
    socket: Option<Socket>,
    seen: VecDeque<Uuid>,
    kind: PhantomData<fn() -> T>,
}

impl Client {
    /// Events as they happen, after those since `filter.occurred.since` (at most 15 minutes back).
    pub fn subscribe_events(&self, filter: &EventFilter) -> Subscription<ReceivedEvent> {
        let filter = json!({"type": "filter", "filter": filter, "backfill": true});
        Subscription::new(self, "subscribe to events", "/events/out", filter)
    }

    /// Log records as they are written, and none from before.
    pub fn subscribe_logs(&self, filter: &LogFilter) -> Subscription<Log> {
        Subscription::new(self, "subscribe to logs", "/logs/out", json!({"type": "filter", "filter": filter}))
    }

    /// A stream of events to the server.
    pub fn publish_events(&self) -> EventPublisher {
        EventPublisher { client: self.clone(), socket: None, unconfirmed: Vec::new() }
    }
}

impl<T: Streamed> Subscription<T> {
    fn new(client: &Client, operation: &'static str, path: &'static str, filter: Value) -> Self {
        let client = client.clone();
        Self { client, operation, path, filter, socket: None, seen: VecDeque::new(), kind: PhantomData }
    }

    /// Opens the stream if it is not open, so that what happens from now on will be seen.
    pub async fn connect(&mut self) -> Result<()> {
        if self.socket.is_none() {
            let mut socket = Socket::open(&self.client, self.operation, self.path).await?;
            socket.send(&self.filter).await?;
            self.socket = Some(socket);
        }
        Ok(())
    }

    /// The next item. An error means that the stream cannot be had: the server refuses, or stays away.
    pub async fn next(&mut self) -> Result<T> {
        let mut failures = 0;
        loop {
            match self.step().await {
                Ok(Some(item)) => return Ok(item),
                Ok(None) => {}
                Err(error) => {
                    self.socket = None;
                    failures += 1;
                    if !error.is_transient() || failures >= MAX_FAILURES {
                        return Err(error);
                    }
                    debug!("{error}; connecting again");
                    tokio::time::sleep(retry::jittered(retry::backoff(failures), 0.2, retry::random())).await;
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Option<T>> {
        self.connect().await?;
        let Some(socket) = &mut self.socket else { return Ok(None) };
        let mut message = socket.receive().await?;
        if message["type"] != T::KEY {
            return Ok(None);
        }
        let decoded = T::deserialize(message[T::KEY].take());
        let item = decoded.map_err(|source| Error::Decode { operation: self.operation.to_owned(), source })?;
        Ok(self.is_new(&item).then_some(item))
    }

    /// Remembers the item, and from when to catch up if the connection is lost.
    fn is_new(&mut self, item: &T) -> bool {
        if self.seen.contains(&item.id()) {
            return false;
        }
        self.seen.push_back(item.id());
        if self.seen.len() > REMEMBERED {
            self.seen.pop_front();
        }
        if T::KEY == ReceivedEvent::KEY {
            let occurred = &mut self.filter["filter"]["occurred"];
            let until = occurred.get("until").and_then(|until| serde_json::from_value(until.clone()).ok());
            *occurred = json!(OccurredFilter { since: Some(item.time()), until });
        }
        true
    }
}

/// Sends events and keeps those that the server may not have read, to send them again on a new connection.
pub struct EventPublisher {
    client: Client,
    socket: Option<Socket>,
    unconfirmed: Vec<Event>,
}

impl EventPublisher {
    /// Sends one event. It is sure to have arrived only after a later [`EventPublisher::flush`].
    pub async fn publish(&mut self, event: Event) -> Result<()> {
        let is_sent = match &mut self.socket {
            Some(socket) => socket.send(&event).await.is_ok(),
            None => false,
        };
        self.unconfirmed.push(event);
        if !is_sent {
            self.socket = None;
        }
        if !is_sent || self.unconfirmed.len() >= CHECKPOINT { self.flush().await } else { Ok(()) }
    }

    /// Waits until the server has read every event.
    pub async fn flush(&mut self) -> Result<()> {
        let mut failures = 0;
        while !self.unconfirmed.is_empty() {
            match self.confirm().await {
                Ok(()) => self.unconfirmed.clear(),
                Err(error) => {
                    self.socket = None;
                    failures += 1;
                    if !error.is_transient() || failures >= MAX_FAILURES {
                        return Err(error);
                    }
                    debug!("{error}; connecting again");
                    tokio::time::sleep(retry::jittered(retry::backoff(failures), 0.2, retry::random())).await;
                }
            }
        }
        Ok(())
    }

    /// Flushes and says goodbye.
    pub async fn close(mut self) -> Result<()> {
        self.flush().await?;
        if let Some(socket) = self.socket.take() {
            socket.close().await;
        }
        Ok(())
    }

    /// One try to have everything read: over the open connection, or all again over a new one.
    async fn confirm(&mut self) -> Result<()> {
        let mut socket = if let Some(socket) = self.socket.take() {
            socket
        } else {
            let mut socket = Socket::open(&self.client, "publish events", "/events/in").await?;
            for event in &self.unconfirmed {
                socket.send(event).await?;
            }
            socket
        };
        socket.checkpoint().await?;
        self.socket = Some(socket);
        Ok(())
    }
}
