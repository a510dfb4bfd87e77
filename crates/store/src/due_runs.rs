//! Due runs: which ones a pool or a queue hands out now, and who holds their slots.

use tidegate_api::{
    flow_runs::{FlowRun, FlowRunSlotSummary},
    work_pools::WorkQueue,
};
use tidegate_core::time::Timestamp;
use uuid::Uuid;

use crate::{Result, Row, Sql, Tx, flow_runs, sql, work_pools::HOLDING};

/// So many queues are asked for due runs with one statement.
const QUEUES_AT_ONCE: usize = 16;

/// The states whose runs hold a slot of a queue that is polled by itself, said so that the partial index is found.
const HOLDING_QUEUE: &str = "flow_run.state_type IN ('PENDING', 'RUNNING', 'CANCELLING', 'PAUSED') \
    AND flow_run.state_type IN ('PENDING', 'RUNNING', 'CANCELLING')";

/// Which due runs are asked for.
#[derive(Clone, Debug)]
pub struct DueRuns<'a> {
    pub pool: Uuid,
    /// All queues of the pool when not given.
    pub queues: Option<&'a [Uuid]>,
    pub before: Option<Timestamp>,
    pub after: Option<Timestamp>,
    pub limit: i64,
}

impl Tx {
    /// The runs that a pool may hand out now, best first: by priority of their queues, then by time. Pauses and limits
    /// of the pool and of each queue are respected. Answers pairs of queue and run.
    pub async fn list_due_flow_runs(&mut self, due: DueRuns<'_>) -> Result<Vec<(Uuid, Uuid)>> {
        let sql = sql!("SELECT is_paused, concurrency_limit FROM work_pool WHERE id = $1", due.pool);
        let pool = self.optional(&sql, |row| Ok((row.next::<bool>()?, row.next::<Option<i64>>()?))).await?;
        let Some((false, pool_limit)) = pool else { return Ok(Vec::new()) };
        let mut sql = sql!(
            "SELECT id, is_paused, concurrency_limit FROM work_queue WHERE work_pool_id = $1 ORDER BY priority, id",
            due.pool
        );
        let queues: Vec<(Uuid, bool, Option<i64>)> =
            self.all(&sql, |row| Ok((row.next()?, row.next()?, row.next()?))).await?;
        let counted: Vec<Uuid> =
            queues.iter().filter(|queue| pool_limit.is_some() || queue.2.is_some()).map(|queue| queue.0).collect();
        let taken = self.count_queue_slots(&counted).await?;
        let pool_free = pool_limit.map_or(i64::MAX, |limit| limit - taken.values().sum::<i64>());
        let mut wanted = due.limit.min(pool_free);
        let asked: Vec<(Uuid, i64)> = queues
            .into_iter()
            .filter(|(id, paused, _)| !paused && due.queues.is_none_or(|asked| asked.contains(id)))
            .map(|(id, _, limit)| (id, limit.map_or(i64::MAX, |limit| limit - taken.get(&id).copied().unwrap_or(0))))
            .filter(|(_, free)| *free > 0)
            .collect();
        let mut found = Vec::new();
        for queues in asked.chunks(QUEUES_AT_ONCE) {
            if wanted <= 0 {
                break;
            }
            sql = Sql::new("SELECT queue, id FROM (");
            for (rank, (queue, free)) in queues.iter().enumerate() {
                sql.push(if rank > 0 { " UNION ALL " } else { "" });
                push_due(&mut sql, *queue, rank, due.before, due.after, wanted.min(*free));
            }
            sql.push(") AS due ORDER BY rank, at, id LIMIT ").bind(wanted);
            let runs: Vec<(Uuid, Uuid)> = self.all(&sql, |row| Ok((row.next()?, row.next()?))).await?;
            wanted -= runs.len() as i64;
            found.extend(runs);
        }
        Ok(found)
    }

    /// The due runs of one queue alone, its pause and limit respected.
    pub async fn list_due_flow_runs_of_queue(
        &mut self,
        queue: &WorkQueue,
        before: Option<Timestamp>,
        limit: i64,
    ) -> Result<Vec<(Uuid, Uuid)>> {
        let free = match queue.concurrency_limit {
            Some(of_queue) => of_queue - self.count_queue_slot_holders(queue.id).await?,
            None => i64::MAX,
        };
        let limit = limit.min(free);
        if queue.is_paused || limit <= 0 {
            return Ok(Vec::new());
        }
        let mut sql = Sql::new("SELECT queue, id FROM (");
        push_due(&mut sql, queue.id, 0, before, None, limit);
        sql.push(") AS due ORDER BY at, id");
        self.all(&sql, |row| Ok((row.next()?, row.next()?))).await
    }

