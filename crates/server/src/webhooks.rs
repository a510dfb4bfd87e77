//! Incoming webhooks: from a request to an event. A request proves where it comes from, a template makes an event of it,
//! and both are stored in one transaction. Rows are the store's business, HTTP is the routes'.

mod cloud_event;
mod event;
mod filters;
mod grammar;
pub mod limits;
mod message;
pub mod template;
pub mod verification;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use tidegate_api::webhooks::{Webhook, WebhookOutcome, WebhookRequest};
use tidegate_core::time::Timestamp;
use tidegate_store::{EventRecord, NewWebhookRequest, Tx};
use uuid::Uuid;

use crate::{App, error::ApiError};
pub use message::Message;

/// Of a request that was refused, a body of this size is kept: enough to see what was wrong, too little to fill a disk.
const REFUSED_BODY: usize = 16 * 1024;

/// A new address: 144 random bits, which nobody guesses.
pub fn new_slug() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 18]>())
}

/// What a message came to: its event, none where the template has no use for it, or why there is none.
pub type Made = Result<Option<EventRecord>, (WebhookOutcome, i64, String)>;

/// Makes the event of a message that was found genuine.
pub async fn event_of(webhook: &Webhook, message: &Message, now: Timestamp) -> Made {
    made(webhook, message, now).await.map_err(|why| (WebhookOutcome::Failed, 422, why))
}

async fn made(webhook: &Webhook, message: &Message, now: Timestamp) -> Result<Option<EventRecord>, String> {
    let (template, message) = (webhook.template.clone(), message.clone());
    // Bounded, but still more than the threads that serve requests should do.
    let rendered = tokio::task::spawn_blocking(move || template::render(&template, &message)).await;
    let text = rendered.map_err(|_| "the template's renderer failed".to_owned())??;
    if text.trim().is_empty() {
        return Ok(None);
    }
    event::read(&text, webhook, now).map(Some)
}

/// Stores a message with what became of it.
pub async fn record(
    app: &App,
    webhook: &Webhook,
    message: &Message,
    made: Made,
    replay_of: Option<Uuid>,
) -> Result<WebhookRequest, ApiError> {
    let (event, outcome, status, detail) = match made {
        Ok(Some(event)) => (Some(event), WebhookOutcome::Accepted, 204, None),
        Ok(None) => (None, WebhookOutcome::Ignored, 204, None),
        Err((outcome, status, detail)) => (None, outcome, status, Some(detail)),
    };
    let event = event.or_else(|| failure_event(webhook, message, outcome, detail.as_deref(), app.store.now()));
    let keeps_body = outcome != WebhookOutcome::Refused || message.body.len() <= REFUSED_BODY;
    let new = NewWebhookRequest {
        webhook_id: webhook.id,
        method: message.method.clone(),
        query: message.query.clone(),
        headers: message.shown_headers(),
        body: keeps_body.then(|| message.body.to_vec()),
        body_bytes: message.body.len() as i64,
        status,
        outcome,
        detail,
        replay_of,
    };
    let kept = app
        .store
        .write(webhook.id, async move |tx: &mut Tx| tx.record_webhook_request(&new, event.clone()).await)
        .await?;
    Ok(kept)
}

/// A template that makes no event of a genuine request is worth an event of its own: automations can tell somebody.
fn failure_event(
    webhook: &Webhook,
    message: &Message,
    outcome: WebhookOutcome,
    detail: Option<&str>,
    now: Timestamp,
) -> Option<EventRecord> {
    (outcome == WebhookOutcome::Failed)
        .then(|| event::of_failure(webhook, message, detail.unwrap_or_default(), now))
        .flatten()
}
