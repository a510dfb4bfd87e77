//! Work pools over HTTP: rows, lists and their slots here; queues, workers and due runs in modules of their own.

mod due_runs;
pub(crate) mod queues;
mod workers;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use tidegate_api::{
    filters::WorkPoolFilter,
    work_pools::{
        WorkPool, WorkPoolConcurrencyStatus, WorkPoolCreate, WorkPoolUpdate, WorkQueueConcurrencyStatusDetail,
    },
};
use tidegate_core::orchestration::Version;
use tidegate_store::Tx;
use uuid::Uuid;

use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Caller, Db},
    job_template::{Occasion, check_job_variables},
    router::Routes,
};

pub fn routes(routes: Routes) -> Routes {
    routes
        .post("/work_pools/", create)
        .get("/work_pools/{name}", read)
        .patch("/work_pools/{name}", update)
        .delete("/work_pools/{name}", delete)
        .post("/work_pools/filter", filter)
        .post("/work_pools/count", count)
        .post("/work_pools/{name}/concurrency_status", concurrency_status)
        .post("/work_pools/{name}/get_scheduled_flow_runs", due_runs::get_scheduled)
        .post("/work_pools/{work_pool_name}/queues", queues::create)
        .get("/work_pools/{work_pool_name}/queues/{name}", queues::read)
        .patch("/work_pools/{work_pool_name}/queues/{name}", queues::update)
        .delete("/work_pools/{work_pool_name}/queues/{name}", queues::delete)
        .post("/work_pools/{work_pool_name}/queues/filter", queues::filter)
        .post("/work_pools/{work_pool_name}/workers/heartbeat", workers::heartbeat)
        .post("/work_pools/{work_pool_name}/workers/filter", workers::filter)
        .delete("/work_pools/{work_pool_name}/workers/{name}", workers::delete)
}

/// The last client version that fails on the storage block of a pool.
const BEFORE_STORAGE_BLOCKS: Version = Version(3, 3, 7);

#[derive(Clone, Deserialize)]
struct Request {
    work_pools: Option<WorkPoolFilter>,
    limit: Option<i64>,
    offset: Option<i64>,
}

async fn create(
    Db(store): Db,
    caller: Caller,
    Body(body): Body<WorkPoolCreate>,
) -> Result<(StatusCode, Response), ApiError> {
    if is_reserved(&body.name) {
        return Err(ApiError::forbidden("Work pools starting with 'Prefect' are reserved for internal use."));
    }
    let pool = store
        .write(body.name.clone(), async move |tx: &mut Tx| {
            check_job_variables(tx, &body.base_job_template, &[], Occasion::Pool).await?;
            let pool = tx.create_work_pool(&body).await?;
            pool.ok_or_else(|| ApiError::conflict("A work pool with this name already exists."))
        })
        .await?;
    Ok((StatusCode::CREATED, answer(&caller, pool)))
}

async fn read(Db(store): Db, caller: Caller, Path(name): Path<String>) -> Result<Response, ApiError> {
    let pool = store
        .read(async move |tx: &mut Tx| {
            let mut pools = [require_pool(tx, &name).await?];
            tx.fill_pool_slots(&mut pools).await?;
            let [pool] = pools;
            Ok::<_, ApiError>(pool)
        })
        .await?;
    Ok(answer(&caller, pool))
}

