//! Replicas of a worker know of each other by Kubernetes Leases, and share what is in nobody's hands: each such run falls to
//! one of them by the hash of its id, so that they do not all ask the server for it, take it over, or remove its Job.
//! Nothing depends on it but work that is saved: who owns a run is decided by the server.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};
use uuid::Uuid;

use super::{
    cluster::{Cluster, Refusal, jittered},
    seal::{self, WORK_POOL},
};
use crate::{clock::now, infrastructure::Attempt, lock::lock};

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

/// This worker, and what it knows of the others.
#[derive(Debug)]
pub(crate) struct Replicas {
    worker: String,
    work_pool: Uuid,
    /// `None`: all of them.
    namespaces: Option<Vec<String>>,
    /// The same in words.
    looks_at: String,
    others: Mutex<HashMap<String, Sign>>,
}

/// The last renewal of a Lease. Times of other machines are compared with each other only, never with this one's clock.
#[derive(Debug)]
struct Sign {
    renewed: String,
    seen: Instant,
    looks_at: String,
}

impl Replicas {
    pub(crate) fn new(worker: String, work_pool: Uuid, namespaces: Option<Vec<String>>) -> Self {
        let looks_at = namespaces.as_ref().map_or_else(|| "*".to_owned(), |namespaces| namespaces.join(","));
        Self { worker, work_pool, namespaces, looks_at, others: Mutex::default() }
    }

    /// Whether another replica is to see to a run that is not in our hands: whoever made its Job, unless replicas that are
    /// there are not relied on, or else the one to which it falls.
    pub(crate) fn is_anothers(&self, namespace: &str, attempt: &Attempt, is_relied_on: bool, at: Instant) -> bool {
        // In namespaces that runs have chosen themselves the others may not look.
        if self.namespaces.as_ref().is_some_and(|namespaces| namespaces.iter().all(|shared| shared != namespace)) {
            return false;
        }
        let maker = attempt.owner.as_deref().filter(|maker| is_relied_on && *maker != self.worker);
        maker.is_some_and(|maker| self.is_there(maker, at)) || !self.falls_here(attempt.flow_run_id, at)
    }

    /// Whether a worker has shown itself lately.
    fn is_there(&self, worker: &str, at: Instant) -> bool {
        lock(&self.others).get(worker).is_some_and(|sign| at - sign.seen < DURATION)
    }

    fn falls_here(&self, run: Uuid, at: Instant) -> bool {
        let others = lock(&self.others);
        let is_counted_on = |sign: &Sign| at - sign.seen < DURATION && sign.looks_at == self.looks_at;
        let mut rivals = others.iter().filter(|(_, sign)| is_counted_on(sign)).map(|(worker, _)| worker);
        rivals.all(|rival| *rival == self.worker || rank(rival, run) < rank(&self.worker, run))
    }

