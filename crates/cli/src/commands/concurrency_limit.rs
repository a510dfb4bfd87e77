//! `concurrency-limit`: the older limits on task runs, by tag.

use comfy_table::Cell;
use serde_json::{Value, json};
use tidegate_api::concurrency_limits::{ConcurrencyLimit, ConcurrencyLimitCreate};
use tidegate_client::{Client, Method, Page};

use crate::failure;
use crate::out::Out;

#[derive(clap::Subcommand)]
pub enum Command {
    /// List limits
    Ls {
        #[arg(long, default_value_t = 15)]
        limit: i64,
        #[arg(long, default_value_t = 0)]
        offset: i64,
    },
    /// Show the limit of a tag and which task runs hold its slots
    Inspect { tag: String },
    /// Limit how many task runs with a tag may run at once
    Create { tag: String, concurrency_limit: i64 },
    /// Free all slots of a tag
    Reset { tag: String },
    /// Delete the limit of a tag
    Delete { tag: String },
}

pub async fn run(command: Command, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    match command {
        Command::Ls { limit, offset } => {
            let page = Page { limit, offset };
            let body = json!({"limit": page.limit, "offset": page.offset});
            let limits: Vec<ConcurrencyLimit> = post(client, "/concurrency_limits/filter", &body).await?;
            let columns = ["Tag", "Limit", "Taken", "Updated"];
            Ok(out.items(&limits, "limits", &columns, |limit, out| {
                vec![
                    Cell::new(&limit.tag),
                    Cell::new(limit.concurrency_limit),
                    Cell::new(limit.active_slots.len()),
                    out.relative(limit.updated),
                ]
            })?)
        }
        Command::Inspect { tag } => inspect(&tag, client, out).await,
        Command::Create { tag, concurrency_limit } => {
            let create = serde_json::to_value(ConcurrencyLimitCreate { tag: tag.clone(), concurrency_limit })?;
            let created: ConcurrencyLimit = post(client, "/concurrency_limits/", &create).await?;
            if out.is_json() {
                return Ok(out.json(&created)?);
            }
            out.note(format!("Task runs tagged `{tag}` are limited to {concurrency_limit}."))?;
            Ok(())
        }
        Command::Reset { tag } => {
            let path = format!("{}/reset", path(&tag));
            known(client.request(Method::POST, &path, Some("{}".into())).await, &tag)?;
            out.note(format!("All slots of tag `{tag}` are free."))?;
            Ok(())
        }
        Command::Delete { tag } => {
            if out.confirm(&format!("Delete the limit of tag `{tag}`?"))? {
                known(client.request(Method::DELETE, &path(&tag), None).await, &tag)?;
                out.note(format!("The limit of tag `{tag}` is deleted."))?;
            }
            Ok(())
        }
    }
}

async fn inspect(tag: &str, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let limit: ConcurrencyLimit = known(client.request(Method::GET, &path(tag), None).await, tag)?.json()?;
    let holders: Vec<String> = limit.active_slots.iter().map(ToString::to_string).collect();
    let fields = vec![
        ("Tag", Some(limit.tag.clone())),
        ("Limit", Some(limit.concurrency_limit.to_string())),
        ("Taken", Some(limit.active_slots.len().to_string())),
        ("By task runs", Some(holders.join("\n")).filter(|holders| !holders.is_empty())),
        ("Created", limit.created.map(|time| time.to_string())),
    ];
    Ok(out.item(&limit, fields)?)
}

async fn post<T: serde::de::DeserializeOwned>(client: &Client, path: &str, body: &Value) -> anyhow::Result<T> {
    let response = client.request(Method::POST, path, Some(body.to_string().into())).await?;
    Ok(response.json()?)
}

/// Tags may hold any character; a path may not.
fn path(tag: &str) -> String {
    let encoded: String = tag
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    format!("/concurrency_limits/tag/{encoded}")
}

fn known<T>(answer: tidegate_client::Result<T>, tag: &str) -> anyhow::Result<T> {
    answer.map_err(|error| {
        if error.is_not_found() {
            failure::not_found("limit of tag", tag, "concurrency-limit ls").into()
        } else {
            error.into()
        }
    })
}
