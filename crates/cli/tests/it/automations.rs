//! Automations from the command line: documents in YAML and JSON, by name and by id.

use serde_json::{Value, json};

use crate::served::{Served, words};

const TWO: &str = r"
automations:
  - name: restart
    description: Starts again what failed.
    trigger:
      type: event
      posture: Reactive
      expect: [prefect.flow-run.Failed]
      threshold: 3
      within: 60
    actions:
      - type: do-nothing
  - name: silence
    enabled: false
    trigger:
      posture: Proactive
      after: [prefect.flow-run.Pending]
      expect: [prefect.flow-run.Running]
      within: 300
    actions: []
    actions_on_trigger:
      - type: do-nothing
";

#[test]
fn automations_are_created_from_a_document_listed_paused_and_deleted() {
    let served = Served::new();
    served.place.write("work/two.yaml", TWO);
    let created = served.place.run(&["automation", "create", "-f", "two.yaml"]);
    assert_eq!((created.code, created.stdout.as_str()), (0, ""), "{}", created.stderr);
    assert!(created.stderr.starts_with("Automation `restart` is created ("), "{}", created.stderr);

    let table = served.ok(&["automation", "ls"]);
    assert_eq!(words(&table)[0], ["Name", "Enabled", "Trigger", "Actions", "Id"]);
    assert!(table.contains("prefect.flow-run.Failed 3 times within 1m"), "{table}");
    assert!(table.contains("no prefect.flow-run.Running after prefect.flow-run.Pending within 5m"), "{table}");
    assert!(table.contains("do-nothing (on trigger)"), "{table}");

    let enabled = |name: &str| served.json(&["automation", "inspect", name])["enabled"].clone();
    assert_eq!((enabled("restart"), enabled("silence")), (true.into(), false.into()));
    served.ok(&["automation", "resume", "silence"]);
    let id = served.json(&["automation", "inspect", "restart"])["id"].as_str().unwrap().to_owned();
    served.ok(&["automation", "pause", "--id", &id]);
    assert_eq!((enabled("restart"), enabled("silence")), (false.into(), true.into()));

    served.ok(&["automation", "delete", "silence"]);
    let missing = served.place.run(&["automation", "delete", "silence"]).fails(1);
    assert_eq!(
        missing,
        "error: automation `silence` was not found\nhint: `tidegate automation ls` shows what there is\n"
    );
    served.ok(&["automation", "delete", "--all"]);
    assert_eq!(served.json(&["automation", "ls"]), json!([]));
}

#[test]
fn what_inspect_writes_update_reads() {
    let served = Served::new();
    let automation = json!({ "name": "a", "trigger": { "posture": "Reactive", "expect": ["x"], "threshold": 1, "within": 0 }, "actions": [] });
    let created = served.json(&["automation", "create", "--from-json", &automation.to_string()]);
    let id = created[0]["id"].as_str().unwrap();
    let yaml = served.ok(&["automation", "inspect", "a", "--yaml"]);
    assert!(yaml.contains("name: a\n"), "{yaml}");
    served.place.write("work/a.yml", &yaml.replace("name: a\n", "name: b\n"));
    served.ok(&["automation", "update", "--id", id, "--from-file", "a.yml"]);
    let read = served.json(&["automation", "inspect", "--id", id]);
    assert_eq!((&read["name"], &read["trigger"]["expect"]), (&"b".into(), &json!(["x"])));

    // One of two is refused; the other is there.
    let bad = json!({ "name": "bad", "trigger": { "type": "abacus" }, "actions": [] });
    let done = served.place.run(&["automation", "create", "-j", &json!([bad, automation]).to_string()]);
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains("1 of 2 automations were refused: `bad`: "), "{}", done.stderr);
    assert_eq!(served.json(&["automation", "ls"]).as_array().map(Vec::len), Some(2));
    // Two of a name are told apart by id only.
    served.ok(&["automation", "create", "-j", &automation.to_string()]);
    let twice = served.place.run(&["automation", "delete", "a"]).fails(1);
    assert_eq!(
        twice,
        "error: 2 automations have this name\nhint: `--id` says which; `tidegate automation ls` shows the ids\n"
    );
    served.ok(&["automation", "pause", "a"]);
    let paused: Vec<Value> = served.json(&["automation", "inspect", "a"]).as_array().unwrap().clone();
    assert!(paused.len() == 2 && paused.iter().all(|automation| automation["enabled"] == false), "{paused:?}");
}

#[test]
fn a_document_that_is_none_is_refused_before_anything_is_sent() {
    let served = Served::new();
    let place = &served.place;
    place.write("work/broken.yaml", "a: [");
    place.write("work/list.txt", "[]");
    for (arguments, problem) in [
        (["-f", "broken.yaml"], "`broken.yaml` is not YAML"),
        (["-f", "list.txt"], "`list.txt` ends in none of .yaml, .yml and .json"),
        (["-f", "absent.json"], "cannot read `absent.json`"),
        (["-j", "{"], "`--from-json` is not JSON"),
        (["-j", "[]"], "`--from-json` holds no automation"),
    ] {
        let done = place.run(&[["automation", "create"], arguments].concat());
        assert!(done.code != 0 && done.stderr.contains(problem), "{arguments:?}: {}", done.stderr);
    }
    assert_eq!(place.run(&["automation", "create"]).code, 2);
    assert_eq!(place.run(&["automation", "inspect"]).fails(2), "error: give a name or `--id`\n");
}
