//! Walks a value beside its schema: gathers every refusal with its place, and the edits that turn what was sent into
//! what was meant. Changes nothing itself, so that a refusal can show the value as it came.

use serde_json::{Map, Value};

use super::Unknown;
use super::error::{FieldError, Loc, Refusal};
use super::node::{Branch, Extra, Model, Node, NodeId};
use super::rules::{self, Verdict};
use super::{scalars, times};

/// What a walk found. The value is good if there are no errors.
pub(super) struct Outcome {
    pub(super) errors: Vec<FieldError>,
    pub(super) edits: Edits,
    pub(super) unknown: Vec<String>,
}

/// Checks one value; `enter` says where it lies in the request.
pub(super) fn run<'a>(
    nodes: &'a [Node],
    node: NodeId,
    value: &'a Value,
    unknown: Unknown,
    enter: impl FnOnce(&mut Walk<'a>),
) -> Outcome {
    let mut walk = Walk {
        nodes,
        forbid: unknown == Unknown::Forbid,
        path: Vec::with_capacity(8),
        root: 0,
        found: Found::default(),
        exactness: Exactness::Exact,
        fields: None,
    };
    enter(&mut walk);
    walk.root = walk.path.len();
    walk.check(node, value);
    let Found { mut errors, hard, edits, unknown } = walk.found;
    if hard == 0 {
        errors.clear();
    }
    Outcome { errors, edits: Edits(edits), unknown }
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
    /// Names a branch of a union in the place of an error; not a step into the value.
    Label(&'a str),
}

/// How literally a value was taken; the best branch of a union is the one that took it most literally.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exactness {
    Lax,
    Strict,
    Exact,
}

#[derive(Default)]
struct Found {
    /// All errors; those about unknown fields alone do not refuse a body whose unknown fields are ignored, but belong
    /// to the answer when something else does.
    errors: Vec<FieldError>,
    hard: usize,
    edits: Vec<(Vec<Loc>, Edit)>,
    unknown: Vec<String>,
}

pub(super) struct Walk<'a> {
    nodes: &'a [Node],
    forbid: bool,
    path: Vec<Step<'a>>,
    root: usize,
    found: Found,
    exactness: Exactness,
    /// Declared fields met since the last union, if any model was met.
    fields: Option<usize>,
}

impl<'a> Walk<'a> {
    pub(super) fn push(&mut self, name: &'a str) {
        self.path.push(Step::Key(name));
    }

    /// Checks and says whether the value is good.
    fn check(&mut self, node: NodeId, value: &'a Value) -> bool {
        let before = self.found.hard;
        let nodes = self.nodes;
        match &nodes[node.0 as usize] {
            Node::Any | Node::Unfinished => {}
            Node::Text(text) => self.scalar(value, scalars::text(text, value)),
            Node::Integer { strict, bounds } => self.scalar(value, scalars::integer(*strict, bounds, value)),
            Node::Number { strict, bounds } => self.scalar(value, scalars::number(*strict, bounds, value)),
            Node::Boolean { strict } => self.scalar(value, scalars::boolean(*strict, value)),
            Node::Uuid => self.scalar(value, scalars::uuid(value)),
            Node::Zone => self.scalar(value, scalars::zone(value)),
            Node::Bytes => self.scalar(value, scalars::bytes(value)),
            Node::DateTime => self.scalar(value, times::date_time(value)),
            Node::PlainDateTime => self.scalar(value, times::plain_date_time(value)),
            Node::Duration { at_least_zero } => self.scalar(value, times::duration(*at_least_zero, value)),
            Node::Words { words, expected, kind } => self.scalar(value, scalars::word(words, expected, kind, value)),
            Node::Nullable(inner) => {
                if !value.is_null() {
                    self.check(*inner, value);
                }
            }
            Node::List { item } => match value {
                Value::Array(items) => self.items(*item, items),
                _ => self.refuse(value, Refusal::new("list_type", "Input should be a valid list")),
            },
            Node::Sequence { item } => match value {
                Value::Array(items) => self.items(*item, items),
                _ => self.refuse(value, scalars::no_sequence(value)),
            },
            Node::Set { item } => match value {
                Value::Array(items) => {
                    self.items(*item, items);
                    if items.len() > 1 {
                        self.edit(Edit::Deduplicate);
                    }
                }
                _ => self.refuse(value, Refusal::new("set_type", "Input should be a valid set")),
            },
            Node::Tuple { items } => self.tuple(items, value),
            Node::Map { value: inner } => match value {
                Value::Object(map) => {
                    for (key, value) in map {
                        self.inside(Step::Key(key), *inner, value);
                    }
                }
                _ => self.refuse(value, Refusal::new("dict_type", "Input should be a valid dictionary")),
            },
            Node::Model(model) => self.model(model, value),
            Node::Union(branches) => self.union(branches, value),
            Node::Labels { specification, otherwise, lists } => {
                self.labels(*specification, *otherwise, *lists, value);
            }
            Node::Ruled { before, inner, after } => self.ruled(before, *inner, after, value),
        }
        self.found.hard == before
    }

