//! Automations over HTTP.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_api::{
    automations::{Action, Automation, AutomationCreate, AutomationPartialUpdate, AutomationSort, AutomationUpdate},
    contract::{FieldError, Loc},
    events::{EventFilter, OccurredFilter},
    filters::AutomationFilter,
};
use tidegate_core::{json::Json as RawJson, time::Timestamp};
use tidegate_store::{Tx, triggers::FiringRecord};
use uuid::Uuid;

use crate::{
    App,
    answer::Json,
    automations::{Rehearsal, WouldFire},
    error::ApiError,
    extract::{Body, Db, Id, Params},
    job_template,
    router::Routes,
};

pub fn routes(routes: Routes) -> Routes {
    routes
        .post("/automations/", create)
        .get("/automations/{id}", read)
        .put("/automations/{id}", replace)
        .patch("/automations/{id}", update)
        .delete("/automations/{id}", delete)
        .post("/automations/filter", filter)
        .post("/automations/count", count)
        .get("/automations/related-to/{resource_id}", list_related)
        .delete("/automations/owned-by/{resource_id}", delete_owned)
        .get("/automations/{id}/firings", list_firings)
        .post("/automations/{id}/test", test)
}

async fn create(
    Db(store): Db,
    Body(mut body): Body<AutomationCreate>,
) -> Result<(StatusCode, Json<Automation>), ApiError> {
    refuse_loops(body.loops(), &body, vec!["body".into()])?;
    body.trigger.renew_ids(&mut Uuid::now_v7);
    let created = store
        .write(body.name.clone(), async move |tx: &mut Tx| {
            check_runs(tx, &body.actions, |variables| !variables.is_empty()).await?;
            tx.create_automation(&body).await.map_err(ApiError::from)
        })
        .await?;
    Ok((StatusCode::CREATED, Json(created)))
}

async fn read(Db(store): Db, Id(id): Id) -> Result<Json<Automation>, ApiError> {
    store.read(async move |tx: &mut Tx| tx.read_automation(id).await?.map(Json).ok_or_else(absent)).await
}

/// Its owner stays, and what is not given.
async fn replace(Db(store): Db, Id(id): Id, Body(mut body): Body<AutomationUpdate>) -> Result<StatusCode, ApiError> {
    refuse_loops(body.loops(), &body, vec!["body".into()])?;
    body.trigger.renew_ids(&mut Uuid::now_v7);
    store
        .write(id, async move |tx: &mut Tx| {
            check_runs(tx, &body.actions, |_| true).await?;
            if tx.replace_automation(id, body.clone()).await? { Ok(StatusCode::NO_CONTENT) } else { Err(absent()) }
        })
        .await
}

async fn update(Db(store): Db, Id(id): Id, Body(body): Body<AutomationPartialUpdate>) -> Result<StatusCode, ApiError> {
    store
        .write(id, async move |tx: &mut Tx| {
            let before = tx.read_automation(id).await?.ok_or_else(absent)?;
            let enabled = body.enabled.unwrap_or(before.enabled);
            refuse_loops(Automation { enabled, ..before }.loops(), &body, Vec::new())?;
            if tx.enable_automation(id, enabled).await? { Ok(StatusCode::NO_CONTENT) } else { Err(absent()) }
        })
        .await
}

async fn delete(Db(store): Db, Id(id): Id) -> Result<StatusCode, ApiError> {
    let known =
        store.write(id, async move |tx: &mut Tx| tx.delete_automation(id).await.map_err(ApiError::from)).await?;
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(absent()) }
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Request {
    automations: Option<AutomationFilter>,
    sort: AutomationSort,
    limit: Option<i64>,
    offset: Option<i64>,
}

async fn filter(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<Request>,
) -> Result<Json<Vec<Automation>>, ApiError> {
    let (limit, offset) = (app.limit(body.limit)?, body.offset.unwrap_or(0));
    let found = store
        .read(async move |tx: &mut Tx| tx.list_automations(body.automations.as_ref(), body.sort, limit, offset).await)
        .await?;
    Ok(Json(found))
}

async fn count(Db(store): Db, Body(body): Body<Request>) -> Result<Json<i64>, ApiError> {
    let filter = body.automations;
    Ok(Json(store.read(async move |tx: &mut Tx| tx.count_automations(filter.as_ref()).await).await?))
}

async fn list_related(Db(store): Db, Path(resource): Path<String>) -> Result<Json<Vec<Automation>>, ApiError> {
    Ok(Json(store.read(async move |tx: &mut Tx| tx.list_automations_related_to(&resource).await).await?))
}

