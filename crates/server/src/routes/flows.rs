//! Flows over HTTP.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use tidegate_api::{
    filters::{FlowFilter, ListRequest, Paginated, RunFilters},
    flows::{Flow, FlowCreate, FlowSort, FlowUpdate},
};
use tidegate_store::Tx;

use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Db, Id},
    router::Routes,
    routes::{bulk, list::PageRequest},
};

pub fn routes(routes: Routes) -> Routes {
    routes
        .post("/flows/", create)
        .get("/flows/{id}", read)
        .patch("/flows/{id}", update)
        .delete("/flows/{id}", delete)
        .get("/flows/name/{name}", read_by_name)
        .post("/flows/filter", filter)
        .post("/flows/count", count)
        .post("/flows/paginate", paginate)
        .post("/flows/bulk_delete", bulk_delete)
}

type Request = ListRequest<RunFilters, FlowSort>;

/// Gets or creates a flow by name: 201 when it is new, else 200.
async fn create(Db(store): Db, Body(body): Body<FlowCreate>) -> Result<(StatusCode, Json<Flow>), ApiError> {
    let key = body.name.clone();
    let (flow, created) =
        store.write(key, async move |tx: &mut Tx| tx.ensure_flow(&body).await.map_err(ApiError::from)).await?;
    Ok((if created { StatusCode::CREATED } else { StatusCode::OK }, Json(flow)))
}

async fn read(Db(store): Db, Id(id): Id) -> Result<Json<Flow>, ApiError> {
    store.read(async move |tx: &mut Tx| tx.read_flow(id).await?.map(Json).ok_or_else(absent)).await
}

async fn read_by_name(Db(store): Db, Path(name): Path<String>) -> Result<Json<Flow>, ApiError> {
    store.read(async move |tx: &mut Tx| tx.read_flow_by_name(&name).await?.map(Json).ok_or_else(absent)).await
}

async fn update(Db(store): Db, Id(id): Id, Body(body): Body<FlowUpdate>) -> Result<StatusCode, ApiError> {
    let known = store
        .write(id, async move |tx: &mut Tx| tx.update_flow(id, body.clone()).await.map_err(ApiError::from))
        .await?;
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(absent()) }
}

async fn delete(Db(store): Db, Id(id): Id) -> Result<StatusCode, ApiError> {
    let known = store.write(id, async move |tx: &mut Tx| tx.delete_flow(id).await.map_err(ApiError::from)).await?;
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(absent()) }
}

async fn filter(State(app): State<App>, Db(store): Db, Body(body): Body<Request>) -> Result<Json<Vec<Flow>>, ApiError> {
    let (limit, offset) = (app.limit(body.limit)?, body.offset.unwrap_or(0));
    let sort = body.sort.unwrap_or(FlowSort::NameAsc);
    let flows = store.read(async move |tx: &mut Tx| tx.list_flows(&body.filters, sort, limit, offset).await).await?;
    Ok(Json(flows))
}

async fn count(Db(store): Db, Body(body): Body<Request>) -> Result<Json<i64>, ApiError> {
    Ok(Json(store.read(async move |tx: &mut Tx| tx.count_flows(&body.filters).await).await?))
}

async fn paginate(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<Request>,
) -> Result<Json<Paginated<Flow>>, ApiError> {
    let page = PageRequest::of(&app, &body)?;
    let sort = body.sort.unwrap_or(FlowSort::NameAsc);
    store
        .read(async move |tx: &mut Tx| {
            let count = tx.count_flows(&body.filters).await?;
            let flows = tx.list_flows(&body.filters, sort, page.limit, page.offset()).await?;
            Ok(Json(page.answer(flows, count)))
        })
        .await
}

#[derive(Deserialize)]
struct BulkDelete {
    #[serde(default)]
    flows: Option<FlowFilter>,
    #[serde(default)]
    limit: Option<i64>,
}

/// Deletes all of the flows that the filter means, or none when something fails.
async fn bulk_delete(Db(store): Db, Body(body): Body<BulkDelete>) -> Result<Json<bulk::Deleted>, ApiError> {
    store
        .write("flows/bulk_delete", async move |tx: &mut Tx| {
            let filters = RunFilters { flows: body.flows.clone(), ..RunFilters::default() };
            let flows = tx.list_flows(&filters, FlowSort::NameAsc, body.limit.unwrap_or(bulk::MOST), 0).await?;
            let mut deleted = Vec::with_capacity(flows.len());
            for flow in flows {
                if tx.delete_flow(flow.id).await? {
                    deleted.push(flow.id);
                }
            }
            Ok(Json(bulk::Deleted { deleted }))
        })
        .await
}

fn absent() -> ApiError {
    ApiError::not_found("Flow not found")
}
