//! What is in the cluster already: Jobs that an earlier worker of this name has left, Jobs of other workers, and Jobs that
//! nobody wants. Those that say that they were made in another cluster are left alone, whatever else they say.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::{Context, bail};
use serde_json::Value;
use tidegate_api::work_pools::WorkPool;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};
use uuid::Uuid;

use super::{
    Kubernetes, OUTLIVES, Place, Spec, board,
    cluster::{Cluster, Patience, Refusal, jittered},
    identity::{Identity, cluster_of},
    kill, observe,
    replicas::Replicas,
    seal, start, verdict,
};
use crate::{
    infrastructure::{Attempt, Found, Identifier, Stray},
    lock::lock,
};

/// A Job this old has been told of to the server by whoever made it.
const SETTLED: Duration = Duration::from_mins(1);
const PAGE: usize = 500;
/// One of so many surveys, of three a minute, asks for runs of replicas that are there: well before their leases end.
const DISTRUST: u32 = 6;
/// Between two questions to an API that did not answer at the start.
const AGAIN: Duration = Duration::from_secs(10);
/// How long a worker that starts waits for an API that is out of order, before it goes on without what it has left there.
const BEGINNING: Patience = Patience { tries: None, within: Duration::from_secs(30) };

impl Kubernetes {
    /// Jobs of this worker's name, with their pods, in the worker's own cluster.
    pub(super) async fn find_jobs(&self, pool: &WorkPool) -> anyhow::Result<Vec<Found>> {
        let place = match self.place(None).await {
            Ok(place) => place,
            Err(error) => {
                // Jobs may name their clusters themselves.
                warn!("the worker has no Kubernetes cluster of its own: {error:#}");
                return Ok(Vec::new());
            }
        };
        let namespaces = self.namespaces(pool);
        self.meet(&place, &namespaces, pool.id);
        self.find_at(&place, namespaces, pool.id).await
    }

    /// The same where a job of a run under way would be: in another cluster, or in a namespace of its own.
    pub(super) async fn find_jobs_near(&self, spec: &Spec) -> anyhow::Result<Vec<Found>> {
        let place = self.place(spec.cluster_config.as_ref()).await?;
        self.find_at(&place, vec![spec.sealed.namespace.clone()], spec.work_pool).await
    }

    /// In these namespaces, or in all of them if that is the worker's way; only where that was not done before.
    async fn find_at(&self, place: &Arc<Place>, namespaces: Vec<String>, pool: Uuid) -> anyhow::Result<Vec<Found>> {
        let mut namespaces: Vec<_> =
            if self.options.all_namespaces { vec![None] } else { namespaces.into_iter().map(Some).collect() };
        namespaces.retain(|namespace| lock(&place.searched).insert(namespace.clone()));
        if namespaces.is_empty() {
            return Ok(Vec::new());
        }
        let learn = || place.identity.learn(&place.cluster, self.options.cluster_uid.as_deref());
        let identity = match Cluster::persist(BEGINNING, learn).await {
            Ok(Ok(identity)) => identity,
            Ok(Err(wrong)) => bail!(wrong),
            Err(refusal) => {
                warn!("what an earlier worker left in the cluster is looked for later: {refusal}");
                self.ask_on(place);
                Identity::default()
            }
        };
        if let Some(uid) = identity.name() {
            info!(cluster.uid = uid, "runs are made in the cluster {uid}");
        }
        let mut found = Vec::new();
        for namespace in namespaces {
            match self.find_in(place, &identity, namespace.as_deref(), pool).await {
                Ok(more) => found.extend(more),
                Err(error) => {
                    let place = namespace.as_deref().unwrap_or("all namespaces");
                    warn!(
                        "Jobs in {place} cannot be listed: {error:#}; the worker's service account needs the chart's Role there"
                    );
                }
            }
            self.observe(place, namespace.as_deref().unwrap_or_default(), pool);
        }
        Ok(found)
    }

