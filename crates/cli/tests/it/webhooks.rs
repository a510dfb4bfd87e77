//! Webhooks and holders of slots from the command line, against a real server.

use serde_json::Value;

use crate::place::Place;

#[test]
fn webhooks_are_created_changed_replayed_and_deleted() {
    let place = Place::with_own_server();
    let _server = place.start_server();
    let ok = |arguments: &[&str]| place.run(arguments).ok();
    let json = |arguments: &[&str]| -> Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["-o", "json"]).collect();
        serde_json::from_str(&place.run(&arguments).ok()).unwrap()
    };
    place.write("work/template.jinja", r#"{"event": "a.b", "resource": {"prefect.resource.id": "{{ body.id }}"}}"#);
    place.write("work/secret", "hush\n");
    let check = ["--verify", "header", "--header", "X-Key", "--secret", "@secret"];
    let create = ["webhook", "create", "orders", "-d", "of the shop", "-t", "@template.jinja"];
    let address = ok(&[&create[..], &check].concat());
    let (root, slug) = address.trim().rsplit_once("/hooks/").unwrap();
    assert!(root.starts_with("http://127.0.0.1:") && !root.ends_with("/api"), "{address}");
    let listed = json(&["webhook", "ls"]);
    let id = listed[0]["id"].as_str().unwrap();
    assert_eq!(
        (listed[0]["slug"].as_str(), listed[0]["verification"]["secret"].as_str()),
        (Some(slug), Some("********"))
    );
    let shown = ok(&["webhook", "get", id]);
    assert!(shown.contains("of the shop") && shown.contains("header") && !shown.contains("hush"), "{shown}");

    let hook = format!("/hooks/{slug}");
    let send = |key: &str, body: &str| {
        place.run(&["api", "POST", &hook, "--root", "-H", &format!("X-Key: {key}"), "--data", body])
    };
    send("hush", r#"{"id": "7"}"#).ok();
    assert_eq!(send("wrong", "{}").code, 1);
    let requests = json(&["webhook", "requests", id]);
    let outcomes: Vec<&str> = requests.as_array().unwrap().iter().map(|one| one["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["refused", "accepted"]);
    let refused = json(&["webhook", "requests", id, "--outcome", "refused"]);
    assert_eq!(refused.as_array().unwrap().len(), 1);
    let replayed = json(&["webhook", "replay", id, requests[1]["id"].as_str().unwrap()]);
    assert_eq!(replayed["replay_of"], requests[1]["id"]);

    assert!(place.run(&["webhook", "update", id]).fails(2).contains("nothing to change"));
    ok(&["webhook", "update", id, "--name", "renamed", "--verify", "none"]);
    send("anything", r#"{"id": "8"}"#).ok();
    ok(&["webhook", "toggle", id]);
    assert_eq!(json(&["webhook", "get", id])["enabled"], false);
    let rotated = ok(&["webhook", "rotate", id]);
    assert!(!rotated.contains(slug));
    ok(&["webhook", "delete", id]);
    let missing = place.run(&["webhook", "get", id]).fails(1);
    assert!(missing.contains("was not found\nhint: `tidegate webhook ls` shows what there is"), "{missing}");
}

#[test]
fn holders_of_slots_are_listed_and_released() {
    let place = Place::with_own_server();
    let _server = place.start_server();
    place.run(&["gcl", "create", "one", "--limit", "1"]).ok();
    let body = r#"{"names": ["one"], "slots": 1, "mode": "concurrency"}"#;
    let lease = place.run(&["api", "POST", "/v2/concurrency_limits/increment-with-lease", "--data", body]).ok();
    let lease: Value = serde_json::from_str(&lease).unwrap();
    let lease = lease["lease_id"].as_str().unwrap();
    let holders = place.run(&["gcl", "holders", "one"]).ok();
    assert!(holders.contains(lease), "{holders}");
    place.run(&["gcl", "release", "one", lease]).ok();
    let again = place.run(&["gcl", "release", "one", lease]).fails(1);
    assert!(again.contains("was not found") && again.contains("global-concurrency-limit holders one"), "{again}");
    assert_eq!(place.run(&["gcl", "holders", "one", "-o", "json"]).ok().trim(), "[]");
}
