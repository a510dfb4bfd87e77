//! Creating, replacing and changing deployments.

use std::collections::HashSet;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tidegate_api::{
    Patch,
    contract::FieldError,
    deployments::{
        Deployment, DeploymentCreate, DeploymentSchedule, DeploymentScheduleCreate, DeploymentScheduleUpdate,
        DeploymentUpdate,
    },
    work_pools::WorkQueueCreate,
};
use tidegate_core::json::Json as RawJson;
use tidegate_store::{Tx, deployment_schedules::NewSchedule, deployments::DeploymentChanges};
use uuid::Uuid;

use super::{
    absent_stopped,
    runs::NO_SCHEMA,
    schedules::{completed, completed_update, new_schedule},
};
use crate::{
    answer::Json,
    error::ApiError,
    extract::{Body, Db, Id, read_as},
    job_template::{self, Occasion},
    parameters::{self, CIRCULAR, Strictness, Unfit},
};

/// The pool of what names a queue and no pool. It is made when it is first needed.
const AGENT_POOL: &str = "default-agent-pool";

/// Creates a deployment, or replaces the one of this name of the flow: 201 when it is new, else 200.
pub(super) async fn create(
    Db(store): Db,
    Body(body): Body<RawJson>,
) -> Result<(StatusCode, Json<Deployment>), ApiError> {
    check_enforced(&body.value())?;
    let create: DeploymentCreate = read_as(&body)?;
    let key = (create.flow_id, create.name.clone());
    store
        .write(key, async move |tx: &mut Tx| {
            let (deployment, is_new) = replace(tx, create.clone()).await?;
            Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(deployment)))
        })
        .await
}

/// A client that asks for enforcement by name gets it at once; what is enforced by default is when runs are created.
fn check_enforced(body: &Value) -> Result<(), ApiError> {
    let enforced = body.get("enforce_parameter_schema").and_then(Value::as_bool) == Some(true);
    let Some(schema) = body.get("parameter_openapi_schema").filter(|schema| enforced && !schema.is_null()) else {
        return Ok(());
    };
    let nothing = json!({});
    let values = body.get("parameters").unwrap_or(&nothing);
    let problem = match parameters::check_schema(schema) {
        Err(why) => format!("The provided schema is not a valid json schema. Schema error: {why}"),
        Ok(()) => match parameters::check_as_is(values, schema, true) {
            Ok(()) => return Ok(()),
            Err(Unfit::Mismatch(why)) => why,
            Err(Unfit::Circular) => CIRCULAR.to_owned(),
        },
    };
    let mut body = body.clone();
    if let Value::Object(fields) = &mut body {
        fields.entry("parameters").or_insert(nothing);
    }
    let errors = vec![FieldError::value_error(vec!["body".into()], &problem, body.clone())];
    Err(ApiError::Invalid { errors, body })
}

async fn replace(tx: &mut Tx, create: DeploymentCreate) -> Result<(Deployment, bool), ApiError> {
    let pool = named(&create.work_pool_name);
    if let Some(pool) = pool.filter(|pool| *pool != AGENT_POOL) {
        let pool = tx.read_work_pool_by_name(pool).await?.ok_or_else(|| absent_pool(pool))?;
        if let Patch::Set(variables) = &create.job_variables
            && variables.text() != "{}"
        {
            job_template::check_job_variables(tx, &pool.base_job_template, &[variables], Occasion::CreateDeployment)
                .await?;
        }
    }
    require_limit(tx, &create.global_concurrency_limit_id).await?;
    let work_queue_id = queue_of(tx, pool, named(&create.work_queue_name)).await?;
    require_document(tx, &create.infrastructure_document_id, "infrastructure").await?;
    require_document(tx, &create.storage_document_id, "storage").await?;
    let (id, before) = tx.ensure_deployment(create.flow_id, &create.name).await?;
    let present = match &before {
        Some(before) => before.clone(),
        None => tx.read_deployment(id).await?.ok_or_else(absent_stopped)?,
    };
    let concurrency_limit_id = match create.concurrency_limit.change() {
        Some(limit) => tx.set_deployment_limit(&present, limit).await?,
        None => create.global_concurrency_limit_id,
    };
    let labels = labels(tx, create.flow_id, create.labels.as_ref()).await?;
    let changes = DeploymentChanges {
        version: create.version,
        description: create.description,
        paused: create.paused,
        concurrency_limit_id,
        concurrency_options: create.concurrency_options,
        job_variables: create.job_variables,
        parameters: Patch::Set(create.parameters),
        parameter_openapi_schema: whole_schema(create.parameter_openapi_schema),
        enforce_parameter_schema: create.enforce_parameter_schema,
        tags: create.tags,
        labels: Patch::Set(labels),
        work_queue_id: work_queue_id.map_or(Patch::Keep, Patch::Set),
        work_queue_name: create.work_queue_name,
        path: create.path,
        entrypoint: create.entrypoint,
        pull_steps: create.pull_steps,
        storage_document_id: create.storage_document_id,
        infrastructure_document_id: create.infrastructure_document_id,
    };
    tx.update_deployment(id, changes).await?;
    let schedules = new_schedules(tx, &create.schedules)?;
    tx.replace_deployment_schedules(id, &schedules).await?;
    let after = tx.read_deployment(id).await?.ok_or_else(absent_stopped)?;
    tx.emit_deployment_change(before.as_ref(), &after).await?;
    Ok((after, before.is_none()))
}

