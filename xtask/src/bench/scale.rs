//! Large databases: the runs page of the reference's UI with every combination of its filters, and searches for words in
//! log lines. Tidegate only: filling the reference as much would take days.

use std::time::Instant;

use anyhow::ensure;
use chrono::{DateTime, SecondsFormat, Utc};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    http::Connection,
    load::{Figure, Until, drive},
    now,
    products::Server,
};

const FLOWS: u64 = 20;
const DEPLOYMENTS: u64 = 100;
const POOLS: u64 = 4;
const CONNECTIONS: usize = 32;
const LOG_CONNECTIONS: usize = 8;
const LOG_LINES: u64 = 500;
/// One in so many lines tells of trouble.
const TROUBLE_EVERY: u64 = 50_000;
const ADJECTIVES: [&str; 16] = [
    "amber", "bold", "calm", "dapper", "eager", "fuzzy", "gentle", "hazel", "idle", "jolly", "keen", "lucid", "merry",
    "noble", "opal", "proud",
];
const ANIMALS: [&str; 16] = [
    "ant", "badger", "crane", "dingo", "egret", "falcon", "gecko", "heron", "ibis", "jackal", "koala", "lemur",
    "marmot", "newt", "otter", "puffin",
];
const SORTS: [&str; 4] = ["START_TIME_DESC", "START_TIME_ASC", "NAME_ASC", "NAME_DESC"];

/// A server with many runs and log lines in it.
pub struct Large<'a> {
    server: &'a Server,
    flows: Vec<String>,
    deployments: Vec<String>,
    parent: String,
    /// A quarter of the runs are newer.
    recent: DateTime<Utc>,
}

impl<'a> Large<'a> {
    /// Creates `flow_runs` runs that have ended, over the interface, with everything that the UI filters by.
    pub async fn fill(server: &'a Server, flow_runs: u64) -> anyhow::Result<Self> {
        let mut connection = server.connect().await?;
        let mut ids = Vec::new();
        for number in 0..FLOWS {
            ids.push(post(&mut connection, "/api/flows/", &json!({ "name": format!("flow-{number}") })).await?);
        }
        for number in 0..POOLS {
            let pool = json!({ "name": format!("pool-{number}"), "type": "process" });
            post(&mut connection, "/api/work_pools/", &pool).await?;
        }
        let mut deployments = Vec::new();
        for number in 0..DEPLOYMENTS {
            let deployment = json!({ "name": format!("deployment-{number}"), "flow_id": ids[(number % FLOWS) as usize],
                                     "work_pool_name": format!("pool-{}", number % POOLS) });
            deployments.push(post(&mut connection, "/api/deployments/", &deployment).await?);
        }
        let run = post(&mut connection, "/api/flow_runs/", &json!({ "flow_id": ids[0], "state": ended(0) })).await?;
        let task_run = json!({ "flow_run_id": run, "task_key": "parent", "dynamic_key": "0" });
        let parent = post(&mut connection, "/api/task_runs/", &task_run).await?;
        let mut large = Self { server, flows: ids, deployments, parent, recent: now() };
        large.create(0, flow_runs - flow_runs / 4).await?;
        large.recent = now();
        large.create(flow_runs - flow_runs / 4, flow_runs / 4).await?;
        Ok(large)
    }

    async fn create(&self, from: u64, count: u64) -> anyhow::Result<()> {
        drive(self.server, CONNECTIONS, Until::Calls(count), 1, async |connection, number| {
            let mixed = mix(from + number);
            let deployment = &self.deployments[(mixed % DEPLOYMENTS) as usize];
            let tags = [format!("team-{}", (mixed >> 8) % 10), format!("release-{}", (mixed >> 12) % 1_000)];
            let name = format!(
                "{}-{}",
                ADJECTIVES[(mixed >> 24) as usize % ADJECTIVES.len()],
                ANIMALS[(mixed >> 28) as usize % ANIMALS.len()]
            );
            let parent = (mixed >> 32).is_multiple_of(5).then_some(&self.parent);
            let run = json!({ "name": name, "tags": tags, "parent_task_run_id": parent, "parameters": { "month": 7 },
                              "state": ended(mixed >> 40) });
            connection
                .post(&format!("/api/deployments/{deployment}/create_flow_run"), run.to_string().as_bytes())
                .await?
                .success()
                .map(drop)
        })
        .await
        .map(drop)
    }

