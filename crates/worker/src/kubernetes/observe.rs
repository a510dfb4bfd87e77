//! The reconciler's eyes: Jobs and pods of the worker's pool, listed in pages and then watched, resumed where the watch
//! ended and listed again when that is too long ago. Puts what it sees on the board and decides nothing.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures::StreamExt;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind},
    runtime::{WatchStreamExt, utils::Backoff, watcher},
};
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    board::{Board, identifier},
    cluster::{Cluster, chain, jittered},
};

const FIRST_PAUSE: Duration = Duration::from_millis(300);
/// Runs wait for what a watch brings: an API that has come back is not left waiting for longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// What keeps failing is told again after so long.
const REMINDER: Duration = Duration::from_mins(1);

/// What verdicts read of Jobs and pods.
const CONDITIONS: [&str; 5] = ["Complete", "Failed", "FailureTarget", "PodScheduled", "DisruptionTarget"];
/// What verdicts, logs and events read of a container.
const CONTAINER: [&str; 4] = ["name", "image", "restartCount", "state"];

/// Pauses between tries, which grow, and differ from worker to worker.
struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST_PAUSE);
        Some(jittered(pause))
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        self.0 = FIRST_PAUSE;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Jobs,
    Pods,
    Warnings,
}

/// What to look at.
#[derive(Clone)]
pub(crate) struct Scope {
    /// `None`: all of them.
    pub(crate) namespace: Option<String>,
    pub(crate) selector: String,
}

/// Looks until it is dropped.
pub(crate) async fn observe(cluster: Cluster, board: Arc<Board>, scope: Scope) {
    tokio::join!(
        follow(&cluster, &board, &scope, Kind::Jobs),
        follow(&cluster, &board, &scope, Kind::Pods),
        follow(&cluster, &board, &scope, Kind::Warnings)
    );
}

async fn follow(cluster: &Cluster, board: &Board, scope: &Scope, kind: Kind) {
    let (group, version, name, plural) = match kind {
        Kind::Jobs => ("batch", "v1", "Job", "jobs"),
        Kind::Pods => ("", "v1", "Pod", "pods"),
        Kind::Warnings => ("", "v1", "Event", "events"),
    };
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, name), plural);
    let api: Api<DynamicObject> = match &scope.namespace {
        Some(namespace) => Api::namespaced_with(cluster.client.clone(), namespace, &resource),
        None => Api::all_with(cluster.client.clone(), &resource),
    };
    let config = match kind {
        Kind::Jobs | Kind::Pods => watcher::Config::default().labels(&scope.selector),
        // Events have no labels; which of them concern us, the board knows.
        Kind::Warnings => watcher::Config::default().fields("type=Warning"),
    };
    let mut events = std::pin::pin!(watcher(api, config).backoff(Pauses::default()));
    let mut present = HashSet::new();
    let mut told: Option<Instant> = None;
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if told.take().is_some() {
                    info!("{plural} of {} can be watched again", place(scope));
                }
                see(board, scope, kind, event, &mut present);
            }
            Err(watcher::Error::WatchError(status)) if status.code == 410 => {
                info!(
                    "{plural} of {} are listed again: what has happened to them is not kept any more (410)",
                    place(scope)
                );
            }
            Err(error) if told.is_none_or(|told| told.elapsed() > REMINDER) => {
                told = Some(Instant::now());
                let hint = if denied(&error) {
                    format!(
                        "; the worker's service account needs the verbs list and watch on {plural} there (see the chart's Role)"
                    )
                } else {
                    String::new()
                };
                warn!("{plural} of {} cannot be watched: {}{hint}", place(scope), chain(&error));
            }
            Err(_) => {}
        }
    }
}

