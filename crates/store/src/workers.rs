//! Workers in the store: who sends heartbeats to which pool, and who fell silent.

use tidegate_api::{
    filters::{TextFilter, WorkerFilter},
    work_pools::{WorkPoolStatus, WorkQueueStatus, Worker, WorkerStatus},
};
use tidegate_core::time::Timestamp;
use uuid::Uuid;

use crate::{Result, Row, Sql, Tx, conditions::Conditions, sql, work_pools::word};

const COLUMNS: &str =
    "id, created, updated, name, work_pool_id, last_heartbeat_time, heartbeat_interval_seconds, status";

fn worker(row: &mut Row<'_>) -> Result<Worker> {
    Ok(Worker {
        id: row.next()?,
        created: row.next()?,
        updated: row.next()?,
        name: row.next()?,
        work_pool_id: row.next()?,
        last_heartbeat_time: row.next()?,
        heartbeat_interval_seconds: row.next()?,
        status: word("worker.status", &row.next::<String>()?)?,
    })
}

/// How long silence may last, seconds.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// So many of its own intervals without a heartbeat make a worker offline.
    pub worker_intervals: f64,
    /// The interval of workers that did not tell theirs.
    pub worker_interval: f64,
    pub queue: f64,
    pub deployment: f64,
}

/// What a look at silent workers, pools and queues changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Silence {
    pub workers_offline: u64,
    pub pools_not_ready: u64,
    pub queues_not_ready: u64,
    pub deployments_not_ready: u64,
}

impl Tx {
    /// Notes a heartbeat; the first one of a name makes the worker. A pool that waited for a worker is ready then.
    pub async fn record_worker_heartbeat(&mut self, pool: Uuid, name: &str, interval: Option<i64>) -> Result<()> {
        self.execute(&sql!(
            "INSERT INTO worker (id, workspace_id, created, updated, work_pool_id, name, last_heartbeat_time, \
             heartbeat_interval_seconds, status) VALUES ($1, $2, $3, $3, $4, $5, $3, $6, 'ONLINE') \
             ON CONFLICT (work_pool_id, name) DO UPDATE SET updated = excluded.updated, status = 'ONLINE', \
             last_heartbeat_time = excluded.last_heartbeat_time, heartbeat_interval_seconds = \
             coalesce(excluded.heartbeat_interval_seconds, worker.heartbeat_interval_seconds)",
            Uuid::now_v7(),
            self.workspace(),
            self.now(),
            pool,
            name,
            interval,
        ))
        .await?;
        let sql = sql!("SELECT 1 FROM work_pool WHERE id = $1 AND status = 'NOT_READY'", pool);
        if self.optional(&sql, |_| Ok(())).await?.is_some() {
            self.set_work_pool_status(pool, WorkPoolStatus::Ready).await?;
        }
        Ok(())
    }

    pub async fn read_worker_id(&mut self, pool: Uuid, name: &str) -> Result<Option<Uuid>> {
        let sql = sql!("SELECT id FROM worker WHERE work_pool_id = $1 AND name = $2", pool, name);
        self.optional(&sql, |row| row.next()).await
    }

    /// The workers of a pool, the last heartbeat first.
    pub async fn list_workers(
        &mut self,
        pool: Uuid,
        filter: Option<&WorkerFilter>,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Worker>> {
        let mut sql = Sql::new("SELECT ");
        sql.push(COLUMNS).push(" FROM worker WHERE work_pool_id = ").bind(pool);
        if let Some(filter) = filter {
            sql.push(" AND ");
            let mut parts = Conditions::begin(&mut sql, self.dialect(), filter.operator);
            parts.times("last_heartbeat_time", filter.last_heartbeat_time.as_ref());
            parts.texts("status", filter.status.as_ref().map(excluding_nothing_is_no_filter).as_ref());
            parts.end();
        }
        sql.push(" ORDER BY last_heartbeat_time DESC, id").push_page(limit, offset);
        self.all(&sql, worker).await
    }

    /// Answers whether there was such a worker.
    pub async fn delete_worker(&mut self, pool: Uuid, name: &str) -> Result<bool> {
        Ok(self.execute(&sql!("DELETE FROM worker WHERE work_pool_id = $1 AND name = $2", pool, name)).await? > 0)
    }

    /// Marks who fell silent: workers offline, and pools, queues and deployments that nobody serves not ready.
    pub async fn mark_silent(&mut self, patience: Patience) -> Result<Silence> {
        let workers_offline = self.mark_silent_workers(patience).await?;
        let mut silence = Silence { workers_offline, ..Silence::default() };
        let pools: Vec<Uuid> = self
            .all(
                &sql!(
                    "SELECT id FROM work_pool WHERE status = 'READY' AND NOT EXISTS (SELECT 1 FROM worker \
                     WHERE worker.work_pool_id = work_pool.id AND worker.status = 'ONLINE')"
                ),
                |row| row.next(),
            )
            .await?;
        for pool in pools {
            silence.pools_not_ready += u64::from(self.set_work_pool_status(pool, WorkPoolStatus::NotReady).await?);
        }
        let sql = sql!(
            "SELECT id FROM work_queue WHERE status = 'READY' AND last_polled < $1 ORDER BY last_polled",
            self.now().plus_seconds(-patience.queue)
        );
        let queues: Vec<Uuid> = self.all(&sql, |row| row.next()).await?;
        self.set_work_queue_status(&queues, WorkQueueStatus::NotReady).await?;
        silence.queues_not_ready = queues.len() as u64;
        silence.deployments_not_ready = self.mark_silent_deployments(patience.deployment).await?;
        Ok(silence)
    }

    async fn mark_silent_workers(&mut self, patience: Patience) -> Result<u64> {
        let sql =
            sql!("SELECT id, last_heartbeat_time, heartbeat_interval_seconds FROM worker WHERE status = 'ONLINE'");
        let online: Vec<(Uuid, Option<Timestamp>, Option<i64>)> =
            self.all(&sql, |row| Ok((row.next()?, row.next()?, row.next()?))).await?;
        let now = self.now();
        let is_silent = |last: Option<Timestamp>, interval: Option<i64>| {
            let interval = interval.map_or(patience.worker_interval, |seconds| seconds as f64);
            last.is_some_and(|last| now.seconds_since(last) > interval * patience.worker_intervals)
        };
        let silent: Vec<Uuid> =
            online.into_iter().filter(|(_, last, interval)| is_silent(*last, *interval)).map(|(id, ..)| id).collect();
        if silent.is_empty() {
            return Ok(0);
        }
        let mut sql = sql!("UPDATE worker SET status = $1, updated = $2 WHERE ", WorkerStatus::Offline.as_str(), now);
        sql.push_ids(self.dialect(), "id", &silent);
        self.execute(&sql).await
    }
}

/// The reference reads an empty list of exclusions as none.
fn excluding_nothing_is_no_filter(filter: &TextFilter) -> TextFilter {
    let not_any_ = filter.not_any_.clone().filter(|list| !list.is_empty());
    TextFilter { not_any_, ..filter.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_of_exclusions_excludes_nothing() {
        let filter = TextFilter { not_any_: Some(Vec::new()), ..TextFilter::default() };
        assert_eq!(excluding_nothing_is_no_filter(&filter), TextFilter::default());
    }
}
