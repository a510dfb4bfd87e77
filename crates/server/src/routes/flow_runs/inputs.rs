//! Inputs of flow runs over HTTP.

use axum::{
    extract::Path,
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde::Deserialize;
use tidegate_api::flow_runs::FlowRunInput;
use tidegate_store::Tx;

use crate::{
    answer::Json,
    error::ApiError,
    extract::{Body, Db, Id},
};

#[derive(Deserialize)]
pub struct Create {
    key: String,
    value: String,
    sender: Option<String>,
}

pub async fn create(Db(store): Db, Id(id): Id, Body(body): Body<Create>) -> Result<(StatusCode, Json<()>), ApiError> {
    store
        .write(id, async move |tx: &mut Tx| {
            if tx.read_flow_run(id).await?.is_none() {
                return Err(ApiError::not_found("Flow run not found"));
            }
            if tx.create_flow_run_input(id, &body.key, &body.value, body.sender.as_deref()).await? {
                Ok((StatusCode::CREATED, Json(())))
            } else {
                Err(ApiError::conflict("A flow run input with this key already exists."))
            }
        })
        .await
}

#[derive(Deserialize)]
pub struct Filter {
    prefix: String,
    #[serde(default = "one")]
    limit: i64,
    #[serde(default)]
    exclude_keys: Vec<String>,
}

fn one() -> i64 {
    1
}

pub async fn filter(Db(store): Db, Id(id): Id, Body(body): Body<Filter>) -> Result<Json<Vec<FlowRunInput>>, ApiError> {
    let inputs = store
        .read(async move |tx: &mut Tx| tx.list_flow_run_inputs(id, &body.prefix, &body.exclude_keys, body.limit).await)
        .await?;
    Ok(Json(inputs))
}

/// The value as it was sent, as plain text.
pub async fn read(
    Db(store): Db,
    Id(id): Id,
    Path((_, key)): Path<(String, String)>,
) -> Result<impl IntoResponse, ApiError> {
    let input = store.read(async move |tx: &mut Tx| tx.read_flow_run_input(id, &key).await).await?;
    let input = input.ok_or_else(absent)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], input.value))
}

pub async fn delete(Db(store): Db, Id(id): Id, Path((_, key)): Path<(String, String)>) -> Result<StatusCode, ApiError> {
    let known = store.write(id, async move |tx: &mut Tx| tx.delete_flow_run_input(id, &key).await).await?;
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(absent()) }
}

fn absent() -> ApiError {
    ApiError::not_found("Flow run input not found")
}
