//! The checker against what the reference answers (`tests/recorded.json`, written by `tests/record.py`), and the
//! coercions, which no answer shows.

use serde_json::{Value, json};

use super::{Loc, MAX_DEPTH, Unknown, operation, operations};

const JSON: Option<&str> = Some("application/json");

fn value_of(route: &str, body: &Value) -> Value {
    let (method, path) = route.split_once(' ').unwrap();
    let operation = operation(method, path).unwrap();
    operation.check_body(JSON, body.to_string().as_bytes(), Unknown::Ignore).unwrap().value
}

#[test]
fn refusals_are_the_recorded_ones() {
    let rows: Vec<(String, String, String, Value)> = serde_json::from_str(include_str!("tests/recorded.json")).unwrap();
    assert!(rows.len() > 100);
    let mut wrong = Vec::new();
    for (route, content_type, body, expected) in &rows {
        let (method, path) = route.split_once(' ').unwrap();
        let operation = operation(method, path).unwrap();
        let found = match operation.check_body(Some(content_type), body.as_bytes(), Unknown::Forbid) {
            Ok(_) => "null".to_owned(),
            Err(errors) => serde_json::to_string(&errors).unwrap(),
        };
        let expected = expected.to_string();
        if found != expected {
            wrong.push(format!("{route} {body}\n  found    {found}\n  expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn every_operation_is_found_by_method_and_path() {
    // The reference's 187, and 27 of ours.
    assert_eq!(operations().count(), 214);
    for each in operations() {
        assert_eq!(operation(each.method(), each.path()).unwrap().id(), each.id());
    }
    assert!(operation("GET", "/nope").is_none());
    assert!(operation("DELETE", "/flows/filter").is_none());
}

#[test]
fn what_is_absent_stays_absent() {
    assert_eq!(value_of("POST /flows/", &json!({"name": "a"})), json!({"name": "a"}));
    assert_eq!(value_of("POST /flows/filter", &json!({"limit": null, "sort": null})), json!({}));
    assert_eq!(value_of("POST /flows/filter", &json!(null)), json!({}));
}

#[test]
fn lax_values_become_what_they_mean() {
    let limits = json!({"slots": "2", "names": ["a"], "lease_duration": "90"});
    let expected = json!({"slots": 2, "names": ["a"], "lease_duration": 90.0});
    assert_eq!(value_of("POST /v2/concurrency_limits/increment-with-lease", &limits), expected);
    let logs = json!([{"name": "a", "level": 5.0, "message": "m", "timestamp": "2030-01-01"}]);
    assert_eq!(value_of("POST /logs/", &logs)[0]["level"], json!(5));
    assert_eq!(value_of("POST /logs/", &logs)[0]["timestamp"], json!("2030-01-01T00:00:00Z"));
    let variable = json!({"name": "a", "value": true});
    assert_eq!(value_of("POST /variables/", &variable), variable);
}

#[test]
fn offsets_of_instants_are_kept() {
    for (sent, meant) in [
        ("2030-01-01T00:00:00+02:00", "2030-01-01T00:00:00+02:00"),
        ("2030-01-01 00:00:00.5+0200", "2030-01-01T00:00:00.500+02:00"),
        ("2030-01-01T10:00", "2030-01-01T10:00:00Z"),
        ("1600000000", "2020-09-13T12:26:40Z"),
    ] {
        let body = json!({"state": {"type": "SCHEDULED", "state_details": {"scheduled_time": sent}}});
        let value = value_of("POST /flow_runs/{id}/set_state", &body);
        assert_eq!(value["state"]["state_details"]["scheduled_time"], meant);
    }
}

#[test]
fn instants_with_missing_digits_are_refused() {
    let set_state = operation("POST", "/flow_runs/{id}/set_state").unwrap();
    for text in
        ["2030-01-01T3:04:05Z", "2030-1-01", "203-01-01T00:00:00Z", "2030-01-01T00:0:00", "1e3", "now", " 2030-01-01"]
    {
        let details = json!({"scheduled_time": text});
        let body = json!({"state": {"type": "SCHEDULED", "state_details": details}}).to_string();
        let errors = set_state.check_body(JSON, body.as_bytes(), Unknown::Forbid).unwrap_err();
        assert_eq!(errors[0].msg, format!("Value error, Unable to parse string [{text}]"));
    }
}

#[test]
fn identifiers_get_their_usual_spelling() {
    let id = "a1111111-1111-4111-8111-111111111111";
    for sent in [id.to_owned(), id.to_uppercase(), id.replace('-', ""), format!("urn:uuid:{id}"), format!("{{{id}}}")] {
        assert_eq!(value_of("POST /flow_runs/", &json!({"flow_id": sent}))["flow_id"], id);
    }
}

#[test]
fn unknown_fields_are_left_out_and_named() {
    let body = br#"{"name":"a","zz":1,"tags":["b"]}"#;
    let checked = operation("POST", "/flows/").unwrap().check_body(JSON, body, Unknown::Ignore).unwrap();
    assert_eq!(checked.value, json!({"name": "a", "tags": ["b"]}));
    assert_eq!(checked.unknown, ["FlowCreate.zz"]);
    let body = br#"{"flows":{"id":{"zz":1}},"yy":2}"#;
    let checked = operation("POST", "/flows/filter").unwrap().check_body(JSON, body, Unknown::Ignore).unwrap();
    assert_eq!(checked.value, json!({"flows": {"id": {}}}));
    assert_eq!(checked.unknown, ["FlowFilterId.zz", "body.yy"]);
}

#[test]
fn unknown_fields_are_told_when_something_else_is_wrong() {
    let errors = operation("POST", "/flows/").unwrap().check_body(JSON, br#"{"zz":1}"#, Unknown::Ignore).unwrap_err();
    let kinds: Vec<_> = errors.iter().map(|error| error.r#type).collect();
    assert_eq!(kinds, ["missing", "extra_forbidden"]);
}

#[test]
fn the_branch_without_unknown_fields_wins() {
    let schedule = json!({"cron": "0 0 * * *", "timezone": "UTC", "day_or": true});
    let body = json!([{"schedule": schedule}]);
    assert_eq!(value_of("POST /deployments/{id}/schedules", &body)[0]["schedule"], schedule);
    let schedule = json!({"interval": "PT1H30M", "anchor_date": "2020-01-01T00:00:00Z"});
    let value = value_of("POST /deployments/{id}/schedules", &json!([{"schedule": schedule}]));
    assert_eq!(value[0]["schedule"]["interval"], 5400);
}

#[test]
fn zones_are_those_of_the_database() {
    let create = operation("POST", "/deployments/{id}/schedules").unwrap();
    for schedule in [json!({"interval": 60}), json!({"cron": "* * * * *"}), json!({"rrule": "FREQ=DAILY"})] {
        for (zone, good) in [("Europe/Paris", true), ("Mars/Olympus", false)] {
            let mut schedule = schedule.clone();
            schedule["timezone"] = zone.into();
            let body = json!([{"schedule": schedule}]).to_string();
            assert_eq!(create.check_body(JSON, body.as_bytes(), Unknown::Forbid).is_ok(), good, "{body}");
        }
    }
}

#[test]
fn old_names_of_retry_settings_fill_the_new_ones() {
    let policy = json!({"max_retries": "3", "retry_delay_seconds": 0});
    let value = value_of("POST /flow_runs/", &json!({"flow_id": uuid::Uuid::nil(), "empirical_policy": policy}));
    assert_eq!(value["empirical_policy"], json!({"max_retries": 3, "retry_delay_seconds": 0, "retries": 3}));
}

#[test]
fn empty_run_names_are_as_good_as_none() {
    for name in [json!(null), json!("")] {
        let value = value_of("POST /flow_runs/", &json!({"flow_id": uuid::Uuid::nil(), "name": name}));
        assert!(value.get("name").is_none());
    }
}

#[test]
fn a_run_that_loses_its_name_says_so_with_null() {
    for name in [json!(null), json!("")] {
        assert_eq!(value_of("PATCH /flow_runs/{id}", &json!({"name": name})), json!({"name": null}));
    }
    assert_eq!(value_of("PATCH /flow_runs/{id}", &json!({})), json!({}));
}

#[test]
fn a_schedule_of_two_kinds_is_none() {
    let create = operation("POST", "/deployments/{id}/schedules").unwrap();
    let body = br#"[{"schedule":{"interval":60,"cron":"* * * * *"}}]"#;
    assert!(create.check_body(JSON, body, Unknown::Ignore).is_err());
    let body = br#"[{"schedule":{"interval":60,"zz":1}}]"#;
    assert_eq!(create.check_body(JSON, body, Unknown::Ignore).unwrap().unknown, ["IntervalSchedule.zz"]);
}

#[test]
fn a_body_that_was_taken_as_it_came_says_so() {
    let is_as_sent = |route: &str, body: &str| {
        let (method, path) = route.split_once(' ').unwrap();
        let operation = operation(method, path).unwrap();
        operation.check_body(JSON, body.as_bytes(), Unknown::Ignore).unwrap().is_as_sent
    };
    assert!(is_as_sent("POST /flows/", r#"{"name":"a","tags":[]}"#));
    assert!(!is_as_sent("POST /flows/", r#"{"name":"a","zz":1}"#));
    assert!(is_as_sent("POST /flows/filter", r#"{"limit":1}"#));
    assert!(!is_as_sent("POST /flows/filter", r#"{"limit":"1"}"#));
    assert!(!is_as_sent("POST /flows/filter", r#"{"limit":1,"flows":null}"#));
    assert!(!is_as_sent("POST /flows/filter", "null"));
}

#[test]
fn sets_lose_their_doubles_and_long_metadata_is_cut() {
    let trigger = json!({"type": "event", "posture": "Reactive", "expect": ["a", "b", "a"]});
    let automation = json!({"name": "a", "trigger": trigger, "actions": []});
    assert_eq!(value_of("POST /automations/", &automation)["trigger"]["expect"], json!(["a", "b"]));
    let artifact = value_of("POST /artifacts/", &json!({"metadata_": {"a": "x".repeat(501), "b": "y"}}));
    assert_eq!(artifact["metadata_"]["a"].as_str().unwrap().len(), 503);
    assert_eq!(artifact["metadata_"]["b"], "y");
}

#[test]
fn the_last_of_two_equal_keys_counts() {
    let body = br#"{"name":"a","name":"b"}"#;
    let checked = operation("POST", "/flows/").unwrap().check_body(JSON, body, Unknown::Forbid).unwrap();
    assert_eq!(checked.value, json!({"name": "b"}));
}

#[test]
fn bodies_nest_as_deep_as_every_parser_can_read() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 2), "]".repeat(depth - 2));
        format!(r#"{{"name":"a","value":{{"k":{open}{close}}}}}"#).into_bytes()
    };
    let create = operation("POST", "/variables/").unwrap();
    assert!(create.check_body(JSON, &nested(MAX_DEPTH), Unknown::Forbid).is_ok());
    let errors = create.check_body(JSON, &nested(MAX_DEPTH + 1), Unknown::Forbid).unwrap_err();
    assert_eq!(errors[0].r#type, "json_invalid");
    let flood = "[".repeat(1_000_000);
    let errors = create.check_body(JSON, flood.as_bytes(), Unknown::Forbid).unwrap_err();
    assert_eq!(errors[0].loc[1], Loc::Index(MAX_DEPTH));
}

#[test]
fn what_only_python_reads_as_json_is_refused_with_a_place() {
    let create = operation("POST", "/flows/").unwrap();
    for body in [&b"{\"name\":NaN}"[..], b"{\"name\":\"\\ud800\"}", b"{\"name\":1e999}", b"{\"name\":\"\xff\"}"] {
        let errors = create.check_body(JSON, body, Unknown::Forbid).unwrap_err();
        assert_eq!(errors[0].r#type, "json_invalid");
    }
}

#[test]
fn query_parameters_are_checked_like_bodies() {
    let read = operation("GET", "/flow_run_states/").unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let errors = read.check_query(&[]).unwrap_err();
    let expected =
        json!([{"type": "missing", "loc": ["query", "flow_run_id"], "msg": "Field required", "input": null}]);
    assert_eq!(serde_json::to_value(&errors).unwrap(), expected);
    let errors = read.check_query(&[pair("flow_run_id", "x")]).unwrap_err();
    assert_eq!(errors[0].r#type, "uuid_parsing");
    let id = uuid::Uuid::nil().to_string();
    let found = read.check_query(&[pair("flow_run_id", "x"), pair("flow_run_id", &id), pair("zz", "1")]).unwrap();
    assert_eq!(Value::Object(found), json!({"flow_run_id": id}));
    let documents = operation("GET", "/block_documents/{id}").unwrap();
    let found = documents.check_query(&[pair("include_secrets", "yes")]).unwrap();
    assert_eq!(found["include_secrets"], true);
}

#[test]
fn refusals_echo_the_body() {
    let create = operation("POST", "/flows/").unwrap();
    assert_eq!(create.echo_body(JSON, b"{\"a\":1}"), json!({"a": 1}));
    assert_eq!(create.echo_body(JSON, b"{bad"), json!("{bad"));
    assert_eq!(create.echo_body(Some("text/plain"), b"{}"), json!("{}"));
    assert_eq!(create.echo_body(None, b""), Value::Null);
}
