//! Events in: one event per message, stored in batches. Clients take the answer to a ping for "everything before is safe",
//! so that answer waits for the commits.

use std::time::{Duration, Instant};

use axum::{
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::HeaderMap,
    response::Response,
};
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use serde_json::json;
use tokio::sync::oneshot;

use super::{close, code, handshake, pings};
use crate::{
    App,
    ingest::{Failure, Incoming, events::read_one, settled},
};

/// Events of one batch of a socket: enough to keep the store busy, few enough to stay fair.
const BATCH: usize = 500;
/// Batches of a socket that wait for their commit; then it reads no further.
const WAITING: usize = 4;
/// Complaints sent to one client. Clients that never read would stop their socket on more.
const COMPLAINTS: usize = 3;

pub(super) async fn connect(State(app): State<App>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    handshake::accept(app, &headers, upgrade, async |app, socket| Reader::new(app, socket).run().await)
}

type Outcome = Result<Result<(), Failure>, oneshot::error::RecvError>;

struct Reader {
    app: App,
    socket: WebSocket,
    batch: Vec<Incoming>,
    waiting: FuturesUnordered<oneshot::Receiver<Result<(), Failure>>>,
    complaints: usize,
}

/// Why reading ended.
enum End {
    /// The client closed, or is gone.
    Client,
    Stopping,
    /// Something was not stored; the client has to send it again.
    NotStored,
}

impl Reader {
    fn new(app: App, socket: WebSocket) -> Self {
        Self { app, socket, batch: Vec::new(), waiting: FuturesUnordered::new(), complaints: 0 }
    }

    async fn run(mut self) {
        let end = self.read().await;
        let kept = self.settle().await;
        match end {
            End::Stopping if kept => return close(&mut self.socket, code::GOING_AWAY, "the server is stopping").await,
            // The answer to the client's close goes out with the next read.
            End::Client if kept => return while let Some(Ok(_)) = self.socket.recv().await {},
            End::NotStored | End::Stopping | End::Client => {}
        }
        close(&mut self.socket, code::TRY_AGAIN, "events could not be stored; send them again").await;
    }

    async fn read(&mut self) -> End {
        let stopping = self.app.stopping.clone();
        let mut pings = pings(&self.app);
        let mut heard = Instant::now();
        let patience = Duration::from_secs_f64(self.app.settings.websocket_ping_seconds.max(0.05) * 3.0);
        loop {
            let received = tokio::select! {
                biased;
                () = stopping.cancelled() => return End::Stopping,
                Some(outcome) = self.waiting.next() => {
                    if !is_kept(outcome) {
                        return End::NotStored;
                    }
                    continue;
                }
                received = self.socket.recv(), if self.waiting.len() < WAITING => received,
                _ = pings.tick() => {
                    if heard.elapsed() > patience || !super::send(&mut self.socket, Message::Ping("".into())).await {
                        return End::Client;
                    }
                    continue;
                }
            };
            heard = Instant::now();
            // Whatever else has arrived joins the batch.
            let mut next = Some(received);
            while let Some(received) = next.take() {
                match received {
                    Some(Ok(Message::Text(text))) => self.take(&text).await,
                    Some(Ok(Message::Binary(bytes))) => match std::str::from_utf8(&bytes) {
                        Ok(text) => self.take(text).await,
                        Err(_) => self.complain("the message is not text").await,
                    },
                    Some(Ok(Message::Ping(_))) => {
                        if !self.settle().await {
                            return End::NotStored;
                        }
                    }
                    Some(Ok(Message::Pong(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Client,
                }
                if self.batch.len() < BATCH {
                    next = self.socket.recv().now_or_never();
                }
            }
            self.hand_over().await;
        }
    }

    async fn take(&mut self, text: &str) {
        let limit = self.app.settings.events.maximum_size_bytes;
        if text.len() > limit {
            metrics::counter!("tidegate_events_oversized_total").increment(1);
            return self.complain(&format!("an event may have {limit} bytes; this one has {}", text.len())).await;
        }
        match read_one(text) {
            Ok(event) => self.batch.push(event),
            Err(problem) => {
                metrics::counter!("tidegate_events_malformed_total").increment(1);
                self.complain(&problem).await;
            }
        }
    }

    /// Tells the client what was wrong with a message; the others go on.
    async fn complain(&mut self, problem: &str) {
        tracing::debug!("an event was refused: {problem}");
        if self.complaints < COMPLAINTS {
            self.complaints += 1;
            let message = json!({ "type": "error", "reason": problem }).to_string();
            super::send(&mut self.socket, Message::text(message)).await;
        }
    }

    async fn hand_over(&mut self) {
        if !self.batch.is_empty() {
            let batch = std::mem::take(&mut self.batch);
            self.waiting.push(self.app.ingest.events.enqueue(batch).await);
        }
    }

    /// Waits until all that was read is committed; `false` when some of it was not.
    async fn settle(&mut self) -> bool {
        self.hand_over().await;
        let mut kept = true;
        while let Some(outcome) = self.waiting.next().await {
            kept &= is_kept(outcome);
        }
        kept
    }
}

fn is_kept(outcome: Outcome) -> bool {
    match settled(outcome) {
        Ok(()) => true,
        Err(failure) => {
            tracing::error!("events of a socket were not stored: {failure:?}");
            false
        }
    }
}
