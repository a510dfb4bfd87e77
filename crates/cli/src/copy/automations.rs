//! Automations and saved searches, with the ids of what they watch, act on and look for.

use serde_json::Value;
use tidegate_client::Page;

use super::side::{only, text};
use super::{Copy, Outcome};

const FIELDS: [&str; 8] =
    ["name", "description", "enabled", "tags", "trigger", "actions", "actions_on_trigger", "actions_on_resolve"];

impl Copy<'_> {
    /// Several automations may have one name: each that is there under it stands for one of the source.
    pub(super) async fn automation(&mut self, item: &Value) -> anyhow::Result<Outcome> {
        let found = self.target.0.list_automations_by_name(text(item, "name")?, Page::first(Page::LARGEST)).await?;
        if let Some(free) = found.iter().find(|found| !self.ids.lead_to(&found["id"])) {
            return Ok(self.keep(item, text(free, "id")?));
        }
        let body = without_ids(&self.ids.translated(&only(item, &FIELDS)));
        self.create("/automations/", item, &body).await
    }

    pub(super) async fn saved_search(&mut self, item: &Value) -> anyhow::Result<Outcome> {
        let name = text(item, "name")?;
        let there = self.target.every("/saved_searches/filter", &Value::Null).await?;
        if let Some(found) = there.iter().find(|found| found["name"] == name) {
            return Ok(self.keep(item, text(found, "id")?));
        }
        let body = self.ids.translated(&only(item, &["name", "filters"]));
        let created = self.target.put("/saved_searches/", &body).await?;
        self.keep(item, text(&created, "id")?);
        Ok(Outcome::Copied)
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
