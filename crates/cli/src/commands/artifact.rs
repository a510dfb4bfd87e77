//! `artifact`: results that runs made to be looked at.

use comfy_table::Cell;
use serde_json::Value;
use tidegate_api::artifacts::{ArtifactCollectionSort, ArtifactSort};
use tidegate_api::filters::{ArtifactFilter, TextFilter};
use tidegate_client::Client;
use tidegate_core::json::Json;

use super::lookup;
use crate::failure::{self, Failure};
use crate::out::Out;

#[derive(clap::Subcommand)]
pub enum Command {
    /// List artifacts by key, the latest version of each
    Ls {
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// All versions, not only the latest of each key
        #[arg(short, long)]
        all: bool,
    },
    /// Show the artifacts of a key, the newest first
    Inspect {
        key: String,
        #[arg(long, default_value_t = 10)]
        limit: usize,
    },
    /// Delete the artifacts of a key, or one by its id
    Delete {
        key: Option<String>,
        #[arg(long)]
        id: Option<String>,
    },
}

pub async fn run(command: Command, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    match command {
        Command::Ls { limit, all } => list(limit, all, client, out).await,
        Command::Inspect { key, limit } => inspect(&key, limit, client, out).await,
        Command::Delete { key, id } => delete(key, id, client, out).await,
    }
}

async fn list(limit: usize, all: bool, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let columns = ["Id", "Key", "Type", "Updated"];
    if all {
        let artifacts =
            lookup::every(Some(limit), async |page| client.list_artifacts(None, ArtifactSort::KeyAsc, page).await)
                .await?;
        return Ok(out.items(&artifacts, "artifacts", &columns, |artifact, out| {
            row(artifact.id, artifact.key.as_deref(), artifact.kind.as_deref(), out.relative(artifact.updated))
        })?);
    }
    let latest = lookup::every(Some(limit), async |page| {
        client.list_latest_artifacts(None, ArtifactCollectionSort::KeyAsc, page).await
    })
    .await?;
    Ok(out.items(&latest, "artifacts", &columns, |artifact, out| {
        row(artifact.latest_id, Some(&artifact.key), artifact.kind.as_deref(), out.relative(artifact.updated))
    })?)
}

fn row(id: uuid::Uuid, key: Option<&str>, kind: Option<&str>, updated: Cell) -> Vec<Cell> {
    vec![Cell::new(id), Cell::new(key.unwrap_or_default()), Cell::new(kind.unwrap_or_default()), updated]
}

fn of_key(key: &str) -> ArtifactFilter {
    let key = Some(TextFilter { any_: Some(vec![key.to_owned()]), ..TextFilter::default() });
    ArtifactFilter { key, ..ArtifactFilter::default() }
}

async fn inspect(key: &str, limit: usize, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let filter = of_key(key);
    let sort = ArtifactSort::CreatedDesc;
    let artifacts =
        lookup::every(Some(limit), async |page| client.list_artifacts(Some(&filter), sort, page).await).await?;
    if artifacts.is_empty() {
        return Err(failure::not_found("artifact", key, "artifact ls").into());
    }
    if out.is_json() {
        return Ok(out.json(&artifacts)?);
    }
    for artifact in &artifacts {
        let fields = vec![
            ("Key", artifact.key.clone()),
            ("Type", artifact.kind.clone()),
            ("Description", artifact.description.clone()),
            ("Id", Some(artifact.id.to_string())),
            ("Flow run", artifact.flow_run_id.map(|id| id.to_string())),
            ("Task run", artifact.task_run_id.map(|id| id.to_string())),
            ("Created", artifact.created.map(|time| time.to_string())),
        ];
        out.item(artifact, fields)?;
        out.line(match artifact.data.as_ref().map(Json::value) {
            Some(Value::String(text)) => format!("\n{text}\n"),
            Some(value) => format!("\n{value:#}\n"),
            None => String::new(),
        })?;
    }
    Ok(())
}

async fn delete(key: Option<String>, id: Option<String>, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let ids = match (&key, &id) {
        (None, Some(id)) => vec![lookup::id(id)?],
        (Some(key), None) => {
            let filter = of_key(key);
            let sort = ArtifactSort::CreatedDesc;
            let found =
                lookup::every(None, async |page| client.list_artifacts(Some(&filter), sort, page).await).await?;
            found.into_iter().map(|artifact| artifact.id).collect()
        }
        _ => return Err(Failure::usage("give a key or `--id`").into()),
    };
    let name = key.or(id).unwrap_or_default();
    if ids.is_empty() {
        return Err(failure::not_found("artifact", name, "artifact ls").into());
    }
    if out.confirm(&format!("Delete artifact `{name}` ({} of it)?", ids.len()))? {
        for id in &ids {
            client.delete_artifact(*id).await?;
        }
        out.note(format!("Artifact `{name}` is deleted."))?;
    }
    Ok(())
}
