//! Events out to many: every subscriber gets every event of a steady stream, and what is missing or late is counted.

use std::{
    cell::Cell,
    ops::Range,
    time::{Duration, Instant},
};

use anyhow::Context;
use chrono::SecondsFormat;
use futures::{SinkExt, StreamExt, future::try_join_all};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use super::{
    now,
    products::{Product, Server},
    sockets::{self, Stream},
};

/// How long after the last event subscribers may still get some.
const PATIENCE: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_millis(10);

/// How much is asked of a server. The reference cannot take events in any faster.
struct Extent {
    subscribers: usize,
    events_per_second: f64,
}

impl Extent {
    fn of(product: Product) -> Self {
        match product {
            Product::Tidegate => Self { subscribers: 200, events_per_second: 2_000.0 },
            Product::Reference => Self { subscribers: 20, events_per_second: 50.0 },
        }
    }
}

/// What came of it.
pub struct Figures {
    /// Messages that arrived, all subscribers together, per second.
    pub rate: f64,
    /// Messages that did not.
    pub lost: u64,
    /// Seconds from the last event to the last message of the last subscriber.
    pub behind: f64,
}

pub async fn run(server: &Server, time: Duration) -> anyhow::Result<Figures> {
    let extent = Extent::of(server.product);
    let subscribers = try_join_all((0..extent.subscribers).map(|_| subscribe(server))).await?;
    let wanted = (extent.events_per_second * time.as_secs_f64()) as u64;
    let (arrived, last) = (Cell::new(0_u64), Cell::new(Instant::now()));
    let started = Instant::now();
    let sent = async {
        send(server, &extent, wanted).await?;
        anyhow::Ok(Instant::now())
    };
    let heard = try_join_all(subscribers.into_iter().map(async |mut socket| {
        let mut count = 0;
        while count < wanted {
            let Ok(next) = tokio::time::timeout(PATIENCE, socket.next()).await else { break };
            match next.context("the socket was closed")?? {
                Message::Text(_) => {
                    count += 1;
                    last.set(Instant::now());
                }
                Message::Close(frame) => {
                    println!("  a subscriber was sent away: {frame:?}");
                    break;
                }
                _ => {}
            }
        }
        arrived.set(arrived.get() + count);
        anyhow::Ok(())
    }));
    let (last_sent, _) = tokio::try_join!(sent, heard)?;
    let last = last.get();
    Ok(Figures {
        rate: arrived.get() as f64 / (last - started).as_secs_f64(),
        lost: wanted * extent.subscribers as u64 - arrived.get(),
        behind: last.saturating_duration_since(last_sent).as_secs_f64(),
    })
}

async fn subscribe(server: &Server) -> anyhow::Result<Stream> {
    let mut socket = sockets::open(server.port, "/api/events/out").await?;
    let filter = json!({ "type": "filter", "backfill": false, "filter": { "event": { "prefix": ["bench.stream"] } } });
    socket.send(Message::text(filter.to_string())).await?;
    sockets::settle(&mut socket).await?;
    Ok(socket)
}

async fn send(server: &Server, extent: &Extent, wanted: u64) -> anyhow::Result<()> {
    let mut socket = sockets::open(server.port, "/api/events/in").await?;
    let mut pace = Pace::new(extent.events_per_second, wanted);
    while let Some(due) = pace.due().await {
        for number in due {
            let message = event("bench.stream", &format!("bench.stream.{number}"), "none");
            socket.feed(Message::text(message)).await?;
        }
        socket.flush().await?;
    }
    sockets::settle(&mut socket).await
}

/// A small event of this moment, related to a deployment.
pub fn event(name: &str, resource: &str, deployment: &str) -> String {
    json!({
        "id": Uuid::now_v7(),
        "occurred": now().to_rfc3339_opts(SecondsFormat::Micros, true),
        "event": name,
        "resource": { "prefect.resource.id": resource },
        "related": [{ "prefect.resource.id": deployment, "prefect.resource.role": "deployment" }],
        "payload": {},
    })
    .to_string()
}

/// Spreads work evenly over time.
pub struct Pace {
    started: Instant,
    per_second: f64,
    all: u64,
    done: u64,
    ticks: tokio::time::Interval,
}

impl Pace {
    pub fn new(per_second: f64, all: u64) -> Self {
        Self { started: Instant::now(), per_second, all, done: 0, ticks: tokio::time::interval(TICK) }
    }

    /// Seconds since the beginning.
    pub fn elapsed(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Waits for the next moment and answers what is due at it, by number; `None` when all is done.
    pub async fn due(&mut self) -> Option<Range<u64>> {
        if self.done == self.all {
            return None;
        }
        self.ticks.tick().await;
        let due = self.done..((self.elapsed() * self.per_second) as u64).min(self.all);
        self.done = due.end;
        Some(due)
    }
}
