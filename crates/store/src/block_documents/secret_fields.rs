//! Secret fields of a block's data: hidden when read, kept when their hidden form is written back. Pure.

use serde_json::Value;
use tidegate_core::json::{Json, Object};

/// What a reader sees in the place of every secret.
pub const OBFUSCATED: &str = "********";

/// The fields that a schema calls secret: dotted paths, `headers.*` for all that lies below a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretFields(Vec<Vec<String>>);

impl SecretFields {
    /// From the fields of a block schema.
    pub fn of_schema(fields: &Value) -> Self {
        let paths = fields.get("secret_fields").and_then(Value::as_array).into_iter().flatten();
        let split = |path: &str| path.split('.').take_while(|part| *part != "*").map(ToOwned::to_owned).collect();
        Self(paths.filter_map(Value::as_str).map(split).collect())
    }

    /// Whether the value at `path` is secret or part of a secret. What lies below a secret field is as secret as it.
    fn covers(&self, path: &[impl AsRef<str>]) -> bool {
        let begins = |secret: &[String]| secret.iter().zip(path).all(|(secret, given)| secret == given.as_ref());
        self.0.iter().any(|secret| secret.len() <= path.len() && begins(secret))
    }

    /// Whether a field at the top is secret by its own name.
    pub fn is_secret(&self, field: &str) -> bool {
        self.covers(&[field])
    }

    /// Hides every secret.
    pub fn obfuscate(&self, data: &mut Object) {
        walk(data, &mut Vec::new(), &mut |path, value| {
            if !value.is_null() && self.covers(path) {
                *value = Json::from_value(OBFUSCATED);
            }
        });
    }

    /// Puts the secrets of `current` back where `update` holds their hidden form: a client that changes one field of what
    /// it read sends the others back as it saw them.
    pub fn restore(&self, update: &mut Object, current: &Object) {
        walk(update, &mut Vec::new(), &mut |path, value| {
            if self.covers(path)
                && value.as_string().is_some_and(|text| text == OBFUSCATED)
                && let Some(kept) = lookup(current, path)
            {
                *value = kept;
            }
        });
    }
}

fn lookup(data: &Object, path: &[String]) -> Option<Json> {
    let (first, below) = path.split_first()?;
    let value = data.get(first)?;
    if below.is_empty() { Some(value.clone()) } else { lookup(&value.members()?, below) }
}

/// Visits every value that is not an object with members.
fn walk(data: &mut Object, path: &mut Vec<String>, visit: &mut impl FnMut(&[String], &mut Json)) {
    for (name, value) in data.iter_mut() {
        path.push(name.clone());
        match value.members().filter(|members| !members.is_empty()) {
            Some(mut members) => {
                walk(&mut members, path, visit);
                *value = Json::from_value(&members);
            }
            None => visit(path, value),
        }
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        Json::from(value).members().unwrap()
    }

    fn value(data: &Object) -> Value {
        Json::from_value(data).value()
    }

    fn fields(paths: &[&str]) -> SecretFields {
        SecretFields::of_schema(&json!({"secret_fields": paths}))
    }

    #[test]
    fn secrets_are_hidden_wherever_they_lie() {
        let secret = fields(&["token", "nested.password", "headers.*", "gone", "list"]);
        let mut data = object(json!({
            "url": "u", "token": "hush", "nested": {"password": "p", "user": "n"}, "headers": {"a": "1", "b": {"c": 2}},
            "number": 5, "list": ["x"], "gone": null,
        }));
        secret.obfuscate(&mut data);
        let expected = json!({
            "url": "u", "token": OBFUSCATED, "nested": {"password": OBFUSCATED, "user": "n"},
            "headers": {"a": OBFUSCATED, "b": {"c": OBFUSCATED}}, "number": 5, "list": OBFUSCATED, "gone": null,
        });
        assert_eq!(value(&data), expected);
    }

    #[test]
    fn an_object_in_a_secret_field_is_hidden_too() {
        let mut data = object(json!({"value": {"user": "u", "keys": [1]}}));
        fields(&["value"]).obfuscate(&mut data);
        assert_eq!(value(&data), json!({"value": {"user": OBFUSCATED, "keys": OBFUSCATED}}));
    }

    #[test]
    fn hidden_forms_written_back_keep_the_secret() {
        let secret = fields(&["token", "headers.*"]);
        let current = object(json!({"token": "hush", "headers": {"a": "1"}, "plain": "p"}));
        let mut update =
            object(json!({"token": OBFUSCATED, "headers": {"a": OBFUSCATED, "new": OBFUSCATED}, "plain": OBFUSCATED}));
        secret.restore(&mut update, &current);
        let expected = json!({"token": "hush", "headers": {"a": "1", "new": OBFUSCATED}, "plain": OBFUSCATED});
        assert_eq!(value(&update), expected);
        let mut louder = object(json!({"token": "louder"}));
        secret.restore(&mut louder, &current);
        assert_eq!(value(&louder), json!({"token": "louder"}));
    }

    #[test]
    fn numbers_stay_as_they_were_written_whether_shown_or_kept() {
        let read = |text: &str| Json::from_text(text.to_owned()).unwrap().members().unwrap();
        let secret = fields(&["secret.*"]);
        let current = read(r#"{"plain":{"n":[100000000000000000000]},"secret":{"n":100000000000000000001}}"#);
        let mut shown = current.clone();
        secret.obfuscate(&mut shown);
        let hidden = r#"{"plain":{"n":[100000000000000000000]},"secret":{"n":"********"}}"#;
        assert_eq!(Json::from_value(&shown).text(), hidden);
        secret.restore(&mut shown, &current);
        assert_eq!(Json::from_value(&shown).text(), Json::from_value(&current).text());
    }
}
