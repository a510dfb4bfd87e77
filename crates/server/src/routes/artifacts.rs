//! Artifacts over HTTP, and the latest of each key.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use tidegate_api::{
    artifacts::{Artifact, ArtifactCollection, ArtifactCollectionSort, ArtifactCreate, ArtifactSort, ArtifactUpdate},
    filters::{ArtifactCollectionFilter, ArtifactFilter, ListRequest, RunFilters},
};
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
        .post("/artifacts/", create)
        .get("/artifacts/{id}", read)
        .patch("/artifacts/{id}", update)
        .delete("/artifacts/{id}", delete)
        .get("/artifacts/{key}/latest", read_latest)
        .post("/artifacts/filter", filter)
        .post("/artifacts/count", count)
        .post("/artifacts/latest/filter", filter_latest)
        .post("/artifacts/latest/count", count_latest)
}

#[derive(Clone, Deserialize)]
struct Filters<F> {
    artifacts: Option<F>,
    #[serde(flatten)]
    runs: RunFilters,
}

type Request = ListRequest<Filters<ArtifactFilter>, ArtifactSort>;
type LatestRequest = ListRequest<Filters<ArtifactCollectionFilter>, ArtifactCollectionSort>;

async fn create(Db(store): Db, Body(body): Body<ArtifactCreate>) -> Result<(StatusCode, Json<Artifact>), ApiError> {
    let key = body.key.clone();
    let artifact =
        store.write(key, async move |tx: &mut Tx| tx.create_artifact(&body).await.map_err(ApiError::from)).await?;
    Ok((StatusCode::CREATED, Json(artifact)))
}

async fn read(Db(store): Db, Id(id): Id) -> Result<Json<Artifact>, ApiError> {
    store.read(async move |tx: &mut Tx| tx.read_artifact(id).await?.map(Json).ok_or_else(absent)).await
}

/// The latest of a key, under the id of the key's own row, as clients have always got it.
async fn read_latest(Db(store): Db, Path(key): Path<String>) -> Result<Json<Artifact>, ApiError> {
    let latest =
        store.read(async move |tx: &mut Tx| tx.read_artifact_collection(&key).await?.ok_or_else(absent)).await?;
    Ok(Json(Artifact {
        id: latest.id,
        created: latest.created,
        updated: latest.updated,
        key: Some(latest.key),
        kind: latest.kind,
        description: latest.description,
        data: latest.data,
        metadata_: latest.metadata_,
        flow_run_id: latest.flow_run_id,
        task_run_id: latest.task_run_id,
    }))
}

async fn update(Db(store): Db, Id(id): Id, Body(body): Body<ArtifactUpdate>) -> Result<StatusCode, ApiError> {
    let known =
        store.write(id, async move |tx: &mut Tx| tx.update_artifact(id, &body).await.map_err(ApiError::from)).await?;
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(absent()) }
}

async fn delete(Db(store): Db, Id(id): Id) -> Result<StatusCode, ApiError> {
    let known = store.write(id, async move |tx: &mut Tx| tx.delete_artifact(id).await.map_err(ApiError::from)).await?;
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(absent()) }
}

async fn filter(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<Request>,
) -> Result<Json<Vec<Artifact>>, ApiError> {
    let (limit, offset) = (app.limit(body.limit)?, body.offset.unwrap_or(0));
    let sort = body.sort.unwrap_or(ArtifactSort::IdDesc);
    let Filters { artifacts, runs } = body.filters;
    let listed = store
        .read(async move |tx: &mut Tx| tx.list_artifacts(artifacts.as_ref(), &runs, sort, limit, offset).await)
        .await?;
    Ok(Json(listed))
}

async fn count(Db(store): Db, Body(body): Body<Request>) -> Result<Json<i64>, ApiError> {
    let Filters { artifacts, runs } = body.filters;
    Ok(Json(store.read(async move |tx: &mut Tx| tx.count_artifacts(artifacts.as_ref(), &runs).await).await?))
}

async fn filter_latest(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<LatestRequest>,
) -> Result<Json<Vec<ArtifactCollection>>, ApiError> {
    let (limit, offset) = (app.limit(body.limit)?, body.offset.unwrap_or(0));
    let sort = body.sort.unwrap_or(ArtifactCollectionSort::IdDesc);
    let Filters { artifacts, runs } = body.filters;
    let listed = store
        .read(async move |tx: &mut Tx| {
            tx.list_artifact_collections(artifacts.as_ref(), &runs, sort, limit, offset).await
        })
        .await?;
    Ok(Json(listed))
}

async fn count_latest(Db(store): Db, Body(body): Body<LatestRequest>) -> Result<Json<i64>, ApiError> {
    let Filters { artifacts, runs } = body.filters;
    let count = store.read(async move |tx: &mut Tx| tx.count_artifact_collections(artifacts.as_ref(), &runs).await);
    Ok(Json(count.await?))
}

fn absent() -> ApiError {
    ApiError::not_found("Artifact not found.")
}
