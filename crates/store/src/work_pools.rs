//! Work pools in the store: rows, lists and their status. Which runs are handed out is `work_queues`.

use std::collections::HashMap;

use tidegate_api::{
    events::Resource,
    filters::WorkPoolFilter,
    work_pools::{WorkPool, WorkPoolCreate, WorkPoolStatus, WorkPoolUpdate, WorkQueueCreate, WorkerStatus},
};
use tidegate_core::json::Json;
use uuid::Uuid;

use crate::{
    Error, ResourceEvent, Result, Row, Sql, Tx, Wake, changes::Changes, conditions::push_work_pool, related, sql,
    value::json,
};

/// Pools of this type are polled by agents, know no workers and so have no status.
pub(crate) const AGENT: &str = "prefect-agent";

/// Events of a pool's status that follow each other within this time say so.
const RECENT_STATUS_SECONDS: f64 = 600.0;
const KIND: &str = "prefect.work-pool";
pub(crate) const TYPE: &str = "prefect.work-pool.type";

/// The states whose runs hold a slot of their pool and queue, said so that the partial index is found.
pub(crate) const HOLDING: &str = "flow_run.state_type IN ('PENDING', 'RUNNING', 'CANCELLING', 'PAUSED') AND flow_run.state_type IN ('PENDING', 'RUNNING')";

const COLUMNS: &str = "work_pool.id, work_pool.created, work_pool.updated, work_pool.name, work_pool.description, \
    work_pool.type, work_pool.base_job_template, work_pool.is_paused, work_pool.concurrency_limit, work_pool.status, \
    work_pool.default_queue_id, work_pool.storage_configuration";

fn pool(row: &mut Row<'_>) -> Result<WorkPool> {
    Ok(WorkPool {
        id: row.next()?,
        created: row.next()?,
        updated: row.next()?,
        name: row.next()?,
        description: row.next()?,
        kind: row.next()?,
        base_job_template: row.next()?,
        is_paused: row.next()?,
        concurrency_limit: row.next()?,
        status: optional_word("work_pool.status", row.next()?)?,
        default_queue_id: row.next()?,
        storage_configuration: row.parse()?,
        active_slots: None,
    })
}

/// A word of a column that holds a fixed list of them.
pub(crate) fn word<T: std::str::FromStr<Err = String>>(column: &str, text: &str) -> Result<T> {
    text.parse().map_err(|problem| Error::Corrupt { column: column.to_owned(), problem })
}

fn optional_word<T: std::str::FromStr<Err = String>>(column: &str, text: Option<String>) -> Result<Option<T>> {
    text.map(|text| word(column, &text)).transpose()
}

impl Tx {
    fn select_work_pools(&self) -> Sql {
        let mut sql = Sql::new("SELECT ");
        sql.push(COLUMNS).push(" FROM work_pool WHERE work_pool.workspace_id = ").bind(self.workspace());
        sql
    }

    /// Creates a pool and its default queue. `None` when the name is taken.
    pub async fn create_work_pool(&mut self, create: &WorkPoolCreate) -> Result<Option<WorkPool>> {
        let id = Uuid::now_v7();
        let status = match create {
            WorkPoolCreate { kind, .. } if kind == AGENT => None,
            WorkPoolCreate { is_paused: true, .. } => Some(WorkPoolStatus::Paused),
            _ => Some(WorkPoolStatus::NotReady),
        };
        let inserted = self
            .execute(&sql!(
                "INSERT INTO work_pool (id, workspace_id, created, updated, name, description, type, base_job_template, \
                 is_paused, concurrency_limit, status, storage_configuration) \
                 VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
                id,
                self.workspace(),
                self.now(),
                &create.name,
                create.description.clone(),
                &create.kind,
                &create.base_job_template,
                create.is_paused,
                create.concurrency_limit,
                status.map(WorkPoolStatus::as_str),
                json(&create.storage_configuration.clone().unwrap_or_default()),
            ))
            .await?;
        if inserted == 0 {
            return Ok(None);
        }
        let queue = WorkQueueCreate {
            name: "default".into(),
            description: Some("The work pool's default queue.".into()),
            is_paused: false,
            concurrency_limit: None,
            priority: None,
            filter: None,
        };
        let queue = self
            .create_work_queue(id, &queue)
            .await?
            .ok_or_else(|| Error::Conflict("the pool got its default queue while it was created".into()))?;
        self.execute(&sql!("UPDATE work_pool SET default_queue_id = $1 WHERE id = $2", queue.id, id)).await?;
        let mut pool = self.require_work_pool(id).await?;
        self.emit(&about(&pool, "created").with_all(storage(&pool)).at(self.now())).await?;
        self.emit_pool_status(&pool).await?;
        pool.active_slots = pool.concurrency_limit.map(|_| 0);
        Ok(Some(pool))
    }

