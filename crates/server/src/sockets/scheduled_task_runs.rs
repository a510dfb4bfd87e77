//! Background tasks out: the queued runs of a worker's tasks, one after the other, each until the worker says that it has it.

use std::time::Duration;

use axum::{
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::HeaderMap,
    response::Response,
};
use serde_json::Value;
use tidegate_api::task_runs::TaskRun;
use tidegate_core::json;
use tidegate_store::{Error, Store, Tx, Wake};
use tokio::{
    sync::broadcast,
    time::{Interval, sleep},
};
use uuid::Uuid;

use super::{close, code, handshake, pings, send};
use crate::App;

/// Without a nudge a worker's queue is looked at again this often, so that a lost nudge costs a moment and nothing else.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// A run is its connection's for so many pings; a connection that lives renews it at each.
const LEASE_PINGS: f64 = 3.0;
/// A worker that leaves so many pings unanswered is gone, whatever its connection says.
const UNANSWERED_PINGS: u32 = 2;

pub(super) async fn connect(State(app): State<App>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    handshake::accept(app, &headers, upgrade, serve)
}

/// What a worker subscribes to.
struct Subscription {
    keys: Vec<String>,
    client_id: String,
}

impl Subscription {
    /// The subscription of a message, or what is wrong with it.
    fn of(text: &str) -> Result<Self, &'static str> {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        if message["type"] != "subscribe" {
            return Err("Protocol violation: expected 'subscribe' message");
        }
        let keys: Vec<String> = match &message["keys"] {
            Value::Array(keys) => keys.iter().filter_map(|key| key.as_str().map(ToOwned::to_owned)).collect(),
            _ => Vec::new(),
        };
        if keys.is_empty() {
            return Err("Protocol violation: expected 'keys' in subscribe message");
        }
        match message["client_id"].as_str().filter(|id| !id.is_empty()) {
            Some(client_id) => Ok(Self { keys, client_id: client_id.to_owned() }),
            None => Err("Protocol violation: expected 'client_id' in subscribe message"),
        }
    }
}

/// Why a conversation ended.
enum End {
    Gone,
    Stopping,
    Quit,
    Violation,
    Failed(Error),
}

async fn serve(app: App, mut socket: WebSocket) {
    let Some(text) = handshake::receive_text(&mut socket).await else { return };
    let subscription = match Subscription::of(&text) {
        Ok(subscription) => subscription,
        Err(problem) => return close(&mut socket, code::VIOLATION, problem).await,
    };
    let listed = app.task_workers.list(&subscription.client_id, &subscription.keys);
    let line = Line {
        taker: Uuid::now_v7(),
        keys: subscription.keys,
        lease: LEASE_PINGS * app.settings.websocket_ping_seconds,
    };
    let end = line.serve(&app, &mut socket).await;
    drop(listed);
    let taker = line.taker;
    // Back in the queue before the good-bye: whoever hears it may count on it.
    let returned = app.store.write(taker, async move |tx: &mut Tx| tx.return_queued_task_runs(taker).await).await;
    if let Err(error) = returned {
        tracing::warn!("what a task worker had not acknowledged is sent again when its time is over: {error}");
    }
    match end {
        End::Gone => {}
        End::Stopping => close(&mut socket, code::GOING_AWAY, "the server is stopping").await,
        End::Quit => close(&mut socket, code::NORMAL, "").await,
        End::Violation => close(&mut socket, code::VIOLATION, "Protocol violation: expected 'ack' message").await,
        End::Failed(error) => {
            tracing::warn!("the queue of a task worker could not be read: {error}");
            close(&mut socket, code::TRY_AGAIN, "the database is away; connect again").await;
        }
    }
}

/// Pings, and how many in a row nobody answered.
struct Heart {
    pings: Interval,
    unanswered: u32,
}

impl Heart {
    /// Anything that comes is a sign of life.
    fn heard(&mut self) {
        self.unanswered = 0;
    }

