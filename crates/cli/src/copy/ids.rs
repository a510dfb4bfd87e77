//! Which id at the source is which id at the target, and documents that name ids.

use std::collections::HashMap;

use serde_json::Value;
use uuid::Uuid;

/// Letters of an id's usual form.
const LENGTH: usize = 36;

#[derive(Default)]
pub struct Ids(HashMap<Uuid, Uuid>);

impl Ids {
    /// What is no id is not kept.
    pub fn put(&mut self, source: &Value, target: &Value) {
        let parse = |value: &Value| value.as_str().and_then(|text| Uuid::parse_str(text).ok());
        if let (Some(source), Some(target)) = (parse(source), parse(target)) {
            self.0.insert(source, target);
        }
    }

    pub fn of(&self, source: &Value) -> Option<Uuid> {
        self.0.get(&Uuid::parse_str(source.as_str()?).ok()?).copied()
    }

    /// Whether something at the source became this thing at the target.
    pub fn lead_to(&self, target: &Value) -> bool {
        let target = target.as_str().and_then(|id| Uuid::parse_str(id).ok());
        target.is_some_and(|target| self.0.values().any(|known| *known == target))
    }

    /// The document with every id that is known replaced, also within longer texts (`prefect.deployment.<id>`).
    pub fn translated(&self, document: &Value) -> Value {
        match document {
            Value::String(text) => Value::String(self.translated_text(text)),
            Value::Array(items) => items.iter().map(|item| self.translated(item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), self.translated(value))).collect()
            }
            plain => plain.clone(),
        }
    }

    fn translated_text(&self, text: &str) -> String {
        let mut translated = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let known = rest.get(..LENGTH).filter(|part| part.as_bytes()[8] == b'-');
            let known = known.and_then(|part| self.0.get(&Uuid::parse_str(part).ok()?));
            match known {
                Some(id) => {
                    translated.push_str(&id.to_string());
                    rest = &rest[LENGTH..];
                }
                None => {
                    translated.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        translated
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_are_replaced_wherever_a_document_names_them() {
        let [one, two, other] = [1, 2, 3].map(|number| Uuid::from_u128(number).to_string());
        let mut ids = Ids::default();
        ids.put(&json!(one), &json!(two));
        ids.put(&json!(null), &json!(two));
        let document = json!({ "a": [one, other, 5], "b": { "c": format!("prefect.deployment.{one}/ä-{one}x") } });
        let expected = json!({ "a": [two, other, 5], "b": { "c": format!("prefect.deployment.{two}/ä-{two}x") } });
        assert_eq!(ids.translated(&document), expected);
        assert_eq!((ids.of(&json!(one)).map(|id| id.to_string()), ids.of(&json!(other))), (Some(two), None));
    }
}
