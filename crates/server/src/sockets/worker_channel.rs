//! The worker channel: an upstream worker's heartbeats in, its pool's changes and what it shall clean up out. Runs are not
//! handed out here; workers that know this channel fetch them over HTTP.

mod frames;
pub mod registry;
mod setup;

use std::{collections::HashMap, time::Duration};

use axum::{
    extract::{
        Path, State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::HeaderMap,
    response::Response,
};
use serde_json::{Value, json};
use tidegate_api::work_pools::WorkPool;
use tidegate_core::time::Timestamp;
use tidegate_store::{
    Tx, Wake,
    cleanup_messages::{CleanupOperation, CleanupPolicy},
};
use tokio::{sync::broadcast, time::MissedTickBehavior};
use uuid::Uuid;

use self::{
    frames::{Frame, Heartbeat, Incoming},
    registry::Registered,
};
use super::{close, code, handshake, pings, send};
use crate::App;

/// Without a nudge the pool and its messages are looked at again this often: leases end without one.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Changes that follow each other closely are told as one.
const TOGETHER: Duration = Duration::from_millis(50);

/// Why the server ends a channel, as the protocol names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    AuthorizationFailed,
    UnsupportedVersion,
    ProtocolError,
    HeartbeatPersistenceFailed,
    TransientServerError,
}

impl Reason {
    fn words(self) -> (u16, &'static str) {
        match self {
            Self::AuthorizationFailed => (code::POLICY, "authorization_failed"),
            Self::UnsupportedVersion => (code::POLICY, "unsupported_version"),
            Self::ProtocolError => (code::PROTOCOL, "protocol_error"),
            Self::HeartbeatPersistenceFailed => (code::INTERNAL, "heartbeat_persistence_failed"),
            Self::TransientServerError => (code::INTERNAL, "transient_server_error"),
        }
    }
}

/// How a conversation ended.
enum End {
    Gone,
    Stopping,
    Closed(Reason),
}

impl From<Reason> for End {
    fn from(reason: Reason) -> Self {
        Self::Closed(reason)
    }
}

pub(super) async fn connect(
    State(app): State<App>,
    Path(pool): Path<String>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let demands = handshake::Demands { subprotocol: true, refusal: Some("authentication_failed") };
    handshake::accept_on(demands, app, &headers, upgrade, async move |app: App, socket| serve(app, socket, pool).await)
}

async fn serve(app: App, mut socket: WebSocket, pool: String) {
    let end = match converse(&app, &mut socket, &pool).await {
        Ok(()) | Err(End::Gone) => return,
        Err(End::Stopping) => (code::GOING_AWAY, "the server is stopping"),
        Err(End::Closed(reason)) => reason.words(),
    };
    metrics::counter!("tidegate_worker_channel_closed_total", "reason" => end.1).increment(1);
    close(&mut socket, end.0, end.1).await;
}

async fn converse(app: &App, socket: &mut WebSocket, pool: &str) -> Result<(), End> {
    let text = handshake::receive_text(socket).await.ok_or(End::Gone)?;
    let Some(Frame { payload: Incoming::Hello(hello), .. }) = frames::read(&text) else {
        return Err(Reason::ProtocolError.into());
    };
    // Subscribed before the first look, so that nothing falls between the look and the wait.
    let wakes = app.store.wakes();
    let ready = setup::prepare(app, pool, &hello).await?;
    let queues = ready.queues.iter().map(|(id, _)| *id).collect();
    let registered = app.worker_channels.register(ready.pool.id, queues, ready.cleanup_kinds.is_empty());
    tell(app, socket, "worker.ready.v1", ready.payload(&hello)).await?;
    let channel = Channel {
        consumer: hello.consumer_id,
        worker: hello.worker_name,
        pool: ready.pool,
        sequence: 1,
        kinds: ready.cleanup_kinds,
        most: ready.most_cleanups,
        in_hand: HashMap::new(),
        registered,
    };
    channel.run(app, socket, wakes).await
}

/// Sends a frame.
async fn tell(app: &App, socket: &mut WebSocket, kind: &str, payload: Value) -> Result<(), End> {
    let frame = json!({ "type": kind, "id": Uuid::now_v7(), "sent_at": app.store.now(), "payload": payload });
    if send(socket, Message::text(frame.to_string())).await { Ok(()) } else { Err(End::Gone) }
}

