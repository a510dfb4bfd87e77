//! Who holds the slots of a limit, and which runs wait for them.

use tidegate_api::concurrency_limits::{ConcurrencyHolder, ConcurrencyHolderName};
use uuid::Uuid;

use crate::{Result, Tx, Wake, sql};

/// Runs that are told of a slot at once; a limit that was just switched off may have many.
const MOST_AT_ONCE: i64 = 200;

impl Tx {
    /// Who holds slots of a limit, longest first.
    pub async fn list_concurrency_holders(&mut self, limit_id: Uuid) -> Result<Vec<ConcurrencyHolder>> {
        let sql = sql!(
            "SELECT l.id, l.holder_type, l.holder_id, coalesce(flow_run.name, task_run.name), s.slots, l.created, l.expires \
             FROM concurrency_slot AS s JOIN concurrency_lease AS l ON l.id = s.lease_id \
             LEFT JOIN flow_run ON l.holder_type = 'flow_run' AND flow_run.id = l.holder_id \
             LEFT JOIN task_run ON l.holder_type = 'task_run' AND task_run.id = l.holder_id \
             WHERE s.limit_id = $1 AND l.expires > $2 ORDER BY l.created, l.id",
            limit_id,
            self.now(),
        );
        self.all(&sql, |row| {
            let lease_id = row.next()?;
            let (kind, id): (Option<String>, Option<Uuid>) = (row.next()?, row.next()?);
            let name = row.next()?;
            Ok(ConcurrencyHolder {
                lease_id,
                holder: kind.zip(id).map(|(kind, id)| ConcurrencyHolderName { kind, id, name }),
                slots: row.next()?,
                since: row.next()?,
                expires: row.next()?,
            })
        })
        .await
    }

    /// Ends the lease under which somebody holds slots of a limit, with all that it holds. Answers whether there was one.
    pub async fn release_concurrency_holder(&mut self, limit_id: Uuid, lease_id: Uuid) -> Result<bool> {
        let sql = sql!("SELECT 1 FROM concurrency_slot WHERE limit_id = $1 AND lease_id = $2", limit_id, lease_id);
        if self.optional(&sql, |_| Ok(())).await?.is_none() {
            return Ok(false);
        }
        self.release_lease(lease_id).await
    }

    /// Slots of a limit may be free: whoever waits looks again, and the runs that have waited longest for a slot of their
    /// deployment are due now, in the order they came, as many as there are slots. Without this they would wait for the
    /// time they were put off to.
    pub(crate) async fn tell_of_free_slots(&mut self, limit_id: Uuid) -> Result<()> {
        self.wake(Wake::Slots);
        let has_deployments = sql!("SELECT 1 FROM deployment WHERE concurrency_limit_id = $1 LIMIT 1", limit_id);
        if self.optional(&has_deployments, |_| Ok(())).await?.is_none() {
            return Ok(());
        }
        let Some(limit) = self.read_concurrency_limit(limit_id).await? else { return Ok(()) };
        let free = if limit.row.active { limit.row.limit - limit.taken() } else { MOST_AT_ONCE };
        let waiting = sql!(
            "SELECT flow_run.id, flow_run.next_scheduled_start_time <= $2, work_queue.work_pool_id \
             FROM deployment JOIN flow_run ON flow_run.deployment_id = deployment.id \
             LEFT JOIN work_queue ON work_queue.id = flow_run.work_queue_id \
             WHERE deployment.concurrency_limit_id = $1 AND flow_run.state_type = 'SCHEDULED' \
             AND flow_run.state_name = 'AwaitingConcurrencySlot' \
             ORDER BY flow_run.expected_start_time, flow_run.id LIMIT $3",
            limit_id,
            self.now(),
            free.clamp(0, MOST_AT_ONCE),
        );
        let waiting: Vec<(Uuid, Option<bool>, Option<Uuid>)> =
            self.all(&waiting, |row| Ok((row.next()?, row.next()?, row.next()?))).await?;
        for (run, is_due, pool) in waiting {
            if is_due != Some(true) {
                let sql = sql!("UPDATE flow_run SET next_scheduled_start_time = $1 WHERE id = $2", self.now(), run);
                self.execute(&sql).await?;
            }
            if let Some(pool) = pool {
                self.wake(Wake::Work { pool, due: None });
            }
        }
        Ok(())
    }
}
