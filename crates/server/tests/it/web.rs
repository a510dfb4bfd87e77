//! A web UI out of a folder: its files, its own addresses, which generation a browser gets, and nothing beside the folder.

use std::{fs, path::Path};

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tempfile::TempDir;
use tidegate_server::{Server, Settings, Ui};
use tidegate_testkit::Clock;

use crate::support::TestServer;

const PLACEHOLDER: &str = "/PREFECT_UI_SERVE_BASE_REPLACE_PLACEHOLDER";

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// As a package lies in an environment, with both generations.
fn package() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (generation, name) in [("ui", "first"), ("ui-v2", "second")] {
        let bundle = folder.path().join("prefect/server").join(generation);
        write(&bundle, "index.html", &format!("{name} <script src=\"{PLACEHOLDER}/assets/index-1a.js\">"));
        write(&bundle, "assets/index-1a.js", &format!("base = `{PLACEHOLDER}`; // {name}"));
        write(&bundle, "ico/favicon.ico", "icon");
    }
    write(&folder.path().join("prefect/server/ui-v2"), "completed.svg", "<svg/>");
    write(folder.path(), "prefect/server/secret.txt", "secret");
    std::os::unix::fs::symlink(
        folder.path().join("prefect/server/secret.txt"),
        folder.path().join("prefect/server/ui/link.txt"),
    )
    .unwrap();
    folder
}

fn ui(folder: &Path) -> Ui {
    Ui { from: folder.to_owned(), api_url: None, prefers_second: true }
}

/// As a browser opens a page.
fn opens(server: &TestServer, path: &str) -> RequestBuilder {
    server.request(Method::GET, path).header("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
}

#[tokio::test]
async fn both_generations_are_served_with_their_base_in_place() {
    let folder = package();
    let server = TestServer::with(|settings| settings.ui = Some(ui(folder.path()))).await;
    for (path, kind, text) in [
        ("/index.html", "text/html; charset=utf-8", "first <script src=\"/assets/index-1a.js\">"),
        ("/assets/index-1a.js", "text/javascript; charset=utf-8", "base = ``; // first"),
        ("/v2/", "text/html; charset=utf-8", "second <script src=\"/v2/assets/index-1a.js\">"),
        ("/v2/assets/index-1a.js", "text/javascript; charset=utf-8", "base = `/v2`; // second"),
        // Some links forget the base.
        ("/completed.svg", "image/svg+xml", "<svg/>"),
        ("/favicon.ico", "image/x-icon", "icon"),
    ] {
        let answer = server.send(server.request(Method::GET, path)).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, text), "{path}");
        assert_eq!(answer.header("content-type"), Some(kind), "{path}");
        let keeps = answer.header("cache-control").unwrap();
        assert_eq!(keeps.contains("immutable"), path.contains("/assets/"), "{path}: {keeps}");
    }
    let head = server.send(server.request(Method::HEAD, "/v2/index.html")).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
}

#[tokio::test]
async fn the_pages_own_addresses_are_answered_to_browsers_only() {
    let folder = package();
    let server = TestServer::with(|settings| settings.ui = Some(ui(folder.path()))).await;
    for (path, name) in [("/runs", "first"), ("/v2/runs/flow-run/1", "second")] {
        assert!(server.send(opens(&server, path)).await.text.starts_with(name), "{path}");
        let part = server.send(server.request(Method::GET, path).header("accept", "*/*")).await;
        assert_eq!((part.status, part.json()), (404, json!({ "detail": "Not Found" })), "{path}");
    }
    let navigating = server.request(Method::GET, "/runs").header("sec-fetch-mode", "navigate");
    assert_eq!(server.send(navigating).await.status, 200);
    // The API stays what it is, and changes nothing on other paths.
    let missing = server.send(opens(&server, "/api/nowhere")).await;
    assert_eq!((missing.status, missing.json()), (404, json!({ "detail": "Not Found" })));
    assert_eq!(server.send(server.request(Method::POST, "/runs").header("accept", "text/html")).await.status, 404);
    assert!(server.send(opens(&server, "/metrics")).await.text.contains("tidegate_"));
}

