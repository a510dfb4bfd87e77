//! Ending a run's Job: the run itself first, then Kubernetes with grace, then by force. Only what was seen is deleted: by its
//! uid, so that a Job of the same name, here or in another cluster, never is.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use super::{
    Live, board,
    cluster::{Cluster, Patience},
    observe, start, verdict,
};
use crate::infrastructure::Stop;

/// How long the API may be out of order before a deletion is given up.
const PATIENCE: Patience = Patience { tries: None, within: Duration::from_mins(2) };
/// What a pod gets beyond its grace before it is taken away from its node by force.
const BEYOND: Duration = Duration::from_secs(10);
/// After which it cannot be said that the pod is gone.
const UNCONFIRMED: Duration = Duration::from_secs(45);

pub(crate) async fn escalate(live: &Live, stop: Stop, grace: Duration) {
    let (namespace, name) = (&live.sight.namespace, &live.sight.job);
    let runs =
        live.sight.snapshot().pods.values().any(|pod| pod.object["status"]["phase"] == "Running" && !pod.is_gone);
    // The run in the pod hears of its cancellation by itself, and may have last words. What never began has none.
    if stop == Stop::Cancel && runs {
        let mut seen = live.sight.subscribe();
        let ended = seen.wait_for(|seen| {
            seen.is_gone
                || seen.job.as_deref().is_some_and(verdict::has_ended)
                || seen.pods.values().all(verdict::has_finished)
        });
        if timeout(grace, ended).await.is_ok() {
            return;
        }
    }
    let Some(uid) = live.sight.uid() else { return };
    if let Err(why) = live.place.identity.confirm(&live.place.cluster).await {
        let identifier = live.sight.identifier();
        warn!(infrastructure = %identifier, "{identifier} is not asked to end by this API, nor taken for gone: {why}");
        live.sight.doubt();
        sleep(grace + BEYOND + UNCONFIRMED).await;
        return live.is_unconfirmed.cancel();
    }
    delete_job(&live.place.cluster, namespace, name, &uid, "Background").await;
    delete_pods(live, grace).await;
    live.sight.doubt();
    let deadline = Instant::now() + grace + BEYOND;
    let mut seen = live.sight.subscribe();
    let gone = seen.wait_for(|seen| seen.pods.values().all(verdict::has_finished));
    if timeout(deadline - Instant::now(), gone).await.is_err() {
        delete_pods(live, Duration::ZERO).await;
        live.sight.doubt();
        sleep(UNCONFIRMED).await;
        live.is_unconfirmed.cancel();
    }
}

async fn delete_pods(live: &Live, grace: Duration) {
    for pod in live.sight.snapshot().pods.values().filter(|pod| !pod.is_gone) {
        let metadata = &pod.object["metadata"];
        let Some(name) = metadata["name"].as_str() else { continue };
        let path = format!("/api/v1/namespaces/{}/pods/{name}", live.sight.namespace);
        let options = json!({ "gracePeriodSeconds": grace.as_secs(), "preconditions": { "uid": metadata["uid"] } });
        delete(&live.place.cluster, &path, &options).await;
    }
}

async fn delete_job(cluster: &Cluster, namespace: &str, name: &str, uid: &str, propagation: &str) {
    let options = json!({ "propagationPolicy": propagation, "preconditions": { "uid": uid } });
    delete(cluster, &start::job_path(namespace, name), &options).await;
}

/// Removes a Job and what belongs to it, with the grace that its pods have.
pub(crate) async fn remove(cluster: &Cluster, namespace: &str, name: &str, uid: Option<&str>) {
    if let Some(uid) = uid {
        delete_job(cluster, namespace, name, uid, "Background").await;
    }
}

async fn delete(cluster: &Cluster, path: &str, options: &Value) {
    match Cluster::persist(PATIENCE, || cluster.delete(path, options)).await {
        Ok(_) => {}
        // Gone, or another one of the same name by now.
        Err(refusal) if refusal.is(404) || refusal.is(409) => {}
        Err(refusal) => {
            let place = board::identifier("", path);
            warn!("{} cannot be deleted: {refusal}", place.0.trim_start_matches(':'));
        }
    }
}

/// Asks the API server what is so, and puts it on the board.
pub(crate) async fn refresh(live: &Live) -> bool {
    let (namespace, name) = (&live.sight.namespace, &live.sight.job);
    let cluster = &live.place.cluster;
    let known = live.sight.uid();
    let pods = format!("/api/v1/namespaces/{namespace}/pods?labelSelector=job-name%3D{name}&limit=50");
    let job = start::job_path(namespace, name);
    let (job, pods) = tokio::join!(cluster.get(&job), cluster.get(&pods));
    let (job, pods) = match (job, pods) {
        (Ok(job), Ok(pods)) => (Some(job), pods),
        (Err(refusal), Ok(pods)) if refusal.is(404) => (None, pods),
        (Err(refusal), _) | (_, Err(refusal)) => {
            warn!(infrastructure = %live.sight.identifier(), "{} cannot be looked at: {refusal}", live.sight.identifier());
            return false;
        }
    };
    // Another Job of this name is none of ours.
    let job = job.filter(|job| known.as_deref().is_none_or(|known| job["metadata"]["uid"] == known));
    let uid = live.sight.uid();
    let is_of_it = |pod: &&Value| {
        let owners = pod["metadata"]["ownerReferences"].as_array();
        uid.as_deref().is_none_or(|uid| owners.into_iter().flatten().any(|owner| owner["uid"] == uid))
    };
    let pods: Vec<_> =
        pods["items"].as_array().into_iter().flatten().filter(is_of_it).map(observe::slim_value).collect();
    if job.is_none()
        && let Err(why) = live.place.identity.confirm(&live.place.cluster).await
    {
        let identifier = live.sight.identifier();
        warn!(infrastructure = %identifier, "{identifier} is not taken for gone: {why}");
        return false;
    }
    live.sight.see_pods(pods);
    live.sight.see_job(job.as_ref().map(observe::slim_value));
    true
}

/// Ends what the worker has decided to end: at once, and whatever the pod says.
pub(crate) async fn give_up(live: &Live) {
    if let Some(uid) = live.sight.uid() {
        delete_job(&live.place.cluster, &live.sight.namespace, &live.sight.job, &uid, "Background").await;
    }
    delete_pods(live, Duration::ZERO).await;
}
