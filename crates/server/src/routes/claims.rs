//! Tidegate's own worker protocol: due runs are handed over the moment they are due, leases are renewed, and an owner tells
//! how its infrastructure ended.

use std::time::Duration;

use axum::{
    extract::{Path, State},
    response::Response,
};
use tidegate_api::orchestration::{
    ClaimRequest, ClaimResponse, Infrastructure, OrchestrationResult, RenewRequest, RenewResponse, ResultDetails,
    Verdict,
};
use tidegate_core::{
    orchestration::{FlowRunPolicyKind, Status},
    state::{StateCreate, StateType},
    time::Timestamp,
};
use tidegate_store::{Store, Tx, Wake, claims::Claimant, flow_run_states::Proposal};
use tokio::{sync::broadcast, time::Instant};
use uuid::Uuid;

use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Caller, Db, Id},
    orchestration::respond,
    router::Routes,
    routes::flow_runs::absent,
};

pub fn routes(routes: Routes) -> Routes {
    routes
        .post("/work_pools/{name}/claim", claim)
        .post("/work_pools/{name}/leases/renew", renew)
        .post("/flow_runs/{id}/verdict", verdict)
        .get("/flow_runs/{id}/infrastructure", infrastructure)
}

/// A request to cancel is told again for this long to a worker that asks anew; after that, renewals tell it.
const CANCEL_MEMORY_SECONDS: f64 = 2.0;
const LONGEST_WAIT_SECONDS: f64 = 60.0;
/// The lease of a run whose worker has yet to say that it came.
const UNACKNOWLEDGED_SECONDS: f64 = 8.0;
/// Without a nudge a waiter looks again this often, so that a lost nudge costs a moment and nothing else.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

async fn claim(
    State(app): State<App>,
    Db(store): Db,
    Path(name): Path<String>,
    Body(request): Body<ClaimRequest>,
) -> Result<Json<ClaimResponse>, ApiError> {
    // Subscribed before the first look, so that nothing falls between the look and the wait.
    let mut wakes = store.wakes();
    let claimant = claimant(&app, &store, &name, &request).await?;
    let deadline = Instant::now() + Duration::from_secs_f64(request.wait_seconds.clamp(0.0, LONGEST_WAIT_SECONDS));
    let mut cancelled_since = store.now().plus_seconds(-CANCEL_MEMORY_SECONDS);
    loop {
        note_poll(&store, &claimant).await?;
        let looked = store.now();
        let answer = look(&app, &store, &claimant, cancelled_since).await?;
        if !answer.runs.is_empty() || !answer.cancelling.is_empty() || Instant::now() >= deadline {
            return Ok(Json(answer));
        }
        cancelled_since = looked.plus_seconds(-0.1);
        let next_due = store.read(async move |tx: &mut Tx| tx.next_due_time(claimant.pool).await).await?;
        tokio::select! {
            () = until_due(&store, next_due) => {}
            () = nudged(&mut wakes, claimant.pool) => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = tokio::time::sleep_until(deadline) => return Ok(Json(ClaimResponse::default())),
            () = app.stopping.cancelled() => return Ok(Json(ClaimResponse::default())),
        }
    }
}

async fn claimant(app: &App, store: &Store, name: &str, request: &ClaimRequest) -> Result<Claimant, ApiError> {
    let (name, wanted) = (name.to_owned(), request.work_queue_names.clone());
    let (pool, queues) = store
        .read(async move |tx: &mut Tx| {
            let pool = tx
                .read_work_pool_by_name(&name)
                .await?
                .ok_or_else(|| ApiError::not_found(format!("Work pool \"{name}\" not found.")))?;
            let mut queues = Vec::new();
            for queue in wanted.iter().flatten() {
                let queue = tx
                    .read_work_queue_by_name(&name, queue)
                    .await?
                    .ok_or_else(|| ApiError::not_found(format!("Work pool queue '{name}/{queue}' not found.")))?;
                queues.push(queue.id);
            }
            Ok::<_, ApiError>((pool.id, wanted.as_ref().map(|_| queues)))
        })
        .await?;
    let lease = request.lease_seconds.unwrap_or(app.settings.lease_seconds).clamp(1.0, 86_400.0);
    Ok(Claimant {
        pool,
        worker_name: request.worker_name.clone(),
        queues,
        limit: request.limit.clamp(0, 200),
        lease_seconds: if request.acknowledges { lease.min(UNACKNOWLEDGED_SECONDS) } else { lease },
    })
}

/// The queues are being asked for runs: that makes them, and the deployments in them, ready.
async fn note_poll(store: &Store, claimant: &Claimant) -> Result<(), ApiError> {
    let asked = claimant.clone();
    let stale =
        store.read(async move |tx: &mut Tx| tx.list_stale_polls(asked.pool, asked.queues.as_deref()).await).await?;
    if !stale.is_empty() {
        store.write(claimant.pool, async move |tx: &mut Tx| tx.record_polls(&stale).await).await?;
    }
    Ok(())
}

