//! Jobs from templates and variables, by table; the base job template is the process backend's own.

use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::{infrastructure::Infrastructure as _, process::Process};

fn template() -> Value {
    Process::base_job_template()
}

fn filled(template: &Value, variables: &Value) -> Value {
    let variables = variables.as_object().cloned().unwrap_or_default();
    Value::Object(fill(template, variables, &|name| (name == "STAGE").then(|| "test".to_owned())).unwrap())
}

#[test]
fn variables_without_a_value_leave_no_trace() {
    assert_eq!(filled(&template(), &json!({})), json!({"stream_output": true}));
    assert_eq!(
        filled(&template(), &json!({"working_dir": "/srv", "stream_output": false, "unknown": 1})),
        json!({"stream_output": false, "working_dir": "/srv"})
    );
    assert_eq!(filled(&template(), &json!({"command": null})), json!({"command": null, "stream_output": true}));
}

#[test]
fn environments_are_merged_from_everywhere() {
    let mut custom = template();
    custom["job_configuration"]["env"] = json!({"FIXED": "template", "OVER": "template", "STAGE": "{{ $STAGE }}"});
    custom["variables"]["properties"]["env"]["default"] = json!({"DEFAULT": "d", "OVER": "default"});
    let env = filled(&custom, &json!({"env": {"MINE": "m", "OVER": "mine"}}))["env"].clone();
    assert_eq!(env, json!({"FIXED": "template", "OVER": "mine", "STAGE": "test", "DEFAULT": "d", "MINE": "m"}));

    let mut defaults = template();
    defaults["variables"]["properties"]["env"]["default"] = json!({"DEFAULT": "d", "OVER": "default"});
    let env = filled(&defaults, &json!({"env": {"OVER": "mine"}}))["env"].clone();
    assert_eq!(env, json!({"DEFAULT": "d", "OVER": "mine"}));
    assert_eq!(filled(&template(), &json!({"env": {"A": "1"}}))["env"], json!({"A": "1"}));
}

#[test]
fn dotted_variables_are_parts_and_whole_ones_win() {
    let variables = json!({"env.A": "dotted", "env.B": "dotted", "env": {"A": "whole"}, "labels.team": "blue"});
    let filled = filled(&template(), &variables);
    assert_eq!(filled["env"], json!({"A": "whole", "B": "dotted"}));
    assert_eq!(filled["labels"], json!({"team": "blue"}));
    let clash = json!({"name.a.b": 1, "name.a": 2}).as_object().cloned().unwrap();
    let reversed: Map<_, _> = clash.into_iter().rev().collect();
    assert_eq!(nest(reversed).unwrap_err().class, FailureClass::ConfigError);
}

#[test]
fn a_runs_variables_win_over_its_deployments() {
    let deployment = json!({"env": {"A": "deployment", "B": "deployment"}, "labels": {"x": "1"}, "name": "d"});
    let run = json!({"env": {"A": "run"}, "labels": {"y": "2"}});
    let merged = merge_variables(Some(&deployment), Some(&run));
    let expected = json!({"env": {"A": "run", "B": "deployment"}, "labels": {"y": "2"}, "name": "d"});
    assert_eq!(Value::Object(merged), expected);
    assert_eq!(merge_variables(Some(&deployment), None)["name"], "d");
    assert!(merge_variables(Some(&Value::Null), Some(&Value::Null)).is_empty());
}

#[test]
fn a_template_without_its_parts_is_a_configuration_error() {
    for broken in [json!({}), json!({"variables": {}}), json!({"job_configuration": {}})] {
        let failure = fill(&broken, Map::new(), &|_| None).unwrap_err();
        assert!(failure.class == FailureClass::ConfigError && failure.hint.is_some(), "{broken}");
    }
}

/// A job of the flow run `blue-fox` with this configuration.
fn prepared(configuration: &Value, caller: &Caller, token: Option<i64>) -> Result<Job, Failure> {
    let id = Uuid::from_u128(7);
    let of = |kind: u128| Uuid::from_u128(kind);
    let flow_run = json!({"id": id, "name": "blue-fox", "flow_id": of(1), "deployment_id": of(2)});
    let flow_run = serde_json::from_value(flow_run).unwrap();
    let flow = serde_json::from_value(json!({"id": of(1), "name": "etl"})).unwrap();
    let deployment = json!({"id": of(2), "name": "nightly", "flow_id": of(1), "updated": "2026-01-02T03:04:05Z"});
    let deployment = serde_json::from_value(deployment).unwrap();
    let pool = serde_json::from_value(json!({"id": of(3), "name": "pool", "type": "process"})).unwrap();
    let facts =
        Facts { flow_run: &flow_run, flow: Some(&flow), deployment: Some(&deployment), pool: &pool, worker_name: "w" };
    let attempt = Attempt { flow_run_id: id, flow_run_name: "blue-fox".into(), attempt: 1, token, owner: None };
    prepare(configuration.as_object().cloned().unwrap(), facts, &attempt, caller)
}

