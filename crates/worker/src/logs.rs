//! The worker's own words in runs' logs.

use std::{future::Future, sync::Arc};

use tidegate_api::logs::LogCreate;
use tidegate_client::Client;
use tidegate_core::time::Timestamp;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::outbox::{Outbox, Record};

pub(crate) const WORKER: &str = "tidegate.worker";

/// Levels of log records, as Python's logging has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Info = 20,
    Warning = 30,
    Error = 40,
}

impl Record for LogCreate {
    const NAME: &'static str = "the runs' log records";
    const DROPPED: &'static str = crate::metrics::LINES_DROPPED;

    fn send(client: &Client, batch: &[Self]) -> impl Future<Output = tidegate_client::Result<()>> + Send {
        client.create_logs(batch)
    }
}

/// Where records are handed in.
#[derive(Clone)]
pub(crate) struct Logs {
    outbox: Outbox<LogCreate>,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Logs {
    pub(crate) fn spawn(client: Client, now: Arc<dyn Fn() -> Timestamp + Send + Sync>, tasks: &TaskTracker) -> Self {
        Self { outbox: Outbox::spawn(client, tasks), now }
    }

    pub(crate) fn write(&self, flow_run_id: Uuid, name: &str, level: Level, message: impl Into<String>) {
        self.outbox.push(LogCreate {
            name: name.to_owned(),
            level: level as i64,
            message: message.into(),
            timestamp: (self.now)(),
            flow_run_id: Some(flow_run_id),
            task_run_id: None,
        });
    }

    /// Waits until everything written before has been sent, or given up.
    pub(crate) async fn flush(&self) {
        self.outbox.flush().await;
    }
}
