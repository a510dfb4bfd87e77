//! What a job says by name only: block documents and variables of the workspace. Finding and substituting them is pure;
//! reading them is one function at the end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tidegate_client::Client;
use uuid::Uuid;

use super::template::{Kind, Placeholder, as_text, lookup, placeholders, sole_placeholder};
use crate::infrastructure::{Failure, FailureClass};

/// Something that the workspace knows and the template names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reference {
    /// `{"$ref": {"block_document_id": …}}`
    BlockById(String),
    /// Type slug and document name.
    Block(String, String),
    Variable(String),
}

/// What was read. A variable that does not exist is `None`.
pub(crate) type Known = BTreeMap<Reference, Option<Value>>;

/// Which of the two passes: blocks first, then variables (which may stand in blocks' data).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Blocks,
    Variables,
}

/// Where what is named is read.
pub(crate) trait Source: Sync {
    /// `None`: a variable that does not exist.
    fn read(&self, reference: &Reference) -> impl Future<Output = Result<Option<Value>, Failure>> + Send;
}

/// Replaces every reference by what it names.
pub(crate) async fn resolve(job: Value, source: &impl Source) -> Result<Value, Failure> {
    let mut resolved = job;
    for pass in [Pass::Blocks, Pass::Variables] {
        let mut wanted = BTreeSet::new();
        find(&resolved, pass, &mut wanted)?;
        let mut known = Known::new();
        for reference in wanted {
            let value = source.read(&reference).await?;
            known.insert(reference, value);
        }
        resolved = substitute(&resolved, pass, &known)?;
    }
    Ok(resolved)
}

