//! Flow runs as Jobs of a Kubernetes cluster. The cluster itself is the journal: a Job carries whose it is, so that a worker
//! that is started again, or another one, finds it. Each file below has one part of it; this one wires them together.

mod board;
mod cluster;
mod diagnosis;
mod hints;
mod identity;
mod inventory;
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
mod replicas;
mod required;
mod seal;
mod selector;
mod short_form;
mod start;
mod tell;
mod verdict;
mod watch;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, atomic::AtomicU32},
    time::Duration,
};

use serde_json::{Map, Value};
use tidegate_api::work_pools::WorkPool;
use tokio::{
    sync::{Semaphore, mpsc},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::{
    board::{Board, Sight},
    cluster::{Cluster, Patience},
    identity::{Identity, Known},
    observe::Scope,
    replicas::Replicas,
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
    lock::lock,
};

/// How long a run may go on with no worker there.
const OUTLIVES: Duration = Duration::from_mins(5);

/// The Kubernetes backend.
pub struct Kubernetes {
    options: Options,
    worker: String,
    /// By what jobs say of their cluster; empty for the worker's own.
    places: tokio::sync::Mutex<HashMap<String, Arc<Place>>>,
    live: Mutex<HashMap<Identifier, Arc<Live>>>,
    surveyed: Mutex<Vec<Arc<Place>>>,
    replicas: Mutex<Option<Arc<Replicas>>>,
    surveys: AtomicU32,
    streams: Arc<Semaphore>,
    /// Ends what looks at clusters.
    end: CancellationToken,
}

/// A cluster, and what is seen of it.
struct Place {
    cluster: Cluster,
    /// The worker's own, and not one that a job names.
    is_own: bool,
    identity: Known,
    board: Arc<Board>,
    /// The namespaces that are looked at; `None` for all of them.
    observed: Mutex<HashMap<Option<String>, Observed>>,
    /// Those in which Jobs of earlier workers were looked for.
    searched: Mutex<HashSet<Option<String>>>,
    /// Ends what looks at it.
    end: CancellationToken,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

/// A namespace under observation.
#[derive(Default)]
struct Observed {
    /// The work pools of which Jobs and pods are seen. More than one if the pool was deleted and made again.
    work_pools: BTreeSet<uuid::Uuid>,
    end: CancellationToken,
}

/// A run in our hands.
struct Live {
    run: (uuid::Uuid, i64),
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
            replicas: Mutex::default(),
            surveys: AtomicU32::default(),
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
        let place = Arc::new(Place {
            cluster,
            is_own: cluster_config.is_none(),
            identity: Known::default(),
            board: Arc::default(),
            observed: Mutex::default(),
            searched: Mutex::default(),
            end: self.end.child_token(),
        });
        // Credentials that jobs carry are exchanged now and then: one place for each of them is one too many.
        places.retain(|_, earlier| {
            earlier.is_own || earlier.cluster.address != place.cluster.address || self.is_in_use(earlier)
        });
        places.insert(key, Arc::clone(&place));
        *lock(&self.surveyed) = places.values().cloned().collect();
        Ok(place)
    }

    fn is_in_use(&self, place: &Arc<Place>) -> bool {
        lock(&self.live).values().any(|live| Arc::ptr_eq(&live.place, place))
    }

    /// Which cluster this is, asked for until somebody answers. A wrong one is refused.
    async fn identity(&self, place: &Place, patience: Patience) -> Result<Identity, Failure> {
        let unreachable = |refusal: cluster::Refusal| {
            let message = format!("The Kubernetes API does not say which cluster it is: {refusal}.");
            Failure::new(FailureClass::StartFailed, message.replace("..", "."))
        };
        let configured = self.options.cluster_uid.as_deref();
        let learn = || place.identity.learn(&place.cluster, configured);
        let known = Cluster::persist(patience, learn).await.map_err(unreachable)?;
        known
            .map_err(|wrong| Failure::new(FailureClass::ConfigError, format!("The cluster is the wrong one: {wrong}.")))
    }

    /// Sees to it that a namespace is looked at.
    fn observe(&self, place: &Place, namespace: &str, work_pool: uuid::Uuid) {
        let namespace = (!self.options.all_namespaces).then(|| namespace.to_owned());
        let mut observed = lock(&place.observed);
        let observed = observed.entry(namespace.clone()).or_default();
        if !observed.work_pools.insert(work_pool) {
            return;
        }
        observed.end.cancel();
        observed.end = place.end.child_token();
        let work_pools: Vec<_> = observed.work_pools.iter().map(uuid::Uuid::to_string).collect();
        let selector = format!("{} in ({})", seal::WORK_POOL, work_pools.join(","));
        let (cluster, board, end) = (place.cluster.clone(), Arc::clone(&place.board), observed.end.clone());
        let scope = Scope { namespace, selector };
        tokio::spawn(async move { end.run_until_cancelled(observe::observe(cluster, board, scope)).await });
    }

    fn take_in(&self, attempt: &Attempt, place: Arc<Place>, sight: Arc<Sight>, is_adopted: bool) -> Identifier {
        let identifier = sight.identifier();
        let live = Live {
            run: (attempt.flow_run_id, attempt.attempt),
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
    const PLACED_BY: &'static [&'static str] = &["cluster_config", "namespace"];

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
        let patience = Patience { tries: self.options.tries, within: self.options.patience };
        let identity = self.identity(&place, patience).await?;
        let mut sealed = spec.sealed.clone();
        identity.stamp(&mut sealed.job);
        let Sealed { name, namespace, .. } = &sealed;
        // Seen from before it exists: nothing that happens to it is missed.
        let sight = place.board.hold(namespace, name);
        self.observe(&place, namespace, spec.work_pool);
        match start::start(&place.cluster, &identity, patience, attempt, &sealed, &news).await {
            Ok(job) => {
                sight.see_job(Some(observe::slim_value(&job)));
                Ok(self.take_in(attempt, place, sight, false))
            }
            Err(failure) => {
                // The Job may be there all the same, if only the answer was lost: then the sweep finds it.
                place.board.release(&sight.identifier(), false);
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
        let run = (attempt.flow_run_id, attempt.attempt);
        let ended = lock(&self.live).values().find(|live| live.run == run).cloned();
        let Some(live) = ended else { return };
        let identifier = live.sight.identifier();
        // What it held is of no use any more, even where the Job stays.
        if live.sight.has_secret() {
            let secret = start::secret_path(&live.sight.namespace, &live.sight.job);
            if let Err(refusal) = live.place.cluster.delete(&secret, &Value::Null).await
                && !refusal.is(404)
                && !refusal.is(403)
            {
                warn!(infrastructure = %identifier, "the Secret of {identifier} goes with its Job: {refusal}");
            }
        }
        live.place.board.release(&identifier, !live.is_unconfirmed.is_cancelled());
        lock(&self.live).remove(&identifier);
    }

    async fn find(&self, pool: &WorkPool) -> anyhow::Result<Vec<Found>> {
        self.find_jobs(pool).await
    }

    async fn find_near(&self, spec: &Spec) -> anyhow::Result<Vec<Found>> {
        self.find_jobs_near(spec).await
    }

    fn survey(&self) -> Vec<Stray> {
        self.survey_jobs(Instant::now())
    }

    async fn adopt(&self, attempt: &Attempt, identifier: &Identifier) -> bool {
        self.adopt_job(attempt, identifier).await
    }

    async fn discard(&self, identifier: &Identifier) {
        self.discard_job(identifier).await;
    }

    fn locality(&self, identifier: &Identifier) -> Option<(&'static str, String)> {
        let name = self.live(identifier)?.place.identity.get()?.name()?.to_owned();
        Some(("tidegate.cluster.uid", name))
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

#[cfg(test)]
mod tests;
