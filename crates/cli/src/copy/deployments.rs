//! Deployments with their schedules and limits.

use anyhow::bail;
use serde_json::{Value, json};

use super::side::{only, text};
use super::{Copy, Outcome};

/// What is taken over as it is, but for the ids within.
const FIELDS: [&str; 17] = [
    "name",
    "paused",
    "concurrency_options",
    "parameters",
    "tags",
    "labels",
    "pull_steps",
    "work_queue_name",
    "work_pool_name",
    "storage_document_id",
    "infrastructure_document_id",
    "description",
    "path",
    "version",
    "entrypoint",
    "job_variables",
    "parameter_openapi_schema",
];

impl Copy<'_> {
    pub(super) async fn deployment(&mut self, item: &Value) -> anyhow::Result<Outcome> {
        let Some(flow_id) = self.ids.of(&item["flow_id"]) else { bail!("its flow was not copied") };
        let flow = self.target.0.read_flow(flow_id).await?;
        let flow = flow.map(|flow| flow.name).unwrap_or_default();
        if let Some(found) = self.target.0.read_deployment_by_name(&flow, text(item, "name")?).await? {
            return Ok(self.keep(item, found.id));
        }
        for block in ["storage_document_id", "infrastructure_document_id"] {
            if item[block].is_string() && self.ids.of(&item[block]).is_none() {
                bail!("a block that it uses was not copied");
            }
        }
        let mut body = self.ids.translated(&only(item, &FIELDS));
        body["flow_id"] = json!(flow_id);
        body["enforce_parameter_schema"] = json!(item["enforce_parameter_schema"] == Value::Bool(true));
        let schedules = item["schedules"].as_array().into_iter().flatten();
        let schedule = |schedule| only(schedule, &["schedule", "active", "max_scheduled_runs", "parameters", "slug"]);
        body["schedules"] = schedules.map(schedule).collect();
        let limit = &item["global_concurrency_limit"];
        match self.ids.of(&limit["id"]) {
            // One that several deployments share.
            Some(id) => body["global_concurrency_limit_id"] = json!(id),
            None if limit["limit"].is_i64() => body["concurrency_limit"] = limit["limit"].clone(),
            None => {}
        }
        if self.options.pause_deployments {
            body["paused"] = json!(true);
        }
        self.create("/deployments/", item, &body).await
    }
}
