//! Copies what is configured on one server to another one, over the API of both. What is there already, by its name, stays
//! as it is, so that a copy that was interrupted goes on when it is started again. It deletes nothing and changes nothing
//! at the source.

mod automations;
mod blocks;
mod deployments;
mod history;
mod ids;
mod ledger;
mod named;
pub mod report;
mod side;
mod work_pools;

use std::path::Path;

use anyhow::Context;
use chrono::TimeDelta;
use serde_json::{Value, json};
use tidegate_client::{Client, Error};
use tidegate_core::time::Timestamp;

use crate::out::{Out, Progress};
use ids::Ids;
use ledger::Ledger;
use report::{Kind, Report};
use side::Side;

/// What became of one thing.
enum Outcome {
    Copied,
    /// It was there.
    Kept,
    /// Something that it refers to is not there yet.
    Waits(String),
}

/// How a copy is made.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Create deployments paused, so that not both servers start runs
    #[arg(long)]
    pub pause_deployments: bool,
    /// Copy runs that have ended, too, with their task runs, states, artifacts and logs
    #[arg(long)]
    pub history: bool,
    /// Only runs that ended within so many days
    #[arg(long, value_name = "DAYS", requires = "history")]
    pub history_days: Option<u32>,
}

impl Options {
    /// The runs to copy, as filters have it.
    fn past_runs(&self, now: Timestamp) -> Value {
        let mut filter = json!({ "state": { "type": { "any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"] } } });
        if let Some(days) = self.history_days {
            filter["end_time"] = json!({ "after_": now.datetime() - TimeDelta::days(days.into()) });
        }
        filter
    }
}

/// What was read from the source.
type Found = Vec<(Kind, Vec<Value>)>;

struct Copy<'a> {
    source: Side<'a>,
    target: Side<'a>,
    ids: Ids,
    ledger: Ledger,
    report: Report,
    options: &'a Options,
}

/// Copies everything, and tells what could not be copied. `memory` is the folder that remembers which pools are copies.
pub async fn everything(
    source: &Client,
    target: &Client,
    options: &Options,
    memory: &Path,
    out: &mut Out,
) -> anyhow::Result<Report> {
    source.read_version().await.context("the source does not answer")?;
    target.read_version().await.context("the target does not answer")?;
    let mut copy = Copy {
        source: Side(source),
        target: Side(target),
        ids: Ids::default(),
        ledger: Ledger::open(memory, source.api_url(), target.api_url())?,
        report: Report::new(source.api_url(), target.api_url(), options.history),
        options,
    };
    let found = copy.read().await?;
    let progress = out.progress(found.iter().map(|(_, items)| items.len() as u64).sum());
    for (kind, items) in found {
        copy.all_of(kind, items, &progress).await?;
    }
    progress.done();
    if options.history {
        copy.history(&options.past_runs(crate::now()), out).await?;
    }
    Ok(copy.report)
}

