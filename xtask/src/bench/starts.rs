//! How long things take to begin: the command line, and the process of a run that is due.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    http::Connection,
    products::{Product, Programs, Running, Server},
};

const POOL: &str = "bench";

/// Milliseconds that `--version` takes, the median of several.
pub fn version(product: Product, programs: &Programs, home: &Path) -> anyhow::Result<f64> {
    let times = match product {
        Product::Reference => 5,
        Product::Tidegate => 25,
    };
    let mut taken = Vec::new();
    for _ in 0..times {
        let started = Instant::now();
        let status = programs.command(product, home).arg("--version").status()?;
        ensure!(status.success(), "--version ended with {status}");
        taken.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(median(&mut taken))
}

/// Milliseconds from a run's due time to the first instruction of its process, the median of several. The process is a
/// shell that writes down the time.
pub async fn due_to_process(server: &Server, programs: &Programs) -> anyhow::Result<f64> {
    let folder = server.home.path().join("starts");
    std::fs::create_dir_all(&folder)?;
    let script = folder.join("start");
    std::fs::write(&script, format!("date +%s%N > {}/$PREFECT__FLOW_RUN_ID\n", folder.display()))?;

    let post = async |path: &str, body: Value| {
        let body = body.to_string();
        let ask = async |connection: &mut Connection| connection.post(path, body.as_bytes()).await?.json();
        server.insist(ask).await
    };
    let pool =
        json!({ "name": POOL, "type": "process", "base_job_template": template(&format!("sh {}", script.display())) });
    post("/api/work_pools/", pool).await?;
    let flow = post("/api/flows/", json!({ "name": "starts" })).await?;
    let deployment = json!({ "name": "starts", "flow_id": flow["id"], "work_pool_name": POOL, "entrypoint": "none.py:none", "path": folder });
    let deployment = post("/api/deployments/", deployment).await?;
    let deployment = deployment["id"].as_str().context("a deployment without id")?;

    let mut command = programs.command(server.product, server.home.path());
    command.args(["worker", "start", "--pool", POOL, "--type", "process"]).env("PREFECT_API_URL", server.url());
    let worker = Running::start(command)?;

    let mut taken = Vec::new();
    let times = match server.product {
        Product::Reference => 3,
        Product::Tidegate => 20,
    };
    // The first one waits for the worker to be there, and does not count.
    for time in 0..=times {
        let run = post(&format!("/api/deployments/{deployment}/create_flow_run"), json!({})).await?;
        let due: DateTime<Utc> = run["expected_start_time"].as_str().context("a run without start time")?.parse()?;
        let started = folder.join(run["id"].as_str().context("a run without id")?);
        let deadline = Instant::now() + Duration::from_mins(1);
        let at = loop {
            let written = std::fs::read_to_string(&started).unwrap_or_default();
            if written.ends_with('\n') {
                break written.trim().parse::<i64>()?;
            }
            ensure!(Instant::now() < deadline, "the {} worker started nothing within a minute", server.product.name());
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        if time > 0 {
            let due = due.timestamp_nanos_opt().context("a time out of range")?;
            taken.push((at - due) as f64 / 1e6);
        }
    }
    drop(worker);
    Ok(median(&mut taken))
}

/// A process pool's template whose runs are this command.
fn template(command: &str) -> Value {
    json!({
        "job_configuration": {
            "command": "{{ command }}", "env": "{{ env }}", "labels": "{{ labels }}", "name": "{{ name }}",
            "stream_output": "{{ stream_output }}", "working_dir": "{{ working_dir }}",
        },
        "variables": {
            "type": "object",
            "properties": {
                "name": { "type": "string" },
                "env": { "type": "object", "additionalProperties": { "type": "string" } },
                "labels": { "type": "object", "additionalProperties": { "type": "string" } },
                "command": { "type": "string", "default": command },
                "stream_output": { "type": "boolean", "default": false },
                "working_dir": { "type": "string" },
            },
        },
    })
}

pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
