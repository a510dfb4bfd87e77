//! Finds what a name or id on the command line means, and reads whole lists page by page.

use tidegate_api::deployments::Deployment;
use tidegate_api::filters::{FlowRunFilter, RunFilters, TextFilter};
use tidegate_api::flow_runs::{FlowRun, FlowRunSort};
use tidegate_api::work_pools::{WorkPool, WorkQueue};
use tidegate_client::{Client, Page};
use uuid::Uuid;

use crate::failure::{self, Failure};

/// The pool whose queues are meant when no pool is named.
pub const DEFAULT_POOL: &str = "default-agent-pool";

pub fn id(text: &str) -> Result<Uuid, Failure> {
    text.parse().map_err(|_| Failure::usage(format!("`{text}` is not an id")).hint("an id is a UUID, as lists show it"))
}

/// Reads pages until there are no more, or `limit` items.
pub async fn every<T>(
    limit: Option<usize>,
    mut list: impl AsyncFnMut(Page) -> tidegate_client::Result<Vec<T>>,
) -> anyhow::Result<Vec<T>> {
    let mut items = Vec::new();
    let most = |items: &[T]| limit.map_or(Page::LARGEST, |limit| Page::LARGEST.min((limit - items.len()) as i64));
    let mut page = Page::first(most(&items));
    while page.limit > 0 {
        let next = list(page).await?;
        let is_last = (next.len() as i64) < page.limit;
        items.extend(next);
        if is_last {
            break;
        }
        page = Page { limit: most(&items), offset: items.len() as i64 };
    }
    Ok(items)
}

/// A deployment by id or by `flow/deployment`.
pub async fn deployment(client: &Client, name: &str) -> anyhow::Result<Deployment> {
    let found = match (name.parse::<Uuid>(), name.split_once('/')) {
        (Ok(id), _) => client.read_deployment(id).await?,
        (Err(_), Some((flow, deployment))) => client.read_deployment_by_name(flow, deployment).await?,
        (Err(_), None) => {
            let failure = Failure::usage(format!("`{name}` is neither an id nor of the form FLOW/DEPLOYMENT"));
            return Err(failure.hint("`tidegate deployment ls` shows the names").into());
        }
    };
    found.ok_or_else(|| failure::not_found("deployment", name, "deployment ls").into())
}

/// The deployment that a command means: a name, or the older `--id`.
pub async fn deployment_of(client: &Client, name: Option<&str>, id: Option<&str>) -> anyhow::Result<Deployment> {
    match (name, id) {
        (Some(name), None) | (None, Some(name)) => deployment(client, name).await,
        (Some(_), Some(_)) => Err(Failure::usage("give a name or `--id`, not both").into()),
        (None, None) => {
            Err(Failure::usage("which deployment?").hint("`tidegate deployment ls` shows their names").into())
        }
    }
}

/// A flow run by id or by name, if the name means one run only.
pub async fn flow_run(client: &Client, name: &str) -> anyhow::Result<FlowRun> {
    if let Ok(id) = name.parse::<Uuid>() {
        let found = client.read_flow_run(id).await?;
        return found.ok_or_else(|| failure::not_found("flow run", name, "flow-run ls").into());
    }
    let filters = RunFilters {
        flow_runs: Some(FlowRunFilter {
            name: Some(TextFilter { any_: Some(vec![name.to_owned()]), ..TextFilter::default() }),
            ..FlowRunFilter::default()
        }),
        ..RunFilters::default()
    };
    let mut found = client.list_flow_runs(&filters, FlowRunSort::ExpectedStartTimeDesc, Page::first(2)).await?;
    match found.len() {
        0 => Err(failure::not_found("flow run", name, "flow-run ls").into()),
        1 => Ok(found.remove(0)),
        _ => {
            let failure = Failure::new(format!("more than one flow run is called `{name}`"));
            Err(failure.hint("give its id; `tidegate flow-run ls` shows ids").into())
        }
    }
}

pub async fn work_pool(client: &Client, name: &str) -> anyhow::Result<WorkPool> {
    let found = client.read_work_pool(name).await?;
    found.ok_or_else(|| failure::not_found("work pool", name, "work-pool ls").into())
}

/// A queue by id, or by name within a pool.
pub async fn work_queue(client: &Client, pool: Option<&str>, name: &str) -> anyhow::Result<WorkQueue> {
    let found = match (name.parse::<Uuid>(), pool) {
        (Ok(id), None) => client.read_work_queue(id).await?,
        (_, pool) => client.read_work_queue_by_name(pool.unwrap_or(DEFAULT_POOL), name).await?,
    };
    found.ok_or_else(|| failure::not_found("work queue", name, "work-queue ls").into())
}
