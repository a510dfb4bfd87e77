//! Renders a webhook's template: it sees the request and nothing else, in a bounded number of steps, into a bounded text.
//! What is put out lands in JSON, so texts are escaped for it and everything else is written as JSON.

use std::{collections::BTreeMap, error::Error as _, sync::Arc};

use minijinja::{
    Environment, Error, ErrorKind, UndefinedBehavior, Value,
    value::{Enumerator, Object, ValueKind},
};
use serde_json::Value as JsonValue;

pub use super::grammar::check;
use super::{Message, filters};
use crate::bounded_output::BoundedOutput;

/// Bytes of what a template makes, and of what each filter answers.
pub(super) const MOST_OUTPUT: usize = 2 * 1024 * 1024;
/// Steps for a small request; a large one gets fewer, since each may look at all of it.
const STEPS: usize = 10_000;
const SMALL: usize = 16 * 1024;
const FEWEST_STEPS: usize = 300;
const DEEPEST: usize = 128;

/// Makes a text of a message; the error is a sentence for the log.
pub fn render(template: &str, message: &Message) -> Result<String, String> {
    // Saved templates were checked; what is allowed may have become less since.
    check(template).map_err(|invalid| invalid.message)?;
    let body = message.value()?;
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_recursion_limit(20);
    environment.set_debug(false);
    environment.set_fuel(Some((STEPS * SMALL / message.body.len().max(SMALL)).max(FEWEST_STEPS) as u64));
    environment.set_formatter(|out, _, value| {
        let text = if value.is_undefined() { String::new() } else { put_out(value)? };
        out.write_str(&text).map_err(Error::from)
    });
    filters::add_to(&mut environment);
    let context = Value::from(BTreeMap::from([
        ("method", Value::from(&message.method)),
        ("headers", Value::from_object(Headers::of(message))),
        ("body", value_of(&body)),
        ("raw_body", Value::from(message.text())),
        ("query", value_of(&JsonValue::Object(message.query_fields()))),
    ]));
    let mut out = BoundedOutput::new(MOST_OUTPUT);
    let compiled = environment.template_from_str(template).map_err(|error| told(&error))?;
    compiled.render_captured_to(context, &mut out).map_err(|error| told(&error))?;
    String::from_utf8(out.bytes).map_err(|_| "the template made no text".into())
}

fn told(error: &Error) -> String {
    if error.kind() == ErrorKind::OutOfFuel {
        return "the template takes too many steps for a request of this size".into();
    }
    // What the output said when it was full.
    if let Some(full) = error.source().filter(|cause| cause.is::<std::io::Error>()) {
        return full.to_string();
    }
    let detail = error.detail().map_or_else(|| error.to_string(), ToOwned::to_owned);
    error.line().map_or(detail.clone(), |line| format!("line {line} of the template: {detail}"))
}

/// Headers by name in whatever case.
#[derive(Debug)]
struct Headers(Vec<(String, String)>);

impl Headers {
    fn of(message: &Message) -> Self {
        Self(message.headers.clone())
    }
}

impl Object for Headers {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        self.0.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.into())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|(name, _)| name.into()).collect())
    }
}

/// A JSON value as templates have it.
pub(super) fn value_of(value: &JsonValue) -> Value {
    match value {
        JsonValue::Null => Value::from(()),
        JsonValue::Bool(value) => Value::from(*value),
        JsonValue::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => Value::from(number),
            (_, Some(number), _) => Value::from(number),
            (.., number) => Value::from(number.unwrap_or_default()),
        },
        JsonValue::String(text) => Value::from(text),
        JsonValue::Array(items) => items.iter().map(value_of).collect(),
        JsonValue::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), value_of(value)));
            Value::from(fields.collect::<BTreeMap<String, Value>>())
        }
    }
}

/// What `{{ … }}` puts out: texts as they stand between quotes, the rest as JSON. What is JSON already stays as it is.
fn put_out(value: &Value) -> Result<String, Error> {
    match value.as_str() {
        Some(text) if value.is_safe() => Ok(text.to_owned()),
        Some(text) => {
            let quoted = JsonValue::from(text).to_string();
            Ok(quoted[1..quoted.len() - 1].to_owned())
        }
        None => to_json(value),
    }
}