struct Channel {
    consumer: Uuid,
    worker: String,
    /// As the worker knows it.
    pool: WorkPool,
    sequence: i64,
    /// What the worker cleans up; nothing if it did not ask for it.
    kinds: Vec<String>,
    most: usize,
    /// Messages that the worker has, by token, and until when.
    in_hand: HashMap<String, Timestamp>,
    registered: Registered,
}

impl Channel {
    async fn run(mut self, app: &App, socket: &mut WebSocket, mut wakes: broadcast::Receiver<Wake>) -> Result<(), End> {
        let mut pings = pings(app);
        let mut look_again = tokio::time::interval(LOOK_AGAIN);
        look_again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                received = socket.recv() => match received {
                    Some(Ok(Message::Text(text))) => self.hear(app, socket, &text).await?,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
                    Some(Ok(Message::Binary(_))) => return Err(Reason::ProtocolError.into()),
                    Some(Ok(_)) => {}
                },
                () = nudged(&mut wakes, self.pool.id) => {
                    tokio::time::sleep(TOGETHER).await;
                    self.look(app, socket, "work_pool_updated").await?;
                    self.hand_out(app, socket).await?;
                }
                _ = look_again.tick() => self.hand_out(app, socket).await?,
                _ = pings.tick() => if !send(socket, Message::Ping("".into())).await { return Err(End::Gone) },
                () = app.stopping.cancelled() => return Err(End::Stopping),
            }
        }
    }

    async fn hear(&mut self, app: &App, socket: &mut WebSocket, text: &str) -> Result<(), End> {
        let Some(frame) = frames::read(text) else { return Err(Reason::ProtocolError.into()) };
        match frame.payload {
            Incoming::Hello(_) => Err(Reason::ProtocolError.into()),
            Incoming::Heartbeat(beat) if beat.consumer_id != self.consumer || beat.worker_name != self.worker => {
                Err(Reason::ProtocolError.into())
            }
            Incoming::Heartbeat(beat) => {
                self.note(app, beat).await?;
                self.look(app, socket, "heartbeat_reconciliation").await
            }
            Incoming::Cleanup { message_id, reservation_token, operation } => {
                self.settle(app, socket, frame.id, message_id, &reservation_token, operation).await
            }
        }
    }

    async fn note(&self, app: &App, beat: Heartbeat) -> Result<(), End> {
        let (pool, worker, seconds) = (self.pool.id, self.worker.clone(), beat.heartbeat_interval_seconds);
        let noted = app
            .store
            .write(pool, async move |tx: &mut Tx| {
                let known = tx.read_work_pool(pool).await?.is_some();
                if known {
                    tx.record_worker_heartbeat(pool, &worker, Some(seconds)).await?;
                }
                Ok::<_, tidegate_store::Error>(known)
            })
            .await;
        match noted {
            Ok(true) => Ok(()),
            Ok(false) => Err(Reason::HeartbeatPersistenceFailed.into()),
            Err(error) => {
                tracing::warn!("the heartbeat of a worker could not be noted: {error}");
                Err(Reason::HeartbeatPersistenceFailed.into())
            }
        }
    }

    /// Tells the worker of its pool if what it works by has changed.
    async fn look(&mut self, app: &App, socket: &mut WebSocket, reason: &str) -> Result<(), End> {
        let id = self.pool.id;
        let found = app.store.read(async move |tx: &mut Tx| setup::read_pool(tx, id).await).await;
        let pool = found.map_err(transient)?.ok_or(Reason::AuthorizationFailed)?;
        let is_same = pool.base_job_template.text() == self.pool.base_job_template.text()
            && pool.concurrency_limit == self.pool.concurrency_limit
            && pool.is_paused == self.pool.is_paused
            && pool.storage_configuration == self.pool.storage_configuration;
        self.pool = pool;
        if is_same {
            return Ok(());
        }
        self.sequence += 1;
        let payload = setup::snapshot(self.sequence, reason, &self.pool);
        tell(app, socket, "work_pool.snapshot.v1", payload).await
    }

    /// Sends messages for as long as the worker has a hand free.
    async fn hand_out(&mut self, app: &App, socket: &mut WebSocket) -> Result<(), End> {
        let now = app.store.now();
        self.in_hand.retain(|_, until| *until > now);
        let pool = self.pool.id;
        while !self.kinds.is_empty() && self.in_hand.len() < self.most {
            let waits = app.store.read(async move |tx: &mut Tx| tx.has_cleanup_messages(pool).await).await;
            if !waits.map_err(transient)? {
                break;
            }
            let (kinds, others, policy) = (self.kinds.clone(), self.registered.queues_of_others(), policy(app));
            let reserved = app
                .store
                .write(pool, async move |tx: &mut Tx| tx.reserve_cleanup(pool, &kinds, &others, policy).await)
                .await;
            let Some(message) = reserved.map_err(transient)? else { break };
            self.in_hand.insert(message.token.clone(), message.expires);
            metrics::counter!("tidegate_cleanup_messages_total", "outcome" => "delivered").increment(1);
            let payload = json!({
                "message_id": message.id,
                "kind": message.kind,
                "reservation_token": message.token,
                "lease_expires_at": message.expires,
                "delivery_count": message.delivery_count,
                "work_queue_id": message.work_queue,
                "target": message.target,
                "data": {},
            });
            tell(app, socket, "cleanup.message.v1", payload).await?;
        }
        self.registered.set_busy(self.kinds.is_empty() || self.in_hand.len() >= self.most);
        Ok(())
    }

    async fn settle(
        &mut self,
        app: &App,
        socket: &mut WebSocket,
        request: Uuid,
        message: Uuid,
        token: &str,
        operation: CleanupOperation,
    ) -> Result<(), End> {
        let word = frames::word(&operation);
        let answer = |status: &str, reason: Option<&str>, expires: Option<Timestamp>| {
            json!({
                "request_frame_id": request, "message_id": message, "operation": word, "status": status,
                "lease_expires_at": expires, "reason": reason, "detail": null,
            })
        };
        if self.kinds.is_empty() {
            let refused = answer("unauthorized", Some("cleanup_delivery_not_accepted"), None);
            return tell(app, socket, "cleanup.operation_result.v1", refused).await;
        }
        let (pool, proof, policy) = (self.pool.id, token.to_owned(), policy(app));
        let settled = app
            .store
            .write(pool, async move |tx: &mut Tx| tx.settle_cleanup(pool, message, &proof, &operation, policy).await)
            .await;
        let payload = match settled {
            Ok(outcome) => {
                metrics::counter!("tidegate_cleanup_messages_total", "outcome" => format!("{word}_{}", outcome.status))
                    .increment(1);
                if outcome.status == "dead_lettered" {
                    tracing::warn!("no worker could clean up (message {message}); look for what is left by hand");
                }
                match outcome.expires {
                    Some(expires) => drop(self.in_hand.insert(token.to_owned(), expires)),
                    None => drop(self.in_hand.remove(token)),
                }
                answer(outcome.status, outcome.reason, outcome.expires)
            }
            Err(error) => {
                tracing::warn!("what a worker said of a clean-up could not be noted: {error}");
                answer("error", Some("cleanup_queue_operation_failed"), None)
            }
        };
        tell(app, socket, "cleanup.operation_result.v1", payload).await?;
        self.hand_out(app, socket).await
    }
}

fn policy(app: &App) -> CleanupPolicy {
    CleanupPolicy {
        lease_seconds: app.settings.cleanup_lease_seconds,
        most_deliveries: app.settings.cleanup_max_deliveries,
    }
}

fn transient(error: tidegate_store::Error) -> Reason {
    tracing::warn!("a worker channel cannot go on: {error}");
    Reason::TransientServerError
}

/// Ends when something happened to this pool.
async fn nudged(wakes: &mut broadcast::Receiver<Wake>, pool: Uuid) {
    loop {
        match wakes.recv().await {
            Ok(Wake::Pool { pool: of }) if of == pool => return,
            Err(broadcast::error::RecvError::Lagged(_)) => return,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        }
    }
}
