//! What handlers share: the store, the settings and the hubs that wake long polls and sockets.

use std::{ops::Deref, sync::Arc};

use tidegate_store::{Secrets, Store};
use tokio_util::sync::CancellationToken;

use crate::{
    access::Access,
    ingest::Ingest,
    routes::concurrency_limits::waiting::Line,
    services::Board,
    settings::Settings,
    sockets::{
        hubs::{EventHub, LogHub},
        worker_channel::registry::WorkerChannels,
    },
    task_workers::TaskWorkers,
    web::Web,
    webhooks::limits::Limits,
};

/// A handle to what is shared. Every layer of a request takes one, so a copy is one count.
#[derive(Clone)]
pub struct App(Arc<Shared>);

impl App {
    pub fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl Deref for App {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

pub struct Shared {
    pub store: Store,
    pub settings: Arc<Settings>,
    /// What callers must prove; `None` where the API is open.
    pub access: Option<Arc<Access>>,
    /// The web UI, where there is one to serve.
    pub web: Option<Web>,
    /// The key that block documents are sealed with.
    pub secrets: Secrets,
    /// The last report of each background service.
    pub services: Board,
    /// The way in for logs and events.
    pub ingest: Ingest,
    /// Events and logs as they come, for subscribers.
    pub event_hub: EventHub,
    pub log_hub: LogHub,
    /// The workers of background tasks that are connected.
    pub task_workers: TaskWorkers,
    /// The worker channels that are open.
    pub worker_channels: WorkerChannels,
    /// Requests that wait for concurrency slots, in line.
    pub slot_line: Line,
    /// How many requests each webhook may still take.
    pub webhook_limits: Limits,
    /// Cancelled when the server begins to stop: long polls and sockets end on it.
    pub stopping: CancellationToken,
}
