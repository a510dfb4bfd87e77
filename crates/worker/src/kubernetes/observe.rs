//! The reconciler's eyes: Jobs and pods of the worker's pool, listed in pages and then watched, resumed where the watch
//! ended and listed again when that is too long ago. Puts what it sees on the board and decides nothing.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures::StreamExt;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    board::Board,
    cluster::{Cluster, chain},
};

/// What keeps failing is told again after so long.
const REMINDER: Duration = Duration::from_mins(1);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Jobs,
    Pods,
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
    tokio::join!(follow(&cluster, &board, &scope, Kind::Jobs), follow(&cluster, &board, &scope, Kind::Pods));
}

async fn follow(cluster: &Cluster, board: &Board, scope: &Scope, kind: Kind) {
    let (group, version, name, plural) = match kind {
        Kind::Jobs => ("batch", "v1", "Job", "jobs"),
        Kind::Pods => ("", "v1", "Pod", "pods"),
    };
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, name), plural);
    let api: Api<DynamicObject> = match &scope.namespace {
        Some(namespace) => Api::namespaced_with(cluster.client.clone(), namespace, &resource),
        None => Api::all_with(cluster.client.clone(), &resource),
    };
    let config = watcher::Config::default().labels(&scope.selector);
    let mut events = std::pin::pin!(watcher(api, config).default_backoff());
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
        InitDone if kind == Kind::Jobs => board.listed(scope.namespace.as_deref(), present),
        InitDone => board.doubt_all(scope.namespace.as_deref()),
        Apply(object) | InitApply(object) if kind == Kind::Jobs => {
            let job = slim(object);
            present.extend(super::board::key_of(&job["metadata"], "name"));
            board.job_seen(job);
        }
        Delete(object) if kind == Kind::Jobs => board.job_gone(&slim(object)),
        Apply(object) | InitApply(object) => board.pod_seen(slim(object), false),
        Delete(object) => board.pod_seen(slim(object), true),
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
    slim["status"] = data["status"].clone();
    for key in ["nodeName", "backoffLimit"] {
        if let Some(value) = data["spec"].get(key) {
            slim["spec"][key] = value.clone();
        }
    }
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