    /// Holds a Lease and watches those of the others, until it is dropped.
    pub(crate) async fn attend(&self, cluster: &Cluster) {
        let mut was_refused = false;
        loop {
            let pause = match self.round(cluster).await {
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

    async fn round(&self, cluster: &Cluster) -> Result<(), Refusal> {
        let leases = leases_path(cluster);
        let listed = cluster.get(&format!("{leases}?{}", seal::of_pool(self.work_pool))).await?;
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
        match listed.iter().find(|lease| holder_of(lease) == Some(&self.worker)) {
            Some(own) => cluster.replace(&format!("{leases}/{}", self.lease_name()), &self.renewed(own)).await?,
            None => cluster.create(&leases, &self.renewed(&Value::Null)).await?,
        };
        Ok(())
    }

    /// Notes which Leases were renewed, and answers those that nobody renews any more.
    fn see<'a>(&self, leases: &'a [Value], at: Instant) -> Vec<&'a Value> {
        let mut others = lock(&self.others);
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

    fn lease_name(&self) -> String {
        let name = Uuid::new_v5(&self.work_pool, self.worker.as_bytes()).simple().to_string();
        format!("tidegate-worker-{}", &name[..12])
    }

    /// A Lease as it is to be now. What the API server has put into it stays, so that it refuses what overtakes another change.
    fn renewed(&self, known: &Value) -> Value {
        let now = now().datetime().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        let mut lease = known.clone();
        lease["apiVersion"] = json!("coordination.k8s.io/v1");
        lease["kind"] = json!("Lease");
        lease["metadata"]["name"] = json!(self.lease_name());
        lease["metadata"]["labels"][WORK_POOL] = json!(self.work_pool);
        lease["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("tidegate");
        lease["metadata"]["annotations"][LOOKS_AT] = json!(self.looks_at);
        if lease["spec"]["acquireTime"].is_null() {
            lease["spec"]["acquireTime"] = json!(now);
        }
        lease["spec"]["holderIdentity"] = json!(self.worker);
        lease["spec"]["leaseDurationSeconds"] = json!(DURATION.as_secs());
        lease["spec"]["renewTime"] = json!(now);
        lease
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

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(worker: &str, namespace: &str) -> Replicas {
        Replicas::new(worker.to_owned(), Uuid::nil(), Some(vec![namespace.to_owned()]))
    }

    fn lease(worker: &str, namespace: &str, renewals: u32) -> Value {
        let mut lease = replicas(worker, namespace).renewed(&Value::Null);
        lease["spec"]["renewTime"] = json!(renewals.to_string());
        lease
    }

    fn run_of(maker: Option<&str>, number: u128) -> Attempt {
        let flow_run_id = Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes());
        let owner = maker.map(str::to_owned);
        Attempt { flow_run_id, flow_run_name: "run".into(), attempt: 1, token: None, owner }
    }

    /// Who sees to a run, by the view of each.
    fn takers<'a>(replicas: &'a [Replicas], run: &Attempt, at: Instant) -> Vec<&'a str> {
        let takes = |each: &&Replicas| !each.is_anothers("flows", run, true, at);
        replicas.iter().filter(takes).map(|each| each.worker.as_str()).collect()
    }

    #[test]
    fn each_run_falls_to_one_and_moves_only_if_that_one_goes() {
        let (workers, start) = (["a", "b", "c"], Instant::now());
        let all = workers.map(|worker| replicas(worker, "flows"));
        let runs: Vec<_> = (0..300).map(|number| run_of(None, number)).collect();
        assert_eq!(takers(&all, &runs[0], start).len(), 3, "who knows of nobody sees to all");
        let leases = workers.map(|worker| lease(worker, "flows", 1));
        for each in &all {
            each.see(&leases, start);
        }
        let before: Vec<_> = runs.iter().map(|run| takers(&all, run, start)).collect();
        assert!(before.iter().all(|takers| takers.len() == 1));
        for worker in workers {
            assert!(before.iter().filter(|takers| takers[0] == worker).count() > 50, "{worker} has its share");
        }
        let later = start + DURATION;
        for each in &all {
            each.see(&[lease("a", "flows", 2), lease("b", "flows", 2), lease("c", "flows", 1)], later);
        }
        for (run, before) in runs.iter().zip(&before) {
            let after = takers(&all[..2], run, later);
            assert!(after.len() == 1 && (before[0] == "c" || after == *before), "{before:?} became {after:?}");
        }
    }

    #[test]
    fn a_run_is_its_makers_while_that_one_is_there_and_relied_on() {
        let (me, start) = (replicas("a", "flows"), Instant::now());
        me.see(&[lease("a", "flows", 1), lease("b", "flows", 1)], start);
        let runs: Vec<_> = (0..100).map(|number| run_of(Some("b"), number)).collect();
        let mine = |is_relied_on, at| runs.iter().filter(|run| !me.is_anothers("flows", run, is_relied_on, at)).count();
        assert_eq!(mine(true, start), 0);
        assert!((20..80).contains(&mine(false, start)), "then it is the hash that says");
        assert_eq!(mine(true, start + DURATION), 100);
    }

    #[test]
    fn a_replica_that_looks_elsewhere_is_not_counted_on() {
        let (me, now) = (replicas("a", "flows"), Instant::now());
        me.see(&[lease("a", "flows", 1), lease("b", "other", 1)], now);
        assert!((0..50).all(|number| !me.is_anothers("flows", &run_of(None, number), true, now)));
        me.see(&[lease("b", "flows", 2)], now);
        assert!((0..50).any(|number| me.is_anothers("flows", &run_of(None, number), true, now)));
        assert!((0..50).all(|number| !me.is_anothers("chosen", &run_of(None, number), true, now)));
    }

    #[test]
    fn a_lease_that_nobody_renews_is_removed_in_the_end() {
        let (me, start) = (replicas("a", "flows"), Instant::now());
        let leases = [lease("gone", "flows", 1)];
        assert!(me.see(&leases, start).is_empty());
        assert!(me.see(&leases, start + FORGOTTEN).is_empty());
        assert_eq!(me.see(&leases, start + FORGOTTEN + PERIOD).len(), 1);
        assert!(me.see(&[lease("gone", "flows", 2)], start + FORGOTTEN + PERIOD).is_empty());
    }
}