/// Schedules that come with their deployment. How many runs they may have is kept only where a schedule is made by itself.
fn new_schedules(tx: &Tx, schedules: &[DeploymentScheduleCreate]) -> Result<Vec<NewSchedule>, ApiError> {
    schedules.iter().map(|schedule| new_schedule(schedule, None, tx.now())).collect()
}

/// Changes a deployment, and its schedules one by one where they have slugs.
pub(super) async fn update(
    Db(store): Db,
    Id(id): Id,
    Body(body): Body<DeploymentUpdate>,
) -> Result<StatusCode, ApiError> {
    store
        .write(id, async move |tx: &mut Tx| {
            change(tx, id, body.clone()).await?;
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

async fn change(tx: &mut Tx, id: Uuid, update: DeploymentUpdate) -> Result<(), ApiError> {
    let before = tx.read_deployment(id).await?.ok_or_else(absent_stopped)?;
    let schedules = plan_schedules(update.schedules, &before.schedules)?;
    let pool = named(&update.work_pool_name);
    if let Some(pool) = pool.filter(|pool| *pool != AGENT_POOL) {
        let pool = tx.read_work_pool_by_name(pool).await?.ok_or_else(|| absent_pool(pool))?;
        if let Patch::Set(variables) = &update.job_variables {
            job_template::first_problem(&pool.base_job_template, variables)
                .map_err(|why| ApiError::conflict(format!("Error creating deployment: {why}")))?;
        }
    }
    let parameters = match update.parameters {
        Patch::Set(given) => {
            let filled = parameters::hydrate(tx, parameters::object(given.value())).await?;
            let filled =
                filled.map_err(|why| ApiError::bad_request(format!("Error hydrating deployment parameters: {why}")))?;
            Patch::Set(given.rewritten(&Value::Object(filled)))
        }
        other => other,
    };
    let parameter_openapi_schema = whole_schema(update.parameter_openapi_schema);
    let enforce = update.enforce_parameter_schema.clone().value().unwrap_or(before.enforce_parameter_schema);
    if enforce {
        let schema = parameter_openapi_schema.clone().value().or_else(|| before.parameter_openapi_schema.clone());
        let values = parameters.clone().value().unwrap_or_else(|| before.parameters.clone());
        check_parameters(&values, schema.as_ref())?;
    }
    require_limit(tx, &update.global_concurrency_limit_id).await?;
    for document in [&update.storage_document_id, &update.infrastructure_document_id] {
        if let Patch::Set(document) = document
            && !tx.is_block_document(*document).await?
        {
            return Err(ApiError::integrity());
        }
    }
    let work_queue_id = match (&update.work_pool_name, named(&update.work_queue_name)) {
        // No pool any more: the runs wait for whoever serves the deployment itself.
        (Patch::Clear, _) => Patch::Clear,
        (_, queue) => queue_of(tx, pool, queue).await?.map_or(Patch::Keep, Patch::Set),
    };
    let concurrency_limit_id = match update.concurrency_limit.change() {
        Some(limit) => tx.set_deployment_limit(&before, limit).await?,
        None => update.global_concurrency_limit_id,
    };
    let changes = DeploymentChanges {
        version: update.version,
        description: update.description,
        paused: update.paused,
        concurrency_limit_id,
        concurrency_options: update.concurrency_options,
        // Null says nothing here.
        job_variables: update.job_variables.value().map_or(Patch::Keep, Patch::Set),
        parameters,
        parameter_openapi_schema,
        enforce_parameter_schema: update.enforce_parameter_schema,
        tags: update.tags,
        labels: Patch::Keep,
        work_queue_id,
        work_queue_name: update.work_queue_name,
        path: update.path,
        entrypoint: update.entrypoint,
        pull_steps: update.pull_steps,
        storage_document_id: update.storage_document_id,
        infrastructure_document_id: update.infrastructure_document_id,
    };
    tx.update_deployment(id, changes).await?;
    schedules.apply(tx, id).await?;
    let after = tx.read_deployment(id).await?.ok_or_else(absent_stopped)?;
    tx.emit_deployment_change(Some(&before), &after).await.map_err(ApiError::from)
}

fn check_parameters(values: &RawJson, schema: Option<&RawJson>) -> Result<(), ApiError> {
    let schema = schema.map(RawJson::value).filter(Value::is_object).ok_or_else(|| ApiError::conflict(NO_SCHEMA))?;
    let strictness = Strictness { ignore_required: true, ..Strictness::default() };
    parameters::check(&values.value(), &schema, strictness).map_err(|unfit| match unfit {
        Unfit::Mismatch(why) => ApiError::conflict(format!("Error updating deployment: {why}")),
        Unfit::Circular => ApiError::unprocessable(CIRCULAR),
    })
}

/// What an update does to the schedules.
enum SchedulePlan {
    Nothing,
    /// Some schedule has no slug: all are replaced.
    Replace(Vec<DeploymentScheduleUpdate>),
    /// Slugs tell which is which. Renamed ones first lose their slug, for others may take it.
    Target {
        patch: Vec<(Uuid, DeploymentScheduleUpdate)>,
        renamed: Vec<Uuid>,
        create: Vec<DeploymentScheduleUpdate>,
    },
}

fn plan_schedules(
    given: Patch<Vec<DeploymentScheduleUpdate>>,
    present: &[DeploymentSchedule],
) -> Result<SchedulePlan, ApiError> {
    let Some(given) = given.value() else { return Ok(SchedulePlan::Nothing) };
    if present.is_empty() || present.iter().any(|schedule| schedule.slug.is_none()) {
        return Ok(SchedulePlan::Replace(given));
    }
    if given.iter().any(|schedule| text(&schedule.slug).is_none()) {
        return Err(ApiError::unprocessable(
            "Please provide a slug for each schedule in your request to ensure schedules are updated correctly.",
        ));
    }
    let of = |slug: &str| present.iter().find(|schedule| schedule.slug.as_deref() == Some(slug)).map(|found| found.id);
    let replaced: Vec<&str> = given.iter().filter_map(|schedule| replaces(schedule)).collect();
    let mut seen = HashSet::new();
    if let Some(twice) = replaced.iter().find(|slug| !seen.insert(**slug)) {
        return Err(ApiError::unprocessable(format!(
            "Multiple schedules have 'replaces' targeting the same slug: {twice}"
        )));
    }
    for schedule in &given {
        if let (Some(slug), Some(old)) = (text(&schedule.slug), replaces(schedule))
            && of(slug).is_some()
            && !replaced.contains(&slug)
        {
            return Err(ApiError::unprocessable(format!(
                "Cannot rename schedule from '{old}' to '{slug}': a schedule with slug '{slug}' already exists."
            )));
        }
    }
    let (mut patch, mut renamed, mut create) = (Vec::new(), Vec::new(), Vec::new());
    for schedule in given {
        let target = replaces(&schedule).or_else(|| text(&schedule.slug)).and_then(of);
        match target {
            Some(id) => {
                if replaces(&schedule).is_some() {
                    renamed.push(id);
                }
                patch.push((id, schedule));
            }
            None if matches!(schedule.schedule, Patch::Set(_)) => create.push(schedule),
            None => {
                return Err(ApiError::unprocessable(
                    "Unable to create new deployment schedules without a schedule configuration.",
                ));
            }
        }
    }
    Ok(SchedulePlan::Target { patch, renamed, create })
}

impl SchedulePlan {
    async fn apply(self, tx: &mut Tx, deployment: Uuid) -> Result<(), ApiError> {
        match self {
            Self::Nothing => Ok(()),
            Self::Replace(given) => {
                let schedules = made(tx, given)?;
                tx.replace_deployment_schedules(deployment, &schedules).await.map_err(ApiError::from)
            }
            Self::Target { patch, renamed, create } => {
                if !renamed.is_empty() {
                    tx.clear_schedule_slugs(&renamed).await?;
                }
                for (id, update) in patch {
                    let update = completed_update(update, tx.now())?;
                    tx.update_deployment_schedule(deployment, id, update).await?;
                }
                let schedules = made(tx, create)?;
                tx.insert_deployment_schedules(deployment, &schedules).await?;
                Ok(())
            }
        }
    }
}

/// Updates that say enough to be schedules of their own; the others are left out.
fn made(tx: &Tx, updates: Vec<DeploymentScheduleUpdate>) -> Result<Vec<NewSchedule>, ApiError> {
    let mut made = Vec::with_capacity(updates.len());
    for update in updates {
        let Patch::Set(schedule) = &update.schedule else { continue };
        made.push(NewSchedule {
            schedule: completed(schedule, tx.now())?,
            active: update.active.value().unwrap_or(true),
            max_scheduled_runs: None,
            parameters: update.parameters.value().unwrap_or_default(),
            slug: update.slug.value(),
        });
    }
    Ok(made)
}

fn text(patch: &Patch<String>) -> Option<&str> {
    if let Patch::Set(text) = patch { Some(text) } else { None }
}

fn replaces(schedule: &DeploymentScheduleUpdate) -> Option<&str> {
    named(&schedule.replaces)
}

/// A name that was given and is not empty.
fn named(patch: &Patch<String>) -> Option<&str> {
    text(patch).filter(|name| !name.is_empty())
}

/// A schema without content is that of no parameters.
fn whole_schema(schema: Patch<RawJson>) -> Patch<RawJson> {
    match schema {
        Patch::Set(schema) if schema.text() == "{}" => {
            Patch::Set(RawJson::from_value(&json!({ "type": "object", "properties": {} })))
        }
        other => other,
    }
}

async fn labels(tx: &mut Tx, flow: Uuid, own: Option<&RawJson>) -> Result<RawJson, ApiError> {
    let inherited = tx.read_flow_labels(flow).await?.unwrap_or_default();
    let labels = inherited.merged(&json!({ "prefect.flow.id": flow }).into());
    Ok(own.map_or_else(|| labels.clone(), |own| labels.merged(own)))
}

/// The queue that a pool's name, a queue's name or both mean; `None` when neither was given.
async fn queue_of(tx: &mut Tx, pool: Option<&str>, queue: Option<&str>) -> Result<Option<Uuid>, ApiError> {
    Ok(match (pool, queue) {
        (None, None) => None,
        (None, Some(queue)) => Some(tx.ensure_agent_queue(queue).await?.id),
        (Some(pool), Some(queue)) => Some(require_queue_of(tx, pool, queue).await?),
        (Some(pool), None) => {
            if pool == AGENT_POOL {
                tx.ensure_agent_pool().await?;
            }
            tx.read_work_pool_by_name(pool).await?.ok_or_else(|| absent_pool(pool))?.default_queue_id
        }
    })
}

/// The queue of this name in the pool, made where there is none.
pub(super) async fn require_queue_of(tx: &mut Tx, pool: &str, queue: &str) -> Result<Uuid, ApiError> {
    if pool == AGENT_POOL {
        tx.ensure_agent_pool().await?;
    }
    if let Some(found) = tx.read_work_queue_by_name(pool, queue).await? {
        return Ok(found.id);
    }
    let pool_id = tx.read_work_pool_id(pool).await?.ok_or_else(|| absent_pool(pool))?;
    let create = WorkQueueCreate {
        name: queue.to_owned(),
        description: None,
        is_paused: false,
        concurrency_limit: None,
        priority: None,
        filter: None,
    };
    match tx.create_work_queue(pool_id, &create).await? {
        Some(made) => Ok(made.id),
        None => Err(ApiError::Unavailable("the work queue was made by somebody else just now".into())),
    }
}

fn absent_pool(pool: &str) -> ApiError {
    ApiError::not_found(format!("Work pool \"{pool}\" not found."))
}

async fn require_limit(tx: &mut Tx, limit: &Patch<Uuid>) -> Result<(), ApiError> {
    if let Patch::Set(id) = limit
        && tx.read_concurrency_limit(*id).await?.is_none()
    {
        return Err(ApiError::not_found("Concurrency limit not found"));
    }
    Ok(())
}

async fn require_document(tx: &mut Tx, document: &Patch<Uuid>, what: &str) -> Result<(), ApiError> {
    if let Patch::Set(id) = document
        && !tx.is_block_document(*id).await?
    {
        return Err(ApiError::conflict(format!(
            "Error creating deployment. Could not find {what} block with id: {id}. This usually occurs when applying a \
             deployment specification that was built against a different Prefect database / workspace."
        )));
    }
    Ok(())
}
