//! Clients that are set up for a hosted server: keys, the one workspace, sockets that are proved by a header.

use reqwest::Method;
use serde_json::json;
use tokio_tungstenite::tungstenite::Error;
use uuid::Uuid;

use crate::{
    sockets::{Socket, event},
    support::TestServer,
};

async fn with_keys() -> TestServer {
    TestServer::with(|settings| {
        settings.auth_string = Some("admin:pass".into());
        settings.api_keys = vec!["pnu_first".into(), "pnb_second".into()];
    })
    .await
}

#[tokio::test]
async fn a_key_opens_what_the_auth_string_does_and_a_bad_one_is_unauthorized() {
    let server = with_keys().await;
    let ask = |path: &str| server.request(Method::GET, path);
    for path in ["/api/me/workspaces", "/api/admin/version", "/api/flows/count"] {
        for refused in [ask(path), ask(path).bearer_auth("pnu_third"), ask(path).bearer_auth("")] {
            let answer = server.send(refused).await;
            assert_eq!((answer.status, answer.json()), (401, json!({ "exception_message": "Unauthorized" })), "{path}");
        }
    }
    let version = || ask("/api/admin/version");
    for accepted in [
        version().bearer_auth("pnu_first"),
        version().bearer_auth("pass"),
        version().basic_auth("anybody", Some("pnb_second")),
        version().basic_auth("admin", Some("pass")),
    ] {
        assert_eq!(server.send(accepted).await.status, 200);
    }
}

#[tokio::test]
async fn the_one_workspace_is_listed_with_ids_that_lead_to_it() {
    let server = TestServer::start().await;
    let workspaces = server.get("/me/workspaces").await;
    let [workspace] = workspaces.as_array().unwrap().as_slice() else { panic!("{workspaces}") };
    for field in ["account_name", "account_handle", "workspace_name", "workspace_description", "workspace_handle"] {
        assert!(workspace[field].is_string(), "{field}: {workspace}");
    }
    let id = |field: &str| Uuid::parse_str(workspace[field].as_str().unwrap()).unwrap().to_string();
    let prefix = format!("/accounts/{}/workspaces/{}", id("account_id"), id("workspace_id"));
    server.post(&format!("{prefix}/flows/"), json!({ "name": "f" })).await;
    assert_eq!(server.post("/flows/count", json!({})).await, 1);
    // Both names of the worker types are one thing.
    let types = server.get(&format!("{prefix}/collections/work_pool_types")).await;
    assert_eq!(types, server.get("/collections/views/aggregate-worker-metadata").await);
    assert!(types.as_object().is_some_and(|types| !types.is_empty()), "{types}");
    assert!(server.get("/me/").await["id"].is_string());
    assert_eq!(server.get("/me/accounts").await[0]["account_id"], workspace["account_id"]);
    // What is not there is not named: the client says so.
    let settings = server.get(&format!("/accounts/{}/settings", id("account_id"))).await;
    assert!(settings.get("enforce_ip_allowlist").is_none(), "{settings}");
}

#[tokio::test]
async fn a_socket_is_proved_by_its_header_alone() {
    let server = with_keys().await;
    // Without the subprotocol and without a first message: what is sent is an event from the start.
    let mut sender = Socket::with_header(&server, "/events/in", false, "bearer pnu_first").await.unwrap();
    sender.send(&event("hosted", "x", server.clock.now())).await;
    assert!(sender.flush().await.is_empty());
    let count = server.request(Method::POST, "/api/events/filter").bearer_auth("pnu_first");
    let found = server.send(count.json(&json!({ "filter": { "event": { "name": ["hosted"] } } }))).await;
    assert_eq!(found.json()["total"], 1);

    let refused = Socket::with_header(&server, "/events/in", false, "bearer pnu_third").await.map(drop).unwrap_err();
    let Error::Http(response) = *refused else { panic!("{refused:?}") };
    assert_eq!(response.status(), 401);

    // With the subprotocol, a header stands for a missing token, and no header for a wrong one.
    let account = format!("/accounts/{}/events/out", Uuid::new_v4());
    for path in ["/events/out", "/logs/out", "/task_runs/subscriptions/scheduled", &account] {
        let mut socket = Socket::with_header(&server, path, true, "Bearer pnb_second").await.unwrap();
        socket.authenticate(json!(null)).await;
        Socket::raw(&server, path).await.authenticate(json!("anybody:pnb_second")).await;
        let mut socket = Socket::with_header(&server, path, true, "Bearer pnb_second").await.unwrap();
        socket.send(&json!({ "type": "auth", "token": "pnb_third" })).await;
        assert_eq!(socket.closed().await.reason.as_str(), "Invalid token", "{path}");
        let mut socket = Socket::with_header(&server, path, true, "Bearer pnb_third").await.unwrap();
        socket.send(&json!({ "type": "auth", "token": null })).await;
        assert_eq!(u16::from(socket.closed().await.code), 1008, "{path}");
    }
}

#[tokio::test]
async fn a_worker_that_asks_for_its_id_gets_it_bare() {
    let server = TestServer::start().await;
    server.post("/work_pools/", json!({ "name": "p", "type": "process" })).await;
    let beat =
        |body: serde_json::Value| server.request(Method::POST, "/api/work_pools/p/workers/heartbeat").json(&body);
    let silent = server.send(beat(json!({ "name": "w", "heartbeat_interval_seconds": 30 }))).await;
    assert_eq!((silent.status, silent.text.as_str()), (204, ""));
    let told = server.send(beat(json!({ "name": "w", "return_id": true, "metadata": { "integrations": [] } }))).await;
    assert_eq!(told.status, 200);
    let workers = server.post("/work_pools/p/workers/filter", json!({})).await;
    assert_eq!(workers[0]["id"], told.text.as_str());
    assert_eq!(workers[0]["heartbeat_interval_seconds"], 30);
    // The contract holds as before.
    assert_eq!(server.send(beat(json!({ "return_id": true }))).await.status, 422);
}
