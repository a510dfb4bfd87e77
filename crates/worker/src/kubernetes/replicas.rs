//! Replicas of a worker know of each other by Kubernetes Leases, and share what is in nobody's hands: each such run falls to
//! one of them by the hash of its id, so that they do not all ask the server for it, take it over, or remove its Job.
//! Nothing depends on it but work that is saved: who owns a run is decided by the server.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};
use uuid::Uuid;

use super::{
    cluster::{Cluster, Refusal, jittered},
    seal::WORK_POOL,
};
use crate::clock::now;

/// What the holder of a Lease looks at. Only replicas that look at the same can share it.
const LOOKS_AT: &str = "tidegate.io/looks-at";
/// Between two renewals. One request to renew and one to list the others each time.
const PERIOD: Duration = Duration::from_secs(10);
/// A replica that has not renewed for so long is not counted on.
const DURATION: Duration = Duration::from_secs(30);
/// A Lease that was not renewed for so long is removed: its holder has another name by now.
const FORGOTTEN: Duration = Duration::from_mins(10);
/// Between two tries of a worker that may not have Leases.
const REFUSED: Duration = Duration::from_mins(5);

/// What this worker knows of the others.
#[derive(Debug, Default)]
pub(crate) struct Replicas {
    others: Mutex<HashMap<String, Sign>>,
}

/// The last renewal of a Lease. Times of other machines are compared with each other only, never with this one's clock.
#[derive(Debug)]
struct Sign {
    renewed: String,
    seen: Instant,
    looks_at: String,
}

/// Who holds a Lease, and for what.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) worker: String,
    pub(crate) work_pool: Uuid,
    pub(crate) looks_at: String,
}

impl Replicas {
    /// Whether a run that nobody has in hand is this worker's to see to.
    pub(crate) fn falls_to(&self, me: &str, looks_at: &str, run: Uuid, at: Instant) -> bool {
        let others = self.lock();
        let is_counted_on = |sign: &Sign| at - sign.seen < DURATION && sign.looks_at == looks_at;
        let mut rivals = others.iter().filter(|(_, sign)| is_counted_on(sign)).map(|(worker, _)| worker);
        rivals.all(|rival| rival == me || rank(rival, run) < rank(me, run))
    }

    /// Whether a worker has shown itself lately.
    pub(crate) fn is_there(&self, worker: &str, at: Instant) -> bool {
        self.lock().get(worker).is_some_and(|sign| at - sign.seen < DURATION)
    }

    /// Holds a Lease and watches those of the others, until it is dropped.
    pub(crate) async fn attend(&self, cluster: &Cluster, holder: &Holder) {
        let mut was_refused = false;
        loop {
            let pause = match self.round(cluster, holder).await {
                Ok(()) => {
                    was_refused = false;
                    jittered(PERIOD)
                }
                Err(refusal) => {
                    if !std::mem::replace(&mut was_refused, true) {
                        warn!(
                            "replicas of this worker do not know of each other, and each sees to all runs that are in nobody's \
                             hands: {refusal}"
                        );
                    }
                    if refusal.is(403) { REFUSED } else { jittered(PERIOD) }
                }
            };
            sleep(pause).await;
        }
    }

    async fn round(&self, cluster: &Cluster, holder: &Holder) -> Result<(), Refusal> {
        let Holder { worker, work_pool, .. } = holder;
        let leases = leases_path(cluster);
        let selector = format!("{}%3D{work_pool}", WORK_POOL.replace('/', "%2F"));
        let listed = cluster.get(&format!("{leases}?labelSelector={selector}")).await?;
        let listed = listed["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        for lease in self.see(listed, Instant::now()) {
            let name = lease["metadata"]["name"].as_str().unwrap_or_default();
            let as_seen = json!({ "preconditions": {
                "uid": lease["metadata"]["uid"], "resourceVersion": lease["metadata"]["resourceVersion"],
            }});
            if let Err(refusal) = cluster.delete(&format!("{leases}/{name}"), &as_seen).await {
                debug!("the Lease {name}, which nobody renews, stays: {refusal}");
            }
        }
        match listed.iter().find(|lease| holder_of(lease) == Some(worker)) {
            Some(own) => cluster.replace(&format!("{leases}/{}", lease_name(holder)), &renewed(own, holder)).await?,
            None => cluster.create(&leases, &renewed(&Value::Null, holder)).await?,
        };
        Ok(())
    }

