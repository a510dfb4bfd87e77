//! Automations under load: a thousand that count per resource, a stream of events of which some concern them, and one more
//! whose firings tell how far behind the evaluation is.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{
    http::Connection,
    products::{DEADLINE, Product, Server},
    sockets,
    streams::{Pace, event},
};

/// How much is asked of a server. The reference gets less: all of it would take it an hour.
struct Extent {
    automations: usize,
    events_per_second: f64,
}

impl Extent {
    fn of(product: Product) -> Self {
        match product {
            Product::Tidegate => Self { automations: 1_000, events_per_second: 5_000.0 },
            Product::Reference => Self { automations: 50, events_per_second: 50.0 },
        }
    }
}

/// What came of it.
pub struct Figures {
    /// Seconds from an event to the firing that it causes, told to a subscriber: the slowest.
    pub slowest: f64,
    /// Processor seconds of the server per second, taking the events in included.
    pub cores: f64,
}

const NAMES: [&str; 10] =
    ["Scheduled", "Pending", "Running", "Completed", "Pending", "Running", "Completed", "Pending", "Running", "Failed"];
const MARKER: &str = "bench.marker";
const MARKERS_PER_SECOND: f64 = 2.0;

pub async fn run(server: &Server, time: Duration) -> anyhow::Result<Figures> {
    let extent = Extent::of(server.product);
    for number in 0..extent.automations {
        create(server, &counting(number)).await?;
    }
    let marker = create(server, &marking()).await?;
    let mut firings = sockets::open(server.port, "/api/events/out").await?;
    let resource = format!("prefect.automation.{marker}");
    let filter = json!({ "type": "filter", "backfill": false,
        "filter": { "event": { "name": ["prefect.automation.triggered"] }, "resource": { "id": [resource] } } });
    firings.send(Message::text(filter.to_string())).await?;
    sockets::settle(&mut firings).await?;

    let (started, used) = (Instant::now(), server.running.processor_time()?);
    let markers = (time.as_secs_f64() * MARKERS_PER_SECOND).ceil() as usize;
    let load = send(server, &extent, time);
    let heard = async {
        let mut slowest: f64 = 0.0;
        for number in 0..markers {
            tokio::time::timeout(DEADLINE, sockets::next_text(&mut firings))
                .await
                .context("an automation did not fire")??;
            slowest = slowest.max(started.elapsed().as_secs_f64() - number as f64 / MARKERS_PER_SECOND);
        }
        anyhow::Ok(slowest)
    };
    let ((), slowest) = tokio::try_join!(load, heard)?;
    let used = server.running.processor_time()? - used;
    Ok(Figures { slowest, cores: used / started.elapsed().as_secs_f64() })
}

async fn send(server: &Server, extent: &Extent, time: Duration) -> anyhow::Result<()> {
    let mut socket = sockets::open(server.port, "/api/events/in").await?;
    let mut pace = Pace::new(extent.events_per_second, (extent.events_per_second * time.as_secs_f64()) as u64);
    let mut markers = 0;
    while let Some(due) = pace.due().await {
        if pace.elapsed() * MARKERS_PER_SECOND >= f64::from(markers) {
            socket.feed(Message::text(event(MARKER, &format!("bench.marker.{markers}"), "none"))).await?;
            markers += 1;
        }
        for number in due {
            let number = number as usize;
            let (deployment, run) = (number / NAMES.len() % extent.automations, number / NAMES.len());
            let name = format!("bench.run.{}", NAMES[number % NAMES.len()]);
            let message = event(&name, &format!("bench.run.{run}"), &format!("bench.deployment.{deployment}"));
            socket.feed(Message::text(message)).await?;
        }
        socket.flush().await?;
    }
    sockets::settle(&mut socket).await
}

async fn create(server: &Server, automation: &Value) -> anyhow::Result<String> {
    let body = automation.to_string();
    let ask = async |connection: &mut Connection| connection.post("/api/automations/", body.as_bytes()).await?.json();
    let created = server.insist(ask).await?;
    Ok(created["id"].as_str().context("an automation without id")?.to_owned())
}

/// Fires when three runs of its deployment failed within a minute.
fn counting(number: usize) -> Value {
    json!({
        "name": format!("bench-{number}"),
        "trigger": {
            "type": "event", "posture": "Reactive", "expect": ["bench.run.Failed"], "threshold": 3, "within": 60,
            "for_each": ["related:deployment:prefect.resource.id"],
            "match_related": {
                "prefect.resource.role": "deployment", "prefect.resource.id": format!("bench.deployment.{number}"),
            },
        },
        "actions": [{ "type": "do-nothing" }],
    })
}

fn marking() -> Value {
    json!({
        "name": "bench-marker",
        "trigger": {
            "type": "event", "posture": "Reactive", "expect": [MARKER], "threshold": 1, "within": 0,
            "for_each": ["prefect.resource.id"],
        },
        "actions": [{ "type": "do-nothing" }],
    })
}
