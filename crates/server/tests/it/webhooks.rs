//! Webhooks from the outside: what senders send, what becomes of it, and what its owner sees. On both databases.

use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use tidegate_server::Settings;
use tidegate_testkit::{FreshDatabase, eventually, within};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::support::{Answer, TestServer, id_of, often};

on_both_databases!(
    a_signed_request_becomes_an_event_that_subscribers_can_read,
    stripes_signatures_are_checked_and_grow_old,
    what_does_not_prove_itself_is_refused_and_logged,
    too_large_and_too_many_are_refused,
    a_template_that_makes_no_event_is_told_and_can_be_repaired_and_replayed,
    bombs_are_refused_at_the_door,
    webhooks_are_kept_as_cloud_clients_expect_them,
    the_log_is_let_go,
);

const TEMPLATE: &str = r#"{"event": "github.{{ headers['X-GitHub-Event'] }}.{{ body.action }}",
    "resource": {"prefect.resource.id": "github.repository.{{ body.repository.full_name }}"},
    "payload": {{ body|tojson }}}"#;

async fn start(database: FreshDatabase, change: impl FnOnce(&mut Settings)) -> TestServer {
    TestServer::on(database, change).await
}

async fn create(server: &TestServer, template: &str, verification: Value) -> Value {
    server.post("/webhooks/", json!({"name": "hook", "template": template, "verification": verification})).await
}

async fn send(server: &TestServer, hook: &Value, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Answer {
    let path = format!("/hooks/{}", hook["slug"].as_str().unwrap());
    let mut request = server.request(Method::POST, &path).header("content-type", "application/json").body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request).await
}

