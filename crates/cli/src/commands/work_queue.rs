//! `work-queue`: the queues of a work pool, in which runs wait.

use comfy_table::Cell;
use tidegate_api::Patch;
use tidegate_api::work_pools::{WorkQueue, WorkQueueCreate, WorkQueueStatus, WorkQueueUpdate};
use tidegate_client::Client;

use super::lookup::{self, DEFAULT_POOL};
use super::work_pool;
use crate::out::{self, Out};

#[derive(clap::Subcommand)]
pub enum Command {
    /// List work queues
    Ls {
        /// More columns
        #[arg(short, long)]
        verbose: bool,
        /// Only queues whose name begins so
        #[arg(short = 'm', long = "match", value_name = "PREFIX")]
        prefix: Option<String>,
        #[arg(short, long)]
        pool: Option<String>,
    },
    /// Show a work queue
    Inspect(Name),
    /// Create a work queue
    Create {
        name: String,
        /// How many of its runs may be going on at once
        #[arg(short, long)]
        limit: Option<i64>,
        #[arg(short, long)]
        pool: Option<String>,
        /// The lower, the sooner its runs start
        #[arg(short = 'q', long)]
        priority: Option<i64>,
    },
    /// Keep the runs of a queue from starting
    Pause {
        #[command(flatten)]
        name: Name,
        /// Needed to pause a pool's default queue
        #[arg(long)]
        pause_all: bool,
    },
    /// Let the runs of a queue start again
    Resume(Name),
    /// Delete a work queue
    Delete(Name),
    /// Limit how many runs of a queue may be going on at once
    SetConcurrencyLimit {
        name: String,
        limit: i64,
        #[arg(short, long)]
        pool: Option<String>,
    },
    /// Remove the limit of a queue
    ClearConcurrencyLimit(Name),
    /// Show the scheduled runs of a queue
    Preview {
        #[command(flatten)]
        name: Name,
        /// How far to look ahead
        #[arg(long, default_value_t = 1.0)]
        hours: f64,
    },
    /// Show the runs of a queue that are due
    ReadRuns(Name),
    /// Show which runs hold the slots of a queue
    Slots(Name),
}

#[derive(clap::Args)]
pub struct Name {
    /// Name or id
    name: String,
    #[arg(short, long)]
    pool: Option<String>,
}

pub async fn run(command: Command, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    match command {
        Command::Ls { verbose, prefix, pool } => list(verbose, prefix, pool, client, out).await,
        Command::Inspect(name) => inspect(&require(client, &name).await?, out),
        Command::Create { name, limit, pool, priority } => {
            let create = WorkQueueCreate {
                name: name.clone(),
                description: None,
                is_paused: false,
                concurrency_limit: limit,
                priority,
                filter: None,
            };
            let pool = pool.as_deref().unwrap_or(DEFAULT_POOL);
            lookup::work_pool(client, pool).await?;
            let created = client.create_work_queue(pool, &create).await?;
            if out.is_json() {
                return Ok(out.json(&created)?);
            }
            out.note(format!("Work queue `{name}` of pool `{pool}` is created."))?;
            Ok(())
        }
        Command::Pause { name, pause_all: _ } => {
            let update = WorkQueueUpdate { is_paused: Patch::Set(true), ..WorkQueueUpdate::default() };
            apply(client, &name, update, "paused", out).await
        }
        Command::Resume(name) => {
            let update = WorkQueueUpdate { is_paused: Patch::Set(false), ..WorkQueueUpdate::default() };
            apply(client, &name, update, "no longer paused", out).await
        }
        Command::SetConcurrencyLimit { name, limit, pool } => {
            let update = WorkQueueUpdate { concurrency_limit: Patch::Set(limit), ..WorkQueueUpdate::default() };
            apply(client, &Name { name, pool }, update, &format!("limited to {limit}"), out).await
        }
        Command::ClearConcurrencyLimit(name) => {
            let update = WorkQueueUpdate { concurrency_limit: Patch::Clear, ..WorkQueueUpdate::default() };
            apply(client, &name, update, "no longer limited", out).await
        }
        Command::Delete(name) => {
            let queue = require(client, &name).await?;
            if out.confirm(&format!("Delete work queue `{}`?", queue.name))? {
                client.delete_work_queue(pool_of(&queue, &name), &queue.name).await?;
                out.note(format!("Work queue `{}` is deleted.", queue.name))?;
            }
            Ok(())
        }
        Command::Preview { name, hours } => {
            let queue = require(client, &name).await?;
            let pool = pool_of(&queue, &name).to_owned();
            work_pool::preview(&pool, Some(&[queue.name]), hours, client, out).await
        }
        Command::ReadRuns(name) => {
            let queue = require(client, &name).await?;
            let pool = pool_of(&queue, &name).to_owned();
            work_pool::preview(&pool, Some(&[queue.name]), 0.0, client, out).await
        }
        Command::Slots(name) => {
            let queue = require(client, &name).await?;
            let status = client.read_work_queue_concurrency_status(queue.id).await?;
            work_pool::slots(
                &status,
                &queue.name,
                status.active_slots,
                status.concurrency_limit,
                &status.flow_runs,
                out,
            )
        }
    }
}

