//! `webhook`: addresses that outside senders post to, and what they sent. The grammar is that of `prefect cloud webhook`;
//! checks, requests and replay are ours.

mod verification;

use comfy_table::Cell;
use tidegate_api::Patch;
use tidegate_api::webhooks::{Webhook, WebhookCreate, WebhookOutcome, WebhookUpdate};
use tidegate_client::Client;
use uuid::Uuid;

use super::{lookup, values};
use crate::failure::{self, Failure};
use crate::out::Out;

#[derive(clap::Subcommand)]
pub enum Command {
    /// List webhooks
    Ls,
    /// Show a webhook
    Get { webhook_id: String },
    /// Create a webhook
    Create {
        name: String,
        /// What it is for
        #[arg(short, long)]
        description: Option<String>,
        /// Jinja template of the event's JSON: a text, `@file` or `-` for stdin
        #[arg(short, long)]
        template: String,
        /// Requests a minute that it takes
        #[arg(long)]
        requests_per_minute: Option<i64>,
        #[command(flatten)]
        verification: verification::Arguments,
    },
    /// Change a webhook
    Update {
        webhook_id: String,
        #[arg(short, long)]
        name: Option<String>,
        /// What it is for
        #[arg(short, long)]
        description: Option<String>,
        /// Jinja template of the event's JSON: a text, `@file` or `-` for stdin
        #[arg(short, long)]
        template: Option<String>,
        /// Requests a minute that it takes
        #[arg(long)]
        requests_per_minute: Option<i64>,
        #[command(flatten)]
        verification: verification::Arguments,
    },
    /// Switch a webhook on or off, whichever it is not
    Toggle { webhook_id: String },
    /// Give a webhook another address; the old one answers nobody any more
    Rotate { webhook_id: String },
    /// Delete a webhook and the log of its requests
    Delete { webhook_id: String },
    /// List what a webhook was sent, the newest first
    Requests {
        webhook_id: String,
        /// Only these
        #[arg(long, value_enum)]
        outcome: Option<Outcome>,
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Send a request of the log through its webhook once more
    Replay { webhook_id: String, request_id: String },
}

/// What became of a request.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Outcome {
    Accepted,
    Ignored,
    Refused,
    Failed,
}

impl From<Outcome> for WebhookOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Accepted => Self::Accepted,
            Outcome::Ignored => Self::Ignored,
            Outcome::Refused => Self::Refused,
            Outcome::Failed => Self::Failed,
        }
    }
}

pub async fn run(command: Command, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    match command {
        Command::Ls => list(client, out).await,
        Command::Get { webhook_id } => show(&require(client, &webhook_id).await?, client, out),
        Command::Create { name, description, template, requests_per_minute, verification } => {
            let create = WebhookCreate {
                name,
                description,
                enabled: true,
                template: values::text_of(&template)?,
                verification: verification.given()?,
                requests_per_minute,
            };
            let webhook = client.create_webhook(&create).await?;
            if out.is_json() {
                return Ok(out.json(&webhook)?);
            }
            out.note(format!("Webhook `{}` is created ({}). It listens at:", webhook.name, webhook.id))?;
            Ok(out.line(address(client, &webhook))?)
        }
        Command::Update { webhook_id, name, description, template, requests_per_minute, verification } => {
            let set = |text: Option<String>| text.map_or(Patch::Keep, Patch::Set);
            let update = WebhookUpdate {
                name: set(name),
                description: set(description),
                template: set(template.as_deref().map(values::text_of).transpose()?),
                requests_per_minute: requests_per_minute.map_or(Patch::Keep, Patch::Set),
                verification: verification.change()?,
                ..WebhookUpdate::default()
            };
            if update == WebhookUpdate::default() {
                return Err(Failure::usage("nothing to change").hint("`tidegate webhook update --help`").into());
            }
            let webhook = change(client, &webhook_id, &update).await?;
            Ok(out.note(format!("Webhook `{}` is changed.", webhook.name))?)
        }
        Command::Toggle { webhook_id } => {
            let before = require(client, &webhook_id).await?;
            let update = WebhookUpdate { enabled: Patch::Set(!before.enabled), ..WebhookUpdate::default() };
            let webhook = change(client, &webhook_id, &update).await?;
            let word = if webhook.enabled { "on" } else { "off" };
            Ok(out.note(format!("Webhook `{}` is switched {word}.", webhook.name))?)
        }
        Command::Rotate { webhook_id } => {
            let before = require(client, &webhook_id).await?;
            if !out.confirm(&format!("Give webhook `{}` another address? The old one ends.", before.name))? {
                return Ok(());
            }
            let webhook = client.rotate_webhook(before.id).await?;
            if out.is_json() {
                return Ok(out.json(&webhook)?);
            }
            out.note(format!("Webhook `{}` now listens at:", webhook.name))?;
            Ok(out.line(address(client, &webhook))?)
        }
        Command::Delete { webhook_id } => {
            let webhook = require(client, &webhook_id).await?;
            if out.confirm(&format!("Delete webhook `{}` and the log of its requests?", webhook.name))? {
                client.delete_webhook(webhook.id).await?;
                out.note(format!("Webhook `{}` is deleted.", webhook.name))?;
            }
            Ok(())
        }
        Command::Requests { webhook_id, outcome, limit } => {
            let webhook = require(client, &webhook_id).await?;
            requests(webhook.id, outcome.map(Into::into), limit, client, out).await
        }
        Command::Replay { webhook_id, request_id } => replay(&webhook_id, &request_id, client, out).await,
    }
}

