//! `work-pool`: where runs wait for workers, and how workers run them.

mod template;

use std::path::{Path, PathBuf};

use anyhow::Context;
use comfy_table::Cell;
use serde::Serialize;
use tidegate_api::Patch;
use tidegate_api::flow_runs::FlowRunSlotSummary;
use tidegate_api::work_pools::{WorkPool, WorkPoolCreate, WorkPoolStatus, WorkPoolUpdate};
use tidegate_client::Client;
use tidegate_core::json::Json;
use tidegate_worker::infrastructure::Infrastructure as _;
use tidegate_worker::kubernetes::{self, DryRun, Kubernetes};

use super::{config, lookup, values, worker};
use crate::failure::Failure;
use crate::out::{self, Out};
use crate::settings::{Settings, table};

#[derive(clap::Subcommand)]
pub enum Command {
    /// List work pools
    Ls {
        /// More columns
        #[arg(short, long)]
        verbose: bool,
    },
    /// Show a work pool
    Inspect { name: String },
    /// Create a work pool
    Create(Create),
    /// Change a work pool
    Update {
        name: String,
        /// File with the job template, as JSON
        #[arg(long, value_name = "FILE")]
        base_job_template: Option<PathBuf>,
        #[arg(long)]
        concurrency_limit: Option<i64>,
        #[arg(long)]
        description: Option<String>,
    },
    /// Keep the runs of a pool from starting
    Pause { name: String },
    /// Let the runs of a pool start again
    Resume { name: String },
    /// Delete a work pool with its queues
    Delete { name: String },
    /// Limit how many runs of a pool may be going on at once
    SetConcurrencyLimit { name: String, concurrency_limit: i64 },
    /// Remove the limit of a pool
    ClearConcurrencyLimit { name: String },
    /// Show the scheduled runs of a pool, or the Job that a deployment's run would get
    Preview {
        name: String,
        /// How far to look ahead
        #[arg(long, default_value_t = 1.0)]
        hours: f64,
        /// Show the Kubernetes Job that a run of this deployment (`FLOW/DEPLOYMENT` or an id) would get
        #[arg(long)]
        deployment: Option<String>,
        /// Ask the cluster to check that Job, and show what it answers
        #[arg(long, value_name = "WHERE", value_parser = ["server"], requires = "deployment")]
        dry_run: Option<String>,
    },
    /// Show which runs hold the slots of a pool
    Slots { name: String },
    /// Print the job template that pools of a type start with
    GetDefaultBaseJobTemplate {
        #[arg(short, long = "type", value_name = "TYPE")]
        kind: String,
        /// Write it to this file
        #[arg(short, long)]
        file: Option<PathBuf>,
    },
}

#[derive(clap::Args)]
pub struct Create {
    name: String,
    /// Kind of infrastructure its workers use
    #[arg(short, long = "type", value_name = "TYPE", default_value = "process")]
    kind: String,
    /// File with the job template, as JSON; the type's own otherwise
    #[arg(long, value_name = "FILE")]
    base_job_template: Option<PathBuf>,
    /// Create it paused
    #[arg(long)]
    paused: bool,
    #[arg(long)]
    concurrency_limit: Option<i64>,
    #[arg(long)]
    description: Option<String>,
    /// Make it the pool of new deployments that name none
    #[arg(long)]
    set_as_default: bool,
    /// Change the pool if there is one of this name
    #[arg(long)]
    overwrite: bool,
}

