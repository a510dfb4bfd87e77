//! The API server of these tests: one pool, its runs, and what was said about them. It speaks our claim protocol, or only
//! the reference's.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::IntoResponse,
    routing::{get, patch, post},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify, time::timeout};
use uuid::Uuid;

use crate::support::DEADLINE;

/// Which protocol the server offers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Tidegate,
    Reference,
}

/// A flow run as the server has it.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) job_variables: Value,
    pub(crate) state: String,
    pub(crate) token: Option<i64>,
    pub(crate) message: String,
    pub(crate) failure: Value,
    pub(crate) infrastructure_pid: Option<String>,
    pub(crate) starts: usize,
}

impl Run {
    fn is_over(&self) -> bool {
        ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"].contains(&self.state.as_str())
    }
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) runs: BTreeMap<Uuid, Run>,
    pub(crate) pool: Option<Value>,
    pub(crate) logs: Vec<Value>,
    pub(crate) events: Vec<Value>,
    pub(crate) labels: BTreeMap<Uuid, Value>,
    pub(crate) heartbeats: usize,
    pub(crate) renewals: usize,
    /// How many runs the newest claim asked for.
    pub(crate) last_claim: Option<u64>,
    /// Runs that the next renewals call lost.
    pub(crate) lost: HashSet<Uuid>,
    /// Requests are answered with 503 while this is set.
    pub(crate) is_down: bool,
    next_token: i64,
}

/// The server, and the test's hand in it.
#[derive(Clone)]
pub(crate) struct Api {
    world: Arc<Mutex<World>>,
    changed: Arc<Notify>,
    pub(crate) url: String,
}

type Answer = (StatusCode, Json<Value>);

fn ok(value: Value) -> Answer {
    (StatusCode::OK, Json(value))
}

fn not_found() -> Answer {
    (StatusCode::NOT_FOUND, Json(json!({"detail": "not found"})))
}

impl Api {
    pub(crate) async fn start(kind: Kind) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/api", listener.local_addr().unwrap());
        let api = Self { world: Arc::default(), changed: Arc::default(), url };
        let app = Router::new().nest("/api", routes(kind)).with_state(api.clone());
        let gate = api.clone();
        let app =
            app.layer(axum::middleware::from_fn(move |request, next: axum::middleware::Next| {
                let is_down = gate.world().is_down;
                async move {
                    if is_down { StatusCode::SERVICE_UNAVAILABLE.into_response() } else { next.run(request).await }
                }
            }));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        api
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// A due run whose process is `sh -c script`.
    pub(crate) fn add(&self, script: &str) -> Uuid {
        let quoted = script.replace('\'', r"'\''");
        self.add_with(json!({"command": format!("sh -c '{quoted}'")}))
    }

    pub(crate) fn add_with(&self, job_variables: Value) -> Uuid {
        let id = Uuid::now_v7();
        let run = Run {
            job_variables,
            state: "SCHEDULED".into(),
            token: None,
            message: String::new(),
            failure: Value::Null,
            infrastructure_pid: None,
            starts: 0,
        };
        self.change(|world| drop(world.runs.insert(id, run)));
        id
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.world());
        self.changed.notify_waiters();
    }

    pub(crate) fn set_state(&self, id: Uuid, state: &str) {
        self.change(|world| state.clone_into(&mut world.runs.get_mut(&id).unwrap().state));
    }

    pub(crate) fn run(&self, id: Uuid) -> Run {
        self.world().runs[&id].clone()
    }

    /// Heartbeats and renewals so far.
    pub(crate) fn signs_of_life(&self) -> (usize, usize) {
        let world = self.world();
        (world.heartbeats, world.renewals)
    }

    /// Everything logged for a run, one text.
    pub(crate) fn log(&self, id: Uuid) -> String {
        let world = self.world();
        let own = world.logs.iter().filter(|log| log["flow_run_id"] == json!(id));
        own.map(|log| log["message"].as_str().unwrap().to_owned() + "\n").collect()
    }

    /// Waits until something holds; the deadline is only for tests that fail.
    pub(crate) async fn until(&self, what: &str, mut holds: impl FnMut(&World) -> bool) {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                if holds(&self.world()) {
                    return;
                }
                changed.await;
            }
        };
        let ended = timeout(DEADLINE, waiting).await;
        assert!(ended.is_ok(), "it never came to this: {what}; runs: {:#?}", self.world().runs);
    }

    pub(crate) async fn until_state(&self, id: Uuid, state: &str) {
        self.until(&format!("run is {state}"), |world| world.runs[&id].state == state).await;
    }

    fn flow_run(world: &World, id: Uuid) -> Option<Value> {
        let run = world.runs.get(&id)?;
        Some(json!({
            "id": id, "name": "blue-fox", "flow_id": Uuid::nil(), "state_type": run.state,
            "job_variables": run.job_variables, "infrastructure_pid": run.infrastructure_pid,
            "next_scheduled_start_time": "2026-01-01T00:00:00Z",
            "state": state(&run.state, &run.message),
        }))
    }

    /// Writes a state unless the run is over; answers as the API does.
    fn propose(&self, id: Uuid, body: &Value) -> Answer {
        let mut world = self.world();
        let Some(run) = world.runs.get_mut(&id) else { return not_found() };
        let proposed = body["state"]["type"].as_str().unwrap().to_owned();
        let is_refused = (run.is_over() && body["force"] != json!(true))
            || (proposed == "PENDING" && run.state != "SCHEDULED" && body["state"]["name"] != "Submitting")
            || body.get("token").is_some_and(|token| *token != json!(run.token));
        if !is_refused {
            run.state = proposed;
            body["state"]["message"].as_str().unwrap_or_default().clone_into(&mut run.message);
            run.failure = body.get("failure").cloned().unwrap_or_default();
        }
        let state = state(&run.state, &run.message);
        drop(world);
        self.changed.notify_waiters();
        if is_refused {
            ok(json!({"state": state, "status": "ABORT", "details": {"type": "abort_details", "reason": "no"}}))
        } else {
            ok(json!({"state": state, "status": "ACCEPT", "details": {"type": "accept_details"}}))
        }
    }
}

