//! Checksums of block schemas: clients compute them too and look schemas up by them, so every byte counts. SHA-256 over
//! the fields as Python's `json.dumps(…, sort_keys=True)` prints them, without secret fields and other blocks' definitions.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tidegate_core::json::{Json, Object};

const DEFINITIONS: &str = "#/definitions/";

/// The checksum of a schema's fields.
pub fn checksum(fields: &Object) -> String {
    let mut fields = without_secret_fields(fields);
    let definitions = fields.get("definitions").and_then(Json::members).filter(|all| !all.is_empty());
    if let Some(definitions) = definitions {
        let own = plain_definitions(&fields, &definitions);
        if own.is_empty() {
            fields.shift_remove("definitions");
        } else {
            fields.insert("definitions".into(), Json::from_value(&own));
        }
    }
    // Positional and named arguments of the function that clients hash with.
    let mut text = String::from("[[");
    push_object(&mut text, &fields);
    text.push_str("], {}]");
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().fold(String::from("sha256:"), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The definitions that `object` refers to, directly or through others, and that are not blocks.
pub fn plain_definitions(object: &Object, definitions: &Object) -> Object {
    let mut found = Object::default();
    let mut open = vec![Json::from_value(object)];
    while let Some(object) = open.pop() {
        for name in definitions_named_in(&object) {
            let Some(definition) = definitions.get(&name).filter(|definition| is_plain(definition)) else { continue };
            if !found.contains_key(&name) {
                found.insert(name, definition.clone());
                open.push(definition.clone());
            }
        }
    }
    found
}

/// The keys of all that `object` refers to as `#/definitions/Key`.
pub fn definitions_named_in(object: &Json) -> Vec<String> {
    let object = object.value();
    let mut references = Vec::new();
    collect_references(&object, &mut references);
    references.into_iter().map(|reference| reference.replace(DEFINITIONS, "")).collect()
}

fn collect_references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).filter(|reference| !reference.is_empty()));
            members.values().for_each(|member| collect_references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        _ => {}
    }
}

/// An empty definition says nothing and counts as none.
fn is_plain(definition: &Json) -> bool {
    definition
        .members()
        .is_some_and(|members| !members.is_empty() && members.get("block_type_slug").is_none_or(Json::is_null))
}

/// Which fields are secret is not part of what a schema is. Lists are not looked into.
fn without_secret_fields(fields: &Object) -> Object {
    let kept = fields.iter().filter(|(name, _)| *name != "secret_fields");
    kept.map(|(name, value)| {
        let members = value.members().map(|members| Json::from_value(&without_secret_fields(&members)));
        (name.clone(), members.unwrap_or_else(|| value.clone()))
    })
    .collect()
}

fn push_value(out: &mut String, value: &Json) {
    if let Some(members) = value.members() {
        push_object(out, &members);
    } else if let Some(items) = value.items() {
        out.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            push_value(out, item);
        }
        out.push(']');
    } else if let Some(text) = value.as_string() {
        push_text(out, &text);
    } else if value.text().starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        push_number(out, value);
    } else {
        out.push_str(value.text());
    }
}

fn push_object(out: &mut String, members: &Object) {
    let sorted: BTreeMap<&String, &Json> = members.iter().collect();
    out.push('{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        push_text(out, name);
        out.push_str(": ");
        push_value(out, value);
    }
    out.push('}');
}

/// Whole numbers have no bounds in Python, and no sign when they are nothing.
fn push_number(out: &mut String, number: &Json) {
    let text = number.text();
    if text.contains(['.', 'e', 'E']) {
        // Python's repr of floats is what its JSON encoder prints.
        out.push_str(&crate::parameters::python::repr(&number.value()));
    } else {
        out.push_str(if text == "-0" { "0" } else { text });
    }
}

/// ASCII only: everything else as UTF-16 escapes.
fn push_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> Object {
        Json::from_value(value).members().unwrap()
    }

    fn of(fields: &Value) -> String {
        checksum(&object(fields))
    }

    fn base() -> Value {
        json!({
            "title": "T", "type": "object", "properties": {"a": {"type": "string"}}, "block_type_slug": "fixed",
            "block_schema_references": {},
        })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut fields = base();
        fields[name] = value;
        fields
    }

    // As the reference computes them (tests/contract/recorded/blocks.json).
    const PLAIN: &str = "sha256:25d632c1402ef208d34a91a53e51584e639979996835c0cdc40f3d4effe200da";

    #[test]
    fn checksums_are_those_that_clients_compute() {
        assert_eq!(of(&base()), PLAIN);
        let float = with("properties", json!({"b": {"type": "integer", "default": 1.0}}));
        assert_eq!(of(&float), "sha256:43fa328f39ef68bcb7ecec0453dcc49daa1e0b35aedbb72c08697f8b491badb9");
        let unicode = with("properties", json!({"ü": {"title": "Ünï 👋"}}));
        assert_eq!(of(&unicode), "sha256:6283f904ab62c7392f4571bfbddd78185a1473f40b95ca1945e219aa49e56983");
    }

    #[test]
    fn what_is_not_the_schemas_own_does_not_count() {
        assert_eq!(of(&with("secret_fields", json!(["a"]))), PLAIN);
        let other = json!({"Other": {"title": "Other", "properties": {}, "block_type_slug": "other"}});
        assert_eq!(of(&with("definitions", other)), PLAIN);
        assert_eq!(of(&with("definitions", json!({"Unused": {"enum": [1, 2]}}))), PLAIN);
        assert_ne!(of(&with("definitions", json!({}))), PLAIN);
    }

    #[test]
    fn definitions_that_refer_to_each_other_end() {
        let definitions =
            json!({"A": {"x": {"$ref": "#/definitions/B"}}, "B": {"y": {"$ref": "#/definitions/A"}}, "C": {}});
        let root = json!({"anyOf": [{"$ref": "#/definitions/A"}, {"$ref": "#/definitions/C"}]});
        let found = plain_definitions(&object(&root), &object(&definitions));
        assert_eq!(found.keys().collect::<Vec<_>>(), ["A", "B"]);
    }
}
