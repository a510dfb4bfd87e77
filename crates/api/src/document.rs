//! The description of the whole interface (OpenAPI 3.1), made of the tables that check requests (`contract`) and of what is
//! answered to them. It has no words of its own about single operations: their names say what they do.

use serde_json::{Map, Value, json};

use crate::contract::{CONTRACT_TEXT, OWN_TEXT};

const ANSWERS_TEXT: &str = include_str!("answers.json");
/// What is below this is the interface.
const PREFIX: &str = "/api";
/// What the door answers, whatever the operation: status, name and meaning.
const SHARED: [(u16, &str, &str); 5] = [
    (400, "BadRequest", "The request makes no sense as a whole, or is for another version of the interface."),
    (401, "Unauthorized", "The server wants to know who asks."),
    (403, "Forbidden", "A token against forged requests is missing or wrong."),
    (413, "TooLarge", "The body is larger than this server accepts."),
    (503, "Unavailable", "The database is away; the same request may be sent again."),
];

/// The document. As it is made of constants, it is the same at every call.
pub fn document() -> Value {
    let [contract, own, answers] = [CONTRACT_TEXT, OWN_TEXT, ANSWERS_TEXT].map(parsed);
    let mut paths = Map::new();
    for (route, operation) in fields(&contract, "operations").chain(fields(&own, "operations")) {
        let (method, path) = route.split_once(' ').unwrap_or(("GET", route));
        // An operation of the reference's has its answers in a table of their own; ours have them beside what they take.
        let answered = answers["operations"].get(route).unwrap_or(operation);
        let item = paths.entry(format!("{PREFIX}{path}")).or_insert_with(|| json!({}));
        item[method.to_lowercase()] = describe(path, operation, answered);
    }
    let mut schemas = Map::new();
    for (name, schema) in [&contract, &answers, &own].into_iter().flat_map(|table| fields(table, "schemas")) {
        schemas.insert(name.clone(), schema.clone());
    }
    schemas.insert("Problem".into(), problem());
    schemas.sort_keys();
    let responses: Map<String, Value> =
        SHARED.iter().map(|(_, name, meaning)| ((*name).to_owned(), failure(meaning))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tidegate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The Prefect 3 interface, and what Tidegate adds to it. Sockets and the addresses of webhooks (`/hooks/…`) are no operations and not listed.",
        },
        "paths": paths,
        "components": { "schemas": schemas, "responses": responses },
    })
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("the tables of the interface are JSON")
}

fn fields<'a>(table: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    table[name].as_object().into_iter().flatten()
}

fn describe(path: &str, operation: &Value, answered: &Value) -> Value {
    let id = operation["id"].as_str().unwrap_or_default();
    let mut described = json!({
        "operationId": id,
        "summary": summary(id, path),
        "tags": [path.split('/').nth(1).unwrap_or_default()],
    });
    let parameters = parameters(path, operation);
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(body) = operation.get("body") {
        let content = json!({ "application/json": { "schema": body } });
        described["requestBody"] = json!({ "required": operation["body_required"] == true, "content": content });
    }
    described["responses"] = responses(operation, answered);
    described
}

/// The parameters of the table; what the path wants besides is an id or a name.
fn parameters(path: &str, operation: &Value) -> Vec<Value> {
    let mut listed: Vec<Value> = operation["parameters"].as_array().cloned().unwrap_or_default();
    let wanted = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    for name in wanted {
        if !listed.iter().any(|one| one["in"] == "path" && one["name"] == name) {
            let is_id = name == "id" || name.ends_with("_id");
            let schema =
                if is_id { json!({ "type": "string", "format": "uuid" }) } else { json!({ "type": "string" }) };
            listed.push(json!({ "in": "path", "name": name, "required": true, "schema": schema }));
        }
    }
    listed
}

