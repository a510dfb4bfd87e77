//! Automations, with the ids of what they watch and act on.

use serde_json::Value;
use tidegate_client::Page;

use super::side::{only, text};
use super::{Copy, Outcome};

const FIELDS: [&str; 8] =
    ["name", "description", "enabled", "tags", "trigger", "actions", "actions_on_trigger", "actions_on_resolve"];

impl Copy<'_> {
    /// Names of automations may be taken twice; one that is there under this name stands for it.
    pub(super) async fn automation(&mut self, item: &Value) -> anyhow::Result<Outcome> {
        let found = self.target.0.list_automations_by_name(text(item, "name")?, Page::first(1)).await?;
        if let Some(found) = found.first().and_then(|found| found["id"].as_str()) {
            return Ok(self.keep(item, found));
        }
        let body = without_ids(&self.ids.translated(&only(item, &FIELDS)));
        self.create("/automations/", item, &body).await
    }
}

/// Triggers within triggers have ids of their own, which the server gives them.
fn without_ids(body: &Value) -> Value {
    let mut body = body.clone();
    forget(&mut body["trigger"]);
    body
}

fn forget(trigger: &mut Value) {
    if let Some(fields) = trigger.as_object_mut() {
        fields.shift_remove("id");
        if let Some(parts) = fields.get_mut("triggers").and_then(Value::as_array_mut) {
            parts.iter_mut().for_each(forget);
        }
    }
}
