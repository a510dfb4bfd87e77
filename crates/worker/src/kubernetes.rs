//! Flow runs as Jobs of a Kubernetes cluster. The cluster itself is the journal: a Job carries whose it is, so that a worker
//! that is started again, or another one, finds it. Each file below has one part of it; this one wires them together.

mod board;
mod cluster;
mod diagnosis;
mod hints;
mod kill;
mod logs;
mod manifest;
mod names;
mod observe;
mod options;
mod patch;
mod pod_events;
mod policy;
mod preview;
mod required;
mod seal;
mod short_form;
mod start;
mod tell;
mod verdict;
mod watch;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Map, Value};
use tidegate_api::work_pools::WorkPool;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::{
    board::{Board, Sight},
    cluster::Cluster,
    observe::Scope,
    seal::Sealed,
};
pub use self::{
    options::{Options, SecretKey},
    preview::{DryRun, preview},
};
use crate::{
    infrastructure::{
        Attempt, Completed, Exit, Failure, FailureClass, Found, Identifier, Infrastructure, News, Stop, Stray,
    },
    job::Job,
};

/// How long a run may go on with no worker there.
const OUTLIVES: Duration = Duration::from_mins(5);
/// A Job this old has been told of to the server by whoever made it.
const SETTLED: Duration = Duration::from_mins(1);
const PAGE: usize = 500;

/// The Kubernetes backend.
pub struct Kubernetes {
    options: Options,
    worker: String,
    /// By what jobs say of their cluster; empty for the worker's own.
    places: tokio::sync::Mutex<HashMap<String, Arc<Place>>>,
    live: Mutex<HashMap<Identifier, Arc<Live>>>,
    surveyed: Mutex<Vec<Arc<Place>>>,
    streams: Arc<Semaphore>,
    /// Ends what looks at clusters.
    end: CancellationToken,
}

/// A cluster, and what is seen of it.
struct Place {
    cluster: Cluster,
    board: Arc<Board>,
    /// The namespaces that are looked at; `None` for all of them.
    observed: Mutex<HashSet<Option<String>>>,
}

/// A run in our hands.
struct Live {
    place: Arc<Place>,
    sight: Arc<Sight>,
    is_adopted: bool,
    stop: Mutex<Option<Stop>>,
    /// The watch has come to its end.
    ended: CancellationToken,
    /// It was asked to end, and does not.
    is_unconfirmed: CancellationToken,
}

/// A prepared Job.
pub struct Spec {
    sealed: Sealed,
    work_pool: uuid::Uuid,
    cluster_config: Option<Map<String, Value>>,
}

impl Kubernetes {
    pub fn new(options: Options, worker: String) -> Self {
        Self {
            options,
            worker,
            places: tokio::sync::Mutex::default(),
            live: Mutex::default(),
            surveyed: Mutex::default(),
            streams: Arc::new(Semaphore::new(logs::STREAMS)),
            end: CancellationToken::new(),
        }
    }

    fn live(&self, identifier: &Identifier) -> Option<Arc<Live>> {
        lock(&self.live).get(identifier).cloned()
    }

    /// The cluster that a job names, connected to when it is first needed.
    async fn place(&self, cluster_config: Option<&Map<String, Value>>) -> anyhow::Result<Arc<Place>> {
        let key = cluster_config.map(|config| Value::Object(config.clone()).to_string()).unwrap_or_default();
        let mut places = self.places.lock().await;
        if let Some(place) = places.get(&key) {
            return Ok(Arc::clone(place));
        }
        let cluster = match cluster_config {
            Some(config) => Cluster::configured(config).await?,
            None => Cluster::own().await?,
        };
        let place = Arc::new(Place { cluster, board: Arc::default(), observed: Mutex::default() });
        places.insert(key, Arc::clone(&place));
        lock(&self.surveyed).push(Arc::clone(&place));
        Ok(place)
    }

    /// Sees to it that a namespace is looked at.
    fn observe(&self, place: &Place, namespace: &str, work_pool: uuid::Uuid) {
        let namespace = (!self.options.all_namespaces).then(|| namespace.to_owned());
        if !lock(&place.observed).insert(namespace.clone()) {
            return;
        }
        let mut selector = format!("{}={work_pool}", seal::WORK_POOL);
        if !self.options.label_filters.is_empty() {
            selector = format!("{selector},{}", self.options.label_filters);
        }
        let (cluster, board, end) = (place.cluster.clone(), Arc::clone(&place.board), self.end.clone());
        let scope = Scope { namespace, selector };
        tokio::spawn(async move { end.run_until_cancelled(observe::observe(cluster, board, scope)).await });
    }

