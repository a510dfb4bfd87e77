//! Turns the tables of operations into nodes, once. They are ours and part of the program: anything in it that is not
//! understood is a mistake of ours and stops the program at its first request (and in the tests).

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::Operation;
use super::node::{BodyShape, Bounds, Branch, ByPath, Extra, Model, Node, NodeId, Parameter, Pattern, Text};
use super::rules::{After, Before};

/// The operations that take their own instants with pydantic's parser alone.
const PLAIN_TIMES: [&str; 2] = ["POST /deployments/{id}/schedule", "GET /flow_runs/{id}/graph-v2"];

#[derive(Debug)]
pub(super) struct Contract {
    pub(super) nodes: Vec<Node>,
    pub(super) operations: Vec<Operation>,
    pub(super) by_path: ByPath,
}

impl Contract {
    /// Compiles several tables as if they were one; no two define the same.
    pub(super) fn compile(texts: &[&str]) -> Self {
        let (mut all, mut schemas) = (Map::new(), Map::new());
        for text in texts {
            let mut table: Value = serde_json::from_str(text).expect("the contract is JSON");
            for (name, into) in [("operations", &mut all), ("schemas", &mut schemas)] {
                into.append(table[name].as_object_mut().expect("an object of the contract"));
            }
        }
        let mut compiler =
            Compiler { schemas: &schemas, named: HashMap::new(), nodes: Vec::new(), model: "", plain_times: false };
        let mut operations = Vec::new();
        let mut by_path = ByPath::new();
        for (route, operation) in &all {
            let (method, path) = route.split_once(' ').expect("a route is a method and a path");
            by_path.entry(path.into()).or_default().push(operations.len());
            compiler.plain_times = PLAIN_TIMES.contains(&route.as_str());
            operations.push(Operation {
                id: word(&operation["id"]).into(),
                method: method.into(),
                path: path.into(),
                body: compiler.body(operation),
                query: compiler.query(operation),
            });
        }
        Self { nodes: compiler.nodes, operations, by_path }
    }

    /// The model that a node is, rules or not.
    pub(super) fn model(&self, node: NodeId) -> Option<&Model> {
        match &self.nodes[node.0 as usize] {
            Node::Model(model) => Some(model),
            Node::Ruled { inner, .. } => self.model(*inner),
            _ => None,
        }
    }
}

struct Compiler<'a> {
    schemas: &'a Map<String, Value>,
    named: HashMap<&'a str, NodeId>,
    nodes: Vec<Node>,
    /// The model whose fields are being compiled.
    model: &'a str,
    plain_times: bool,
}

impl<'a> Compiler<'a> {
    fn body(&mut self, operation: &'a Value) -> BodyShape {
        let Some(body) = operation.get("body") else { return BodyShape::None };
        let required = operation["body_required"] == true;
        if let Some(name) = reference(body).filter(|name| name.starts_with("Body_")) {
            let mut parameters = self.fields("", &self.schemas[name]);
            // The page size comes from a dependency of the handler, and dependencies are checked before the handler's
            // own parameters. It is the one parameter without a default in the schema that is not required.
            let shared = |p: &Parameter| {
                &*p.name == "limit" && self.schemas[name]["properties"]["limit"].get("default").is_none()
            };
            if let Some(index) = parameters.iter().position(shared) {
                let limit = parameters.remove(index);
                parameters.insert(0, limit);
            }
            return BodyShape::Embedded(parameters);
        }
        let node = match (body["type"].as_str(), &*operation["id"].to_string()) {
            (Some("array"), id) if id.contains("create_logs") => {
                let item = self.schema(&body["items"]);
                self.add(Node::Sequence { item })
            }
            _ => self.schema(body),
        };
        BodyShape::Whole { node, required }
    }