/// A value as JSON.
pub(super) fn to_json(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    write_json(value, &mut out, 0)?;
    Ok(out)
}

fn write_json(value: &Value, out: &mut String, depth: usize) -> Result<(), Error> {
    if out.len() > MOST_OUTPUT || depth > DEEPEST {
        return Err(Error::new(ErrorKind::InvalidOperation, "the value is too large"));
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => out.push_str("null"),
        // Jinja has its own words for these.
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => out.push_str(&value.to_string()),
        ValueKind::Seq | ValueKind::Iterable => {
            out.push('[');
            for (index, item) in value.try_iter()?.enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write_json(&item, out, depth + 1)?;
            }
            out.push(']');
        }
        ValueKind::Map => {
            out.push('{');
            for (index, key) in value.try_iter()?.enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                out.push_str(&JsonValue::from(key.to_string()).to_string());
                out.push(':');
                write_json(&value.get_item(&key)?, out, depth + 1)?;
            }
            out.push('}');
        }
        _ => out.push_str(&JsonValue::from(value.to_string()).to_string()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn message(body: &str) -> Message {
        let headers =
            vec![("content-type".into(), "application/json".into()), ("x-github-event".into(), "push".into())];
        Message { method: "POST".into(), query: "from=a%22b".into(), headers, body: body.to_owned().into() }
    }

    #[test]
    fn templates_read_the_request() {
        let message =
            message(r#"{"n": 1, "f": 1.5, "b": true, "z": null, "l": [1, "x"], "m": {"k": "v"}, "q": "a\"b\n"}"#);
        let render = |template: &str| render(template, &message);
        assert_eq!(
            render("{{ method }} {{ headers['X-GitHub-Event'] }} {{ headers.nothing.at.all }}."),
            Ok("POST push .".into())
        );
        assert_eq!(render("{{ body.n }} {{ body.f }} {{ body.b }} {{ body.z }}"), Ok("1 1.5 true null".into()));
        assert_eq!(render(r#"{{ body.l }} {{ body.m }} "{{ body.q }}""#), Ok(r#"[1,"x"] {"k":"v"} "a\"b\n""#.into()));
        assert_eq!(render("{{ body.q|tojson }} {{ query.from }}"), Ok(r#""a\"b\n" a\"b"#.into()));
        assert_eq!(render("{% for x in body.l %}{{ loop.index }}{{ x }}{% endfor %}"), Ok("112x".into()));
    }

    #[test]
    fn a_sender_cannot_add_labels() {
        let message = message(r#"{"id": "x\", \"role\": \"admin"}"#);
        let text = render(r#"{"prefect.resource.id": "{{ body.id }}"}"#, &message).unwrap();
        let read: JsonValue = serde_json::from_str(&text).unwrap();
        assert_eq!(read, serde_json::json!({"prefect.resource.id": "x\", \"role\": \"admin"}));
    }

    /// Each ends with an error, soon, and with little memory.
    #[test]
    fn bombs_do_not_go_off() {
        let huge = format!("[{}0]", "0,".repeat(200_000));
        for (body, template, why) in [
            ("{}", "{% for i in range(1000000000) %}x{% endfor %}", "range"),
            ("{}", "{% for i in range(1000) %}{% for j in range(1000) %}x{% endfor %}{% endfor %}", "too many steps"),
            (&huge, "{% for i in body %}{{ i }}{% endfor %}", "too many steps"),
            (&huge, "{% for i in range(10) %}{{ body }}{% endfor %}", "more than"),
            (&huge, "{{ body|join(raw_body) }}", "too large"),
            (&huge, "{{ raw_body|replace('0', raw_body) }}", "too large"),
        ] {
            let started = Instant::now();
            let found = render(template, &message(body)).unwrap_err();
            assert!(found.contains(why), "{template}: {found}");
            // A hundred milliseconds, and room for a machine that does other things.
            assert!(started.elapsed() < Duration::from_secs(2), "{template}: {:?}", started.elapsed());
        }
    }
}
