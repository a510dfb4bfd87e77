//! The job template that a new pool of a type starts with, as the server's collection of worker types has it.

use serde_json::Value;
use tidegate_client::{Client, Method};

use crate::failure::Failure;

const VIEW: &str = "/collections/views/aggregate-worker-metadata";

pub(super) async fn of_type(client: &Client, kind: &str) -> anyhow::Result<Value> {
    let collections: Value = client.request(Method::GET, VIEW, None).await?.json()?;
    let types = || {
        collections
            .as_object()
            .into_iter()
            .flat_map(|all| all.values())
            .filter_map(Value::as_object)
            .flat_map(|workers| workers.iter())
    };
    if let Some((_, worker)) = types().find(|(_, worker)| worker["type"] == *kind) {
        return Ok(worker["default_base_job_configuration"].clone());
    }
    let mut names: Vec<&str> = types().filter_map(|(_, worker)| worker["type"].as_str()).collect();
    names.sort_unstable();
    names.dedup();
    Err(Failure::new(format!("there is no worker type `{kind}`"))
        .hint(format!("there are: {}", names.join(", ")))
        .into())
}
