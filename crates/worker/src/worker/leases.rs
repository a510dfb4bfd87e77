//! The loop that tells a Tidegate server which runs are alive, and learns which are not ours any more.

use tidegate_api::orchestration::{OwnedRun, RenewRequest};
use tidegate_core::state::StateType;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;
use uuid::Uuid;

use super::Worker;
use crate::{
    infrastructure::Infrastructure,
    runs::{Group, Order},
};

/// Renewals per lease: two may fail before the third is too late.
const RENEWALS_PER_LEASE: u32 = 3;

impl<I: Infrastructure> Worker<I> {
    pub(super) async fn renew_leases(&self) {
        let mut ticks = interval(self.options.lease / RENEWALS_PER_LEASE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                // That they came here is what the server waits to hear.
                () = self.claimed.notified() => {}
            }
            self.renew().await;
        }
    }

    async fn renew(&self) {
        for (group, runs) in self.runs.owned() {
            self.renew_group(group, runs).await;
        }
    }

    async fn renew_group(&self, group: Group, runs: Vec<OwnedRun>) {
        let lasting = I::OUTLIVES.filter(|_| group.is_started).unwrap_or_default();
        let lease_seconds = Some(self.options.lease.max(lasting).as_secs_f64());
        let worker_name = group.owner.unwrap_or_else(|| self.name.clone());
        let request = RenewRequest { worker_name, lease_seconds, runs };
        match self.client.renew_leases(&self.options.pool, &request).await {
            Ok(answer) => {
                for id in answer.lost {
                    self.lose(id, token_of(&request, id)).await;
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

impl<I: Infrastructure> Worker<I> {
    /// A lease that cannot be renewed: the run is over, which its process will know by itself, or it is another's now.
    async fn lose(&self, id: Uuid, token: Option<i64>) {
        let Some(wanted) = self.runs.wanted(id).filter(|wanted| *wanted < Order::Over) else { return };
        let run = self.client.read_flow_run(id).await;
        let order = match run.ok().flatten().and_then(|run| run.state_type) {
            // A cancelled process has been given its own time to end.
            Some(state) if state.is_terminal() && wanted == Order::Cancel => return,
            Some(StateType::Completed | StateType::Failed) => Order::Over,
            Some(StateType::Cancelled | StateType::Crashed) => Order::Outlived,
            _ => Order::Lose,
        };
        if self.runs.order(id, token, order) && order == Order::Lose {
            metrics::counter!(crate::metrics::LEASES_LOST).increment(1);
            warn!(flow_run.id = %id, "flow run {id} is not this worker's any more");
        }
    }
}

fn token_of(request: &RenewRequest, id: Uuid) -> Option<i64> {
    request.runs.iter().find(|run| run.flow_run_id == id).map(|run| run.token)
}
