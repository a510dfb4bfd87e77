//! A deployment's schedules over HTTP, one by one, and how a schedule is completed before it is stored.

use axum::http::StatusCode;
use tidegate_api::{
    Patch,
    deployments::{DeploymentSchedule, DeploymentScheduleCreate, DeploymentScheduleUpdate},
};
use tidegate_core::{json::Json as RawJson, schedule::Schedule, time::Timestamp};
use tidegate_store::{Tx, deployment_schedules::NewSchedule};
use uuid::Uuid;

use super::absent_stopped;
use crate::{
    answer::Json,
    error::ApiError,
    extract::{Body, Db, Id, Ids},
};

pub(super) async fn list(Db(store): Db, Id(id): Id) -> Result<Json<Vec<DeploymentSchedule>>, ApiError> {
    store
        .read(async move |tx: &mut Tx| Ok(Json(tx.read_deployment(id).await?.ok_or_else(absent_stopped)?.schedules)))
        .await
}

pub(super) async fn create(
    Db(store): Db,
    Id(id): Id,
    Body(body): Body<Vec<DeploymentScheduleCreate>>,
) -> Result<(StatusCode, Json<Vec<DeploymentSchedule>>), ApiError> {
    store
        .write(id, async move |tx: &mut Tx| {
            require_deployment(tx, id).await?;
            let new = body
                .iter()
                .map(|schedule| new_schedule(schedule, schedule.max_scheduled_runs, tx.now()))
                .collect::<Result<Vec<_>, _>>()?;
            Ok((StatusCode::CREATED, Json(tx.insert_deployment_schedules(id, &new).await?)))
        })
        .await
}

pub(super) async fn update(
    Db(store): Db,
    Ids(id, schedule_id): Ids,
    Body(body): Body<DeploymentScheduleUpdate>,
) -> Result<StatusCode, ApiError> {
    store
        .write(id, async move |tx: &mut Tx| {
            require_deployment(tx, id).await?;
            let update = completed_update(body.clone(), tx.now())?;
            if tx.update_deployment_schedule(id, schedule_id, update).await? {
                Ok(StatusCode::NO_CONTENT)
            } else {
                Err(absent_schedule())
            }
        })
        .await
}

pub(super) async fn delete(Db(store): Db, Ids(id, schedule_id): Ids) -> Result<StatusCode, ApiError> {
    store
        .write(id, async move |tx: &mut Tx| {
            require_deployment(tx, id).await?;
            if tx.delete_deployment_schedule(id, schedule_id).await? {
                Ok(StatusCode::NO_CONTENT)
            } else {
                Err(absent_schedule())
            }
        })
        .await
}

async fn require_deployment(tx: &mut Tx, id: Uuid) -> Result<(), ApiError> {
    tx.read_deployment(id).await?.map(drop).ok_or_else(absent_stopped)
}

fn absent_schedule() -> ApiError {
    ApiError::not_found("Schedule not found.")
}

/// A schedule ready to store.
pub(super) fn new_schedule(
    create: &DeploymentScheduleCreate,
    max_scheduled_runs: Option<i64>,
    now: Timestamp,
) -> Result<NewSchedule, ApiError> {
    Ok(NewSchedule {
        schedule: completed(&create.schedule, now)?,
        active: create.active,
        max_scheduled_runs,
        parameters: create.parameters.clone(),
        slug: create.slug.clone(),
    })
}

/// A change with its definition ready to store.
pub(super) fn completed_update(
    mut update: DeploymentScheduleUpdate,
    now: Timestamp,
) -> Result<DeploymentScheduleUpdate, ApiError> {
    if let Patch::Set(schedule) = &update.schedule {
        update.schedule = Patch::Set(completed(schedule, now)?);
    }
    Ok(update)
}

/// What a client left out of a schedule is written down, so that it means the same for ever.
pub(super) fn completed(schedule: &RawJson, now: Timestamp) -> Result<RawJson, ApiError> {
    let schedule = Schedule::parse(schedule.text()).map_err(|error| ApiError::unprocessable(error.to_string()))?;
    Ok(RawJson::from_value(&schedule.with_defaults(now)))
}
