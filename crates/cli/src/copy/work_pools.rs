//! Work pools and their queues.

use serde_json::Value;

use super::side::{Side, only, text};
use super::{Copy, Outcome};

/// The queues of all pools, each after those that come before it.
pub async fn read_queues(source: &Side<'_>) -> anyhow::Result<Vec<Value>> {
    let mut queues = source.every("/work_queues/filter", &Value::Null).await?;
    // Queues without a pool are of a time before pools.
    queues.retain(|queue| queue["work_pool_name"].is_string());
    queues.sort_by_key(|queue| (queue["work_pool_name"].to_string(), queue["priority"].as_i64()));
    Ok(queues)
}

impl Copy<'_> {
    pub(super) async fn work_pool(&mut self, item: &Value) -> anyhow::Result<Outcome> {
        if let Some(found) = self.target.0.read_work_pool(text(item, "name")?).await? {
            return Ok(self.keep(item, found.id));
        }
        let fields = ["name", "type", "description", "base_job_template", "is_paused", "concurrency_limit"];
        let mut body = only(item, &fields);
        let says_something =
            |value: &Value| value.as_object().is_some_and(|fields| !fields.values().all(Value::is_null));
        if says_something(&item["storage_configuration"]) {
            body["storage_configuration"] = only(
                &item["storage_configuration"],
                &["bundle_upload_step", "bundle_execution_step", "default_result_storage_block_id"],
            );
        }
        // Noted before it is so: whoever is interrupted in between finds a pool that is there, and knows that it is a copy.
        self.ledger.put(&item["id"])?;
        self.create("/work_pools/", item, &self.ids.translated(&body)).await
    }

    /// A pool has a default queue from the start: of a pool that was copied it is set to what it is at the source, once.
    pub(super) async fn work_queue(&mut self, item: &Value) -> anyhow::Result<Outcome> {
        let (pool, name) = (text(item, "work_pool_name")?, text(item, "name")?);
        let mut body = only(item, &["description", "is_paused", "concurrency_limit", "priority"]);
        if let Some(found) = self.target.0.read_work_queue_by_name(pool, name).await? {
            let kept = self.keep(item, found.id);
            let is_of_copy = self.ledger.has(&item["work_pool_id"]) && !self.ledger.has(&item["id"]);
            if name != "default" || !is_of_copy {
                return Ok(kept);
            }
            self.target.patch(&format!("/work_queues/{}", found.id), &body).await?;
            self.ledger.put(&item["id"])?;
            return Ok(Outcome::Copied);
        }
        anyhow::ensure!(self.target.0.read_work_pool(pool).await?.is_some(), "its work pool was not copied");
        body["name"] = item["name"].clone();
        let created = self.target.0.create_work_queue(pool, &serde_json::from_value(body)?).await?;
        self.keep(item, created.id);
        Ok(Outcome::Copied)
    }
}
