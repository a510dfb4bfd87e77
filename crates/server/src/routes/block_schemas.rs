//! Block schemas over HTTP.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use tidegate_api::{
    blocks::{BlockSchema, BlockSchemaCreate},
    filters::BlockSchemaFilter,
};
use tidegate_store::Tx;

use crate::{
    App,
    answer::Json,
    blocks::schemas::{self, Registered},
    error::ApiError,
    extract::{Body, Db, Id, Params},
    router::Routes,
};

pub fn routes(routes: Routes) -> Routes {
    routes
        .post("/block_schemas/", create)
        .get("/block_schemas/{id}", read)
        .delete("/block_schemas/{id}", delete)
        .get("/block_schemas/checksum/{checksum}", read_by_checksum)
        .post("/block_schemas/filter", filter)
}

#[derive(Deserialize)]
struct Request {
    block_schemas: Option<BlockSchemaFilter>,
    limit: Option<i64>,
    offset: Option<i64>,
}

#[derive(Deserialize)]
struct OfVersion {
    version: Option<String>,
}

/// Registers a schema: 201 when it is new, else 200.
async fn create(
    Db(store): Db,
    Body(body): Body<BlockSchemaCreate>,
) -> Result<(StatusCode, Json<BlockSchema>), ApiError> {
    let (schema, registered) =
        store.write(body.block_type_id, async move |tx: &mut Tx| schemas::register(tx, &body).await).await?;
    let status = match registered {
        Registered::Now => StatusCode::CREATED,
        Registered::Before => StatusCode::OK,
    };
    Ok((status, Json(schema)))
}

async fn read(Db(store): Db, Id(id): Id) -> Result<Json<BlockSchema>, ApiError> {
    store.read(async move |tx: &mut Tx| tx.read_block_schema(id).await?.map(Json).ok_or_else(absent)).await
}

async fn read_by_checksum(
    Db(store): Db,
    Path(checksum): Path<String>,
    Params(of): Params<OfVersion>,
) -> Result<Json<BlockSchema>, ApiError> {
    store
        .read(async move |tx: &mut Tx| {
            let found = tx.read_block_schema_by_checksum(&checksum, of.version.as_deref()).await?;
            found.map(Json).ok_or_else(absent)
        })
        .await
}

async fn delete(Db(store): Db, Id(id): Id) -> Result<StatusCode, ApiError> {
    store
        .write(id, async move |tx: &mut Tx| {
            let known = tx.read_block_schema(id).await?.ok_or_else(absent)?;
            if known.block_type.is_some_and(|kind| kind.is_protected) {
                return Err(ApiError::forbidden("Block schemas for protected block types cannot be deleted."));
            }
            tx.delete_block_schema(id).await?;
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

async fn filter(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<Request>,
) -> Result<Json<Vec<BlockSchema>>, ApiError> {
    let (limit, offset) = (app.limit(body.limit)?, body.offset.unwrap_or(0));
    let schemas = store
        .read(async move |tx: &mut Tx| tx.list_block_schemas(body.block_schemas.as_ref(), limit, offset).await)
        .await?;
    Ok(Json(schemas))
}

fn absent() -> ApiError {
    ApiError::not_found("Block schema not found")
}
