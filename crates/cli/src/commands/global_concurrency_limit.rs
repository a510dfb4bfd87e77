//! `global-concurrency-limit`: limits by name that flows, tasks and deployments take slots of.

use std::path::PathBuf;

use anyhow::Context;
use comfy_table::Cell;
use tidegate_api::Patch;
use tidegate_api::concurrency_limits::{ConcurrencyLimitV2Create, ConcurrencyLimitV2Update};
use tidegate_api::deployments::GlobalConcurrencyLimit;
use tidegate_client::Client;

use super::lookup;
use crate::failure::{self, Failure};
use crate::out::Out;

#[derive(clap::Subcommand)]
pub enum Command {
    /// List limits
    Ls,
    /// Show a limit
    Inspect {
        name: String,
        /// Write the limit to this file, as JSON
        #[arg(short, long)]
        file: Option<PathBuf>,
    },
    /// Create a limit
    Create {
        name: String,
        /// How many slots there are
        #[arg(short, long)]
        limit: i64,
        /// Start switched off: it lets everything through
        #[arg(long)]
        disable: bool,
        /// Slots that count as taken from the start
        #[arg(long, default_value_t = 0)]
        active_slots: i64,
        /// Slots that become free by themselves each second, for rate limits
        #[arg(long, default_value_t = 0.0)]
        slot_decay_per_second: f64,
    },
    /// Change a limit
    Update(Update),
    /// Switch a limit on
    Enable { name: String },
    /// Switch a limit off: it lets everything through
    Disable { name: String },
    /// Delete a limit
    Delete { name: String },
    /// List who holds slots of a limit, longest first
    Holders { name: String },
    /// Take the slots from a holder
    Release {
        name: String,
        /// The holder's lease, as `holders` shows it
        lease_id: String,
    },
}

#[derive(clap::Args)]
pub struct Update {
    name: String,
    /// Switch it on
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Switch it off
    #[arg(long)]
    disable: bool,
    /// How many slots there are
    #[arg(short, long)]
    limit: Option<i64>,
    /// Slots that count as taken
    #[arg(long)]
    active_slots: Option<i64>,
    /// Slots that become free by themselves each second
    #[arg(long)]
    slot_decay_per_second: Option<f64>,
}

impl Update {
    fn is_empty(&self) -> bool {
        let has_switch = self.enable || self.disable;
        !has_switch && self.limit.is_none() && self.active_slots.is_none() && self.slot_decay_per_second.is_none()
    }
}

pub async fn run(command: Command, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    match command {
        Command::Ls => list(client, out).await,
        Command::Inspect { name, file } => inspect(&name, file, client, out).await,
        Command::Create { name, limit, disable, active_slots, slot_decay_per_second } => {
            let create = ConcurrencyLimitV2Create {
                active: !disable,
                name: name.clone(),
                limit,
                active_slots,
                denied_slots: 0,
                slot_decay_per_second,
            };
            let created = client.create_concurrency_limit(&create).await?;
            if out.is_json() {
                return Ok(out.json(&created)?);
            }
            out.note(format!("Limit `{name}` of {limit} is created ({}).", created.id))?;
            Ok(())
        }
        Command::Update(update) => {
            if update.is_empty() {
                return Err(Failure::usage("nothing to change").hint("`tidegate gcl update --help`").into());
            }
            let set = |value: Option<i64>| value.map_or(Patch::Keep, Patch::Set);
            let active = if update.enable || update.disable { Patch::Set(update.enable) } else { Patch::Keep };
            let change = ConcurrencyLimitV2Update {
                active,
                limit: set(update.limit),
                active_slots: set(update.active_slots),
                slot_decay_per_second: update.slot_decay_per_second.map_or(Patch::Keep, Patch::Set),
                ..ConcurrencyLimitV2Update::default()
            };
            apply(client, &update.name, change, "changed", out).await
        }
        Command::Enable { name } => switch(client, &name, true, out).await,
        Command::Disable { name } => switch(client, &name, false, out).await,
        Command::Delete { name } => {
            require(client, &name).await?;
            if out.confirm(&format!("Delete limit `{name}`?"))? {
                client.delete_concurrency_limit(&name).await?;
                out.note(format!("Limit `{name}` is deleted."))?;
            }
            Ok(())
        }
        Command::Holders { name } => holders(&name, client, out).await,
        Command::Release { name, lease_id } => {
            let lease = lookup::id(&lease_id)?;
            require(client, &name).await?;
            if !out.confirm(&format!("Take the slots of `{name}` from the holder of lease {lease}?"))? {
                return Ok(());
            }
            match client.release_concurrency_holder(&name, lease).await {
                Err(error) if error.is_not_found() => {
                    let list = format!("global-concurrency-limit holders {name}");
                    Err(failure::not_found("lease", lease, &list).into())
                }
                released => {
                    released?;
                    Ok(out.note(format!("The slots of lease {lease} are free."))?)
                }
            }
        }
    }
}