    /// Reads runs in the order of their ids given; what is gone by now is left out.
    pub async fn read_flow_runs_in_order(&mut self, ids: &[Uuid]) -> Result<Vec<FlowRun>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::new("SELECT ");
        sql.push(flow_runs::COLUMNS).push(flow_runs::FROM).push(" WHERE flow_run.workspace_id = ");
        sql.bind(self.workspace()).push(" AND ").push_ids(self.dialect(), "flow_run.id", ids);
        let mut runs = self.all(&sql, flow_runs::flow_run(self.now())).await?;
        let rank = |id: Uuid| ids.iter().position(|other| *other == id);
        runs.sort_by_cached_key(|run| rank(run.id));
        Ok(runs)
    }

    /// Who holds slots of these queues of a pool, at most so many of each; with the queue they hold them of.
    pub async fn list_slot_holders(&mut self, queues: &[Uuid], each: i64) -> Result<Vec<(Uuid, FlowRunSlotSummary)>> {
        if queues.is_empty() || each <= 0 {
            return Ok(Vec::new());
        }
        let mut sql = Sql::new("SELECT * FROM (SELECT ");
        sql.push(HOLDER)
            .push(", row_number() OVER (PARTITION BY work_queue_id ORDER BY id) AS place FROM flow_run WHERE ");
        sql.push(HOLDING).push(" AND ").push_ids(self.dialect(), "work_queue_id", queues);
        sql.push(") AS holder WHERE place <= ").bind(each).push(" ORDER BY id");
        self.all(&sql, holder(self.now())).await
    }

    pub async fn count_queue_slot_holders(&mut self, queue: Uuid) -> Result<i64> {
        let mut sql = Sql::new("SELECT count(*) FROM flow_run WHERE ");
        sql.push(HOLDING_QUEUE).push(" AND work_queue_id = ").bind(queue);
        self.one(&sql, |row| row.next()).await
    }

    /// A page of who holds slots of one queue.
    pub async fn list_queue_slot_holders(
        &mut self,
        queue: Uuid,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<FlowRunSlotSummary>> {
        let mut sql = Sql::new("SELECT ");
        sql.push(HOLDER).push(" FROM flow_run WHERE ").push(HOLDING_QUEUE).push(" AND work_queue_id = ").bind(queue);
        sql.push(" ORDER BY id").push_page(limit, offset);
        Ok(self.all(&sql, holder(self.now())).await?.into_iter().map(|(_, run)| run).collect())
    }

    /// How many runs of a queue are late.
    pub async fn count_late_flow_runs(&mut self, queue: Uuid) -> Result<i64> {
        let sql = sql!(
            "SELECT count(*) FROM flow_run WHERE work_queue_id = $1 AND state_type = 'SCHEDULED' AND state_name = 'Late'",
            queue
        );
        self.one(&sql, |row| row.next()).await
    }
}

const HOLDER: &str = "work_queue_id, id, name, state_type, state_name, start_time, state_timestamp";

fn holder(now: Timestamp) -> impl FnMut(&mut Row<'_>) -> Result<(Uuid, FlowRunSlotSummary)> {
    move |row| {
        let queue = row.next()?;
        let mut run = FlowRunSlotSummary {
            id: row.next()?,
            name: row.next()?,
            state_type: row.next()?,
            state_name: row.next()?,
            start_time: row.next()?,
            state_timestamp: row.next()?,
            time_in_current_state: None,
        };
        run.time_in_current_state = run.state_timestamp.map(|since| now.seconds_since(since));
        Ok((queue, run))
    }
}

/// The first due runs of one queue. A run that waits for a retry in its own process is nobody else's.
fn push_due(sql: &mut Sql, queue: Uuid, rank: usize, before: Option<Timestamp>, after: Option<Timestamp>, limit: i64) {
    sql.push("SELECT * FROM (SELECT work_queue_id AS queue, id, next_scheduled_start_time AS at, ");
    sql.push(&rank.to_string()).push(" AS rank FROM flow_run WHERE state_type = 'SCHEDULED' AND work_queue_id = ");
    sql.bind(queue);
    sql.push(" AND coalesce(empirical_policy ->> 'retry_type', '') <> 'in_process'");
    if let Some(before) = before {
        sql.push(" AND next_scheduled_start_time <= ").bind(before);
    }
    if let Some(after) = after {
        sql.push(" AND next_scheduled_start_time >= ").bind(after);
    }
    // No second key: a thousand runs of one instant would be sorted for the first few.
    sql.push(" ORDER BY next_scheduled_start_time LIMIT ").bind(limit).push(") AS of_queue");
}
