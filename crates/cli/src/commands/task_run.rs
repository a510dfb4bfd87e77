//! `task-run`: list task runs, look at one, read its logs.

use comfy_table::Cell;
use tidegate_api::filters::{RunFilters, TaskRunFilter, TextFilter};
use tidegate_client::Client;
use tidegate_core::state::StateType;

use super::flow_run::{state_filter, state_type};
use super::logs::{self, Owner};
use super::lookup;
use crate::failure;
use crate::out::{self, Out};

#[derive(clap::Subcommand)]
pub enum Command {
    /// List task runs, the latest first
    Ls {
        /// Only task runs of this name; may be repeated
        #[arg(long = "task-run-name", value_name = "NAME")]
        names: Vec<String>,
        #[arg(long, default_value_t = 15)]
        limit: usize,
        /// Only runs in the state of this name; may be repeated
        #[arg(long = "state", value_name = "NAME")]
        states: Vec<String>,
        /// Only runs in a state of this type; may be repeated
        #[arg(long = "state-type", value_name = "TYPE", value_parser = state_type)]
        state_types: Vec<StateType>,
    },
    /// Show a task run
    Inspect { id: String },
    /// Print a task run's logs
    Logs {
        id: String,
        #[command(flatten)]
        which: logs::Arguments,
    },
}

pub async fn run(command: Command, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    match command {
        Command::Ls { names, limit, states, state_types } => {
            let name = (!names.is_empty()).then(|| TextFilter { any_: Some(names), ..TextFilter::default() });
            let filter = TaskRunFilter { name, state: state_filter(states, state_types), ..TaskRunFilter::default() };
            list(RunFilters { task_runs: Some(filter), ..RunFilters::default() }, limit, client, out).await
        }
        Command::Inspect { id } => inspect(&id, client, out).await,
        Command::Logs { id, which } => {
            let id = lookup::id(&id)?;
            logs::show(&which, Owner::TaskRun(id), client, out).await
        }
    }
}

async fn list(filters: RunFilters, limit: usize, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let sort = tidegate_api::task_runs::TaskRunSort::ExpectedStartTimeDesc;
    let runs = lookup::every(Some(limit), async |page| client.list_task_runs(&filters, sort, page).await).await?;
    let columns = ["Id", "Name", "State", "When", "Took"];
    Ok(out.items(&runs, "task runs", &columns, |run, out| {
        vec![
            Cell::new(run.id),
            Cell::new(&run.name),
            out::state_cell(run.state_type, run.state_name.as_deref()),
            out.relative(run.start_time.or(run.expected_start_time)),
            Cell::new(if run.total_run_time > 0.0 { out::took(run.total_run_time) } else { String::new() }),
        ]
    })?)
}

async fn inspect(id: &str, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let found = client.read_task_run(lookup::id(id)?).await?;
    let run = found.ok_or_else(|| failure::not_found("task run", id, "task-run ls"))?;
    let time = |time: Option<tidegate_core::time::Timestamp>| {
        time.map(|time| format!("{time} ({})", out::relative(time, out.now)))
    };
    let fields = vec![
        ("Name", Some(run.name.clone())),
        ("Id", Some(run.id.to_string())),
        ("Flow run", run.flow_run_id.map(|id| id.to_string())),
        ("Task", Some(run.task_key.clone())),
        ("State", run.state_name.clone()),
        ("Message", run.state.as_ref().and_then(|state| state.message.clone())),
        ("Tags", Some(run.tags.join(", ")).filter(|tags| !tags.is_empty())),
        ("Runs", Some(run.run_count.to_string())),
        ("Cache key", run.cache_key.clone()),
        ("Started", time(run.start_time)),
        ("Ended", time(run.end_time)),
        ("Took", (run.total_run_time > 0.0).then(|| out::took(run.total_run_time))),
    ];
    Ok(out.item(&run, fields)?)
}
