//! What handlers share: the store, the settings and the hubs that wake long polls and sockets.

use std::sync::Arc;

use tidegate_store::Store;
use tokio_util::sync::CancellationToken;

use crate::{services::Board, settings::Settings};

/// Cheap to clone; one for each request.
#[derive(Clone)]
pub struct App {
    pub store: Store,
    pub settings: Arc<Settings>,
    /// The last report of each background service.
    pub services: Board,
    /// Cancelled when the server begins to stop: long polls and sockets end on it.
    pub stopping: CancellationToken,
}