    fn inside(&mut self, step: Step<'a>, node: NodeId, value: &'a Value) -> bool {
        self.path.push(step);
        let good = self.check(node, value);
        self.path.pop();
        good
    }

    fn scalar(&mut self, value: &Value, outcome: Result<(Exactness, Option<Value>), Refusal>) {
        match outcome {
            Ok((exactness, changed)) => {
                self.exactness = self.exactness.min(exactness);
                if let Some(changed) = changed {
                    self.edit(Edit::Set(changed));
                }
            }
            Err(refusal) => self.refuse(value, refusal),
        }
    }

    fn items(&mut self, node: NodeId, items: &'a [Value]) {
        for (index, item) in items.iter().enumerate() {
            self.inside(Step::Index(index), node, item);
        }
    }

    fn tuple(&mut self, nodes: &[NodeId], value: &'a Value) {
        let Value::Array(items) = value else {
            return self.refuse(value, Refusal::new("tuple_type", "Input should be a valid tuple"));
        };
        if items.len() > nodes.len() {
            return self.refuse(value, scalars::long_tuple(nodes.len(), items.len()));
        }
        for (index, node) in nodes.iter().enumerate() {
            match items.get(index) {
                Some(item) => {
                    self.inside(Step::Index(index), *node, item);
                }
                None => self.missing(Step::Index(index), value.clone()),
            }
        }
    }

    fn model(&mut self, model: &'a Model, value: &'a Value) {
        let Value::Object(map) = value else {
            let text = "Input should be a valid dictionary or object to extract fields from";
            return self.refuse(value, Refusal::new("model_attributes_type", text));
        };
        let mut met = 0;
        for field in &model.fields {
            let given = map.get(&*field.name);
            met += usize::from(given.is_some());
            match self.fallback(model, &field.name, given, map).or(given) {
                Some(value) => {
                    self.inside(Step::Key(&field.name), field.node, value);
                }
                // What a value is stays with it: a union's reader cannot tell it from the fields that were sent.
                None if &*field.name == "type" && self.only_word(field.node).is_some() => {
                    let word = self.only_word(field.node).unwrap_or_default().into();
                    self.edit(Edit::Insert(vec![("type", word)]));
                }
                None if field.required => {
                    let mut shown = value.clone();
                    model.imply(&mut shown);
                    self.missing(Step::Key(&field.name), shown);
                }
                None => {}
            }
        }
        *self.fields.get_or_insert(0) += met;
        if met < map.len() && model.extra != Extra::Keep {
            self.unknown_fields(model, map);
        }
    }

