//! `deployment schedule`: when a deployment runs by itself.

use comfy_table::Cell;
use serde_json::{Value, json};
use tidegate_api::Patch;
use tidegate_api::deployments::{Deployment, DeploymentScheduleCreate, DeploymentScheduleUpdate};
use tidegate_client::Client;
use tidegate_core::json::Json;
use uuid::Uuid;

use crate::commands::{lookup, values};
use crate::failure::{self, Failure};
use crate::out::{self, Out};

#[derive(clap::Subcommand)]
pub enum Command {
    /// List schedules
    Ls { deployment_name: String },
    /// Add a schedule
    Create(Create),
    /// Switch a schedule off, or all of them
    Pause {
        deployment_name: Option<String>,
        schedule_id: Option<String>,
        /// All schedules of the deployment, or of all deployments when none is named
        #[arg(long)]
        all: bool,
    },
    /// Switch a schedule on, or all of them
    Resume {
        deployment_name: Option<String>,
        schedule_id: Option<String>,
        /// All schedules of the deployment, or of all deployments when none is named
        #[arg(long)]
        all: bool,
    },
    /// Delete a schedule
    Delete {
        deployment_name: String,
        schedule_id: String,
        /// Do not ask
        #[arg(short = 'y', long)]
        accept_yes: bool,
    },
    /// Delete all schedules of a deployment
    Clear {
        deployment_name: String,
        /// Do not ask
        #[arg(short = 'y', long)]
        accept_yes: bool,
    },
}

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("when").required(true)))]
pub struct Create {
    deployment_name: String,
    /// Seconds between two runs
    #[arg(long, group = "when")]
    interval: Option<f64>,
    /// When the first interval begins
    #[arg(long, requires = "interval")]
    anchor_date: Option<String>,
    /// Cron expression
    #[arg(long, group = "when")]
    cron: Option<String>,
    /// Day of month AND day of week must both match, instead of either
    #[arg(long = "no-day_or", alias = "no-day-or", requires = "cron")]
    no_day_or: bool,
    #[arg(long = "day_or", alias = "day-or", requires = "cron", hide = true)]
    day_or: bool,
    /// Recurrence rule (RFC 5545)
    #[arg(long, group = "when")]
    rrule: Option<String>,
    /// Time zone, such as Europe/Vienna
    #[arg(long)]
    timezone: Option<String>,
    /// Add it switched off
    #[arg(long)]
    no_active: bool,
    #[arg(long, hide = true, conflicts_with = "no_active")]
    active: bool,
    /// Delete the schedules that there are
    #[arg(long)]
    replace: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    accept_yes: bool,
}

pub async fn run(command: Command, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    match command {
        Command::Ls { deployment_name } => {
            list(&lookup::deployment(client, &deployment_name).await?, client, out).await
        }
        Command::Create(arguments) => create(arguments, client, out).await,
        Command::Pause { deployment_name, schedule_id, all } => {
            switch(deployment_name, schedule_id, all, false, client, out).await
        }
        Command::Resume { deployment_name, schedule_id, all } => {
            switch(deployment_name, schedule_id, all, true, client, out).await
        }
        Command::Delete { deployment_name, schedule_id, accept_yes } => {
            let deployment = lookup::deployment(client, &deployment_name).await?;
            let id = schedule_of(&deployment, &schedule_id)?;
            if accept_yes || out.confirm(&format!("Delete schedule {id} of `{deployment_name}`?"))? {
                client.delete_deployment_schedule(deployment.id, id).await?;
                out.note(format!("Schedule {id} is deleted."))?;
            }
            Ok(())
        }
        Command::Clear { deployment_name, accept_yes } => {
            let deployment = lookup::deployment(client, &deployment_name).await?;
            let count = deployment.schedules.len();
            if accept_yes || out.confirm(&format!("Delete all {count} schedules of `{deployment_name}`?"))? {
                clear(&deployment, client).await?;
                out.note(format!("{count} schedules of `{deployment_name}` are deleted."))?;
            }
            Ok(())
        }
    }
}

async fn list(deployment: &Deployment, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let schedules = client.list_deployment_schedules(deployment.id).await?;
    let columns = ["Id", "Schedule", "Active", "Updated"];
    Ok(out.items(&schedules, "schedules", &columns, |one, out| {
        vec![
            Cell::new(one.id),
            Cell::new(describe(&one.schedule)),
            Cell::new(if one.active { "yes" } else { "no" }),
            out.relative(one.updated),
        ]
    })?)
}

