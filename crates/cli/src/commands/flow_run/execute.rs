//! `flow-run execute`: runs a flow run in a Python of the user's, in this terminal. The Python SDK does the work; this
//! finds the interpreter and tells it which run.

use std::path::Path;

use anyhow::Context;
use tidegate_client::Client;
use tokio::process::Command;
use uuid::Uuid;

use crate::commands::lookup;
use crate::failure::Failure;
use crate::python::Python;
use crate::settings::Settings;

const RUN_ID: &str = "PREFECT__FLOW_RUN_ID";

pub async fn run(id: Option<&str>, python: Option<&Path>, client: &Client, settings: &Settings) -> anyhow::Result<()> {
    let Some(id) = id.or_else(|| settings.environment().variable(RUN_ID)) else {
        return Err(Failure::usage("which flow run?").hint(format!("give its id, or set {RUN_ID}")).into());
    };
    let run = lookup::flow_run(client, id).await?;
    start(run.id, None, python, client, settings).await
}

/// Runs the SDK's engine on the run and passes its exit on.
pub async fn start(
    id: Uuid,
    entrypoint: Option<&str>,
    python: Option<&Path>,
    client: &Client,
    settings: &Settings,
) -> anyhow::Result<()> {
    let python = Python::new(python, client, settings);
    let mut command = Command::from(python.command());
    command.args(["-m", "prefect.engine"]).arg(id.to_string()).env(RUN_ID, id.to_string());
    if let Some(entrypoint) = entrypoint {
        command.env("PREFECT__FLOW_ENTRYPOINT", entrypoint);
    }
    let status =
        command.status().await.with_context(|| format!("cannot start Python `{}`", python.program().display()))?;
    if status.success() {
        return Ok(());
    }
    let failure = Failure::new(format!("the flow run's process ended with {status}"));
    Err(failure.hint(format!("`tidegate flow-run logs {id}` shows what happened")).into())
}