pub async fn run(command: Command, client: &Client, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let update = WorkPoolUpdate::default();
    match command {
        Command::Ls { verbose } => list(verbose, client, out).await,
        Command::Inspect { name } => inspect(&lookup::work_pool(client, &name).await?, client, out).await,
        Command::Create(arguments) => create(arguments, client, settings, out).await,
        Command::Update { name, base_job_template, concurrency_limit, description } => {
            if base_job_template.is_none() && concurrency_limit.is_none() && description.is_none() {
                return Err(Failure::usage("nothing to change").hint("`tidegate work-pool update --help`").into());
            }
            let template = match base_job_template {
                Some(path) => Some(template_in_file(&path, &lookup::work_pool(client, &name).await?.kind, out)?),
                None => None,
            };
            let update = WorkPoolUpdate {
                base_job_template: template.map_or(Patch::Keep, |template| Patch::Set(Json::from(template))),
                concurrency_limit: concurrency_limit.map_or(Patch::Keep, Patch::Set),
                description: description.map_or(Patch::Keep, Patch::Set),
                ..update
            };
            apply(client, &name, update, "changed", out).await
        }
        Command::Pause { name } => {
            apply(client, &name, WorkPoolUpdate { is_paused: Patch::Set(true), ..update }, "paused", out).await
        }
        Command::Resume { name } => {
            let update = WorkPoolUpdate { is_paused: Patch::Set(false), ..update };
            apply(client, &name, update, "no longer paused", out).await
        }
        Command::SetConcurrencyLimit { name, concurrency_limit } => {
            let update = WorkPoolUpdate { concurrency_limit: Patch::Set(concurrency_limit), ..update };
            apply(client, &name, update, &format!("limited to {concurrency_limit}"), out).await
        }
        Command::ClearConcurrencyLimit { name } => {
            let update = WorkPoolUpdate { concurrency_limit: Patch::Clear, ..update };
            apply(client, &name, update, "no longer limited", out).await
        }
        Command::Delete { name } => {
            lookup::work_pool(client, &name).await?;
            if out.confirm(&format!("Delete work pool `{name}`?"))? {
                client.delete_work_pool(&name).await?;
                out.note(format!("Work pool `{name}` is deleted."))?;
            }
            Ok(())
        }
        Command::Preview { name, deployment: Some(deployment), dry_run, .. } => {
            let pool = lookup::work_pool(client, &name).await?;
            let deployment = lookup::deployment(client, &deployment).await?;
            let mut environment = settings.environment().variables.clone();
            environment.extend(settings.for_python());
            let dry_run = dry_run.map_or(DryRun::No, |_| DryRun::Server);
            let options = worker::kubernetes(settings);
            let of = (&pool, Some(&deployment));
            Ok(out.json(&kubernetes::preview(client, environment, options, of, dry_run).await?)?)
        }
        Command::Preview { name, hours, .. } => {
            preview(&lookup::work_pool(client, &name).await?.name, None, hours, client, out).await
        }
        Command::Slots { name } => {
            lookup::work_pool(client, &name).await?;
            let status = client.read_work_pool_concurrency_status(&name).await?;
            let runs: Vec<_> = status.queues.iter().flat_map(|queue| queue.flow_runs.clone()).collect();
            slots(&status, &name, status.active_slots, status.concurrency_limit, &runs, out)
        }
        Command::GetDefaultBaseJobTemplate { kind, file } => {
            let template = template::of_type(client, &kind).await?;
            match file {
                Some(path) => {
                    let text = serde_json::to_string_pretty(&template)?;
                    std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
                    Ok(out.note(format!("The template is written to {}.", path.display()))?)
                }
                None => Ok(out.json(&template)?),
            }
        }
    }
}

async fn apply(client: &Client, name: &str, update: WorkPoolUpdate, word: &str, out: &mut Out) -> anyhow::Result<()> {
    lookup::work_pool(client, name).await?;
    client.update_work_pool(name, &update).await?;
    out.note(format!("Work pool `{name}` is {word}."))?;
    Ok(())
}

async fn create(arguments: Create, client: &Client, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    let name = &arguments.name;
    let existing = client.read_work_pool(name).await?;
    if existing.is_some() && !arguments.overwrite {
        let failure = Failure::new(format!("work pool `{name}` exists already"));
        return Err(failure.hint("`--overwrite` changes it").into());
    }
    let template = match &arguments.base_job_template {
        Some(path) => Some(template_in_file(path, &arguments.kind, out)?),
        None if existing.is_some() => None,
        None => Some(template::of_type(client, &arguments.kind).await?),
    };
    if existing.is_some() {
        let update = WorkPoolUpdate {
            description: arguments.description.clone().map_or(Patch::Keep, Patch::Set),
            is_paused: Patch::Set(arguments.paused),
            base_job_template: template.map_or(Patch::Keep, |template| Patch::Set(Json::from(template))),
            concurrency_limit: arguments.concurrency_limit.map_or(Patch::Keep, Patch::Set),
            ..WorkPoolUpdate::default()
        };
        client.update_work_pool(name, &update).await?;
        out.note(format!("Work pool `{name}` is changed."))?;
    } else {
        let create = WorkPoolCreate {
            name: name.clone(),
            description: arguments.description.clone(),
            kind: arguments.kind.clone(),
            base_job_template: template.map(Json::from).unwrap_or_default(),
            is_paused: arguments.paused,
            concurrency_limit: arguments.concurrency_limit,
            storage_configuration: None,
        };
        client.create_work_pool(&create).await?;
        out.note(format!("Work pool `{name}` of type {} is created.", arguments.kind))?;
    }
    if arguments.set_as_default {
        config::set_one(settings, &table::worker::DEFAULT_WORK_POOL_NAME, name)?;
        out.note(format!("New deployments without a pool go to `{name}`."))?;
    }
    if out.is_json() {
        out.json(&lookup::work_pool(client, name).await?)?;
    }
    Ok(())
}

/// A base job template; one for Kubernetes in its short form is completed.
fn template_in_file(path: &Path, kind: &str, out: &mut Out) -> anyhow::Result<serde_json::Value> {
    let template = values::object_in_file(path)?;
    if kind != Kubernetes::TYPE {
        return Ok(template);
    }
    match Kubernetes::complete(&template).map_err(|reason| Failure::new(format!("`{}`: {reason}", path.display())))? {
        Some(completed) => {
            out.warn(completed.note)?;
            Ok(completed.template)
        }
        None => Ok(template),
    }
}