    /// Asks a cluster that does not answer on and on which one it is: before that is known, nothing in it is taken over.
    fn ask_on(&self, place: &Arc<Place>) {
        let (place, configured) = (Arc::downgrade(place), self.options.cluster_uid.clone());
        let asking = async move {
            loop {
                sleep(jittered(AGAIN)).await;
                let Some(place) = place.upgrade() else { return };
                match place.identity.learn(&place.cluster, configured.as_deref()).await {
                    Ok(Ok(_)) => {
                        return info!("the Kubernetes API answers: what an earlier worker left is looked for now");
                    }
                    Ok(Err(wrong)) => return warn!("what an earlier worker left is not looked for: {wrong}"),
                    Err(refusal) => debug!("the Kubernetes API does not say yet which cluster it is: {refusal}"),
                }
            }
        };
        tokio::spawn(self.end.clone().run_until_cancelled_owned(asking));
    }

    async fn find_in(
        &self,
        place: &Arc<Place>,
        identity: &Identity,
        namespace: Option<&str>,
        pool: Uuid,
    ) -> anyhow::Result<Vec<Found>> {
        let path = |kind: &str| match namespace {
            Some(namespace) => format!("/namespaces/{namespace}/{kind}"),
            None => format!("/{kind}"),
        };
        let jobs = list(place, &format!("/apis/batch/v1{}", path("jobs")), pool).await?;
        // Read after the Jobs: a Job that has ended is judged by what its pods came to.
        let pods = list(place, &format!("/api/v1{}", path("pods")), pool).await.context("listing their pods");
        let (mut found, mut foreign) = (Vec::new(), Vec::new());
        for job in jobs {
            let Some(attempt) = seal::attempt_of(&job) else { continue };
            let (name, at) = (job["metadata"]["name"].as_str(), job["metadata"]["namespace"].as_str());
            let (Some(name), Some(at)) = (name, at) else { continue };
            if !identity.owns(cluster_of(&job)) {
                foreign.push(format!("{at}:{name} ({})", cluster_of(&job).unwrap_or_default()));
            } else if attempt.owner.as_deref() == Some(&self.worker) && !ended_long_ago(&job) {
                let sight = place.board.hold(at, name);
                sight.see_job(Some(job));
                if pods.is_err() {
                    sight.doubt();
                }
                let identifier = self.take_in(&attempt, Arc::clone(place), sight, true);
                found.push(Found::Started(Attempt { owner: None, ..attempt }, identifier));
            } else {
                place.board.job_seen(job);
            }
        }
        if !foreign.is_empty() {
            let here = identity.name().unwrap_or_default();
            warn!(
                cluster.uid = here,
                "Jobs that were made in another cluster are left alone; this one is {here}: {}",
                foreign.join(", ")
            );
        }
        for pod in pods? {
            place.board.pod_seen(pod, false);
        }
        Ok(found)
    }

    /// From here on other replicas know of this one, and it of them.
    fn meet(&self, place: &Place, namespaces: &[String], work_pool: Uuid) {
        let namespaces = (!self.options.all_namespaces).then(|| namespaces.to_vec());
        let replicas = Replicas::new(self.worker.clone(), work_pool, namespaces);
        let replicas = Arc::new(replicas);
        *lock(&self.replicas) = Some(Arc::clone(&replicas));
        let (cluster, end) = (place.cluster.clone(), self.end.clone());
        tokio::spawn(async move { end.run_until_cancelled(replicas.attend(&cluster)).await });
    }

    /// The namespaces in which runs of a pool may be.
    fn namespaces(&self, pool: &WorkPool) -> Vec<String> {
        if !self.options.namespaces.is_empty() {
            return self.options.namespaces.clone();
        }
        let template = pool.base_job_template.value();
        let usual = template["variables"]["properties"]["namespace"]["default"].as_str();
        let fixed =
            template["job_configuration"]["namespace"].as_str().filter(|text| !crate::job::has_placeholder(text));
        vec![fixed.or(usual).unwrap_or("default").to_owned()]
    }

