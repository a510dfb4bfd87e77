//! Background tasks: a worker's socket hands out queued runs, one after the other, and none is lost.

use serde_json::{Value, json};
use tidegate_testkit::eventually;

use crate::{
    sockets::Socket,
    support::{TestServer, id_of},
};

const PATH: &str = "/task_runs/subscriptions/scheduled";

/// A run of a task, as `task.delay()` makes it.
async fn delay(server: &TestServer, key: &str, dynamic_key: &str) -> String {
    let state = json!({ "type": "SCHEDULED", "state_details": { "deferred": true } });
    let body = json!({ "task_key": key, "dynamic_key": dynamic_key, "name": dynamic_key, "state": state });
    id_of(&server.post("/task_runs/", body).await)
}

async fn subscribe(server: &TestServer, client_id: &str, keys: &[&str]) -> Socket {
    let mut socket = Socket::connect(server, PATH).await;
    socket.send(&json!({ "type": "subscribe", "keys": keys, "client_id": client_id })).await;
    socket
}

async fn workers(server: &TestServer, keys: &[&str]) -> Vec<Value> {
    let found = server.post("/task_workers/filter", json!({ "task_worker_filter": { "task_keys": keys } })).await;
    let rows = found.as_array().unwrap().clone();
    rows.into_iter().map(|row| json!([row["identifier"], row["task_keys"]])).collect()
}

#[tokio::test]
async fn runs_come_one_by_one_as_the_worker_acknowledges_them() {
    let server = TestServer::start().await;
    let first = delay(&server, "a", "1").await;
    let mut worker = subscribe(&server, "host-1", &["a", "b"]).await;
    let run = worker.receive().await;
    assert_eq!(
        (&run["id"], &run["task_key"], &run["state"]["type"]),
        (&json!(first), &json!("a"), &json!("SCHEDULED"))
    );
    let second = delay(&server, "b", "1").await;
    worker.send(&json!({ "type": "ack" })).await;
    assert_eq!(worker.receive().await["id"], second);
    worker.send(&json!({ "type": "ack" })).await;
    // One that waits hears of a new run at once.
    let third = delay(&server, "a", "2").await;
    assert_eq!(worker.receive().await["id"], third);
}

#[tokio::test]
async fn what_was_not_acknowledged_goes_to_the_next_worker() {
    let server = TestServer::start().await;
    let run = delay(&server, "a", "1").await;
    let mut worker = subscribe(&server, "host-1", &["a"]).await;
    assert_eq!(worker.receive().await["id"], run);
    worker.send(&json!({ "type": "quit" })).await;
    assert_eq!(u16::from(worker.closed().await.code), 1000);
    let mut worker = subscribe(&server, "host-2", &["a"]).await;
    assert_eq!(worker.receive().await["id"], run);
    worker.send(&json!({ "type": "nonsense" })).await;
    let frame = worker.closed().await;
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4001, "Protocol violation: expected 'ack' message"));
    let mut worker = subscribe(&server, "host-3", &["a"]).await;
    assert_eq!(worker.receive().await["id"], run);
    drop(worker);
    let mut worker = subscribe(&server, "host-4", &["a"]).await;
    assert_eq!(worker.receive().await["id"], run);
}

#[tokio::test]
async fn workers_are_listed_while_they_are_connected() {
    let server = TestServer::start().await;
    let one = subscribe(&server, "host-1", &["a", "b"]).await;
    let _two = subscribe(&server, "host-2", &["b", "c"]).await;
    let both = json!([["host-1", ["a", "b"]], ["host-2", ["b", "c"]]]);
    eventually("both workers", async || (json!(workers(&server, &[]).await) == both).then_some(())).await;
    assert_eq!(workers(&server, &["a"]).await, [json!(["host-1", ["a", "b"]])]);
    assert_eq!(workers(&server, &["absent"]).await, Vec::<Value>::new());
    drop(one);
    eventually("one worker", async || workers(&server, &["a"]).await.is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_subscription_says_what_and_who() {
    let server = TestServer::start().await;
    for (message, problem) in [
        (json!({ "type": "filter" }), "Protocol violation: expected 'subscribe' message"),
        (json!({ "type": "subscribe", "client_id": "x" }), "Protocol violation: expected 'keys' in subscribe message"),
        (
            json!({ "type": "subscribe", "keys": ["a"] }),
            "Protocol violation: expected 'client_id' in subscribe message",
        ),
    ] {
        let mut socket = Socket::connect(&server, PATH).await;
        socket.send(&message).await;
        let frame = socket.closed().await;
        assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4001, problem));
    }
}
