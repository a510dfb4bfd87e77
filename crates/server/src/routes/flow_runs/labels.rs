//! Labels of a flow run: merged into what is there.

use axum::http::StatusCode;
use tidegate_core::json::Json;
use tidegate_store::Tx;

use super::set_state::not_found;
use crate::{
    error::ApiError,
    extract::{Body, Db, Id},
};

pub async fn update(Db(store): Db, Id(id): Id, Body(body): Body<Json>) -> Result<StatusCode, ApiError> {
    store
        .write(id, async move |tx: &mut Tx| {
            let run = tx.read_flow_run(id).await?.ok_or_else(|| not_found(id))?;
            tx.set_flow_run_labels(id, &run.labels.merged(&body)).await?;
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}
