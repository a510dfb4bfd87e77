//! What a worker tells of itself as events: that it came and went, and which runs it took in hand and to which end. The
//! names and labels are those of the reference's workers, so that automations made for them work.

use std::future::Future;

use tidegate_api::{
    deployments::Deployment,
    events::{Event, Resource},
    flow_runs::FlowRun,
    flows::Flow,
    work_pools::WorkPool,
};
use tidegate_client::Client;
use tidegate_core::json::Json;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::{
    clock::now,
    infrastructure::{Exit, Identifier},
    outbox::{Outbox, Record},
};

impl Record for Event {
    const NAME: &'static str = "the worker's events";
    const DROPPED: &'static str = crate::metrics::EVENTS_DROPPED;

    fn send(client: &Client, batch: &[Self]) -> impl Future<Output = tidegate_client::Result<()>> + Send {
        client.create_events(batch)
    }
}

/// Where a worker's events are handed in.
pub(crate) struct Events {
    outbox: Outbox<Event>,
    worker: Resource,
}

/// A run that was told of when it was taken in hand.
#[derive(Clone, Debug)]
pub(crate) struct Submitted {
    pub(crate) id: Uuid,
    pub(crate) related: Vec<Resource>,
}

impl Events {
    pub(crate) fn spawn(client: Client, tasks: &TaskTracker, kind: &str, name: &str) -> Self {
        let worker = labels([
            ("prefect.resource.id", format!("prefect.worker.{kind}.{}", slug(name))),
            ("prefect.resource.name", name.to_owned()),
            ("prefect.version", env!("CARGO_PKG_VERSION").to_owned()),
            ("prefect.worker-type", kind.to_owned()),
        ]);
        Self { outbox: Outbox::spawn(client, tasks), worker }
    }

    pub(crate) fn started(&self, pool: &WorkPool) -> Uuid {
        self.push("prefect.worker.started", vec![of_pool(pool)], None)
    }

    pub(crate) fn stopped(&self, pool: &WorkPool, started: Uuid) {
        self.push("prefect.worker.stopped", vec![of_pool(pool)], Some(started));
    }

    pub(crate) fn submitted(&self, related: Vec<Resource>) -> Submitted {
        let id = self.push("prefect.worker.submitted-flow-run", related.clone(), None);
        Submitted { id, related }
    }

    /// `submitted` is unknown for a run that an earlier worker took in hand.
    pub(crate) fn executed(
        &self,
        mut related: Vec<Resource>,
        submitted: Option<Uuid>,
        infrastructure: &Identifier,
        exit: &Exit,
    ) {
        for resource in &mut related {
            if resource.get("prefect.resource.role").is_some_and(|role| role == "flow-run") {
                resource.insert("prefect.infrastructure.identifier".into(), infrastructure.to_string());
                if let Some(code) = status_code(exit) {
                    resource.insert("prefect.infrastructure.status-code".into(), code.to_string());
                }
            }
        }
        self.push("prefect.worker.executed-flow-run", related, submitted);
    }

    /// Hands on what the infrastructure tells of itself.
    pub(crate) fn forward(&self, event: Event) {
        self.outbox.push(event);
    }

    pub(crate) async fn flush(&self) {
        self.outbox.flush().await;
    }

    fn push(&self, event: &str, related: Vec<Resource>, follows: Option<Uuid>) -> Uuid {
        let id = Uuid::now_v7();
        let (event, resource) = (event.to_owned(), self.worker.clone());
        self.outbox.push(Event { occurred: now(), event, resource, related, payload: Json::default(), id, follows });
        id
    }
}

/// Everything that a run's events relate to.
pub(crate) fn related(
    run: &FlowRun,
    flow: Option<&Flow>,
    deployment: Option<&Deployment>,
    pool: &WorkPool,
) -> Vec<Resource> {
    let mut related = Vec::new();
    let mut tags = run.tags.clone();
    if let Some(deployment) = deployment {
        related.push(of("deployment", deployment.id, &deployment.name));
        tags.extend(deployment.tags.iter().cloned());
    }
    if let Some(flow) = flow {
        related.push(of("flow", flow.id, &flow.name));
        tags.extend(flow.tags.iter().cloned());
    }
    related.push(of("flow-run", run.id, &run.name));
    tags.sort_unstable();
    tags.dedup();
    related.extend(tags.into_iter().map(|tag| {
        labels([("prefect.resource.id", format!("prefect.tag.{tag}")), ("prefect.resource.role", "tag".to_owned())])
    }));
    related.push(of_pool(pool));
    related
}

fn of_pool(pool: &WorkPool) -> Resource {
    of("work-pool", pool.id, &pool.name)
}

fn of(kind: &str, id: Uuid, name: &str) -> Resource {
    labels([
        ("prefect.resource.id", format!("prefect.{kind}.{id}")),
        ("prefect.resource.role", kind.to_owned()),
        ("prefect.resource.name", name.to_owned()),
    ])
}

fn labels<const N: usize>(labels: [(&str, String); N]) -> Resource {
    labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// As Python's subprocesses count: a signal is its number, negated.
fn status_code(exit: &Exit) -> Option<i32> {
    match &exit.failure {
        None => Some(0),
        Some(failure) => failure.exit_code.or_else(|| failure.signal.map(|signal| -signal)),
    }
}

/// Lower case letters and digits, with dashes between the words.
fn slug(name: &str) -> String {
    let words: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn names_become_slugs() {
        for (name, expected) in [("ProcessWorker 1a2b", "processworker-1a2b"), ("process-host.2", "process-host-2")] {
            assert_eq!(slug(name), expected);
        }
    }
}