/// Always accepted: a resource without automations is the usual case.
async fn delete_owned(Db(store): Db, Path(resource): Path<String>) -> Result<(StatusCode, Json<Value>), ApiError> {
    store
        .write(resource.clone(), async move |tx: &mut Tx| {
            tx.delete_automations_owned_by(&resource).await.map_err(ApiError::from)
        })
        .await?;
    Ok((StatusCode::ACCEPTED, Json(Value::Null)))
}

#[derive(Clone, Copy, Deserialize)]
struct Page {
    limit: Option<i64>,
    #[serde(default)]
    offset: i64,
}

/// When and why an automation fired, and what came of it: the newest first.
async fn list_firings(
    State(app): State<App>,
    Db(store): Db,
    Id(id): Id,
    Params(page): Params<Page>,
) -> Result<Json<Vec<FiringRecord>>, ApiError> {
    let limit = app.limit(page.limit)?;
    Ok(Json(store.read(async move |tx: &mut Tx| tx.list_firings(id, limit, page.offset).await).await?))
}

/// Events shown to an automation in one test, and firings told.
const SHOWN: usize = 100_000;
const TOLD: usize = 1000;
const PAGE: i64 = 1000;
const DAY_SECONDS: f64 = 86_400.0;

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Test {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// What an automation would have done.
#[derive(Serialize)]
struct Tested {
    since: Timestamp,
    until: Timestamp,
    /// How many events it was shown.
    events: usize,
    /// There were more events, or it would have fired more often, than one test tells: name a shorter time.
    truncated: bool,
    firings: Vec<WouldFire>,
}

/// Shows an automation the events of a time that is over: of the last day unless the request says otherwise.
async fn test(Db(store): Db, Id(id): Id, Body(range): Body<Option<Test>>) -> Result<Json<Tested>, ApiError> {
    let range = range.unwrap_or_default();
    let until = range.until.unwrap_or_else(|| store.now());
    let since = range.since.unwrap_or_else(|| until.plus_seconds(-DAY_SECONDS));
    let automation = store.read(async move |tx: &mut Tx| tx.read_automation(id).await).await?.ok_or_else(absent)?;
    let filter = EventFilter {
        occurred: Some(OccurredFilter { since: Some(since), until: Some(until) }),
        ..EventFilter::default()
    };
    let mut rehearsal = Rehearsal::new(&automation, since);
    let (mut shown, mut last) = (0, None);
    loop {
        let filter = filter.clone();
        let page = store.read(async move |tx: &mut Tx| tx.list_events_after(&filter, last, PAGE).await).await?;
        for stored in &page {
            rehearsal.observe(&stored.parse()?);
        }
        shown += page.len();
        last = page.last().map(|event| (event.occurred, event.id));
        if (page.len() as i64) < PAGE || shown >= SHOWN || rehearsal.count() > TOLD {
            break;
        }
    }
    let mut firings = rehearsal.end(until);
    let truncated = shown >= SHOWN || firings.len() > TOLD;
    firings.truncate(TOLD);
    Ok(Json(Tested { since, until, events: shown, truncated, firings }))
}

/// The job variables of runs that will be started must fit their pools by now.
async fn check_runs(
    tx: &mut Tx,
    actions: &[Action],
    is_checked: fn(&serde_json::Map<String, Value>) -> bool,
) -> Result<(), ApiError> {
    let mut problems = Vec::new();
    for action in actions {
        let Action::RunDeployment(run) = action else { continue };
        let (Some(id), Some(variables)) = (run.deployment_id, &run.job_variables) else { continue };
        if !is_checked(variables) {
            continue;
        }
        let deployment = tx.read_deployment(id).await?;
        let deployment = deployment.ok_or_else(|| ApiError::not_found("Deployment not found."))?;
        problems.extend(job_template::problem_of_run(tx, &deployment, &RawJson::from_value(variables)).await?);
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(ApiError::unprocessable(format!("Error creating automation: {}", problems.join(" "))))
}

fn refuse_loops<T: Serialize>(why: Option<&'static str>, body: &T, loc: Vec<Loc>) -> Result<(), ApiError> {
    let Some(why) = why else { return Ok(()) };
    let body = RawJson::from_value(body).value();
    Err(ApiError::Invalid { errors: vec![FieldError::value_error(loc, why, body.clone())], body })
}

fn absent() -> ApiError {
    ApiError::ObjectNotFound("Automation not found".into())
}
