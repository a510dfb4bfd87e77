//! Runs of deployments: created one by one or many at once, with parameters filled in and checked, and given by the
//! schedules between two times that a client names.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tidegate_api::{
    deployments::{Deployment, DeploymentFlowRunCreate, FlowRunBulkCreateResponse, FlowRunCreateResult},
    flow_runs::{CreatedBy, FlowRun},
};
use tidegate_core::{
    json::Json as RawJson,
    names,
    state::{StateCreate, StateType},
    time::Timestamp,
};
use tidegate_store::{Tx, flow_runs::NewFlowRun};
use uuid::Uuid;

use super::{absent, write::require_queue_of};
use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Caller, Db, Id},
    job_template::{self, Occasion},
    parameters::{self, CIRCULAR, Strictness, Unfit},
    routes::flow_runs::created_by,
    services::scheduler::{Horizon, give_runs_between},
};

/// Creates a run of a deployment, or answers the one of the same idempotency key: 201 when it is new, else 200.
pub(super) async fn create(
    Db(store): Db,
    caller: Caller,
    Id(id): Id,
    Body(body): Body<DeploymentFlowRunCreate>,
) -> Result<(StatusCode, Json<FlowRun>), ApiError> {
    let by = created_by(&caller);
    let (run, created) = store
        .write(id, async move |tx: &mut Tx| {
            let deployment = tx.read_deployment(id).await?.ok_or_else(absent)?;
            let (new, first) =
                prepare(tx, &deployment, &body, by.as_ref()).await.map_err(|refusal| refusal.told(id))?;
            tx.create_flow_run(new, first).await.map_err(ApiError::from)
        })
        .await?;
    Ok((if created { StatusCode::CREATED } else { StatusCode::OK }, Json(run)))
}

/// Most runs that one call creates.
const BULK: usize = 100;

/// Creates many runs at once; one that cannot be created does not keep the others from it.
pub(super) async fn create_many(
    Db(store): Db,
    caller: Caller,
    Id(id): Id,
    Body(body): Body<Vec<DeploymentFlowRunCreate>>,
) -> Result<Json<FlowRunBulkCreateResponse>, ApiError> {
    if body.len() > BULK {
        return Err(ApiError::bad_request(format!("Cannot create more than {BULK} flow runs at once.")));
    }
    let by = created_by(&caller);
    store
        .write(id, async move |tx: &mut Tx| {
            let deployment = tx.read_deployment(id).await?.ok_or_else(absent)?;
            let mut results = Vec::with_capacity(body.len());
            for request in &body {
                results.push(match prepare(tx, &deployment, request, by.as_ref()).await {
                    Ok((new, first)) => {
                        let (run, _) = tx.create_flow_run(new, first).await?;
                        FlowRunCreateResult { flow_run_id: Some(run.id), status: "CREATED".into(), error: None }
                    }
                    Err(refusal) => {
                        let error = Some(refusal.noted()?);
                        FlowRunCreateResult { flow_run_id: None, status: "FAILED".into(), error }
                    }
                });
            }
            Ok(Json(FlowRunBulkCreateResponse { results }))
        })
        .await
}

/// Why a run is not created; told in other words in an answer of its own than in a list.
enum Refusal {
    Hydration(String),
    NoSchema,
    Mismatch(String),
    Circular,
    NoPool(String),
    Other(ApiError),
}

impl<E: Into<ApiError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

impl Refusal {
    fn told(self, deployment: Uuid) -> ApiError {
        match self {
            Self::Hydration(why) => ApiError::bad_request(format!("Error hydrating flow run parameters: {why}")),
            Self::NoSchema => ApiError::conflict(NO_SCHEMA),
            Self::Mismatch(why) => ApiError::conflict(format!("Error creating flow run: {why}")),
            Self::Circular => ApiError::unprocessable(CIRCULAR),
            Self::NoPool(queue) => ApiError::bad_request(format!(
                "Cannot create flow run in work queue {queue} because deployment {deployment} is not associated with a \
                 work pool. Please remove work_pool_name and try again."
            )),
            Self::Other(error) => error,
        }
    }

    /// The text for a list, where the failure is of this run and not of the whole call.
    fn noted(self) -> Result<String, ApiError> {
        Ok(match self {
            Self::Hydration(why) => why,
            Self::NoSchema => "Parameter schema enforcement is enabled but deployment has no valid schema.".into(),
            Self::Mismatch(why) => format!("Parameter validation failed: {why}"),
            Self::Circular => "Invalid schema: circular references detected.".into(),
            Self::NoPool(queue) => format!(
                "Cannot create flow run in work queue {queue} because deployment is not associated with a work pool."
            ),
            Self::Other(ApiError::Detail(_, detail)) => detail,
            Self::Other(error) => return Err(error),
        })
    }
}

