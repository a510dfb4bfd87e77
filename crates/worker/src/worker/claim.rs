//! The loop that hangs at a Tidegate server: a run that becomes due comes back at once and is ours already, and so does
//! the word that a run of ours is to be cancelled.

use std::{sync::Arc, time::Duration};

use tidegate_api::orchestration::ClaimRequest;
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::{FIRST_RETRY, LAST_RETRY, Worker};
use crate::{infrastructure::Infrastructure, runs::Order};

/// An answer that comes at once and brings nothing must not make us ask at once again.
const EMPTY_PAUSE: Duration = Duration::from_millis(250);

impl<I: Infrastructure> Worker<I> {
    /// Claims until it is dropped. While the worker drains it listens for cancellations only.
    pub(super) async fn claim_runs(self: &Arc<Self>) {
        let mut retry = FIRST_RETRY;
        loop {
            let free = self.free();
            let began = Instant::now();
            let claimed = tokio::select! {
                claimed = self.claim(self.options.claim_wait.as_secs_f64()) => claimed,
                // Only a wait that cannot bring runs is given up for a free place: an answer on its way may hold some.
                () = self.runs.until(|_| self.free() > 0), if free == 0 && !self.draining.is_cancelled() => continue,
                () = self.draining.cancelled(), if free > 0 => continue,
            };
            match claimed {
                Ok(brought) => {
                    retry = FIRST_RETRY;
                    if brought == 0 && began.elapsed() < EMPTY_PAUSE {
                        sleep(EMPTY_PAUSE).await;
                    }
                }
                Err(error) => {
                    warn!(worker.name = self.name, "claiming runs failed: {error}");
                    if error.is_not_found() {
                        self.restore_pool().await;
                    }
                    sleep(retry).await;
                    retry = (retry * 2).min(LAST_RETRY);
                }
            }
        }
    }

    /// One claim; answers how many runs and new cancellations it brought.
    pub(super) async fn claim(self: &Arc<Self>, wait_seconds: f64) -> tidegate_client::Result<usize> {
        let request = ClaimRequest {
            worker_name: self.name.clone(),
            work_queue_names: self.work_queues(),
            limit: self.free() as i64,
            wait_seconds,
            lease_seconds: Some(self.options.lease.as_secs_f64()),
            acknowledges: true,
        };
        let claimed = self.client.claim_flow_runs(&self.options.pool, &request).await?;
        self.health.note();
        let mut brought = claimed.runs.len();
        for run in claimed.cancelling {
            brought += usize::from(self.runs.order(run.flow_run_id, Some(run.token), Order::Cancel));
        }
        for run in claimed.runs {
            self.take(run.flow_run, run.owner.attempt, Some(run.owner.token), "claim");
            self.claimed.notify_one();
        }
        Ok(brought)
    }
}