async fn list(verbose: bool, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let mut pools = lookup::every(None, async |page| client.list_work_pools(None, page).await).await?;
    pools.sort_by(|a, b| a.name.cmp(&b.name));
    let columns = if verbose {
        &["Name", "Type", "Limit", "Status", "Id", "Created", "Description"][..]
    } else {
        &["Name", "Type", "Limit", "Status"][..]
    };
    Ok(out.items(&pools, "work pools", columns, |pool, out| {
        let mut row = vec![
            Cell::new(&pool.name),
            Cell::new(&pool.kind),
            Cell::new(limit(pool.concurrency_limit)),
            Cell::new(status(pool)),
        ];
        if verbose {
            let description = pool.description.as_deref().unwrap_or_default();
            row.extend([Cell::new(pool.id), out.relative(pool.created), Cell::new(description)]);
        }
        row
    })?)
}

pub fn limit(limit: Option<i64>) -> String {
    limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string())
}

fn status(pool: &WorkPool) -> &'static str {
    match pool.status {
        _ if pool.is_paused => "paused",
        Some(WorkPoolStatus::Ready) => "ready",
        Some(WorkPoolStatus::NotReady) => "not ready",
        Some(WorkPoolStatus::Paused) => "paused",
        None => "",
    }
}

async fn inspect(pool: &WorkPool, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let workers = if out.is_json() {
        Vec::new()
    } else {
        lookup::every(None, async |page| client.list_workers(&pool.name, page).await).await?
    };
    let worker = |worker: &tidegate_api::work_pools::Worker| {
        let seen = worker.last_heartbeat_time.map(|time| out::relative(time, out.now)).unwrap_or_default();
        format!("{} ({}, seen {seen})", worker.name, format!("{:?}", worker.status).to_lowercase())
    };
    let workers = workers.iter().map(worker).collect::<Vec<_>>().join("\n");
    let template = pool.base_job_template.value();
    let variables = template["variables"]["properties"]
        .as_object()
        .map(|names| names.keys().cloned().collect::<Vec<_>>().join(", "));
    let fields = vec![
        ("Name", Some(pool.name.clone())),
        ("Id", Some(pool.id.to_string())),
        ("Type", Some(pool.kind.clone())),
        ("Description", pool.description.clone()),
        ("Status", Some(status(pool).to_owned())),
        ("Limit", Some(limit(pool.concurrency_limit))),
        ("Workers", Some(workers).filter(|workers| !workers.is_empty())),
        ("Job variables", variables),
        ("Created", pool.created.map(|time| time.to_string())),
        ("Updated", pool.updated.map(|time| time.to_string())),
    ];
    Ok(out.item(pool, fields)?)
}

/// The runs of a pool, or of some of its queues, that are due within some hours.
pub async fn preview(
    pool: &str,
    queues: Option<&[String]>,
    hours: f64,
    client: &Client,
    out: &mut Out,
) -> anyhow::Result<()> {
    let until = out.now.plus_seconds(hours * 3_600.0);
    let due = client.list_scheduled_flow_runs(pool, queues, until, None).await?;
    let mut runs: Vec<_> = due.into_iter().map(|due| due.flow_run).collect();
    runs.sort_by_key(|run| run.next_scheduled_start_time.or(run.expected_start_time));
    let columns = ["When", "Id", "Name", "Deployment"];
    Ok(out.items(&runs, "scheduled runs", &columns, |run, out| {
        vec![
            out.relative(run.next_scheduled_start_time.or(run.expected_start_time)),
            Cell::new(run.id),
            Cell::new(&run.name),
            Cell::new(run.deployment_id.map(|id| id.to_string()).unwrap_or_default()),
        ]
    })?)
}

/// Who holds slots: `whole` is what programs get.
pub fn slots(
    whole: &impl Serialize,
    name: &str,
    taken: i64,
    most: Option<i64>,
    runs: &[FlowRunSlotSummary],
    out: &mut Out,
) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.json(whole)?);
    }
    let of = most.map(|most| format!(" of {most}")).unwrap_or_default();
    out.note(format!("{taken}{of} slots of `{name}` are taken."))?;
    if runs.is_empty() {
        return Ok(());
    }
    let columns = ["Flow run", "Name", "State", "For"];
    Ok(out.items(runs, "runs", &columns, |run, _| {
        vec![
            Cell::new(run.id),
            Cell::new(&run.name),
            out::state_cell(run.state_type, run.state_name.as_deref()),
            Cell::new(run.time_in_current_state.map(out::span).unwrap_or_default()),
        ]
    })?)
}
