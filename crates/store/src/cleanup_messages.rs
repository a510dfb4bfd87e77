//! Messages that ask workers to clean up: each is handed to one worker at a time under a lease, again when that worker gives
//! it back or goes silent, and to nobody any more after too many tries.

use tidegate_core::{json::Json, time::Timestamp};
use uuid::Uuid;

use crate::{Dialect, Result, Tx, Wake, heartbeats::CLIENT, sql};

/// Infrastructure of a run that was to be cancelled and did not end in time.
pub const CANCELLING_TIMEOUT: &str = "cancelling_timeout_teardown.v1";

/// Why a message is dead.
pub const TOO_MANY_TRIES: &str = "max_delivery_attempts_reached";

/// How messages are handed out.
#[derive(Clone, Copy, Debug)]
pub struct CleanupPolicy {
    pub lease_seconds: f64,
    pub most_deliveries: i64,
}

/// Where the infrastructure of a run is to be looked for.
#[derive(Clone, Debug)]
pub struct CleanupTarget {
    pub work_pool: Uuid,
    pub work_queue: Uuid,
    pub infrastructure_pid: Option<String>,
}

/// A message that was handed to a worker.
#[derive(Clone, Debug)]
pub struct Reservation {
    pub id: Uuid,
    pub kind: String,
    pub work_queue: Option<Uuid>,
    pub target: Json,
    pub delivery_count: i64,
    pub token: String,
    pub expires: Timestamp,
}

/// What a worker says about a message that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CleanupOperation {
    /// Done.
    Ack,
    /// Somebody else shall try, for this reason.
    Release(String),
    /// It takes longer.
    Renew,
}

/// What became of that, in the words of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanupOutcome {
    pub status: &'static str,
    pub reason: Option<&'static str>,
    /// Of an accepted renewal.
    pub expires: Option<Timestamp>,
}

/// A message in somebody's hands: its pool, the token and its end, and how often it was handed out.
type Held = (Uuid, Option<String>, Option<Timestamp>, i64);

impl CleanupOutcome {
    fn refused(status: &'static str, reason: &'static str) -> Self {
        Self { status, reason: Some(reason), expires: None }
    }

    fn accepted(expires: Option<Timestamp>) -> Self {
        Self { status: "accepted", reason: None, expires }
    }
}

impl Tx {
    /// Where to clean up after a run. `None` where no worker could: the run belongs to no pool, its pool has no workers, or
    /// it has a worker of ours, which ends its processes by itself.
    pub async fn read_cleanup_target(&mut self, flow_run: Uuid) -> Result<Option<CleanupTarget>> {
        let sql = sql!(
            "SELECT work_pool.id, work_queue.id, flow_run.infrastructure_pid FROM flow_run \
             JOIN work_queue ON work_queue.id = flow_run.work_queue_id \
             JOIN work_pool ON work_pool.id = work_queue.work_pool_id \
             WHERE flow_run.id = $1 AND coalesce(flow_run.owner_name, $2) = $2 \
             AND work_pool.type NOT LIKE '%:push' AND work_pool.type NOT LIKE '%:managed'",
            flow_run,
            CLIENT,
        );
        self.optional(&sql, |row| {
            Ok(CleanupTarget { work_pool: row.next()?, work_queue: row.next()?, infrastructure_pid: row.next()? })
        })
        .await
    }

    /// Asks the workers of a pool to end what is left of a run. `message` names this one cause: asked twice, it counts once.
    pub async fn ask_for_cleanup(&mut self, message: Uuid, flow_run: Uuid, target: &CleanupTarget) -> Result<()> {
        let names = serde_json::json!({ "flow_run_id": flow_run, "infrastructure_pid": target.infrastructure_pid });
        self.execute(&sql!(
            "INSERT INTO worker_cleanup_message (id, workspace_id, work_pool_id, work_queue_id, created, kind, target, \
             delivery_count) VALUES ($1, $2, $3, $4, $5, $6, $7, 0) ON CONFLICT DO NOTHING",
            message,
            self.workspace(),
            target.work_pool,
            target.work_queue,
            self.now(),
            CANCELLING_TIMEOUT,
            Json::from_value(&names),
        ))
        .await?;
        self.wake(Wake::Pool { pool: target.work_pool });
        Ok(())
    }

    /// Whether a pool has a message that somebody could take. Costs no write, so that waiting costs none.
    pub async fn has_cleanup_messages(&mut self, pool: Uuid) -> Result<bool> {
        let sql = sql!(
            "SELECT 1 FROM worker_cleanup_message WHERE work_pool_id = $1 AND dead_reason IS NULL \
             AND (expires IS NULL OR expires <= $2) LIMIT 1",
            pool,
            self.now()
        );
        Ok(self.optional(&sql, |_| Ok(())).await?.is_some())
    }

