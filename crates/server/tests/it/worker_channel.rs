//! The worker channel as upstream workers speak it: the beginning, heartbeats, changes of the pool, and clean-up messages that
//! are one worker's at a time. On both databases.

use reqwest::Method;
use serde_json::{Value, json};
use tidegate_testkit::{FreshDatabase, eventually};
use uuid::Uuid;

use crate::{
    sockets::Socket,
    support::{TestServer, id_of, often},
};

on_both_databases!(
    a_worker_makes_its_pool_and_hears_of_changes,
    what_does_not_keep_to_the_protocol_is_closed_with_its_reason,
    a_clean_up_is_one_workers_until_it_is_done_or_given_back,
    after_three_tries_nobody_is_asked_to_clean_up_any_more,
);

const CONSUMER: Uuid = Uuid::from_u128(7);
const BASIC: [&str; 2] = ["worker_heartbeat.v1", "work_pool_snapshot.v1"];

fn frame(kind: &str, payload: Value) -> Value {
    json!({"type": kind, "id": Uuid::now_v7(), "sent_at": "2026-01-01T00:00:00Z", "payload": payload})
}

fn hello(change: Value) -> Value {
    let mut payload = json!({
        "consumer_id": CONSUMER, "worker_name": "w", "worker_type": "process", "heartbeat_interval_seconds": 30,
        "supported_channel_versions": ["work_pool_worker_channel.v1"], "requested_capabilities": BASIC,
        "work_queue_names": [], "handled_cleanup_kinds": [], "max_cleanup_concurrency": 0,
        "create_pool_if_not_found": true, "default_base_job_template": {"job_configuration": {}, "variables": {}},
        "worker_metadata": null,
    });
    payload.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    frame("worker.hello.v1", payload)
}

/// A worker that cleans up.
fn cleaner(name: &str) -> Value {
    let capabilities: Vec<&str> = BASIC.into_iter().chain(["cleanup_delivery.v1"]).collect();
    hello(json!({
        "worker_name": name, "requested_capabilities": capabilities, "max_cleanup_concurrency": 1,
        "handled_cleanup_kinds": ["cancelling_timeout_teardown.v1"],
    }))
}

async fn connect(server: &TestServer, hello: Value) -> (Socket, Value) {
    let mut socket = Socket::connect(server, "/work_pools/pool/workers/connect").await;
    socket.send(&hello).await;
    let ready = socket.receive().await;
    assert_eq!(ready["type"], "worker.ready.v1", "{ready}");
    (socket, ready["payload"].clone())
}

async fn a_worker_makes_its_pool_and_hears_of_changes(database: FreshDatabase) {
    let server = TestServer::on(database, |_| {}).await;
    let asked = json!({"requested_capabilities": ["worker_heartbeat.v1", "work_pool_snapshot.v1", "later.v1"]});
    let (mut socket, ready) = connect(&server, hello(asked)).await;
    let pool = server.get("/work_pools/pool").await;
    assert_eq!((&pool["type"], &pool["status"]), (&json!("process"), &json!("READY")));
    assert_eq!(ready["consumer_id"], json!(CONSUMER));
    assert_eq!(
        (&ready["accepted_capabilities"], &ready["rejected_capabilities"]),
        (&json!(BASIC), &json!(["later.v1"]))
    );
    assert_eq!(ready["resolved_work_queues"], json!([{"id": pool["default_queue_id"], "name": "default"}]));
    let initial = &ready["initial_snapshot"];
    assert_eq!((&initial["snapshot_sequence"], &initial["reason"]), (&json!(1), &json!("initial")));
    assert_eq!(
        (&initial["work_pool"]["id"], &initial["work_pool"]["base_job_template"]),
        (&pool["id"], &pool["base_job_template"])
    );
    // A change that workers work by is told; one of the description is not.
    let patch = async |body: Value| {
        let request = server.request(Method::PATCH, "/api/work_pools/pool").json(&body);
        assert_eq!(server.send(request).await.status, 204);
    };
    patch(json!({"description": "a pool"})).await;
    patch(json!({"concurrency_limit": 3})).await;
    let told = socket.receive().await;
    let snapshot = &told["payload"];
    assert_eq!((&told["type"], &snapshot["snapshot_sequence"]), (&json!("work_pool.snapshot.v1"), &json!(2)));
    assert_eq!(
        (&snapshot["work_pool"]["concurrency_limit"], &snapshot["work_pool"]["active_slots"]),
        (&json!(3), &json!(0))
    );
    // Heartbeats are noted.
    server.clock.advance(60);
    let beat = json!({"consumer_id": CONSUMER, "worker_name": "w", "heartbeat_interval_seconds": 30});
    socket.send(&frame("worker.heartbeat.v1", beat)).await;
    let noted = async || {
        let workers = server.post("/work_pools/pool/workers/filter", json!({})).await;
        let now = server.clock.now().to_string();
        (workers[0]["last_heartbeat_time"] == json!(now)).then_some(())
    };
    eventually("the heartbeat", noted).await;
    let deleted = server.send(server.request(Method::DELETE, "/api/work_pools/pool")).await;
    assert_eq!(deleted.status, 204);
    let closed = socket.closed().await;
    assert_eq!((u16::from(closed.code), closed.reason.as_str()), (1008, "authorization_failed"));
}

