//! Concurrency limits of version 1: limits on tags, which are global limits named `tag:<tag>` in another dress. Their slots
//! are held by task runs.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::Value;
use tidegate_api::{
    Patch,
    concurrency_limits::{
        ConcurrencyLimit, ConcurrencyLimitCreate, ConcurrencyLimitV2Create, ConcurrencyLimitV2Update,
        MinimalConcurrencyLimit,
    },
};
use tidegate_store::{
    Tx,
    concurrency_limits::{Limit, limited_tag, tag_limit_name},
};
use uuid::Uuid;

use super::{List, minimal};
use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Db, Id},
};

/// Creates the limit on a tag, or gives the one that is there its new size: 201 when it is new, else 200.
pub async fn create(
    Db(store): Db,
    Body(body): Body<ConcurrencyLimitCreate>,
) -> Result<(StatusCode, Json<ConcurrencyLimit>), ApiError> {
    if body.concurrency_limit < 0 {
        return Err(ApiError::unprocessable("A concurrency limit must be greater than or equal to 0."));
    }
    let name = tag_limit_name(&body.tag);
    store
        .write(name.clone(), async move |tx: &mut Tx| {
            let known = tx.lock_concurrency_limits(std::slice::from_ref(&name)).await?.pop();
            let (status, id) = match known {
                Some(limit) => {
                    let limit_of = Patch::Set(body.concurrency_limit);
                    let update = ConcurrencyLimitV2Update { limit: limit_of, ..ConcurrencyLimitV2Update::default() };
                    tx.update_concurrency_limit(limit.row.id, update).await?;
                    (StatusCode::OK, limit.row.id)
                }
                None => {
                    let create = ConcurrencyLimitV2Create {
                        active: true,
                        name: name.clone(),
                        limit: body.concurrency_limit,
                        active_slots: 0,
                        denied_slots: 0,
                        slot_decay_per_second: 0.0,
                    };
                    (StatusCode::CREATED, tx.create_concurrency_limit(&create).await?.row.id)
                }
            };
            let limit = tx.read_concurrency_limit(id).await?.ok_or_else(absent)?;
            Ok((status, Json(dressed(tx, limit).await?)))
        })
        .await
}

pub async fn read(Db(store): Db, Id(id): Id) -> Result<Json<ConcurrencyLimit>, ApiError> {
    store
        .read(async move |tx: &mut Tx| {
            let limit = tx.read_concurrency_limit(id).await?;
            let limit = limit.filter(|limit| limited_tag(&limit.row.name).is_some()).ok_or_else(absent)?;
            Ok(Json(dressed(tx, limit).await?))
        })
        .await
}

pub async fn read_by_tag(Db(store): Db, Path(tag): Path<String>) -> Result<Json<ConcurrencyLimit>, ApiError> {
    store
        .read(async move |tx: &mut Tx| {
            let limit = require(tx, &tag).await?;
            Ok(Json(dressed(tx, limit).await?))
        })
        .await
}

pub async fn filter(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<List>,
) -> Result<Json<Vec<ConcurrencyLimit>>, ApiError> {
    let (limit, offset) = (app.limit(body.limit)?, body.offset.unwrap_or(0));
    store
        .read(async move |tx: &mut Tx| {
            let limits = tx.list_tag_limits(limit, offset).await?;
            Ok(Json(all_dressed(tx, limits).await?))
        })
        .await
}

/// Deletes a limit by id. As in the reference, it need not be one on a tag.
pub async fn delete(Db(store): Db, Id(id): Id) -> Result<Json<Value>, ApiError> {
    store
        .write(id, async move |tx: &mut Tx| {
            let limit = tx.lock_concurrency_limit(id).await?.ok_or_else(absent)?;
            remove(tx, limit.row.id).await
        })
        .await
}

pub async fn delete_by_tag(Db(store): Db, Path(tag): Path<String>) -> Result<Json<Value>, ApiError> {
    store
        .write(tag_limit_name(&tag), async move |tx: &mut Tx| {
            let limit = require(tx, &tag).await?;
            remove(tx, limit.row.id).await
        })
        .await
}

async fn remove(tx: &mut Tx, id: Uuid) -> Result<Json<Value>, ApiError> {
    tx.free_concurrency_limit(id).await?;
    tx.delete_concurrency_limit(id).await?;
    Ok(Json(Value::Null))
}

#[derive(Deserialize)]
pub struct Reset {
    #[serde(default)]
    slot_override: Option<Vec<Uuid>>,
}

/// Takes all slots from their holders and gives one to each of those named, whether they fit or not: an operator says so.
pub async fn reset(Db(store): Db, Path(tag): Path<String>, Body(body): Body<Reset>) -> Result<Json<Value>, ApiError> {
    store
        .write(tag_limit_name(&tag), async move |tx: &mut Tx| {
            let limit = require(tx, &tag).await?;
            let limit = tx.lock_concurrency_limit(limit.row.id).await?.ok_or_else(absent)?;
            tx.free_concurrency_limit(limit.row.id).await?;
            for holder in body.slot_override.iter().flatten() {
                tx.hold_tag_slots(&[limit.row.id], *holder).await?;
            }
            Ok(Json(Value::Null))
        })
        .await
}

