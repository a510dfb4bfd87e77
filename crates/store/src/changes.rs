//! What an update changed, as its event tells it: every field from what to what.

use serde::Serialize;
use serde_json::{Map, json};
use tidegate_core::json::Json;

#[derive(Default)]
pub(crate) struct Changes(Map<String, serde_json::Value>);

impl Changes {
    pub(crate) fn add<T: Serialize + PartialEq>(&mut self, field: &str, from: &T, to: &T) {
        if from != to {
            self.0.insert(field.to_owned(), json!({ "from": from, "to": to }));
        }
    }

    /// `None` when nothing changed: then there is nothing to tell.
    pub(crate) fn payload(self) -> Option<Json> {
        if self.0.is_empty() {
            return None;
        }
        let fields: Vec<&String> = self.0.keys().collect();
        Some(Json::from_value(&json!({ "updated_fields": fields, "updates": self.0 })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told() {
        let mut changes = Changes::default();
        changes.add("name", &"a", &"a");
        assert!(changes.payload().is_none());
        let mut changes = Changes::default();
        changes.add("name", &"a", &"a");
        changes.add("limit", &None, &Some(3));
        let expected = json!({"updated_fields": ["limit"], "updates": {"limit": {"from": null, "to": 3}}});
        assert_eq!(changes.payload().unwrap().value(), expected);
    }
}
