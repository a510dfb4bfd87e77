//! What has been seen of Jobs and pods: the newest copy of each that concerns a run in our hands, and a line about every
//! other Job of the pool. Level-triggered: who looks sees what is so, and is told when that may have changed.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use tokio::{sync::watch, time::Instant};

use super::seal;
use crate::infrastructure::{Attempt, Identifier};

/// A run's Job and its pods, as last seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) job: Option<Value>,
    /// The API server has said that the Job is not there any more.
    pub(crate) is_gone: bool,
    /// By uid. Pods that are gone stay here, since they tell why they went.
    pub(crate) pods: BTreeMap<String, Pod>,
    /// Something was missed: what is so must be asked for.
    pub(crate) is_doubtful: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) object: Value,
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

    /// The Job as the API server has it now; `None`: it has none.
    pub(crate) fn see_job(&self, job: Option<Value>) {
        self.seen.send_if_modified(|seen| match job {
            // A copy from before a newer one brings nothing; the API server's versions are numbers that grow.
            Some(job) if seen.job.as_ref().is_some_and(|known| version(known) > version(&job)) => false,
            Some(job) => {
                seen.job = Some(job);
                true
            }
            None => !std::mem::replace(&mut seen.is_gone, true),
        });
    }

    pub(crate) fn see_pod(&self, object: Value, is_gone: bool) {
        let Some(uid) = object["metadata"]["uid"].as_str().map(str::to_owned) else { return };
        self.seen.send_if_modified(|seen| {
            let known = seen.pods.get(&uid);
            if known.is_some_and(|known| known.is_gone || version(&known.object) > version(&object)) {
                return false;
            }
            seen.pods.insert(uid, Pod { object, is_gone });
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
}

/// All that was seen in one cluster.
#[derive(Debug, Default)]
pub(crate) struct Board {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    held: HashMap<Identifier, Arc<Sight>>,
    strangers: HashMap<Identifier, Stranger>,
    /// Jobs whose end we have told; that they stay concerns nobody.
    done: HashSet<Identifier>,
}

pub(crate) fn identifier(namespace: &str, job: &str) -> Identifier {
    Identifier(format!("{namespace}:{job}"))
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

    pub(crate) fn release(&self, identifier: &Identifier) {
        let mut tables = self.lock();
        if tables.held.remove(identifier).is_some_and(|sight| sight.uid().is_some()) {
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
        tables.strangers.insert(key.clone(), Stranger { attempt, identifier: key, since, has_ended });
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
        let sight = self.lock().held.get(&identifier(namespace, job)).cloned();
        if let Some(sight) = sight {
            sight.see_pod(pod, is_gone);
        }
    }

    /// After a list of everything in a namespace (or in all): who was not in it is in doubt.
    pub(crate) fn listed(&self, namespace: Option<&str>, present: &HashSet<Identifier>) {
        let mut tables = self.lock();
        let is_meant = |key: &Identifier| {
            namespace.is_none_or(|namespace| key.0.split(':').next() == Some(namespace)) && !present.contains(key)
        };
        tables.strangers.retain(|key, _| !is_meant(key));
        tables.done.retain(|key| !is_meant(key));
        for (_, sight) in tables.held.iter().filter(|(key, _)| is_meant(key)) {
            if sight.uid().is_some() {
                sight.doubt();
            }
        }
    }

    /// Pods have been listed anew; those of held Jobs may have gone in between.
    pub(crate) fn doubt_all(&self, namespace: Option<&str>) {
        for sight in self.lock().held.values() {
            if namespace.is_none_or(|namespace| namespace == sight.namespace) && sight.uid().is_some() {
                sight.doubt();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn key_of(metadata: &Value, name: &str) -> Option<Identifier> {
    Some(identifier(metadata["namespace"].as_str()?, metadata[name].as_str()?))
}

fn version(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|version| version.parse().ok()).unwrap_or_default()
}
