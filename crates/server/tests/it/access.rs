//! Who may ask, from where, and by which path.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::{Answer, TestServer, id_of};

async fn options(server: &TestServer, path: &str) -> Answer {
    let request = server.request(Method::OPTIONS, path).header("origin", "https://ui.example");
    let request = request.header("access-control-request-method", "POST");
    server.send(request.header("access-control-request-headers", "content-type")).await
}

#[tokio::test]
async fn with_an_auth_string_nothing_but_health_answers_strangers() {
    let server = TestServer::with(|settings| settings.auth_string = Some("admin:pass:word".into())).await;
    let get = |path: &str| server.request(Method::GET, path);
    for path in ["/api/flows/", "/api/admin/version", "/api/version", "/api/nowhere", "/metrics"] {
        let answer = server.send(get(path)).await;
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.json(), json!({ "exception_message": "Unauthorized" }));
    }
    for path in ["/api/health", "/api/ready"] {
        assert_eq!(server.send(get(path)).await.status, 200, "{path}");
    }
    let version = || get("/api/admin/version");
    for refused in [
        version().basic_auth("admin", Some("wrong")),
        version().basic_auth("admin", None::<&str>),
        version().bearer_auth("pass"),
        version().bearer_auth(""),
        version().header("authorization", "pass:word"),
        version().header("authorization", "Basic not-base64!"),
    ] {
        assert_eq!(server.send(refused).await.status, 401);
    }
    for accepted in [version().basic_auth("admin", Some("pass:word")), version().bearer_auth("pass:word")] {
        assert_eq!(server.send(accepted).await.status, 200);
    }
    // The browser asks before it can prove anything.
    assert_eq!(options(&server, "/api/flows/").await.status, 200);
}

#[tokio::test]
async fn behind_a_base_path_the_api_answers_there() {
    let server = TestServer::with(|settings| settings.base_path = "/tide".into()).await;
    let flow = server.send(server.request(Method::POST, "/tide/api/flows/").json(&json!({ "name": "f" }))).await;
    assert_eq!(flow.status, 201);
    let id = id_of(&flow.json());
    assert_eq!(server.get(&format!("/flows/{id}")).await["name"], "f");
    assert_eq!(server.send(server.request(Method::GET, "/tidegate/api/health")).await.status, 404);
    // A redirect leads to where the client came from, not past the prefix.
    for (path, location) in [
        ("/tide/api/flows?a=b", "/tide/api/flows/?a=b"),
        ("/api/flows", "/api/flows/"),
        ("/tide/api/accounts/a/workspaces/w/flows", "/tide/api/accounts/a/workspaces/w/flows/"),
    ] {
        let answer = server.send(server.request(Method::POST, path).json(&json!({ "name": "f" }))).await;
        assert_eq!(answer.status, 307);
        assert_eq!(answer.header("location"), Some(format!("http://{}{location}", server.address).as_str()));
    }
}

#[tokio::test]
async fn a_workspace_in_the_path_is_the_default_one() {
    let server = TestServer::start().await;
    let prefix = format!("/api/accounts/{}/workspaces/{}", Uuid::new_v4(), Uuid::new_v4());
    let create = server.request(Method::POST, &format!("{prefix}/flows/")).json(&json!({ "name": "f" }));
    let flow = server.send(create).await;
    assert_eq!(flow.status, 201, "{}", flow.text);
    let id = id_of(&flow.json());
    assert_eq!(server.get(&format!("/flows/{id}")).await["id"], id.as_str());
    let read = server.send(server.request(Method::GET, &format!("{prefix}/flows/{id}"))).await;
    assert_eq!(read.json()["name"], "f");
    assert_eq!(server.send(server.request(Method::GET, "/api/accounts/only")).await.status, 404);
}

#[tokio::test]
async fn browsers_of_allowed_origins_may_read() {
    let open = TestServer::start().await;
    assert_eq!(options(&open, "/api/flows/").await.header("access-control-allow-origin"), Some("*"));

    let server = TestServer::with(|settings| {
        settings.cors_allowed_origins = "https://ui.example, https://other.example".into();
        settings.cors_allowed_methods = "GET,POST".into();
        settings.cors_allowed_headers = "content-type".into();
    })
    .await;
    let preflight = options(&server, "/api/flows/").await;
    assert_eq!(preflight.status, 200);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("https://ui.example"));
    assert_eq!(preflight.header("access-control-allow-methods"), Some("GET,POST"));
    assert_eq!(preflight.header("access-control-allow-headers"), Some("content-type"));
    let from = |origin: &str| server.request(Method::GET, "/api/health").header("origin", origin);
    let allowed = server.send(from("https://other.example")).await;
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://other.example"));
    assert_eq!(server.send(from("https://evil.example")).await.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn with_csrf_protection_a_change_carries_its_clients_token() {
    let server = TestServer::with(|settings| settings.csrf_enabled = true).await;
    let change = || server.request(Method::POST, "/api/flows/").json(&json!({ "name": "f" }));
    let refusal = |answer: Answer| (answer.status, answer.json()["detail"].as_str().unwrap().to_owned());
    assert_eq!(refusal(server.send(change()).await), (403, "Missing CSRF token.".to_owned()));
    let token = server.get("/csrf-token?client=one").await["token"].as_str().unwrap().to_owned();
    let lonely = change().header("prefect-csrf-token", &token);
    assert_eq!(refusal(server.send(lonely).await), (403, "Missing client identifier.".to_owned()));
    let by =
        |client: &str, token: &str| change().header("prefect-csrf-token", token).header("prefect-csrf-client", client);
    let invalid = (403, "Invalid CSRF token or client identifier.".to_owned());
    assert_eq!(refusal(server.send(by("one", &"f".repeat(64))).await), invalid);
    assert_eq!(refusal(server.send(by("two", &token)).await), invalid);
    assert_eq!(server.send(by("one", &token)).await.status, 201);
    // Reading needs none.
    assert_eq!(server.send(server.request(Method::GET, "/api/admin/version")).await.status, 200);
    server.clock.advance(3601);
    assert_eq!(refusal(server.send(by("one", &token)).await), invalid);
}

#[tokio::test]
async fn a_bearer_needs_no_csrf_token_where_it_is_asked_for() {
    let guarded = TestServer::with(|settings| {
        settings.csrf_enabled = true;
        settings.api_keys = vec!["pnu_1".into()];
    })
    .await;
    let change = |server: &TestServer, key: &str| {
        server.request(Method::POST, "/api/flows/").json(&json!({ "name": "f" })).bearer_auth(key)
    };
    assert_eq!(guarded.send(change(&guarded, "pnu_1")).await.status, 201);
    assert_eq!(guarded.send(change(&guarded, "pnu_2")).await.status, 401);
    // A browser sends a password by itself, and an open server takes any key.
    let basic =
        guarded.request(Method::POST, "/api/flows/").json(&json!({ "name": "f" })).basic_auth("me", Some("pnu_1"));
    assert_eq!(guarded.send(basic).await.status, 403);
    let open = TestServer::with(|settings| settings.csrf_enabled = true).await;
    assert_eq!(open.send(change(&open, "pnu_1")).await.status, 403);
}

#[tokio::test]
async fn without_csrf_protection_there_are_no_tokens() {
    let server = TestServer::start().await;
    let answer = server.send(server.request(Method::GET, "/api/csrf-token?client=one")).await;
    assert_eq!((answer.status, answer.json()), (422, json!({ "detail": "CSRF protection is disabled." })));
}