fn see(
    board: &Board,
    scope: &Scope,
    kind: Kind,
    event: watcher::Event<DynamicObject>,
    present: &mut HashSet<crate::infrastructure::Identifier>,
) {
    use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
    match event {
        Init => present.clear(),
        InitDone => match kind {
            Kind::Jobs => board.listed(scope.namespace.as_deref(), &std::mem::take(present)),
            Kind::Pods => board.pods_listed(scope.namespace.as_deref(), &std::mem::take(present)),
            Kind::Warnings => {}
        },
        InitApply(object) => {
            let name = if kind == Kind::Pods { &object.metadata.uid } else { &object.metadata.name };
            if let (Some(namespace), Some(name)) = (&object.metadata.namespace, name) {
                present.insert(identifier(namespace, name));
            }
            put(board, kind, object, false);
        }
        Apply(object) => put(board, kind, object, false),
        Delete(object) => put(board, kind, object, true),
    }
}

fn put(board: &Board, kind: Kind, object: DynamicObject, is_gone: bool) {
    match kind {
        Kind::Jobs if is_gone => board.job_gone(&slim(object)),
        Kind::Jobs => board.job_seen(slim(object)),
        Kind::Pods => board.pod_seen(slim(object), is_gone),
        Kind::Warnings if is_gone => {}
        Kind::Warnings => board.warned(&object.data),
    }
}

/// What verdicts, events and names need of an object: five thousand pods are to fit into little memory.
fn slim(object: DynamicObject) -> Value {
    let mut metadata = object.metadata;
    metadata.managed_fields = None;
    let mut slim = json!({ "metadata": metadata });
    keep(&mut slim, &object.data);
    slim
}

/// The same of an object that came as raw JSON.
pub(crate) fn slim_value(object: &Value) -> Value {
    let mut metadata = object["metadata"].clone();
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.remove("managedFields");
    }
    let mut slim = json!({ "metadata": metadata });
    keep(&mut slim, object);
    slim
}

fn keep(slim: &mut Value, data: &Value) {
    slim["status"] = status(&data["status"]);
    for key in ["nodeName", "backoffLimit"] {
        if let Some(value) = data["spec"].get(key) {
            slim["spec"][key] = value.clone();
        }
    }
}

/// Of each container and condition no more than is read anywhere: an object of JSON takes half a kilobyte.
fn status(whole: &Value) -> Value {
    let mut slim = Map::new();
    for (key, value) in whole.as_object().into_iter().flatten() {
        let value = match (key.as_str(), value) {
            ("hostIP" | "hostIPs" | "podIP" | "podIPs" | "qosClass", _) => continue,
            ("conditions", Value::Array(conditions)) => {
                let is_read =
                    |condition: &&Value| condition["type"].as_str().is_some_and(|kind| CONDITIONS.contains(&kind));
                conditions.iter().filter(is_read).cloned().collect()
            }
            ("initContainerStatuses" | "containerStatuses", Value::Array(containers)) => {
                containers.iter().map(|container| only(container, &CONTAINER)).collect()
            }
            _ => value.clone(),
        };
        slim.insert(key.clone(), value);
    }
    Value::Object(slim)
}

fn only(object: &Value, keys: &[&str]) -> Value {
    keys.iter().filter_map(|key| Some(((*key).to_owned(), object.get(key)?.clone()))).collect()
}

fn place(scope: &Scope) -> String {
    scope.namespace.as_ref().map_or_else(|| "all namespaces".to_owned(), |namespace| format!("namespace {namespace}"))
}

fn denied(error: &watcher::Error) -> bool {
    use watcher::Error::{InitialListFailed, WatchFailed, WatchStartFailed};
    let (InitialListFailed(kube::Error::Api(status))
    | WatchStartFailed(kube::Error::Api(status))
    | WatchFailed(kube::Error::Api(status))) = error
    else {
        return false;
    };
    status.code == 403
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_that_comes_back_is_watched_within_seconds() {
        let mut pauses = Pauses::default();
        let most = LONGEST_PAUSE.mul_f64(1.5);
        assert!(pauses.by_ref().take(50).all(|pause| pause <= most));
        pauses.reset();
        assert!(pauses.next().unwrap() <= FIRST_PAUSE.mul_f64(1.5));
    }
}
