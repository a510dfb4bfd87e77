//! Heartbeats of flow runs whose process is in nobody else's hands: they keep the run's lease alive and leave no rows.

use uuid::Uuid;

use crate::{Result, Tx, sql};

/// The owner's name of runs that speak for themselves.
pub(crate) const CLIENT: &str = "client";

impl Tx {
    /// Gives running flow runs that sent a heartbeat a lease of so many seconds from now. A run that a worker owns is the
    /// worker's to renew.
    pub async fn renew_client_leases(&mut self, flow_runs: &[Uuid], seconds: f64) -> Result<u64> {
        let deadline = self.now().plus_seconds(seconds);
        let mut count = 0;
        for id in flow_runs {
            count += self
                .execute(&sql!(
                    "UPDATE flow_run SET owner_deadline = $1, owner_name = $2 WHERE id = $3 AND workspace_id = $4 \
                     AND state_type = 'RUNNING' AND (owner_name IS NULL OR owner_name = $2)",
                    deadline,
                    CLIENT,
                    id,
                    self.workspace(),
                ))
                .await?;
        }
        Ok(count)
    }
}