    pub async fn read_work_pool(&mut self, id: Uuid) -> Result<Option<WorkPool>> {
        let mut sql = self.select_work_pools();
        sql.push(" AND work_pool.id = ").bind(id);
        self.optional(&sql, pool).await
    }

    async fn require_work_pool(&mut self, id: Uuid) -> Result<WorkPool> {
        let pool = self.read_work_pool(id).await?;
        pool.ok_or_else(|| Error::Conflict("the work pool was deleted while it was changed".into()))
    }

    pub async fn read_work_pool_by_name(&mut self, name: &str) -> Result<Option<WorkPool>> {
        let mut sql = self.select_work_pools();
        sql.push(" AND work_pool.name = ").bind(name);
        self.optional(&sql, pool).await
    }

    /// The pool of this name and its queues' id, for what needs no more.
    pub async fn read_work_pool_id(&mut self, name: &str) -> Result<Option<Uuid>> {
        let sql = sql!("SELECT id FROM work_pool WHERE workspace_id = $1 AND name = $2", self.workspace(), name);
        self.optional(&sql, |row| row.next()).await
    }

    pub async fn list_work_pools(
        &mut self,
        filter: Option<&WorkPoolFilter>,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<WorkPool>> {
        let mut sql = self.select_work_pools();
        self.push_pool_filter(&mut sql, filter);
        sql.push(" ORDER BY work_pool.name").push_page(limit, offset);
        let mut pools = self.all(&sql, pool).await?;
        self.fill_pool_slots(&mut pools).await?;
        Ok(pools)
    }

    pub async fn count_work_pools(&mut self, filter: Option<&WorkPoolFilter>) -> Result<i64> {
        let mut sql = sql!("SELECT count(*) FROM work_pool WHERE work_pool.workspace_id = $1", self.workspace());
        self.push_pool_filter(&mut sql, filter);
        self.one(&sql, |row| row.next()).await
    }

    fn push_pool_filter(&self, sql: &mut Sql, filter: Option<&WorkPoolFilter>) {
        if let Some(filter) = filter {
            sql.push(" AND ");
            push_work_pool(sql, self.dialect(), filter);
        }
    }

    /// Counts the slots taken of every pool that has a limit, in one query.
    pub async fn fill_pool_slots(&mut self, pools: &mut [WorkPool]) -> Result<()> {
        let limited: Vec<Uuid> =
            pools.iter().filter(|pool| pool.concurrency_limit.is_some()).map(|pool| pool.id).collect();
        if limited.is_empty() {
            return Ok(());
        }
        let mut sql = Sql::new(
            "SELECT queue.work_pool_id, count(*) FROM work_queue AS queue \
             JOIN flow_run ON flow_run.work_queue_id = queue.id WHERE ",
        );
        sql.push(HOLDING).push(" AND ").push_ids(self.dialect(), "queue.work_pool_id", &limited);
        sql.push(" GROUP BY queue.work_pool_id");
        let taken: HashMap<Uuid, i64> =
            self.all(&sql, |row| Ok((row.next()?, row.next()?))).await?.into_iter().collect();
        for pool in pools.iter_mut().filter(|pool| pool.concurrency_limit.is_some()) {
            pool.active_slots = Some(taken.get(&pool.id).copied().unwrap_or(0));
        }
        Ok(())
    }

    /// Changes what clients may change, and the status with it.
    pub async fn update_work_pool(&mut self, before: WorkPool, update: WorkPoolUpdate) -> Result<()> {
        let mut sql = sql!("UPDATE work_pool SET updated = $1", self.now());
        let status = match update.is_paused.as_ref().value().copied() {
            _ if before.kind == AGENT => None,
            Some(true) => Some(WorkPoolStatus::Paused),
            Some(false) if self.has_online_worker(before.id).await? => Some(WorkPoolStatus::Ready),
            Some(false) => Some(WorkPoolStatus::NotReady),
            None => None,
        };
        if let Some(status) = status {
            sql.push(", status = ").bind(status.as_str());
        }
        if let Some(description) = update.description.change() {
            sql.push(", description = ").bind(description);
        }
        if let Some(paused) = update.is_paused.change() {
            sql.push(", is_paused = ").bind(paused);
        }
        if let Some(template) = update.base_job_template.change() {
            sql.push(", base_job_template = ").bind(template);
        }
        if let Some(limit) = update.concurrency_limit.change() {
            sql.push(", concurrency_limit = ").bind(limit);
        }
        if let Some(storage) = update.storage_configuration.change() {
            sql.push(", storage_configuration = ").bind(storage.map(|storage| Json::from_value(&storage)));
        }
        sql.push(" WHERE id = ").bind(before.id);
        self.execute(&sql).await?;
        let after = self.require_work_pool(before.id).await?;
        let mut changes = Changes::default();
        changes.add("description", &before.description, &after.description);
        changes.add("base_job_template", &before.base_job_template, &after.base_job_template);
        changes.add("concurrency_limit", &before.concurrency_limit, &after.concurrency_limit);
        changes.add("storage_configuration", &before.storage_configuration, &after.storage_configuration);
        if let Some(payload) = changes.payload() {
            self.emit(&about(&after, "updated").payload(payload).at(self.now())).await?;
        }
        if status.is_some() {
            self.emit_pool_status(&after).await?;
        }
        // A raised limit or the end of a pause lets work flow.
        self.wake(Wake::Work { pool: after.id, due: None });
        self.wake(Wake::Pool { pool: after.id });
        Ok(())
    }

    async fn has_online_worker(&mut self, pool: Uuid) -> Result<bool> {
        let online = WorkerStatus::Online.as_str();
        let sql = sql!("SELECT 1 FROM worker WHERE work_pool_id = $1 AND status = $2 LIMIT 1", pool, online);
        Ok(self.optional(&sql, |_| Ok(())).await?.is_some())
    }

    /// Sets the status when it is another, and tells so. Answers whether it was.
    pub async fn set_work_pool_status(&mut self, id: Uuid, status: WorkPoolStatus) -> Result<bool> {
        let sql = sql!(
            "UPDATE work_pool SET status = $1, updated = $2 WHERE id = $3 AND status <> $1",
            status.as_str(),
            self.now(),
            id
        );
        if self.execute(&sql).await? == 0 {
            return Ok(false);
        }
        let pool = self.require_work_pool(id).await?;
        self.emit_pool_status(&pool).await?;
        Ok(true)
    }

    async fn emit_pool_status(&mut self, pool: &WorkPool) -> Result<()> {
        let Some(status) = pool.status else { return Ok(()) };
        let event = ResourceEvent::new(KIND, pool.id, &status.in_event_name());
        let before = self.last_pool_status_event(pool.id).await?;
        let event = event.named(&pool.name).label(TYPE, &pool.kind).follows(before).at(self.now());
        self.emit(&event).await.map(drop)
    }

    /// The event of the status before this one, if it is so young that the two could arrive in the wrong order.
    async fn last_pool_status_event(&mut self, pool: Uuid) -> Result<Option<Uuid>> {
        let sql = sql!(
            "SELECT id FROM event WHERE resource_id = $1 AND occurred > $2 AND event IN \
             ('prefect.work-pool.ready', 'prefect.work-pool.not-ready', 'prefect.work-pool.paused') \
             ORDER BY occurred DESC, id DESC LIMIT 1",
            format!("prefect.work-pool.{pool}"),
            self.now().plus_seconds(-RECENT_STATUS_SECONDS),
        );
        self.optional(&sql, |row| row.next()).await
    }

    /// Deletes a pool with its queues and workers. Its runs and deployments stay, without a queue.
    pub async fn delete_work_pool(&mut self, pool: &WorkPool) -> Result<()> {
        for queue in self.list_work_queues(pool.id, None, i64::MAX, 0).await? {
            self.emit_queue_event(&queue, "deleted").await?;
        }
        self.emit(&about(pool, "deleted").with_all(storage(pool)).at(self.now())).await?;
        self.wake(Wake::Pool { pool: pool.id });
        self.execute(&sql!("DELETE FROM work_pool WHERE id = $1", pool.id)).await.map(drop)
    }
}

/// An event about a pool, by name, type and role.
fn about(pool: &WorkPool, what: &str) -> ResourceEvent {
    let event = ResourceEvent::new(KIND, pool.id, what).named(&pool.name).label(TYPE, &pool.kind);
    event.label("prefect.resource.role", "work-pool")
}

/// What a pool is made of, as related resources.
fn storage(pool: &WorkPool) -> Vec<Resource> {
    let queue = pool.default_queue_id.map(|id| related(format!("prefect.work-queue.{id}"), "default-queue", None));
    let block = pool.storage_configuration.default_result_storage_block_id;
    let block = block.map(|id| related(format!("prefect.block-document.{id}"), "result-storage", None));
    queue.into_iter().chain(block).collect()
}
