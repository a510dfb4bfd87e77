//! JSON schema (draft 2020-12, as far as schemas of parameters and job variables go) with the words and the choice of the
//! one error to tell of Python's `jsonschema`, which clients show to people. Never fetches anything: references lead into
//! the schema itself. Formats are notes, not rules, as in the reference.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::python::{repr, repr_text};

/// One step of the way to a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Index(usize),
    Key(String),
}

/// One rule that a value breaks.
#[derive(Clone, Debug)]
pub struct Violation {
    /// From the value that the branch or the whole schema was applied to.
    pub path: Vec<Step>,
    pub keyword: &'static str,
    pub message: String,
    /// What the branches of a union said.
    context: Vec<Violation>,
    /// Whether the value has at least the type that its schema names.
    type_fits: bool,
}

/// Why a value could not be judged at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The schema refers to itself without getting anywhere.
    Circular,
    /// A reference leads nowhere, or to too many places.
    Unresolvable(String),
}

/// All rules that `value` breaks, in the schema's order.
pub fn violations(value: &Value, schema: &Value) -> Result<Vec<Violation>, Broken> {
    let mut checker = Checker::of(schema, value);
    checker.check(value, schema)?;
    Ok(checker.found)
}

/// All rules that the values of a form break; gaps in them tell of themselves, if there is anything to tell, and break no
/// rule.
pub fn violations_of_form(values: &Value, schema: &Value) -> Result<Vec<Violation>, Broken> {
    let mut checker = Checker { has_gaps: true, ..Checker::of(schema, values) };
    checker.check(values, schema)?;
    Ok(checker.found)
}

/// The key of an object that stands for a value that a form does not have yet.
const GAP: &str = "\0gap";
/// The keyword under which gaps tell why they could not be filled.
const GAP_RULE: &str = "_placeholders";

/// Stands for a value that is not known before a run begins, or, with a problem, for one that cannot be filled in.
pub fn gap(problem: Option<String>) -> Value {
    let mut object = Map::new();
    object.insert(GAP.into(), problem.map_or(Value::Null, Value::String));
    Value::Object(object)
}

/// What a gap says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap<'v> {
    /// The value comes later.
    Later,
    /// Why there is none.
    Problem(&'v str),
}

impl<'v> Gap<'v> {
    /// `None` for every value that is no gap.
    pub fn of(value: &'v Value) -> Option<Self> {
        match value {
            Value::Object(object) if object.len() == 1 => {
                object.get(GAP).map(|problem| problem.as_str().map_or(Self::Later, Self::Problem))
            }
            _ => None,
        }
    }
}

/// The violation that tells most: the one nearest to the root; of a union, the deepest of its best branch.
pub fn best(violations: Vec<Violation>) -> Option<Violation> {
    let mut best: Option<Violation> = None;
    for violation in violations {
        if best.as_ref().is_none_or(|best| violation.relevance() > best.relevance()) {
            best = Some(violation);
        }
    }
    let mut best = best?;
    let mut prefix = Vec::new();
    while !best.context.is_empty() {
        let mut order: Vec<usize> = (0..best.context.len()).collect();
        order.sort_by(|a, b| best.context[*a].relevance().cmp(&best.context[*b].relevance()));
        if let [first, second, ..] = order[..]
            && best.context[first].relevance() == best.context[second].relevance()
        {
            break;
        }
        prefix.extend(std::mem::take(&mut best.path));
        best = best.context.swap_remove(order[0]);
    }
    prefix.extend(best.path);
    best.path = prefix;
    Some(best)
}

/// A way as JSON path without its root, or `None` for the root: `items[1].name`.
pub fn spelled(path: &[Step]) -> Option<String> {
    if path.is_empty() {
        return None;
    }
    let mut text = String::from("$");
    for step in path {
        // Writing to a string cannot fail.
        let _ = match step {
            Step::Index(index) => write!(text, "[{index}]"),
            Step::Key(key) if is_plain(key) => write!(text, ".{key}"),
            Step::Key(key) => write!(text, "['{}']", key.replace('\\', "\\\\").replace('\'', "\\'")),
        };
    }
    Some(text.replace("$.", ""))
}

