//! Values that clients leave for the server to fill in (`__prefect_kind`), looked at before there is anything to fill in
//! from: what can never be filled in is told at once.

use serde_json::{Map, Value};

use crate::{contract, templates};

const KIND: &str = "__prefect_kind";

/// What is wrong, each with the way to it. Lists are not looked into, as in the reference.
pub(crate) fn problems(parameters: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    collect(parameters, "", &mut found);
    found
}

fn collect(parameters: &Map<String, Value>, prefix: &str, found: &mut Vec<String>) {
    for (key, value) in parameters {
        let place = format!("{prefix}{key}");
        match value {
            Value::Object(object) if object.contains_key(KIND) => match filled(object) {
                Err(problem) => found.push(format!("{place}: {problem}")),
                Ok(Some(Value::Object(inner))) => collect(&inner, &format!("{place}."), found),
                Ok(_) => {}
            },
            Value::Object(object) => collect(object, &format!("{place}."), found),
            Value::String(text) if text.contains("{{") || text.contains("{%") => {
                if let Err(problem) = templates::check(text) {
                    found.push(format!("{place}: Invalid jinja: {}", problem.message));
                }
            }
            _ => {}
        }
    }
}

/// The value as far as it is known by now: nothing for what is known later.
fn filled(object: &Map<String, Value>) -> Result<Option<Value>, String> {
    let part = |name: &str| -> Result<Option<Value>, String> {
        match object.get(name) {
            None => Err(format!("Missing '{name}' key in __prefect object")),
            Some(Value::Object(inner)) if inner.contains_key(KIND) => filled(inner),
            Some(value) => Ok(Some(value.clone())),
        }
    };
    match object.get(KIND).and_then(Value::as_str) {
        Some("none") => part("value"),
        Some("json") => match if object.contains_key("value") { part("value")? } else { None } {
            Some(Value::String(text)) => {
                contract::parse_text(&text).map(Some).map_err(|error| format!("Invalid JSON: {error}"))
            }
            other => Ok(other),
        },
        Some("jinja") => match part("template")? {
            Some(Value::String(text)) => {
                templates::check(&text).map(|()| None).map_err(|problem| format!("Invalid jinja: {}", problem.message))
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}
