//! Automations in the store: so far only that those of a resource go with it.

use crate::{Result, Tx, sql};

impl Tx {
    /// Deletes the automations that belong to a resource, such as a deployment. How many there were.
    pub async fn delete_automations_owned_by(&mut self, resource: &str) -> Result<u64> {
        let sql =
            sql!("DELETE FROM automation WHERE owner_resource = $1 AND workspace_id = $2", resource, self.workspace(),);
        self.execute(&sql).await
    }
}