fn is_plain(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic()) && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Violation {
    /// The property that the value should have had.
    pub fn missing(&self) -> Option<&str> {
        let name = self.message.strip_suffix(" is a required property").filter(|_| self.keyword == "required");
        name.map(|name| name.trim_matches(['\'', '"']))
    }

    /// Whether it tells of a gap.
    pub fn is_of_gap(&self) -> bool {
        self.keyword == GAP_RULE
    }

    fn relevance(&self) -> (std::cmp::Reverse<usize>, &[Step], bool, bool) {
        let is_union = matches!(self.keyword, "anyOf" | "oneOf");
        (std::cmp::Reverse(self.path.len()), &self.path, !is_union, !self.type_fits)
    }
}

struct Checker<'s> {
    root: &'s Value,
    found: Vec<Violation>,
    path: Vec<Step>,
    /// Schemas being applied, each with the value it is applied to: meeting a pair again means going in circles.
    active: Vec<(*const Value, *const Value)>,
    has_gaps: bool,
    /// How many schemas may still be applied. References to references can ask for any number.
    left: usize,
}

/// Far more than any schema needs, for small values and for each value within large ones.
const MOST_APPLIED: usize = 10_000;
const MOST_APPLIED_EACH: usize = 50;

type Outcome = Result<(), Broken>;

/// How many values there are in one.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

impl<'s> Checker<'s> {
    fn of(root: &'s Value, value: &Value) -> Self {
        let left = MOST_APPLIED + MOST_APPLIED_EACH * count(value);
        Self { root, found: Vec::new(), path: Vec::new(), active: Vec::new(), has_gaps: false, left }
    }

    fn check(&mut self, value: &Value, schema: &'s Value) -> Outcome {
        let Some(left) = self.left.checked_sub(1) else {
            return Err(Broken::Unresolvable("the schema asks for too many checks of so few values".into()));
        };
        self.left = left;
        let rules = match schema {
            Value::Object(rules) => rules,
            Value::Bool(false) => {
                let message = format!("False schema does not allow {}", repr(value));
                self.report("false", message, true);
                return Ok(());
            }
            _ => return Ok(()),
        };
        let pair = (std::ptr::from_ref(schema), std::ptr::from_ref(value));
        if self.active.contains(&pair) {
            return Err(Broken::Circular);
        }
        self.active.push(pair);
        match Gap::of(value).filter(|_| self.has_gaps) {
            Some(Gap::Problem(problem)) => self.apply_to_gap(problem, value, rules)?,
            Some(Gap::Later) => {}
            None => {
                for (keyword, rule) in rules {
                    self.apply(keyword, rule, value, rules)?;
                }
            }
        }
        self.active.pop();
        Ok(())
    }

    /// A gap tells its problem once for every schema that is laid over it, as the reference does.
    fn apply_to_gap(&mut self, problem: &str, value: &Value, rules: &'s Map<String, Value>) -> Outcome {
        for (keyword, rule) in rules.iter().filter(|(keyword, _)| ["$ref", "allOf"].contains(&keyword.as_str())) {
            self.apply(keyword, rule, value, rules)?;
        }
        self.report(GAP_RULE, problem.to_owned(), true);
        Ok(())
    }

    fn apply(&mut self, keyword: &str, rule: &'s Value, value: &Value, rules: &'s Map<String, Value>) -> Outcome {
        match keyword {
            "$ref" | "$dynamicRef" => return self.reference(rule, value),
            "allOf" => {
                for part in list(rule) {
                    self.check(value, part)?;
                }
                return Ok(());
            }
            "anyOf" => return self.any_of(rule, value, rules),
            "oneOf" => return self.one_of(rule, value, rules),
            "not" => {
                if self.is_valid(value, rule)? {
                    let message = format!("{} should not be valid under {}", repr(value), repr(rule));
                    self.add("not", message, value, rules);
                }
                return Ok(());
            }
            "if" => {
                let branch = if self.is_valid(value, rule)? { rules.get("then") } else { rules.get("else") };
                return branch.map_or(Ok(()), |branch| self.check(value, branch));
            }
            _ => {}
        }
        match value {
            Value::Object(object) => self.object(keyword, rule, value, object, rules)?,
            Value::Array(items) => self.array(keyword, rule, value, items, rules)?,
            _ => {}
        }
        if let Some((keyword, message)) = plain(keyword, rule, value) {
            self.add(keyword, message, value, rules);
        }
        Ok(())
    }

