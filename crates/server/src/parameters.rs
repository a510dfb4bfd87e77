//! Parameters of runs: what clients leave for the server to fill in (`__prefect_kind`), and whether values fit a schema.
//! Answers sentences; which status they get is the caller's.

mod bounded;
mod humanize;
pub mod moments;
pub mod python;
pub mod schema;
pub mod templates;

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

use serde_json::{Map, Value, json};
use tidegate_api::contract;
use tidegate_core::time::Timestamp;
use tidegate_store::Tx;

pub(crate) use humanize::with_commas;
use schema::{Broken, Violation};

/// The key that marks a value to be filled in.
pub const KIND: &str = "__prefect_kind";

static METASCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("parameters/metaschema.json")).expect("the schema of schemas is JSON")
});

/// What values are filled in from.
pub type Variables = HashMap<String, Value>;

/// What templates are rendered with.
#[derive(Clone, Debug)]
pub struct Fill {
    /// The time that they are told as of.
    pub now: Timestamp,
    /// What they may name.
    pub context: minijinja::Value,
    /// Where links lead.
    pub ui_url: String,
}

/// Fills in every marked value, reading variables only where one is asked for. The inner error is a sentence for the user.
pub async fn hydrate(
    tx: &mut Tx,
    parameters: Map<String, Value>,
) -> Result<Result<Map<String, Value>, String>, tidegate_store::Error> {
    let parameters = Value::Object(parameters);
    let text = parameters.to_string();
    let mut variables = Variables::new();
    if text.contains(KIND) && text.contains("workspace_variable") {
        variables.extend(tx.list_variable_values().await?.into_iter().map(|(name, value)| (name, value.value())));
    }
    Ok(fill(parameters, &variables, &Fill::plain(tx.now())))
}

/// Fills in every marked value from variables at hand.
pub fn fill(parameters: Value, variables: &Variables, with: &Fill) -> Result<Map<String, Value>, String> {
    match (Filler { variables, with: Some(with) }).hydrated(parameters)? {
        Some(Value::Object(object)) => Ok(object),
        None => Ok(Map::new()),
        Some(other) => Err(format!("Parameters must be an object, not {}", python::repr(&other))),
    }
}

/// Fills in what a form holds so far. What cannot be filled in, and templates, which are rendered when a run begins, are
/// marked for [`schema::violations_of_form`].
pub fn fill_form(values: Value, variables: &Variables) -> Value {
    match (Filler { variables, with: None }).hydrated(values) {
        Ok(Some(value)) => value,
        Ok(None) => Value::Object(Map::new()),
        Err(problem) => schema::gap(Some(problem)),
    }
}

struct Filler<'v> {
    variables: &'v Variables,
    /// Without it values are a form's: what goes wrong is marked and the rest filled in, and templates stay as they are.
    with: Option<&'v Fill>,
}

