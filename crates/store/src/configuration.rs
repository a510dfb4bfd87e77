//! Facts about this installation, by key.

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{Result, Tx, sql, value::json};

impl Tx {
    pub async fn read_configuration<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>> {
        self.optional(&sql!("SELECT value FROM configuration WHERE key = $1", key), |row| row.parse()).await
    }

    /// The facts whose keys begin with `prefix`, which holds no wildcards.
    pub async fn list_configuration<T: DeserializeOwned>(&mut self, prefix: &str) -> Result<Vec<(String, T)>> {
        let sql = sql!("SELECT key, value FROM configuration WHERE key LIKE $1 ORDER BY key", format!("{prefix}%"));
        self.all(&sql, |row| Ok((row.next()?, row.parse()?))).await
    }

    pub async fn write_configuration<T: Serialize>(&mut self, key: &str, value: &T) -> Result<()> {
        self.execute(&sql!(
            "INSERT INTO configuration (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            key,
            json(value)
        ))
        .await
        .map(drop)
    }

    /// What a block document's schema can do; `None` when there is no such document.
    pub async fn read_block_capabilities(&mut self, id: Uuid) -> Result<Option<Vec<String>>> {
        let sql = sql!(
            "SELECT block_schema.capabilities FROM block_document \
             JOIN block_schema ON block_schema.id = block_document.block_schema_id \
             WHERE block_document.id = $1 AND block_document.workspace_id = $2",
            id,
            self.workspace()
        );
        self.optional(&sql, |row| row.next()).await
    }

    pub async fn delete_configuration(&mut self, key: &str) -> Result<()> {
        self.execute(&sql!("DELETE FROM configuration WHERE key = $1", key)).await.map(drop)
    }
}