    fn object(
        &mut self,
        keyword: &str,
        rule: &'s Value,
        value: &Value,
        object: &Map<String, Value>,
        rules: &'s Map<String, Value>,
    ) -> Outcome {
        match keyword {
            "properties" => {
                for (name, schema) in map(rule) {
                    if let Some(inner) = object.get(name) {
                        self.inside(Step::Key(name.clone()), inner, schema)?;
                    }
                }
            }
            "patternProperties" => {
                for (pattern, schema) in map(rule) {
                    for (name, inner) in object.iter().filter(|(name, _)| matches(pattern, name)) {
                        self.inside(Step::Key(name.clone()), inner, schema)?;
                    }
                }
            }
            "additionalProperties" => self.additional(rule, value, object, rules)?,
            "propertyNames" => {
                for name in object.keys() {
                    self.check(&Value::String(name.clone()), rule)?;
                }
            }
            "required" => {
                for name in list(rule).iter().filter_map(Value::as_str).filter(|name| !object.contains_key(*name)) {
                    self.add("required", format!("{} is a required property", repr_text(name)), value, rules);
                }
            }
            "dependentRequired" => {
                for (name, others) in map(rule).filter(|(name, _)| object.contains_key(*name)) {
                    for other in list(others).iter().filter_map(Value::as_str).filter(|o| !object.contains_key(*o)) {
                        let message = format!("{} is a dependency of {}", repr_text(other), repr_text(name));
                        self.add("dependentRequired", message, value, rules);
                    }
                }
            }
            "dependentSchemas" => {
                for (_, schema) in map(rule).filter(|(name, _)| object.contains_key(*name)) {
                    self.check(value, schema)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn additional(
        &mut self,
        rule: &'s Value,
        value: &Value,
        object: &Map<String, Value>,
        rules: &'s Map<String, Value>,
    ) -> Outcome {
        let patterns: Vec<&String> =
            rules.get("patternProperties").into_iter().flat_map(map).map(|(key, _)| key).collect();
        let declared = rules.get("properties").and_then(Value::as_object);
        let mut extras: Vec<&String> = object
            .keys()
            .filter(|name| !declared.is_some_and(|declared| declared.contains_key(*name)))
            .filter(|name| !patterns.iter().any(|pattern| matches(pattern, name)))
            .collect();
        if rule.is_object() {
            for name in extras {
                self.inside(Step::Key(name.clone()), &object[name], rule)?;
            }
        } else if rule == &Value::Bool(false) && !extras.is_empty() {
            extras.sort();
            let verb = if extras.len() == 1 { ("was", "does") } else { ("were", "do") };
            let joined = |names: &[&String]| names.iter().map(|name| repr_text(name)).collect::<Vec<_>>().join(", ");
            let message = if rules.contains_key("patternProperties") {
                format!("{} {} not match any of the regexes: {}", joined(&extras), verb.1, joined(&patterns))
            } else {
                format!("Additional properties are not allowed ({} {} unexpected)", joined(&extras), verb.0)
            };
            self.add("additionalProperties", message, value, rules);
        }
        Ok(())
    }

    fn array(
        &mut self,
        keyword: &str,
        rule: &'s Value,
        value: &Value,
        items: &[Value],
        rules: &'s Map<String, Value>,
    ) -> Outcome {
        match keyword {
            "prefixItems" => {
                for (index, (item, schema)) in items.iter().zip(list(rule)).enumerate() {
                    self.inside(Step::Index(index), item, schema)?;
                }
            }
            "items" => {
                let prefix = rules.get("prefixItems").map_or(0, |prefix| list(prefix).len());
                let extra = items.get(prefix..).unwrap_or_default();
                if rule == &Value::Bool(false) && !extra.is_empty() {
                    let rest = if let [one] = extra { repr(one) } else { repr(&Value::Array(extra.to_vec())) };
                    let noun = if prefix == 1 { "item" } else { "items" };
                    let message = format!("Expected at most {prefix} {noun} but found {} extra: {rest}", extra.len());
                    self.add("items", message, value, rules);
                } else {
                    for (index, item) in extra.iter().enumerate() {
                        self.inside(Step::Index(prefix + index), item, rule)?;
                    }
                }
            }
            "contains" => self.contains(rule, value, items, rules)?,
            _ => {}
        }
        Ok(())
    }

    fn contains(&mut self, rule: &'s Value, value: &Value, items: &[Value], rules: &'s Map<String, Value>) -> Outcome {
        let least = rules.get("minContains").and_then(Value::as_u64).unwrap_or(1);
        let most = rules.get("maxContains").and_then(Value::as_u64);
        let mut fitting = 0;
        for item in items {
            fitting += u64::from(self.is_valid(item, rule)?);
        }
        if let Some(most) = most.filter(|most| fitting > *most) {
            let message = format!("Too many items match the given schema (expected at most {most})");
            self.add("maxContains", message, value, rules);
        } else if fitting < least && fitting == 0 {
            let message = format!("{} does not contain items matching the given schema", repr(value));
            self.add("contains", message, value, rules);
        } else if fitting < least {
            let message =
                format!("Too few items match the given schema (expected at least {least} but only {fitting} matched)");
            self.add("minContains", message, value, rules);
        }
        Ok(())
    }

    fn any_of(&mut self, rule: &'s Value, value: &Value, rules: &'s Map<String, Value>) -> Outcome {
        let mut context = Vec::new();
        for branch in list(rule) {
            let said = self.aside(value, branch)?;
            if said.is_empty() {
                return Ok(());
            }
            context.extend(said);
        }
        self.add_union(
            "anyOf",
            format!("{} is not valid under any of the given schemas", repr(value)),
            value,
            rules,
            context,
        );
        Ok(())
    }

    fn one_of(&mut self, rule: &'s Value, value: &Value, rules: &'s Map<String, Value>) -> Outcome {
        let (mut context, mut fitting) = (Vec::new(), Vec::new());
        for branch in list(rule) {
            let said = self.aside(value, branch)?;
            if said.is_empty() {
                fitting.push(branch);
            }
            context.extend(said);
        }
        match fitting.split_first() {
            None => {
                let message = format!("{} is not valid under any of the given schemas", repr(value));
                self.add_union("oneOf", message, value, rules, context);
            }
            Some((_, [])) => {}
            Some((first, more)) => {
                let each: Vec<String> = more.iter().chain([first]).map(|branch| repr(branch)).collect();
                let message = format!("{} is valid under each of {}", repr(value), each.join(", "));
                self.add("oneOf", message, value, rules);
            }
        }
        Ok(())
    }

    fn reference(&mut self, rule: &'s Value, value: &Value) -> Outcome {
        let Some(reference) = rule.as_str() else { return Ok(()) };
        let pointer = reference.strip_prefix('#').ok_or_else(|| Broken::Unresolvable(reference.to_owned()))?;
        let pointer = pointer.replace("%25", "%").replace("%20", " ").replace("%3C", "<").replace("%3E", ">");
        let root = self.root;
        match root.pointer(&pointer) {
            Some(schema) => self.check(value, schema),
            None => Err(Broken::Unresolvable(format!(
                "PointerToNowhere: {} does not exist within {}",
                repr_text(&pointer),
                repr(root)
            ))),
        }
    }

    fn inside(&mut self, step: Step, value: &Value, schema: &'s Value) -> Outcome {
        self.path.push(step);
        let outcome = self.check(value, schema);
        self.path.pop();
        outcome
    }

    /// What a schema says of a value, without saying it.
    fn aside(&mut self, value: &Value, schema: &'s Value) -> Result<Vec<Violation>, Broken> {
        let found = std::mem::take(&mut self.found);
        let path = std::mem::take(&mut self.path);
        let outcome = self.check(value, schema);
        self.path = path;
        let said = std::mem::replace(&mut self.found, found);
        outcome.map(|()| said)
    }

    fn is_valid(&mut self, value: &Value, schema: &'s Value) -> Result<bool, Broken> {
        Ok(self.aside(value, schema)?.is_empty())
    }

    fn add(&mut self, keyword: &'static str, message: String, value: &Value, rules: &Map<String, Value>) {
        let type_fits = rules.get("type").is_some_and(|kinds| is_any_type(value, kinds));
        self.report(keyword, message, type_fits);
    }

    fn add_union(
        &mut self,
        keyword: &'static str,
        message: String,
        value: &Value,
        rules: &Map<String, Value>,
        context: Vec<Violation>,
    ) {
        self.add(keyword, message, value, rules);
        if let Some(last) = self.found.last_mut() {
            last.context = context;
        }
    }

    fn report(&mut self, keyword: &'static str, message: String, type_fits: bool) {
        let path = self.path.clone();
        self.found.push(Violation { path, keyword, message, context: Vec::new(), type_fits });
    }
}

/// Rules that look at one value and no schema below.
fn plain(keyword: &str, rule: &Value, value: &Value) -> Option<(&'static str, String)> {
    let shown = || repr(value);
    match keyword {
        "type" => (!is_any_type(value, rule)).then(|| {
            let kinds = if rule.is_array() { list(rule).to_vec() } else { vec![rule.clone()] };
            let kinds: Vec<String> = kinds.iter().map(repr).collect();
            ("type", format!("{} is not of type {}", shown(), kinds.join(", ")))
        }),
        "enum" => (!list(rule).iter().any(|allowed| equal(allowed, value)))
            .then(|| ("enum", format!("{} is not one of {}", shown(), repr(rule)))),
        "const" => (!equal(rule, value)).then(|| ("const", format!("{} was expected", repr(rule)))),
        _ => match value {
            Value::Number(number) => numeric(keyword, rule, number.as_f64()?, &shown),
            Value::String(text) if keyword == "pattern" => {
                let pattern = rule.as_str()?;
                (!matches(pattern, text))
                    .then(|| ("pattern", format!("{} does not match {}", shown(), repr_text(pattern))))
            }
            Value::String(text) => sized(keyword, rule, "minLength", "maxLength", text.chars().count(), &shown),
            Value::Array(items) if keyword == "uniqueItems" => {
                let twice = |(index, item): (usize, &Value)| items[..index].iter().any(|other| equal(other, item));
                (rule == &Value::Bool(true) && items.iter().enumerate().any(twice))
                    .then(|| ("uniqueItems", format!("{} has non-unique elements", shown())))
            }
            Value::Array(items) => sized(keyword, rule, "minItems", "maxItems", items.len(), &shown),
            Value::Object(object) => sized(keyword, rule, "minProperties", "maxProperties", object.len(), &shown),
            _ => None,
        },
    }
}

fn numeric(keyword: &str, rule: &Value, number: f64, shown: &dyn Fn() -> String) -> Option<(&'static str, String)> {
    let bound = rule.as_f64()?;
    let told = |what: &str| format!("{} {what} {}", shown(), repr(rule));
    match keyword {
        "minimum" => (number < bound).then(|| ("minimum", told("is less than the minimum of"))),
        "maximum" => (number > bound).then(|| ("maximum", told("is greater than the maximum of"))),
        "exclusiveMinimum" => {
            (number <= bound).then(|| ("exclusiveMinimum", told("is less than or equal to the minimum of")))
        }
        "exclusiveMaximum" => {
            (number >= bound).then(|| ("exclusiveMaximum", told("is greater than or equal to the maximum of")))
        }
        "multipleOf" => ((number / bound).fract() != 0.0).then(|| ("multipleOf", told("is not a multiple of"))),
        _ => None,
    }
}

fn sized(
    keyword: &str,
    rule: &Value,
    least: &'static str,
    most: &'static str,
    size: usize,
    shown: &dyn Fn() -> String,
) -> Option<(&'static str, String)> {
    let bound = rule.as_f64()?;
    let of_object = least == "minProperties";
    if keyword == least && (size as f64) < bound {
        let what = match bound {
            1.0 => "should be non-empty",
            _ if of_object => "does not have enough properties",
            _ => "is too short",
        };
        return Some((least, format!("{} {what}", shown())));
    }
    if keyword == most && size as f64 > bound {
        let what = match bound {
            0.0 => "is expected to be empty",
            _ if of_object => "has too many properties",
            _ => "is too long",
        };
        return Some((most, format!("{} {what}", shown())));
    }
    None
}

fn is_any_type(value: &Value, kinds: &Value) -> bool {
    match kinds {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(|kind| is_type(value, kind)),
        Value::String(kind) => is_type(value, kind),
        _ => true,
    }
}

fn is_type(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    }
}

/// Numbers are equal by value, whatever their spelling.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

/// Whether the pattern is found in the text. What is no pattern is found everywhere: it must not stop a run.
fn matches(pattern: &str, text: &str) -> bool {
    let schema = serde_json::json!({ "pattern": pattern });
    jsonschema::validator_for(&schema).map_or(true, |validator| validator.is_valid(&Value::String(text.to_owned())))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn map(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}