async fn what_does_not_keep_to_the_protocol_is_closed_with_its_reason(database: FreshDatabase) {
    let server = TestServer::on(database, |settings| settings.auth_string = Some("admin:pass".into())).await;
    let open = async |first: Value| {
        let mut socket = Socket::raw(&server, "/work_pools/pool/workers/connect").await;
        socket.authenticate(json!("pass")).await;
        socket.send(&first).await;
        let closed = socket.closed().await;
        (u16::from(closed.code), closed.reason.to_string())
    };
    let closed = |code: u16, reason: &str| (code, reason.to_owned());
    assert_eq!(open(hello(json!({"supported_channel_versions": ["v9"]}))).await, closed(1008, "unsupported_version"));
    assert_eq!(open(hello(json!({"create_pool_if_not_found": false}))).await, closed(1008, "authorization_failed"));
    assert_eq!(open(hello(json!({"work_queue_names": ["nothing"]}))).await, closed(1008, "authorization_failed"));
    assert_eq!(open(hello(json!({"surprise": 1}))).await, closed(1002, "protocol_error"));
    assert_eq!(open(json!({"type": "nonsense"})).await, closed(1002, "protocol_error"));
    let heartbeat = json!({"consumer_id": CONSUMER, "worker_name": "w", "heartbeat_interval_seconds": 30});
    assert_eq!(open(frame("worker.heartbeat.v1", heartbeat)).await, closed(1002, "protocol_error"));
    // A name that does not fit leaves nothing behind.
    assert_eq!(server.send(server.request(Method::GET, "/api/work_pools/pool").bearer_auth("pass")).await.status, 404);
    let mut stranger = Socket::raw(&server, "/work_pools/pool/workers/connect").await;
    stranger.send(&json!({"type": "auth", "token": "wrong"})).await;
    let refused = stranger.closed().await;
    assert_eq!((u16::from(refused.code), refused.reason.as_str()), (1008, "authentication_failed"));
    assert!(Socket::open(server.address, "/work_pools/pool/workers/connect", false, None).await.is_err());
}

/// A run of the pool that was to be cancelled and did not end in time. Answers its id.
async fn overdue_run(server: &TestServer) -> String {
    let flow = server.post("/flows/", json!({"name": "f"})).await;
    let deployment = json!({"name": "d", "flow_id": flow["id"], "work_pool_name": "pool"});
    let deployment = server.post("/deployments/", deployment).await;
    let run = id_of(&server.post(&format!("/deployments/{}/create_flow_run", id_of(&deployment)), json!({})).await);
    for kind in ["PENDING", "RUNNING"] {
        server.set_state(&run, kind).await;
    }
    let request = server.request(Method::PATCH, &format!("/api/flow_runs/{run}"));
    assert_eq!(server.send(request.json(&json!({"infrastructure_pid": "host:42"}))).await.status, 204);
    server.set_state(&run, "CANCELLING").await;
    server.clock.advance(301);
    run
}

