//! How a socket is accepted: the subprotocol, then the client's `auth` message. Clients that know no subprotocol are let in
//! where nobody has to prove who they are, or where the `Authorization` header of their request does.

use std::time::Duration;

use axum::{
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{close, code};
use crate::{App, error::ApiError};

const SUBPROTOCOL: &str = "prefect";
/// How long a client may take for a message of the handshake.
const PATIENCE: Duration = Duration::from_secs(30);
/// Far above what an event may have: too large ones are read, counted and answered instead of ending the socket.
const MAXIMUM_MESSAGE: usize = 64 * 1024 * 1024;
/// Bytes read and written at once; every socket has two such buffers.
const BUFFER: usize = 16 * 1024;

#[derive(Deserialize)]
struct Auth {
    r#type: String,
    #[serde(default)]
    token: Option<String>,
}

/// What a socket asks of clients beyond the usual.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demands {
    /// Whether clients of old are let in at all.
    pub subprotocol: bool,
    /// The one reason that all refusals give.
    pub refusal: Option<&'static str>,
}

/// Upgrades the request and runs `serve` once the client has proved itself.
pub fn accept<S, F>(app: App, headers: &HeaderMap, upgrade: WebSocketUpgrade, serve: S) -> Response
where
    S: FnOnce(App, WebSocket) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    accept_on(Demands::default(), app, headers, upgrade, serve)
}

/// As [`accept`], where more is asked.
pub fn accept_on<S, F>(demands: Demands, app: App, headers: &HeaderMap, upgrade: WebSocketUpgrade, serve: S) -> Response
where
    S: FnOnce(App, WebSocket) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let knows_subprotocol = headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|name| name.trim() == SUBPROTOCOL);
    let proof = match &app.access {
        None => Proof::NotAsked,
        Some(access) if access.admits_headers(headers) => Proof::Given,
        Some(_) => Proof::Missing,
    };
    if !knows_subprotocol && demands.subprotocol {
        return StatusCode::FORBIDDEN.into_response();
    }
    if !knows_subprotocol && proof == Proof::Missing {
        let is_wrong = headers.contains_key(header::AUTHORIZATION);
        return if is_wrong { ApiError::Unauthorized.into_response() } else { StatusCode::FORBIDDEN.into_response() };
    }
    let upgrade = upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(MAXIMUM_MESSAGE)
        .max_frame_size(MAXIMUM_MESSAGE)
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER);
    upgrade.on_upgrade(async move |mut socket| {
        let stopping = app.stopping.clone();
        if knows_subprotocol {
            let authenticated = tokio::select! {
                authenticated = authenticate(&app, &mut socket, demands, proof) => authenticated,
                () = stopping.cancelled() => false,
            };
            if !authenticated {
                return;
            }
        }
        metrics::gauge!("tidegate_sockets").increment(1.0);
        serve(app, socket).await;
        metrics::gauge!("tidegate_sockets").decrement(1.0);
    })
}

/// What a socket's request says of its client, before the first message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// The API is open.
    NotAsked,
    /// By a header.
    Given,
    Missing,
}

/// Clients of a self-hosted server send no key to sockets, whatever they send to everything else.
const NO_TOKEN: &str = "Auth required but no token provided. With an API key, set PREFECT_CLOUD_API_URL, or PREFECT_API_AUTH_STRING to the key";

async fn authenticate(app: &App, socket: &mut WebSocket, demands: Demands, proof: Proof) -> bool {
    let Some(text) = receive_text(socket).await else { return false };
    let auth = serde_json::from_str::<Auth>(&text).ok().filter(|auth| auth.r#type == "auth");
    let refusal = match (auth, &app.access) {
        (None, _) => Some("Expected 'auth' message"),
        (Some(_), None) => None,
        (Some(auth), Some(access)) => match auth.token.as_deref().filter(|token| !token.is_empty()) {
            None if proof == Proof::Missing => Some(NO_TOKEN),
            Some(token) if !access.admits_token(token) => Some("Invalid token"),
            _ => None,
        },
    };
    if let Some(reason) = refusal {
        close(socket, code::POLICY, demands.refusal.unwrap_or(reason)).await;
        return false;
    }
    super::send(socket, Message::text(r#"{"type":"auth_success"}"#)).await
}

/// The next text message; pings in between are answered by the protocol. `None` when the client is gone, or silent.
pub async fn receive_text(socket: &mut WebSocket) -> Option<String> {
    let receive = async {
        loop {
            match socket.recv().await? {
                Ok(Message::Text(text)) => return Some(text.to_string()),
                Ok(Message::Binary(bytes)) => return String::from_utf8(bytes.to_vec()).ok(),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(Message::Close(_)) | Err(_) => return None,
            }
        }
    };
    tokio::time::timeout(PATIENCE, receive).await.ok().flatten()
}
