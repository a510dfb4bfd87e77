//! The request side of the Prefect 3 interface and of our own operations, checked by its own schema: which fields a body has,
//! what they may hold, and the exact words of a refusal. Compiled once from `contract.json` and `own.json`. It knows nothing of handlers or of the database.
//!
//! Lax coercion follows pydantic 2 (`"5"` is an integer, `"yes"` a switch); defaults are not filled in, what the client
//! left out stays out.

mod check;
mod compile;
mod error;
mod json;
mod node;
mod rules;
mod scalars;
mod schedules;
#[cfg(test)]
mod tests;
mod times;

use std::sync::LazyLock;

use serde_json::{Map, Value};

pub use error::{FieldError, Loc};
pub use json::MAX_DEPTH;

use compile::Contract;
use node::{BodyShape, NodeId, Parameter};

/// The reference's operations.
pub(crate) const CONTRACT_TEXT: &str = include_str!("contract.json");
/// Our own operations, with what they answer.
pub(crate) const OWN_TEXT: &str = include_str!("own.json");

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| Contract::compile(&[CONTRACT_TEXT, OWN_TEXT]));

/// One operation of the contract.
#[derive(Debug)]
pub struct Operation {
    id: Box<str>,
    method: Box<str>,
    path: Box<str>,
    body: BodyShape,
    query: Vec<Parameter>,
}

/// What to do with fields of a model that the contract does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Leave them out of the value and name them in [`Checked::unknown`].
    Ignore,
    /// Refuse them as the reference does.
    Forbid,
}

/// A body that passed.
#[derive(Debug, PartialEq)]
pub struct Checked {
    /// The body with its values coerced. `null` when there was none and none is needed.
    pub value: Value,
    /// Fields that were left out because nobody knows them: `Model.field`, in the order met.
    pub unknown: Vec<String>,
    /// Nothing had to be coerced or left out: the bytes of the body mean the same as the value.
    pub is_as_sent: bool,
}

/// Every operation: the reference's in its own order (which is its order of route matching), then ours.
pub fn operations() -> impl Iterator<Item = &'static Operation> {
    CONTRACT.operations.iter()
}

/// The operation of a method and a path template such as `/flows/{id}`.
pub fn operation(method: &str, path_template: &str) -> Option<&'static Operation> {
    let by_path = CONTRACT.by_path.get(path_template)?;
    by_path.iter().map(|index| &CONTRACT.operations[*index]).find(|operation| &*operation.method == method)
}

/// Reads a text as JSON; the error is the sentence of Python's decoder.
pub fn parse_text(text: &str) -> Result<Value, String> {
    json::parse_text(text)
}

/// A UUID of the path or of a header, where these are checked as values instead of as routes.
pub fn uuid_at(loc: Vec<Loc>, text: &str) -> Result<uuid::Uuid, FieldError> {
    let value = Value::String(text.to_owned());
    match scalars::uuid(&value) {
        Ok(_) => uuid::Uuid::parse_str(text).map_err(|error| FieldError::value_error(loc, &error.to_string(), value)),
        Err(refusal) => Err(refusal.at(loc, value)),
    }
}

impl Operation {
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path template, below the prefix of the interface.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Parses, checks and coerces a body.
    pub fn check_body(
        &self,
        content_type: Option<&str>,
        body: &[u8],
        unknown: Unknown,
    ) -> Result<Checked, Vec<FieldError>> {
        let received = match self.body {
            BodyShape::None => return Ok(Checked { value: Value::Null, unknown: Vec::new(), is_as_sent: false }),
            _ if body.is_empty() => Received::Nothing,
            _ if json::is_json(content_type) => match json::parse(body)? {
                Value::Null => Received::Nothing,
                value => Received::Json(value),
            },
            _ => Received::Text(String::from_utf8_lossy(body).into_owned()),
        };
        match &self.body {
            BodyShape::None => unreachable!("answered above"),
            BodyShape::Whole { node, required } => check_whole(*node, *required, received, unknown),
            BodyShape::Embedded(parameters) => check_embedded(parameters, received, unknown),
        }
    }

