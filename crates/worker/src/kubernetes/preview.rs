//! The Job that a deployment's next run would get, without the run: for people who change templates. Makes nothing.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tidegate_api::{deployments::Deployment, flow_runs::FlowRun, work_pools::WorkPool};
use tidegate_client::Client;
use uuid::Uuid;

use super::{Kubernetes, Options, start};
use crate::{
    infrastructure::{Attempt, Infrastructure},
    job::{self, Caller, Facts},
    worker::whole,
};

/// Whether the cluster is asked what it thinks of the Job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRun {
    No,
    /// The API server checks it, admission included, and keeps nothing.
    Server,
}

/// Renders the Job. Credentials are in a Secret, which is not shown.
pub async fn preview(
    client: &Client,
    environment: BTreeMap<String, String>,
    options: Options,
    (pool, deployment): (&WorkPool, Option<&Deployment>),
    dry_run: DryRun,
) -> anyhow::Result<Value> {
    if pool.kind != Kubernetes::TYPE {
        bail!("the work pool `{}` is of type `{}`: only Jobs of Kubernetes can be shown", pool.name, pool.kind);
    }
    let flow_id = deployment.map_or_else(Uuid::nil, |deployment| deployment.flow_id);
    let run = json!({ "id": Uuid::nil(), "name": "preview", "flow_id": flow_id,
        "deployment_id": deployment.map(|deployment| deployment.id) });
    let run: FlowRun = serde_json::from_value(run).context("making up a run")?;
    let flow = match deployment {
        Some(deployment) => client.read_flow(deployment.flow_id).await?,
        None => None,
    };
    let (pool, _) = whole::<Kubernetes>(pool.clone());
    let pool = &pool;
    let facts = Facts { flow_run: &run, flow: flow.as_ref(), deployment, pool, worker_name: "preview" };
    let (flow_run_id, flow_run_name) = (run.id, run.name.clone());
    let attempt = Attempt { flow_run_id, flow_run_name, attempt: 1, token: None, owner: None };
    let job = job::resolve(facts, &attempt, &Caller::new(environment, client), client).await?;
    let kubernetes = Kubernetes::new(options, "preview".to_owned());
    let spec = kubernetes.prepare(&attempt, &job)?;
    if dry_run == DryRun::No {
        return Ok(spec.sealed.job);
    }
    let place = kubernetes.place(spec.cluster_config.as_ref()).await.context("reaching the Kubernetes cluster")?;
    let path = format!("{}?dryRun=All", start::jobs_path(&spec.sealed.namespace));
    place.cluster.create(&path, &spec.sealed.job).await.context("the cluster does not take this Job")
}
