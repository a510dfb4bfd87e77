//! `/hooks/{slug}`: where senders post. Outside of `/api` and of its authentication; whoever knows the address is let in as
//! far as the webhook's own checks say. A sender learns little: an address that is nobody's and one that is switched off
//! answer alike, and so do all wrong signatures.

use axum::{
    body::to_bytes,
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use tidegate_api::webhooks::{Webhook, WebhookOutcome};
use tidegate_store::Tx;

use crate::{
    App,
    error::ApiError,
    extract::no_route,
    webhooks::{self, Message, limits::Kind, verification},
};

/// Paths that begin so ask for no credentials of the API.
pub const PREFIX: &str = "/hooks/";

pub async fn receive(State(app): State<App>, Path(slug): Path<String>, request: Request) -> Response {
    let (outcome, response) = match take(&app, slug, request).await {
        Ok(outcome) => (outcome, StatusCode::NO_CONTENT.into_response()),
        Err(Refusal { outcome, response }) => (outcome, response),
    };
    metrics::counter!("tidegate_webhook_requests_total", "outcome" => outcome).increment(1);
    response
}

struct Refusal {
    outcome: &'static str,
    response: Response,
}

impl Refusal {
    fn new(outcome: &'static str, error: impl IntoResponse) -> Self {
        Self { outcome, response: error.into_response() }
    }

    fn failed(error: impl Into<ApiError>) -> Self {
        Self::new("error", error.into())
    }
}

async fn take(app: &App, slug: String, request: Request) -> Result<&'static str, Refusal> {
    let secrets = app.secrets.clone();
    let found = app.store.read(async move |tx: &mut Tx| tx.open_webhook(&secrets, &slug).await).await;
    let webhook = found.map_err(Refusal::failed)?.filter(|webhook| webhook.enabled);
    let webhook = webhook.ok_or_else(|| Refusal::new("unknown", no_route()))?;
    let message = message_of(app, request).await?;
    let now = app.store.now();
    if let Err(why) = verification::check(webhook.verification.as_ref(), &message, now) {
        admit(app, &webhook, Kind::Refused)?;
        let made = Err((WebhookOutcome::Refused, 401, why));
        webhooks::record(app, &webhook, &message, made, None).await.map_err(Refusal::failed)?;
        let detail = "The request does not prove where it comes from.";
        return Err(Refusal::new("refused", ApiError::Detail(StatusCode::UNAUTHORIZED, detail.into())));
    }
    admit(app, &webhook, Kind::Genuine)?;
    let made = webhooks::event_of(&webhook, &message, now).await;
    let kept = webhooks::record(app, &webhook, &message, made, None).await.map_err(Refusal::failed)?;
    match kept.outcome {
        WebhookOutcome::Failed => Err(Refusal::new("failed", ApiError::unprocessable(kept.detail.unwrap_or_default()))),
        outcome => Ok(outcome.as_str()),
    }
}

async fn message_of(app: &App, request: Request) -> Result<Message, Refusal> {
    let most = app.settings.webhooks.maximum_body_bytes;
    let (parts, body) = request.into_parts();
    let declared =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let too_large = || {
        let detail = format!("Requests of webhooks have at most {most} bytes.");
        Refusal::new("too_large", ApiError::Detail(StatusCode::PAYLOAD_TOO_LARGE, detail))
    };
    if declared.is_some_and(|declared| declared > most) {
        return Err(too_large());
    }
    let body = to_bytes(body, most).await.map_err(|error| {
        use std::error::Error;
        if error.source().is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>()) {
            too_large()
        } else {
            Refusal::new("error", ApiError::bad_request("The request's body could not be read."))
        }
    })?;
    Ok(Message::new(parts.method.as_str(), parts.uri.query(), &parts.headers, body))
}

/// Counts a request; too many are told when to come again.
fn admit(app: &App, webhook: &Webhook, kind: Kind) -> Result<(), Refusal> {
    let most = webhook.requests_per_minute.unwrap_or(app.settings.webhooks.requests_per_minute);
    app.webhook_limits.take(webhook.id, kind, most, app.store.now()).map_err(|seconds| {
        let detail = "This webhook takes no more requests now.";
        let mut refusal = Refusal::new("limited", ApiError::Detail(StatusCode::TOO_MANY_REQUESTS, detail.into()));
        refusal.response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.ceil() as u64));
        refusal
    })
}