async fn require(client: &Client, name: &Name) -> anyhow::Result<WorkQueue> {
    lookup::work_queue(client, name.pool.as_deref(), &name.name).await
}

/// The server says which pool a queue is of; an older one may not.
fn pool_of<'a>(queue: &'a WorkQueue, name: &'a Name) -> &'a str {
    queue.work_pool_name.as_deref().or(name.pool.as_deref()).unwrap_or(DEFAULT_POOL)
}

async fn apply(client: &Client, name: &Name, update: WorkQueueUpdate, word: &str, out: &mut Out) -> anyhow::Result<()> {
    let queue = require(client, name).await?;
    client.update_work_queue(pool_of(&queue, name), &queue.name, &update).await?;
    out.note(format!("Work queue `{}` is {word}.", queue.name))?;
    Ok(())
}

async fn list(
    verbose: bool,
    prefix: Option<String>,
    pool: Option<String>,
    client: &Client,
    out: &mut Out,
) -> anyhow::Result<()> {
    let mut queues = match &pool {
        Some(pool) => {
            lookup::work_pool(client, pool).await?;
            lookup::every(None, async |page| client.list_work_queues(pool, page).await).await?
        }
        None => lookup::every(None, async |page| client.list_all_work_queues(page).await).await?,
    };
    queues.retain(|queue| prefix.as_deref().is_none_or(|prefix| queue.name.starts_with(prefix)));
    queues.sort_by(|a, b| (&a.work_pool_name, a.priority).cmp(&(&b.work_pool_name, b.priority)));
    let columns = if verbose {
        &["Name", "Pool", "Priority", "Limit", "Status", "Polled", "Id", "Description"][..]
    } else {
        &["Name", "Pool", "Priority", "Limit", "Status", "Polled"][..]
    };
    Ok(out.items(&queues, "work queues", columns, |queue, out| {
        let mut row = vec![
            Cell::new(&queue.name),
            Cell::new(queue.work_pool_name.as_deref().unwrap_or_default()),
            Cell::new(queue.priority),
            Cell::new(work_pool::limit(queue.concurrency_limit)),
            Cell::new(status(queue)),
            out.relative(queue.last_polled),
        ];
        if verbose {
            row.extend([Cell::new(queue.id), Cell::new(queue.description.as_deref().unwrap_or_default())]);
        }
        row
    })?)
}

fn status(queue: &WorkQueue) -> &'static str {
    match queue.status {
        _ if queue.is_paused => "paused",
        Some(WorkQueueStatus::Ready) => "ready",
        Some(WorkQueueStatus::NotReady) => "not ready",
        Some(WorkQueueStatus::Paused) => "paused",
        None => "",
    }
}

fn inspect(queue: &WorkQueue, out: &mut Out) -> anyhow::Result<()> {
    let fields = vec![
        ("Name", Some(queue.name.clone())),
        ("Id", Some(queue.id.to_string())),
        ("Pool", queue.work_pool_name.clone()),
        ("Description", queue.description.clone().filter(|text| !text.is_empty())),
        ("Status", Some(status(queue).to_owned())),
        ("Priority", Some(queue.priority.to_string())),
        ("Limit", Some(work_pool::limit(queue.concurrency_limit))),
        ("Polled", queue.last_polled.map(|time| out::relative(time, out.now))),
        ("Created", queue.created.map(|time| time.to_string())),
    ];
    Ok(out.item(queue, fields)?)
}
