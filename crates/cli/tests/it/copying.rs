//! Copies from one server to another: everything once, what is there stays, and what cannot be copied is told.

use serde_json::{Value, json};

use crate::place::Place;
use crate::served::{Served, words};

/// A server with one of everything, and things that refer to each other.
fn source() -> Served {
    let served = Served::new();
    served.ok(&["variable", "set", "answer", "42", "--tag", "deep"]);
    served.ok(&["variable", "set", "nothing", "null"]);
    served.ok(&["gcl", "create", "database", "--limit", "5", "--slot-decay-per-second", "0.5"]);
    served.ok(&["work-pool", "create", "p", "--type", "process", "--concurrency-limit", "3"]);
    served.ok(&["work-queue", "create", "urgent", "--pool", "p", "--priority", "1", "--limit", "2"]);
    served.ok(&["block", "create", "secret", "--name", "door", "--field", "value=sesame"]);
    let kind = |name: &str| served.post("/block_types/", &json!({ "name": name, "slug": name }));
    let (inner, outer) = (kind("inner"), kind("outer"));
    let schema = |kind: &Value, fields: Value| {
        served.post("/block_schemas/", &json!({ "block_type_id": kind["id"], "fields": fields }))
    };
    let inside = schema(&inner, json!({ "title": "inner", "properties": { "x": {} }, "block_type_slug": "inner" }));
    let around = schema(&outer, json!({ "title": "outer", "properties": { "inner": {} }, "block_type_slug": "outer" }));
    let document = |kind: &Value, schema: &Value, body: Value| {
        let mut body = body;
        body["block_type_id"] = kind["id"].clone();
        body["block_schema_id"] = schema["id"].clone();
        served.post("/block_documents/", &body)
    };
    let anonymous = document(&inner, &inside, json!({ "is_anonymous": true, "data": { "x": 1 } }));
    // Its name comes first, so that it is tried first and has to wait.
    let reference = json!({ "inner": { "$ref": { "block_document_id": anonymous["id"] } } });
    document(&outer, &around, json!({ "name": "a", "data": reference }));
    let flow = served.post("/flows/", &json!({ "name": "hello", "tags": ["greeting"] }));
    let deployment = served.post(
        "/deployments/",
        &json!({
            "name": "daily", "flow_id": flow["id"], "work_pool_name": "p", "work_queue_name": "urgent",
            "entrypoint": "flow.py:hello", "concurrency_limit": 4, "tags": ["t"], "parameters": { "name": "Ada" },
            "schedules": [{ "schedule": { "cron": "0 7 * * *", "timezone": "Europe/Berlin" }, "slug": "morning" }],
            "storage_document_id": anonymous["id"],
            "job_variables": { "env": { "BLOCK": format!("block {}", anonymous["id"].as_str().unwrap()) } },
        }),
    );
    let watched = format!("prefect.deployment.{}", deployment["id"].as_str().unwrap());
    let trigger = json!({ "posture": "Reactive", "expect": ["x"], "match": { "prefect.resource.id": watched }, "threshold": 1, "within": 0 });
    let action = json!({ "type": "pause-deployment", "source": "selected", "deployment_id": deployment["id"] });
    served.post("/automations/", &json!({ "name": "watch", "trigger": trigger, "actions": [action] }));
    // Names of automations are free to be taken twice.
    let other = json!({ "posture": "Reactive", "expect": ["y"], "threshold": 1, "within": 0 });
    for _ in 0..2 {
        let body = json!({ "name": "twice", "trigger": other, "actions": [{ "type": "do-nothing" }] });
        served.post("/automations/", &body);
    }
    let filter = json!({ "object": "flow_run", "property": "deployment", "type": "string", "operation": "any", "value": [deployment["id"]] });
    let search = json!({ "name": "of daily", "filters": [filter] });
    served.ok(&["api", "PUT", "/saved_searches/", "--data", &search.to_string()]);
    served
}

fn counts(report: &Value) -> Vec<(String, [u64; 4])> {
    let counts = report["counts"].as_array().unwrap().iter().map(|counts| {
        let number = |key: &str| counts[key].as_u64().unwrap();
        (counts["kind"].as_str().unwrap().to_owned(), ["found", "copied", "kept", "failed"].map(number))
    });
    counts.collect()
}

