//! The compiled form of the contract: one node per schema, referring to others by number, so that schemas may refer to
//! themselves. Plain data.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::rules::{After, Before};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(pub(super) u32);

/// What an operation's body is made of.
#[derive(Debug)]
pub(super) enum BodyShape {
    None,
    Whole {
        node: NodeId,
        required: bool,
    },
    /// Several named parameters, in the order in which the reference checks them.
    Embedded(Vec<Parameter>),
}

#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: Box<str>,
    pub(super) required: bool,
    pub(super) node: NodeId,
}

#[derive(Debug)]
pub(super) enum Node {
    Any,
    /// Stands for a schema that is being compiled; none is left when the contract is ready.
    Unfinished,
    Text(Text),
    Integer {
        strict: bool,
        bounds: Bounds,
    },
    Number {
        strict: bool,
        bounds: Bounds,
    },
    Boolean {
        strict: bool,
    },
    Uuid,
    /// The name of a time zone.
    Zone,
    /// Text that the reference keeps as bytes.
    Bytes,
    DateTime,
    /// An instant that the reference reads without the second, more generous parser.
    PlainDateTime,
    Duration {
        at_least_zero: bool,
    },
    /// One of a list of words; `kind` tells an enumeration from a literal.
    /// Labels that a trigger looks for: objects are read without a word of the other types that the field may have.
    Labels {
        specification: NodeId,
        otherwise: NodeId,
        lists: bool,
    },
    Words {
        words: Vec<Box<str>>,
        expected: Box<str>,
        kind: &'static str,
    },
    List {
        item: NodeId,
    },
    /// A list that the reference reads as any sequence, with its own words for what is none.
    Sequence {
        item: NodeId,
    },
    Set {
        item: NodeId,
    },
    Tuple {
        items: Vec<NodeId>,
    },
    Map {
        value: NodeId,
    },
    Model(Model),
    Nullable(NodeId),
    Union(Vec<Branch>),
    /// A rule over the value behind it.
    Ruled {
        before: Vec<Before>,
        inner: NodeId,
        after: Vec<After>,
    },
}

#[derive(Debug)]
pub(super) struct Text {
    pub(super) max_length: Option<usize>,
    pub(super) pattern: Option<Pattern>,
}

/// `^[^…]+$`: at least one character and none of these.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) source: Box<str>,
    pub(super) banned: Box<str>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bounds {
    pub(super) greater_or_equal: Option<f64>,
    pub(super) greater: Option<f64>,
    pub(super) less_or_equal: Option<f64>,
}

#[derive(Debug)]
pub(super) struct Model {
    pub(super) name: Box<str>,
    pub(super) fields: Vec<Parameter>,
    pub(super) extra: Extra,
    /// New names of settings with the old ones that fill them when they are not given.
    pub(super) fallbacks: &'static [(&'static str, &'static str)],
    /// Objects that the reference adds before it looks, and shows.
    pub(super) implied: &'static [&'static str],
    /// Fields of its siblings in a union: who sends one of them means something else, so they are never ignored.
    pub(super) foreign: &'static [&'static str],
    /// Fields of former versions, left out without a word.
    pub(super) dropped: &'static [&'static str],
}

impl Model {
    /// Adds what the reference adds.
    pub(super) fn imply(&self, value: &mut Value) {
        let Value::Object(map) = value else { return };
        for name in self.implied {
            map.entry(*name).or_insert_with(|| json!({}));
        }
    }
}

/// What the reference does with unknown fields of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extra {
    Forbid,
    Ignore,
    Keep,
}

#[derive(Debug)]
pub(super) struct Branch {
    pub(super) label: Box<str>,
    pub(super) node: NodeId,
}

pub(super) type ByPath = HashMap<Box<str>, Vec<usize>>;
