//! What has been seen of Jobs and pods: the newest copy of each that concerns a run in our hands, and a line about every
//! other Job of the pool. Level-triggered: who looks sees what is so, and is told when that may have changed.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
};

use serde_json::Value;
use tokio::{sync::watch, time::Instant};

use super::{identity::cluster_of, seal};
use crate::{
    infrastructure::{Attempt, Identifier},
    lock::lock,
};

/// A run's Job and its pods, as last seen. Copies share the objects, which are most of what a live run takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) job: Option<Arc<Value>>,
    /// The API server has said that the Job is not there any more.
    pub(crate) is_gone: bool,
    /// By uid. Pods that are gone stay here, since they tell why they went.
    pub(crate) pods: BTreeMap<String, Pod>,
    /// The last warning about one of them.
    pub(crate) warning: Option<Warning>,
    /// Something was missed: what is so must be asked for.
    pub(crate) is_doubtful: bool,
}

/// What the cluster's events say: a volume that cannot be mounted and a quota are told of nowhere else.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Warning {
    /// The Job or the pod that it is about.
    pub(crate) uid: String,
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Warning {
    fn of(event: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let message = text(&event["message"]).unwrap_or_default();
        Some(Self { uid: text(&event["involvedObject"]["uid"])?, reason: text(&event["reason"])?, message })
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) object: Arc<Value>,
    pub(crate) is_gone: bool,
}

/// Where the watch of one run looks.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) namespace: String,
    pub(crate) job: String,
    seen: watch::Sender<Snapshot>,
}

impl Sight {
    pub(crate) fn identifier(&self) -> Identifier {
        identifier(&self.namespace, &self.job)
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Snapshot> {
        self.seen.subscribe()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.seen.borrow().clone()
    }

    pub(crate) fn uid(&self) -> Option<String> {
        self.seen.borrow().job.as_ref().and_then(|job| job["metadata"]["uid"].as_str().map(str::to_owned))
    }

    /// Whether the Job has a Secret of its own.
    pub(crate) fn has_secret(&self) -> bool {
        self.seen.borrow().job.as_ref().is_some_and(|job| seal::has_secret(job))
    }

    /// The Job as the API server has it now; `None`: it has none.
    pub(crate) fn see_job(&self, job: Option<Value>) {
        self.seen.send_if_modified(|seen| match job {
            // Another one of the same name, in this cluster or in another one, is none of this run's.
            Some(job) if seen.job.as_ref().is_some_and(|known| known["metadata"]["uid"] != job["metadata"]["uid"]) => {
                !std::mem::replace(&mut seen.is_doubtful, true)
            }
            // A copy from before a newer one brings nothing; the API server's versions are numbers that grow.
            Some(job) if seen.job.as_ref().is_some_and(|known| version(known) > version(&job)) => false,
            Some(job) => {
                seen.job = Some(Arc::new(job));
                true
            }
            None => !std::mem::replace(&mut seen.is_gone, true),
        });
    }

    pub(crate) fn see_pod(&self, object: Value, is_gone: bool) {
        let Some(uid) = object["metadata"]["uid"].as_str().map(str::to_owned) else { return };
        self.seen.send_if_modified(|seen| {
            let known = seen.pods.get(&uid);
            if seen.job.as_ref().is_some_and(|job| !belongs_to(&object, job)) {
                return false;
            }
            if known.is_some_and(|known| known.is_gone || version(&known.object) > version(&object)) {
                return false;
            }
            seen.pods.insert(uid, Pod { object: Arc::new(object), is_gone });
            true
        });
    }

    /// All pods that there are now: what is not among them is gone.
    pub(crate) fn see_pods(&self, pods: Vec<Value>) {
        let present: HashSet<String> =
            pods.iter().filter_map(|pod| pod["metadata"]["uid"].as_str().map(str::to_owned)).collect();
        for pod in pods {
            self.see_pod(pod, false);
        }
        self.seen.send_if_modified(|seen| {
            seen.is_doubtful = false;
            let mut is_news = false;
            for (uid, pod) in &mut seen.pods {
                is_news |= !present.contains(uid) && !std::mem::replace(&mut pod.is_gone, true);
            }
            is_news
        });
    }

    pub(crate) fn see_warning(&self, warning: Warning) {
        self.seen.send_if_modified(|seen| seen.warning.replace(warning) != seen.warning);
    }

    pub(crate) fn doubt(&self) {
        self.seen.send_if_modified(|seen| !std::mem::replace(&mut seen.is_doubtful, true));
    }
}

/// A Job of the pool that is not in our hands.
#[derive(Clone, Debug)]
pub(crate) struct Stranger {
    pub(crate) attempt: Attempt,
    pub(crate) identifier: Identifier,
    pub(crate) since: Instant,
    pub(crate) has_ended: bool,
    /// The cluster that it says it was made in.
    pub(crate) cluster: Option<String>,
}

/// All that was seen in one cluster.
#[derive(Debug, Default)]
pub(crate) struct Board {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    held: HashMap<Identifier, Arc<Sight>>,
    /// Whose pod it is, by the pod's uid.
    pods: HashMap<String, Identifier>,
    strangers: HashMap<Identifier, Stranger>,
    /// Jobs whose end we have told; that they stay concerns nobody.
    done: HashSet<Identifier>,
}

pub(crate) fn identifier(namespace: &str, job: &str) -> Identifier {
    Identifier(format!("{namespace}:{job}"))
}

/// Namespace and Job of such an identifier.
pub(crate) fn parts(identifier: &Identifier) -> (&str, &str) {
    identifier.0.split_once(':').unwrap_or_default()
}

impl Board {
    /// From here on everything about this Job is kept.
    pub(crate) fn hold(&self, namespace: &str, job: &str) -> Arc<Sight> {
        let key = identifier(namespace, job);
        let mut tables = self.lock();
        tables.strangers.remove(&key);
        let new = || {
            let (namespace, job) = (namespace.to_owned(), job.to_owned());
            Arc::new(Sight { namespace, job, seen: watch::Sender::new(Snapshot::default()) })
        };
        Arc::clone(tables.held.entry(key).or_insert_with(new))
    }

