//! Events out: what is stored already, then what comes, without gaps or repeats in between. A subscriber that cannot keep
//! up reads on from the database for a while and is disconnected when it falls behind for good.

use std::collections::HashSet;

use axum::{
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::HeaderMap,
    response::Response,
};
use tidegate_api::events::EventFilter;
use tidegate_core::time::Timestamp;
use tidegate_store::{Position, Tx};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::Interval,
};
use uuid::Uuid;

use super::{
    close, code, handshake,
    hubs::{LiveEvent, LivePage, message},
    logs_out::{checked, subscription},
    pings, send, send_all,
};
use crate::App;

/// How far a subscriber may be behind before it is disconnected.
const BEHIND_SECONDS: f64 = 60.0;
const CATCH_UP: i64 = 500;
/// An open end of time, as far as queries are concerned.
const OPEN_SECONDS: f64 = 366.0 * 86_400.0;
/// Clocks of servers may differ by this much: for so long before the subscription, stored events are remembered so that
/// they are not told twice.
const SKEW_SECONDS: f64 = 60.0;

pub(super) async fn connect(State(app): State<App>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    handshake::accept(app, &headers, upgrade, serve)
}

async fn serve(app: App, mut socket: WebSocket) {
    let Some(wanted) = subscription(&mut socket).await else { return };
    let filter: EventFilter = match checked("/events/filter", "filter", wanted.filter) {
        Ok(filter) => filter,
        Err(problem) => return close(&mut socket, code::PROTOCOL, &format!("Invalid filter: {problem}")).await,
    };
    if !app.settings.events.stream_out {
        return close(&mut socket, code::POLICY, "live events are switched off on this server").await;
    }
    // The live stream first: what is stored from here on comes through it.
    let (position, live) = match app.event_hub.listen().await {
        Ok(listening) => listening,
        Err(error) => {
            tracing::warn!("events cannot be followed: {error}");
            return close(&mut socket, code::TRY_AGAIN, "the database is not available").await;
        }
    };
    let pings = pings(&app);
    let mut subscriber = Subscriber { app, socket, filter, position, live, pings, told: HashSet::new() };
    let told = if wanted.backfill { subscriber.backfill().await } else { None };
    let end = match told {
        None => subscriber.follow().await,
        end => end,
    };
    if let Some(End { code, reason }) = end.filter(|end| !end.reason.is_empty()) {
        close(&mut subscriber.socket, code, reason).await;
    }
}

/// Why a subscription ended; without a reason the client is gone.
struct End {
    code: u16,
    reason: &'static str,
}

const GONE: End = End { code: code::GOING_AWAY, reason: "" };
const STOPPING: End = End { code: code::GOING_AWAY, reason: "the server is stopping" };
const UNAVAILABLE: End = End { code: code::TRY_AGAIN, reason: "the database is not available" };

struct Subscriber {
    app: App,
    socket: WebSocket,
    filter: EventFilter,
    /// Everything up to here was told, or was not wanted.
    position: Position,
    live: Receiver<LivePage>,
    pings: Interval,
    /// Stored events that may come again through the live stream.
    told: HashSet<Uuid>,
}

impl Subscriber {
    /// Sends what is stored already, oldest first. `None` when it is done.
    async fn backfill(&mut self) -> Option<End> {
        let now = self.app.store.now();
        let remembered = now.plus_seconds(-SKEW_SECONDS);
        let mut filter = self.filter.clone();
        let occurred = filter.occurred.get_or_insert_default();
        let earliest = now.plus_seconds(-self.app.settings.events.backfill_seconds);
        let since = occurred.since.map_or(earliest, |since| since.max(earliest));
        occurred.since = Some(since);
        occurred.until = occurred.until.or(Some(now.plus_seconds(OPEN_SECONDS)));
        let page_size = self.app.settings.events.backfill_page.max(1);
        let mut after: Option<(Timestamp, Uuid)> = None;
        loop {
            if self.app.stopping.is_cancelled() {
                return Some(STOPPING);
            }
            let query = filter.clone();
            let page = self
                .app
                .store
                .read(async move |tx: &mut Tx| tx.list_events_after(&query, after, page_size).await)
                .await;
            let Ok(page) = page else { return Some(UNAVAILABLE) };
            after = page.last().map(|event| (event.occurred, event.id)).or(after);
            for event in &page {
                if event.received >= remembered {
                    self.told.insert(event.id);
                }
            }
            let messages = page.iter().map(|event| Message::Text(message(event))).collect();
            if !send_all(&mut self.socket, messages).await {
                return Some(slow());
            }
            if (page.len() as i64) < page_size {
                return None;
            }
        }
    }

    async fn follow(&mut self) -> Option<End> {
        loop {
            let next = tokio::select! {
                biased;
                () = self.app.stopping.cancelled() => return Some(STOPPING),
                received = self.socket.recv() => match received {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Some(GONE),
                    Some(Ok(_)) => continue,
                },
                _ = self.pings.tick() => {
                    if !send(&mut self.socket, Message::Ping("".into())).await {
                        return Some(GONE);
                    }
                    continue;
                }
                next = self.live.recv() => next,
            };
            let end = match next {
                Ok(page) => self.tell(&page).await,
                Err(RecvError::Lagged(_)) => self.catch_up().await,
                Err(RecvError::Closed) => Some(STOPPING),
            };
            if end.is_some() {
                return end;
            }
        }
    }

    /// Sends those live events that are wanted and were not told before.
    async fn tell(&mut self, page: &[LiveEvent]) -> Option<End> {
        let mut wanted = Vec::new();
        for live in page {
            if live.position <= self.position {
                continue;
            }
            self.position = live.position;
            if !self.told.remove(&live.event.id) && self.filter.matches(&live.event) {
                wanted.push(Message::Text(live.message.clone()));
            }
        }
        if send_all(&mut self.socket, wanted).await { None } else { Some(slow()) }
    }

    /// The live stream went on without this subscriber: reads what it missed from the outbox.
    async fn catch_up(&mut self) -> Option<End> {
        loop {
            let position = self.position;
            let page = self.app.store.read(async move |tx: &mut Tx| tx.read_outbox(position, CATCH_UP).await).await;
            let Ok(page) = page else { return Some(UNAVAILABLE) };
            let now = self.app.store.now();
            if page.first().is_some_and(|(_, event)| now.seconds_since(event.received) > BEHIND_SECONDS) {
                return Some(slow());
            }
            let done = (page.len() as i64) < CATCH_UP;
            let page: Vec<LiveEvent> = page.iter().filter_map(|(at, event)| LiveEvent::new(*at, event).ok()).collect();
            let end = self.tell(&page).await;
            if end.is_some() {
                return end;
            }
            if done {
                return None;
            }
        }
    }
}

fn slow() -> End {
    metrics::counter!("tidegate_slow_subscribers_total", "stream" => "events").increment(1);
    End { code: code::TRY_AGAIN, reason: "too slow: events are waiting; connect again" }
}
