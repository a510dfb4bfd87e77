//! Documents of automations: read from YAML or JSON, written as YAML. What they say is the server's business.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use crate::commands::values;
use crate::failure::Failure;

/// What the server adds to an automation, and does not take back.
const SERVER_FIELDS: [&str; 3] = ["id", "created", "updated"];

/// JSON is YAML, too, but its mistakes are told better by its own parser.
pub fn of_file(path: &Path) -> anyhow::Result<Vec<Value>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{shown}`"))?;
    let value = match path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("yaml" | "yml") => {
            serde_saphyr::from_str(&text).map_err(|error| Failure::new(format!("`{shown}` is not YAML: {error}")))?
        }
        Some("json") => {
            serde_json::from_str(&text).map_err(|error| Failure::new(format!("`{shown}` is not JSON: {error}")))?
        }
        _ => return Err(Failure::usage(format!("`{shown}` ends in none of .yaml, .yml and .json")).into()),
    };
    automations(value, &shown.to_string())
}

pub fn of_json(text: &str) -> anyhow::Result<Vec<Value>> {
    let text = values::text_of(text)?;
    let value =
        serde_json::from_str(&text).map_err(|error| Failure::usage(format!("`--from-json` is not JSON: {error}")))?;
    automations(value, "--from-json")
}

/// One, a list, or an object with the list.
fn automations(value: Value, place: &str) -> anyhow::Result<Vec<Value>> {
    let list = match value {
        Value::Array(list) => list,
        Value::Object(mut object) => match object.shift_remove("automations") {
            Some(Value::Array(list)) => list,
            Some(_) => return Err(Failure::usage(format!("`automations` in `{place}` is no list")).into()),
            None => vec![Value::Object(object)],
        },
        _ => Vec::new(),
    };
    if list.is_empty() || !list.iter().all(Value::is_object) {
        let failure = Failure::usage(format!("`{place}` holds no automation"));
        return Err(failure.hint("an automation is an object with `name`, `trigger` and `actions`").into());
    }
    Ok(list)
}

/// Documents that `inspect` wrote can be sent back.
pub fn without_server_fields(mut automation: Value) -> Value {
    if let Some(object) = automation.as_object_mut() {
        for field in SERVER_FIELDS {
            object.shift_remove(field);
        }
    }
    automation
}

pub fn yaml(found: &[Value]) -> anyhow::Result<String> {
    let text = match found {
        [automation] => serde_saphyr::to_string(automation),
        automations => serde_saphyr::to_string(&automations),
    };
    text.context("cannot write YAML")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_automation_a_list_and_a_named_list_are_understood() {
        let one = json!({ "name": "a", "trigger": {} });
        for text in [r#"{"name": "a", "trigger": {}}"#, r#"[{"name": "a", "trigger": {}}]"#] {
            assert_eq!(of_json(text).unwrap(), std::slice::from_ref(&one));
        }
        assert_eq!(of_json(&json!({ "automations": [one, one] }).to_string()).unwrap().len(), 2);
        for none in ["[]", "5", "[5]", r#"{"automations": []}"#, r#"{"automations": {}}"#, "{"] {
            assert!(of_json(none).is_err(), "{none}");
        }
    }

    #[test]
    fn what_is_written_as_yaml_is_read_back() {
        let automation = json!({
            "name": "yes", "enabled": true, "threshold": 1, "within": 10.5, "none": null, "text": "on: x\n- y",
            "trigger": { "expect": ["a.b", "12", "null"], "match": { "prefect.resource.id": "prefect.flow-run.*" } },
        });
        let text = yaml(std::slice::from_ref(&automation)).unwrap();
        assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), automation, "{text}");
    }
}
