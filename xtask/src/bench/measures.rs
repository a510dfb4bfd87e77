//! What is measured of a server under load, and what it should reach.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use anyhow::ensure;
use serde_json::json;

use super::{
    http::Connection,
    load::{Figure, Until, drive},
    now,
    products::{DEADLINE, Product, Server},
    task_run_events,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Measure {
    CreateFlowRun,
    Lifecycle,
    FilterPage,
    LogLines,
    TaskRunEvents,
}

impl Measure {
    pub const ALL: [Self; 5] =
        [Self::CreateFlowRun, Self::Lifecycle, Self::FilterPage, Self::LogLines, Self::TaskRunEvents];

    pub fn name(self) -> &'static str {
        match self {
            Self::CreateFlowRun => "create flow run",
            Self::Lifecycle => "lifecycle",
            Self::FilterPage => "filter page of 50",
            Self::LogLines => "log lines",
            Self::TaskRunEvents => "task-run events",
        }
    }

    /// Units per second.
    pub fn goal(self) -> f64 {
        match self {
            Self::CreateFlowRun => 5_000.0,
            Self::Lifecycle => 1_500.0,
            Self::FilterPage => 3_000.0,
            Self::LogLines => 200_000.0,
            Self::TaskRunEvents => 20_000.0,
        }
    }
}

/// How long and how much.
pub struct Extent {
    pub time: Duration,
    /// Flow runs in the database when pages are read.
    pub flow_runs: u64,
}

const LOG_LINES: usize = 500;

/// A server with what the measures need in it.
pub struct Bench<'a> {
    pub server: &'a Server,
    pub extent: &'a Extent,
    pub flow: String,
}

