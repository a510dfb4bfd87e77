//! `deployment`: list, look at, run, pause, resume and delete deployments.

mod run;
pub mod schedule;

use std::collections::BTreeMap;

use comfy_table::Cell;
use tidegate_api::deployments::{Deployment, DeploymentSort, DeploymentStatus};
use tidegate_api::filters::{FlowFilter, RunFilters, TextFilter};
use tidegate_client::Client;

use super::{flow_run, lookup};
use crate::failure::Failure;
use crate::out::Out;
use crate::settings::Settings;

#[derive(clap::Subcommand)]
pub enum Command {
    /// List deployments
    Ls {
        /// Only deployments of these flows
        flow_names: Vec<String>,
        /// The newest first instead of by name
        #[arg(long)]
        by_created: bool,
    },
    /// Show a deployment
    Inspect {
        /// FLOW/DEPLOYMENT, or an id
        name: String,
    },
    /// Create a flow run of a deployment
    Run(run::Arguments),
    /// Stop creating runs from the schedules of a deployment
    Pause {
        /// FLOW/DEPLOYMENT, or an id
        name: String,
    },
    /// Create runs from the schedules of a deployment again
    Resume {
        /// FLOW/DEPLOYMENT, or an id
        name: String,
    },
    /// Delete a deployment; its runs stay
    Delete {
        /// FLOW/DEPLOYMENT, or an id
        name: Option<String>,
        #[arg(long)]
        id: Option<String>,
        /// Delete all deployments
        #[arg(long, conflicts_with_all = ["name", "id"])]
        all: bool,
    },
    /// Schedules of a deployment
    #[command(subcommand, alias = "schedules")]
    Schedule(schedule::Command),
}

pub async fn run(command: Command, client: &Client, settings: &Settings, out: &mut Out) -> anyhow::Result<()> {
    match command {
        Command::Ls { flow_names, by_created } => list(flow_names, by_created, client, out).await,
        Command::Inspect { name } => {
            let deployment = lookup::deployment(client, &name).await?;
            inspect(&deployment, client, out).await
        }
        Command::Run(arguments) => run::run(arguments, client, settings, out).await,
        Command::Pause { name } => {
            let deployment = lookup::deployment(client, &name).await?;
            client.pause_deployment(deployment.id).await?;
            out.note(format!("Deployment `{name}` is paused."))?;
            Ok(())
        }
        Command::Resume { name } => {
            let deployment = lookup::deployment(client, &name).await?;
            client.resume_deployment(deployment.id).await?;
            out.note(format!("Deployment `{name}` is no longer paused."))?;
            Ok(())
        }
        Command::Delete { name, id, all } => delete(name, id, all, client, out).await,
        Command::Schedule(command) => schedule::run(command, client, out).await,
    }
}

async fn every(filters: &RunFilters, sort: DeploymentSort, client: &Client) -> anyhow::Result<Vec<Deployment>> {
    lookup::every(None, async |page| client.list_deployments(filters, sort, page).await).await
}

async fn list(flow_names: Vec<String>, by_created: bool, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let flows = (!flow_names.is_empty()).then(|| FlowFilter {
        name: Some(TextFilter { any_: Some(flow_names), ..TextFilter::default() }),
        ..FlowFilter::default()
    });
    let sort = if by_created { DeploymentSort::CreatedDesc } else { DeploymentSort::NameAsc };
    let mut deployments = every(&RunFilters { flows, ..RunFilters::default() }, sort, client).await?;
    let flows = flow_run::flow_names(client, deployments.iter().map(|deployment| deployment.flow_id), out).await?;
    let name =
        |deployment: &Deployment| full_name(deployment, flows.get(&deployment.flow_id).map_or("", String::as_str));
    if !by_created {
        deployments.sort_by_key(&name);
    }
    let columns = ["Name", "Id", "Work pool", "Schedules", "Status", "Tags"];
    Ok(out.items(&deployments, "deployments", &columns, |deployment, _| {
        vec![
            Cell::new(name(deployment)),
            Cell::new(deployment.id),
            Cell::new(deployment.work_pool_name.as_deref().unwrap_or_default()),
            Cell::new(
                deployment.schedules.iter().map(|one| schedule::describe(&one.schedule)).collect::<Vec<_>>().join("; "),
            ),
            Cell::new(status(deployment)),
            Cell::new(deployment.tags.join(", ")),
        ]
    })?)
}

fn full_name(deployment: &Deployment, flow: &str) -> String {
    format!("{flow}/{}", deployment.name)
}

fn status(deployment: &Deployment) -> &'static str {
    match deployment.status {
        _ if deployment.paused => "paused",
        Some(DeploymentStatus::Ready) => "ready",
        Some(DeploymentStatus::NotReady) => "not ready",
        None => "",
    }
}

async fn inspect(deployment: &Deployment, client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let flow = client.read_flow(deployment.flow_id).await?.map(|flow| flow.name).unwrap_or_default();
    let json =
        |json: &tidegate_core::json::Json| Some(json.text().to_owned()).filter(|text| text != "{}" && text != "null");
    let schedules: BTreeMap<_, _> = deployment
        .schedules
        .iter()
        .map(|one| {
            (one.id, format!("{}{}", schedule::describe(&one.schedule), if one.active { "" } else { " (paused)" }))
        })
        .collect();
    let fields = vec![
        ("Name", Some(full_name(deployment, &flow))),
        ("Id", Some(deployment.id.to_string())),
        ("Description", deployment.description.clone()),
        ("Version", deployment.version.clone()),
        ("Status", Some(status(deployment).to_owned())),
        ("Entrypoint", deployment.entrypoint.clone()),
        ("Path", deployment.path.clone()),
        ("Work pool", deployment.work_pool_name.clone()),
        ("Work queue", deployment.work_queue_name.clone()),
        ("Schedules", Some(schedules.into_values().collect::<Vec<_>>().join("\n")).filter(|text| !text.is_empty())),
        ("Tags", Some(deployment.tags.join(", ")).filter(|tags| !tags.is_empty())),
        ("Parameters", json(&deployment.parameters)),
        ("Job variables", json(&deployment.job_variables)),
        ("Limit", deployment.global_concurrency_limit.as_ref().map(|limit| limit.limit.to_string())),
        ("Created", deployment.created.map(|time| time.to_string())),
        ("Updated", deployment.updated.map(|time| time.to_string())),
    ];
    Ok(out.item(deployment, fields)?)
}

async fn delete(
    name: Option<String>,
    id: Option<String>,
    all: bool,
    client: &Client,
    out: &mut Out,
) -> anyhow::Result<()> {
    if !all {
        let deployment = lookup::deployment_of(client, name.as_deref(), id.as_deref()).await?;
        if out.confirm(&format!("Delete deployment `{}`?", deployment.name))? {
            client.delete_deployment(deployment.id).await?;
            out.note(format!("Deployment `{}` is deleted.", deployment.name))?;
        }
        return Ok(());
    }
    let deployments = every(&RunFilters::default(), DeploymentSort::NameAsc, client).await?;
    if deployments.is_empty() {
        return Err(Failure::new("there are no deployments").into());
    }
    if out.confirm(&format!("Delete all {} deployments?", deployments.len()))? {
        for deployment in &deployments {
            client.delete_deployment(deployment.id).await?;
        }
        out.note(format!("{} deployments are deleted.", deployments.len()))?;
    }
    Ok(())
}