fn responses(operation: &Value, answered: &Value) -> Value {
    let mut all = Map::new();
    for (status, content) in fields(answered, "answers") {
        let response = match content["type"].as_str() {
            Some(kind) => json!({ "description": "Done.", "content": { kind: { "schema": content["schema"] } } }),
            None => json!({ "description": "Done; there is nothing to say." }),
        };
        all.insert(status.clone(), response);
    }
    for status in answered["errors"].as_array().into_iter().flatten().filter_map(Value::as_u64) {
        all.insert(status.to_string(), failure(meaning(status)));
    }
    for (status, name, _) in SHARED.iter().filter(|(status, ..)| *status != 413 || operation.get("body").is_some()) {
        let reference = json!({ "$ref": format!("#/components/responses/{name}") });
        all.entry(status.to_string()).or_insert(reference);
    }
    all.sort_keys();
    Value::Object(all)
}

fn meaning(status: u64) -> &'static str {
    match status {
        403 => "The object is protected, or the token against forged requests is missing or wrong.",
        404 => "There is no such object.",
        409 => "The name is taken, or the change does not go with what is there.",
        410 => "It was there and is over.",
        422 => "A value does not fit.",
        423 => "The slots are taken; ask again after `Retry-After` seconds.",
        _ => "The request cannot be carried out.",
    }
}

fn failure(meaning: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    json!({ "description": meaning, "content": { "application/json": { "schema": schema } } })
}

/// What an error is told with: a sentence; or, of values that do not fit, which and why; or the place in a template.
fn problem() -> Value {
    let text = || json!({ "type": "string" });
    let location = json!({ "type": "array", "items": { "anyOf": [text(), { "type": "integer" }] } });
    let detail = json!({
        "type": "object",
        "required": ["type", "loc", "msg"],
        "properties": { "type": text(), "loc": location, "msg": text(), "input": {}, "ctx": { "type": "object" } },
    });
    let template = json!({
        "type": "object",
        "required": ["line", "message", "source"],
        "properties": { "line": { "type": "integer" }, "message": text(), "source": text() },
    });
    json!({
        "type": "object",
        "properties": {
            "detail": { "anyOf": [text(), { "type": "array", "items": detail.clone() }, { "type": "object" }] },
            "exception_message": text(),
            "exception_detail": { "type": "array", "items": detail },
            "request_body": {},
            "error": template,
        },
        "anyOf": [{ "required": ["detail"] }, { "required": ["exception_message"] }, { "required": ["error"] }],
    })
}

/// The operation's name in words. The reference's ids end with their path and method, which say nothing more.
fn summary(id: &str, path: &str) -> String {
    let tail: String = path.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    let name = id.find(&tail).filter(|at| *at > 0).map_or(id, |at| &id[..at]);
    let mut words = name.trim_end_matches('_').replace('_', " ");
    if let Some(first) = words.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    words
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn references(value: &Value, found: &mut HashSet<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(to)) = fields.get("$ref") {
                    found.insert(to.clone());
                }
                fields.values().for_each(|inner| references(inner, found));
            }
            Value::Array(items) => items.iter().for_each(|inner| references(inner, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_schema_is_used() {
        let document = document();
        let mut found = HashSet::new();
        references(&document, &mut found);
        for reference in &found {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
        }
        let named = document["components"]["schemas"].as_object().unwrap();
        for name in named.keys() {
            assert!(found.contains(&format!("#/components/schemas/{name}")), "nobody uses {name}");
        }
    }

    #[test]
    fn ids_and_summaries_are_one_of_a_kind_and_in_words() {
        let document = document();
        let operations = document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap());
        let mut ids = HashSet::new();
        for (_, operation) in operations {
            assert!(ids.insert(operation["operationId"].clone()), "{operation}");
            let summary = operation["summary"].as_str().unwrap();
            assert!(!summary.is_empty() && !summary.contains('_'), "{summary}");
        }
        assert_eq!(summary("create_flow_flows__post", "/flows/"), "Create flow");
    }
}
