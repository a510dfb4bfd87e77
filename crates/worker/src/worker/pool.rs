//! The work pool that the worker serves: made if wanted, and read again often enough that a changed template counts.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::bail;
use serde_json::Value;
use tidegate_api::{
    Patch,
    work_pools::{WorkPool, WorkPoolCreate, WorkPoolUpdate},
};
use tracing::{info, warn};

use super::Worker;
use crate::{infrastructure::Infrastructure, lock::lock};

/// A copy that is younger than this is good enough to start a run with.
const FRESH: Duration = Duration::from_secs(2);

/// The last copy of the pool.
#[derive(Default)]
pub(crate) struct Pool {
    known: Mutex<Option<(Instant, Arc<WorkPool>)>>,
}

impl Pool {
    fn remember(&self, pool: WorkPool) -> Arc<WorkPool> {
        let pool = Arc::new(pool);
        *lock(&self.known) = Some((Instant::now(), Arc::clone(&pool)));
        pool
    }

    fn last(&self) -> Option<(Instant, Arc<WorkPool>)> {
        lock(&self.known).clone()
    }
}

impl<I: Infrastructure> Worker<I> {
    /// The pool for a run about to start; an older copy when the server cannot say.
    pub(super) async fn pool(&self) -> tidegate_client::Result<Arc<WorkPool>> {
        let last = self.pool.last();
        if let Some((_, pool)) = last.as_ref().filter(|(read, _)| read.elapsed() < FRESH) {
            return Ok(Arc::clone(pool));
        }
        match (self.client.read_work_pool(&self.options.pool).await, last) {
            (Ok(Some(pool)), _) => Ok(self.pool.remember(whole::<I>(pool).0)),
            (_, Some((_, pool))) => Ok(pool),
            (Err(error), None) => Err(error),
            (Ok(None), None) => Err(tidegate_client::Error::Status {
                operation: "read the work pool".to_owned(),
                status: 404,
                message: format!("there is no work pool `{}`", self.options.pool),
                body: Value::Null,
            }),
        }
    }

    /// Makes sure that the pool is there, is of our type, and has a base job template.
    pub(super) async fn ensure_pool(&self) -> anyhow::Result<()> {
        let name = &self.options.pool;
        let pool = match self.client.read_work_pool(name).await? {
            Some(pool) => pool,
            None if !self.options.create_pool_if_not_found => {
                bail!("there is no work pool `{name}`; `tidegate work-pool create {name} --type {}` makes one", I::TYPE)
            }
            None => self.create_pool().await?,
        };
        if pool.kind != I::TYPE {
            bail!("the work pool `{name}` is of type `{}`, and this worker runs `{}`", pool.kind, I::TYPE);
        }
        let template = pool.base_job_template.value();
        if template.as_object().is_none_or(serde_json::Map::is_empty) {
            let base_job_template = Patch::Set(self.base_job_template()?.into());
            let update = WorkPoolUpdate { base_job_template, ..WorkPoolUpdate::default() };
            self.client.update_work_pool(name, &update).await?;
            return Ok(());
        }
        let (pool, note) = whole::<I>(pool);
        if let Some(note) = note {
            warn!(work_pool.name = name, "{note}");
        }
        self.pool.remember(pool);
        Ok(())
    }

    async fn create_pool(&self) -> anyhow::Result<WorkPool> {
        let name = &self.options.pool;
        let pool = WorkPoolCreate {
            name: name.clone(),
            description: None,
            kind: I::TYPE.to_owned(),
            base_job_template: self.base_job_template()?.into(),
            is_paused: false,
            concurrency_limit: None,
            storage_configuration: None,
        };
        match self.client.create_work_pool(&pool).await {
            Ok(pool) => {
                info!(work_pool.name = name, "the work pool {name} was missing and has been made");
                Ok(pool)
            }
            // Another worker was quicker.
            Err(error) if error.status() == Some(409) => {
                self.client.read_work_pool(name).await?.ok_or_else(|| error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A pool that was deleted under a running worker is made again, or waited for.
    pub(super) async fn restore_pool(&self) {
        if let Err(error) = self.ensure_pool().await {
            warn!(work_pool.name = self.options.pool, "the work pool cannot be served: {error:#}");
        }
    }

    /// The template of a pool that has none.
    fn base_job_template(&self) -> anyhow::Result<Value> {
        let Some(given) = self.options.base_job_template.clone() else { return Ok(I::base_job_template()) };
        match I::complete(&given).map_err(anyhow::Error::msg)? {
            Some(completed) => {
                warn!(work_pool.name = self.options.pool, "{}", completed.note);
                Ok(completed.template)
            }
            None => Ok(given),
        }
    }
}

/// The pool as runs are made from it, and what there is to say about its template. What cannot be completed is kept: its runs
/// will say why they cannot be made.
pub(crate) fn whole<I: Infrastructure>(mut pool: WorkPool) -> (WorkPool, Option<String>) {
    match I::complete(&pool.base_job_template.value()) {
        Ok(None) => (pool, None),
        Ok(Some(completed)) => {
            pool.base_job_template = completed.template.into();
            (pool, Some(completed.note))
        }
        Err(reason) => (pool, Some(reason)),
    }
}
