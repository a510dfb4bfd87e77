//! The worker's own sign of life, which makes its pool READY. It says nothing about runs: those have leases.

use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use super::Worker;
use crate::infrastructure::Infrastructure;

impl<I: Infrastructure> Worker<I> {
    pub(super) async fn send_heartbeats(&self) {
        let mut ticks = interval(self.options.heartbeat);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once, and the first heartbeat was sent before this loop.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            self.beat().await;
        }
    }

    pub(super) async fn beat(&self) {
        let Worker { options, name, .. } = self;
        let outcome = match self.client.send_worker_heartbeat(&options.pool, name, options.heartbeat).await {
            Ok(()) => "ok",
            Err(error) => {
                warn!(worker.name = name, "heartbeat failed: {error}");
                if error.is_not_found() {
                    self.restore_pool().await;
                }
                "error"
            }
        };
        metrics::counter!(crate::metrics::HEARTBEATS, "outcome" => outcome).increment(1);
    }
}
