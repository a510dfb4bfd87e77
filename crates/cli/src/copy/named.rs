//! What has a name and refers to nothing: variables, limits, flows.

use serde_json::Value;

use super::side::{Side, only, text};
use super::{Copy, Outcome};

/// Limits that somebody made. Those of deployments come with their deployments.
pub async fn read_limits(source: &Side<'_>) -> anyhow::Result<Vec<Value>> {
    let limits = source.every("/v2/concurrency_limits/filter", &Value::Null).await?;
    let is_own = |limit: &Value| !limit["name"].as_str().is_some_and(|name| name.starts_with("deployment:"));
    Ok(limits.into_iter().filter(is_own).collect())
}

impl Copy<'_> {
    pub(super) async fn variable(&mut self, item: &Value) -> anyhow::Result<Outcome> {
        if let Some(found) = self.target.0.read_variable(text(item, "name")?).await? {
            return Ok(self.keep(item, found.id));
        }
        let mut body = only(item, &["name", "tags"]);
        // Null is a value here.
        body["value"] = item["value"].clone();
        self.create("/variables/", item, &body).await
    }

    pub(super) async fn limit(&mut self, item: &Value) -> anyhow::Result<Outcome> {
        if let Some(found) = self.target.0.read_concurrency_limit(text(item, "name")?).await? {
            return Ok(self.keep(item, found.id));
        }
        let body = only(item, &["name", "limit", "active", "slot_decay_per_second"]);
        self.create("/v2/concurrency_limits/", item, &body).await
    }

    pub(super) async fn flow(&mut self, item: &Value) -> anyhow::Result<Outcome> {
        if let Some(found) = self.target.0.read_flow_by_name(text(item, "name")?).await? {
            return Ok(self.keep(item, found.id));
        }
        self.create("/flows/", item, &only(item, &["name", "tags", "labels"])).await
    }
}