/// Sends chunks of 100 bytes without telling before how many there will be; answers the first line of the answer.
async fn send_in_chunks(server: &TestServer, hook: &Value, chunks: usize) -> String {
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let slug = hook["slug"].as_str().unwrap();
    let head = format!("POST /hooks/{slug} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    let body = format!("64\r\n{}\r\n", "x".repeat(100)).repeat(chunks);
    stream.write_all(format!("{head}{body}0\r\n\r\n").as_bytes()).await.unwrap();
    let mut line = String::new();
    within("the answer", BufReader::new(stream).read_line(&mut line)).await.unwrap();
    line
}

fn signature(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

async fn requests(server: &TestServer, hook: &Value) -> Vec<Value> {
    server.get(&format!("/webhooks/{}/requests", id_of(hook))).await.as_array().unwrap().clone()
}

/// The events of a name, which is known to be stored.
async fn events(server: &TestServer, name: &str) -> Vec<Value> {
    let filter = json!({"filter": {"event": {"name": [name]}}});
    server.post("/events/filter", filter).await["events"].as_array().unwrap().clone()
}

async fn a_signed_request_becomes_an_event_that_subscribers_can_read(database: FreshDatabase) {
    let server = start(database, |settings| settings.auth_string = None).await;
    let hook = create(&server, TEMPLATE, json!({"type": "github", "secret": "s3cret"})).await;
    let body = r#"{"action": "opened", "repository": {"full_name": "a/b"}, "title": "say \"hi\""}"#;
    let signed = format!("sha256={}", signature("s3cret", body));
    let headers = [("X-Hub-Signature-256", signed.as_str()), ("X-GitHub-Event", "issues")];
    let answer = send(&server, &hook, &headers, body).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    let events = events(&server, "github.issues.opened").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["resource"]["prefect.resource.id"], "github.repository.a/b");
    assert_eq!(events[0]["payload"]["title"], "say \"hi\"");
    let related = json!([{
        "prefect.resource.id": format!("prefect-cloud.webhook.{}", id_of(&hook)),
        "prefect.resource.name": "hook", "prefect.resource.role": "webhook",
    }]);
    assert_eq!(events[0]["related"], related);
    let log = requests(&server, &hook).await;
    assert_eq!((log.len(), &log[0]["outcome"], &log[0]["event_id"]), (1, &json!("accepted"), &events[0]["id"]));
    assert_eq!(log[0]["body"], body);
}

async fn stripes_signatures_are_checked_and_grow_old(database: FreshDatabase) {
    let server = start(database, |_| {}).await;
    let template =
        r#"{"event": "stripe.{{ body.type }}", "resource": {"prefect.resource.id": "stripe.{{ body.id }}"}}"#;
    let hook = create(&server, template, json!({"type": "stripe", "secret": "whsec"})).await;
    let body = r#"{"id": "evt_1", "type": "charge.succeeded"}"#;
    let time = server.clock.now().micros() / 1_000_000;
    let header = format!("t={time},v1={}", signature("whsec", &format!("{time}.{body}")));
    assert_eq!(send(&server, &hook, &[("Stripe-Signature", &header)], body).await.status, 204);
    assert_eq!(events(&server, "stripe.charge.succeeded").await.len(), 1);
    server.clock.advance(299);
    assert_eq!(send(&server, &hook, &[("Stripe-Signature", &header)], body).await.status, 204);
    server.clock.advance(2);
    let late = send(&server, &hook, &[("Stripe-Signature", &header)], body).await;
    assert_eq!(
        (late.status, late.json()["detail"].as_str()),
        (401, Some("The request does not prove where it comes from."))
    );
    assert!(requests(&server, &hook).await[0]["detail"].as_str().unwrap().contains("301 seconds old"));
}

async fn what_does_not_prove_itself_is_refused_and_logged(database: FreshDatabase) {
    // The API asks for credentials; webhooks have checks of their own.
    let server = start(database, |settings| {
        settings.auth_string = Some("admin:pass".into());
        settings.csrf_enabled = true;
    })
    .await;
    let api = |method: Method, path: &str| {
        let request = server.request(method, &format!("/api{path}")).basic_auth("admin", Some("pass"));
        request.header("prefect-csrf-client", "6ba7b810-9dad-41d1-80b4-00c04fd430c8")
    };
    let token = server.send(api(Method::GET, "/csrf-token?client=6ba7b810-9dad-41d1-80b4-00c04fd430c8")).await.json();
    let token = token["token"].as_str().unwrap().to_owned();
    let verification = json!({"type": "github", "secret": "right"});
    let body = json!({"name": "h", "template": TEMPLATE, "verification": verification});
    let hook =
        server.send(api(Method::POST, "/webhooks/").header("prefect-csrf-token", token).json(&body)).await.json();
    let refused = format!("sha256={}", signature("wrong", "{}"));
    for headers in [&[][..], &[("X-Hub-Signature-256", refused.as_str())], &[("X-Hub-Signature-256", "nonsense")]] {
        assert_eq!(send(&server, &hook, headers, "{}").await.status, 401);
    }
    let right = format!("sha256={}", signature("right", "{}"));
    let headers =
        [("X-Hub-Signature-256", right.as_str()), ("authorization", "Bearer something"), ("x-github-event", "ping")];
    assert_eq!(send(&server, &hook, &headers, "{}").await.status, 204);
    let log = server.send(api(Method::GET, &format!("/webhooks/{}/requests", id_of(&hook)))).await.json();
    let outcomes: Vec<&str> = log.as_array().unwrap().iter().map(|found| found["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["accepted", "refused", "refused", "refused"]);
    assert_eq!(log[0]["headers"]["authorization"], "********");
    assert_eq!(log[3]["detail"], "the header X-Hub-Signature-256 is missing");
    // Whose address it is, nobody learns.
    let unknown = send(&server, &json!({"slug": "nobody"}), &headers, "{}").await;
    assert_eq!((unknown.status, unknown.text.as_str()), (404, r#"{"detail":"Not Found"}"#));
    // Nothing but hooks is open.
    let closed = server.send(server.request(Method::GET, "/api/webhooks/")).await;
    assert_eq!(closed.status, 401);
}

async fn too_large_and_too_many_are_refused(database: FreshDatabase) {
    let server = start(database, |settings| settings.webhooks.maximum_body_bytes = 1000).await;
    let template = r#"{"event": "x.y", "resource": {"prefect.resource.id": "x"}}"#;
    let body = json!({"name": "h", "template": template, "requests_per_minute": 3});
    let hook = server.post("/webhooks/", body).await;
    assert_eq!(send(&server, &hook, &[], "x".repeat(1001)).await.status, 413);
    assert!(send_in_chunks(&server, &hook, 20).await.starts_with("HTTP/1.1 413 "));
    for _ in 0..3 {
        assert_eq!(send(&server, &hook, &[], "{}").await.status, 204);
    }
    let limited = send(&server, &hook, &[], "").await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("20")));
    server.clock.advance(20);
    assert_eq!(send(&server, &hook, &[], "").await.status, 204);
    assert_eq!(requests(&server, &hook).await.len(), 4);
    let limited = server.metric(r#"tidegate_webhook_requests_total{outcome="limited"}"#).await;
    let large = server.metric(r#"tidegate_webhook_requests_total{outcome="too_large"}"#).await;
    assert!(limited >= 1 && large >= 2, "{limited} {large}");
}

async fn a_template_that_makes_no_event_is_told_and_can_be_repaired_and_replayed(database: FreshDatabase) {
    let server = start(database, |_| {}).await;
    let hook =
        create(&server, r#"{"event": "a.b", "resource": {"prefect.resource.id": "{{ body.nothing }}"}}"#, json!(null))
            .await;
    let failed = send(&server, &hook, &[], r#"{"id": "7"}"#).await;
    assert_eq!(failed.status, 422);
    assert!(failed.text.contains("prefect.resource.id label must be non-empty"), "{}", failed.text);
    let told = events(&server, "prefect-cloud.webhook.failed").await;
    assert_eq!((told.len(), &told[0]["payload"]["body"]), (1, &json!(r#"{"id": "7"}"#)));
    // Names of the server's own events cannot be made up.
    let path = format!("/api/webhooks/{}", id_of(&hook));
    let put = |template: &str| {
        server.request(Method::PUT, &path).json(&json!({"name": "hook", "description": "", "template": template}))
    };
    let own = r#"{"event": "prefect.flow-run.Completed", "resource": {"prefect.resource.id": "{{ body.id }}"}}"#;
    assert_eq!(server.send(put(own)).await.status, 200);
    assert_eq!(send(&server, &hook, &[], r#"{"id": "7"}"#).await.status, 422);
    let right = r#"{"event": "a.b", "resource": {"prefect.resource.id": "{{ body.id }}"}}"#;
    assert_eq!(server.send(put(right)).await.status, 200);
    let first = requests(&server, &hook).await.pop().unwrap();
    let replay = format!("/webhooks/{}/requests/{}/replay", id_of(&hook), id_of(&first));
    let again = server.post(&replay, json!({})).await;
    assert_eq!((&again["outcome"], &again["replay_of"]), (&json!("accepted"), &first["id"]));
    assert_eq!(events(&server, "a.b").await[0]["resource"]["prefect.resource.id"], "7");
    // Each replay is an event of its own.
    server.post(&replay, json!({})).await;
    assert_eq!(events(&server, "a.b").await.len(), 2);
}

async fn bombs_are_refused_at_the_door(database: FreshDatabase) {
    let server = start(database, |_| {}).await;
    for template in [
        "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
        "{% set a = 'x' %}{% set b = a ~ a %}{{ b }}",
        "{{ 'x' * 100000000 }}",
        "{% for a in b %}{% for c in d %}{% for e in f %}{% endfor %}{% endfor %}{% endfor %}",
        "{{ body",
    ] {
        let request =
            server.request(Method::POST, "/api/webhooks/").json(&json!({"name": "bomb", "template": template}));
        let answer = server.send(request).await;
        assert_eq!(answer.status, 422, "{template}");
        assert!(answer.text.contains("The template cannot be used"), "{}", answer.text);
    }
    let hook = create(&server, "{% for i in range(1000000000) %}x{% endfor %}", json!(null)).await;
    let started = std::time::Instant::now();
    assert_eq!(send(&server, &hook, &[], "{}").await.status, 422);
    // A hundred milliseconds, and room for a machine that does other things.
    assert!(started.elapsed().as_secs() < 2, "{:?}", started.elapsed());
    let deep = "[".repeat(100_000);
    assert_eq!(send(&server, &hook, &[], deep).await.status, 422);
}

async fn webhooks_are_kept_as_cloud_clients_expect_them(database: FreshDatabase) {
    let server = start(database, |_| {}).await;
    let hook = create(&server, TEMPLATE, json!({"type": "stripe", "secret": "whsec_1"})).await;
    let path = format!("/webhooks/{}", id_of(&hook));
    let hidden = json!({"type": "stripe", "secret": "********", "tolerance_seconds": 300.0});
    assert_eq!(
        (&hook["verification"], &hook["enabled"], &hook["service_account_id"]),
        (&hidden, &json!(true), &json!(null))
    );
    // A filter without a body, and a plain list.
    let filter = server.send(server.request(Method::POST, "/api/webhooks/filter")).await;
    assert_eq!((filter.status, filter.json()), (200, json!([hook])));
    assert_eq!(server.get("/webhooks/").await, json!([hook]));
    let change = |body: Value| server.request(Method::PATCH, &format!("/api{path}")).json(&body);
    assert_eq!(server.send(change(json!({"enabled": false}))).await.status, 200);
    assert_eq!(send(&server, &hook, &[], "{}").await.status, 404);
    // What clients do not know of stays; a hidden secret means the one that is there.
    assert_eq!(server.send(change(json!({"enabled": true, "verification": hidden}))).await.status, 200);
    assert_eq!(server.get(&path).await["verification"], hidden);
    let body = r#"{"action": "x", "repository": {"full_name": "r"}}"#;
    let time = server.clock.now().micros() / 1_000_000;
    let header = format!("t={time},v1={}", signature("whsec_1", &format!("{time}.{body}")));
    let headers = [("Stripe-Signature", header.as_str()), ("x-github-event", "e")];
    assert_eq!(send(&server, &hook, &headers, body).await.status, 204);
    for refused in [
        json!({"verification": {"type": "bearer"}}),
        json!({"verification": {"type": "mtls", "header": "x", "subjects": []}}),
        json!({"verification": {"type": "nothing"}}),
        json!({"name": ""}),
        json!({"requests_per_minute": 0}),
    ] {
        assert_eq!(server.send(change(refused.clone())).await.status, 422, "{refused}");
    }
    let rotated = server.post(&format!("{path}/rotate"), json!({})).await;
    assert_ne!(rotated["slug"], hook["slug"]);
    assert_eq!(send(&server, &hook, &headers, body).await.status, 404);
    assert_eq!(send(&server, &rotated, &headers, body).await.status, 204);
    // Nobody who reads the database learns the secret.
    assert!(!server.get(&path).await.to_string().contains("whsec_1"));
    let delete = || server.send(server.request(Method::DELETE, &format!("/api{path}")));
    assert_eq!((delete().await.status, delete().await.status), (204, 404));
    assert_eq!(send(&server, &rotated, &headers, body).await.status, 404);
}

async fn the_log_is_let_go(database: FreshDatabase) {
    let server = start(database, |settings| {
        settings.services.retention = often();
        settings.webhooks.requests_kept = 3;
    })
    .await;
    let hook = create(&server, r#"{"event": "x.y", "resource": {"prefect.resource.id": "x"}}"#, json!(null)).await;
    for _ in 0..5 {
        assert_eq!(send(&server, &hook, &[], "").await.status, 204);
        server.clock.advance(1);
    }
    let left = async |count: usize| (requests(&server, &hook).await.len() == count).then_some(());
    eventually("the log's cut", async || left(3).await).await;
    server.clock.advance(8 * 86_400);
    eventually("the log's end", async || left(0).await).await;
}