/// Tags, and the task run that takes or gives back a slot of each.
#[derive(Deserialize)]
pub struct Slots {
    names: Vec<String>,
    task_run_id: Uuid,
}

impl Slots {
    /// The limits' names, each once, in the order of the request.
    fn limit_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::with_capacity(self.names.len());
        for name in self.names.iter().map(|tag| tag_limit_name(tag)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

/// Takes a slot of every tag's limit, or of none. Tags without a limit, and limits that are switched off, do not count.
pub async fn increment(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<Slots>,
) -> Result<Json<Vec<MinimalConcurrencyLimit>>, ApiError> {
    let names = body.limit_names();
    store
        .write(names.clone(), async move |tx: &mut Tx| {
            let known = tx.lock_concurrency_limits(&names).await?;
            let find = |name: &String| known.iter().find(|limit| limit.row.name == *name);
            let limits: Vec<&Limit> = names.iter().filter_map(find).collect();
            if let Some(closed) = limits.iter().find(|limit| limit.row.limit == 0) {
                let detail = format!(
                    "The concurrency limit on tag \"{}\" is 0 and will deadlock if the task tries to run again.",
                    tag_of(closed)
                );
                return Err(ApiError::Detail(StatusCode::LOCKED, detail));
            }
            let active: Vec<&Limit> = limits.into_iter().filter(|limit| limit.row.active).collect();
            if let Some(full) = active.iter().find(|limit| limit.taken() >= limit.row.limit) {
                let detail = format!("Concurrency limit for the {} tag has been reached", tag_of(full));
                return Err(ApiError::Locked { detail, retry_after: app.settings.tag_slot_wait_seconds });
            }
            // Slots of a decaying limit come back by themselves: a lease on them would hold what is free.
            let (steady, decaying): (Vec<&Limit>, Vec<&Limit>) =
                active.iter().copied().partition(|limit: &&Limit| limit.row.slot_decay_per_second == 0.0);
            for limit in decaying {
                tx.take_unleased_slots(limit, 1, app.longest_slot_wait(limit)).await?;
            }
            let leased: Vec<Uuid> = steady.iter().map(|limit| limit.row.id).collect();
            if !leased.is_empty() {
                tx.hold_tag_slots(&leased, body.task_run_id).await?;
            }
            let taken =
                active.iter().map(|limit| MinimalConcurrencyLimit { name: tag_of(limit).to_owned(), ..minimal(limit) });
            Ok(Json(taken.collect()))
        })
        .await
}

/// Gives back what a task run holds of the tags' limits. Holding nothing is no error. Here, as in the reference, the answer
/// has the limits' own names.
pub async fn decrement(Db(store): Db, Body(body): Body<Slots>) -> Result<Json<Vec<MinimalConcurrencyLimit>>, ApiError> {
    let names = body.limit_names();
    store
        .write(names.clone(), async move |tx: &mut Tx| {
            let limits = tx.lock_concurrency_limits(&names).await?;
            let ids: Vec<Uuid> = limits.iter().map(|limit| limit.row.id).collect();
            tx.release_tag_slots(&ids, body.task_run_id).await?;
            Ok(Json(limits.iter().map(minimal).collect()))
        })
        .await
}

async fn require(tx: &mut Tx, tag: &str) -> Result<Limit, ApiError> {
    tx.read_concurrency_limit_by_name(&tag_limit_name(tag)).await?.ok_or_else(absent)
}

async fn dressed(tx: &mut Tx, limit: Limit) -> Result<ConcurrencyLimit, ApiError> {
    let mut all = all_dressed(tx, vec![limit]).await?;
    all.pop().ok_or_else(absent)
}

/// The limits as version 1 shows them: by tag, with the task runs that hold slots.
async fn all_dressed(tx: &mut Tx, limits: Vec<Limit>) -> Result<Vec<ConcurrencyLimit>, ApiError> {
    let ids: Vec<Uuid> = limits.iter().map(|limit| limit.row.id).collect();
    let mut holders = tx.list_task_runs_holding(&ids).await?;
    let dressed = limits.into_iter().map(|limit| ConcurrencyLimit {
        id: limit.row.id,
        created: limit.row.created,
        updated: limit.row.updated,
        tag: tag_of(&limit).to_owned(),
        concurrency_limit: limit.row.limit,
        active_slots: holders.remove(&limit.row.id).unwrap_or_default(),
    });
    Ok(dressed.collect())
}

fn tag_of(limit: &Limit) -> &str {
    limited_tag(&limit.row.name).unwrap_or(&limit.row.name)
}

fn absent() -> ApiError {
    ApiError::not_found("Concurrency limit not found")
}