    /// The body as a refusal echoes it in `request_body`: parsed when it is JSON, else its text; `null` when there is
    /// none.
    pub fn echo_body(&self, content_type: Option<&str>, body: &[u8]) -> Value {
        if body.is_empty() {
            return Value::Null;
        }
        let text = || Value::String(String::from_utf8_lossy(body).into_owned());
        if !json::is_json(content_type) {
            return text();
        }
        let mut value = json::parse(body).unwrap_or_else(|_| text());
        if let BodyShape::Whole { node, .. } = self.body
            && let Some(model) = CONTRACT.model(node)
        {
            model.imply(&mut value);
        }
        value
    }

    /// Checks and coerces the query; of a name given twice the last one counts, unknown names are ignored.
    pub fn check_query(&self, pairs: &[(String, String)]) -> Result<Map<String, Value>, Vec<FieldError>> {
        let mut found = Map::new();
        let mut errors = Vec::new();
        for parameter in &self.query {
            let Some((_, text)) = pairs.iter().rev().find(|(name, _)| *name == *parameter.name) else {
                if parameter.required {
                    errors.push(FieldError::missing(vec!["query".into(), (&*parameter.name).into()], Value::Null));
                }
                continue;
            };
            let mut value = Value::String(text.clone());
            let outcome = check::run(&CONTRACT.nodes, parameter.node, &value, Unknown::Ignore, |walk| {
                walk.push("query");
                walk.push(&parameter.name);
            });
            if outcome.errors.is_empty() {
                outcome.edits.apply(&mut value);
                found.insert(parameter.name.to_string(), value);
            } else {
                errors.extend(outcome.errors);
            }
        }
        if errors.is_empty() { Ok(found) } else { Err(errors) }
    }
}

enum Received {
    Nothing,
    Json(Value),
    /// Not declared as JSON, so not read as JSON.
    Text(String),
}

fn check_whole(node: NodeId, required: bool, received: Received, unknown: Unknown) -> Result<Checked, Vec<FieldError>> {
    let is_json = matches!(received, Received::Json(_));
    let mut value = match received {
        Received::Nothing if required => return Err(vec![FieldError::missing(vec!["body".into()], Value::Null)]),
        Received::Nothing => return Ok(Checked { value: Value::Null, unknown: Vec::new(), is_as_sent: false }),
        Received::Json(value) => value,
        Received::Text(text) => Value::String(text),
    };
    let outcome = check::run(&CONTRACT.nodes, node, &value, unknown, |walk| walk.push("body"));
    if !outcome.errors.is_empty() {
        return Err(outcome.errors);
    }
    let is_as_sent = is_json && outcome.edits.is_empty();
    outcome.edits.apply(&mut value);
    Ok(Checked { value, unknown: outcome.unknown, is_as_sent })
}

/// A body of named parameters, each checked by itself: what is absent or null is the default, and what is not an object
/// at all lacks every one of them.
fn check_embedded(parameters: &[Parameter], received: Received, unknown: Unknown) -> Result<Checked, Vec<FieldError>> {
    let loc = |parameter: &Parameter| vec!["body".into(), (&*parameter.name).into()];
    let mut is_as_sent = matches!(received, Received::Json(_));
    let mut object = match received {
        Received::Json(Value::Object(object)) => object,
        Received::Json(_) => return Err(parameters.iter().map(|p| FieldError::missing(loc(p), Value::Null)).collect()),
        Received::Nothing | Received::Text(_) => Map::new(),
    };
    let mut errors = Vec::new();
    let mut names = Vec::new();
    for parameter in parameters {
        let value = match object.get_mut(&*parameter.name) {
            None | Some(Value::Null) => {
                if parameter.required {
                    errors.push(FieldError::missing(loc(parameter), Value::Null));
                }
                is_as_sent &= object.shift_remove(&*parameter.name).is_none();
                continue;
            }
            Some(value) => value,
        };
        let outcome = check::run(&CONTRACT.nodes, parameter.node, value, unknown, |walk| {
            walk.push("body");
            walk.push(&parameter.name);
        });
        if outcome.errors.is_empty() {
            is_as_sent &= outcome.edits.is_empty();
            outcome.edits.apply(value);
            names.extend(outcome.unknown);
        } else {
            errors.extend(outcome.errors);
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    object.retain(|name, _| {
        let known = parameters.iter().any(|parameter| *parameter.name == **name);
        if !known {
            names.push(format!("body.{name}"));
        }
        known
    });
    is_as_sent &= names.is_empty();
    Ok(Checked { value: Value::Object(object), unknown: names, is_as_sent })
}