    /// Notes which Leases were renewed, and answers those that nobody renews any more.
    fn see<'a>(&self, leases: &'a [Value], at: Instant) -> Vec<&'a Value> {
        let mut others = self.lock();
        others.retain(|worker, _| leases.iter().any(|lease| holder_of(lease) == Some(worker)));
        let mut forgotten = Vec::new();
        for lease in leases {
            let Some(worker) = holder_of(lease) else { continue };
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let renewed = text(&lease["spec"]["renewTime"]);
            match others.get(worker) {
                Some(sign) if sign.renewed == renewed => {
                    if at - sign.seen > FORGOTTEN {
                        forgotten.push(lease);
                    }
                }
                _ => {
                    let looks_at = text(&lease["metadata"]["annotations"][LOOKS_AT]);
                    others.insert(worker.to_owned(), Sign { renewed, seen: at, looks_at });
                }
            }
        }
        forgotten
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Sign>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rendezvous hashing: when a replica goes, only the runs that fell to it fall to others.
fn rank(worker: &str, run: Uuid) -> Uuid {
    Uuid::new_v5(&run, worker.as_bytes())
}

fn holder_of(lease: &Value) -> Option<&str> {
    lease["spec"]["holderIdentity"].as_str()
}

/// In the namespace that the worker itself is in.
fn leases_path(cluster: &Cluster) -> String {
    format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", cluster.client.default_namespace())
}

fn lease_name(Holder { worker, work_pool, .. }: &Holder) -> String {
    format!("tidegate-worker-{}", &Uuid::new_v5(work_pool, worker.as_bytes()).simple().to_string()[..12])
}

/// A Lease as it is to be now. What the API server has put into it stays, so that it refuses what overtakes another change.
fn renewed(known: &Value, holder: &Holder) -> Value {
    let now = now().datetime().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let mut lease = known.clone();
    lease["apiVersion"] = json!("coordination.k8s.io/v1");
    lease["kind"] = json!("Lease");
    lease["metadata"]["name"] = json!(lease_name(holder));
    lease["metadata"]["labels"][WORK_POOL] = json!(holder.work_pool);
    lease["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("tidegate");
    lease["metadata"]["annotations"][LOOKS_AT] = json!(holder.looks_at);
    if lease["spec"]["acquireTime"].is_null() {
        lease["spec"]["acquireTime"] = json!(now);
    }
    lease["spec"]["holderIdentity"] = json!(holder.worker);
    lease["spec"]["leaseDurationSeconds"] = json!(DURATION.as_secs());
    lease["spec"]["renewTime"] = json!(now);
    lease
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(worker: &str, looks_at: &str, renewals: u32) -> Value {
        let holder = Holder { worker: worker.into(), work_pool: Uuid::nil(), looks_at: looks_at.into() };
        let mut lease = renewed(&Value::Null, &holder);
        lease["spec"]["renewTime"] = json!(renewals.to_string());
        lease
    }

    /// To which of these a run falls, by the view of each.
    fn takers(replicas: &Replicas, workers: &[&str], run: Uuid, at: Instant) -> Vec<String> {
        let falls = |worker: &&&str| replicas.falls_to(worker, "flows", run, at);
        workers.iter().filter(falls).map(|worker| (*worker).to_owned()).collect()
    }

    #[test]
    fn each_run_falls_to_one_and_moves_only_if_that_one_goes() {
        let (replicas, workers, start) = (Replicas::default(), ["a", "b", "c"], Instant::now());
        let name = |number: u128| Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes());
        let runs: Vec<Uuid> = (0..300).map(name).collect();
        assert_eq!(takers(&replicas, &workers, runs[0], start).len(), 3, "who knows of nobody sees to all");
        replicas.see(&workers.map(|worker| lease(worker, "flows", 1)), start);
        let before: Vec<_> = runs.iter().map(|run| takers(&replicas, &workers, *run, start)).collect();
        assert!(before.iter().all(|takers| takers.len() == 1));
        for worker in workers {
            assert!(before.iter().filter(|takers| takers[0] == worker).count() > 50, "{worker} has its share");
        }
        let later = start + DURATION;
        replicas.see(&[lease("a", "flows", 2), lease("b", "flows", 2), lease("c", "flows", 1)], later);
        assert!(replicas.is_there("a", later) && !replicas.is_there("c", later));
        for (run, before) in runs.iter().zip(&before) {
            let after = takers(&replicas, &["a", "b"], *run, later);
            assert!(after.len() == 1 && (before[0] == "c" || after == *before), "{before:?} became {after:?}");
        }
    }

    #[test]
    fn a_replica_that_looks_elsewhere_is_not_counted_on() {
        let (replicas, now) = (Replicas::default(), Instant::now());
        replicas.see(&[lease("a", "flows", 1), lease("b", "other", 1)], now);
        assert!((0..50).all(|number| replicas.falls_to("a", "flows", Uuid::from_u128(number), now)));
    }

    #[test]
    fn a_lease_that_nobody_renews_is_removed_in_the_end() {
        let (replicas, start) = (Replicas::default(), Instant::now());
        let leases = [lease("gone", "flows", 1)];
        assert!(replicas.see(&leases, start).is_empty());
        assert!(replicas.see(&leases, start + FORGOTTEN).is_empty());
        assert_eq!(replicas.see(&leases, start + FORGOTTEN + PERIOD).len(), 1);
        assert!(replicas.see(&[lease("gone", "flows", 2)], start + FORGOTTEN + PERIOD).is_empty());
    }
}
