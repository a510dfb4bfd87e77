//! That every operation of the contract is served, that nothing else is, and that the server says so itself.

use reqwest::Method;
use serde_json::json;
use tidegate_api::contract;
use tidegate_server::{undescribed, unserved};

use crate::support::TestServer;

#[test]
fn every_operation_of_the_contract_has_a_handler() {
    assert_eq!(unserved(), [""; 0]);
    assert_eq!(undescribed(), [""; 0]);
}

#[tokio::test]
async fn the_server_describes_its_interface_and_shows_the_description() {
    let server = TestServer::start().await;
    let told = server.send(server.request(Method::GET, "/api/openapi.json")).await;
    assert_eq!(told.header("content-type"), Some("application/json"));
    let document = told.json();
    for operation in contract::operations() {
        let item = &document["paths"][format!("/api{}", operation.path())];
        assert_eq!(item[operation.method().to_lowercase()]["operationId"], operation.id());
    }
    let page = server.send(server.request(Method::GET, "/api/docs")).await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    // Nothing is loaded from elsewhere.
    assert!(page.text.contains("openapi.json") && !page.text.contains("://"), "{}", page.text);
}

#[tokio::test]
async fn no_operation_fails_or_is_unknown() {
    let server = TestServer::start().await;
    for operation in contract::operations() {
        let (method, template) = (operation.method(), operation.path());
        let path = filled(template);
        let request = server.request(method.parse::<Method>().unwrap(), &format!("/api{path}"));
        let answer = server.send(request.json(&json!({}))).await;
        assert_ne!(answer.status, 405, "{method} {path}: {}", answer.text);
        // What is absent names its kind; only a missing route is nothing but "Not Found".
        assert_ne!(answer.text, r#"{"detail":"Not Found"}"#, "{method} {path}");
        assert!(answer.status < 500, "{method} {path}: {} {}", answer.status, answer.text);
    }
}

/// The path with an id of nothing where it wants one, and a name of nothing elsewhere.
fn filled(template: &str) -> String {
    let fill = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some(name) if name == "id" || name.ends_with("_id") => "6ba7b810-9dad-41d1-80b4-00c04fd430c8".to_owned(),
        Some(_) => "nothing".to_owned(),
        None => part.to_owned(),
    };
    template.split('/').map(fill).collect::<Vec<_>>().join("/")
}
