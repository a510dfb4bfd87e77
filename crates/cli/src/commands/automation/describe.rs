//! A trigger or an action in a few words, for tables. What it does not know is called by its type.

use serde_json::Value;

use crate::out::span;

pub fn trigger(trigger: &Value) -> String {
    let within = trigger["within"].as_f64().filter(|within| *within > 0.0).map(span);
    match trigger["type"].as_str().unwrap_or("event") {
        "event" => event(trigger, within.as_deref()),
        "compound" => {
            let parts = parts(trigger);
            let require = match &trigger["require"] {
                Value::Number(count) => format!("{count} of"),
                require => format!("{} of", require.as_str().unwrap_or("all")),
            };
            with_time(format!("{require} ({})", parts.join("; ")), within)
        }
        "sequence" => with_time(parts(trigger).join(", then "), within),
        other => format!("{other} trigger"),
    }
}

fn parts(trigger: &Value) -> Vec<String> {
    trigger["triggers"].as_array().into_iter().flatten().map(self::trigger).collect()
}

fn with_time(text: String, within: Option<String>) -> String {
    match within {
        Some(within) => format!("{text} within {within}"),
        None => text,
    }
}

fn event(trigger: &Value, within: Option<&str>) -> String {
    let list = |key: &str| {
        let texts: Vec<&str> = trigger[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        texts.join(" or ")
    };
    let expected = match list("expect") {
        text if text.is_empty() => "any event".to_owned(),
        text => text,
    };
    let after = match list("after") {
        text if text.is_empty() => text,
        text => format!(" after {text}"),
    };
    let times = match trigger["threshold"].as_u64().unwrap_or(1) {
        0 | 1 => String::new(),
        threshold => format!(" {threshold} times"),
    };
    match (trigger["posture"].as_str() == Some("Proactive"), within) {
        (true, within) => format!("no {expected}{after} within {}", within.unwrap_or("0s")),
        (false, Some(within)) => format!("{expected}{times}{after} within {within}"),
        (false, None) => format!("{expected}{times}{after}"),
    }
}

/// All actions, each with the moment it belongs to where there are several moments.
pub fn actions(automation: &Value) -> Vec<String> {
    let of = |key: &str, moment: &str| -> Vec<String> {
        let list = automation[key].as_array().into_iter().flatten();
        list.map(|action| format!("{}{moment}", self::action(action))).collect()
    };
    let lists =
        [of("actions", ""), of("actions_on_trigger", " (on trigger)"), of("actions_on_resolve", " (on resolve)")];
    lists.concat()
}

fn action(action: &Value) -> String {
    let kind = action["type"].as_str().unwrap_or("action");
    let target = ["deployment_id", "work_pool_id", "work_queue_id", "automation_id", "block_document_id", "state"];
    match target.iter().find_map(|key| action[*key].as_str()) {
        Some(target) => format!("{kind} {target}"),
        None => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn triggers_are_told_in_words() {
        let failed = json!({ "type": "event", "posture": "Reactive", "expect": ["run.Failed", "run.Crashed"] });
        let silent =
            json!({ "posture": "Proactive", "after": ["run.Pending"], "expect": ["run.Running"], "within": 300 });
        for (given, words) in [
            (failed.clone(), "run.Failed or run.Crashed"),
            (json!({ "expect": [], "threshold": 3, "within": 60.0 }), "any event 3 times within 1m"),
            (silent.clone(), "no run.Running after run.Pending within 5m"),
            (
                json!({ "type": "compound", "require": "any", "within": 3600, "triggers": [failed, silent] }),
                "any of (run.Failed or run.Crashed; no run.Running after run.Pending within 5m) within 1h",
            ),
            (json!({ "type": "compound", "require": 1, "triggers": [{ "expect": ["a"] }] }), "1 of (a)"),
            (json!({ "type": "sequence", "triggers": [{ "expect": ["a"] }, { "expect": ["b"] }] }), "a, then b"),
            (json!({ "type": "metric" }), "metric trigger"),
        ] {
            assert_eq!(trigger(&given), words);
        }
    }

    #[test]
    fn actions_are_told_with_their_target_and_moment() {
        let automation = json!({
            "actions": [{ "type": "run-deployment", "deployment_id": "d" }, { "type": "do-nothing" }],
            "actions_on_trigger": [],
            "actions_on_resolve": [{ "type": "change-flow-run-state", "state": "FAILED" }],
        });
        assert_eq!(
            actions(&automation),
            ["run-deployment d", "do-nothing", "change-flow-run-state FAILED (on resolve)"]
        );
    }
}
