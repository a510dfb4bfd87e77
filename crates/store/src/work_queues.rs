//! Work queues in the store: rows, priorities and polls. Which due runs they hand out is `due_runs`.

use std::collections::{BTreeSet, HashMap};

use tidegate_api::{
    filters::WorkQueueFilter,
    work_pools::{WorkPoolCreate, WorkQueue, WorkQueueCreate, WorkQueueStatus, WorkQueueUpdate},
};
use tidegate_core::json::Json;
use uuid::Uuid;

use crate::{
    Error, ResourceEvent, Result, Row, Sql, Tx, Wake,
    changes::Changes,
    conditions::push_work_queue,
    related, sql,
    work_pools::{AGENT, HOLDING, TYPE, word},
};

const COLUMNS: &str = "work_queue.id, work_queue.created, work_queue.updated, work_queue.name, work_queue.description, \
    work_queue.is_paused, work_queue.concurrency_limit, work_queue.priority, work_queue.work_pool_id, work_queue.filter, \
    work_queue.last_polled, pool.name, work_queue.status";

/// Queues polled longer ago than this do not count as polled.
const POLL_SECONDS: f64 = 60.0;
/// Polls are noted at most this often; they come every few seconds from every worker.
const POLL_NOTE_SECONDS: f64 = 5.0;

fn queue(row: &mut Row<'_>) -> Result<WorkQueue> {
    Ok(WorkQueue {
        id: row.next()?,
        created: row.next()?,
        updated: row.next()?,
        name: row.next()?,
        description: row.next()?,
        is_paused: row.next()?,
        concurrency_limit: row.next()?,
        priority: row.next()?,
        work_pool_id: row.next()?,
        filter: row.parse_optional()?,
        last_polled: row.next()?,
        work_pool_name: row.next()?,
        status: Some(word("work_queue.status", &row.next::<String>()?)?),
        active_slots: None,
    })
}

/// The pool of queues that were made without one.
const AGENT_POOL: &str = "default-agent-pool";

/// The order of a list of queues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueueOrder {
    Priority,
    Name,
}

impl Tx {
    fn select_work_queues(&self) -> Sql {
        let mut sql = Sql::new("SELECT ");
        sql.push(COLUMNS);
        sql.push(
            " FROM work_queue JOIN work_pool AS pool ON pool.id = work_queue.work_pool_id WHERE pool.workspace_id = ",
        );
        sql.bind(self.workspace());
        sql
    }

    /// Creates a queue in a pool; without a priority it gets the first one that is free. `None` when the name is taken.
    pub async fn create_work_queue(&mut self, pool: Uuid, create: &WorkQueueCreate) -> Result<Option<WorkQueue>> {
        let id = Uuid::now_v7();
        let priority = match create.priority {
            Some(priority) => priority,
            None => self.free_priority(pool).await?,
        };
        let inserted = self
            .execute(&sql!(
                "INSERT INTO work_queue (id, workspace_id, created, updated, work_pool_id, name, description, is_paused, \
                 concurrency_limit, priority, status, filter) \
                 VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, 'NOT_READY', $10) ON CONFLICT DO NOTHING",
                id,
                self.workspace(),
                self.now(),
                pool,
                &create.name,
                create.description.clone().unwrap_or_default(),
                create.is_paused,
                create.concurrency_limit,
                priority,
                create.filter.as_ref().map(Json::from_value),
            ))
            .await?;
        if inserted == 0 {
            return Ok(None);
        }
        if create.priority.is_some() {
            self.settle_priorities(pool, Some(id)).await?;
        }
        let mut queue = self.require_work_queue(id).await?;
        self.emit_queue_event(&queue, "created").await?;
        queue.active_slots = queue.concurrency_limit.map(|_| 0);
        Ok(Some(queue))
    }

    async fn free_priority(&mut self, pool: Uuid) -> Result<i64> {
        let sql = sql!("SELECT priority FROM work_queue WHERE work_pool_id = $1", pool);
        let taken: BTreeSet<i64> = self.all(&sql, |row| row.next()).await?.into_iter().collect();
        // One more than there are is free at the latest.
        Ok((1..=taken.len() as i64 + 1).find(|priority| !taken.contains(priority)).unwrap_or(1))
    }