#[tokio::test]
async fn a_browser_gets_the_generation_it_chose() {
    let folder = package();
    let server = TestServer::with(|settings| settings.ui = Some(ui(folder.path()))).await;
    let location = async |request: RequestBuilder| {
        let answer = server.send(request).await;
        (answer.status, answer.header("location").map(ToOwned::to_owned))
    };
    let to = |path: &str| (307, Some(path.to_owned()));
    assert_eq!(location(opens(&server, "/?a=b")).await, to("/v2/?a=b"));
    assert_eq!(location(opens(&server, "/").header("cookie", "x=y; prefect_ui_version=v2")).await, to("/v2/"));
    assert_eq!(location(opens(&server, "/").header("cookie", "prefect_ui_version=v1")).await, (200, None));
    assert_eq!(location(server.request(Method::GET, "/v2")).await, to("/v2/"));

    let first_only =
        TestServer::with(|settings| settings.ui = Some(ui(&folder.path().join("prefect/server/ui")))).await;
    let answer = first_only.send(opens(&first_only, "/v2/runs")).await;
    assert_eq!((answer.status, answer.header("location")), (307, Some("/runs")));
    assert_eq!(first_only.send(opens(&first_only, "/")).await.status, 200);
}

#[tokio::test]
async fn pages_are_told_where_the_api_is() {
    let folder = package();
    let server = TestServer::with(|settings| {
        settings.ui = Some(ui(folder.path()));
        settings.base_path = "/tide".into();
        settings.auth_string = Some("admin:pass".into());
    })
    .await;
    // Pages need no password, or nobody could be asked for one; the API does.
    assert_eq!(server.send(opens(&server, "/tide/v2/login")).await.status, 200);
    assert_eq!(server.send(opens(&server, "/tide/api/admin/version")).await.status, 401);
    assert_eq!(server.send(opens(&server, "/metrics")).await.status, 401);
    let asked = server.request(Method::GET, "/tide/ui-settings").header("x-forwarded-proto", "https");
    assert_eq!(
        server.send(asked.header("host", "tide.example")).await.json(),
        json!({
            "api_url": "https://tide.example/tide/api", "csrf_enabled": false, "auth": "BASIC", "flags": [],
            "default_ui": "v2", "available_uis": ["v1", "v2"], "v1_base_url": "/tide", "v2_base_url": "/tide/v2",
        })
    );
    let script = server.send(server.request(Method::GET, "/tide/v2/assets/index-1a.js")).await;
    assert_eq!(script.text, "base = `/tide/v2`; // second");
    let root = server.send(opens(&server, "/tide")).await;
    assert_eq!((root.status, root.header("location")), (307, Some("/tide/v2/")));

    let named = TestServer::with(|settings| {
        let second = folder.path().join("prefect/server/ui-v2");
        settings.ui =
            Some(Ui { from: second, api_url: Some("https://api.example/api/".into()), prefers_second: false });
    })
    .await;
    let told = named.send(named.request(Method::GET, "/ui-settings")).await.json();
    assert_eq!((&told["api_url"], &told["auth"]), (&json!("https://api.example/api"), &json!(null)));
    assert_eq!((&told["default_ui"], &told["v1_base_url"]), (&json!("v2"), &json!(null)));
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder() {
    let folder = package();
    let server = TestServer::with(|settings| settings.ui = Some(ui(folder.path()))).await;
    for path in [
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/v2/%2e%2e/%2e%2e/secret.txt",
        "/v2//secret.txt",
        "/link.txt",
        "/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd",
        "/%ff",
        "/%",
        "/%61pi/admin/version",
    ] {
        let answer = server.send(server.request(Method::GET, path)).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_folder_without_a_web_ui_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path().join("home"));
    settings.listen = ([127, 0, 0, 1], 0).into();
    let database = tidegate_testkit::sqlite().await;
    settings.database_url.clone_from(&database.url);
    settings.ui = Some(ui(folder.path()));
    let refused = Server::bind(settings, Clock::new().shared()).await.map(|_| ()).unwrap_err().to_string();
    assert!(refused.starts_with("there is no web UI in "), "{refused}");
}
