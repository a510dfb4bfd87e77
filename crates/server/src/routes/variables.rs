//! Variables over HTTP, by id and by name.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use tidegate_api::{
    filters::VariableFilter,
    variables::{Variable, VariableCreate, VariableSort, VariableUpdate},
};
use tidegate_store::{Store, Tx, VariableKey};

use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Db, Id},
    router::Routes,
};

pub fn routes(routes: Routes) -> Routes {
    routes
        .post("/variables/", create)
        .get("/variables/{id}", read)
        .patch("/variables/{id}", update)
        .delete("/variables/{id}", delete)
        .get("/variables/name/{name}", read_by_name)
        .patch("/variables/name/{name}", update_by_name)
        .delete("/variables/name/{name}", delete_by_name)
        .post("/variables/filter", filter)
        .post("/variables/count", count)
}

async fn create(Db(store): Db, Body(body): Body<VariableCreate>) -> Result<(StatusCode, Json<Variable>), ApiError> {
    let variable = store
        .write(body.name.clone(), async move |tx: &mut Tx| {
            let taken = || ApiError::conflict(format!("A variable with the name '{}' already exists.", body.name));
            tx.create_variable(&body).await?.ok_or_else(taken)
        })
        .await?;
    Ok((StatusCode::CREATED, Json(variable)))
}

async fn read(Db(store): Db, Id(id): Id) -> Result<Json<Variable>, ApiError> {
    read_one(&store, VariableKey::Id(id)).await
}

async fn read_by_name(Db(store): Db, Path(name): Path<String>) -> Result<Json<Variable>, ApiError> {
    read_one(&store, VariableKey::Name(name)).await
}

async fn read_one(store: &Store, key: VariableKey) -> Result<Json<Variable>, ApiError> {
    store.read(async move |tx: &mut Tx| tx.read_variable(&key).await?.map(Json).ok_or_else(absent)).await
}

async fn update(Db(store): Db, Id(id): Id, Body(body): Body<VariableUpdate>) -> Result<StatusCode, ApiError> {
    update_one(&store, id.to_string(), VariableKey::Id(id), body).await
}

async fn update_by_name(
    Db(store): Db,
    Path(name): Path<String>,
    Body(body): Body<VariableUpdate>,
) -> Result<StatusCode, ApiError> {
    update_one(&store, name.clone(), VariableKey::Name(name), body).await
}

async fn update_one(
    store: &Store,
    order: String,
    key: VariableKey,
    body: VariableUpdate,
) -> Result<StatusCode, ApiError> {
    let known = store
        .write(order, async move |tx: &mut Tx| tx.update_variable(&key, body.clone()).await.map_err(ApiError::from))
        .await?;
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(absent()) }
}

async fn delete(Db(store): Db, Id(id): Id) -> Result<StatusCode, ApiError> {
    delete_one(&store, id.to_string(), VariableKey::Id(id)).await
}

async fn delete_by_name(Db(store): Db, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    delete_one(&store, name.clone(), VariableKey::Name(name)).await
}

async fn delete_one(store: &Store, order: String, key: VariableKey) -> Result<StatusCode, ApiError> {
    let known =
        store.write(order, async move |tx: &mut Tx| tx.delete_variable(&key).await.map_err(ApiError::from)).await?;
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(absent()) }
}

#[derive(Clone, Deserialize)]
struct Request {
    variables: Option<VariableFilter>,
    sort: Option<VariableSort>,
    limit: Option<i64>,
    offset: Option<i64>,
}

async fn filter(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<Request>,
) -> Result<Json<Vec<Variable>>, ApiError> {
    let (limit, offset) = (app.limit(body.limit)?, body.offset.unwrap_or(0));
    let sort = body.sort.unwrap_or(VariableSort::NameAsc);
    let filter = body.variables;
    Ok(Json(store.read(async move |tx: &mut Tx| tx.list_variables(filter.as_ref(), sort, limit, offset).await).await?))
}

async fn count(Db(store): Db, Body(body): Body<Request>) -> Result<Json<i64>, ApiError> {
    Ok(Json(store.read(async move |tx: &mut Tx| tx.count_variables(body.variables.as_ref()).await).await?))
}

fn absent() -> ApiError {
    ApiError::not_found("Variable not found.")
}
