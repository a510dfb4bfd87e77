//! Clients say which API they speak and which client they are: too old ones are refused, older ones spared what they cannot
//! read.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestServer;

#[tokio::test]
async fn an_api_that_is_too_old_or_none_is_refused() {
    let server = TestServer::start().await;
    let ask = async |path: &str, version: &str| {
        let request = server.request(Method::GET, path).header("x-prefect-api-version", version);
        let answer = server.send(request).await;
        (answer.status, answer.json()["detail"].as_str().unwrap_or_default().to_owned())
    };
    for accepted in ["0.8.0", "0.8.4", "0.9.0", "1.0.0", "10.0.0", ""] {
        assert_eq!(ask("/api/admin/version", accepted).await.0, 200, "{accepted}");
    }
    for old in ["0.7.9", "0.0.0", "-1.9.9"] {
        let (status, detail) = ask("/api/admin/version", old).await;
        let expected =
            format!("The request specified API version {old} but this server requires version 0.8.0 or higher.");
        assert_eq!((status, detail), (400, expected));
    }
    for none in ["0.8", "0.8.4.1", "0.8.x", "v0.8.4", "0.8.4rc1"] {
        let (status, detail) = ask("/api/admin/version", none).await;
        assert_eq!(status, 400, "{none}");
        assert!(detail.starts_with("Invalid X-PREFECT-API-VERSION header format."), "{none}: {detail}");
    }
    // Probes say nothing of versions, and what is no operation is not there for anybody.
    for (path, status) in [("/api/health", 200), ("/api/version", 200), ("/api/nowhere", 404)] {
        assert_eq!(ask(path, "0.1.0").await.0, status, "{path}");
    }
    // The body is not looked at.
    let request = server.request(Method::POST, "/api/flows/").header("x-prefect-api-version", "0.1.0").body("no JSON");
    assert_eq!(server.send(request).await.status, 400);
}

#[tokio::test]
async fn a_client_that_cannot_read_a_pools_storage_block_does_not_get_it() {
    let server = TestServer::start().await;
    server.post("/work_pools/", json!({ "name": "p", "type": "process" })).await;
    let of_pool = async |agent: Option<&str>| -> Vec<Value> {
        let with = |request: reqwest::RequestBuilder| match agent {
            Some(agent) => request.header("user-agent", agent),
            None => request,
        };
        let one = server.send(with(server.request(Method::GET, "/api/work_pools/p"))).await.json();
        let list = with(server.request(Method::POST, "/api/work_pools/filter")).json(&json!({}));
        let all = server.send(list).await.json();
        vec![one["storage_configuration"].clone(), all[0]["storage_configuration"].clone()]
    };
    for old in ["prefect/3.3.7 (API 0.8.4)", "prefect/3.0.11 (API 0.8.4)"] {
        for storage in of_pool(Some(old)).await {
            assert!(storage.get("default_result_storage_block_id").is_none(), "{old}: {storage}");
        }
    }
    for other in [Some("prefect/3.3.8 (API 0.8.4)"), Some("prefect/3.8.8 (API 0.8.4)"), Some("curl/8.0"), None] {
        for storage in of_pool(other).await {
            assert_eq!(storage.get("default_result_storage_block_id"), Some(&Value::Null), "{other:?}: {storage}");
        }
    }
}
