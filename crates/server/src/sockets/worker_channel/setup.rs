//! The beginning of a worker channel: the pool is found or made, the first heartbeat noted, and the worker told what it gets.

use serde_json::{Value, json};
use tidegate_api::{
    Patch,
    work_pools::{WorkPool, WorkPoolCreate, WorkPoolUpdate},
};
use tidegate_store::{Error, Tx};
use uuid::Uuid;

use super::{
    Reason,
    frames::{CLEANUPS, HEARTBEATS, Hello, SNAPSHOTS},
};
use crate::{
    App,
    job_template::{Occasion, check_job_variables},
    routes::work_pools::is_reserved,
};

const VERSION: &str = "work_pool_worker_channel.v1";

/// What a worker gets.
pub(super) struct Ready {
    pub pool: WorkPool,
    pub queues: Vec<(Uuid, String)>,
    /// Empty where the worker does not clean up.
    pub cleanup_kinds: Vec<String>,
    pub most_cleanups: usize,
}

impl Ready {
    pub fn payload(&self, hello: &Hello) -> Value {
        let mut accepted = vec![HEARTBEATS, SNAPSHOTS];
        accepted.extend((!self.cleanup_kinds.is_empty()).then_some(CLEANUPS));
        let mut rejected: Vec<&str> = Vec::new();
        for asked in &hello.requested_capabilities {
            if !accepted.contains(&asked.as_str()) && !rejected.contains(&asked.as_str()) {
                rejected.push(asked);
            }
        }
        let queues: Vec<Value> = self.queues.iter().map(|(id, name)| json!({ "id": id, "name": name })).collect();
        json!({
            "consumer_id": hello.consumer_id,
            "worker_id": null,
            "selected_channel_version": VERSION,
            "effective_heartbeat_interval_seconds": hello.heartbeat_interval_seconds,
            "accepted_capabilities": accepted,
            "rejected_capabilities": rejected,
            "effective_max_cleanup_concurrency": self.most_cleanups,
            "resolved_work_queues": queues,
            "initial_snapshot": snapshot(1, "initial", &self.pool),
        })
    }
}

pub(super) fn snapshot(sequence: i64, reason: &str, pool: &WorkPool) -> Value {
    json!({ "snapshot_sequence": sequence, "reason": reason, "work_pool": pool })
}

/// Why there is no channel; a write that ends so is taken back.
enum Refused {
    For(Reason),
    Store(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

pub(super) async fn prepare(app: &App, name: &str, hello: &Hello) -> Result<Ready, Reason> {
    if !hello.supported_channel_versions.iter().any(|version| version == VERSION) {
        return Err(Reason::UnsupportedVersion);
    }
    let (name, hello) = (name.to_owned(), hello.clone());
    let prepared = app.store.write(name.clone(), async move |tx: &mut Tx| ready(tx, &name, &hello).await).await;
    prepared.map_err(|refused| match refused {
        Refused::For(reason) => reason,
        Refused::Store(error) => super::transient(error),
    })
}

async fn ready(tx: &mut Tx, name: &str, hello: &Hello) -> Result<Ready, Refused> {
    let pool = match tx.read_work_pool_by_name(name).await? {
        Some(pool) => pool,
        None => create(tx, name, hello).await?,
    };
    let mut queues = Vec::new();
    let every = tx.list_work_queues(pool.id, None, i64::MAX, 0).await?;
    if hello.work_queue_names.is_empty() {
        queues.extend(every.into_iter().map(|queue| (queue.id, queue.name)));
    } else {
        for wanted in &hello.work_queue_names {
            let queue = every.iter().find(|queue| queue.name == *wanted);
            let queue = queue.ok_or(Refused::For(Reason::AuthorizationFailed))?;
            if !queues.iter().any(|(id, _)| *id == queue.id) {
                queues.push((queue.id, queue.name.clone()));
            }
        }
    }
    let id = pool.id;
    if hello.has_template() && pool.base_job_template.members().is_none_or(|members| members.is_empty()) {
        check_template(tx, hello).await?;
        let update = WorkPoolUpdate { base_job_template: Patch::Set(hello.template()), ..WorkPoolUpdate::default() };
        tx.update_work_pool(pool, update).await?;
    }
    tx.record_worker_heartbeat(id, &hello.worker_name, Some(hello.heartbeat_interval_seconds)).await?;
    let pool = read_pool(tx, id).await?.ok_or(Refused::For(Reason::TransientServerError))?;
    let cleans_up = hello.cleans_up();
    Ok(Ready {
        pool,
        queues,
        cleanup_kinds: if cleans_up { hello.handled_cleanup_kinds.clone() } else { Vec::new() },
        most_cleanups: if cleans_up { hello.most_cleanups() } else { 0 },
    })
}

async fn create(tx: &mut Tx, name: &str, hello: &Hello) -> Result<WorkPool, Refused> {
    if !hello.create_pool_if_not_found || is_reserved(name) {
        return Err(Refused::For(Reason::AuthorizationFailed));
    }
    check_template(tx, hello).await?;
    let create = WorkPoolCreate {
        name: name.to_owned(),
        description: None,
        kind: hello.worker_type.clone(),
        base_job_template: hello.template(),
        is_paused: false,
        concurrency_limit: None,
        storage_configuration: None,
    };
    tx.create_work_pool(&create).await?.ok_or_else(|| Error::Conflict("the pool was made meanwhile".into()).into())
}

async fn check_template(tx: &mut Tx, hello: &Hello) -> Result<(), Refused> {
    let checked = check_job_variables(tx, &hello.template(), &[], Occasion::Pool).await;
    checked.map_err(|_| Refused::For(Reason::ProtocolError))
}

/// A pool with its slots counted.
pub(super) async fn read_pool(tx: &mut Tx, id: Uuid) -> Result<Option<WorkPool>, Error> {
    let mut pools: Vec<WorkPool> = tx.read_work_pool(id).await?.into_iter().collect();
    tx.fill_pool_slots(&mut pools).await?;
    Ok(pools.pop())
}
