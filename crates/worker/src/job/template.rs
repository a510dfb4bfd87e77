//! `{{ placeholders }}` in job templates, with the reference's rules: a placeholder that is a whole string keeps the type
//! of its value, one inside a text becomes text, and one without a value takes its key away. Pure.

use serde_json::{Map, Value};

/// What a placeholder's name refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A variable of the template.
    Standard,
    /// `prefect.blocks.<type>.<name>[.path]`
    Block,
    /// `prefect.variables.<name>`
    Variable,
    /// `$NAME` of the worker's environment.
    Environment,
}

/// One placeholder of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placeholder<'t> {
    /// With its braces.
    pub(crate) text: &'t str,
    pub(crate) name: &'t str,
}

impl Placeholder<'_> {
    pub(crate) fn kind(self) -> Kind {
        if self.name.starts_with("prefect.blocks.") {
            Kind::Block
        } else if self.name.starts_with("prefect.variables.") {
            Kind::Variable
        } else if self.name.starts_with('$') {
            Kind::Environment
        } else {
            Kind::Standard
        }
    }
}

/// The different placeholders of a text, in order.
pub(crate) fn placeholders(text: &str) -> Vec<Placeholder<'_>> {
    let mut found: Vec<Placeholder<'_>> = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find("{{").map(|at| from + at) {
        match placeholder_at(text, start) {
            Some(placeholder) => {
                from = start + placeholder.text.len();
                if !found.contains(&placeholder) {
                    found.push(placeholder);
                }
            }
            None => from = start + 1,
        }
    }
    found
}

fn placeholder_at(text: &str, start: usize) -> Option<Placeholder<'_>> {
    let inner = text[start..].strip_prefix("{{")?.trim_start();
    let is_part = |c: char| c.is_alphanumeric() || "_.-[]$".contains(c);
    let name = &inner[..inner.find(|c| !is_part(c)).unwrap_or(inner.len())];
    let rest = inner[name.len()..].trim_start().strip_prefix("}}")?;
    let end = text.len() - rest.len();
    (!name.is_empty()).then(|| Placeholder { text: &text[start..end], name })
}

/// The placeholder that a text consists of, if it is nothing else.
pub(crate) fn sole_placeholder(text: &str) -> Option<Placeholder<'_>> {
    placeholder_at(text, 0).filter(|placeholder| placeholder.text.len() == text.len())
}

/// Fills the template's own variables and `$NAME`s; those of blocks and variables are left for later. `None`: the value
/// is a placeholder without a value, and its place goes away.
pub(crate) fn apply(
    template: &Value,
    values: &Map<String, Value>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<Value> {
    match template {
        Value::String(text) => apply_to_text(text, values, environment),
        Value::Array(items) => {
            Some(items.iter().filter_map(|item| apply(item, values, environment)).collect::<Vec<_>>().into())
        }
        Value::Object(fields) => Some(Value::Object(apply_to_fields(fields, values, environment))),
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(template.clone()),
    }
}

pub(crate) fn apply_to_fields(
    fields: &Map<String, Value>,
    values: &Map<String, Value>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Map<String, Value> {
    fields.iter().filter_map(|(key, value)| Some((key.clone(), apply(value, values, environment)?))).collect()
}

fn apply_to_text(
    text: &str,
    values: &Map<String, Value>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<Value> {
    if let Some(placeholder) = sole_placeholder(text).filter(|placeholder| placeholder.kind() == Kind::Standard) {
        return lookup_in(values, placeholder.name).cloned();
    }
    let mut filled = text.to_owned();
    for placeholder in placeholders(text) {
        let value = match placeholder.kind() {
            Kind::Standard => lookup_in(values, placeholder.name).map(as_text),
            Kind::Environment => environment(placeholder.name.trim_start_matches('$')),
            Kind::Block | Kind::Variable => continue,
        };
        filled = filled.replace(placeholder.text, &value.unwrap_or_default());
    }
    Some(filled.into())
}

/// Follows a path like `a.b[0].c`.
pub(crate) fn lookup<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.replace('[', ".").replace(']', "").split('.').try_fold(value, |value, key| match value {
        Value::Object(fields) => fields.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

fn lookup_in<'v>(values: &'v Map<String, Value>, path: &str) -> Option<&'v Value> {
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let value = values.get(&path[..end])?;
    match path[end..].trim_start_matches('.') {
        "" => Some(value),
        rest => lookup(value, rest.strip_prefix('[').unwrap_or(rest)),
    }
}

/// A value inside a text, written as the reference (Python) writes it.
pub(crate) fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => python_literal(other),
    }
}

fn python_literal(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.contains('\'') && !text.contains('"') => format!("\"{text}\""),
        Value::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n")),
        Value::Array(items) => format!("[{}]", items.iter().map(python_literal).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let pair = |(key, value): (&String, &Value)| {
                format!("{}: {}", python_literal(&Value::String(key.clone())), python_literal(value))
            };
            format!("{{{}}}", fields.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(template: &Value) -> Option<Value> {
        let values = json!({
            "cpu": 2, "ratio": 0.5, "on": true, "nothing": null, "name": "it's", "labels": {"a": "1", "b": [10, {"c": 20}]},
        });
        let environment = |name: &str| (name == "HOME").then(|| "/root".to_owned());
        apply(template, values.as_object().unwrap(), &environment)
    }

    #[test]
    fn placeholders_take_values_as_the_reference_does() {
        for (template, expected) in [
            (json!("{{ cpu }}"), json!(2)),
            (json!("{{cpu}}"), json!(2)),
            (json!("{{ on }}"), json!(true)),
            (json!("{{ nothing }}"), json!(null)),
            (json!("{{ labels }}"), json!({"a": "1", "b": [10, {"c": 20}]})),
            (json!("{{ labels.b[1].c }}"), json!(20)),
            (json!("{{ labels.b.0 }}"), json!(10)),
            (json!("{{ cpu }}-{{ ratio }}-{{ on }}-{{ nothing }}"), json!("2-0.5-True-None")),
            (json!(" {{ cpu }}"), json!(" 2")),
            (json!("{{ labels }}!"), json!("{'a': '1', 'b': [10, {'c': 20}]}!")),
            (json!("x{{ missing }}y"), json!("xy")),
            (json!("{{ $HOME }}"), json!("/root")),
            (json!("{{ $NOWHERE }}"), json!("")),
            (json!("{{ prefect.variables.x }}-{{ cpu }}"), json!("{{ prefect.variables.x }}-2")),
            (json!("{{ prefect.blocks.secret.x }}"), json!("{{ prefect.blocks.secret.x }}")),
            (json!({"keep": 1, "gone": "{{ missing }}", "{{ cpu }}": "k"}), json!({"keep": 1, "{{ cpu }}": "k"})),
            (json!(["{{ missing }}", "{{ cpu }}", null]), json!([2, null])),
            (json!("{{ two words }}"), json!("{{ two words }}")),
            (json!("{{ cpu }"), json!("{{ cpu }")),
            (json!("{{{ cpu }}}"), json!("{2}")),
            (json!("plain"), json!("plain")),
            (json!(true), json!(true)),
        ] {
            assert_eq!(filled(&template), Some(expected), "{template}");
        }
        assert_eq!(filled(&json!("{{ missing }}")), None);
        assert_eq!(filled(&json!("{{ labels.b[7] }}")), None);
    }

    #[test]
    fn values_are_filled_in_once() {
        let values = json!({"a": "{{ b }}", "b": "never"});
        let filled = apply(&json!("{{ a }}"), values.as_object().unwrap(), &|_| None);
        assert_eq!(filled, Some(json!("{{ b }}")));
    }
}
