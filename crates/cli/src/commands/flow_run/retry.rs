//! `flow-run retry`: a run that has ended is scheduled again for a worker, or, without a deployment, run here.

use std::path::Path;

use tidegate_client::Client;
use tidegate_core::state::{StateCreate, StateType};

use super::execute;
use crate::commands::lookup;
use crate::failure::Failure;
use crate::out::Out;
use crate::settings::Settings;

pub async fn run(
    id: &str,
    entrypoint: Option<&str>,
    python: Option<&Path>,
    client: &Client,
    settings: &Settings,
    out: &mut Out,
) -> anyhow::Result<()> {
    let run = lookup::flow_run(client, id).await?;
    if !run.state_type.is_some_and(StateType::is_terminal) {
        let state = run.state_name.as_deref().unwrap_or("not known");
        let failure =
            Failure::new(format!("flow run `{}` is {state}: only a run that has ended can be retried", run.name));
        return Err(failure.hint(format!("`tidegate flow-run cancel {}` ends it", run.id)).into());
    }
    if run.deployment_id.is_none() && entrypoint.is_none() {
        let failure = Failure::usage(format!("flow run `{}` has no deployment: no worker can find its code", run.name));
        return Err(failure.hint("`--entrypoint file.py:function` runs it here").into());
    }
    let mut scheduled = StateCreate::of(StateType::Scheduled);
    scheduled.name = Some("AwaitingRetry".to_owned());
    scheduled.message = Some("retried from the command line".to_owned());
    client.set_flow_run_state(run.id, scheduled, true).await?;
    if let Some(entrypoint) = entrypoint {
        return execute::start(run.id, Some(entrypoint), python, client, settings).await;
    }
    out.note(format!("Flow run `{}` is scheduled again.", run.name))?;
    Ok(())
}
