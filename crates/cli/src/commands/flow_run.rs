//! `flow-run`: list, look at, follow, cancel, retry, run and delete flow runs.

pub mod execute;
pub mod retry;

use std::path::PathBuf;
use std::time::Duration;

use comfy_table::Cell;
use tidegate_api::filters::{FlowFilter, FlowRunFilter, RunFilters, StateFilter, StateTypeFilter, TextFilter};
use tidegate_api::flow_runs::{FlowRun, FlowRunSort};
use tidegate_api::orchestration::ResultDetails;
use tidegate_client::Client;
use tidegate_core::state::{StateCreate, StateType};

use super::logs::{self, Follower, Owner};
use super::{lookup, watch};
use crate::failure::Failure;
use crate::out::{self, Out};
use crate::settings::Settings;

#[derive(clap::Subcommand)]
pub enum Command {
    /// List flow runs, the latest first
    Ls(List),
    /// Show a flow run
    Inspect {
        /// Id or name
        id: String,
    },
    /// Print a flow run's logs
    Logs {
        /// Id or name
        id: String,
        /// Go on printing until the run has ended
        #[arg(short, long, conflicts_with_all = ["head", "tail", "reverse", "num_logs"])]
        follow: bool,
        #[command(flatten)]
        which: logs::Arguments,
    },
    /// Wait until a flow run has ended
    Watch {
        /// Id or name
        id: String,
        /// Give up after this many seconds
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<u64>,
    },
    /// Cancel a flow run
    Cancel {
        /// Id or name
        id: String,
    },
    /// Run a flow run again that has ended
    Retry {
        /// Id or name
        id: String,
        /// The flow, `file.py:function`, of a run without a deployment
        #[arg(short, long)]
        entrypoint: Option<String>,
        /// The Python to run it with
        #[arg(long)]
        python: Option<PathBuf>,
    },
    /// Delete a flow run
    Delete {
        /// Id or name
        id: String,
    },
    /// Run a flow run here and now, in a Python of yours
    Execute {
        /// Id; taken from PREFECT__FLOW_RUN_ID when absent
        id: Option<String>,
        /// The Python to run it with
        #[arg(long)]
        python: Option<PathBuf>,
    },
}

#[derive(clap::Args)]
pub struct List {
    /// Only runs of this flow; may be repeated
    #[arg(long = "flow-name", value_name = "NAME")]
    flow_names: Vec<String>,
    #[arg(long, default_value_t = 15)]
    limit: usize,
    /// Only runs in the state of this name; may be repeated
    #[arg(long = "state", value_name = "NAME")]
    states: Vec<String>,
    /// Only runs in a state of this type; may be repeated
    #[arg(long = "state-type", value_name = "TYPE", value_parser = state_type)]
    state_types: Vec<StateType>,
}

/// State types in any case.
pub fn state_type(text: &str) -> Result<StateType, String> {
    text.to_uppercase().parse()
}

pub async fn run(command: Command, client: &Client, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    match command {
        Command::Ls(arguments) => list(arguments, client, out).await,
        Command::Inspect { id } => inspect(&lookup::flow_run(client, &id).await?, client, out).await,
        Command::Logs { id, follow, which } => {
            let run = lookup::flow_run(client, &id).await?;
            if follow {
                return Follower::new(client, run.id).follow(run.id, out).await;
            }
            logs::show(&which, Owner::FlowRun(run.id), client, out).await
        }
        Command::Watch { id, timeout } => {
            let run = lookup::flow_run(client, &id).await?;
            let timeout = timeout.map(Duration::from_secs);
            watch::run(run.id, &watch::Patience { interval: Duration::from_millis(500), timeout }, client, out).await
        }
        Command::Cancel { id } => cancel(&id, client, out).await,
        Command::Retry { id, entrypoint, python } => {
            retry::run(&id, entrypoint.as_deref(), python.as_deref(), client, settings, out).await
        }
        Command::Delete { id } => {
            let run = lookup::flow_run(client, &id).await?;
            if out.confirm(&format!("Delete flow run `{}` ({})?", run.name, run.id))? {
                client.delete_flow_run(run.id).await?;
                out.note(format!("Flow run `{}` is deleted.", run.name))?;
            }
            Ok(())
        }
        Command::Execute { id, python } => execute::run(id.as_deref(), python.as_deref(), client, settings).await,
    }
}

