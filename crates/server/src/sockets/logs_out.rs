//! Logs out: live records that a filter means. No history: that is what lists are for.

use std::sync::Arc;

use axum::{
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tidegate_api::{
    contract::{self, Unknown},
    filters::{LogFilter, Operator},
    logs::Log,
    text_search::TextQuery,
};
use tokio::sync::broadcast::error::RecvError;

use super::{close, code, handshake, pings, send};
use crate::App;

pub(super) async fn connect(State(app): State<App>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    handshake::accept(app, &headers, upgrade, serve)
}

#[derive(Deserialize)]
pub(super) struct Subscribe {
    pub(super) r#type: String,
    #[serde(default)]
    pub(super) filter: Value,
    #[serde(default = "yes")]
    pub(super) backfill: bool,
}

fn yes() -> bool {
    true
}

/// The message that tells what the client wants. The client was told why where there is none.
pub(super) async fn subscription(socket: &mut WebSocket) -> Option<Subscribe> {
    let text = handshake::receive_text(socket).await?;
    let message = serde_json::from_str::<Subscribe>(&text).ok().filter(|message| message.r#type == "filter");
    if message.is_none() {
        close(socket, code::PROTOCOL, "Expected 'filter' message").await;
    }
    message
}

/// A filter of a message, checked by the operation that takes the same filter over HTTP, in the field named.
pub(super) fn checked<F: serde::de::DeserializeOwned>(path: &str, field: &str, filter: Value) -> Result<F, String> {
    let operation = contract::operation("POST", path).ok_or("filters are not known here")?;
    let body = json!({ field: filter }).to_string();
    let mut checked = operation
        .check_body(None, body.as_bytes(), Unknown::Forbid)
        .map_err(|errors| errors.iter().map(|error| error.msg.as_str()).collect::<Vec<_>>().join("; "))?;
    let filter = checked.value.get_mut(field).map_or_else(|| json!({}), Value::take);
    serde_json::from_value(filter).map_err(|error| error.to_string())
}

async fn serve(app: App, mut socket: WebSocket) {
    let Some(message) = subscription(&mut socket).await else { return };
    let filter: LogFilter = match checked("/logs/filter", "logs", message.filter) {
        Ok(filter) => filter,
        Err(problem) => return close(&mut socket, code::PROTOCOL, &format!("Invalid filter: {problem}")).await,
    };
    if !app.settings.logs_stream_out {
        return close(&mut socket, code::POLICY, "live logs are switched off on this server").await;
    }
    let text = filter.text.as_ref().and_then(|text| text.query.as_deref()).map(TextQuery::parse);
    let mut records = app.log_hub.listen();
    let mut pings = pings(&app);
    loop {
        let next: Result<Arc<Vec<Log>>, RecvError> = tokio::select! {
            biased;
            () = app.stopping.cancelled() => {
                return close(&mut socket, code::GOING_AWAY, "the server is stopping").await;
            }
            received = socket.recv() => match received {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
            _ = pings.tick() => {
                if !send(&mut socket, Message::Ping("".into())).await {
                    return;
                }
                continue;
            }
            next = records.recv() => next,
        };
        match next {
            Ok(logs) => {
                for log in logs.iter().filter(|log| matches(&filter, text.as_ref(), log)) {
                    let message = json!({ "type": "log", "log": log }).to_string();
                    if !send(&mut socket, Message::text(message)).await {
                        return;
                    }
                }
            }
            Err(RecvError::Lagged(_)) => {
                metrics::counter!("tidegate_slow_subscribers_total", "stream" => "logs").increment(1);
                return close(&mut socket, code::TRY_AGAIN, "too slow: records were lost; connect again").await;
            }
            Err(RecvError::Closed) => return,
        }
    }
}

fn matches(filter: &LogFilter, text: Option<&TextQuery>, log: &Log) -> bool {
    let level = filter.level.as_ref().map(|level| {
        level.ge_.is_none_or(|least| log.level >= least) && level.le_.is_none_or(|most| log.level <= most)
    });
    let timestamp = filter.timestamp.as_ref().map(|time| {
        time.before_.is_none_or(|last| log.timestamp <= last) && time.after_.is_none_or(|first| log.timestamp >= first)
    });
    let reference = |filter: &tidegate_api::filters::ReferenceFilter, id: Option<uuid::Uuid>| {
        filter.any_.as_ref().is_none_or(|ids| id.is_some_and(|id| ids.contains(&id)))
            && filter.is_null_.is_none_or(|null| id.is_none() == null)
    };
    let flow_run = filter.flow_run_id.as_ref().map(|filter| reference(filter, log.flow_run_id));
    let task_run = filter.task_run_id.as_ref().map(|filter| reference(filter, log.task_run_id));
    let text = text.map(|text| text.matches(&format!("{} {}", log.message, log.name).to_lowercase()));
    let mut parts = [level, timestamp, flow_run, task_run, text].into_iter().flatten().peekable();
    match filter.operator.unwrap_or_default() {
        Operator::And => parts.all(|part| part),
        Operator::Or => parts.peek().is_none() || parts.any(|part| part),
    }
}
