//! The sockets of events, logs and background tasks: the handshake that all share, and the streams behind it.

mod events_in;
mod events_out;
pub mod handshake;
pub mod hubs;
mod logs_out;
mod scheduled_task_runs;
pub mod worker_channel;

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::SinkExt;
use tokio::time::{Interval, MissedTickBehavior};

use crate::{App, router::Routes};

/// Close codes of the WebSocket protocol.
pub mod code {
    pub const NORMAL: u16 = 1000;
    pub const GOING_AWAY: u16 = 1001;
    pub const PROTOCOL: u16 = 1002;
    pub const POLICY: u16 = 1008;
    pub const INTERNAL: u16 = 1011;
    pub const TRY_AGAIN: u16 = 1013;
    /// A subscription that does not keep to its own rules.
    pub const VIOLATION: u16 = 4001;
}

/// A reader that takes no message for this long is disconnected.
const SEND_PATIENCE: Duration = Duration::from_secs(30);
/// The longest reason that fits a close frame.
const REASON: usize = 123;

pub fn routes(routes: Routes) -> Routes {
    routes
        .get("/events/in", events_in::connect)
        .get("/events/out", events_out::connect)
        .get("/logs/out", logs_out::connect)
        .get("/task_runs/subscriptions/scheduled", scheduled_task_runs::connect)
        .get("/work_pools/{name}/workers/connect", worker_channel::connect)
}

/// Says good-bye; whether the client hears it is its own affair.
pub async fn close(socket: &mut WebSocket, code: u16, reason: &str) {
    let mut end = reason.len().min(REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let frame = CloseFrame { code, reason: reason[..end].into() };
    if socket.send(Message::Close(Some(frame))).await.is_ok() {
        // Reading on lets the client's answer end the connection in order.
        let _ = tokio::time::timeout(Duration::from_secs(1), async { while let Some(Ok(_)) = socket.recv().await {} })
            .await;
    }
}

/// Sends with patience; `false` when the client is gone or takes nothing.
pub async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(tokio::time::timeout(SEND_PATIENCE, socket.send(message)).await, Ok(Ok(())))
}

/// Sends one after the other with patience for all of them, and no sooner than needed; `false` as in `send`.
pub async fn send_all(socket: &mut WebSocket, messages: Vec<Message>) -> bool {
    if messages.is_empty() {
        return true;
    }
    let sending = async {
        for message in messages {
            socket.feed(message).await?;
        }
        socket.flush().await
    };
    matches!(tokio::time::timeout(SEND_PATIENCE, sending).await, Ok(Ok(())))
}

/// Ticks when a ping is due.
fn pings(app: &App) -> Interval {
    let period = Duration::from_secs_f64(app.settings.websocket_ping_seconds.max(0.05));
    let mut interval = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
