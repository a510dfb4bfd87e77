//! Requests: what is sent, what is retried, what an error says.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Json, Router,
    extract::{Path, Query},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::{get, post},
};
use serde_json::{Value, json};
use tidegate_client::{Client, Config, Credentials, Error, Method};
use uuid::Uuid;

use crate::{client, serve};

/// Answers with `status` until it was asked `times` times, and with 200 afterwards.
fn failing(status: u16, times: usize) -> (Router, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let answer = move || async move {
        if counter.fetch_add(1, Ordering::SeqCst) < times {
            (StatusCode::from_u16(status).unwrap(), [("retry-after", "0")], Json(json!({"detail": "busy"})))
                .into_response()
        } else {
            Json("3.8.8").into_response()
        }
    };
    (Router::new().route("/admin/version", get(answer)), asked)
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    for status in [408, 429, 502, 503] {
        let (api, asked) = failing(status, 2);
        assert_eq!(client(api).await.read_version().await.unwrap(), "3.8.8");
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }
}

#[tokio::test]
async fn patience_ends() {
    let (api, asked) = failing(503, usize::MAX);
    let error = client(api).await.read_version().await.unwrap_err();
    assert_eq!(asked.load(Ordering::SeqCst), 6);
    assert_eq!(error.to_string(), "GET /admin/version: the API answered 503: busy");
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_refusal_is_not_repeated_unless_asked_for() {
    let (api, asked) = failing(500, 1);
    assert_eq!(client(api).await.read_version().await.unwrap_err().status(), Some(500));
    assert_eq!(asked.load(Ordering::SeqCst), 1);

    let (api, asked) = failing(500, 1);
    let mut config = serve(api).await;
    config.retry_extra_codes = vec![500];
    assert!(Client::new(config).unwrap().read_version().await.is_ok());
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_with_a_hint() {
    // Nobody is given this port by chance, as a free one might be to the test beside this one.
    let mut config = Config::new("http://127.0.0.1:1/api");
    config.max_retries = 1;
    let error = Client::new(config).unwrap().health().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("PREFECT_API_URL"));
}

#[tokio::test]
async fn what_is_absent_is_none_and_names_are_encoded() {
    let api = Router::new().route(
        "/work_pools/{name}",
        get(|Path(name): Path<String>| async move { (StatusCode::NOT_FOUND, Json(json!({"detail": name}))) }),
    );
    let client = client(api).await;
    assert_eq!(client.read_work_pool("a b/c?").await.unwrap(), None);
    let error = client.delete_work_pool("a b/c?").await.unwrap_err();
    assert_eq!(error.status(), Some(405));
}

#[tokio::test]
async fn every_request_says_who_and_what_we_are() {
    let echo = |headers: HeaderMap| async move {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        Json(json!([text("authorization"), text("user-agent"), text("x-prefect-api-version"), text("x-team")]))
    };
    let api = Router::new().route("/echo", get(echo));
    let mut config = serve(api).await;
    config.credentials = Credentials::Basic("ada:secret".into());
    config.custom_headers.insert("X-Team".into(), "blue".into());
    let answer = Client::new(config.clone()).unwrap().request(Method::GET, "/echo", None).await.unwrap();
    let [authorization, agent, version, team]: [String; 4] = answer.json().unwrap();
    assert_eq!((authorization.as_str(), version.as_str(), team.as_str()), ("Basic YWRhOnNlY3JldA==", "0.8.4", "blue"));
    assert!(agent.starts_with("prefect/3.8.8 (API 0.8.4) tidegate/"));

    config.credentials = Credentials::Bearer("pnu_key".into());
    let answer = Client::new(config).unwrap().request(Method::GET, "/echo", None).await.unwrap();
    assert_eq!(answer.json::<Vec<String>>().unwrap()[0], "Bearer pnu_key");
}

#[tokio::test]
async fn csrf_tokens_are_fetched_once_and_renewed_when_refused() {
    let issued = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&issued);
    let token = |Query(query): Query<Value>| async move {
        let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
        Json(
            json!({"token": format!("token-{number}"), "client": query["client"], "expiration": "2030-01-01T00:00:00Z"}),
        )
    };
    // The first token is refused, as one that has expired would be.
    let set_state = |headers: HeaderMap| async move {
        match headers.get("prefect-csrf-token").and_then(|value| value.to_str().ok()) {
            Some("token-2") if headers.contains_key("prefect-csrf-client") => StatusCode::NO_CONTENT,
            _ => StatusCode::FORBIDDEN,
        }
    };
    let api =
        Router::new().route("/csrf-token", get(token)).route("/deployments/{id}/pause_deployment", post(set_state));
    let mut config = serve(api).await;
    config.csrf = true;
    let client = Client::new(config).unwrap();
    client.pause_deployment(Uuid::nil()).await.unwrap();
    client.pause_deployment(Uuid::nil()).await.unwrap();
    assert_eq!(issued.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_page_that_is_not_the_api_is_reported_as_such() {
    let api = Router::new().route("/admin/version", get(|| async { "<html>" }));
    let error = client(api).await.read_version().await.unwrap_err();
    assert!(matches!(error, Error::Decode { .. }) && error.hint().unwrap().contains("/api"));
}