async fn holders(name: &str, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    require(client, name).await?;
    let holders = client.list_concurrency_holders(name).await?;
    let columns = ["Lease", "Holder", "Name", "Slots", "Since", "Until"];
    Ok(out.items(&holders, "holders", &columns, |holder, out| {
        let who = holder.holder.as_ref();
        vec![
            Cell::new(holder.lease_id),
            Cell::new(who.map(|who| format!("{} {}", who.kind, who.id)).unwrap_or_default()),
            Cell::new(who.and_then(|who| who.name.as_deref()).unwrap_or_default()),
            Cell::new(holder.slots),
            out.relative(Some(holder.since)),
            out.relative(Some(holder.expires)),
        ]
    })?)
}

async fn list(client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let limits = lookup::every(None, async |page| client.list_concurrency_limits(page).await).await?;
    let columns = ["Name", "Limit", "Taken", "Decay/s", "Active", "Updated"];
    Ok(out.items(&limits, "limits", &columns, |limit, out| {
        vec![
            Cell::new(&limit.name),
            Cell::new(limit.limit),
            Cell::new(limit.active_slots),
            Cell::new(limit.slot_decay_per_second),
            Cell::new(if limit.active { "yes" } else { "no" }),
            out.relative(limit.updated),
        ]
    })?)
}

async fn inspect(name: &str, file: Option<PathBuf>, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let limit = require(client, name).await?;
    if let Some(path) = file {
        let text = serde_json::to_string_pretty(&limit)?;
        std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        out.note(format!("Limit `{name}` is written to {}.", path.display()))?;
        return Ok(());
    }
    let fields = vec![
        ("Name", Some(limit.name.clone())),
        ("Id", Some(limit.id.to_string())),
        ("Limit", Some(limit.limit.to_string())),
        ("Taken", Some(limit.active_slots.to_string())),
        ("Decay/s", Some(limit.slot_decay_per_second.to_string())),
        ("Active", Some(if limit.active { "yes" } else { "no" }.to_owned())),
        ("Created", limit.created.map(|time| time.to_string())),
        ("Updated", limit.updated.map(|time| time.to_string())),
    ];
    Ok(out.item(&limit, fields)?)
}

async fn switch(client: &Client, name: &str, active: bool, out: &mut Out) -> anyhow::Result<()> {
    let limit = require(client, name).await?;
    let word = if active { "switched on" } else { "switched off" };
    if limit.active == active {
        return Err(Failure::new(format!("limit `{name}` is {word} already")).into());
    }
    let change = ConcurrencyLimitV2Update { active: Patch::Set(active), ..ConcurrencyLimitV2Update::default() };
    apply(client, name, change, word, out).await
}

async fn apply(
    client: &Client,
    name: &str,
    change: ConcurrencyLimitV2Update,
    word: &str,
    out: &mut Out,
) -> anyhow::Result<()> {
    match client.update_concurrency_limit(name, &change).await {
        Ok(()) => {}
        Err(error) if error.is_not_found() => {
            return Err(failure::not_found("limit", name, "global-concurrency-limit ls").into());
        }
        Err(error) => return Err(error.into()),
    }
    out.note(format!("Limit `{name}` is {word}."))?;
    Ok(())
}

async fn require(client: &Client, name: &str) -> anyhow::Result<GlobalConcurrencyLimit> {
    let found = client.read_concurrency_limit(name).await?;
    found.ok_or_else(|| failure::not_found("limit", name, "global-concurrency-limit ls").into())
}
