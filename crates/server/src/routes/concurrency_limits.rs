//! Global concurrency limits over HTTP: taking slots by name, with and without leases, and giving them back.

mod tags;
pub mod waiting;

use axum::{
    extract::{FromRequestParts, Path, State},
    http::{HeaderName, HeaderValue, StatusCode, request::Parts},
};
use serde::Deserialize;
use tidegate_api::{
    Patch,
    concurrency_limits::{
        ConcurrencyHolder, ConcurrencyLeaseHolder, ConcurrencyLimitV2, ConcurrencyLimitV2Create,
        ConcurrencyLimitV2Update, ConcurrencyLimitWithLease, MinimalConcurrencyLimit,
    },
    contract,
    deployments::GlobalConcurrencyLimit,
};
use tidegate_core::orchestration::clamped_poisson;
use tidegate_store::{Tx, concurrency_limits::Limit};
use uuid::Uuid;

use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Db, no_route, parse_path_uuid},
    router::Routes,
};
use waiting::Wait;

pub fn routes(routes: Routes) -> Routes {
    routes
        .post("/v2/concurrency_limits/", create)
        .get("/v2/concurrency_limits/{id_or_name}", read)
        .patch("/v2/concurrency_limits/{id_or_name}", update)
        .delete("/v2/concurrency_limits/{id_or_name}", delete)
        .get("/v2/concurrency_limits/{id_or_name}/holders", holders)
        .post("/v2/concurrency_limits/{id_or_name}/holders/{lease_id}/release", release_holder)
        .post("/v2/concurrency_limits/filter", filter)
        .post("/v2/concurrency_limits/increment", increment)
        .post("/v2/concurrency_limits/increment-with-lease", increment_with_lease)
        .post("/v2/concurrency_limits/decrement", decrement)
        .post("/v2/concurrency_limits/decrement-with-lease", decrement_with_lease)
        .post("/v2/concurrency_limits/leases/{lease_id}/renew", renew)
        .post("/concurrency_limits/", tags::create)
        .get("/concurrency_limits/{id}", tags::read)
        .delete("/concurrency_limits/{id}", tags::delete)
        .get("/concurrency_limits/tag/{tag}", tags::read_by_tag)
        .delete("/concurrency_limits/tag/{tag}", tags::delete_by_tag)
        .post("/concurrency_limits/tag/{tag}/reset", tags::reset)
        .post("/concurrency_limits/filter", tags::filter)
        .post("/concurrency_limits/increment", tags::increment)
        .post("/concurrency_limits/decrement", tags::decrement)
}

async fn create(
    Db(store): Db,
    Body(body): Body<ConcurrencyLimitV2Create>,
) -> Result<(StatusCode, Json<ConcurrencyLimitV2>), ApiError> {
    let key = body.name.clone();
    let limit = store.write(key, async move |tx: &mut Tx| tx.create_concurrency_limit(&body).await).await?;
    Ok((StatusCode::CREATED, Json(limit.v2())))
}

async fn read(Db(store): Db, Path(name): Path<String>) -> Result<Json<GlobalConcurrencyLimit>, ApiError> {
    store.read(async move |tx: &mut Tx| Ok(Json(require(tx, &name).await?.global()))).await
}

/// A limit by id or by name.
async fn require(tx: &mut Tx, id_or_name: &str) -> Result<Limit, ApiError> {
    let found = match parse_path_uuid(id_or_name) {
        Some(id) => tx.read_concurrency_limit(id).await?,
        None => tx.read_concurrency_limit_by_name(id_or_name).await?,
    };
    found.ok_or_else(|| ApiError::not_found("Concurrency Limit not found"))
}