    /// Hands the oldest message of a pool to a worker that knows its kind. Messages of queues that are better left to other
    /// workers are passed over.
    pub async fn reserve_cleanup(
        &mut self,
        pool: Uuid,
        kinds: &[String],
        of_others: &[Uuid],
        policy: CleanupPolicy,
    ) -> Result<Option<Reservation>> {
        loop {
            let mut sql = sql!(
                "SELECT id, kind, work_queue_id, target, delivery_count FROM worker_cleanup_message \
                 WHERE work_pool_id = $1 AND dead_reason IS NULL AND (expires IS NULL OR expires <= $2) AND ",
                pool,
                self.now()
            );
            sql.push_texts(self.dialect(), "kind", kinds);
            if !of_others.is_empty() {
                sql.push(" AND (work_queue_id IS NULL OR NOT ")
                    .push_ids(self.dialect(), "work_queue_id", of_others)
                    .push(")");
            }
            sql.push(" ORDER BY created, id LIMIT 1");
            if self.dialect() == Dialect::Postgres {
                sql.push(" FOR UPDATE SKIP LOCKED");
            }
            let found = self
                .optional(&sql, |row| Ok((row.next()?, row.next()?, row.next()?, row.next()?, row.next::<i64>()?)))
                .await?;
            let Some((id, kind, work_queue, target, deliveries)) = found else { return Ok(None) };
            if deliveries >= policy.most_deliveries {
                self.bury_cleanup(id, None).await?;
                continue;
            }
            let token = Uuid::new_v4().simple().to_string();
            let expires = self.now().plus_seconds(policy.lease_seconds);
            self.execute(&sql!(
                "UPDATE worker_cleanup_message SET delivery_count = $1, token = $2, expires = $3 WHERE id = $4",
                deliveries + 1,
                &token,
                expires,
                id
            ))
            .await?;
            let delivery_count = deliveries + 1;
            return Ok(Some(Reservation { id, kind, work_queue, target, delivery_count, token, expires }));
        }
    }

    /// Does what a worker says about a message, if the message is still in its hands.
    pub async fn settle_cleanup(
        &mut self,
        pool: Uuid,
        id: Uuid,
        token: &str,
        operation: &CleanupOperation,
        policy: CleanupPolicy,
    ) -> Result<CleanupOutcome> {
        let lock = if self.dialect() == Dialect::Postgres { " FOR UPDATE" } else { "" };
        let sql = sql!(
            format!(
                "SELECT work_pool_id, token, expires, delivery_count FROM worker_cleanup_message \
                 WHERE id = $1 AND dead_reason IS NULL{lock}"
            ),
            id
        );
        let found: Option<Held> =
            self.optional(&sql, |row| Ok((row.next()?, row.next()?, row.next()?, row.next()?))).await?;
        let Some((of_pool, held, expires, deliveries)) = found else {
            return Ok(CleanupOutcome::refused("not_found", "message_not_found"));
        };
        if of_pool != pool {
            return Ok(CleanupOutcome::refused("unauthorized", "work_pool_mismatch"));
        }
        let (Some(held), Some(expires)) = (held, expires) else {
            return Ok(CleanupOutcome::refused("not_current", "no_active_reservation"));
        };
        if held != token {
            return Ok(CleanupOutcome::refused("invalid_token", "reservation_token_mismatch"));
        }
        let is_last = deliveries >= policy.most_deliveries;
        let is_over = expires <= self.now();
        if is_last && (is_over || matches!(operation, CleanupOperation::Release(_))) {
            let said = match operation {
                CleanupOperation::Release(reason) if !is_over => Some(reason.as_str()),
                _ => None,
            };
            self.bury_cleanup(id, said).await?;
            return Ok(CleanupOutcome::refused("dead_lettered", TOO_MANY_TRIES));
        }
        if is_over {
            self.free_cleanup(pool, id, None).await?;
            return Ok(CleanupOutcome::refused("expired", "lease_expired"));
        }
        match operation {
            CleanupOperation::Ack => {
                self.execute(&sql!("DELETE FROM worker_cleanup_message WHERE id = $1", id)).await?;
                Ok(CleanupOutcome::accepted(None))
            }
            CleanupOperation::Release(reason) => {
                self.free_cleanup(pool, id, Some(reason)).await?;
                Ok(CleanupOutcome::accepted(None))
            }
            CleanupOperation::Renew => {
                let expires = self.now().plus_seconds(policy.lease_seconds);
                let sql = sql!("UPDATE worker_cleanup_message SET expires = $1 WHERE id = $2", expires, id);
                self.execute(&sql).await?;
                Ok(CleanupOutcome::accepted(Some(expires)))
            }
        }
    }

    async fn free_cleanup(&mut self, pool: Uuid, id: Uuid, said: Option<&str>) -> Result<()> {
        self.execute(&sql!(
            "UPDATE worker_cleanup_message SET token = NULL, expires = NULL, release_reason = $1 WHERE id = $2",
            said,
            id
        ))
        .await?;
        self.wake(Wake::Pool { pool });
        Ok(())
    }

    async fn bury_cleanup(&mut self, id: Uuid, said: Option<&str>) -> Result<()> {
        self.execute(&sql!(
            "UPDATE worker_cleanup_message SET dead_reason = $1, release_reason = coalesce($2, release_reason), token = NULL, \
             expires = NULL WHERE id = $3",
            TOO_MANY_TRIES,
            said,
            id
        ))
        .await
        .map(drop)
    }

    /// Deletes messages that are older than anything worth cleaning up. Answers how many went.
    pub async fn delete_cleanup_messages_before(&mut self, time: Timestamp) -> Result<u64> {
        self.execute(&sql!("DELETE FROM worker_cleanup_message WHERE created < $1", time)).await
    }
}