    fn query(&mut self, operation: &'a Value) -> Vec<Parameter> {
        let Some(parameters) = operation.get("parameters") else { return Vec::new() };
        let parameters = parameters.as_array().expect("parameters are a list").iter();
        parameters
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| Parameter {
                name: word(&parameter["name"]).into(),
                required: parameter["required"] == true,
                node: self.schema(&parameter["schema"]),
            })
            .collect()
    }

    fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() as u32 - 1)
    }

    fn named(&mut self, name: &'a str) -> NodeId {
        if let Some(id) = self.named.get(name) {
            return *id;
        }
        let id = self.add(Node::Unfinished);
        self.named.insert(name, id);
        let schema = &self.schemas[name];
        let node = if schema.get("properties").is_some() {
            Node::Model(self.model(name, schema))
        } else if let Some(words) = schema.get("enum") {
            words_of(words, "enum")
        } else if schema.get("additionalProperties").is_some_and(Value::is_object) {
            Node::Map { value: self.schema(&schema["additionalProperties"]) }
        } else {
            // A model without fields.
            Node::Model(self.model(name, schema))
        };
        let (before, after) = model_rules(name);
        if before.is_empty() && after.is_empty() {
            self.nodes[id.0 as usize] = node;
        } else {
            let inner = self.add(node);
            self.nodes[id.0 as usize] = Node::Ruled { before, inner, after };
        }
        id
    }

    fn model(&mut self, name: &'a str, schema: &'a Value) -> Model {
        let extra = match schema.get("additionalProperties") {
            Some(Value::Bool(true)) => Extra::Keep,
            Some(_) => Extra::Forbid,
            None => Extra::Ignore,
        };
        let dropped: &[&str] = match name {
            "DeploymentCreate" | "DeploymentUpdate" => {
                &["worker_pool_queue_id", "worker_pool_name", "worker_pool_queue_name", "work_pool_queue_name"]
            }
            _ => &[],
        };
        let fallbacks: &[_] = match name {
            "FlowRunPolicy" | "TaskRunPolicy" => &[("retries", "max_retries"), ("retry_delay", "retry_delay_seconds")],
            _ => &[],
        };
        let foreign: &[&str] = match plain(name) {
            "IntervalSchedule" => &["cron", "day_or", "rrule"],
            "CronSchedule" => &["interval", "anchor_date", "rrule"],
            "RRuleSchedule" => &["interval", "anchor_date", "cron", "day_or"],
            _ => &[],
        };
        let implied: &[&str] = if name == "DeploymentCreate" { &["parameters"] } else { &[] };
        let outer = std::mem::replace(&mut self.model, plain(name));
        let fields = self.fields(name, schema);
        self.model = outer;
        Model { name: plain(name).into(), fields, extra, fallbacks, implied, foreign, dropped }
    }

    fn fields(&mut self, model: &str, schema: &'a Value) -> Vec<Parameter> {
        let required: Vec<&str> = schema.get("required").map_or(Vec::new(), |list| words(list).collect());
        let Some(properties) = schema.get("properties") else { return Vec::new() };
        let mut fields = Vec::new();
        for (name, schema) in object(properties) {
            let inner = match (plain(model), name.as_str()) {
                ("EventTrigger", "match") => self.labels(schema, false),
                ("EventTrigger", "match_related") => self.labels(schema, true),
                _ => self.schema(schema),
            };
            let (before, after) = field_rules(plain(model), name);
            let node = if before.is_empty() && after.is_empty() {
                inner
            } else {
                self.add(Node::Ruled { before, inner, after })
            };
            fields.push(Parameter { name: name.as_str().into(), required: required.contains(&name.as_str()), node });
        }
        fields
    }

    /// Labels of a trigger: the reference reads an object as such before it looks at the field's type, and so does it with
    /// each object of a list, where there may be lists.
    fn labels(&mut self, schema: &'a Value, lists: bool) -> NodeId {
        let specification = self.named("ResourceSpecification");
        let otherwise = self.schema(schema);
        self.add(Node::Labels { specification, otherwise, lists })
    }

    fn schema(&mut self, schema: &'a Value) -> NodeId {
        if let Some(name) = reference(schema) {
            return self.named(name);
        }
        if let Some(choices) = schema.get("anyOf") {
            return self.any_of(choices.as_array().expect("anyOf is a list"));
        }
        let node = match schema.get("type").and_then(Value::as_str) {
            None => Node::Any,
            Some("string") => self.text(schema),
            Some("integer") => Node::Integer { strict: false, bounds: bounds(schema) },
            Some("number") => Node::Number { strict: false, bounds: bounds(schema) },
            Some("boolean") => Node::Boolean { strict: false },
            Some("array") => self.array(schema),
            Some("object") => match schema.get("additionalProperties") {
                Some(inner @ Value::Object(_)) => Node::Map { value: self.schema(inner) },
                _ => Node::Map { value: self.add(Node::Any) },
            },
            Some(other) => unreachable!("the contract has no type `{other}` here"),
        };
        self.add(node)
    }

    fn text(&mut self, schema: &'a Value) -> Node {
        if let Some(literal) = schema.get("const") {
            return words_of(&Value::Array(vec![literal.clone()]), "literal_error");
        }
        if let Some(words) = schema.get("enum") {
            let node = words_of(words, "literal_error");
            // The one literal that is made of another enumeration's members, and is shown as such.
            return match node {
                Node::Words { words, kind, .. } if self.model == "EventTrigger" => {
                    Node::Words { words, expected: "Posture.Reactive or Posture.Proactive".into(), kind }
                }
                node => node,
            };
        }
        if schema.get("contentMediaType").is_some() {
            return Node::Bytes;
        }
        match schema.get("format").and_then(Value::as_str) {
            Some("uuid") => Node::Uuid,
            Some("date-time") if self.model.is_empty() && self.plain_times => Node::PlainDateTime,
            Some("date-time") => Node::DateTime,
            // Only the window of a trigger has a default, and only it may be nothing at all.
            Some("duration") => Node::Duration { at_least_zero: schema.get("default").is_some() },
            Some("time-zone") => Node::Zone,
            None => Node::Text(Text {
                // A variable's name is measured by its rule.
                max_length: schema["maxLength"]
                    .as_u64()
                    .map(|n| n as usize)
                    .filter(|_| !self.model.starts_with("Variable")),
                pattern: schema.get("pattern").map(|pattern| pattern_of(word(pattern))),
            }),
            Some(other) => unreachable!("the contract has no format `{other}`"),
        }
    }

    fn array(&mut self, schema: &'a Value) -> Node {
        if let Some(items) = schema.get("prefixItems") {
            let items = items.as_array().expect("prefixItems is a list");
            return Node::Tuple { items: items.iter().map(|item| self.schema(item)).collect() };
        }
        let item = self.schema(&schema["items"]);
        if schema["uniqueItems"] == true { Node::Set { item } } else { Node::List { item } }
    }

    fn any_of(&mut self, choices: &'a [Value]) -> NodeId {
        let real: Vec<&Value> = choices.iter().filter(|choice| choice["type"] != "null").collect();
        let inner = if let [only] = real[..] {
            self.schema(only)
        } else {
            // Labels and variables: where a switch stands beside numbers nothing is coerced, or `true` would be 1.
            let strict = real.iter().any(|choice| choice["type"] == "boolean");
            let branches = real
                .iter()
                .map(|choice| {
                    let node = if strict { self.strict(choice) } else { self.schema(choice) };
                    Branch { label: label(choice, self.model).into(), node }
                })
                .collect();
            self.add(Node::Union(branches))
        };
        if real.len() == choices.len() { inner } else { self.add(Node::Nullable(inner)) }
    }

    fn strict(&mut self, schema: &'a Value) -> NodeId {
        let node = match schema["type"].as_str() {
            Some("boolean") => Node::Boolean { strict: true },
            Some("integer") => Node::Integer { strict: true, bounds: Bounds::default() },
            Some("number") => Node::Number { strict: true, bounds: Bounds::default() },
            _ => return self.schema(schema),
        };
        self.add(node)
    }
}