impl Filler<'_> {
    /// `None` where the value is to be left out.
    fn hydrated(&self, value: Value) -> Result<Option<Value>, String> {
        Ok(Some(match value {
            Value::Object(object) if object.contains_key(KIND) => {
                return match self.filled(object) {
                    Err(problem) if self.with.is_none() => Ok(Some(schema::gap(Some(problem)))),
                    filled => filled,
                };
            }
            Value::Object(object) => {
                let mut out = Map::with_capacity(object.len());
                for (key, value) in object {
                    if let Some(value) = self.hydrated(value)? {
                        out.insert(key, value);
                    }
                }
                Value::Object(out)
            }
            Value::Array(items) => {
                let mut out = Vec::with_capacity(items.len());
                for item in items {
                    out.extend(self.hydrated(item)?);
                }
                Value::Array(out)
            }
            plain => plain,
        }))
    }

    fn filled(&self, mut object: Map<String, Value>) -> Result<Option<Value>, String> {
        let missing = |key: &str| format!("Missing '{key}' key in __prefect object");
        let kind = object.shift_remove(KIND).unwrap_or_default();
        let mut part = |key: &str| -> Option<Result<Option<Value>, String>> {
            let value = object.shift_remove(key)?;
            Some(if value.is_object() { self.hydrated(value) } else { Ok(Some(value)) })
        };
        match kind.as_str() {
            Some("none") => match object.shift_remove("value") {
                Some(value) => self.hydrated(value),
                None => Err(missing("value")),
            },
            Some("json") => match part("value").transpose()?.flatten() {
                Some(Value::String(text)) => {
                    contract::parse_text(&text).map(Some).map_err(|error| format!("Invalid JSON: {error}"))
                }
                other => Ok(other),
            },
            Some("jinja") => match part("template").transpose()? {
                None => Err(missing("template")),
                Some(None) => Ok(None),
                Some(Some(Value::String(template))) => self.rendered(&template).map(Some),
                Some(Some(gap)) if self.is_gap(&gap) => Ok(Some(gap)),
                Some(Some(_)) => Err("Invalid jinja: a template must be a text".into()),
            },
            // A variable that is not chosen yet: forms send it, and mean nothing by it.
            Some("workspace_variable") => match part("variable_name").transpose()?.flatten() {
                None => Ok(None),
                Some(gap) if self.is_gap(&gap) => Ok(Some(gap)),
                Some(name) => {
                    let known = name.as_str().and_then(|name| self.variables.get(name)).cloned();
                    let shown = || name.as_str().map_or_else(|| python::repr(&name), ToOwned::to_owned);
                    known.map(Some).ok_or_else(|| format!("Variable '{}' not found in workspace.", shown()))
                }
            },
            _ => Ok(Some(object.shift_remove("value").unwrap_or_default())),
        }
    }

    fn rendered(&self, template: &str) -> Result<Value, String> {
        let invalid = |problem: String| format!("Invalid jinja: {problem}");
        let Some(with) = self.with else {
            tidegate_api::templates::check(template).map_err(|problem| invalid(problem.message))?;
            return Ok(schema::gap(None));
        };
        templates::render(template, with).map(Into::into).map_err(invalid)
    }

    fn is_gap(&self, value: &Value) -> bool {
        self.with.is_none() && schema::Gap::of(value).is_some()
    }
}

/// How strictly values are held against a schema.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strictness {
    /// A part of the values may be given later.
    pub ignore_required: bool,
    /// Null is fine for what has a default, though its type does not say so.
    pub allow_null_with_default: bool,
}

/// Why values do not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// A sentence for the user.
    Mismatch(String),
    /// The schema goes in circles, and nothing can be said.
    Circular,
}

/// Holds values against a schema, after mending what older SDKs write into schemas.
pub fn check(values: &Value, schema: &Value, strictness: Strictness) -> Result<(), Unfit> {
    check_as_is(values, &mended(schema, strictness.allow_null_with_default), strictness.ignore_required)
}

/// Holds complete values against a schema; the error is a sentence for the user.
pub fn validate(schema: &Value, values: &Value) -> Result<(), String> {
    check(values, schema, Strictness::default()).map_err(|unfit| match unfit {
        Unfit::Mismatch(text) => text,
        Unfit::Circular => CIRCULAR.to_owned(),
    })
}

/// What is said of a schema that goes in circles.
pub const CIRCULAR: &str = "Invalid schema: Unable to validate schema with circular references.";

/// Holds values against a schema as it is written.
pub fn check_as_is(values: &Value, schema: &Value, ignore_required: bool) -> Result<(), Unfit> {
    let schema = if ignore_required { Cow::Owned(without_required(schema)) } else { Cow::Borrowed(schema) };
    let violations = schema::violations(values, &schema).map_err(|broken| match broken {
        Broken::Circular => Unfit::Circular,
        Broken::Unresolvable(why) => Unfit::Mismatch(format!("Validation failed. Failure reason: {why}")),
    })?;
    match schema::best(violations) {
        None => Ok(()),
        Some(Violation { path, message, .. }) => {
            let place = schema::spelled(&path)
                .map_or_else(String::new, |path| format!(" for field {}", python::repr_text(&path)));
            Err(Unfit::Mismatch(format!("Validation failed{place}. Failure reason: {message}")))
        }
    }
}

/// Whether a schema is one at all; the error is what is wrong with it.
pub fn check_schema(schema: &Value) -> Result<(), String> {
    let violations = schema::violations(schema, &METASCHEMA).unwrap_or_default();
    schema::best(violations).map_or(Ok(()), |best| Err(best.message))
}

