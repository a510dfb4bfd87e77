//! What every request gets, whatever it asks for: an id, limits, and a kind word about unknown fields.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::TestServer;

#[tokio::test]
async fn every_answer_carries_the_id_of_its_request() {
    let server = TestServer::start().await;
    let health = || server.request(Method::GET, "/api/health");
    let given = server.send(health().header("x-request-id", "from-the-proxy")).await;
    assert_eq!(given.header("x-request-id"), Some("from-the-proxy"));
    let made = [server.send(health()).await, server.send(health()).await]
        .map(|answer| Uuid::parse_str(answer.header("x-request-id").unwrap()).unwrap());
    assert_ne!(made[0], made[1]);
    // An absurd one is replaced; an error carries one too.
    let absurd = server.send(health().header("x-request-id", "x".repeat(129))).await;
    assert!(Uuid::parse_str(absurd.header("x-request-id").unwrap()).is_ok());
    let nowhere = server.request(Method::GET, "/api/nowhere").header("x-request-id", "lost");
    assert_eq!(server.send(nowhere).await.header("x-request-id"), Some("lost"));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_with_the_reason() {
    let server = TestServer::with(|settings| settings.max_body_size = 10_000).await;
    let flow = |size: usize| json!({ "name": "x".repeat(size) });
    let post = |body: &Value| server.request(Method::POST, "/api/flows/").json(body);
    assert_eq!(server.send(post(&flow(9_000))).await.status, 201);
    let refused = server.send(post(&flow(10_001))).await;
    assert_eq!(refused.status, 413);
    assert!(refused.json()["detail"].as_str().unwrap().contains("larger than this server accepts"), "{}", refused.text);
    // The bulk doors have the same limit.
    for path in ["/api/logs/", "/api/events"] {
        let body = json!([{ "message": "x".repeat(10_001) }]);
        assert_eq!(server.send(server.request(Method::POST, path).json(&body)).await.status, 413, "{path}");
    }
}

#[tokio::test]
async fn a_body_that_is_nested_too_deep_is_refused_with_the_reason() {
    let server = TestServer::start().await;
    for (path, before, after) in [
        ("/api/flows/", r#"{"name": "f", "labels": "#, "}"),
        ("/api/logs/", "", ""),
        ("/api/events", "", ""),
        ("/api/flow_runs/filter", r#"{"flow_runs": "#, "}"),
    ] {
        let depth = 100_000;
        let body = format!("{before}{}{}{after}", "[".repeat(depth), "]".repeat(depth));
        let request = server.request(Method::POST, path).header("content-type", "application/json").body(body);
        let answer = server.send(request).await;
        assert!((400..500).contains(&answer.status), "{path}: {} {:.300}", answer.status, answer.text);
        assert!(answer.text.contains("Nested more than 120 levels deep"), "{path}: {:.300}", answer.text);
        assert!(answer.text.len() < 1_000_000, "{path}: the answer repeats a body of {} bytes", answer.text.len());
    }
    assert_eq!(server.send(server.request(Method::GET, "/api/health")).await.status, 200);
}

#[tokio::test]
async fn unknown_fields_are_counted_and_ignored() {
    let server = TestServer::start().await;
    let body = json!({ "name": "f", "of_a_later_version": { "deep": true } });
    assert_eq!(server.post("/flows/", body.clone()).await["name"], "f");
    let operation = tidegate_api::contract::operation("POST", "/flows/").unwrap().id();
    let text = server.send(server.request(Method::GET, "/metrics")).await.text;
    let line = |text: &str| -> Option<(String, u64)> {
        let line = text
            .lines()
            .find(|line| line.starts_with("tidegate_unknown_fields_total{") && line.contains("of_a_later_version"))?;
        let (labels, value) = line.rsplit_once(' ')?;
        Some((labels.to_owned(), value.parse().unwrap()))
    };
    let (labels, first) = line(&text).unwrap();
    assert!(labels.contains(&format!("operation=\"{operation}\"")), "{labels}");
    server.post("/flows/", body).await;
    let second = line(&server.send(server.request(Method::GET, "/metrics")).await.text).unwrap().1;
    assert_eq!(second - first, 1);
}

#[tokio::test]
async fn numbers_beyond_64_bits_stay_whole_in_labels_and_blocks() {
    const LARGE: &str = "100000000000000000000000000000001";
    let server = TestServer::start().await;
    let post = async |path: &str, body: String| {
        let request = server.request(Method::POST, &format!("/api{path}"));
        let answer = server.send(request.header("content-type", "application/json").body(body)).await;
        assert!(matches!(answer.status, 200 | 201), "{path}: {}", answer.text);
        (answer.json()["id"].as_str().unwrap().to_owned(), answer.text)
    };
    let read = async |path: String| server.send(server.request(Method::GET, &format!("/api{path}"))).await.text;
    let labels = format!(r#""labels": {{"n": {LARGE}}}"#);
    let label = format!(r#""n":{LARGE}"#);

    let (flow, _) = post("/flows/", format!(r#"{{"name": "f", {labels}}}"#)).await;
    let (deployment, told) = post("/deployments/", format!(r#"{{"name": "d", "flow_id": "{flow}"}}"#)).await;
    assert!(told.contains(&label), "{told}");
    let (run, told) = post(&format!("/deployments/{deployment}/create_flow_run"), "{}".into()).await;
    assert!(told.contains(&label), "{told}");
    let task = format!(r#"{{"flow_run_id": "{run}", "task_key": "t", "dynamic_key": "0"}}"#);
    let (_, told) = post("/task_runs/", task).await;
    assert!(told.contains(&label), "{told}");
    let more = server.request(Method::PATCH, &format!("/api/flow_runs/{run}/labels"));
    let more = more.header("content-type", "application/json").body(format!(r#"{{"m": -{LARGE}}}"#));
    assert_eq!(server.send(more).await.status, 204);
    let told = read(format!("/flow_runs/{run}")).await;
    assert!(told.contains(&label) && told.contains(&format!(r#""m":-{LARGE}"#)), "{told}");

    let (kind, _) = post("/block_types/", r#"{"name": "b", "slug": "b"}"#.into()).await;
    let fields = format!(r#"{{"properties": {{"x": {{"default": {LARGE}}}}}, "secret_fields": ["secret"]}}"#);
    let (schema, told) = post("/block_schemas/", format!(r#"{{"block_type_id": "{kind}", "fields": {fields}}}"#)).await;
    assert!(told.contains(LARGE), "{told}");
    assert!(read(format!("/block_schemas/{schema}")).await.contains(LARGE));
    let data = format!(r#"{{"x":{{"y":[{LARGE}]}},"secret":{LARGE}}}"#);
    let document =
        format!(r#"{{"name": "d", "block_type_id": "{kind}", "block_schema_id": "{schema}", "data": {data}}}"#);
    let (document, told) = post("/block_documents/", document).await;
    assert!(told.contains(&format!(r#""data":{{"x":{{"y":[{LARGE}]}},"secret":"********"}}"#)), "{told}");
    // What comes back hidden stays as it was.
    let update = server.request(Method::PATCH, &format!("/api/block_documents/{document}"));
    let update = update.header("content-type", "application/json").body(r#"{"data": {"secret": "********"}}"#);
    assert_eq!(server.send(update).await.status, 204);
    let told = read(format!("/block_documents/{document}?include_secrets=true")).await;
    assert!(told.contains(&format!(r#""data":{{"x":{{"y":[{LARGE}]}},"secret":{LARGE}}}"#)), "{told}");
}
