//! Commands against a real server: each noun's life from creation to deletion, in tables and in JSON.

use serde_json::Value;

use crate::served::{Served, words};

#[test]
fn variables_are_set_read_replaced_and_deleted() {
    let served = Served::new();
    served.ok(&["variable", "set", "answer", "42", "--tag", "deep"]);
    served.ok(&["variable", "set", "greeting", "hello there"]);
    assert_eq!(served.ok(&["variable", "get", "answer"]), "42\n");
    assert_eq!(served.ok(&["variable", "get", "greeting"]), "hello there\n");
    let table = served.ok(&["variable", "ls"]);
    assert_eq!(words(&table)[0], ["Name", "Value", "Tags", "Updated"]);
    assert_eq!(words(&table)[1][..3], ["answer", "42", "deep"]);
    let refused = served.place.run(&["variable", "set", "answer", "43"]).fails(1);
    assert_eq!(refused, "error: variable `answer` exists already\nhint: `--overwrite` replaces its value\n");
    served.ok(&["variable", "set", "answer", r#"{"a": [1]}"#, "--overwrite"]);
    assert_eq!(served.json(&["variable", "get", "answer"]), serde_json::json!({"a": [1]}));
    served.ok(&["variable", "unset", "answer"]);
    let missing = served.place.run(&["variable", "get", "answer"]).fails(1);
    assert_eq!(missing, "error: variable `answer` was not found\nhint: `tidegate variable ls` shows what there is\n");
}

#[test]
fn limits_are_created_changed_switched_and_deleted() {
    let served = Served::new();
    served.ok(&["gcl", "create", "database", "--limit", "5"]);
    served.ok(&["gcl", "update", "database", "--limit", "7", "--slot-decay-per-second", "0.5"]);
    served.ok(&["gcl", "disable", "database"]);
    assert!(served.place.run(&["gcl", "disable", "database"]).fails(1).contains("is switched off already"));
    let limit = served.json(&["gcl", "inspect", "database"]);
    assert_eq!(
        (&limit["limit"], &limit["active"], &limit["slot_decay_per_second"]),
        (&7.into(), &false.into(), &0.5.into())
    );
    served.ok(&["gcl", "delete", "database"]);
    assert_eq!(served.json(&["gcl", "ls"]), serde_json::json!([]));
    let empty = served.place.run(&["gcl", "ls"]);
    assert_eq!((empty.stdout.as_str(), empty.stderr.as_str()), ("", "No limits found.\n"));
}

#[test]
fn pools_and_queues_are_managed() {
    let served = Served::new();
    served.ok(&["work-pool", "create", "p", "--concurrency-limit", "3"]);
    let again = served.place.run(&["work-pool", "create", "p"]).fails(1);
    assert_eq!(again, "error: work pool `p` exists already\nhint: `--overwrite` changes it\n");
    let unknown = served.place.run(&["work-pool", "create", "q", "--type", "abacus"]).fails(1);
    assert!(unknown.contains("there is no worker type `abacus`") && unknown.contains("process"), "{unknown}");
    let template = served.json(&["work-pool", "get-default-base-job-template", "--type", "process"]);
    let pool = served.json(&["work-pool", "inspect", "p"]);
    assert_eq!((&pool["type"], &pool["concurrency_limit"]), (&"process".into(), &3.into()));
    assert_eq!(pool["base_job_template"], template);
    served.ok(&["work-pool", "pause", "p"]);
    assert_eq!(words(&served.ok(&["work-pool", "ls"]))[1], ["p", "process", "3", "paused"]);
    served.ok(&["work-pool", "resume", "p"]);
    served.ok(&["work-pool", "clear-concurrency-limit", "p"]);
    assert_eq!(served.json(&["work-pool", "inspect", "p"])["concurrency_limit"], Value::Null);
    served.ok(&["work-queue", "create", "fast", "--pool", "p", "--limit", "2"]);
    served.ok(&["work-queue", "pause", "fast", "--pool", "p"]);
    let queue = served.json(&["work-queue", "inspect", "fast", "--pool", "p"]);
    assert_eq!((&queue["concurrency_limit"], &queue["is_paused"]), (&2.into(), &true.into()));
    served.ok(&["work-queue", "delete", "fast", "-p", "p"]);
    let names: Vec<String> =
        words(&served.ok(&["work-queue", "ls", "--pool", "p"]))[1..].iter().map(|row| row[0].to_owned()).collect();
    assert_eq!(names, ["default"]);
    served.ok(&["work-pool", "delete", "p"]);
    assert!(served.place.run(&["work-queue", "ls", "--pool", "p"]).fails(1).contains("work pool `p` was not found"));
}

#[test]
fn a_deployment_is_scheduled_paused_and_run() {
    let served = Served::with_deployment();
    served.ok(&[
        "deployment",
        "schedule",
        "create",
        "hello/daily",
        "--cron",
        "0 7 * * *",
        "--timezone",
        "Europe/Vienna",
    ]);
    served.ok(&["deployment", "schedule", "create", "hello/daily", "--interval", "5400", "--no-active"]);
    let listed = served.json(&["deployment", "schedule", "ls", "hello/daily"]);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    served.ok(&["deployment", "schedule", "pause", "hello/daily", "--all"]);
    let listed = served.json(&["deployment", "schedule", "ls", "hello/daily"]);
    assert!(listed.as_array().unwrap().iter().all(|one| one["active"] == false));
    let table = served.ok(&["deployment", "ls"]);
    assert!(
        table.contains("hello/daily")
            && table.contains("cron 0 7 * * * (Europe/Vienna)")
            && table.contains("every 1h 30m"),
        "{table}"
    );
    served.ok(&["deployment", "schedule", "clear", "hello/daily", "-y"]);
    served.ok(&["deployment", "pause", "hello/daily"]);
    assert_eq!(served.json(&["deployment", "inspect", "hello/daily"])["paused"], true);
    served.ok(&["deployment", "resume", "hello/daily"]);
    let wrong = served.place.run(&["deployment", "run", "hello/daily", "--param", "nam=Ada"]).fails(2);
    assert_eq!(wrong, "error: the flow has no parameter `nam`\nhint: it has: name\n");
    let id = served.ok(&[
        "deployment",
        "run",
        "hello/daily",
        "--param",
        "name=Ada",
        "--start-in",
        "2h",
        "--tag",
        "trial",
        "--flow-run-name",
        "later",
    ]);
    let run = served.json(&["flow-run", "inspect", id.trim()]);
    assert_eq!(
        (&run["name"], &run["parameters"]["name"], &run["tags"][0]),
        (&"later".into(), &"Ada".into(), &"trial".into())
    );
    assert_eq!(run["state_type"], "SCHEDULED");
    assert!(served.ok(&["work-pool", "preview", "p", "--hours", "3"]).contains("later"));
    served.ok(&["deployment", "delete", "hello/daily"]);
    assert!(served.place.run(&["deployment", "inspect", "hello/daily"]).fails(1).contains("was not found"));
}

#[test]
fn a_flow_run_is_listed_cancelled_retried_and_deleted() {
    let served = Served::with_deployment();
    let id = served.ok(&["deployment", "run", "hello/daily", "--start-in", "1h", "--flow-run-name", "tide"]);
    let id = id.trim();
    let row = served.ok(&["flow-run", "ls", "--state-type", "scheduled", "--flow-name", "hello"]);
    assert_eq!(words(&row)[1], [id, "hello", "tide", "Scheduled", "in", "1h"]);
    assert!(
        served.place.run(&["flow-run", "retry", "tide"]).fails(1).contains("only a run that has ended can be retried")
    );
    let cancelled = served.place.run(&["flow-run", "cancel", "tide"]);
    assert_eq!((cancelled.code, cancelled.stderr.as_str()), (0, "Flow run `tide` is Cancelled.\n"));
    let watched = served.place.run(&["flow-run", "watch", id]);
    assert_eq!(watched.code, 1);
    assert!(watched.stderr.contains("flow run `tide` is Cancelled"), "{}", watched.stderr);
    served.ok(&["flow-run", "retry", id]);
    assert_eq!(served.json(&["flow-run", "inspect", id])["state_name"], "AwaitingRetry");
    served.ok(&["flow-run", "delete", id]);
    assert!(served.place.run(&["flow-run", "inspect", id]).fails(1).contains("was not found"));
}

#[test]
fn logs_are_shown_from_either_end() {
    let served = Served::with_deployment();
    let id = served.ok(&["deployment", "run", "hello/daily", "--start-in", "1h"]);
    let id = id.trim();
    let log = |second: usize| {
        serde_json::json!({"name": "flow", "level": 20, "message": format!("line {second}"), "flow_run_id": id,
                           "timestamp": format!("2026-01-01T00:00:{second:02}Z")})
    };
    served.post("/logs/", &(0..30).map(log).collect());
    let messages = |arguments: &[&str]| -> Vec<usize> {
        let arguments: Vec<&str> = ["flow-run", "logs", id].iter().chain(arguments).copied().collect();
        let text = served.ok(&arguments);
        text.lines().map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
    };
    assert_eq!(messages(&[]), (0..30).collect::<Vec<_>>());
    assert_eq!(messages(&["--head"]), (0..20).collect::<Vec<_>>());
    assert_eq!(messages(&["--tail", "-n", "3"]), [27, 28, 29]);
    assert_eq!(messages(&["--reverse", "-n", "2"]), [29, 28]);
}

#[test]
fn an_event_is_sent_and_answers_are_printed_as_they_are() {
    let served = Served::new();
    let event = served.json(&["event", "emit", "shop.sold", "--resource-id", "shop.1", "--payload", r#"{"price": 3}"#]);
    assert_eq!((&event["event"], &event["payload"]["price"]), (&"shop.sold".into(), &3.into()));
    let missing = served.place.run(&["event", "emit", "shop.sold"]).fails(2);
    assert!(missing.contains("add `--resource-id my.thing.1`"), "{missing}");
    let refused = served.place.run(&["api", "POST", "/flows/filter", "--data", r#"{"limit": "x"}"#]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stdout.contains("\"int_parsing\"") && refused.stderr.contains("the API answered 422"),
        "{}",
        refused.stderr
    );
}