    fn take_in(&self, place: Arc<Place>, sight: Arc<Sight>, is_adopted: bool) -> Identifier {
        let identifier = sight.identifier();
        let live = Live {
            place,
            sight,
            is_adopted,
            stop: Mutex::default(),
            ended: CancellationToken::new(),
            is_unconfirmed: CancellationToken::new(),
        };
        lock(&self.live).entry(identifier.clone()).or_insert_with(|| Arc::new(live));
        identifier
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

    /// All Jobs of a pool in a namespace, page by page.
    async fn list(&self, place: &Place, namespace: Option<&str>, pool: uuid::Uuid) -> anyhow::Result<Vec<Value>> {
        let base = namespace.map_or_else(|| "/apis/batch/v1/jobs".to_owned(), start::jobs_path);
        let (mut jobs, mut next) = (Vec::new(), String::new());
        loop {
            let path = format!(
                "{base}?limit={PAGE}&labelSelector={}%3D{pool}&continue={next}",
                seal::WORK_POOL.replace('/', "%2F")
            );
            let page = place.cluster.get(&path).await?;
            jobs.extend(page["items"].as_array().into_iter().flatten().map(observe::slim_value));
            page["metadata"]["continue"].as_str().unwrap_or_default().clone_into(&mut next);
            if next.is_empty() {
                return Ok(jobs);
            }
        }
    }
}

impl Drop for Kubernetes {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Infrastructure for Kubernetes {
    type Spec = Spec;

    const TYPE: &'static str = "kubernetes";
    const OUTLIVES: Option<Duration> = Some(OUTLIVES);

    fn base_job_template() -> Value {
        serde_json::from_str(include_str!("kubernetes/base_job_template.json")).expect("the file in the source is JSON")
    }

    fn complete(template: &Value) -> Result<Option<Completed>, String> {
        short_form::complete(template)
    }

    fn prepare(&self, attempt: &Attempt, job: &Job) -> Result<Spec, Failure> {
        let cluster_config = cluster_config(job)?;
        watch::Limits::check(&job.configuration)?;
        let mut manifest = manifest::render(job)?;
        patch::apply(&mut manifest, &job.configuration)?;
        let namespace = manifest::namespace(job)?;
        let about = &job.about;
        let mut sealed = seal::seal(manifest, namespace, attempt, about.work_pool_id, &self.worker, &self.options)?;
        watch::Limits::of(&job.configuration)?.write(&mut sealed.job);
        Ok(Spec { sealed, work_pool: about.work_pool_id, cluster_config })
    }

    async fn start(&self, attempt: &Attempt, spec: &Spec, news: mpsc::Sender<News>) -> Result<Identifier, Failure> {
        let place = self.place(spec.cluster_config.as_ref()).await.map_err(|error| {
            Failure::new(FailureClass::ConfigError, format!("The Kubernetes cluster cannot be reached: {error:#}."))
                .with_hint("check the worker's service account or kubeconfig, or the run's `cluster_config`")
        })?;
        let Sealed { name, namespace, .. } = &spec.sealed;
        // Seen from before it exists: nothing that happens to it is missed.
        let sight = place.board.hold(namespace, name);
        self.observe(&place, namespace, spec.work_pool);
        match start::start(&place.cluster, &self.options, attempt, &spec.sealed, &news).await {
            Ok(job) => {
                sight.see_job(Some(observe::slim_value(&job)));
                Ok(self.take_in(place, sight, false))
            }
            Err(failure) => {
                place.board.release(&sight.identifier());
                Err(failure)
            }
        }
    }

    async fn watch(&self, identifier: &Identifier, news: mpsc::Sender<News>) -> Exit {
        let Some(live) = self.live(identifier) else { return watch::unseen() };
        let exit = watch::watch(&live, &self.options, Arc::clone(&self.streams), news).await;
        live.ended.cancel();
        exit
    }

    async fn kill(&self, identifier: &Identifier, stop: Stop, grace: Duration) {
        let Some(live) = self.live(identifier) else { return };
        lock(&live.stop).get_or_insert(stop);
        tokio::spawn(async move { live.ended.run_until_cancelled(kill::escalate(&live, stop, grace)).await });
    }

    async fn forget(&self, attempt: &Attempt) {
        let ended = {
            let live = lock(&self.live);
            let is_meant = |live: &&Arc<Live>| {
                let job = live.sight.snapshot().job;
                job.as_ref()
                    .and_then(seal::attempt_of)
                    .is_some_and(|known| known.flow_run_id == attempt.flow_run_id && known.attempt == attempt.attempt)
            };
            live.values().find(is_meant).cloned()
        };
        let Some(live) = ended else { return };
        let identifier = live.sight.identifier();
        // What it held is of no use any more, even where the Job stays.
        let secret = start::secret_path(&live.sight.namespace, &live.sight.job);
        if let Err(refusal) = live.place.cluster.delete(&secret, &Value::Null).await
            && !refusal.is(404)
            && !refusal.is(403)
        {
            warn!(infrastructure = %identifier, "the Secret of {identifier} goes with its Job: {refusal}");
        }
        live.place.board.release(&identifier);
        lock(&self.live).remove(&identifier);
    }