async fn update(
    Db(store): Db,
    Path(name): Path<String>,
    Body(body): Body<WorkPoolUpdate>,
) -> Result<StatusCode, ApiError> {
    let is_limited = body.description.is_keep() && body.base_job_template.is_keep();
    if is_reserved(&name) && !(is_limited && body.storage_configuration.is_keep()) {
        return Err(ApiError::forbidden(
            "Work pools starting with 'Prefect' are reserved for internal use and can only be updated to set concurrency \
             limits or pause.",
        ));
    }
    store
        .write(name.clone(), async move |tx: &mut Tx| {
            let pool = require_pool(tx, &name).await?;
            tx.update_work_pool(pool, body.clone()).await.map_err(ApiError::from)
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete(Db(store): Db, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    if is_reserved(&name) {
        return Err(ApiError::forbidden(
            "Work pools starting with 'Prefect' are reserved for internal use and can not be deleted.",
        ));
    }
    store
        .write(name.clone(), async move |tx: &mut Tx| {
            let pool = require_pool(tx, &name).await?;
            tx.delete_work_pool(&pool).await.map_err(ApiError::from)
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn filter(
    State(app): State<App>,
    Db(store): Db,
    caller: Caller,
    Body(body): Body<Request>,
) -> Result<Response, ApiError> {
    let (limit, offset) = (app.limit(body.limit)?, body.offset.unwrap_or(0));
    let pools =
        store.read(async move |tx: &mut Tx| tx.list_work_pools(body.work_pools.as_ref(), limit, offset).await).await?;
    Ok(answer(&caller, pools))
}

async fn count(Db(store): Db, Body(body): Body<Request>) -> Result<Json<i64>, ApiError> {
    Ok(Json(store.read(async move |tx: &mut Tx| tx.count_work_pools(body.work_pools.as_ref()).await).await?))
}

#[derive(Clone, Deserialize)]
struct StatusRequest {
    page: Option<i64>,
    limit: Option<i64>,
    flow_run_limit: Option<i64>,
}

/// Who holds the slots of a pool, queue by queue.
async fn concurrency_status(
    State(app): State<App>,
    Db(store): Db,
    Path(name): Path<String>,
    Body(body): Body<StatusRequest>,
) -> Result<Json<WorkPoolConcurrencyStatus>, ApiError> {
    let (page, limit) = (body.page.unwrap_or(1), app.limit(body.limit)?);
    let each = body.flow_run_limit.unwrap_or(10);
    store
        .read(async move |tx: &mut Tx| {
            let pool = tx.read_work_pool_by_name(&name).await?;
            let pool = pool.ok_or_else(|| ApiError::not_found(format!("Work pool '{name}' not found.")))?;
            let count = tx.count_work_queues(pool.id).await?;
            let every = tx.list_work_queues(pool.id, None, i64::MAX, 0).await?;
            let taken = tx.count_queue_slots(&every.iter().map(|queue| queue.id).collect::<Vec<_>>()).await?;
            let offset = (page - 1).saturating_mul(limit) as usize;
            let shown: Vec<_> = every.into_iter().skip(offset).take(limit as usize).collect();
            let ids: Vec<Uuid> = shown.iter().map(|queue| queue.id).collect();
            let mut holders = tx.list_slot_holders(&ids, each).await?;
            let queues = shown.into_iter().map(|queue| {
                let active = taken.get(&queue.id).copied().unwrap_or(0);
                WorkQueueConcurrencyStatusDetail {
                    queue_id: queue.id,
                    queue_name: queue.name,
                    active_slots: active,
                    concurrency_limit: queue.concurrency_limit,
                    flow_runs: holders.extract_if(.., |(of, _)| *of == queue.id).map(|(_, run)| run).collect(),
                    flow_run_count: Some(active),
                }
            });
            Ok(Json(WorkPoolConcurrencyStatus {
                active_slots: taken.values().sum(),
                concurrency_limit: pool.concurrency_limit,
                queues: queues.collect(),
                count,
                limit,
                pages: pages(count, limit),
                page,
            }))
        })
        .await
}

pub(crate) fn pages(count: i64, limit: i64) -> i64 {
    if limit > 0 { (count + limit - 1) / limit } else { 0 }
}

pub(crate) fn is_reserved(name: &str) -> bool {
    name.to_lowercase().starts_with("prefect")
}

pub(crate) async fn require_pool(tx: &mut Tx, name: &str) -> Result<WorkPool, ApiError> {
    tx.read_work_pool_by_name(name).await?.ok_or_else(|| no_pool(name))
}

pub(crate) async fn require_pool_id(tx: &mut Tx, name: &str) -> Result<Uuid, ApiError> {
    tx.read_work_pool_id(name).await?.ok_or_else(|| no_pool(name))
}

fn no_pool(name: &str) -> ApiError {
    ApiError::not_found(format!("Work pool \"{name}\" not found."))
}

/// Pools as the caller can read them: old clients refuse the storage block.
fn answer<T: Serialize>(caller: &Caller, pools: T) -> Response {
    if caller.client_version.is_none_or(|version| version > BEFORE_STORAGE_BLOCKS) {
        return Json(pools).into_response();
    }
    let mut value = serde_json::to_value(pools).expect("pools serialize");
    let all = match &mut value {
        serde_json::Value::Array(pools) => pools.as_mut_slice(),
        pool => std::slice::from_mut(pool),
    };
    for pool in all {
        if let Some(storage) = pool["storage_configuration"].as_object_mut() {
            storage.shift_remove("default_result_storage_block_id");
        }
    }
    Json(value).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_house_are_reserved_in_any_case() {
        assert!(is_reserved("Prefect") && is_reserved("prefect-managed") && is_reserved("PREFECTx"));
        assert!(!is_reserved("my-prefect"));
    }

    #[test]
    fn pages_round_up() {
        assert_eq!((pages(0, 10), pages(10, 10), pages(11, 10), pages(5, 0)), (0, 1, 2, 0));
    }
}
