//! What blocks mean: checksums and nested schemas, documents with references and secrets, the key that seals them, and the
//! block types that every server has. HTTP is the routes' business, rows are the store's.

pub mod checksum;
pub mod documents;
pub mod key;
pub mod schemas;
pub mod system;

use anyhow::anyhow;
use tidegate_store::{Secrets, Store};

use crate::Settings;

/// Prepares a database for blocks at the start: its key, and the block types of every server.
pub async fn open(store: &Store, settings: &Settings) -> anyhow::Result<Secrets> {
    let secrets = key::open_secrets(store, settings).await?;
    let installed = store.write("system blocks", system::install).await;
    installed.map_err(|error| anyhow!("the system block types cannot be installed: {error:?}"))?;
    Ok(secrets)
}