/// The rules of a whole model.
fn model_rules(name: &str) -> (Vec<Before>, Vec<After>) {
    let before = match name {
        "BlockDocumentCreate" => vec![Before::BlockDocumentName],
        "DeploymentCreate" | "DeploymentUpdate" => vec![Before::OneConcurrencyLimit],
        "EventTrigger-Input" => vec![Before::ProactiveWithin],
        _ => vec![],
    };
    let after = match name {
        "IntervalSchedule-Input" | "CronSchedule" => vec![After::Zone],
        "Resource" => vec![After::Resource],
        "RelatedResource" => vec![After::RelatedResource],
        "CompoundTrigger-Input" => vec![After::RequiredTriggers],
        _ => selected(name).map_or(vec![], |(_, field)| vec![After::SelectedId(field)]),
    };
    (before, after)
}

/// Actions on one chosen object: the words the reference has for their rule, and the field that names the object.
fn selected(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match plain(name) {
        "RunDeployment" | "PauseDeployment" | "ResumeDeployment" => {
            ("selected_deployment_requires_id", "deployment_id")
        }
        "PauseWorkQueue" | "ResumeWorkQueue" => ("selected_work_queue_requires_id", "work_queue_id"),
        "PauseWorkPool" | "ResumeWorkPool" => ("selected_work_pool_requires_id", "work_pool_id"),
        "PauseAutomation" | "ResumeAutomation" => ("selected_automation_requires_id", "automation_id"),
        _ => return None,
    })
}

