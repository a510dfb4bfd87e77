//! Marks who fell silent: workers without heartbeats, and pools, queues and deployments that nobody serves.

use tidegate_store::{Patience, Tx};

use super::{Report, Service};
use crate::App;

pub struct Foreman;

impl Service for Foreman {
    const NAME: &'static str = "foreman";

    async fn activate(&mut self, app: &App) -> anyhow::Result<Report> {
        let settings = &app.settings.services;
        let patience = Patience {
            worker_intervals: settings.foreman_heartbeat_multiple,
            worker_interval: settings.foreman_fallback_heartbeat_seconds,
            queue: settings.foreman_queue_timeout_seconds,
            deployment: settings.foreman_deployment_timeout_seconds,
        };
        let silence = app.store.write("foreman", async move |tx: &mut Tx| tx.mark_silent(patience).await).await?;
        let items = silence.workers_offline
            + silence.pools_not_ready
            + silence.queues_not_ready
            + silence.deployments_not_ready;
        Ok(Report::items(items))
    }
}