fn state(kind: &str, message: &str) -> Value {
    json!({"id": Uuid::now_v7(), "type": kind, "name": kind, "timestamp": "2026-01-01T00:00:00Z", "message": message,
        "data": null, "state_details": {}})
}

fn routes(kind: Kind) -> Router<Api> {
    let routes = Router::new()
        .route("/work_pools/", post(create_pool))
        .route("/work_pools/{name}", get(read_pool).patch(no_content))
        .route("/work_pools/{name}/workers/heartbeat", post(heartbeat))
        .route("/work_pools/{name}/get_scheduled_flow_runs", post(scheduled))
        .route("/flows/{id}", get(read_flow))
        .route("/flow_runs/filter", post(filter_runs))
        .route("/flow_runs/{id}", get(read_run).patch(update_run))
        .route("/flow_runs/{id}/labels", patch(label))
        .route("/flow_runs/{id}/set_state", post(set_state))
        .route("/events", post(write_events))
        .route("/logs/", post(write_logs))
        .route("/logs/filter", post(read_logs));
    match kind {
        Kind::Reference => routes,
        Kind::Tidegate => routes
            .route("/tidegate/version", get(|| async { Json(json!({"version": "0", "api": "0.8.4"})) }))
            .route("/work_pools/{name}/claim", post(claim))
            .route("/work_pools/{name}/leases/renew", post(renew))
            .route("/flow_runs/{id}/verdict", post(set_state))
            .route("/flow_runs/{id}/infrastructure", get(infrastructure)),
    }
}

async fn no_content() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn create_pool(State(api): State<Api>, Json(mut pool): Json<Value>) -> Answer {
    pool["id"] = json!(Uuid::nil());
    api.change(|world| world.pool = Some(pool.clone()));
    (StatusCode::CREATED, Json(pool))
}

async fn read_pool(State(api): State<Api>) -> Answer {
    api.world().pool.clone().map_or_else(not_found, ok)
}

async fn heartbeat(State(api): State<Api>) -> StatusCode {
    api.change(|world| world.heartbeats += 1);
    StatusCode::NO_CONTENT
}

async fn read_flow() -> Answer {
    ok(json!({"id": Uuid::nil(), "name": "etl", "tags": []}))
}

async fn scheduled(State(api): State<Api>) -> Answer {
    let world = api.world();
    let due = world.runs.iter().filter(|(_, run)| run.state == "SCHEDULED");
    let entry =
        |id| json!({"work_pool_id": Uuid::nil(), "work_queue_id": Uuid::nil(), "flow_run": Api::flow_run(&world, id)});
    ok(due.map(|(id, _)| entry(*id)).collect())
}

async fn filter_runs(State(api): State<Api>, Json(body): Json<Value>) -> Answer {
    let world = api.world();
    let wanted = |id: &Uuid, run: &Run| {
        body["flow_runs"]["id"]["any_"].as_array().unwrap().contains(&json!(id))
            && body["flow_runs"]["state"]["type"]["any_"].as_array().unwrap().contains(&json!(run.state))
    };
    ok(world.runs.iter().filter(|(id, run)| wanted(id, run)).map(|(id, _)| Api::flow_run(&world, *id)).collect())
}