    async fn find(&self, pool: &WorkPool) -> anyhow::Result<Vec<Found>> {
        let place = match self.place(None).await {
            Ok(place) => place,
            Err(error) => {
                // Jobs may name their clusters themselves.
                warn!("the worker has no Kubernetes cluster of its own: {error:#}");
                return Ok(Vec::new());
            }
        };
        let mut found = Vec::new();
        let namespaces: Vec<_> = if self.options.all_namespaces {
            vec![None]
        } else {
            self.namespaces(pool).into_iter().map(Some).collect()
        };
        for namespace in namespaces {
            let jobs = match self.list(&place, namespace.as_deref(), pool.id).await {
                Ok(jobs) => jobs,
                Err(error) => {
                    let place = namespace.as_deref().unwrap_or("all namespaces");
                    warn!(
                        "Jobs in {place} cannot be listed: {error:#}; the worker's service account needs the chart's Role there"
                    );
                    Vec::new()
                }
            };
            for job in jobs {
                let Some(attempt) = seal::attempt_of(&job) else { continue };
                let (name, at) = (job["metadata"]["name"].as_str(), job["metadata"]["namespace"].as_str());
                let (Some(name), Some(at)) = (name, at) else { continue };
                if attempt.owner.as_deref() == Some(&self.worker) && !ended_long_ago(&job) {
                    let sight = place.board.hold(at, name);
                    sight.see_job(Some(job));
                    sight.doubt();
                    let identifier = self.take_in(Arc::clone(&place), sight, true);
                    found.push(Found::Started(Attempt { owner: None, ..attempt }, identifier));
                } else {
                    place.board.job_seen(job);
                }
            }
            self.observe(&place, namespace.as_deref().unwrap_or_default(), pool.id);
        }
        if let Some(uid) = place.cluster.uid().await.or(self.options.cluster_uid.clone()) {
            info!(cluster.uid = uid, "runs are made in the cluster {uid}");
        }
        Ok(found)
    }

    fn survey(&self) -> Vec<Stray> {
        let places = lock(&self.surveyed).clone();
        let strangers = places.iter().flat_map(|place| place.board.strangers());
        let is_old = |stranger: &board::Stranger| stranger.since.elapsed() > SETTLED;
        // What has ended long ago has been settled, by whoever ran it or by its lease.
        let is_over = |stranger: &board::Stranger| stranger.has_ended && stranger.since.elapsed() > 2 * OUTLIVES;
        let concerns = strangers.filter(|stranger| is_old(stranger) && !is_over(stranger));
        let stray = |board::Stranger { attempt, identifier, has_ended, .. }| Stray { attempt, identifier, has_ended };
        concerns.map(stray).collect()
    }

    async fn adopt(&self, attempt: &Attempt, identifier: &Identifier) -> bool {
        let Some((namespace, name)) = identifier.0.split_once(':') else { return false };
        let places = lock(&self.surveyed).clone();
        for place in places {
            let Ok(job) = place.cluster.get(&start::job_path(namespace, name)).await else { continue };
            let is_ours = seal::attempt_of(&job).is_some_and(|known| known.flow_run_id == attempt.flow_run_id);
            if is_ours {
                let sight = place.board.hold(namespace, name);
                sight.see_job(Some(observe::slim_value(&job)));
                sight.doubt();
                self.take_in(Arc::clone(&place), sight, true);
                return true;
            }
        }
        false
    }

    async fn discard(&self, identifier: &Identifier) {
        let Some((namespace, name)) = identifier.0.split_once(':') else { return };
        let places = lock(&self.surveyed).clone();
        for place in places {
            let Some(stranger) =
                place.board.strangers().into_iter().find(|stranger| stranger.identifier == *identifier)
            else {
                continue;
            };
            let Ok(job) = place.cluster.get(&start::job_path(namespace, name)).await else { continue };
            if seal::attempt_of(&job).is_some_and(|known| known == stranger.attempt) {
                kill::remove(&place.cluster, namespace, name, job["metadata"]["uid"].as_str()).await;
            }
        }
    }
}

/// The cluster that a job names.
fn cluster_config(job: &Job) -> Result<Option<Map<String, Value>>, Failure> {
    match job.configuration.get("cluster_config") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(config)) if config.contains_key("config") && config.contains_key("context_name") => {
            Ok(Some(config.clone()))
        }
        Some(_) => {
            let message = "`cluster_config` has not both a `config` and a `context_name`.";
            let failure = Failure::new(FailureClass::ConfigError, message);
            Err(failure.with_hint("name a block of the type kubernetes-cluster-config"))
        }
    }
}

/// Whether a Job's end is so old that the server has settled its run without us.
fn ended_long_ago(job: &Value) -> bool {
    let end = ["Complete", "Failed"].iter().find_map(|kind| verdict::condition(job, kind));
    let time = end.and_then(|end| end["lastTransitionTime"].as_str()?.parse::<chrono::DateTime<chrono::Utc>>().ok());
    time.is_some_and(|time| (crate::clock::now().datetime() - time).num_seconds() > 2 * OUTLIVES.as_secs() as i64)
}

/// A panic while one of these short locks was held leaves nothing half-done.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