async fn list(arguments: List, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let filters = RunFilters {
        flows: (!arguments.flow_names.is_empty()).then(|| FlowFilter {
            name: Some(TextFilter { any_: Some(arguments.flow_names), ..TextFilter::default() }),
            ..FlowFilter::default()
        }),
        flow_runs: state_filter(arguments.states, arguments.state_types)
            .map(|state| FlowRunFilter { state: Some(state), ..FlowRunFilter::default() }),
        ..RunFilters::default()
    };
    let sort = FlowRunSort::ExpectedStartTimeDesc;
    let runs =
        lookup::every(Some(arguments.limit), async |page| client.list_flow_runs(&filters, sort, page).await).await?;
    let flows = flow_names(client, runs.iter().map(|run| run.flow_id), out).await?;
    let columns = ["Id", "Flow", "Name", "State", "When"];
    Ok(out.items(&runs, "flow runs", &columns, |run, out| {
        vec![
            Cell::new(run.id),
            Cell::new(flows.get(&run.flow_id).map_or("", String::as_str)),
            Cell::new(&run.name),
            out::state_cell(run.state_type, run.state_name.as_deref()),
            out.relative(run.start_time.or(run.expected_start_time)),
        ]
    })?)
}

pub fn state_filter(names: Vec<String>, types: Vec<StateType>) -> Option<StateFilter> {
    if names.is_empty() && types.is_empty() {
        return None;
    }
    Some(StateFilter {
        name: (!names.is_empty()).then(|| TextFilter { any_: Some(names), ..TextFilter::default() }),
        r#type: (!types.is_empty()).then(|| StateTypeFilter { any_: Some(types), ..StateTypeFilter::default() }),
        ..StateFilter::default()
    })
}

/// Names of flows by id, for tables; programs get ids.
pub async fn flow_names(
    client: &Client,
    ids: impl Iterator<Item = uuid::Uuid>,
    out: &Out,
) -> anyhow::Result<std::collections::HashMap<uuid::Uuid, String>> {
    let ids: std::collections::BTreeSet<_> = ids.collect();
    let ids: Vec<_> = ids.into_iter().collect();
    if out.is_json() || ids.is_empty() {
        return Ok(std::collections::HashMap::new());
    }
    let mut names = std::collections::HashMap::new();
    for part in ids.chunks(200) {
        names.extend(client.list_flows_by_id(part).await?.into_iter().map(|flow| (flow.id, flow.name)));
    }
    Ok(names)
}

async fn inspect(run: &FlowRun, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let flow = client.read_flow(run.flow_id).await?;
    // Who runs it, and why it failed: only our own server knows.
    let infrastructure = match client.read_flow_run_infrastructure(run.id).await {
        Ok(found) => found,
        Err(error) if error.is_unknown_operation() => None,
        Err(error) => return Err(error.into()),
    };
    let time = |time: Option<tidegate_core::time::Timestamp>| {
        time.map(|time| format!("{time} ({})", out::relative(time, out.now)))
    };
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let failure = infrastructure.as_ref().and_then(|infrastructure| infrastructure.failure.as_ref());
    let fields = vec![
        ("Name", Some(run.name.clone())),
        ("Id", Some(run.id.to_string())),
        ("Flow", flow.map(|flow| flow.name)),
        ("State", run.state_name.clone()),
        ("Message", run.state.as_ref().and_then(|state| state.message.clone())),
        ("Failure", failure.map(|failure| failure.class.clone())),
        ("Deployment", run.deployment_id.map(|id| id.to_string())),
        ("Work pool", run.work_pool_name.clone()),
        ("Work queue", run.work_queue_name.clone()),
        ("Run by", infrastructure.as_ref().and_then(|infrastructure| infrastructure.owner_name.clone())),
        ("Infrastructure", run.infrastructure_pid.clone()),
        ("Tags", some(run.tags.join(", "))),
        ("Parameters", Some(run.parameters.text().to_owned()).filter(|text| text != "{}")),
        ("Runs", Some(run.run_count.to_string())),
        ("Expected", time(run.expected_start_time)),
        ("Started", time(run.start_time)),
        ("Ended", time(run.end_time)),
        ("Took", (run.total_run_time > 0.0).then(|| out::took(run.total_run_time))),
    ];
    Ok(out.item(run, fields)?)
}

async fn cancel(id: &str, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let run = lookup::flow_run(client, id).await?;
    let result = client.set_flow_run_state(run.id, StateCreate::of(StateType::Cancelling), false).await?;
    if let ResultDetails::Abort { reason } | ResultDetails::Reject { reason } = &result.details {
        // A run that nobody has started is cancelled straight away: the server says so by another state.
        let is_cancelled = result.state.as_ref().is_some_and(|state| state.kind == StateType::Cancelled);
        if !is_cancelled {
            let reason = reason.as_deref().unwrap_or("no reason was given");
            return Err(Failure::new(format!("flow run `{}` could not be cancelled: {reason}", run.name)).into());
        }
    }
    let state = result.state.map_or_else(|| "Cancelling".to_owned(), |state| state.name);
    out.note(format!("Flow run `{}` is {state}.", run.name))?;
    Ok(())
}