async fn read_run(State(api): State<Api>, Path(id): Path<Uuid>) -> Answer {
    let world = api.world();
    Api::flow_run(&world, id).map_or_else(not_found, ok)
}

async fn update_run(State(api): State<Api>, Path(id): Path<Uuid>, Json(body): Json<Value>) -> StatusCode {
    let Some(pid) = body["infrastructure_pid"].as_str() else { return StatusCode::UNPROCESSABLE_ENTITY };
    api.change(|world| {
        let run = world.runs.get_mut(&id).unwrap();
        run.infrastructure_pid = Some(pid.to_owned());
        run.starts += 1;
    });
    StatusCode::NO_CONTENT
}

async fn set_state(State(api): State<Api>, Path(id): Path<Uuid>, Json(body): Json<Value>) -> Answer {
    api.propose(id, &body)
}

async fn write_logs(State(api): State<Api>, Json(logs): Json<Vec<Value>>) -> StatusCode {
    api.change(|world| world.logs.extend(logs));
    StatusCode::CREATED
}

async fn write_events(State(api): State<Api>, Json(events): Json<Vec<Value>>) -> StatusCode {
    api.change(|world| world.events.extend(events));
    StatusCode::NO_CONTENT
}

async fn label(State(api): State<Api>, Path(id): Path<Uuid>, Json(labels): Json<Value>) -> StatusCode {
    api.change(|world| drop(world.labels.insert(id, labels)));
    StatusCode::NO_CONTENT
}

async fn read_logs(State(api): State<Api>, Json(body): Json<Value>) -> Answer {
    let wanted = body["logs"]["flow_run_id"]["any_"][0].clone();
    let world = api.world();
    let mut logs: Vec<_> = world.logs.iter().filter(|log| log["flow_run_id"] == wanted).cloned().collect();
    for log in &mut logs {
        log["id"] = json!(Uuid::now_v7());
    }
    ok(logs.into())
}

async fn claim(State(api): State<Api>, Json(body): Json<Value>) -> Answer {
    let wait = Duration::from_secs_f64(body["wait_seconds"].as_f64().unwrap());
    api.change(|world| world.last_claim = body["limit"].as_u64());
    let answer = async {
        loop {
            let changed = api.changed.notified();
            if let Some(answer) = try_claim(&api, body["limit"].as_u64().unwrap() as usize) {
                return answer;
            }
            changed.await;
        }
    };
    timeout(wait, answer).await.unwrap_or_else(|_| ok(json!({"runs": [], "cancelling": []})))
}

fn try_claim(api: &Api, limit: usize) -> Option<Answer> {
    let mut world = api.world();
    let due: Vec<_> =
        world.runs.iter().filter(|(_, run)| run.state == "SCHEDULED").map(|(id, _)| *id).take(limit).collect();
    let mut runs = Vec::new();
    for id in due {
        world.next_token += 1;
        let token = world.next_token;
        let run = world.runs.get_mut(&id)?;
        run.state = "PENDING".into();
        run.token = Some(token);
        runs.push(json!({
            "work_pool_id": Uuid::nil(), "work_queue_id": Uuid::nil(), "flow_run": Api::flow_run(&world, id),
            "owner": {"token": token, "attempt": 1, "deadline": "2026-01-01T00:00:30Z"},
        }));
    }
    let cancelling = world.runs.iter().filter(|(_, run)| run.state == "CANCELLING" && run.token.is_some());
    let cancelling: Vec<_> = cancelling.map(|(id, run)| json!({"flow_run_id": id, "token": run.token})).collect();
    (!runs.is_empty() || !cancelling.is_empty()).then(|| ok(json!({"runs": runs, "cancelling": cancelling})))
}

async fn renew(State(api): State<Api>, Json(body): Json<Value>) -> Answer {
    let mut answer = json!({"renewed": [], "lost": [], "cancelling": []});
    api.change(|world| {
        world.renewals += 1;
        for owned in body["runs"].as_array().unwrap() {
            let id: Uuid = owned["flow_run_id"].as_str().unwrap().parse().unwrap();
            let run = &world.runs[&id];
            let is_lost = world.lost.contains(&id) || run.is_over() || json!(run.token) != owned["token"];
            let key = if is_lost { "lost" } else { "renewed" };
            answer[key].as_array_mut().unwrap().push(json!(id));
        }
    });
    ok(answer)
}

async fn infrastructure(State(api): State<Api>, Path(id): Path<Uuid>) -> Answer {
    let run = api.run(id);
    let owner = run.token.map(|token| json!({"token": token, "attempt": 1, "deadline": "2026-01-01T00:00:30Z"}));
    ok(json!({"owner": owner, "owner_name": "w", "attempt": 1, "failure": null, "infrastructure_pid": null}))
}
