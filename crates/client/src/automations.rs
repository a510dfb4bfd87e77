//! Automations, as the JSON that they are on the wire.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Client, Method, Page, Result, page::UNSORTED};

impl Client {
    pub async fn create_automation(&self, automation: &Value) -> Result<Value> {
        self.post("/automations/", automation).await
    }

    pub async fn read_automation(&self, id: Uuid) -> Result<Option<Value>> {
        self.find(&format!("/automations/{id}")).await
    }

    pub async fn list_automations(&self, page: Page) -> Result<Vec<Value>> {
        self.list("/automations/filter", &json!({}), UNSORTED, page).await
    }

    pub async fn list_automations_by_name(&self, name: &str, page: Page) -> Result<Vec<Value>> {
        let filter = json!({"automations": {"name": {"any_": [name]}}});
        self.list("/automations/filter", &filter, UNSORTED, page).await
    }

    pub async fn replace_automation(&self, id: Uuid, automation: &Value) -> Result<()> {
        self.tell(Method::PUT, &format!("/automations/{id}"), automation).await
    }

    pub async fn set_automation_enabled(&self, id: Uuid, enabled: bool) -> Result<()> {
        self.tell(Method::PATCH, &format!("/automations/{id}"), &json!({"enabled": enabled})).await
    }

    pub async fn delete_automation(&self, id: Uuid) -> Result<()> {
        self.delete(&format!("/automations/{id}")).await
    }
}
