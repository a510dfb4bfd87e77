//! One refusal of one value, in the words and the key order of pydantic. Says nothing about HTTP.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// One step of the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loc {
    Name(Box<str>),
    Index(usize),
}

/// Why one value was refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldError {
    pub r#type: &'static str,
    pub loc: Vec<Loc>,
    pub msg: String,
    pub input: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctx: Option<Value>,
}

/// The refusal without the place: what a checker of a single value says.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) kind: &'static str,
    pub(super) msg: String,
    pub(super) ctx: Option<Value>,
}

impl FieldError {
    /// A value that has to be there and is not; `input` is what should have held it.
    pub fn missing(loc: Vec<Loc>, input: Value) -> Self {
        Self { r#type: "missing", loc, msg: "Field required".into(), input, ctx: None }
    }

    /// A value that breaks a rule of ours or theirs that no type tells.
    pub fn value_error(loc: Vec<Loc>, text: &str, input: Value) -> Self {
        let refusal = Refusal::value(text);
        Self { r#type: refusal.kind, loc, msg: refusal.msg, input, ctx: refusal.ctx }
    }

    /// A body that is not JSON: the place is counted in characters.
    pub fn json_invalid(position: usize, error: &str) -> Self {
        Self {
            r#type: "json_invalid",
            loc: vec!["body".into(), Loc::Index(position)],
            msg: "JSON decode error".into(),
            input: json!({}),
            ctx: Some(json!({ "error": error })),
        }
    }
}

impl Refusal {
    pub(super) fn new(kind: &'static str, msg: impl Into<String>) -> Self {
        Self { kind, msg: msg.into(), ctx: None }
    }

    pub(super) fn with(kind: &'static str, msg: impl Into<String>, key: &str, value: Value) -> Self {
        let ctx = Value::Object([(key.to_owned(), value)].into_iter().collect());
        Self { kind, msg: msg.into(), ctx: Some(ctx) }
    }

    /// The refusal of a rule; the reference's context is an exception object, which serialises to nothing.
    pub(super) fn value(text: &str) -> Self {
        Self { kind: "value_error", msg: format!("Value error, {text}"), ctx: Some(json!({ "error": {} })) }
    }

    pub(super) fn at(self, loc: Vec<Loc>, input: Value) -> FieldError {
        FieldError { r#type: self.kind, loc, msg: self.msg, input, ctx: self.ctx }
    }
}

impl From<&str> for Loc {
    fn from(name: &str) -> Self {
        Self::Name(name.into())
    }
}

impl From<usize> for Loc {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl Serialize for Loc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Name(name) => serializer.serialize_str(name),
            Self::Index(index) => serializer.serialize_u64(*index as u64),
        }
    }
}

impl fmt::Display for Loc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Index(index) => write!(f, "{index}"),
        }
    }
}