/// A schedule in a few words.
pub fn describe(schedule: &Json) -> String {
    let schedule = schedule.value();
    let zone = schedule["timezone"]
        .as_str()
        .filter(|zone| *zone != "UTC")
        .map(|zone| format!(" ({zone})"))
        .unwrap_or_default();
    if let Some(cron) = schedule["cron"].as_str() {
        return format!("cron {cron}{zone}");
    }
    if let Some(rule) = schedule["rrule"].as_str() {
        return format!("rrule {}{zone}", rule.replace('\n', " "));
    }
    match schedule["interval"].as_f64() {
        Some(seconds) if seconds >= 1.0 => {
            format!("every {}{zone}", out::took(seconds).trim_end_matches(" 0s").trim_end_matches(" 0m"))
        }
        Some(seconds) => format!("every {seconds}s{zone}"),
        None => schedule.to_string(),
    }
}

async fn create(arguments: Create, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let schedule = schedule(&arguments, out)?;
    let deployment = lookup::deployment(client, &arguments.deployment_name).await?;
    if arguments.replace && !deployment.schedules.is_empty() {
        let question =
            format!("Replace the {} schedules of `{}`?", deployment.schedules.len(), arguments.deployment_name);
        if !(arguments.accept_yes || out.confirm(&question)?) {
            return Ok(());
        }
        clear(&deployment, client).await?;
    }
    let create = DeploymentScheduleCreate {
        active: !arguments.no_active,
        schedule: Json::from(schedule),
        max_scheduled_runs: None,
        parameters: Json::empty_object(),
        slug: None,
        replaces: None,
    };
    let created = client.create_deployment_schedules(deployment.id, &[create]).await?;
    if out.is_json() {
        return Ok(out.json(&created)?);
    }
    for one in &created {
        out.note(format!("`{}` now runs {}.", arguments.deployment_name, describe(&one.schedule)))?;
    }
    Ok(())
}

fn schedule(arguments: &Create, out: &Out) -> Result<Value, Failure> {
    let zone = |default: Option<&str>| arguments.timezone.as_deref().or(default).map(ToOwned::to_owned);
    if let Some(cron) = &arguments.cron {
        return Ok(json!({"cron": cron, "timezone": zone(Some("UTC")), "day_or": !arguments.no_day_or}));
    }
    if let Some(rule) = &arguments.rrule {
        return Ok(json!({"rrule": rule, "timezone": zone(Some("UTC"))}));
    }
    let anchor = match &arguments.anchor_date {
        Some(text) => values::instant(text, out.now)
            .ok_or_else(|| Failure::usage(format!("`--anchor-date {text}` is no time")))?,
        None => out.now,
    };
    Ok(json!({"interval": arguments.interval, "anchor_date": anchor, "timezone": zone(Some("UTC"))}))
}

async fn clear(deployment: &Deployment, client: &Client) -> anyhow::Result<()> {
    for schedule in &deployment.schedules {
        client.delete_deployment_schedule(deployment.id, schedule.id).await?;
    }
    Ok(())
}

fn schedule_of(deployment: &Deployment, id: &str) -> anyhow::Result<Uuid> {
    let id = lookup::id(id)?;
    let found = deployment.schedules.iter().find(|schedule| schedule.id == id);
    let list = format!("deployment schedule ls {}", deployment.id);
    found.map(|schedule| schedule.id).ok_or_else(|| failure::not_found("schedule", id, &list).into())
}

async fn switch(
    deployment: Option<String>,
    schedule: Option<String>,
    all: bool,
    active: bool,
    client: &Client,
    out: &mut Out,
) -> anyhow::Result<()> {
    let deployments = match &deployment {
        Some(name) => vec![lookup::deployment(client, name).await?],
        None if all => {
            super::every(
                &tidegate_api::filters::RunFilters::default(),
                tidegate_api::deployments::DeploymentSort::NameAsc,
                client,
            )
            .await?
        }
        None => return Err(Failure::usage("which deployment?").hint("name it, or give `--all`").into()),
    };
    let mut count = 0;
    for deployment in &deployments {
        let ids: Vec<Uuid> = match &schedule {
            Some(id) => vec![schedule_of(deployment, id)?],
            None if all => deployment.schedules.iter().filter(|one| one.active != active).map(|one| one.id).collect(),
            None => return Err(Failure::usage("which schedule?").hint("give its id, or `--all`").into()),
        };
        for id in ids {
            let update = DeploymentScheduleUpdate { active: Patch::Set(active), ..DeploymentScheduleUpdate::default() };
            client.update_deployment_schedule(deployment.id, id, &update).await?;
            count += 1;
        }
    }
    let word = if active { "on" } else { "off" };
    out.note(format!("{count} schedule{} switched {word}.", if count == 1 { " is" } else { "s are" }))?;
    Ok(())
}