    /// Its end was told. A Job that may still be there although it was to go is looked at again when it shows itself.
    pub(crate) fn release(&self, identifier: &Identifier, is_settled: bool) {
        let mut tables = self.lock();
        let Some(sight) = tables.held.remove(identifier) else { return };
        for pod in sight.seen.borrow().pods.keys() {
            tables.pods.remove(pod);
        }
        if is_settled && sight.uid().is_some() {
            tables.done.insert(identifier.clone());
        }
    }

    pub(crate) fn strangers(&self) -> Vec<Stranger> {
        self.lock().strangers.values().cloned().collect()
    }

    pub(crate) fn job_seen(&self, job: Value) {
        let Some(key) = key_of(&job["metadata"], "name") else { return };
        let mut tables = self.lock();
        if let Some(sight) = tables.held.get(&key).cloned() {
            drop(tables);
            return sight.see_job(Some(job));
        }
        if tables.done.contains(&key) {
            return;
        }
        let Some(attempt) = seal::attempt_of(&job) else { return };
        let since = tables.strangers.get(&key).map_or_else(Instant::now, |known| known.since);
        let has_ended = super::verdict::has_ended(&job);
        let cluster = cluster_of(&job).map(str::to_owned);
        tables.strangers.insert(key.clone(), Stranger { attempt, identifier: key, since, has_ended, cluster });
    }

    pub(crate) fn job_gone(&self, job: &Value) {
        let Some(key) = key_of(&job["metadata"], "name") else { return };
        let mut tables = self.lock();
        tables.strangers.remove(&key);
        tables.done.remove(&key);
        if let Some(sight) = tables.held.get(&key).cloned() {
            drop(tables);
            // Another Job of this name may have come since: the API server shall say.
            sight.doubt();
        }
    }

    pub(crate) fn pod_seen(&self, pod: Value, is_gone: bool) {
        let metadata = &pod["metadata"];
        let labels = &metadata["labels"];
        let job = labels["batch.kubernetes.io/job-name"].as_str().or(labels["job-name"].as_str());
        let (Some(job), Some(namespace)) = (job, metadata["namespace"].as_str()) else { return };
        let key = identifier(namespace, job);
        let mut tables = self.lock();
        let Some(sight) = tables.held.get(&key).cloned() else { return };
        if let Some(uid) = metadata["uid"].as_str() {
            tables.pods.insert(uid.to_owned(), key);
        }
        drop(tables);
        sight.see_pod(pod, is_gone);
    }

    /// A warning about a Job or a pod, which may be what keeps a run.
    pub(crate) fn warned(&self, event: &Value) {
        let about = &event["involvedObject"];
        let tables = self.lock();
        let key = match about["kind"].as_str() {
            Some("Job") => key_of(about, "name"),
            Some("Pod") => about["uid"].as_str().and_then(|uid| tables.pods.get(uid).cloned()),
            _ => None,
        };
        let sight = key.and_then(|key| tables.held.get(&key).cloned());
        drop(tables);
        if let (Some(sight), Some(warning)) = (sight, Warning::of(event)) {
            sight.see_warning(warning);
        }
    }

    /// After a list of everything in a namespace (or in all): who was not in it is in doubt.
    pub(crate) fn listed(&self, namespace: Option<&str>, present: &HashSet<Identifier>) {
        let mut tables = self.lock();
        let is_meant =
            |key: &Identifier| namespace.is_none_or(|namespace| parts(key).0 == namespace) && !present.contains(key);
        tables.strangers.retain(|key, _| !is_meant(key));
        tables.done.retain(|key| !is_meant(key));
        for (_, sight) in tables.held.iter().filter(|(key, _)| is_meant(key)) {
            if sight.uid().is_some() {
                sight.doubt();
            }
        }
    }

    /// After a list of all pods in a namespace (or in all): runs that miss one of theirs are in doubt.
    pub(crate) fn pods_listed(&self, namespace: Option<&str>, present: &HashSet<Identifier>) {
        for sight in self.lock().held.values() {
            let is_missed =
                |(uid, pod): (&String, &Pod)| !pod.is_gone && !present.contains(&identifier(&sight.namespace, uid));
            let is_meant = namespace.is_none_or(|namespace| namespace == sight.namespace);
            let misses_one = is_meant && sight.seen.borrow().pods.iter().any(is_missed);
            if misses_one {
                sight.doubt();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        lock(&self.tables)
    }
}

pub(crate) fn key_of(metadata: &Value, name: &str) -> Option<Identifier> {
    Some(identifier(metadata["namespace"].as_str()?, metadata[name].as_str()?))
}

/// Whether a pod is one of this very Job, and not of another one of its name.
fn belongs_to(pod: &Value, job: &Value) -> bool {
    let owners = pod["metadata"]["ownerReferences"].as_array();
    owners.is_none_or(|owners| owners.iter().any(|owner| owner["uid"] == job["metadata"]["uid"]))
}

fn version(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|version| version.parse().ok()).unwrap_or_default()
}
