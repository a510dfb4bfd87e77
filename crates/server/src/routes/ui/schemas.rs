//! Whether the values of a form fit a schema, told field by field.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tidegate_store::Tx;

use crate::{
    answer::Json,
    error::ApiError,
    extract::{Body, Db},
    parameters::{
        self, CIRCULAR, Variables,
        schema::{Broken, Step, Violation, violations_of_form},
    },
};

#[derive(Deserialize)]
pub struct Form {
    schema: Map<String, Value>,
    values: Map<String, Value>,
}

pub async fn validate(Db(store): Db, Body(body): Body<Form>) -> Result<Json<Value>, ApiError> {
    let schema = parameters::mended(&Value::Object(body.schema), false);
    parameters::check_schema(&schema).map_err(|why| ApiError::unprocessable(format!("Invalid schema: {why}")))?;
    let variables = store.read(async move |tx: &mut Tx| tx.list_variable_values().await).await?;
    let variables: Variables = variables.into_iter().map(|(name, value)| (name, value.value())).collect();
    let values = parameters::fill_form(Value::Object(body.values), &variables);
    let violations = violations_of_form(&values, &schema).map_err(|broken| match broken {
        Broken::Circular => ApiError::unprocessable(CIRCULAR),
        Broken::Unresolvable(why) => {
            ApiError::unprocessable(format!("Invalid schema: Validation failed. Failure reason: {why}"))
        }
    })?;
    let errors = told(by_place(violations));
    Ok(Json(json!({ "valid": errors.is_empty(), "errors": errors })))
}

/// The violations place by place, in the order of first mention. Of a place that could not be filled in, nothing else counts.
fn by_place(violations: Vec<Violation>) -> Vec<Violation> {
    let mut places: Vec<(Vec<Step>, Vec<Violation>)> = Vec::new();
    for violation in violations {
        match places.iter_mut().find(|(path, _)| *path == violation.path) {
            Some((_, found)) => found.push(violation),
            None => places.push((violation.path.clone(), vec![violation])),
        }
    }
    let told = places.into_iter().flat_map(|(_, mut found)| {
        if found.iter().any(Violation::is_of_gap) {
            found.retain(Violation::is_of_gap);
        }
        found
    });
    told.collect()
}

/// The tree of errors that forms read: entries for properties and items, and sentences.
fn told(violations: Vec<Violation>) -> Vec<Value> {
    let mut errors = Vec::new();
    for violation in violations {
        let mut path = violation.path.clone();
        // What is missing is told at its own place.
        path.extend(violation.missing().map(|name| Step::Key(name.to_owned())));
        insert(&mut errors, &path, violation.message);
    }
    errors
}

fn insert(errors: &mut Vec<Value>, path: &[Step], message: String) {
    let Some((step, rest)) = path.split_first() else { return errors.push(message.into()) };
    let (key, name) = match step {
        Step::Index(index) => ("index", json!(index)),
        Step::Key(name) => ("property", json!(name)),
    };
    if rest.is_empty() {
        return errors.push(json!({ key: name, "errors": [message] }));
    }
    let at = errors.iter().position(|entry| entry.get(key) == Some(&name)).unwrap_or_else(|| {
        errors.push(json!({ key: name, "errors": [] }));
        errors.len() - 1
    });
    if let Some(Value::Array(inner)) = errors[at].get_mut("errors") {
        insert(inner, rest, message);
    }
}