    /// The first object that is wrong is told of as if it were the field's only value.
    fn labels(&mut self, specification: NodeId, otherwise: NodeId, lists: bool, value: &'a Value) {
        let objects: &[Value] = match value {
            Value::Object(_) => std::slice::from_ref(value),
            Value::Array(items) if lists => items,
            _ => &[],
        };
        for object in objects.iter().filter(|object| object.is_object()) {
            let edits = self.found.edits.len();
            if !self.check(specification, object) {
                return;
            }
            self.found.edits.truncate(edits);
        }
        self.check(otherwise, value);
    }

    /// The word that a field holds if it can hold no other.
    fn only_word(&self, node: NodeId) -> Option<&'a str> {
        match &self.nodes[node.0 as usize] {
            Node::Words { words, .. } if words.len() == 1 => Some(&words[0]),
            _ => None,
        }
    }

    /// The value under a setting's old name, when there is none under the new one.
    fn fallback(
        &mut self,
        model: &Model,
        name: &str,
        given: Option<&Value>,
        map: &'a Map<String, Value>,
    ) -> Option<&'a Value> {
        let (new, old) = *model.fallbacks.iter().find(|(new, _)| *new == name)?;
        if given.is_some_and(|value| !rules::is_falsy(value)) {
            return None;
        }
        let value = map.get(old).filter(|value| value.as_f64() != Some(0.0))?;
        self.edit(Edit::Insert(vec![(new, value.clone())]));
        Some(value)
    }

    fn unknown_fields(&mut self, model: &'a Model, map: &'a Map<String, Value>) {
        for (name, value) in map {
            if model.fields.iter().any(|field| *field.name == **name) {
                continue;
            }
            self.path.push(Step::Key(name));
            self.edit(Edit::Remove);
            if !model.dropped.contains(&name.as_str()) {
                self.found.unknown.push(format!("{}.{name}", model.name));
                if model.extra == Extra::Forbid {
                    let refusal = Refusal::new("extra_forbidden", "Extra inputs are not permitted");
                    self.refuse(value, refusal);
                    if !self.forbid && !model.foreign.contains(&name.as_str()) {
                        self.found.hard -= 1;
                    }
                }
            }
            self.path.pop();
        }
    }

    /// Tries every branch and keeps the best, as pydantic's smart mode does; when none fits, all their errors are told.
    fn union(&mut self, branches: &'a [Branch], value: &'a Value) {
        let errors = self.found.errors.len();
        let edits = self.found.edits.len();
        let unknown = self.found.unknown.len();
        let hard = self.found.hard;
        let (outer_exactness, outer_fields) = (self.exactness, self.fields);
        let mut best: Option<Success> = None;
        for branch in branches {
            self.exactness = Exactness::Exact;
            self.fields = None;
            let soft = self.found.errors.len();
            let good = self.inside(Step::Label(&branch.label), branch.node, value);
            let success = Success {
                clean: self.found.errors.len() == soft,
                fields: self.fields,
                exactness: self.exactness,
                edits: self.found.edits.split_off(edits),
                unknown: self.found.unknown.split_off(unknown),
            };
            if good && best.as_ref().is_none_or(|best| success.beats(best)) {
                let settled = success.is_perfect();
                best = Some(success);
                if settled {
                    break;
                }
            }
        }
        self.exactness = outer_exactness;
        self.fields = outer_fields;
        if let Some(best) = best {
            self.found.hard = hard;
            self.found.errors.truncate(errors);
            self.found.edits.extend(best.edits);
            self.found.unknown.extend(best.unknown);
            self.exactness = self.exactness.min(best.exactness);
            if let Some(fields) = best.fields {
                *self.fields.get_or_insert(0) += fields;
            }
        }
    }

    fn ruled(&mut self, before: &[rules::Before], inner: NodeId, after: &[rules::After], value: &'a Value) {
        for rule in before {
            match rule.apply(value) {
                Verdict::Pass => {}
                Verdict::Edit(edit) => self.edit(edit),
                Verdict::Done(edit) => return self.edit(edit),
                Verdict::Refuse(text) => return self.refuse(value, Refusal::value(&text)),
                Verdict::TooLong(max) => return self.refuse(value, scalars::long_value(max, value)),
            }
        }
        if !self.check(inner, value) || (value.is_null() && !after.is_empty()) {
            return;
        }
        for rule in after {
            match rule.apply(value) {
                Verdict::Pass => {}
                Verdict::Edit(edit) | Verdict::Done(edit) => self.edit(edit),
                Verdict::Refuse(text) => return self.refuse(value, Refusal::value(&text)),
                Verdict::TooLong(max) => return self.refuse(value, scalars::long_value(max, value)),
            }
        }
    }

    fn refuse(&mut self, value: &Value, refusal: Refusal) {
        let loc = self.path.iter().map(Step::loc).collect();
        self.found.errors.push(refusal.at(loc, value.clone()));
        self.found.hard += 1;
    }

    fn missing(&mut self, step: Step<'_>, enclosing: Value) {
        let loc = self.path.iter().map(Step::loc).chain([step.loc()]).collect();
        self.found.errors.push(FieldError::missing(loc, enclosing));
        self.found.hard += 1;
    }

    fn edit(&mut self, edit: Edit) {
        let steps = self.path[self.root..].iter().filter(|step| !matches!(step, Step::Label(_)));
        let path = steps.map(Step::loc).collect();
        self.found.edits.push((path, edit));
    }
}