/// What is said where a schema is enforced that is not there.
pub(super) const NO_SCHEMA: &str = "Error updating deployment: Cannot update parameters because parameter schema enforcement is \
     enabled and the deployment does not have a valid parameter schema.";

/// The run that a request means, everything that the deployment adds included.
async fn prepare(
    tx: &mut Tx,
    deployment: &Deployment,
    request: &DeploymentFlowRunCreate,
    by: Option<&CreatedBy>,
) -> Result<(NewFlowRun, StateCreate), Refusal> {
    let given = deployment.parameters.merged(&request.parameters);
    let filled = parameters::hydrate(tx, parameters::object(given.value())).await?;
    let parameters = Value::Object(filled.map_err(Refusal::Hydration)?);
    if request.enforce_parameter_schema.unwrap_or(deployment.enforce_parameter_schema) {
        let schema = deployment.parameter_openapi_schema.as_ref().map(RawJson::value).filter(Value::is_object);
        let schema = schema.ok_or(Refusal::NoSchema)?;
        parameters::check(&parameters, &schema, Strictness::default()).map_err(|unfit| match unfit {
            Unfit::Mismatch(why) => Refusal::Mismatch(why),
            Unfit::Circular => Refusal::Circular,
        })?;
    }
    let variables = request.job_variables.as_ref();
    job_template::check_run_variables(tx, deployment, variables, Occasion::CreateFlowRun).await?;
    let (mut work_queue_id, mut work_queue_name) = (deployment.work_queue_id, deployment.work_queue_name.clone());
    if let Some(queue) = request.work_queue_name.as_ref().filter(|name| !name.is_empty()) {
        let pool = deployment.work_pool_name.as_ref().ok_or_else(|| Refusal::NoPool(queue.clone()))?;
        work_queue_id = Some(require_queue_of(tx, pool, queue).await?);
        work_queue_name = Some(queue.clone());
    }
    let mut tags = deployment.tags.clone();
    for tag in &request.tags {
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    let name = request.name.clone().unwrap_or_else(|| names::random_run_name(rand::random()));
    let new = NewFlowRun {
        deployment_id: Some(deployment.id),
        deployment_version: deployment.version.clone(),
        work_queue_id,
        work_queue_name,
        parameters: given.rewritten(&parameters),
        idempotency_key: request.idempotency_key.clone(),
        context: request.context.clone(),
        empirical_policy: request.empirical_policy.clone(),
        tags,
        labels: request.labels.clone(),
        parent_task_run_id: request.parent_task_run_id,
        infrastructure_document_id: request.infrastructure_document_id.or(deployment.infrastructure_document_id),
        created_by: by.cloned(),
        job_variables: request.job_variables.clone(),
        ..NewFlowRun::of_flow(deployment.flow_id, name)
    };
    let first = request.state.clone().unwrap_or_else(|| StateCreate::of(StateType::Scheduled));
    Ok((new, first))
}

#[derive(Clone, Deserialize)]
pub(super) struct Span {
    #[serde(default)]
    start_time: Option<Timestamp>,
    #[serde(default)]
    end_time: Option<Timestamp>,
    #[serde(default)]
    min_time: Option<f64>,
    #[serde(default)]
    min_runs: Option<i64>,
    #[serde(default)]
    max_runs: Option<i64>,
}

/// Gives the runs of a deployment's schedules between two times, past ones too: how a backfill is made.
pub(super) async fn schedule(
    State(app): State<App>,
    Db(store): Db,
    Id(id): Id,
    Body(span): Body<Span>,
) -> Result<Json<Value>, ApiError> {
    let usual = Horizon::of(&app.settings.services);
    let count = |number: Option<i64>, usual: usize| number.map_or(usual, |number| usize::try_from(number).unwrap_or(0));
    let horizon = Horizon {
        least_runs: count(span.min_runs, usual.least_runs),
        most_runs: count(span.max_runs, usual.most_runs),
        least_seconds: span.min_time.unwrap_or(usual.least_seconds),
        ..usual
    };
    store
        .write(id, async move |tx: &mut Tx| {
            let start = span.start_time.unwrap_or_else(|| tx.now());
            let end = span.end_time.unwrap_or_else(|| start.plus_seconds(horizon.most_seconds));
            give_runs_between(tx, id, start, end, horizon).await?;
            Ok(Json(Value::Null))
        })
        .await
}
