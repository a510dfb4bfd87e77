//! Incoming webhooks and the log of their requests.

use std::fmt::Write;

use serde_json::json;
use tidegate_api::webhooks::{Webhook, WebhookCreate, WebhookOutcome, WebhookRequest, WebhookUpdate};
use uuid::Uuid;

use crate::{Client, Method, Page, Result, http::encode, page::UNSORTED};

impl Client {
    pub async fn create_webhook(&self, webhook: &WebhookCreate) -> Result<Webhook> {
        self.post("/webhooks/", webhook).await
    }

    pub async fn read_webhook(&self, id: Uuid) -> Result<Option<Webhook>> {
        self.find(&format!("/webhooks/{id}")).await
    }

    pub async fn list_webhooks(&self, page: Page) -> Result<Vec<Webhook>> {
        self.list("/webhooks/filter", &json!({}), UNSORTED, page).await
    }

    pub async fn update_webhook(&self, id: Uuid, update: &WebhookUpdate) -> Result<Webhook> {
        self.request(Method::PATCH, &format!("/webhooks/{id}"), Some(encode(update))).await?.json()
    }

    /// Gives it another address; the old one is nobody's then.
    pub async fn rotate_webhook(&self, id: Uuid) -> Result<Webhook> {
        self.post(&format!("/webhooks/{id}/rotate"), &json!({})).await
    }

    pub async fn delete_webhook(&self, id: Uuid) -> Result<()> {
        self.delete(&format!("/webhooks/{id}")).await
    }

    /// What it was sent, the newest first.
    pub async fn list_webhook_requests(
        &self,
        id: Uuid,
        outcome: Option<WebhookOutcome>,
        page: Page,
    ) -> Result<Vec<WebhookRequest>> {
        let mut path = format!("/webhooks/{id}/requests?limit={}&offset={}", page.limit, page.offset);
        if let Some(outcome) = outcome {
            let _ = write!(path, "&outcome={}", outcome.as_str());
        }
        self.get(&path).await
    }

    /// Sends a request of the log through the webhook once more.
    pub async fn replay_webhook_request(&self, id: Uuid, request: Uuid) -> Result<WebhookRequest> {
        self.post(&format!("/webhooks/{id}/requests/{request}/replay"), &json!({})).await
    }
}