/// One look: claims what is due. Reads first, so that waiting costs no writes.
async fn look(app: &App, store: &Store, claimant: &Claimant, since: Timestamp) -> Result<ClaimResponse, ApiError> {
    let asked = claimant.clone();
    let (due, cancelling) = store
        .read(async move |tx: &mut Tx| {
            let due = asked.limit > 0 && tx.has_due_flow_runs(asked.pool, asked.queues.as_deref()).await?;
            Ok::<_, ApiError>((due, tx.list_cancelling(&asked.worker_name, since).await?))
        })
        .await?;
    if !due {
        return Ok(ClaimResponse { runs: Vec::new(), cancelling });
    }
    let proposal = Proposal { waits: app.waits(), random: rand::random(), ..Proposal::internal() };
    let asked = claimant.clone();
    let runs = store
        .write(claimant.pool, async move |tx: &mut Tx| {
            let runs = tx.claim_flow_runs(&asked, &proposal).await?;
            Ok::<_, ApiError>(runs)
        })
        .await?;
    Ok(ClaimResponse { runs, cancelling })
}

async fn until_due(store: &Store, due: Option<Timestamp>) {
    match due {
        // A little late rather than a little early: an early look finds nothing.
        Some(due) => tokio::time::sleep(Duration::from_secs_f64(due.seconds_since(store.now()).max(0.0) + 0.001)).await,
        None => std::future::pending().await,
    }
}

/// Ends when something happened that this pool's waiters may care for.
async fn nudged(wakes: &mut broadcast::Receiver<Wake>, pool: Uuid) {
    loop {
        match wakes.recv().await {
            Ok(Wake::Work { pool: of, .. } | Wake::Cancel { pool: of }) if of == pool => return,
            Ok(Wake::Slots) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        }
    }
}

async fn renew(
    State(app): State<App>,
    Db(store): Db,
    Path(name): Path<String>,
    Body(request): Body<RenewRequest>,
) -> Result<Json<RenewResponse>, ApiError> {
    let seconds = request.lease_seconds.unwrap_or(app.settings.lease_seconds).clamp(1.0, 86_400.0);
    store
        .write(name.clone(), async move |tx: &mut Tx| {
            let known = tx.read_work_pool_id(&name).await?;
            known.ok_or_else(|| ApiError::not_found(format!("Work pool \"{name}\" not found.")))?;
            Ok(Json(tx.renew_owner_leases(&request.worker_name, &request.runs, seconds).await?))
        })
        .await
}

async fn verdict(
    State(app): State<App>,
    Db(store): Db,
    caller: Caller,
    Id(id): Id,
    Body(body): Body<Verdict>,
) -> Result<Response, ApiError> {
    let started = store.now();
    match (body.state.kind, &body.retry) {
        (StateType::Failed | StateType::Crashed | StateType::Cancelled, None) | (StateType::Scheduled, Some(_)) => {}
        _ => {
            return Err(ApiError::unprocessable(
                "A verdict is FAILED, CRASHED or CANCELLED, or SCHEDULED with `retry`.",
            ));
        }
    }
    let proposal =
        Proposal { token: Some(body.token), failure: body.failure.clone(), ..app.proposal(&caller, id, false) };
    let result = store.write(id, async move |tx: &mut Tx| judge(tx, id, &body, &proposal).await).await?;
    Ok(respond(result, started))
}

async fn judge(tx: &mut Tx, id: Uuid, body: &Verdict, proposal: &Proposal) -> Result<OrchestrationResult, ApiError> {
    let run = tx.read_flow_run(id).await?.ok_or_else(absent)?;
    let is_cancelling = run.state_type == Some(StateType::Cancelling);
    let forced = proposal.clone().by(FlowRunPolicyKind::Minimal);
    if let Some(retry) = &body.retry
        && !is_cancelling
        && tx.grant_retry(id, body.token, retry.job_variables.clone()).await?
    {
        // Its owner was looked at; a run that said itself that it crashed has none any more.
        let granted = Proposal { token: None, ..forced };
        return Ok(tx.set_flow_run_state(id, body.state.clone(), &granted).await?.ok_or_else(absent)?.result);
    }
    if run.state_type.is_some_and(StateType::is_terminal) {
        if let Some(failure) = &body.failure {
            tx.explain_crash(id, body.token, failure).await?;
        }
        let details = ResultDetails::Abort { reason: Some("The run has ended already; its state stands.".to_owned()) };
        return Ok(OrchestrationResult { state: run.state, status: Status::Abort, details });
    }
    // A run that is being cancelled ends as CANCELLED, whatever its process said when it was killed.
    let proposed = if is_cancelling {
        StateCreate { message: body.state.message.clone(), ..StateCreate::of(StateType::Cancelled) }
    } else {
        body.state.clone()
    };
    let changed = tx.set_flow_run_state(id, proposed.clone(), proposal).await?.ok_or_else(absent)?;
    let is_decided = matches!(changed.result.status, Status::Accept | Status::Abort);
    let is_scheduled = changed.result.state.as_ref().is_some_and(|state| state.kind == StateType::Scheduled);
    if is_decided || is_scheduled {
        return Ok(changed.result);
    }
    // The infrastructure is gone: no rule can keep the run in a state that nobody will ever leave.
    Ok(tx.set_flow_run_state(id, proposed, &forced).await?.ok_or_else(absent)?.result)
}

async fn infrastructure(Db(store): Db, Id(id): Id) -> Result<Json<Infrastructure>, ApiError> {
    store.read(async move |tx: &mut Tx| tx.read_infrastructure(id).await?.map(Json).ok_or_else(absent)).await
}