async fn list(client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let webhooks = lookup::every(None, async |page| client.list_webhooks(page).await).await?;
    let columns = ["Id", "Name", "Enabled", "Checks", "Address"];
    Ok(out.items(&webhooks, "webhooks", &columns, |webhook, _| {
        vec![
            Cell::new(webhook.id),
            Cell::new(&webhook.name),
            Cell::new(if webhook.enabled { "yes" } else { "no" }),
            Cell::new(verification::named(webhook.verification.as_ref())),
            Cell::new(address(client, webhook)),
        ]
    })?)
}

fn show(webhook: &Webhook, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let fields = vec![
        ("Name", Some(webhook.name.clone())),
        ("Id", Some(webhook.id.to_string())),
        ("Description", webhook.description.clone().filter(|text| !text.is_empty())),
        ("Enabled", Some(if webhook.enabled { "yes" } else { "no" }.to_owned())),
        ("Address", Some(address(client, webhook))),
        ("Checks", Some(verification::named(webhook.verification.as_ref()).to_owned())),
        ("Requests/min", webhook.requests_per_minute.map(|limit| limit.to_string())),
        ("Template", Some(webhook.template.clone())),
        ("Created", webhook.created.map(|time| time.to_string())),
        ("Updated", webhook.updated.map(|time| time.to_string())),
    ];
    Ok(out.item(webhook, fields)?)
}

async fn requests(
    webhook: Uuid,
    outcome: Option<WebhookOutcome>,
    limit: usize,
    client: &Client,
    out: &mut Out,
) -> anyhow::Result<()> {
    let every = async |page| client.list_webhook_requests(webhook, outcome, page).await;
    let requests = lookup::every(Some(limit), every).await?;
    let columns = ["Id", "Received", "Method", "Bytes", "Status", "Outcome", "Event", "Detail"];
    Ok(out.items(&requests, "requests", &columns, |request, out| {
        vec![
            Cell::new(request.id),
            out.relative(Some(request.received)),
            Cell::new(&request.method),
            Cell::new(request.body_bytes),
            Cell::new(request.status),
            Cell::new(request.outcome.as_str()),
            Cell::new(request.event_id.map(|id| id.to_string()).unwrap_or_default()),
            Cell::new(request.detail.as_deref().unwrap_or_default()),
        ]
    })?)
}

async fn replay(webhook: &str, request: &str, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let made = client.replay_webhook_request(lookup::id(webhook)?, lookup::id(request)?).await?;
    if out.is_json() {
        out.json(&made)?;
    }
    match (made.outcome, made.event_id) {
        (WebhookOutcome::Accepted, Some(event)) => Ok(out.note(format!("Request {request} made the event {event}."))?),
        (WebhookOutcome::Ignored, _) => Ok(out.note(format!("The template made nothing of request {request}."))?),
        _ => Err(Failure::new(made.detail.unwrap_or_else(|| "the request made no event".into())).into()),
    }
}

async fn change(client: &Client, webhook_id: &str, update: &WebhookUpdate) -> anyhow::Result<Webhook> {
    match client.update_webhook(lookup::id(webhook_id)?, update).await {
        Err(error) if error.is_not_found() => Err(absent(webhook_id)),
        changed => Ok(changed?),
    }
}

async fn require(client: &Client, webhook_id: &str) -> anyhow::Result<Webhook> {
    client.read_webhook(lookup::id(webhook_id)?).await?.ok_or_else(|| absent(webhook_id))
}

fn absent(webhook_id: &str) -> anyhow::Error {
    failure::not_found("webhook", webhook_id, "webhook ls").into()
}

/// Where senders post. It is beside the API, whatever workspace the API's address names.
fn address(client: &Client, webhook: &Webhook) -> String {
    let api = client.api_url();
    let root = api.split_once("/api/accounts/").map_or_else(|| api.trim_end_matches("/api"), |(root, _)| root);
    format!("{root}/hooks/{}", webhook.slug)
}
