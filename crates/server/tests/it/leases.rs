//! Who holds a run, and for how long: leases that are renewed, leases that end, and runs that have none.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidegate_store::{Error, Options, Store, Tx, sql};
use tidegate_testkit::eventually;

use crate::{
    sockets::{Socket, event},
    support::{TestServer, id_of, often},
};

/// A day is far longer than any lease.
const DAY: i64 = 86_400;

async fn server() -> TestServer {
    TestServer::with(|settings| settings.services.leases = often()).await
}

/// A run that a plain client started, as its engine would.
async fn running(server: &TestServer) -> String {
    let flow = id_of(&server.post("/flows/", json!({ "name": "f" })).await);
    let run = id_of(&server.post("/flow_runs/", json!({ "flow_id": flow })).await);
    assert_eq!(server.set_state(&run, "RUNNING").await["status"], "ACCEPT");
    run
}

async fn heartbeat(server: &TestServer, socket: &mut Socket, run: &str) {
    let resource = format!("prefect.flow-run.{run}");
    socket.send(&event("prefect.flow-run.heartbeat", &resource, server.clock.now())).await;
    assert_eq!(socket.flush().await, Vec::<Value>::new());
}

async fn state_of(server: &TestServer, run: &str) -> String {
    server.get(&format!("/flow_runs/{run}")).await["state_type"].as_str().unwrap().to_owned()
}

/// Waits until the run's state is another one.
async fn after(server: &TestServer, run: &str, state: &str) -> Value {
    eventually("a change of state", async || {
        let found = server.get(&format!("/flow_runs/{run}")).await;
        (found["state_type"] != state).then_some(found)
    })
    .await
}

#[tokio::test]
async fn a_run_without_a_lease_is_never_ended_by_a_timer() {
    let server = server().await;
    let run = running(&server).await;
    for _ in 0..3 {
        server.clock.advance(30 * DAY);
        server.pass_of("leases").await;
        assert_eq!(state_of(&server, &run).await, "RUNNING");
    }
    assert_eq!(server.get(&format!("/flow_runs/{run}/infrastructure")).await["owner"], Value::Null);
}

#[tokio::test]
async fn heartbeats_keep_a_run_and_silence_ends_it() {
    let server = server().await;
    let run = running(&server).await;
    let mut socket = Socket::connect(&server, "/events/in").await;
    for _ in 0..4 {
        heartbeat(&server, &mut socket, &run).await;
        server.clock.advance(400);
        server.pass_of("leases").await;
        assert_eq!(state_of(&server, &run).await, "RUNNING");
    }
    server.clock.advance(200);
    let ended = after(&server, &run, "RUNNING").await;
    assert_eq!(ended["state_type"], "CRASHED");
    let infrastructure = server.get(&format!("/flow_runs/{run}/infrastructure")).await;
    assert_eq!(infrastructure["failure"]["class"], "lease_lost");
    // What it says from now on comes too late.
    heartbeat(&server, &mut socket, &run).await;
    assert_eq!(state_of(&server, &run).await, "CRASHED");
}

/// How many rows each table has.
async fn rows(store: &Store) -> BTreeMap<String, i64> {
    let count = async |tx: &mut Tx| {
        let tables = sql!(
            "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
        );
        let mut rows = BTreeMap::new();
        for table in tx.all(&tables, |row| row.next::<String>()).await? {
            let count = tx.one(&sql!(format!("SELECT count(*) FROM {table}")), |row| row.next()).await?;
            rows.insert(table, count);
        }
        Ok::<_, Error>(rows)
    };
    store.read(count).await.unwrap()
}

#[tokio::test]
async fn heartbeats_leave_no_rows_behind() {
    let server = TestServer::on(tidegate_testkit::postgres().await, |settings| settings.services_enabled = false).await;
    let options = Options {
        url: server.database_url.clone(),
        readers: 1,
        writers: 1,
        migrate: false,
        clock: server.clock.shared(),
    };
    let store = Store::open(options).await.unwrap();
    let run = running(&server).await;
    let mut socket = Socket::connect(&server, "/events/in").await;
    let before = rows(&store).await;
    assert!(before.values().sum::<i64>() > 0);
    for _ in 0..50 {
        server.clock.advance(10);
        heartbeat(&server, &mut socket, &run).await;
    }
    let deadline = server.get(&format!("/flow_runs/{run}/infrastructure")).await["owner"]["deadline"].clone();
    assert_eq!(deadline, json!(server.clock.now().plus_seconds(540.0)));
    assert_eq!(rows(&store).await, before);
    // The comparison sees a row when there is one.
    socket.send(&event("no.heartbeat", "x", server.clock.now())).await;
    socket.flush().await;
    assert_ne!(rows(&store).await, before);
}