impl<'a> Bench<'a> {
    pub async fn prepare(server: &'a Server, extent: &'a Extent) -> anyhow::Result<Self> {
        let mut connection = server.connect().await?;
        let flow = connection.post("/api/flows/", br#"{"name": "bench"}"#).await?.json()?;
        Ok(Self { server, extent, flow: flow["id"].as_str().unwrap_or_default().to_owned() })
    }

    pub async fn run(&self, measure: Measure, connections: usize) -> anyhow::Result<Figure> {
        let (server, until) = (self.server, Until::Elapsed(self.extent.time));
        match measure {
            Measure::CreateFlowRun => {
                drive(server, connections, until, 1, async |connection, number| {
                    self.create(connection, number, "PENDING").await.map(drop)
                })
                .await
            }
            Measure::Lifecycle => {
                drive(server, connections, until, 1, async |connection, number| {
                    self.lifecycle(connection, number).await
                })
                .await
            }
            Measure::FilterPage => {
                self.fill().await?;
                drive(server, connections, until, 1, async |connection, _| page(connection).await).await
            }
            Measure::LogLines => {
                let flow_runs = self.create_some(connections).await?;
                drive(server, connections, until, LOG_LINES, async |connection, number| {
                    let body = log_lines(&flow_runs[number as usize % connections]);
                    connection.post("/api/logs/", body.as_bytes()).await?.success().map(drop)
                })
                .await
            }
            Measure::TaskRunEvents => self.task_run_events(connections).await,
        }
    }

    /// Creates a flow run as the SDK does, and answers its id.
    async fn create(&self, connection: &mut Connection, number: u64, state: &str) -> anyhow::Result<String> {
        let body = format!(
            r#"{{"flow_id":"{}","name":"bench-{number}","parameters":{{"month":{},"carrier":"UA"}},"context":{{}},"tags":["bench","nightly"],"empirical_policy":{{"retries":2,"retry_delay":10,"pause_keys":[],"resuming":false}},"state":{{"type":"{state}","message":"","state_details":{{}}}}}}"#,
            self.flow,
            number % 12 + 1,
        );
        let answer = connection.post("/api/flow_runs/", body.as_bytes()).await?.json()?;
        Ok(answer["id"].as_str().unwrap_or_default().to_owned())
    }

    async fn create_some(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let mut flow_runs = Vec::with_capacity(count);
        for number in 0..count {
            let create = async |connection: &mut Connection| self.create(connection, number as u64, "RUNNING").await;
            flow_runs.push(self.server.insist(create).await?);
        }
        Ok(flow_runs)
    }

    async fn count(&self, path: &str, filter: &[u8]) -> anyhow::Result<u64> {
        let count = async |connection: &mut Connection| connection.post(path, filter).await?.json();
        Ok(self.server.insist(count).await?.as_u64().unwrap_or(0))
    }

    async fn lifecycle(&self, connection: &mut Connection, number: u64) -> anyhow::Result<()> {
        let run = self.create(connection, number, "SCHEDULED").await?;
        for (kind, name) in [("PENDING", "Pending"), ("RUNNING", "Running"), ("COMPLETED", "Completed")] {
            let body = format!(
                r#"{{"state":{{"type":"{kind}","name":"{name}","message":"","state_details":{{}}}},"force":false}}"#
            );
            let answer = connection.post(&format!("/api/flow_runs/{run}/set_state"), body.as_bytes()).await?;
            let answer = answer.success()?;
            ensure!(contains(answer, b"\"ACCEPT\""), "{kind} was not accepted: {}", String::from_utf8_lossy(answer));
        }
        Ok(())
    }

    /// Creates flow runs that have ended, so that no service has to do with them, until there are as many as pages are to be
    /// read from. The reference gets fewer: at its speed it
    /// would take the better part of an hour.
    async fn fill(&self) -> anyhow::Result<()> {
        // The reference refuses most of what comes over several connections at once.
        let (wanted, connections) = match self.server.product {
            Product::Tidegate => (self.extent.flow_runs, 64),
            Product::Reference => (800.min(self.extent.flow_runs), 1),
        };
        let missing = wanted.saturating_sub(self.count("/api/flow_runs/count", b"{}").await?);
        drive(self.server, connections, Until::Calls(missing), 1, async |connection, number| {
            self.create(connection, number, "COMPLETED").await.map(drop)
        })
        .await?;
        Ok(())
    }

    /// Three events for each task run; the measure ends when the last one can be read back.
    async fn task_run_events(&self, connections: usize) -> anyhow::Result<Figure> {
        let flow_run = self.create_some(1).await?.remove(0);
        let task_runs = match self.server.product {
            Product::Tidegate => (self.extent.time.as_secs_f64() * 7_000.0) as usize,
            Product::Reference => (self.extent.time.as_secs_f64() * 60.0) as usize,
        };
        let started = Instant::now();
        task_run_events::send(self.server.port, connections, &flow_run, task_runs).await?;
        let filter = json!({ "task_runs": { "state": { "type": { "any_": ["COMPLETED"] } } },
                             "flow_runs": { "id": { "any_": [flow_run] } } });
        let filter = filter.to_string();
        loop {
            let done = self.count("/api/task_runs/count", filter.as_bytes()).await?;
            if done == task_runs as u64 {
                break;
            }
            ensure!(started.elapsed() < DEADLINE, "{done} of {task_runs} task runs were recorded");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let took = started.elapsed().as_secs_f64();
        let events = (task_runs * task_run_events::PER_TASK_RUN) as f64;
        Ok(Figure { rate: events / took, median: f64::NAN, slowest: f64::NAN, refused: 0 })
    }
}

/// The page of runs that a dashboard shows.
async fn page(connection: &mut Connection) -> anyhow::Result<()> {
    let body = br#"{"flow_runs":{"state":{"type":{"any_":["SCHEDULED","PENDING","RUNNING","COMPLETED"]}}},"sort":"EXPECTED_START_TIME_DESC","limit":50,"offset":0}"#;
    let answer = connection.post("/api/flow_runs/filter", body).await?;
    let answer = answer.success()?;
    ensure!(answer.len() > 50 * 200, "a page of {} bytes", answer.len());
    Ok(())
}

/// A batch of lines as the SDK sends them, all of one run and of this moment.
fn log_lines(flow_run: &str) -> String {
    let now = now();
    let mut body = String::with_capacity(LOG_LINES * 300);
    for number in 0..LOG_LINES {
        let time = now + chrono::TimeDelta::microseconds(number as i64);
        let time = time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        body.push(if number == 0 { '[' } else { ',' });
        let _ = write!(
            body,
            r#"{{"name":"prefect.flow_runs","level":20,"message":"Joined month {number} of the year with its weather: 26483 rows, 14 columns, 3 gaps filled","timestamp":"{time}","flow_run_id":"{flow_run}"}}"#,
        );
    }
    body.push(']');
    body
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}
