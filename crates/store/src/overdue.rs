//! What time has overtaken: late runs, pauses that ended, cancellations that did not. Each list uses an index of its own.

use tidegate_core::{state::State, time::Timestamp};
use uuid::Uuid;

use crate::{Result, Tx, sql};

/// Said beside the state itself: only so does SQLite find the partial index of runs that wait for somebody.
const WAITING: &str = "state_type IN ('PAUSED', 'CANCELLING')";

impl Tx {
    /// Runs named "Scheduled" whose time came `after_seconds` ago or earlier, with that time.
    pub async fn list_late_runs(&mut self, after_seconds: f64, limit: i64) -> Result<Vec<(Uuid, Timestamp)>> {
        let sql = sql!(
            "SELECT id, next_scheduled_start_time FROM flow_run WHERE state_type = 'SCHEDULED' AND state_name = 'Scheduled' \
             AND next_scheduled_start_time <= $1 ORDER BY next_scheduled_start_time LIMIT $2",
            self.now().plus_seconds(-after_seconds),
            limit,
        );
        self.all(&sql, |row| Ok((row.next()?, row.next()?))).await
    }

    /// Paused runs whose timeout has passed.
    pub async fn list_expired_pauses(&mut self, limit: i64) -> Result<Vec<Uuid>> {
        let sql = sql!(format!(
            "SELECT id, state FROM flow_run WHERE {WAITING} AND state_type = 'PAUSED' ORDER BY state_timestamp"
        ));
        let now = self.now();
        let paused = self.all(&sql, |row| Ok((row.next::<Uuid>()?, row.parse_optional::<State>()?))).await?;
        Ok(paused
            .into_iter()
            .filter(|(_, state)| {
                state
                    .as_ref()
                    .and_then(|state| state.state_details.pause_timeout)
                    .is_some_and(|timeout| timeout.at() < now)
            })
            .map(|(id, _)| id)
            .take(limit as usize)
            .collect())
    }

    /// Task runs that go on although their flow run was cancelled within the last `seconds`.
    pub async fn list_task_runs_of_cancelled(&mut self, seconds: f64, limit: i64) -> Result<Vec<Uuid>> {
        let sql = sql!(
            "SELECT task_run.id FROM flow_run JOIN task_run ON task_run.flow_run_id = flow_run.id \
             WHERE flow_run.state_type = 'CANCELLED' AND flow_run.end_time >= $1 \
             AND task_run.state_type NOT IN ('COMPLETED', 'FAILED', 'CANCELLED', 'CRASHED') LIMIT $2",
            self.now().plus_seconds(-seconds),
            limit,
        );
        self.all(&sql, |row| row.next()).await
    }

    /// Sub-flow runs that go on although their parent was cancelled, and whether they have a deployment.
    pub async fn list_children_of_cancelled(&mut self, seconds: f64, limit: i64) -> Result<Vec<(Uuid, bool)>> {
        let sql = sql!(
            "SELECT child.id, child.deployment_id FROM flow_run AS parent \
             JOIN task_run ON task_run.flow_run_id = parent.id JOIN flow_run AS child ON child.parent_task_run_id = task_run.id \
             WHERE parent.state_type = 'CANCELLED' AND parent.end_time >= $1 \
             AND child.state_type NOT IN ('COMPLETED', 'FAILED', 'CANCELLED', 'CRASHED', 'CANCELLING') LIMIT $2",
            self.now().plus_seconds(-seconds),
            limit,
        );
        self.all(&sql, |row| Ok((row.next()?, row.next::<Option<Uuid>>()?.is_some()))).await
    }

    /// Runs that have been CANCELLING for longer than `seconds`.
    pub async fn list_overdue_cancelling(&mut self, seconds: f64, limit: i64) -> Result<Vec<Uuid>> {
        let sql = sql!(
            format!(
                "SELECT id FROM flow_run WHERE {WAITING} AND state_type = 'CANCELLING' AND state_timestamp <= $1 \
                 ORDER BY state_timestamp LIMIT $2"
            ),
            self.now().plus_seconds(-seconds),
            limit,
        );
        self.all(&sql, |row| row.next()).await
    }
}