async fn update(
    Db(store): Db,
    Path(name): Path<String>,
    Body(body): Body<ConcurrencyLimitV2Update>,
) -> Result<StatusCode, ApiError> {
    store
        .write(name.clone(), async move |tx: &mut Tx| {
            let limit = require(tx, &name).await?;
            if clears_something(&body) {
                return Err(ApiError::integrity());
            }
            tx.update_concurrency_limit(limit.row.id, body.clone()).await?;
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

/// No column of a limit can be null.
fn clears_something(update: &ConcurrencyLimitV2Update) -> bool {
    matches!(update.active, Patch::Clear)
        || matches!(update.name, Patch::Clear)
        || matches!(update.limit, Patch::Clear)
        || matches!(update.active_slots, Patch::Clear)
        || matches!(update.denied_slots, Patch::Clear)
        || matches!(update.slot_decay_per_second, Patch::Clear)
}

async fn delete(Db(store): Db, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    store
        .write(name.clone(), async move |tx: &mut Tx| {
            let limit = require(tx, &name).await?;
            tx.delete_concurrency_limit(limit.row.id).await?;
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

/// How many requests wait for slots of a limit, on the server that answers.
const WAITING: HeaderName = HeaderName::from_static("x-tidegate-waiting");

/// Ours: who holds the slots, since when.
async fn holders(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<Vec<ConcurrencyHolder>>), ApiError> {
    let (name, holders) = app
        .store
        .read(async move |tx: &mut Tx| {
            let limit = require(tx, &name).await?;
            let holders = tx.list_concurrency_holders(limit.row.id).await?;
            Ok::<_, ApiError>((limit.row.name, holders))
        })
        .await?;
    Ok(([(WAITING, HeaderValue::from(app.slot_line.count(&name)))], Json(holders)))
}

/// Ours: takes the slots from a holder. The holder hears of it when it renews its lease the next time.
async fn release_holder(Db(store): Db, Path((name, lease)): Path<(String, String)>) -> Result<StatusCode, ApiError> {
    let lease = parse_path_uuid(&lease).ok_or_else(no_route)?;
    store
        .write(name.clone(), async move |tx: &mut Tx| {
            let limit = require(tx, &name).await?;
            if tx.release_concurrency_holder(limit.row.id, lease).await? {
                Ok(StatusCode::NO_CONTENT)
            } else {
                Err(ApiError::not_found("The lease holds no slots of this limit."))
            }
        })
        .await
}

#[derive(Deserialize)]
pub struct List {
    limit: Option<i64>,
    offset: Option<i64>,
}

async fn filter(
    State(app): State<App>,
    Db(store): Db,
    Body(body): Body<List>,
) -> Result<Json<Vec<GlobalConcurrencyLimit>>, ApiError> {
    let (limit, offset) = (app.limit(body.limit)?, body.offset.unwrap_or(0));
    let limits = store.read(async move |tx: &mut Tx| tx.list_concurrency_limits(limit, offset).await).await?;
    Ok(Json(limits.iter().map(Limit::global).collect()))
}

#[derive(Clone, Deserialize)]
struct Increment {
    slots: i64,
    names: Vec<String>,
    #[serde(default)]
    mode: Mode,
    #[serde(default = "default_lease")]
    lease_duration: f64,
    #[serde(default)]
    holder: Option<ConcurrencyLeaseHolder>,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Concurrency,
    RateLimit,
}

fn default_lease() -> f64 {
    300.0
}

/// How a request for slots ended.
enum Taken {
    All(Vec<MinimalConcurrencyLimit>),
    Full {
        retry_after: f64,
        /// The fastest decay among the limits: slots that come back without anybody giving them back.
        decay_per_second: f64,
    },
}

async fn increment(
    State(app): State<App>,
    wait: Wait,
    Body(body): Body<Increment>,
) -> Result<Json<Vec<MinimalConcurrencyLimit>>, ApiError> {
    Ok(Json(waiting::take(&app, body, None, wait).await?))
}

async fn increment_with_lease(
    State(app): State<App>,
    wait: Wait,
    Body(body): Body<Increment>,
) -> Result<Json<ConcurrencyLimitWithLease>, ApiError> {
    let lease_id = Uuid::now_v7();
    Ok(Json(ConcurrencyLimitWithLease { lease_id, limits: waiting::take(&app, body, Some(lease_id), wait).await? }))
}

fn locked(retry_after: f64) -> ApiError {
    ApiError::Locked { detail: "Locked".into(), retry_after }
}

/// Takes slots of all limits or of none. Unknown names and inactive limits do not count. What is denied lengthens the wait
/// that others are told; who waits in line is counted once.
async fn take(
    app: &App,
    tx: &mut Tx,
    request: &Increment,
    lease: Option<Uuid>,
    counts_denial: bool,
) -> Result<Taken, ApiError> {
    let limits = tx.lock_concurrency_limits(&request.names).await?;
    let active: Vec<&Limit> = limits.iter().filter(|limit| limit.row.active).collect();
    if active.iter().any(|limit| limit.row.limit < request.slots) {
        return Err(ApiError::unprocessable("Slots requested is greater than the limit"));
    }
    let steady: Vec<&str> =
        active.iter().filter(|limit| limit.row.slot_decay_per_second == 0.0).map(|limit| &*limit.row.name).collect();
    if request.mode == Mode::RateLimit && !steady.is_empty() {
        return Err(ApiError::unprocessable(format!(
            "Only concurrency limits with slot decay can be used for rate limiting. The following limits do not have a decay \
             configured: '{}'",
            steady.join(",")
        )));
    }
    if active.iter().any(|limit| limit.taken() + request.slots > limit.row.limit) {
        if counts_denial {
            for limit in &active {
                tx.deny_slots(limit, request.slots, app.longest_slot_wait(limit)).await?;
            }
        }
        let decay_per_second = active.iter().map(|limit| limit.row.slot_decay_per_second).fold(0.0, f64::max);
        return Ok(Taken::Full { retry_after: app.retry_after(&active, request.slots), decay_per_second });
    }
    let mut leased = Vec::new();
    for limit in &active {
        // Slots of a decaying limit come back by themselves: a lease on them would hold what is free.
        if lease.is_some() && limit.row.slot_decay_per_second == 0.0 {
            leased.push(limit.row.id);
        } else {
            tx.take_unleased_slots(limit, request.slots, app.longest_slot_wait(limit)).await?;
        }
    }
    if let Some(lease) = lease {
        tx.create_lease(lease, &leased, request.slots, request.lease_duration, request.holder.as_ref()).await?;
    }
    Ok(Taken::All(limits.iter().map(minimal).collect()))
}

fn minimal(limit: &Limit) -> MinimalConcurrencyLimit {
    MinimalConcurrencyLimit { id: limit.row.id, name: limit.row.name.clone(), limit: limit.row.limit }
}

impl App {
    fn longest_slot_wait(&self, limit: &Limit) -> f64 {
        if limit.row.name.starts_with("tag:") {
            self.settings.tag_slot_wait_seconds
        } else {
            self.settings.maximum_slot_wait_seconds
        }
    }

    /// When it is worth asking again: about as long as the slots in front take to come back, spread so that not everybody
    /// comes at once.
    fn retry_after(&self, limits: &[&Limit], slots: i64) -> f64 {
        let blocking = |limit: &Limit| {
            let waiting = (slots + limit.row.denied_slots + slots) as f64;
            if limit.row.slot_decay_per_second > 0.0 { waiting } else { waiting / limit.row.limit.max(1) as f64 }
        };
        let average = limits.iter().max_by(|a, b| blocking(a).total_cmp(&blocking(b))).map_or(1.0, |limit| {
            if limit.row.slot_decay_per_second > 0.0 {
                return blocking(limit) / limit.row.slot_decay_per_second;
            }
            let longest = self.longest_slot_wait(limit);
            (limit.row.avg_slot_occupancy_seconds.min(longest) * blocking(limit)).min(longest)
        });
        clamped_poisson(average, 0.3, rand::random())
    }
}

#[derive(Deserialize)]
struct Decrement {
    slots: i64,
    names: Vec<String>,
    occupancy_seconds: Option<f64>,
}

async fn decrement(Db(store): Db, Body(body): Body<Decrement>) -> Result<Json<Vec<MinimalConcurrencyLimit>>, ApiError> {
    let key = body.names.clone();
    store
        .write(key, async move |tx: &mut Tx| {
            let limits = tx.lock_concurrency_limits(&body.names).await?;
            for limit in limits.iter().filter(|limit| limit.row.active) {
                tx.release_unleased_slots(limit, body.slots, body.occupancy_seconds).await?;
            }
            Ok(Json(limits.iter().map(minimal).collect()))
        })
        .await
}

#[derive(Deserialize)]
struct OfLease {
    lease_id: Uuid,
}

/// Giving back what is gone already is no error: the slots are free either way.
async fn decrement_with_lease(Db(store): Db, Body(body): Body<OfLease>) -> Result<StatusCode, ApiError> {
    store.write(body.lease_id, async move |tx: &mut Tx| tx.release_lease(body.lease_id).await).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The lease of the path. Here, and only here, the contract checks a path's id as a value instead of as a route.
struct Lease(Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Lease {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| no_route())?;
        contract::uuid_at(vec!["path".into(), "lease_id".into()], &text)
            .map(Self)
            .map_err(|error| ApiError::Invalid { errors: vec![error], body: serde_json::Value::Null })
    }
}

#[derive(Deserialize)]
struct Renew {
    #[serde(default = "default_lease")]
    lease_duration: f64,
}

async fn renew(Db(store): Db, Lease(id): Lease, Body(body): Body<Renew>) -> Result<StatusCode, ApiError> {
    let live = store.write(id, async move |tx: &mut Tx| tx.renew_lease(id, body.lease_duration).await).await?;
    if live {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::Detail(StatusCode::GONE, "Lease not found - it may have expired or been revoked".into()))
    }
}
