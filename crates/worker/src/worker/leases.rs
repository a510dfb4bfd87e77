//! The loop that tells a Tidegate server which runs are alive, and learns which are not ours any more.

use tidegate_api::orchestration::RenewRequest;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use super::Worker;
use crate::{infrastructure::Infrastructure, runs::Order};

/// Renewals per lease: two may fail before the third is too late.
const RENEWALS_PER_LEASE: u32 = 3;

impl<I: Infrastructure> Worker<I> {
    pub(super) async fn renew_leases(&self) {
        let mut ticks = interval(self.options.lease / RENEWALS_PER_LEASE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.renew().await;
        }
    }

    async fn renew(&self) {
        let runs = self.runs.owned();
        if runs.is_empty() {
            return;
        }
        let lease_seconds = Some(self.options.lease.as_secs_f64());
        let request = RenewRequest { worker_name: self.name.clone(), lease_seconds, runs };
        match self.client.renew_leases(&self.options.pool, &request).await {
            Ok(answer) => {
                for id in answer.lost {
                    if self.runs.order(id, token_of(&request, id), Order::Lose) {
                        metrics::counter!(crate::metrics::LEASES_LOST).increment(1);
                        warn!(flow_run.id = %id, "flow run {id} is not this worker's any more, or is over");
                    }
                }
                for id in answer.cancelling {
                    self.runs.order(id, token_of(&request, id), Order::Cancel);
                }
            }
            // The fence keeps a run that we lose meanwhile from doing harm; the next renewal will tell.
            Err(error) => {
                metrics::counter!(crate::metrics::RENEWAL_ERRORS).increment(1);
                warn!(runs = request.runs.len(), "renewing leases failed: {error}");
            }
        }
    }
}

fn token_of(request: &RenewRequest, id: uuid::Uuid) -> Option<i64> {
    request.runs.iter().find(|run| run.flow_run_id == id).map(|run| run.token)
}
