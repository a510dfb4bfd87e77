//! Which operations of the contract are served, and what the others say.

use reqwest::Method;
use serde_json::json;
use tidegate_api::contract;
use tidegate_server::unserved;

use crate::support::TestServer;

/// A whole list, so that an operation that stops being served is as visible as one that begins to be.
const UNSERVED: &[&str] = &[
    "DELETE /automations/{id}",
    "GET /automations/{id}",
    "PATCH /automations/{id}",
    "POST /automations/",
    "POST /automations/count",
    "POST /automations/filter",
    "POST /automations/templates/validate",
    "PUT /automations/{id}",
];

#[test]
fn the_operations_without_a_handler_are_these() {
    let mut found = unserved();
    found.sort();
    let mut expected = UNSERVED.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn an_operation_without_a_handler_says_its_name_and_all_others_have_a_route() {
    let server = TestServer::start().await;
    for operation in contract::operations() {
        let (method, template) = (operation.method(), operation.path());
        let path = filled(template);
        let request = server.request(method.parse::<Method>().unwrap(), &format!("/api{path}"));
        let answer = server.send(request.json(&json!({}))).await;
        if UNSERVED.contains(&format!("{method} {template}").as_str()) {
            assert_eq!(answer.status, 501, "{method} {path}");
            let expected =
                format!("Tidegate does not serve the operation {method} {template} ({}) yet.", operation.id());
            assert_eq!(answer.json(), json!({ "detail": expected }));
        } else {
            assert_ne!(answer.status, 501, "{method} {path}: {}", answer.text);
            assert_ne!(answer.status, 405, "{method} {path}: {}", answer.text);
            // What is absent names its kind; only a missing route is nothing but "Not Found".
            assert_ne!(answer.text, r#"{"detail":"Not Found"}"#, "{method} {path}");
            assert!(answer.status < 500, "{method} {path}: {} {}", answer.status, answer.text);
        }
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