fn field_rules(model: &str, field: &str) -> (Vec<Before>, Vec<After>) {
    let before = match (model, field) {
        ("FlowRunCreate" | "TaskRunCreate" | "DeploymentFlowRunCreate", "name") => vec![Before::RunName],
        ("FlowRunUpdate" | "TaskRunUpdate", "name") => vec![Before::NewRunName],
        ("WorkPoolCreate", "name") => vec![Before::PoolName],
        ("VariableCreate" | "VariableUpdate", "value") => vec![Before::VariableSize],
        ("CallWebhook", "payload") => vec![Before::PayloadText],
        _ => vec![],
    };
    let after = match (model, field) {
        ("RunDeployment", "parameters") => vec![After::Placeholders],
        ("SendNotification", "subject") => vec![After::Template("subject")],
        ("SendNotification", "body") => vec![After::Template("body")],
        ("CallWebhook", "payload") => vec![After::Template("payload")],
        ("ArtifactCreate", "key") => vec![After::Dashes("Artifact key")],
        ("BlockTypeCreate", "slug") => vec![After::Dashes("Block type slug")],
        ("BlockDocumentCreate", "name") => vec![After::Dashes("Block document name")],
        ("VariableCreate" | "VariableUpdate", "name") => vec![After::VariableName],
        ("ArtifactCreate" | "ArtifactUpdate", "metadata_") => vec![After::Metadata],
        ("TaskRunCreate", "cache_key") => vec![After::CacheKey],
        ("TaskRunPolicy", "retry_delay") => vec![After::RetryDelays],
        ("TaskRunPolicy", "retry_jitter_factor") => vec![After::RetryJitter],
        ("DeploymentScheduleCreate" | "DeploymentScheduleUpdate", "max_scheduled_runs") => vec![After::ScheduledRuns],
        ("CronSchedule", "cron") => vec![After::Cron],
        ("RRuleSchedule", "rrule") => vec![After::RRule],
        ("IntervalSchedule", "interval") => vec![After::PositiveInterval],
        ("RunDeployment", "schedule_after") => vec![After::PositiveDelay],
        ("Event", "related") => vec![After::RelatedCount],
        ("Event", "event") => vec![After::EventName],
        ("WorkPoolCreate" | "WorkPoolUpdate", "base_job_template") => vec![After::JobTemplate],
        _ => vec![],
    };
    (before, after)
}

/// What the reference calls a branch of a union in the place of an error.
fn label(schema: &Value, model: &str) -> String {
    if let Some(name) = reference(schema) {
        let bare = plain(name);
        return match (bare, selected(name)) {
            (_, Some((rule, _))) => format!("function-after[{rule}(), {bare}]"),
            ("IntervalSchedule" | "CronSchedule", _) => format!("function-after[validate_timezone(), {bare}]"),
            // Told once more where the model refers to a class that was finished before.
            ("CompoundTrigger", _) if model != bare => {
                format!("function-after[validate_require(), function-after[validate_require(), {bare}]]")
            }
            ("CompoundTrigger", _) => format!("function-after[validate_require(), {bare}]"),
            _ => bare.to_owned(),
        };
    }
    if schema.get("anyOf").is_some() {
        let choices = schema["anyOf"].as_array().expect("anyOf is a list");
        return format!("union[{}]", choices.iter().map(|choice| label(choice, model)).collect::<Vec<_>>().join(","));
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => match schema.get("enum") {
            Some(list) => format!("literal[{}]", words(list).map(|w| format!("'{w}'")).collect::<Vec<_>>().join(",")),
            None => "str".into(),
        },
        Some("integer") => "int".into(),
        Some("number") => "float".into(),
        Some("boolean") => "bool".into(),
        Some("array") => format!("list[{}]", label(&schema["items"], model)),
        Some("object") => match schema.get("additionalProperties") {
            Some(inner @ Value::Object(_)) => format!("dict[str,{}]", label(inner, model)),
            _ => "dict[str,any]".into(),
        },
        _ => "any".into(),
    }
}

fn words_of(list: &Value, kind: &'static str) -> Node {
    let words: Vec<Box<str>> = words(list).map(Into::into).collect();
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let expected = match &quoted[..] {
        [only] => only.clone(),
        [first @ .., final_one] => format!("{} or {final_one}", first.join(", ")),
        [] => unreachable!("an enumeration has words"),
    };
    Node::Words { words, expected: expected.into(), kind }
}

fn pattern_of(source: &str) -> Pattern {
    let banned = source.strip_prefix("^[^").and_then(|rest| rest.strip_suffix("]+$"));
    Pattern { source: source.into(), banned: banned.expect("the contract has one kind of pattern").into() }
}

fn bounds(schema: &Value) -> Bounds {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    Bounds { greater_or_equal: bound("minimum"), greater: bound("exclusiveMinimum"), less_or_equal: bound("maximum") }
}

fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.rsplit('/').next()
}

/// The schema's name without what the document adds when a model reads and writes differently.
fn plain(name: &str) -> &str {
    name.strip_suffix("-Input").unwrap_or(name)
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("the contract has an object here")
}

fn word(value: &Value) -> &str {
    value.as_str().expect("the contract has a text here")
}

fn words(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().expect("the contract has a list here").iter().map(word)
}