#[test]
fn everything_is_copied_once_and_refers_to_what_it_did() {
    let (source, target) = (source(), Served::new());
    let url = source.api_url();
    let first = target.json(&["import-from", &url, "--no-prompt"]);
    assert_eq!(first["problems"], json!([]));
    for (kind, [found, copied, kept, failed]) in counts(&first) {
        assert_eq!((found, failed), (copied + kept, 0), "{kind}");
        // Every server has types and schemas of its own.
        assert!(kept == 0 || ["block_type", "block_schema"].contains(&kind.as_str()), "{kind}: {kept} were there");
        assert!(found > 0, "{kind}");
    }

    let both = |arguments: &[&str]| (source.json(arguments), target.json(arguments));
    let (theirs, ours) = both(&["deployment", "inspect", "hello/daily"]);
    for same in ["name", "entrypoint", "tags", "parameters", "work_pool_name", "work_queue_name", "concurrency_limit"] {
        assert_eq!(theirs[same], ours[same], "{same}");
    }
    assert_eq!(theirs["schedules"][0]["schedule"], ours["schedules"][0]["schedule"]);
    assert_eq!(ours["schedules"][0]["slug"], "morning");
    assert_eq!(ours["global_concurrency_limit"]["limit"], 4);
    assert_ne!(theirs["storage_document_id"], ours["storage_document_id"]);
    // Ids within texts are those of the target, too.
    let block = ours["storage_document_id"].as_str().unwrap();
    assert_eq!(ours["job_variables"]["env"]["BLOCK"], format!("block {block}"));
    let outer = target.json(&["api", "GET", "/block_types/slug/outer/block_documents/name/a"]);
    assert_eq!(outer["block_document_references"]["inner"]["block_document"]["id"], block);
    let secret = "/block_types/slug/secret/block_documents/name/door?include_secrets=true";
    assert_eq!(target.json(&["api", "GET", secret])["data"]["value"], "sesame");

    let automation = target.json(&["automation", "inspect", "watch"]);
    let id = ours["id"].as_str().unwrap();
    assert_eq!(automation["trigger"]["match"]["prefect.resource.id"], format!("prefect.deployment.{id}"));
    assert_eq!(automation["actions"][0]["deployment_id"], id);
    let search = &target.post("/saved_searches/filter", &json!({}))[0];
    assert_eq!(search["filters"][0]["value"], json!([id]));

    let queue = |name: &str| target.json(&["work-queue", "inspect", name, "--pool", "p"]);
    assert_eq!((&queue("urgent")["priority"], &queue("default")["priority"]), (&1.into(), &2.into()));
    assert_eq!(queue("urgent")["concurrency_limit"], 2);
    assert_eq!(target.ok(&["variable", "get", "nothing"]), "null\n");
    let limit = target.json(&["gcl", "inspect", "database"]);
    assert_eq!((&limit["limit"], &limit["slot_decay_per_second"]), (&5.into(), &0.5.into()));

    // A second time there is nothing left to do, and nothing is undone.
    target.ok(&["variable", "set", "answer", "43", "--overwrite"]);
    target.ok(&["work-queue", "set-concurrency-limit", "default", "9", "--pool", "p"]);
    let second = target.json(&["import-from", &url, "--no-prompt"]);
    for (kind, [found, copied, kept, _]) in counts(&second) {
        assert_eq!((copied, kept), (0, found), "{kind}");
    }
    assert_eq!(target.ok(&["variable", "get", "answer"]), "43\n");
    assert_eq!(queue("default")["concurrency_limit"], 9);
    let documents = json!({ "block_documents": { "is_anonymous": { "eq_": true } } });
    assert_eq!(target.post("/block_documents/count", &documents), 1);
}

#[test]
fn what_cannot_be_copied_is_told_and_keeps_nothing_back() {
    let source = source();
    let target = Served::at(Place::with_own_server().variable("TIDEGATE_SERVER_API_MAX_PARAMETER_SIZE", "10"));
    let done = target.place.run(&["import-from", &source.api_url(), "--no-prompt"]);
    assert_eq!(done.code, 1);
    let table = words(&done.stdout);
    assert_eq!(table[0], ["Kind", "Found", "Copied", "Already", "there", "Not", "copied"]);
    assert!(table.contains(&vec!["deployments", "1", "0", "0", "1"]), "{}", done.stdout);
    assert!(table.contains(&vec!["flows", "1", "1", "0", "0"]), "{}", done.stdout);
    let told: Vec<&str> = done.stderr.lines().filter(|line| line.contains("copied")).collect();
    let [problem, end] = told.as_slice() else { panic!("{}", done.stderr) };
    assert!(problem.starts_with("warning: deployment `daily` was not copied: "), "{problem}");
    assert!(problem.contains("must be less than 10 bytes"), "{problem}");
    assert_eq!(*end, "error: one thing could not be copied");
}

#[test]
fn profiles_name_both_ends_of_a_transfer() {
    let (source, target) = (source(), Served::new());
    let (from, to) = (source.api_url(), target.api_url());
    let profiles = format!("[profiles.old]\nPREFECT_API_URL = '{from}'\n[profiles.new]\nTIDEGATE_API_URL = '{to}'\n");
    target.place.write("user/.prefect/profiles.toml", &profiles);
    // Neither the environment nor the running server decides which servers are meant.
    let place = target.place.variable("PREFECT_API_URL", "http://127.0.0.1:9/api");
    let run = |from: &str, to: &str| {
        place.run(&["transfer", "--from", from, "--to", to, "--pause-deployments", "-o", "json"])
    };
    let report: Value = serde_json::from_str(&run("old", "new").ok()).unwrap();
    assert_eq!(
        (&report["source"], &report["target"], &report["problems"]),
        (&from.into(), &to.clone().into(), &json!([]))
    );
    assert_eq!(place.run(&["--api-url", &to, "variable", "get", "answer"]).ok(), "42\n");
    let deployment = place.run(&["--api-url", &to, "deployment", "inspect", "hello/daily", "-o", "json"]).ok();
    assert_eq!(serde_json::from_str::<Value>(&deployment).unwrap()["paused"], true);
    assert!(run("old", "old").fails(2).contains("is both the source and the target"));
    assert!(run("none", "new").fails(2).contains("profile `none` does not exist"));
    let nobody = place.run(&["import-from", "http://127.0.0.1:9", "--no-prompt"]).fails(2);
    assert!(nobody.contains("is both the source and the target"), "{nobody}");
    let nobody = place.run(&["--api-url", &to, "import-from", "http://127.0.0.1:9", "--no-prompt"]).fails(1);
    assert!(nobody.contains("the source does not answer"), "{nobody}");
}
