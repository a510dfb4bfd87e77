//! Saved searches over HTTP.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use tidegate_api::saved_searches::{SavedSearch, SavedSearchCreate};
use tidegate_store::Tx;

use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Db, Id},
    router::Routes,
};

pub fn routes(routes: Routes) -> Routes {
    routes
        .put("/saved_searches/", put)
        .get("/saved_searches/{id}", read)
        .delete("/saved_searches/{id}", delete)
        .post("/saved_searches/filter", filter)
}

async fn put(Db(store): Db, Body(body): Body<SavedSearchCreate>) -> Result<(StatusCode, Json<SavedSearch>), ApiError> {
    let key = body.name.clone();
    let (search, is_new) =
        store.write(key, async move |tx: &mut Tx| tx.put_saved_search(&body).await.map_err(ApiError::from)).await?;
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(search)))
}

async fn read(Db(store): Db, Id(id): Id) -> Result<Json<SavedSearch>, ApiError> {
    store.read(async move |tx: &mut Tx| tx.read_saved_search(id).await?.map(Json).ok_or_else(absent)).await
}

async fn delete(Db(store): Db, Id(id): Id) -> Result<StatusCode, ApiError> {
    let known =
        store.write(id, async move |tx: &mut Tx| tx.delete_saved_search(id).await.map_err(ApiError::from)).await?;
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(absent()) }
}

#[derive(Clone, Deserialize)]
struct Request {
    limit: Option<i64>,
    offset: Option<i64>,
}

async fn filter(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<Request>,
) -> Result<Json<Vec<SavedSearch>>, ApiError> {
    let (limit, offset) = (app.limit(body.limit)?, body.offset.unwrap_or(0));
    Ok(Json(store.read(async move |tx: &mut Tx| tx.list_saved_searches(limit, offset).await).await?))
}

fn absent() -> ApiError {
    ApiError::not_found("Saved search not found")
}