    /// Milliseconds of a page: every combination of filters in every order, one after another.
    pub async fn filters(&self) -> anyhow::Result<Figure> {
        let parts: [(&str, Value); 8] = [
            ("/flow_runs/state", json!({ "operator": "or_", "name": { "any_": ["Failed", "Crashed"] } })),
            ("/flow_runs/name", json!({ "like_": "otter" })),
            ("/flow_runs/tags", json!({ "operator": "and_", "all_": ["team-3"] })),
            ("/flow_runs/parent_task_run_id", json!({ "operator": "and_", "is_null_": true })),
            (
                "/flow_runs/expected_start_time",
                json!({ "after_": self.recent.to_rfc3339_opts(SecondsFormat::Micros, true) }),
            ),
            ("/flows/id", json!({ "any_": [self.flows[3]] })),
            ("/deployments/id", json!({ "any_": [self.deployments[43]] })),
            ("/work_pools/name", json!({ "any_": ["pool-3"] })),
        ];
        let mut times = Histogram::<u64>::new(3)?;
        let mut slow = Vec::new();
        let mut connection = self.server.connect().await?;
        for chosen in 0..1_u32 << parts.len() {
            for sort in SORTS {
                let mut body = json!({ "sort": sort, "limit": 50, "offset": 0 });
                let mut names = Vec::new();
                for (place, (path, value)) in parts.iter().enumerate().filter(|(place, _)| chosen >> place & 1 == 1) {
                    let (group, field) = path[1..].split_once('/').unwrap_or_default();
                    body[group]["operator"] = "and_".into();
                    body[group][field] = value.clone();
                    names.push(parts[place].0);
                }
                let asked = Instant::now();
                connection.post("/api/flow_runs/filter", body.to_string().as_bytes()).await?.success()?;
                let taken = asked.elapsed();
                times.record(taken.as_micros() as u64)?;
                slow.push((taken, sort, names));
            }
        }
        slow.sort();
        for (taken, sort, names) in slow.iter().rev().take(5) {
            println!("  slow: {:.1} ms for {sort} with {}", taken.as_secs_f64() * 1000.0, names.join(" "));
        }
        Ok(figure(&times))
    }
}

/// Stores log lines of many runs, some of them with a word that few have.
pub async fn fill_logs(server: &Server, lines: u64) -> anyhow::Result<()> {
    drive(server, LOG_CONNECTIONS, Until::Calls(lines / LOG_LINES), 1, async |connection, number| {
        let body = log_lines(&Uuid::now_v7().to_string(), number * LOG_LINES);
        connection.post("/api/logs/", body.as_bytes()).await?.success().map(drop)
    })
    .await
    .map(drop)
}

/// Milliseconds of a search over all of so many lines, from either end: words of many lines, of few and of none.
pub async fn searches(server: &Server, lines: u64) -> anyhow::Result<Figure> {
    let troubles = (lines / TROUBLE_EVERY) as usize;
    let mut times = Histogram::<u64>::new(3)?;
    let mut connection = server.connect().await?;
    let searches = [
        ("rows", 200),
        ("timeout", troubles),
        ("\"connection reset by peer\"", troubles),
        ("+connection +4711", 0),
        ("timeout -upstream", 0),
        ("nothing-like-this", 0),
        ("ConnectionResetError", 0),
        ("station-17", 1),
    ];
    for (query, least) in searches {
        for sort in ["TIMESTAMP_DESC", "TIMESTAMP_ASC"] {
            let body = json!({ "logs": { "text": { "query": query } }, "sort": sort, "limit": 200 });
            let asked = Instant::now();
            let found = connection.post("/api/logs/filter", body.to_string().as_bytes()).await?.json()?;
            let taken = asked.elapsed();
            println!("  {:.1} ms for {query} {sort}", taken.as_secs_f64() * 1000.0);
            times.record(taken.as_micros() as u64)?;
            let found = found.as_array().map_or(0, Vec::len);
            ensure!(found >= least, "{found} lines for {query}");
        }
    }
    Ok(figure(&times))
}

fn figure(times: &Histogram<u64>) -> Figure {
    Figure {
        rate: f64::NAN,
        median: times.value_at_quantile(0.5) as f64 / 1000.0,
        slowest: times.value_at_quantile(0.99) as f64 / 1000.0,
        refused: 0,
    }
}

async fn post(connection: &mut Connection, path: &str, body: &Value) -> anyhow::Result<String> {
    let created = connection.post(path, body.to_string().as_bytes()).await?.json()?;
    Ok(created["id"].as_str().unwrap_or_default().to_owned())
}

/// Mostly successes.
fn ended(mixed: u64) -> Value {
    let (kind, name) = match mixed % 20 {
        0 => ("FAILED", "Failed"),
        1 => ("CANCELLED", "Cancelled"),
        2 if mixed.is_multiple_of(3) => ("CRASHED", "Crashed"),
        _ => ("COMPLETED", "Completed"),
    };
    json!({ "type": kind, "name": name })
}

/// Spreads numbers over all bits (SplitMix64), so that what is taken from different bits goes together by chance only.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn log_lines(flow_run: &str, first: u64) -> String {
    let now = now();
    let lines = (first..first + LOG_LINES).map(|number| {
        let time = now + chrono::TimeDelta::microseconds((number % LOG_LINES) as i64);
        let message = if number.is_multiple_of(TROUBLE_EVERY) {
            format!("Attempt {number} ran into a timeout: connection reset by peer")
        } else {
            format!(
                "Joined month {} with weather of station-{}: {} rows, 3 gaps filled",
                number % 12,
                mix(number) % 1_000,
                mix(number) % 99_991
            )
        };
        json!({ "name": "prefect.flow_runs", "level": 20, "message": message, "flow_run_id": flow_run,
                "timestamp": time.to_rfc3339_opts(SecondsFormat::Micros, true) })
    });
    Value::Array(lines.collect()).to_string()
}