impl Copy<'_> {
    async fn read(&self) -> anyhow::Result<Found> {
        let mut found = Found::new();
        for kind in Kind::ALL {
            let items = match kind {
                Kind::BlockType => self.source.every("/block_types/filter", &Value::Null).await,
                Kind::BlockSchema => self.source.every("/block_schemas/filter", &Value::Null).await,
                Kind::Block => blocks::read(&self.source).await,
                Kind::Variable => self.source.every("/variables/filter", &Value::Null).await,
                Kind::Limit => named::read_limits(&self.source).await,
                Kind::WorkPool => self.source.every("/work_pools/filter", &Value::Null).await,
                Kind::WorkQueue => work_pools::read_queues(&self.source).await,
                Kind::Flow => self.source.every("/flows/filter", &Value::Null).await,
                Kind::Deployment => self.source.every("/deployments/filter", &Value::Null).await,
                Kind::Automation => self.source.every("/automations/filter", &Value::Null).await,
                Kind::SavedSearch => self.source.every("/saved_searches/filter", &Value::Null).await,
                Kind::FlowRun | Kind::TaskRun | Kind::Artifact | Kind::Log => continue,
            };
            let items = match items {
                // An older server that does not know the operation has none of them.
                Err(error) if error.downcast_ref().is_some_and(Error::is_unknown_operation) => Vec::new(),
                items => items.with_context(|| format!("cannot read {} of the source", kind.plural()))?,
            };
            found.push((kind, items));
        }
        Ok(found)
    }

    /// Things may refer to others of their kind, in any order: what waits is tried again as long as that helps.
    async fn all_of(&mut self, kind: Kind, items: Vec<Value>, progress: &Progress) -> anyhow::Result<()> {
        self.report.found(kind, items.len());
        let mut waiting = items;
        loop {
            let before = waiting.len();
            let mut later = Vec::new();
            for item in std::mem::take(&mut waiting) {
                let name = name_of(kind, &item);
                progress.at(&format!("{} {name}", kind.singular()));
                match self.one(kind, &item).await {
                    Ok(Outcome::Copied) => self.report.copied(kind),
                    Ok(Outcome::Kept) => self.report.kept(kind),
                    Ok(Outcome::Waits(reason)) => {
                        later.push((item, reason));
                        continue;
                    }
                    Err(error) => self.report.failed(kind, &name, refusal(error)?),
                }
                progress.step();
            }
            if later.is_empty() {
                return Ok(());
            }
            if later.len() == before {
                for (item, reason) in later {
                    self.report.failed(kind, &name_of(kind, &item), reason);
                    progress.step();
                }
                return Ok(());
            }
            waiting = later.into_iter().map(|(item, _)| item).collect();
        }
    }

    async fn one(&mut self, kind: Kind, item: &Value) -> anyhow::Result<Outcome> {
        match kind {
            Kind::BlockType => self.block_type(item).await,
            Kind::BlockSchema => self.block_schema(item).await,
            Kind::Block => self.block(item).await,
            Kind::Variable => self.variable(item).await,
            Kind::Limit => self.limit(item).await,
            Kind::WorkPool => self.work_pool(item).await,
            Kind::WorkQueue => self.work_queue(item).await,
            Kind::Flow => self.flow(item).await,
            Kind::Deployment => self.deployment(item).await,
            Kind::Automation => self.automation(item).await,
            Kind::SavedSearch => self.saved_search(item).await,
            Kind::FlowRun | Kind::TaskRun | Kind::Artifact | Kind::Log => {
                anyhow::bail!("runs are copied after all else")
            }
        }
    }

    /// Creates a thing at the target and remembers which one it is there.
    async fn create(&mut self, path: &str, item: &Value, body: &Value) -> anyhow::Result<Outcome> {
        let created = self.target.post(path, body).await?;
        self.ids.put(&item["id"], &created["id"]);
        Ok(Outcome::Copied)
    }

    /// The thing is there: what refers to it finds it.
    fn keep(&mut self, item: &Value, id: impl ToString) -> Outcome {
        self.ids.put(&item["id"], &Value::String(id.to_string()));
        Outcome::Kept
    }
}

/// Why the target did not take one thing. Where it takes nothing any more, the copy ends.
fn refusal(error: anyhow::Error) -> anyhow::Result<String> {
    match error.downcast_ref::<Error>() {
        Some(Error::Status { status: 401 | 403, operation, .. }) if !operation.starts_with("POST") => Err(error),
        Some(Error::Status { status: 401 | 503, .. } | Error::Unreachable { .. }) => {
            Err(error.context("the copy was interrupted; started again, it goes on"))
        }
        Some(refused) => Ok(refused.to_string()),
        None => Ok(format!("{error:#}")),
    }
}

/// What people call a thing.
fn name_of(kind: Kind, item: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match kind {
        Kind::Block => blocks::slug(item),
        Kind::BlockSchema => format!("{} {}", text(&item["block_type"]["slug"]), text(&item["version"])),
        Kind::WorkQueue => format!("{}/{}", text(&item["work_pool_name"]), text(&item["name"])),
        _ => text(&item["name"]),
    }
}