/// A run of a deployment with one slot, claimed for thirty seconds.
async fn claimed(server: &TestServer) -> (String, String, i64) {
    let flow = id_of(&server.post("/flows/", json!({ "name": "f" })).await);
    server.post("/work_pools/", json!({ "name": "p", "type": "process" })).await;
    let deployment = json!({ "name": "d", "flow_id": flow, "work_pool_name": "p", "concurrency_limit": 1 });
    let deployment = id_of(&server.post("/deployments/", deployment).await);
    let run = id_of(&server.post(&format!("/deployments/{deployment}/create_flow_run"), json!({})).await);
    let claim = json!({ "worker_name": "w", "limit": 1, "wait_seconds": 0, "lease_seconds": 30 });
    let answer = server.post("/work_pools/p/claim", claim).await;
    assert_eq!(answer["runs"][0]["flow_run"]["id"], run.as_str());
    (deployment, run, answer["runs"][0]["owner"]["token"].as_i64().unwrap())
}

async fn active_slots(server: &TestServer, deployment: &str) -> Value {
    server.get(&format!("/deployments/{deployment}")).await["global_concurrency_limit"]["active_slots"].clone()
}

#[tokio::test]
async fn a_silent_owner_loses_its_run_and_its_slots() {
    let server = server().await;
    let (deployment, run, token) = claimed(&server).await;
    assert_eq!(server.set_state(&run, "RUNNING").await["status"], "ACCEPT");
    assert_eq!(active_slots(&server, &deployment).await, 1);
    server.clock.advance(29);
    server.pass_of("leases").await;
    assert_eq!(state_of(&server, &run).await, "RUNNING");
    server.clock.advance(2);
    let ended = after(&server, &run, "RUNNING").await;
    assert_eq!(ended["state_type"], "CRASHED");
    let infrastructure = server.get(&format!("/flow_runs/{run}/infrastructure")).await;
    assert_eq!((&infrastructure["failure"]["class"], &infrastructure["owner"]), (&json!("lease_lost"), &Value::Null));
    assert_eq!(active_slots(&server, &deployment).await, 0);
    // The place is free at once: another run of the deployment starts.
    let next = id_of(&server.post(&format!("/deployments/{deployment}/create_flow_run"), json!({})).await);
    assert_eq!(server.set_state(&next, "PENDING").await["status"], "ACCEPT");
    assert_eq!(server.set_state(&next, "RUNNING").await["status"], "ACCEPT");
    let renew = json!({ "worker_name": "w", "runs": [{ "flow_run_id": run, "token": token }] });
    assert_eq!(server.post("/work_pools/p/leases/renew", renew).await["lost"], json!([run]));
}

#[tokio::test]
async fn a_renewed_lease_lives_on() {
    let server = server().await;
    let (_, run, token) = claimed(&server).await;
    assert_eq!(server.set_state(&run, "RUNNING").await["status"], "ACCEPT");
    let renew = json!({ "worker_name": "w", "lease_seconds": 30, "runs": [{ "flow_run_id": run, "token": token }] });
    for _ in 0..5 {
        server.clock.advance(20);
        let answer = server.post("/work_pools/p/leases/renew", renew.clone()).await;
        assert_eq!(answer["renewed"], json!([run]));
        server.pass_of("leases").await;
        assert_eq!(state_of(&server, &run).await, "RUNNING");
    }
}

#[tokio::test]
async fn a_claim_that_never_started_is_due_again() {
    let server = server().await;
    let (deployment, run, _) = claimed(&server).await;
    server.clock.advance(31);
    let back = after(&server, &run, "PENDING").await;
    assert_eq!((&back["state_type"], &back["run_count"]), (&json!("SCHEDULED"), &json!(0)));
    assert_eq!(active_slots(&server, &deployment).await, 0);
    let claim = json!({ "worker_name": "other", "limit": 1, "wait_seconds": 0, "lease_seconds": 30 });
    let answer = server.post("/work_pools/p/claim", claim).await;
    assert_eq!(
        (&answer["runs"][0]["flow_run"]["id"], &answer["runs"][0]["owner"]["attempt"]),
        (&json!(run), &json!(2))
    );
}