fn caller(variables: &[(&str, &str)]) -> Caller {
    let client = Client::new(tidegate_client::Config::new("http://localhost:4200/api")).unwrap();
    Caller::new(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())), &client)
}

#[test]
fn a_process_learns_which_run_it_is_and_where_the_api_is() {
    let job = prepared(&json!({"env": {"A": 1, "PREFECT__WORKER_NAME": null}}), &caller(&[]), None).unwrap();
    let expected = [
        ("A", "1"),
        ("PREFECT_API_URL", "http://localhost:4200/api"),
        ("PREFECT__DEPLOYMENT_ID", "00000000-0000-0000-0000-000000000002"),
        ("PREFECT__DEPLOYMENT_NAME", "nightly"),
        ("PREFECT__FLOW_ID", "00000000-0000-0000-0000-000000000001"),
        ("PREFECT__FLOW_NAME", "etl"),
        ("PREFECT__FLOW_RUN_ID", "00000000-0000-0000-0000-000000000007"),
    ];
    let mut environment: Vec<_> = job.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    environment.sort_unstable();
    assert_eq!(environment, expected);
}

#[test]
fn settings_of_the_sdk_are_handed_on_unless_the_job_has_its_own() {
    let caller = caller(&[
        ("PREFECT_RESULTS_PERSIST_BY_DEFAULT", "true"),
        ("PREFECT_LOGGING_LEVEL", "DEBUG"),
        ("PREFECT_API_URL", "http://elsewhere/api"),
        ("PREFECT__FLOW_RUN_ID", "of the worker's own run"),
        ("STAGE", "inherited anyway"),
    ]);
    let job = prepared(&json!({"env": {"PREFECT_LOGGING_LEVEL": "ERROR"}}), &caller, None).unwrap();
    let value = |name: &str| job.environment.get(name).map(String::as_str);
    assert_eq!(value("PREFECT_RESULTS_PERSIST_BY_DEFAULT"), Some("true"));
    assert_eq!(value("PREFECT_LOGGING_LEVEL"), Some("ERROR"));
    assert_eq!(value("PREFECT_API_URL"), Some("http://localhost:4200/api"));
    assert_eq!(value("PREFECT__FLOW_RUN_ID"), Some("00000000-0000-0000-0000-000000000007"));
    assert_eq!(value("STAGE"), None);
}

#[test]
fn the_fence_joins_the_users_headers_and_cannot_be_replaced() {
    let headers =
        |job: Job| -> Value { serde_json::from_str(&job.environment["PREFECT_CLIENT_CUSTOM_HEADERS"]).unwrap() };
    let fence = "00000000-0000-0000-0000-000000000007:41";
    let none = prepared(&json!({}), &caller(&[]), Some(41)).unwrap();
    assert_eq!(headers(none), json!({"X-Tidegate-Fence": fence, "X-Tidegate-Wait": "20"}));
    let caller = caller(&[("PREFECT_CLIENT_CUSTOM_HEADERS", r#"{"X-Team": "blue"}"#)]);
    let inherited = prepared(&json!({}), &caller, Some(41)).unwrap();
    assert_eq!(headers(inherited), json!({"X-Team": "blue", "X-Tidegate-Fence": fence, "X-Tidegate-Wait": "20"}));
    let env =
        json!({"env": {"PREFECT_CLIENT_CUSTOM_HEADERS": r#"{"x-tidegate-fence": "forged", "x-tidegate-wait": "1"}"#}});
    let expected = json!({"x-tidegate-wait": "1", "X-Tidegate-Fence": fence});
    assert_eq!(headers(prepared(&env, &caller, Some(41)).unwrap()), expected);
    let broken = json!({"env": {"PREFECT_CLIENT_CUSTOM_HEADERS": "no json"}});
    assert_eq!(prepared(&broken, &caller, Some(41)).unwrap_err().class, FailureClass::ConfigError);
}

#[test]
fn names_and_labels_say_whose_the_process_is() {
    let labels = json!({"name": "job-{{ ctx.flow_run.name }}-of-{{ ctx.flow.name }}", "labels": {"team": "blue",
        "prefect.io/flow-name": "mine"}, "command": ""});
    let job = prepared(&labels, &caller(&[]), None).unwrap();
    assert_eq!((job.name.as_str(), job.command), ("job-blue-fox-of-etl", None));
    assert_eq!(job.labels["team"], "blue");
    assert_eq!(job.labels["prefect.io/flow-name"], "mine");
    assert_eq!(job.labels["prefect.io/deployment-updated"], "2026-01-02T03:04:05+00:00");
    assert_eq!(prepared(&json!({"name": ""}), &caller(&[]), None).unwrap().name, "blue-fox");
    assert!(prepared(&json!({"labels": "team=blue"}), &caller(&[]), None).is_err());
}
