//! Slots of concurrency limits: who waits gets them in line, who holds them is known, and an operator can take them. On
//! both databases.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tidegate_testkit::{FreshDatabase, eventually, within};

use crate::support::{Answer, TestServer, id_of};

on_both_databases!(
    who_waits_gets_the_slot_in_the_order_of_arrival,
    who_does_not_wait_is_told_to_come_again,
    holders_are_named_and_can_be_released,
    a_run_that_waits_for_its_deployment_is_due_when_a_slot_comes_back,
);

/// On a clock that stands still nothing comes by itself: every step here is one that was asked for.
async fn start(database: FreshDatabase) -> TestServer {
    let server = TestServer::on(database, |settings| settings.services_enabled = false).await;
    server.post("/v2/concurrency_limits/", json!({"name": "one", "limit": 1})).await;
    server
}

async fn acquire(server: &TestServer, wait: Option<&str>, holder: Value) -> Answer {
    let body = json!({"names": ["one"], "slots": 1, "mode": "concurrency", "lease_duration": 300, "holder": holder});
    let request = server.request(Method::POST, "/api/v2/concurrency_limits/increment-with-lease").json(&body);
    let request = wait.into_iter().fold(request, |request, wait| request.header("X-Tidegate-Wait", wait));
    server.send(request).await
}

async fn release(server: &TestServer, lease: &Value) {
    server.post("/v2/concurrency_limits/decrement-with-lease", json!({"lease_id": lease["lease_id"]})).await;
}

/// How many requests stand in line.
async fn waiters(server: &TestServer) -> usize {
    let answer = server.send(server.request(Method::GET, "/api/v2/concurrency_limits/one/holders")).await;
    answer.header("x-tidegate-waiting").unwrap().parse().unwrap()
}

async fn who_waits_gets_the_slot_in_the_order_of_arrival(database: FreshDatabase) {
    let server = std::sync::Arc::new(start(database).await);
    let mut held = acquire(&server, None, json!(null)).await.json();
    let (sender, mut arrivals) = tokio::sync::mpsc::channel(64);
    for number in 0..3 {
        let (waiting, sender) = (server.clone(), sender.clone());
        tokio::spawn(async move {
            let answer = acquire(&waiting, Some("60"), json!(null)).await;
            sender.send((number, answer)).await.unwrap();
        });
        // The next comes when this one stands in line.
        eventually("the line", async || (waiters(&server).await > number).then_some(())).await;
    }
    assert!(arrivals.try_recv().is_err(), "nobody has a slot yet");
    for expected in 0..3 {
        release(&server, &held).await;
        let (number, answer) = within("the next in line", arrivals.recv()).await.unwrap();
        assert_eq!((number, answer.status), (expected, 200), "{}", answer.text);
        held = answer.json();
    }
}

async fn who_does_not_wait_is_told_to_come_again(database: FreshDatabase) {
    let server = start(database).await;
    let held = acquire(&server, None, json!(null)).await.json();
    let denied = acquire(&server, None, json!(null)).await;
    assert_eq!(denied.status, 423);
    assert!(denied.header("retry-after").unwrap().parse::<f64>().unwrap() > 0.0);
    // A wait ends with the same answer, and with nobody in line.
    let denied = acquire(&server, Some("0.05"), json!(null)).await;
    assert_eq!((denied.status, waiters(&server).await), (423, 0));
    assert!(denied.header("retry-after").unwrap().parse::<f64>().unwrap() > 0.0);
    // Who goes away gives up the place.
    let short = tokio::time::timeout(Duration::from_millis(200), acquire(&server, Some("60"), json!(null))).await;
    assert!(short.is_err());
    eventually("the end of the line", async || (waiters(&server).await == 0).then_some(())).await;
    release(&server, &held).await;
    assert_eq!(acquire(&server, Some("nonsense"), json!(null)).await.status, 200);
}

async fn holders_are_named_and_can_be_released(database: FreshDatabase) {
    let server = start(database).await;
    let flow = server.post("/flows/", json!({"name": "f"})).await;
    let run = server.post("/flow_runs/", json!({"flow_id": flow["id"], "name": "blue-fox"})).await;
    let lease = acquire(&server, None, json!({"type": "flow_run", "id": run["id"]})).await.json();
    let holders = server.get("/v2/concurrency_limits/one/holders").await;
    let expected = json!({"type": "flow_run", "id": run["id"], "name": "blue-fox"});
    assert_eq!(
        (&holders[0]["holder"], &holders[0]["lease_id"], &holders[0]["slots"]),
        (&expected, &lease["lease_id"], &json!(1))
    );
    assert!(holders[0]["since"].is_string() && holders[0]["expires"].is_string());
    let path = |lease: &str| format!("/api/v2/concurrency_limits/one/holders/{lease}/release");
    let unknown = server.send(server.request(Method::POST, &path("6ba7b810-9dad-41d1-80b4-00c04fd430c8"))).await;
    assert_eq!(
        (unknown.status, unknown.text.as_str()),
        (404, r#"{"detail":"The lease holds no slots of this limit."}"#)
    );
    let released = server.send(server.request(Method::POST, &path(lease["lease_id"].as_str().unwrap()))).await;
    assert_eq!(released.status, 204);
    assert_eq!(server.get("/v2/concurrency_limits/one/holders").await, json!([]));
    // Its holder hears of it.
    let renew = format!("/api/v2/concurrency_limits/leases/{}/renew", lease["lease_id"].as_str().unwrap());
    let request = server.request(Method::POST, &renew).json(&json!({"lease_duration": 60}));
    assert_eq!(server.send(request).await.status, 410);
    assert_eq!(acquire(&server, None, json!(null)).await.status, 200);
}

/// Runs of a deployment with one slot: the second and third are put off; when the first ends, the second is due at once and
/// the third is not.
async fn a_run_that_waits_for_its_deployment_is_due_when_a_slot_comes_back(database: FreshDatabase) {
    let server = start(database).await;
    let flow = server.post("/flows/", json!({"name": "f"})).await;
    server.post("/work_pools/", json!({"name": "pool", "type": "process"})).await;
    let deployment = json!({"name": "d", "flow_id": flow["id"], "work_pool_name": "pool", "concurrency_limit": 1});
    let deployment = server.post("/deployments/", deployment).await;
    let create = format!("/deployments/{}/create_flow_run", id_of(&deployment));
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(id_of(&server.post(&create, json!({})).await));
        server.clock.advance(1);
    }
    for (run, name) in runs.iter().zip(["Submitting", "AwaitingConcurrencySlot", "AwaitingConcurrencySlot"]) {
        let claim = json!({"state": {"type": "PENDING", "name": "Submitting"}});
        server.post(&format!("/flow_runs/{run}/set_state"), claim).await;
        assert_eq!(server.get(&format!("/flow_runs/{run}")).await["state_name"], name);
    }
    let claim = json!({"worker_name": "w", "limit": 10, "wait_seconds": 0});
    let claimed = async || -> Vec<String> {
        let answer = server.post("/work_pools/pool/claim", claim.clone()).await;
        answer["runs"].as_array().unwrap().iter().map(|run| id_of(&run["flow_run"])).collect()
    };
    assert_eq!(claimed().await, Vec::<String>::new());
    for index in 0..2 {
        server.set_state(&runs[index], "RUNNING").await;
        server.set_state(&runs[index], "COMPLETED").await;
        assert_eq!(claimed().await, [runs[index + 1].clone()]);
    }
}
