//! Webhooks over HTTP, as Prefect Cloud has them, and the log of their requests. Where senders post is `hooks`.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use tidegate_api::webhooks::{
    HIDDEN_SECRET, Verification, Webhook, WebhookCreate, WebhookOutcome, WebhookRequest, WebhookUpdate,
};
use tidegate_store::{EventRecord, Tx};
use uuid::Uuid;

use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Db, Id, Ids, Params},
    router::Routes,
    webhooks::{self, Message, template, verification},
};

const LONGEST_NAME: usize = 250;
const MOST_PER_MINUTE: i64 = 1_000_000;

pub fn routes(routes: Routes) -> Routes {
    routes
        .post("/webhooks/", create)
        .post("/webhooks", create)
        .get("/webhooks/", list)
        .get("/webhooks", list)
        .post("/webhooks/filter", filter)
        .get("/webhooks/{id}", read)
        .put("/webhooks/{id}", update)
        .patch("/webhooks/{id}", update)
        .delete("/webhooks/{id}", delete)
        .post("/webhooks/{id}/rotate", rotate)
        .get("/webhooks/{id}/requests", requests)
        .get("/webhooks/{id}/requests/{request_id}", request)
        .post("/webhooks/{id}/requests/{request_id}/replay", replay)
}

async fn create(
    State(app): State<App>,
    Body(body): Body<WebhookCreate>,
) -> Result<(StatusCode, Json<Webhook>), ApiError> {
    check_name(&body.name)?;
    check_template(&body.template)?;
    check_limit(body.requests_per_minute)?;
    if let Some(verification) = &body.verification {
        verification::validate(verification, false).map_err(ApiError::unprocessable)?;
    }
    let (secrets, slug) = (app.secrets.clone(), webhooks::new_slug());
    let made =
        app.store.write(slug.clone(), async move |tx: &mut Tx| tx.create_webhook(&secrets, &slug, &body).await).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

async fn read(Db(store): Db, Id(id): Id) -> Result<Json<Webhook>, ApiError> {
    store.read(async move |tx: &mut Tx| require(tx, id).await.map(Json)).await
}

async fn require(tx: &mut Tx, id: Uuid) -> Result<Webhook, ApiError> {
    tx.read_webhook(id).await?.ok_or_else(absent)
}

#[derive(Clone, Default, Deserialize)]
struct Page {
    limit: Option<i64>,
    offset: Option<i64>,
}

async fn list(State(app): State<App>, Params(page): Params<Page>) -> Result<Json<Vec<Webhook>>, ApiError> {
    let (limit, offset) = (app.limit(page.limit)?, page.offset.unwrap_or(0).max(0));
    Ok(Json(app.store.read(async move |tx: &mut Tx| tx.list_webhooks(limit, offset).await).await?))
}

/// Clients of Cloud send no body at all.
async fn filter(State(app): State<App>, Body(page): Body<Page>) -> Result<Json<Vec<Webhook>>, ApiError> {
    list(State(app), Params(page)).await
}

async fn update(
    State(app): State<App>,
    Id(id): Id,
    Body(body): Body<WebhookUpdate>,
) -> Result<Json<Webhook>, ApiError> {
    if let Some(name) = body.name.clone().value() {
        check_name(&name)?;
    }
    if let Some(template) = body.template.clone().value() {
        check_template(&template)?;
    }
    check_limit(body.requests_per_minute.clone().value())?;
    let secrets = app.secrets.clone();
    app.store
        .write(id, async move |tx: &mut Tx| {
            let before = require(tx, id).await?;
            if let Some(verification) = body.verification.clone().value() {
                let has_secret = before.verification.as_ref().and_then(Verification::secret) == Some(HIDDEN_SECRET);
                verification::validate(&verification, has_secret).map_err(ApiError::unprocessable)?;
            }
            tx.update_webhook(&secrets, id, body.clone()).await?.map(Json).ok_or_else(absent)
        })
        .await
}

async fn rotate(Db(store): Db, Id(id): Id) -> Result<Json<Webhook>, ApiError> {
    let slug = webhooks::new_slug();
    let rotated = store.write(id, async move |tx: &mut Tx| tx.rotate_webhook(id, &slug).await.map_err(ApiError::from));
    rotated.await?.map(Json).ok_or_else(absent)
}

async fn delete(State(app): State<App>, Id(id): Id) -> Result<StatusCode, ApiError> {
    let known =
        app.store.write(id, async move |tx: &mut Tx| tx.delete_webhook(id).await.map_err(ApiError::from)).await?;
    app.webhook_limits.forget(id);
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(absent()) }
}