fn find(value: &Value, pass: Pass, found: &mut BTreeSet<Reference>) -> Result<(), Failure> {
    match value {
        Value::String(text) => {
            for placeholder in placeholders(text) {
                if let Some((reference, _)) = parse(placeholder, pass)? {
                    found.insert(reference);
                }
            }
        }
        Value::Array(items) => items.iter().try_for_each(|item| find(item, pass, found))?,
        Value::Object(fields) => match block_id(value).filter(|_| pass == Pass::Blocks) {
            Some(id) => drop(found.insert(Reference::BlockById(id.to_owned()))),
            None => fields.values().try_for_each(|field| find(field, pass, found))?,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

fn substitute(value: &Value, pass: Pass, known: &Known) -> Result<Value, Failure> {
    Ok(match value {
        Value::String(text) => substitute_in_text(text, pass, known)?,
        Value::Array(items) => {
            items.iter().map(|item| substitute(item, pass, known)).collect::<Result<Vec<_>, _>>()?.into()
        }
        Value::Object(fields) => {
            if let Some(id) = block_id(value).filter(|_| pass == Pass::Blocks) {
                known.get(&Reference::BlockById(id.to_owned())).cloned().flatten().unwrap_or(Value::Null)
            } else {
                let field = |(key, field): (&String, &Value)| Ok((key.clone(), substitute(field, pass, known)?));
                Value::Object(fields.iter().map(field).collect::<Result<_, Failure>>()?)
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

fn substitute_in_text(text: &str, pass: Pass, known: &Known) -> Result<Value, Failure> {
    if let Some(placeholder) = sole_placeholder(text)
        && let Some((reference, path)) = parse(placeholder, pass)?
    {
        return value_of(&reference, path, placeholder, known);
    }
    let mut replaced = text.to_owned();
    for placeholder in placeholders(text) {
        let Some((reference, path)) = parse(placeholder, pass)? else { continue };
        let value = value_of(&reference, path, placeholder, known)?;
        if pass == Pass::Blocks && (value.is_object() || value.is_array()) {
            let message = format!("`{}` is not a single value and cannot stand inside a text.", placeholder.text);
            return Err(
                Failure::new(FailureClass::ConfigError, message).with_hint("name one of its fields, as in `….value`")
            );
        }
        replaced = replaced.replace(placeholder.text, &as_text(&value));
    }
    Ok(replaced.into())
}

fn value_of(reference: &Reference, path: &str, placeholder: Placeholder<'_>, known: &Known) -> Result<Value, Failure> {
    let value = known.get(reference).cloned().flatten();
    let Reference::Block(..) = reference else {
        return Ok(value.unwrap_or_else(|| Value::String(String::new())));
    };
    let data = value.unwrap_or(Value::Null);
    // A block of nothing but `value` stands for that value, unless the path already begins there.
    let names_value = path == "value" || path.starts_with("value.") || path.starts_with("value[");
    let inner = data.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.get("value"));
    let data = inner.filter(|_| !names_value).unwrap_or(&data);
    if path.is_empty() {
        return Ok(data.clone());
    }
    lookup(data, path).cloned().ok_or_else(|| {
        let message = format!("`{}` names a field that the block does not have.", placeholder.text);
        Failure::new(FailureClass::ConfigError, message)
    })
}

/// The reference that a placeholder means in this pass, and the path behind it.
fn parse(placeholder: Placeholder<'_>, pass: Pass) -> Result<Option<(Reference, &str)>, Failure> {
    match (placeholder.kind(), pass) {
        (Kind::Block, Pass::Blocks) => {
            let name = placeholder.name.trim_start_matches("prefect.blocks.");
            let mut parts = name.splitn(3, '.');
            if let (Some(slug), Some(document), path) = (parts.next(), parts.next(), parts.next()) {
                Ok(Some((Reference::Block(slug.to_owned(), document.to_owned()), path.unwrap_or_default())))
            } else {
                let message = format!("`{}` does not name a block.", placeholder.text);
                let hint = "write `{{ prefect.blocks.<block type>.<block name> }}`";
                Err(Failure::new(FailureClass::ConfigError, message).with_hint(hint))
            }
        }
        (Kind::Variable, Pass::Variables) => {
            let name = placeholder.name.trim_start_matches("prefect.variables.");
            Ok(Some((Reference::Variable(name.to_owned()), "")))
        }
        _ => Ok(None),
    }
}

fn block_id(value: &Value) -> Option<&str> {
    value.get("$ref")?.get("block_document_id")?.as_str()
}

impl Source for Client {
    async fn read(&self, reference: &Reference) -> Result<Option<Value>, Failure> {
        read(reference, self).await
    }
}

async fn read(reference: &Reference, client: &Client) -> Result<Option<Value>, Failure> {
    let unreadable = |error: tidegate_client::Error| {
        Failure::new(FailureClass::ConfigError, format!("The job's configuration could not be read: {error}."))
    };
    let missing = |what: String| {
        Failure::new(FailureClass::ConfigError, format!("{what} does not exist."))
            .with_hint("the deployment or the work pool names it; create it, or change the configuration")
    };
    let document = match reference {
        Reference::Variable(name) => {
            let variable = client.read_variable(name).await.map_err(unreadable)?;
            return Ok(variable.map(|variable| variable.value.map_or(Value::Null, |value| value.value())));
        }
        Reference::BlockById(id) => match id.parse::<Uuid>() {
            Ok(id) => client.read_block_document(id, true).await.map_err(unreadable)?,
            Err(_) => None,
        },
        Reference::Block(slug, name) => {
            client.read_block_document_by_name(slug, name, true).await.map_err(unreadable)?
        }
    };
    match (document, reference) {
        (Some(document), _) => Ok(Some(document.data.value())),
        (None, Reference::Block(slug, name)) => Err(missing(format!("The block `{name}` of type `{slug}`"))),
        (None, Reference::BlockById(id) | Reference::Variable(id)) => Err(missing(format!("The block `{id}`"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known() -> Known {
        let block = |slug: &str, name: &str| Reference::Block(slug.into(), name.into());
        [
            (block("secret", "token"), Some(json!({"value": "s3cret"}))),
            (block("json", "map"), Some(json!({"value": {"a": {"b": [1, {"c": 2}]}}}))),
            (block("registry", "r"), Some(json!({"url": "r.local", "port": 5000}))),
            (Reference::BlockById("id-1".into()), Some(json!({"url": "by.id"}))),
            (Reference::Variable("answer".into()), Some(json!(42))),
            (Reference::Variable("gone".into()), None),
        ]
        .into()
    }

    fn both(value: &Value) -> Result<Value, Failure> {
        substitute(&substitute(value, Pass::Blocks, &known())?, Pass::Variables, &known())
    }

    #[test]
    fn references_become_what_they_name() {
        for (template, expected) in [
            (json!("{{ prefect.blocks.secret.token }}"), json!("s3cret")),
            (json!("Bearer {{ prefect.blocks.secret.token }}"), json!("Bearer s3cret")),
            (json!("{{ prefect.blocks.json.map.a.b[1].c }}"), json!(2)),
            (json!("{{ prefect.blocks.json.map.value.a.b[0] }}"), json!(1)),
            (json!("{{ prefect.blocks.registry.r }}"), json!({"url": "r.local", "port": 5000})),
            (json!("{{ prefect.blocks.registry.r.url }}:{{ prefect.blocks.registry.r.port }}"), json!("r.local:5000")),
            (json!({"x": {"$ref": {"block_document_id": "id-1"}}}), json!({"x": {"url": "by.id"}})),
            (json!("{{ prefect.variables.answer }}"), json!(42)),
            (json!(["<{{ prefect.variables.answer }}>"]), json!(["<42>"])),
            (json!("{{ prefect.variables.gone }}"), json!("")),
            (json!("a{{ prefect.variables.gone }}b{{ other }}"), json!("ab{{ other }}")),
        ] {
            assert_eq!(both(&template), Ok(expected), "{template}");
        }
    }

    #[test]
    fn references_that_make_no_sense_are_configuration_errors() {
        for (template, words) in [
            ("x {{ prefect.blocks.registry.r }}", "not a single value"),
            ("{{ prefect.blocks.registry.r.nope }}", "does not have"),
            ("{{ prefect.blocks.registry }}", "does not name a block"),
        ] {
            let failure = both(&json!(template)).unwrap_err();
            assert_eq!(failure.class, FailureClass::ConfigError);
            assert!(failure.message.contains(words), "{failure}");
        }
    }

    #[test]
    fn each_pass_finds_its_own_references() {
        let job = json!({"a": "{{ prefect.blocks.s.t }}{{ prefect.variables.v }}", "b": [{"$ref": {"block_document_id": "i"}}]});
        let mut blocks = BTreeSet::new();
        find(&job, Pass::Blocks, &mut blocks).unwrap();
        assert_eq!(blocks.len(), 2);
        let mut variables = BTreeSet::new();
        find(&job, Pass::Variables, &mut variables).unwrap();
        assert_eq!(variables, [Reference::Variable("v".into())].into());
    }
}
