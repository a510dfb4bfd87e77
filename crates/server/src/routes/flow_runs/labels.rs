//! Labels of a flow run: merged into what is there.

use axum::http::StatusCode;
use serde_json::{Map, Value};
use tidegate_core::json::Json;
use tidegate_store::Tx;

use super::set_state::not_found;
use crate::{
    error::ApiError,
    extract::{Body, Db, Id},
};

pub async fn update(Db(store): Db, Id(id): Id, Body(body): Body<Map<String, Value>>) -> Result<StatusCode, ApiError> {
    store
        .write(id, async move |tx: &mut Tx| {
            let run = tx.read_flow_run(id).await?.ok_or_else(|| not_found(id))?;
            let mut labels: Map<String, Value> = run.labels.parse().unwrap_or_default();
            labels.extend(body.clone());
            tx.set_flow_run_labels(id, &Json::from_value(&labels)).await?;
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}