    /// Makes the priorities of a pool's queues unique with as few changes as possible: `first` keeps its own, whoever
    /// has the same or is in the way moves down.
    async fn settle_priorities(&mut self, pool: Uuid, first: Option<Uuid>) -> Result<()> {
        let sql = sql!(
            "SELECT id, priority FROM work_queue WHERE work_pool_id = $1 \
             ORDER BY priority, CASE WHEN id = $2 THEN 0 ELSE 1 END, id",
            pool,
            first.unwrap_or_default()
        );
        let queues: Vec<(Uuid, i64)> = self.all(&sql, |row| Ok((row.next()?, row.next()?))).await?;
        let mut last = 0;
        for (id, priority) in queues {
            if priority <= last {
                last += 1;
                self.execute(&sql!("UPDATE work_queue SET priority = $1 WHERE id = $2", last, id)).await?;
            } else {
                last = priority;
            }
        }
        Ok(())
    }

    pub async fn read_work_queue(&mut self, id: Uuid) -> Result<Option<WorkQueue>> {
        let mut sql = self.select_work_queues();
        sql.push(" AND work_queue.id = ").bind(id);
        self.optional(&sql, queue).await
    }

    async fn require_work_queue(&mut self, id: Uuid) -> Result<WorkQueue> {
        let queue = self.read_work_queue(id).await?;
        queue.ok_or_else(|| Error::Conflict("the work queue was deleted while it was changed".into()))
    }

    pub async fn read_work_queue_by_name(&mut self, pool_name: &str, name: &str) -> Result<Option<WorkQueue>> {
        let mut sql = self.select_work_queues();
        sql.push(" AND pool.name = ").bind(pool_name).push(" AND work_queue.name = ").bind(name);
        self.optional(&sql, queue).await
    }

