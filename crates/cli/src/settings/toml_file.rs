//! Settings in TOML files of the working directory: `tidegate.toml`, `prefect.toml`, and the tables `tool.tidegate` and
//! `tool.prefect` of `pyproject.toml`. Refuses to write: those files are people's own.

use std::path::Path;

use anyhow::Context;
use toml_edit::{DocumentMut, Item, TableLike, Value};

/// One setting in a file: dotted key and text.
pub type Entry = (String, String);

/// Reads the settings below `table` (the whole file when empty). An absent file has none.
pub fn read(path: &Path, table: &[&str]) -> anyhow::Result<Vec<Entry>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    };
    let document: DocumentMut = text.parse().with_context(|| format!("`{}` is not valid TOML", path.display()))?;
    let mut item: Option<&Item> = Some(document.as_item());
    for name in table {
        item = item.and_then(|item| item.get(name));
    }
    let mut entries = Vec::new();
    if let Some(table) = item.and_then(Item::as_table_like) {
        flatten(table, "", &mut entries);
    }
    Ok(entries)
}

fn flatten(table: &dyn TableLike, prefix: &str, entries: &mut Vec<Entry>) {
    for (name, item) in table.iter() {
        let key = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        // A setting whose value is a table (headers) is one setting, not a group of them.
        let is_setting = super::table::find(&key).is_some();
        match item {
            Item::Value(value) if is_setting || !value.is_inline_table() => entries.push((key, text_of(value))),
            Item::Table(inner) if is_setting => {
                entries.push((key, text_of(&Value::InlineTable(inner.clone().into_inline_table()))));
            }
            item => {
                if let Some(inner) = item.as_table_like() {
                    flatten(inner, &key, entries);
                }
            }
        }
    }
}

/// The text that the same value would have as an environment variable.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.value().clone(),
        Value::Integer(number) => number.value().to_string(),
        Value::Float(number) => number.value().to_string(),
        Value::Boolean(flag) => flag.value().to_string(),
        Value::Datetime(time) => time.value().to_string(),
        Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(","),
        Value::InlineTable(table) => {
            let object: serde_json::Map<_, _> = table
                .iter()
                .map(|(name, value)| (name.to_owned(), serde_json::Value::String(text_of(value))))
                .collect();
            serde_json::Value::Object(object).to_string()
        }
    }
}