    async fn beat(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        if self.unanswered >= UNANSWERED_PINGS || !send(socket, Message::Ping("".into())).await {
            return Err(End::Gone);
        }
        self.unanswered += 1;
        Ok(())
    }
}

/// One connection, by the name under which it takes runs.
struct Line {
    taker: Uuid,
    keys: Vec<String>,
    /// Seconds.
    lease: f64,
}

impl Line {
    async fn serve(&self, app: &App, socket: &mut WebSocket) -> End {
        // Subscribed before the first look, so that nothing falls between the look and the wait.
        let mut wakes = app.store.wakes();
        let mut heart = Heart { pings: pings(app), unanswered: 0 };
        loop {
            let ended = match self.take(&app.store).await {
                Ok(Some(run)) => self.deliver(app, socket, &mut heart, run).await,
                Ok(None) => wait(app, socket, &mut heart, &mut wakes).await,
                Err(error) => Err(End::Failed(error)),
            };
            if let Err(end) = ended {
                return end;
            }
        }
    }

    async fn take(&self, store: &Store) -> Result<Option<TaskRun>, Error> {
        let keys = self.keys.clone();
        if !store.read(async move |tx: &mut Tx| tx.has_queued_task_runs(&keys).await).await? {
            return Ok(None);
        }
        let (keys, taker, lease) = (self.keys.clone(), self.taker, self.lease);
        store.write("task_run_queue", async move |tx: &mut Tx| tx.take_queued_task_run(&keys, taker, lease).await).await
    }

    /// Sends a run and waits, for as long as the connection lives, for the word that it has come.
    async fn deliver(&self, app: &App, socket: &mut WebSocket, heart: &mut Heart, run: TaskRun) -> Result<(), End> {
        if !send(socket, Message::text(json::to_text(&run))).await {
            return Err(End::Gone);
        }
        let (id, taker, lease) = (run.id, self.taker, self.lease);
        let answer = loop {
            tokio::select! {
                biased;
                received = socket.recv() => match received {
                    Some(Ok(Message::Text(text))) => break serde_json::from_str::<Value>(&text).unwrap_or_default(),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
                    Some(Ok(_)) => heart.heard(),
                },
                () = app.stopping.cancelled() => return Err(End::Stopping),
                _ = heart.pings.tick() => {
                    heart.beat(socket).await?;
                    let renew = async move |tx: &mut Tx| tx.renew_queued_task_run(taker, lease).await;
                    app.store.write(taker, renew).await.map_err(End::Failed)?;
                }
            }
        };
        match answer["type"].as_str() {
            Some("ack") => {
                let acknowledge = async move |tx: &mut Tx| tx.acknowledge_queued_task_run(id, taker).await;
                app.store.write(taker, acknowledge).await.map_err(End::Failed)?;
                Ok(())
            }
            Some("quit") => Err(End::Quit),
            _ => Err(End::Violation),
        }
    }
}

/// Waits until it is worth looking again.
async fn wait(
    app: &App,
    socket: &mut WebSocket,
    heart: &mut Heart,
    wakes: &mut broadcast::Receiver<Wake>,
) -> Result<(), End> {
    let look_again = sleep(LOOK_AGAIN);
    tokio::pin!(look_again);
    loop {
        tokio::select! {
            received = socket.recv() => match received {
                Some(Ok(Message::Text(text))) if is_quit(&text) => return Err(End::Quit),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
                Some(Ok(_)) => heart.heard(),
            },
            () = app.stopping.cancelled() => return Err(End::Stopping),
            _ = heart.pings.tick() => heart.beat(socket).await?,
            () = nudged(wakes) => return Ok(()),
            () = &mut look_again => return Ok(()),
        }
    }
}

fn is_quit(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|message| message["type"] == "quit")
}

async fn nudged(wakes: &mut broadcast::Receiver<Wake>) {
    loop {
        match wakes.recv().await {
            Ok(Wake::Tasks) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        }
    }
}
