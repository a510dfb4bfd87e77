//! The server itself: is it there, is it ready, which version, and is it ours.

use serde::Deserialize;

use crate::{Client, Method, Result};

/// What a Tidegate server says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TidegateVersion {
    pub version: String,
    pub api: String,
}

impl Client {
    /// Whether the server answers requests. An error says why not.
    pub async fn health(&self) -> Result<()> {
        self.request(Method::GET, "/health", None).await.map(drop)
    }

    /// Whether the server is ready to work (its database answers).
    pub async fn ready(&self) -> Result<()> {
        self.request(Method::GET, "/ready", None).await.map(drop)
    }

    /// The version of Prefect that the server is, or stands for.
    pub async fn read_version(&self) -> Result<String> {
        self.get("/admin/version").await
    }

    /// `None` when the server is not a Tidegate server.
    pub async fn read_tidegate_version(&self) -> Result<Option<TidegateVersion>> {
        self.find("/tidegate/version").await
    }
}
