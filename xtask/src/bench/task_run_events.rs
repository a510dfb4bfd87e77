//! Tells a server of task runs as the SDK does: events over the socket for incoming events.

use chrono::{SecondsFormat, TimeDelta};
use futures::{SinkExt, future::try_join_all};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use super::{now, sockets};

const STATES: [(&str, &str); 3] = [("PENDING", "Pending"), ("RUNNING", "Running"), ("COMPLETED", "Completed")];
pub const PER_TASK_RUN: usize = STATES.len();

/// Sends the events of `task_runs` task runs of `flow_run` over a number of sockets, and closes them.
pub async fn send(port: u16, connections: usize, flow_run: &str, task_runs: usize) -> anyhow::Result<()> {
    let share = task_runs.div_ceil(connections);
    try_join_all((0..connections).map(async |connection| {
        let mine = (connection * share).min(task_runs)..((connection + 1) * share).min(task_runs);
        send_share(port, flow_run, mine).await
    }))
    .await
    .map(drop)
}

async fn send_share(port: u16, flow_run: &str, task_runs: std::ops::Range<usize>) -> anyhow::Result<()> {
    let mut socket = sockets::open(port, "/api/events/in").await?;
    for number in task_runs {
        let id = Uuid::now_v7();
        for (step, state) in STATES.iter().enumerate() {
            socket.feed(Message::text(event(flow_run, id, number, step, state))).await?;
        }
    }
    sockets::settle(&mut socket).await?;
    socket.close(None).await?;
    Ok(())
}

fn event(flow_run: &str, id: Uuid, number: usize, step: usize, (kind, name): &(&str, &str)) -> String {
    let occurred = now() + TimeDelta::milliseconds(step as i64);
    let occurred = occurred.to_rfc3339_opts(SecondsFormat::Micros, true);
    let before = step.checked_sub(1).map(|before| STATES[before]);
    json!({
        "id": Uuid::now_v7(),
        "occurred": occurred,
        "event": format!("prefect.task-run.{name}"),
        "resource": {
            "prefect.resource.id": format!("prefect.task-run.{id}"),
            "prefect.resource.name": format!("extract-{number}"),
            "prefect.run-count": "1",
            "prefect.state-message": "",
            "prefect.state-name": name,
            "prefect.state-timestamp": occurred,
            "prefect.state-type": kind,
            "prefect.orchestration": "client",
        },
        "related": [{ "prefect.resource.id": format!("prefect.flow-run.{flow_run}"), "prefect.resource.role": "flow-run" }],
        "payload": {
            "intended": { "from": before.map(|state| state.0), "to": kind },
            "initial_state": before.map(|(kind, name)| json!({ "type": kind, "name": name, "message": "", "state_details": {} })),
            "validated_state": { "type": kind, "name": name, "message": "", "state_details": {}, "data": null },
            "task_run": {
                "name": format!("extract-{number}"),
                "task_key": "extract-6f9a61bb",
                "dynamic_key": number.to_string(),
                "empirical_policy": { "retries": 3, "retry_delay": 1 },
                "tags": ["bench"],
                "labels": {},
                "task_inputs": { "month": [] },
                "run_count": 1,
                "flow_run_run_count": 1,
                "expected_start_time": occurred,
                "start_time": occurred,
                "total_run_time": 0.0,
            },
        },
    })
    .to_string()
}
