//! Pages of events. The token of the next page holds the whole query, so that the server remembers nothing.

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};
use tidegate_api::{contract, events::EventFilter};
use tidegate_store::{StoredEvent, Tx, event_range};

use crate::{
    App,
    answer::Json,
    error::ApiError,
    extract::{Body, Db},
};

const PAGE: i64 = 50;

#[derive(Deserialize)]
pub(super) struct ListEvents {
    filter: Option<EventFilter>,
    limit: Option<i64>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the wire's")]
pub(super) struct Page {
    events: Vec<StoredEvent>,
    total: i64,
    next_page: Option<String>,
}

/// Where a query stands.
#[derive(Serialize, Deserialize)]
struct Token {
    filter: EventFilter,
    count: i64,
    page_size: i64,
    offset: i64,
}

pub(super) async fn filter(
    State(app): State<App>,
    Db(store): Db,
    headers: HeaderMap,
    Body(body): Body<ListEvents>,
) -> Result<Json<Page>, ApiError> {
    let mut filter = body.filter.unwrap_or_default();
    let page_size = body.limit.unwrap_or(PAGE);
    // The next pages mean the same stretch of time, however late they are asked for.
    let (since, until) = event_range(&filter, store.now());
    filter.occurred = Some(tidegate_api::events::OccurredFilter { since: Some(since), until: Some(until) });
    let query = filter.clone();
    let (events, total) = store
        .read(async move |tx: &mut Tx| {
            let total = tx.count_events(&query).await?;
            let events = if page_size > 0 { tx.list_events(&query, page_size, 0).await? } else { Vec::new() };
            Ok::<_, tidegate_store::Error>((events, total))
        })
        .await?;
    let next_page = link(&app, &headers, Token { filter, count: total, page_size, offset: page_size });
    Ok(Json(Page { events, total, next_page }))
}

pub(super) async fn next(
    State(app): State<App>,
    Db(store): Db,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Json<Page>, ApiError> {
    let pairs = pairs(query.as_deref().unwrap_or_default());
    let operation = contract::operation("GET", "/events/filter/next");
    if let Some(Err(errors)) = operation.map(|operation| operation.check_query(&pairs)) {
        return Err(ApiError::Invalid { errors, body: serde_json::Value::Null });
    }
    let token = pairs.iter().rev().find(|(name, _)| name == "page-token").and_then(|(_, text)| read_token(text));
    let Token { filter, count, page_size, offset } =
        token.ok_or_else(|| ApiError::Detail(StatusCode::FORBIDDEN, "Forbidden".into()))?;
    let query = filter.clone();
    let events = store.read(async move |tx: &mut Tx| tx.list_events(&query, page_size, offset).await).await?;
    let next_page = link(&app, &headers, Token { filter, count, page_size, offset: offset + page_size });
    Ok(Json(Page { events, total: count, next_page }))
}

fn read_token(text: &str) -> Option<Token> {
    let bytes = BASE64.decode(text).ok()?;
    let token: Token = serde_json::from_slice(&bytes).ok()?;
    ((0..=PAGE).contains(&token.page_size) && token.offset >= 0).then_some(token)
}

/// The URL of the next page, if there is one.
fn link(app: &App, headers: &HeaderMap, token: Token) -> Option<String> {
    if token.offset >= token.count {
        return None;
    }
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).map_or_else(|| app.settings.listen.to_string(), ToOwned::to_owned);
    let scheme = text(header::HeaderName::from_static("x-forwarded-proto")).unwrap_or("http");
    let token = BASE64.encode(serde_json::to_vec(&token).ok()?);
    let base = &app.settings.base_path;
    Some(format!("{scheme}://{host}{base}/api/events/filter/next?page-token={}", token.replace('+', "%2B")))
}

/// The pairs of a query string; `+` stays what it is, since tokens may hold it.
fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok()))
            .flatten();
        match escaped {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
