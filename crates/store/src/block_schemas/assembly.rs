//! Puts block schemas together: a stored schema holds its own fields only; what clients read also names the schemas of the
//! blocks within (`block_schema_references`) and spells them out (`definitions`). Pure.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};
use tidegate_core::json::{Json, Object};
use uuid::Uuid;

/// One field of one schema that holds blocks of another.
pub(super) struct Reference {
    pub(super) parent: Uuid,
    pub(super) name: String,
    pub(super) schema: Uuid,
    pub(super) checksum: String,
    pub(super) fields: Json,
    pub(super) slug: String,
}

/// References, by the schema that has them.
pub(super) struct Assembly(HashMap<Uuid, Vec<Reference>>);

impl Assembly {
    pub(super) fn new(references: Vec<Reference>) -> Self {
        let mut by_parent: HashMap<Uuid, Vec<Reference>> = HashMap::new();
        for reference in references {
            by_parent.entry(reference.parent).or_default().push(reference);
        }
        Self(by_parent)
    }

    /// The fields as clients know them.
    pub(super) fn whole_fields(&self, id: Uuid, fields: &Json) -> Object {
        let mut fields = self.with_references(id, fields);
        let mut definitions = Object::default();
        self.define(id, &mut HashSet::new(), &mut definitions);
        if !definitions.is_empty() {
            // Definitions that are not blocks are the schema's own and stay.
            let mut all = fields.get("definitions").and_then(Json::members).unwrap_or_default();
            all.extend(definitions);
            fields.insert("definitions".into(), Json::from_value(&all));
        }
        fields
    }

    fn references(&self, id: Uuid) -> &[Reference] {
        self.0.get(&id).map_or(&[], Vec::as_slice)
    }

    fn with_references(&self, id: Uuid, fields: &Json) -> Object {
        let mut fields = fields.members().unwrap_or_default();
        let mut references: Map<String, Value> = Map::new();
        for reference in self.references(id) {
            let entry = json!({
                "block_schema_checksum": reference.checksum,
                "block_type_slug": reference.slug,
            });
            match references.get_mut(&reference.name) {
                None => {
                    references.insert(reference.name.clone(), entry);
                }
                // A field of several kinds of blocks names them all.
                Some(Value::Array(known)) if !known.contains(&entry) => known.push(entry),
                Some(known) if known.is_object() && *known != entry => *known = json!([known.take(), entry]),
                Some(_) => {}
            }
        }
        fields.insert("block_schema_references".into(), Json::from_value(&references));
        fields
    }

    /// Adds the definitions of all schemas below `id`, flat, under their titles; each schema once.
    fn define(&self, id: Uuid, seen: &mut HashSet<Uuid>, definitions: &mut Object) {
        for reference in self.references(id) {
            if !seen.insert(reference.schema) {
                continue;
            }
            let mut fields = self.with_references(reference.schema, &reference.fields);
            let own = fields.shift_remove("definitions");
            if let Some(title) = fields.get("title").and_then(Json::as_string) {
                definitions.insert(title, Json::from_value(&fields));
                definitions.extend(own.and_then(|own| own.members()).into_iter().flatten());
            }
            self.define(reference.schema, seen, definitions);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(parent: u128, name: &str, schema: u128, title: &str) -> Reference {
        Reference {
            parent: Uuid::from_u128(parent),
            name: name.into(),
            schema: Uuid::from_u128(schema),
            checksum: format!("sha256:{schema}"),
            fields: json!({"title": title}).into(),
            slug: title.to_lowercase(),
        }
    }

    fn entry(schema: u128, slug: &str) -> Value {
        json!({"block_schema_checksum": format!("sha256:{schema}"), "block_type_slug": slug})
    }

    #[test]
    fn nested_schemas_are_named_and_defined_flat() {
        let assembly = Assembly::new(vec![reference(1, "child", 2, "Child"), reference(2, "deep", 3, "Deep")]);
        let root = json!({"title": "Root", "definitions": {"Own": {}}}).into();
        let whole = assembly.whole_fields(Uuid::from_u128(1), &root);
        let expected = json!({
            "title": "Root",
            "block_schema_references": {"child": entry(2, "child")},
            "definitions": {
                "Own": {},
                "Child": {"title": "Child", "block_schema_references": {"deep": entry(3, "deep")}},
                "Deep": {"title": "Deep", "block_schema_references": {}},
            },
        });
        assert_eq!(Json::from_value(&whole).value(), expected);
    }

    #[test]
    fn a_field_of_several_kinds_names_each_once() {
        let references = vec![reference(1, "a", 2, "Two"), reference(1, "a", 3, "Three"), reference(1, "a", 4, "Four")];
        let whole = Assembly::new(references).whole_fields(Uuid::from_u128(1), &Json::empty_object());
        let expected = json!({"a": [entry(2, "two"), entry(3, "three"), entry(4, "four")]});
        assert_eq!(whole["block_schema_references"].value(), expected);
    }

    #[test]
    fn a_circle_ends() {
        let assembly = Assembly::new(vec![reference(1, "a", 2, "Two"), reference(2, "b", 1, "One")]);
        let whole = assembly.whole_fields(Uuid::from_u128(1), &json!({"title": "One"}).into());
        assert_eq!(whole["definitions"].members().unwrap().len(), 2);
    }
}