    /// Jobs that are in nobody's hands here, and this replica's to see to: old enough to be settled, and young enough to
    /// concern somebody.
    pub(super) fn survey_jobs(&self, at: Instant) -> Vec<Stray> {
        let is_old = |stranger: &board::Stranger| at - stranger.since > SETTLED;
        // What has ended long ago has been settled, by whoever ran it or by its lease.
        let is_over = |stranger: &board::Stranger| stranger.has_ended && at - stranger.since > 2 * OUTLIVES;
        // A replica that is there may still have lost the server.
        let is_relied_on = !self.surveys.fetch_add(1, Ordering::Relaxed).is_multiple_of(DISTRUST);
        let replicas = lock(&self.replicas).clone();
        let mut strays = Vec::new();
        for place in lock(&self.surveyed).clone() {
            let Some(identity) = place.identity.get() else { continue };
            // Of clusters that jobs name the others may know nothing.
            let others = replicas.as_ref().filter(|_| place.is_own);
            let is_anothers = |board::Stranger { identifier, attempt, .. }: &board::Stranger| {
                let (namespace, _) = board::parts(identifier);
                others.is_some_and(|others| others.is_anothers(namespace, attempt, is_relied_on, at))
            };
            let mut strangers = place.board.strangers();
            strangers.retain(|stranger| is_old(stranger) && !is_over(stranger));
            strangers.retain(|stranger| identity.owns(stranger.cluster.as_deref()) && !is_anothers(stranger));
            let stray =
                |board::Stranger { attempt, identifier, has_ended, .. }| Stray { attempt, identifier, has_ended };
            strays.extend(strangers.into_iter().map(stray));
        }
        strays
    }

    pub(super) async fn adopt_job(&self, attempt: &Attempt, identifier: &Identifier) -> bool {
        let places = lock(&self.surveyed).clone();
        for place in places {
            let Some((namespace, name, job)) = own_job(&place, identifier).await else { continue };
            if seal::attempt_of(&job).is_some_and(|known| known.flow_run_id == attempt.flow_run_id) {
                let sight = place.board.hold(&namespace, &name);
                sight.see_job(Some(observe::slim_value(&job)));
                sight.doubt();
                self.take_in(attempt, Arc::clone(&place), sight, true);
                return true;
            }
        }
        false
    }

    pub(super) async fn discard_job(&self, identifier: &Identifier) {
        let places = lock(&self.surveyed).clone();
        for place in places {
            let strangers = place.board.strangers();
            let stranger = strangers.into_iter().find(|stranger| stranger.identifier == *identifier);
            let (Some(stranger), Some((namespace, name, job))) = (stranger, own_job(&place, identifier).await) else {
                continue;
            };
            if seal::attempt_of(&job).is_some_and(|known| known == stranger.attempt) {
                kill::remove(&place.cluster, &namespace, &name, job["metadata"]["uid"].as_str()).await;
            }
        }
    }
}

/// A Job as it is now, if it was made in this cluster, and this is still the cluster that it was.
async fn own_job(place: &Place, identifier: &Identifier) -> Option<(String, String, Value)> {
    let (namespace, name) = board::parts(identifier);
    let job = place.cluster.get(&start::job_path(namespace, name)).await.ok()?;
    if !place.identity.get()?.owns(cluster_of(&job)) {
        let cluster = cluster_of(&job).unwrap_or_default();
        warn!(infrastructure = %identifier, "{identifier} was made in the cluster {cluster}, which is not this one: it is left alone");
        return None;
    }
    if let Err(why) = place.identity.confirm(&place.cluster).await {
        warn!(infrastructure = %identifier, "{identifier} is left alone: {why}");
        return None;
    }
    Some((namespace.to_owned(), name.to_owned(), job))
}

/// All Jobs or pods of a pool at a path, page by page, in the form of the board.
async fn list(place: &Place, path: &str, pool: Uuid) -> Result<Vec<Value>, Refusal> {
    let selector = seal::of_pool(pool);
    let (mut objects, mut next) = (Vec::new(), String::new());
    loop {
        let page = format!("{path}?limit={PAGE}&{selector}&continue={next}");
        let page = Cluster::persist(BEGINNING, || place.cluster.get(&page)).await?;
        objects.extend(page["items"].as_array().into_iter().flatten().map(observe::slim_value));
        page["metadata"]["continue"].as_str().unwrap_or_default().clone_into(&mut next);
        if next.is_empty() {
            return Ok(objects);
        }
    }
}

/// Whether a Job's end is so old that the server has settled its run without us.
fn ended_long_ago(job: &Value) -> bool {
    let end = ["Complete", "Failed"].iter().find_map(|kind| verdict::condition(job, kind));
    let time = end.and_then(|end| end["lastTransitionTime"].as_str()?.parse::<chrono::DateTime<chrono::Utc>>().ok());
    time.is_some_and(|time| (crate::clock::now().datetime() - time).num_seconds() > 2 * OUTLIVES.as_secs() as i64)
}