impl Step<'_> {
    fn loc(&self) -> Loc {
        match self {
            Self::Key(name) | Self::Label(name) => (*name).into(),
            Self::Index(index) => (*index).into(),
        }
    }
}

struct Success {
    /// No unknown fields that the reference would have refused.
    clean: bool,
    fields: Option<usize>,
    exactness: Exactness,
    edits: Vec<(Vec<Loc>, Edit)>,
    unknown: Vec<String>,
}

impl Success {
    fn is_perfect(&self) -> bool {
        self.clean && self.fields.is_none() && self.exactness == Exactness::Exact
    }

    fn beats(&self, best: &Self) -> bool {
        if self.clean != best.clean {
            return self.clean;
        }
        match (self.fields, best.fields) {
            (Some(mine), Some(theirs)) if mine != theirs => mine > theirs,
            _ => self.exactness > best.exactness,
        }
    }
}

/// One change to the value that was sent.
#[derive(Debug)]
pub(super) enum Edit {
    Set(Value),
    /// Takes a field out of its object.
    Remove,
    Deduplicate,
    /// Puts fields into an object.
    Insert(Vec<(&'static str, Value)>),
}

#[derive(Debug)]
pub(super) struct Edits(Vec<(Vec<Loc>, Edit)>);

impl Edits {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn apply(self, value: &mut Value) {
        for (path, edit) in self.0 {
            if let Some(place) = find(value, if matches!(edit, Edit::Remove) { &path[..path.len() - 1] } else { &path })
            {
                edit.apply(place, path.last());
            }
        }
    }
}

impl Edit {
    fn apply(self, place: &mut Value, last: Option<&Loc>) {
        match (self, place) {
            (Self::Set(new), place) => *place = new,
            (Self::Remove, Value::Object(map)) => {
                if let Some(Loc::Name(name)) = last {
                    map.shift_remove(&**name);
                }
            }
            (Self::Deduplicate, Value::Array(items)) => {
                let mut seen: Vec<Value> = Vec::with_capacity(items.len());
                for item in items.drain(..) {
                    if !seen.contains(&item) {
                        seen.push(item);
                    }
                }
                *items = seen;
            }
            (Self::Insert(fields), Value::Object(map)) => {
                for (name, new) in fields {
                    map.insert(name.to_owned(), new);
                }
            }
            _ => {}
        }
    }
}

fn find<'v>(mut value: &'v mut Value, path: &[Loc]) -> Option<&'v mut Value> {
    for step in path {
        value = match step {
            Loc::Name(name) => value.get_mut(&**name)?,
            Loc::Index(index) => value.get_mut(*index)?,
        };
    }
    Some(value)
}