#[derive(Deserialize)]
struct Wanted {
    outcome: Option<WebhookOutcome>,
    limit: Option<i64>,
    offset: Option<i64>,
}

async fn requests(
    State(app): State<App>,
    Id(id): Id,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Vec<WebhookRequest>>, ApiError> {
    let (limit, offset) = (app.limit(wanted.limit)?, wanted.offset.unwrap_or(0).max(0));
    app.store
        .read(async move |tx: &mut Tx| {
            require(tx, id).await?;
            Ok(Json(tx.list_webhook_requests(id, wanted.outcome, limit, offset).await?))
        })
        .await
}

async fn request(Db(store): Db, Ids(id, request): Ids) -> Result<Json<WebhookRequest>, ApiError> {
    store
        .read(async move |tx: &mut Tx| {
            let found = tx.read_webhook_request(id, request).await?.ok_or_else(no_request)?;
            Ok(Json(found.request))
        })
        .await
}

/// Sends a request of the log through the webhook as it is now. Whoever asks is known to the API, so the sender's proof is
/// not asked for again, and no limit counts.
async fn replay(State(app): State<App>, Ids(id, request): Ids) -> Result<(StatusCode, Json<WebhookRequest>), ApiError> {
    let (webhook, stored) = app
        .store
        .read(async move |tx: &mut Tx| {
            let webhook = require(tx, id).await?;
            let stored = tx.read_webhook_request(id, request).await?.ok_or_else(no_request)?;
            Ok::<_, ApiError>((webhook, stored))
        })
        .await?;
    let message = Message::of_log(stored)
        .ok_or_else(|| ApiError::conflict("The request's body was not kept, so it cannot be sent again."))?;
    let made = webhooks::event_of(&webhook, &message, app.store.now()).await;
    // It may have been an event before; this is another one.
    let made = made.map(|event| event.map(|event| EventRecord { id: Uuid::now_v7(), ..event }));
    let kept = webhooks::record(&app, &webhook, &message, made, Some(request)).await?;
    Ok((StatusCode::CREATED, Json(kept)))
}

fn check_name(name: &str) -> Result<(), ApiError> {
    if name.trim().is_empty() || name.chars().count() > LONGEST_NAME {
        return Err(ApiError::unprocessable(format!("A webhook's name has 1 to {LONGEST_NAME} characters.")));
    }
    Ok(())
}

fn check_template(text: &str) -> Result<(), ApiError> {
    template::check(text).map_err(|invalid| {
        let line = if invalid.line == 0 { String::new() } else { format!(" (line {})", invalid.line) };
        ApiError::unprocessable(format!("The template cannot be used{line}: {}", invalid.message))
    })
}

fn check_limit(per_minute: Option<i64>) -> Result<(), ApiError> {
    if per_minute.is_some_and(|limit| !(1..=MOST_PER_MINUTE).contains(&limit)) {
        return Err(ApiError::unprocessable(format!("`requests_per_minute` is between 1 and {MOST_PER_MINUTE}.")));
    }
    Ok(())
}

fn absent() -> ApiError {
    ApiError::not_found("Webhook not found.")
}

fn no_request() -> ApiError {
    ApiError::not_found("The webhook has no such request in its log.")
}
