//! Finished runs that are old enough to go, with their task runs, states, inputs and logs. Artifacts stay: they are versions
//! of what their keys name.

use tidegate_core::time::Timestamp;
use uuid::Uuid;

use crate::{Partitioned, Result, Tx, sql};

const TERMINAL: &str = "('COMPLETED', 'FAILED', 'CANCELLED', 'CRASHED')";

impl Tx {
    /// Deletes up to `limit` flow runs, and as many task runs that belong to none, that ended before `time`. Answers how
    /// many went.
    pub async fn delete_runs_before(&mut self, time: Timestamp, limit: i64) -> Result<u64> {
        let flow_runs = sql!(
            format!(
                "SELECT id FROM flow_run WHERE workspace_id = $1 AND end_time < $2 AND state_type IN {TERMINAL} \
                 ORDER BY end_time LIMIT $3"
            ),
            self.workspace(),
            time,
            limit,
        );
        let flow_runs: Vec<Uuid> = self.all(&flow_runs, |row| row.next()).await?;
        for id in &flow_runs {
            self.delete_flow_run(*id).await?;
        }
        let task_runs = sql!(
            format!(
                "SELECT id FROM task_run WHERE workspace_id = $1 AND end_time < $2 AND state_type IN {TERMINAL} \
                 AND flow_run_id IS NULL ORDER BY end_time LIMIT $3"
            ),
            self.workspace(),
            time,
            limit,
        );
        let task_runs: Vec<Uuid> = self.all(&task_runs, |row| row.next()).await?;
        for id in &task_runs {
            self.delete_partitioned(Partitioned::TaskRunState, &sql!("task_run_id = $1", *id)).await?;
            self.execute(&sql!("DELETE FROM task_run WHERE id = $1", *id)).await?;
        }
        Ok(flow_runs.len().max(task_runs.len()) as u64)
    }
}