/// What a worker says about a message that it has.
fn about(message: &Value, more: Value) -> Value {
    let payload = &message["payload"];
    let mut about = json!({"message_id": payload["message_id"], "reservation_token": payload["reservation_token"]});
    about.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    about
}

async fn say(socket: &mut Socket, kind: &str, payload: Value) -> Value {
    socket.send(&frame(kind, payload)).await;
    let answer = socket.receive().await;
    assert_eq!(answer["type"], "cleanup.operation_result.v1");
    answer["payload"].clone()
}

async fn a_clean_up_is_one_workers_until_it_is_done_or_given_back(database: FreshDatabase) {
    let server = TestServer::on(database, |settings| settings.services.cancellation_cleanup = often()).await;
    let (mut first, ready) = connect(&server, cleaner("first")).await;
    assert_eq!(ready["effective_max_cleanup_concurrency"], 1);
    let (mut second, _) = connect(&server, cleaner("second")).await;
    let run = overdue_run(&server).await;
    // Either may be faster; the other waits.
    let (mut holder, message, mut other) = tokio::select! {
        message = first.receive() => (first, message, second),
        message = second.receive() => (second, message, first),
    };
    let payload = &message["payload"];
    assert_eq!(
        (&message["type"], &payload["kind"]),
        (&json!("cleanup.message.v1"), &json!("cancelling_timeout_teardown.v1"))
    );
    assert_eq!(payload["target"], json!({"flow_run_id": run, "infrastructure_pid": "host:42"}));
    assert_eq!(payload["delivery_count"], 1);
    let renewed = say(&mut holder, "cleanup.renew.v1", about(&message, json!({}))).await;
    assert_eq!(renewed["status"], "accepted");
    assert!(renewed["lease_expires_at"].is_string());
    // Nobody else can speak for it.
    let forged = json!({"message_id": payload["message_id"], "reservation_token": "forged"});
    let refused = say(&mut other, "cleanup.ack.v1", forged).await;
    assert_eq!(
        (&refused["status"], &refused["reason"]),
        (&json!("invalid_token"), &json!("reservation_token_mismatch"))
    );
    // Silence for as long as the lease gives it to the next.
    server.clock.advance(31);
    let (mut next, again) = tokio::select! {
        message = holder.receive() => (holder, message),
        message = other.receive() => (other, message),
    };
    assert_eq!(
        (&again["payload"]["message_id"], &again["payload"]["delivery_count"]),
        (&payload["message_id"], &json!(2))
    );
    let done = say(&mut next, "cleanup.ack.v1", about(&again, json!({}))).await;
    assert_eq!(
        (&done["status"], &done["operation"], &done["lease_expires_at"]),
        (&json!("accepted"), &json!("ack"), &json!(null))
    );
    let late = say(&mut next, "cleanup.release.v1", about(&again, json!({"reason": "late"}))).await;
    assert_eq!((&late["status"], &late["reason"]), (&json!("not_found"), &json!("message_not_found")));
}

async fn after_three_tries_nobody_is_asked_to_clean_up_any_more(database: FreshDatabase) {
    let server = TestServer::on(database, |settings| settings.services.cancellation_cleanup = often()).await;
    let (mut worker, _) = connect(&server, cleaner("first")).await;
    overdue_run(&server).await;
    for (deliveries, status) in [(1, "accepted"), (2, "accepted"), (3, "dead_lettered")] {
        let message = worker.receive().await;
        assert_eq!(message["payload"]["delivery_count"], deliveries);
        let given_back = about(&message, json!({"reason": "infrastructure_not_available"}));
        assert_eq!(say(&mut worker, "cleanup.release.v1", given_back).await["status"], status);
    }
}