    /// The queues of a pool by priority.
    pub async fn list_work_queues(
        &mut self,
        pool: Uuid,
        filter: Option<&WorkQueueFilter>,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<WorkQueue>> {
        self.list_queues(Some(pool), filter, QueueOrder::Priority, limit, offset).await
    }

    /// The queues of one pool or of all.
    pub async fn list_queues(
        &mut self,
        pool: Option<Uuid>,
        filter: Option<&WorkQueueFilter>,
        order: QueueOrder,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<WorkQueue>> {
        let mut sql = self.select_work_queues();
        if let Some(pool) = pool {
            sql.push(" AND work_queue.work_pool_id = ").bind(pool);
        }
        if let Some(filter) = filter {
            sql.push(" AND ");
            push_work_queue(&mut sql, self.dialect(), filter);
        }
        sql.push(match order {
            QueueOrder::Priority => " ORDER BY work_queue.priority, work_queue.id",
            QueueOrder::Name => " ORDER BY work_queue.name, work_queue.id",
        });
        sql.push_page(limit, offset);
        self.all(&sql, queue).await
    }

    pub async fn count_work_queues(&mut self, pool: Uuid) -> Result<i64> {
        self.one(&sql!("SELECT count(*) FROM work_queue WHERE work_pool_id = $1", pool), |row| row.next()).await
    }

    /// The slots taken of each of these queues; queues without are absent.
    pub async fn count_queue_slots(&mut self, queues: &[Uuid]) -> Result<HashMap<Uuid, i64>> {
        if queues.is_empty() {
            return Ok(HashMap::new());
        }
        let mut sql = Sql::new("SELECT flow_run.work_queue_id, count(*) FROM flow_run WHERE ");
        sql.push(HOLDING).push(" AND ").push_ids(self.dialect(), "flow_run.work_queue_id", queues);
        sql.push(" GROUP BY flow_run.work_queue_id");
        Ok(self.all(&sql, |row| Ok((row.next()?, row.next()?))).await?.into_iter().collect())
    }

    /// Fills in the slots taken where there is a limit.
    pub async fn fill_queue_slots(&mut self, queues: &mut [WorkQueue]) -> Result<()> {
        let limited: Vec<Uuid> =
            queues.iter().filter(|queue| queue.concurrency_limit.is_some()).map(|queue| queue.id).collect();
        let taken = self.count_queue_slots(&limited).await?;
        for queue in queues.iter_mut().filter(|queue| queue.concurrency_limit.is_some()) {
            queue.active_slots = Some(taken.get(&queue.id).copied().unwrap_or(0));
        }
        Ok(())
    }

    pub async fn update_work_queue(&mut self, before: WorkQueue, update: WorkQueueUpdate) -> Result<()> {
        let mut sql = sql!("UPDATE work_queue SET updated = $1", self.now());
        let polled = update.last_polled.clone().change().unwrap_or(before.last_polled);
        let status = match (update.is_paused.as_ref().value(), before.status) {
            (Some(true), Some(WorkQueueStatus::Paused)) | (None, _) => None,
            (Some(true), _) => Some(WorkQueueStatus::Paused),
            (Some(false), Some(WorkQueueStatus::Paused)) => {
                let recent = polled.is_some_and(|polled| self.now().seconds_since(polled) <= POLL_SECONDS);
                Some(if recent { WorkQueueStatus::Ready } else { WorkQueueStatus::NotReady })
            }
            (Some(false), _) => None,
        };
        if let Some(status) = status {
            sql.push(", status = ").bind(status.as_str());
        }
        if let Some(name) = update.name.change() {
            sql.push(", name = ").bind(name);
        }
        if let Some(description) = update.description.change() {
            sql.push(", description = ").bind(description);
        }
        if let Some(paused) = update.is_paused.change() {
            sql.push(", is_paused = ").bind(paused);
        }
        if let Some(limit) = update.concurrency_limit.change() {
            sql.push(", concurrency_limit = ").bind(limit);
        }
        let priority = update.priority.change();
        if let Some(priority) = priority {
            sql.push(", priority = ").bind(priority);
        }
        if let Some(polled) = update.last_polled.change() {
            sql.push(", last_polled = ").bind(polled);
        }
        if let Some(filter) = update.filter.change() {
            sql.push(", filter = ").bind(filter.map(|filter| Json::from_value(&filter)));
        }
        sql.push(" WHERE id = ").bind(before.id);
        self.execute(&sql).await?;
        let after = self.require_work_queue(before.id).await?;
        let mut changes = Changes::default();
        changes.add("name", &before.name, &after.name);
        changes.add("description", &before.description, &after.description);
        changes.add("concurrency_limit", &before.concurrency_limit, &after.concurrency_limit);
        changes.add("priority", &before.priority, &after.priority);
        if let Some(payload) = changes.payload() {
            let event = self.queue_event(&after, "updated").await?.payload(payload).at(self.now());
            self.emit(&event).await?;
        }
        if let (Some(_), Some(pool)) = (priority, after.work_pool_id) {
            self.settle_priorities(pool, Some(after.id)).await?;
        }
        if status.is_some() {
            self.emit_queue_status(&after).await?;
        }
        if let Some(pool) = after.work_pool_id {
            self.wake(Wake::Work { pool, due: None });
        }
        Ok(())
    }

    /// Deletes a queue; the ones behind it keep their order.
    pub async fn delete_work_queue(&mut self, queue: &WorkQueue) -> Result<()> {
        self.emit_queue_event(queue, "deleted").await?;
        self.execute(&sql!("DELETE FROM work_queue WHERE id = $1", queue.id)).await?;
        match queue.work_pool_id {
            Some(pool) => self.settle_priorities(pool, None).await,
            None => Ok(()),
        }
    }

    /// An event about a queue, which relates to its pool.
    async fn queue_event(&mut self, queue: &WorkQueue, what: &str) -> Result<ResourceEvent> {
        let event = ResourceEvent::new("prefect.work-queue", queue.id, what).named(&queue.name);
        let event = event.label("prefect.resource.role", "work-queue");
        let Some(id) = queue.work_pool_id else { return Ok(event) };
        let sql = sql!("SELECT name, type FROM work_pool WHERE id = $1", id);
        let pool = self.optional(&sql, |row| Ok((row.next::<String>()?, row.next::<String>()?))).await?;
        Ok(event.with_all(pool.map(|(name, kind)| {
            let mut pool = related(format!("prefect.work-pool.{id}"), "work-pool", Some(&name));
            pool.insert(TYPE.into(), kind);
            pool
        })))
    }

    pub(crate) async fn emit_queue_event(&mut self, queue: &WorkQueue, what: &str) -> Result<()> {
        let event = self.queue_event(queue, what).await?.at(self.now());
        self.emit(&event).await.map(drop)
    }

    async fn emit_queue_status(&mut self, queue: &WorkQueue) -> Result<()> {
        let Some(status) = queue.status else { return Ok(()) };
        self.emit_queue_event(queue, &status.in_event_name()).await
    }

    /// Sets the status of queues and tells so.
    pub async fn set_work_queue_status(&mut self, queues: &[Uuid], status: WorkQueueStatus) -> Result<()> {
        for id in queues {
            let sql = sql!("UPDATE work_queue SET status = $1 WHERE id = $2 AND status <> $1", status.as_str(), id);
            if self.execute(&sql).await? > 0 {
                let queue = self.require_work_queue(*id).await?;
                self.emit_queue_status(&queue).await?;
            }
        }
        Ok(())
    }

    /// Whether a poll of these queues has something to note: the last one is some seconds old or one is not ready.
    pub fn poll_is_news(&self, queues: &[WorkQueue]) -> bool {
        queues.iter().any(|queue| {
            queue.status == Some(WorkQueueStatus::NotReady)
                || queue.last_polled.is_none_or(|polled| self.now().seconds_since(polled) > POLL_NOTE_SECONDS)
        })
    }

    /// Notes that these queues were polled: they and the deployments in them are ready.
    pub async fn record_polls(&mut self, queues: &[Uuid]) -> Result<()> {
        let mut sql = sql!("UPDATE work_queue SET last_polled = $1 WHERE ", self.now());
        sql.push_ids(self.dialect(), "id", queues);
        self.execute(&sql).await?;
        let mut sql = Sql::new("SELECT id FROM work_queue WHERE status = 'NOT_READY' AND ");
        sql.push_ids(self.dialect(), "id", queues);
        let waiting: Vec<Uuid> = self.all(&sql, |row| row.next()).await?;
        self.set_work_queue_status(&waiting, WorkQueueStatus::Ready).await?;
        self.record_deployment_polls(queues).await
    }

    /// The pool of queues that belong to none, made when it is first needed.
    pub async fn ensure_agent_pool(&mut self) -> Result<Uuid> {
        if let Some(id) = self.read_work_pool_id(AGENT_POOL).await? {
            return Ok(id);
        }
        let create = WorkPoolCreate {
            name: AGENT_POOL.into(),
            description: None,
            kind: AGENT.into(),
            base_job_template: Json::empty_object(),
            is_paused: false,
            concurrency_limit: None,
            storage_configuration: None,
        };
        let pool = self.create_work_pool(&create).await?;
        Ok(pool.ok_or_else(|| Error::Conflict("the agents' pool was made while it was looked for".into()))?.id)
    }

    /// The queue of this name in the agents' pool, else in any pool while there is no such pool.
    pub async fn read_agent_queue(&mut self, name: &str) -> Result<Option<WorkQueue>> {
        let pool = self.read_work_pool_id(AGENT_POOL).await?;
        let mut sql = self.select_work_queues();
        sql.push(" AND work_queue.name = ").bind(name);
        if let Some(pool) = pool {
            sql.push(" AND work_queue.work_pool_id = ").bind(pool);
        }
        sql.push(" LIMIT 1");
        self.optional(&sql, queue).await
    }

    /// The queue of this name for what names a queue and no pool; made in the agents' pool when there is none.
    pub async fn ensure_agent_queue(&mut self, name: &str) -> Result<WorkQueue> {
        if let Some(queue) = self.read_agent_queue(name).await? {
            return Ok(queue);
        }
        let pool = self.ensure_agent_pool().await?;
        let create = WorkQueueCreate {
            name: name.to_owned(),
            description: None,
            is_paused: false,
            concurrency_limit: None,
            priority: Some(1),
            filter: None,
        };
        match self.create_work_queue(pool, &create).await? {
            Some(queue) => Ok(queue),
            // The pool's own default queue was made with it.
            None => {
                let queue = self.read_agent_queue(name).await?;
                queue.ok_or_else(|| Error::Conflict("the queue was deleted while it was looked for".into()))
            }
        }
    }
}