/// A schema that requires no property. What stands in lists of schemas stays, as in the reference: there `required` tells one
/// alternative from another, such as a block's fields from a reference to a block.
pub fn without_required(schema: &Value) -> Value {
    match schema {
        Value::Object(object) => Value::Object(
            object
                .iter()
                .filter(|(key, _)| *key != "required")
                .map(|(key, value)| (key.clone(), without_required(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// Schemas made by pydantic 1 say neither that optional fields may be null nor what tuples are; and where a block is
/// expected, a reference to a stored one is as good.
pub fn mended(schema: &Value, allow_null_with_default: bool) -> Value {
    let mut schema = schema.clone();
    mend_properties(&mut schema, allow_null_with_default);
    let Some(definitions) = schema.get_mut("definitions").and_then(Value::as_object_mut) else { return schema };
    let mut blocks = Vec::new();
    for definition in definitions.values_mut() {
        mend_properties(definition, allow_null_with_default);
        if definition.get("block_type_slug").is_some()
            && let Some(title) = definition.get("title").and_then(Value::as_str)
        {
            let reference = json!({
                "type": "object",
                "properties": {"$ref": {"oneOf": [
                    {"type": "string", "format": "uuid"},
                    {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1},
                ]}},
                "required": ["$ref"],
            });
            blocks.push((title.to_owned(), json!({ "oneOf": [definition, reference] })));
        }
    }
    definitions.extend(blocks);
    schema
}

fn mend_properties(schema: &mut Value, allow_null_with_default: bool) {
    let required: Vec<String> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(|name| name.as_str().map(ToOwned::to_owned)).collect())
        .unwrap_or_default();
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (name, property) in properties {
        if let Value::Object(property) = property {
            let may_be_null = !required.contains(name)
                && property.get("type").is_some_and(|kind| kind != "null")
                && (!property.contains_key("default") || allow_null_with_default);
            if may_be_null && let Some(kind) = property.shift_remove("type") {
                property.insert("anyOf".into(), json!([{ "type": kind }, { "type": "null" }]));
            }
            let is_tuple = property.get("items").and_then(Value::as_array).is_some_and(|items| !items.is_empty());
            if is_tuple
                && !property.contains_key("prefixItems")
                && let Some(items) = property.shift_remove("items")
            {
                property.insert("prefixItems".into(), items);
            }
        }
        if property.get("properties").is_some() {
            mend_properties(property, allow_null_with_default);
        }
    }
}

/// The object in a value; what is no object counts as an empty one.
pub fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(object) = value { object } else { Map::new() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tidegate_core::time::Timestamp;

    use super::{Strictness, Unfit, Variables, check, check_schema, fill, mended};

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "count": {"type": "integer"},
                "items": {"type": "array", "items": {"type": "integer"}},
                "point": {"allOf": [{"$ref": "#/definitions/Point"}]},
                "small": {"type": "integer", "minimum": 1, "maximum": 5, "exclusiveMaximum": 5},
                "pair": {"type": "array", "items": [{"type": "string"}, {"type": "integer"}], "minItems": 2},
                "text": {"type": "string", "pattern": "^a", "default": "a"},
            },
            "definitions": {"Point": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}},
            "required": ["count"],
        })
    }

    fn refusal(values: Value) -> Option<String> {
        match check(&values, &schema(), Strictness::default()) {
            Ok(()) => None,
            Err(Unfit::Mismatch(text)) => Some(text),
            Err(Unfit::Circular) => panic!("the schema is not circular"),
        }
    }

    #[test]
    fn what_does_not_fit_is_told_as_the_reference_tells_it() {
        for (values, expected) in [
            (json!({}), "Validation failed. Failure reason: 'count' is a required property"),
            (
                json!({"count": "1"}),
                "Validation failed for field 'count'. Failure reason: '1' is not of type 'integer'",
            ),
            (
                json!({"count": true}),
                "Validation failed for field 'count'. Failure reason: True is not of type 'integer'",
            ),
            (
                json!({"count": 1, "items": [1, "x"]}),
                "Validation failed for field 'items[1]'. Failure reason: 'x' is not of type 'integer'",
            ),
            (
                json!({"count": 1, "items": "x"}),
                "Validation failed for field 'items'. Failure reason: 'x' is not valid under any of the given schemas",
            ),
            (
                json!({"count": 1, "point": {"x": "1"}}),
                "Validation failed for field 'point.x'. Failure reason: '1' is not of type 'number'",
            ),
            (
                json!({"count": 1, "small": 5}),
                "Validation failed for field 'small'. Failure reason: 5 is greater than or equal to the maximum of 5",
            ),
            (
                json!({"count": 1, "pair": ["a", "b"]}),
                "Validation failed for field 'pair[1]'. Failure reason: 'b' is not of type 'integer'",
            ),
            (
                json!({"count": 1, "text": "ba"}),
                "Validation failed for field 'text'. Failure reason: 'ba' does not match '^a'",
            ),
        ] {
            assert_eq!(refusal(values).as_deref(), Some(expected));
        }
    }

    #[test]
    fn optional_fields_of_old_schemas_may_be_null_unless_they_have_a_default() {
        assert_eq!(refusal(json!({"count": 1.0, "items": null, "unknown": 1})), None);
        assert!(refusal(json!({"count": 1, "text": null})).is_some());
        let lenient = Strictness { ignore_required: true, allow_null_with_default: true };
        assert_eq!(check(&json!({"text": null}), &schema(), lenient), Ok(()));
    }

    #[test]
    fn a_block_may_be_given_by_its_fields_or_by_reference() {
        let definition = json!({"title": "Cluster", "block_type_slug": "cluster", "type": "object",
            "properties": {"config": {"type": "object"}}, "required": ["config"]});
        let schema = json!({"type": "object", "properties": {"cluster": {"$ref": "#/definitions/Cluster"}},
            "definitions": {"Cluster": definition}});
        for ignore_required in [true, false] {
            let strictness = Strictness { ignore_required, allow_null_with_default: true };
            for given in [json!({"config": {}}), json!({"$ref": {"block_document_id": "x"}})] {
                assert_eq!(check(&json!({"cluster": given}), &schema, strictness), Ok(()), "{given}");
            }
            assert!(check(&json!({"cluster": 1}), &schema, strictness).is_err());
        }
    }

    #[test]
    fn a_schema_that_goes_in_circles_is_told_from_one_that_nests() {
        let circle = json!({"properties": {"a": {"$ref": "#/definitions/A"}}, "definitions": {"A": {"$ref": "#/definitions/A"}}});
        assert_eq!(check(&json!({"a": 1}), &circle, Strictness::default()), Err(Unfit::Circular));
        let tree = json!({"properties": {"child": {"$ref": "#"}}, "required": ["name"]});
        let nested = json!({"name": 1, "child": {"name": 2, "child": {"name": 3}}});
        assert_eq!(check(&nested, &tree, Strictness::default()), Ok(()));
    }

    #[test]
    fn what_is_no_schema_is_told() {
        assert_eq!(check_schema(&mended(&schema(), false)), Ok(()));
        let why = check_schema(&json!({"properties": {"a": {"type": "nope"}}})).unwrap_err();
        assert_eq!(why, "'nope' is not valid under any of the given schemas");
    }

    #[test]
    fn marked_values_are_filled_in() {
        let variables = Variables::from([("limit".to_owned(), json!([1, 2]))]);
        let now = Timestamp::parse("2026-07-15T12:00:00Z").unwrap();
        let marked = |kind: &str, key: &str, value: Value| json!({"v": {"__prefect_kind": kind, key: value}});
        for (given, expected) in [
            (marked("json", "value", json!("{\"a\": [1]}")), Ok(json!({"v": {"a": [1]}}))),
            (marked("json", "none", json!(1)), Ok(json!({}))),
            (marked("none", "value", json!({"k": 1})), Ok(json!({"v": {"k": 1}}))),
            (marked("none", "no", json!(1)), Err("Missing 'value' key in __prefect object")),
            (marked("workspace_variable", "variable_name", json!("limit")), Ok(json!({"v": [1, 2]}))),
            (marked("workspace_variable", "variable_name", json!("no")), Err("Variable 'no' not found in workspace.")),
            (marked("jinja", "template", json!("{{ 1 + 1 }} x")), Ok(json!({"v": "2 x"}))),
            (
                marked("jinja", "template", json!("{{ '2026-07-16' | humanize_naturalday }}")),
                Ok(json!({"v": "tomorrow"})),
            ),
            (marked("jinja", "no", json!(1)), Err("Missing 'template' key in __prefect object")),
            (marked("unknown", "value", json!(1)), Ok(json!({"v": 1}))),
            (
                marked("json", "value", json!("{")),
                Err("Invalid JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
            ),
            (
                marked("jinja", "template", json!("{{ bad")),
                Err("Invalid jinja: unexpected end of template, expected 'end of print statement'."),
            ),
        ] {
            let filled = fill(given, &variables, &super::Fill::plain(now)).map(Value::Object);
            assert_eq!(filled, expected.map_err(ToOwned::to_owned));
        }
    }
}
