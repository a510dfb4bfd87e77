//! Waits for a flow run to end and tells its states on the way.

use std::time::Duration;

use tidegate_api::flow_runs::FlowRun;
use tidegate_client::Client;
use tidegate_core::state::StateType;
use tokio::time::Instant;
use uuid::Uuid;

use crate::failure::Failure;
use crate::out::{self, Out};

pub struct Patience {
    pub interval: Duration,
    pub timeout: Option<Duration>,
}

/// Returns when the run has ended; an end that is not COMPLETED is a failure of the command too.
pub async fn run(id: Uuid, patience: &Patience, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let run = until_terminal(id, patience, client, out).await?;
    if out.is_json() {
        out.json(&run)?;
    }
    let state = run.state_name.as_deref().unwrap_or("an unknown state");
    if run.state_type == Some(StateType::Completed) {
        out.note(format!("Flow run `{}` is {state} after {}.", run.name, out::took(run.total_run_time)))?;
        return Ok(());
    }
    let message = run.state.as_ref().and_then(|state| state.message.clone()).unwrap_or_default();
    let because = if message.is_empty() { String::new() } else { format!(": {message}") };
    let failure = Failure::new(format!("flow run `{}` is {state}{because}", run.name));
    Err(failure.hint(format!("`tidegate flow-run logs {id}` shows what happened")).into())
}

async fn until_terminal(id: Uuid, patience: &Patience, client: &Client, out: &mut Out) -> anyhow::Result<FlowRun> {
    let deadline = patience.timeout.map(|timeout| Instant::now() + timeout);
    let mut last = None;
    loop {
        let run = client.require_flow_run(id).await?;
        if last != run.state_id {
            last = run.state_id;
            tell(&run, out)?;
        }
        if run.state_type.is_some_and(StateType::is_terminal) {
            return Ok(run);
        }
        if deadline.is_some_and(|deadline| Instant::now() + patience.interval > deadline) {
            return Err(Failure::new(format!("flow run `{}` has not ended in time", run.name)).into());
        }
        tokio::time::sleep(patience.interval).await;
    }
}

fn tell(run: &FlowRun, out: &mut Out) -> std::io::Result<()> {
    let Some(state) = &run.state else { return Ok(()) };
    let time = state.timestamp.datetime().with_timezone(&chrono::Local).format("%H:%M:%S");
    let message = state.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
    out.note(format!("{time} {} is {}{message}", run.name, state.name))
}
