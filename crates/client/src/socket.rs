//! One WebSocket connection to the API: opening, the authentication handshake, JSON messages in and out.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
    },
};
use uuid::Uuid;

use crate::{Client, Credentials, Error, Result, error};

const SUBPROTOCOL: HeaderValue = HeaderValue::from_static("prefect");
/// For the connection and for each step of the handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(15);
/// Silence after which a ping asks whether the server is still there, and how long it may take to answer.
const SILENCE: Duration = Duration::from_secs(30);
const PONG_TIME: Duration = Duration::from_secs(15);

/// An authenticated connection.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    operation: &'static str,
}

impl Socket {
    /// Connects to `path` (of the API) and says who we are.
    pub(crate) async fn open(client: &Client, operation: &'static str, path: &str) -> Result<Self> {
        let base = client.api_url();
        // http becomes ws, https becomes wss.
        let url = format!("ws{}{path}", base.strip_prefix("http").unwrap_or(base));
        let invalid = |error: tungstenite::Error| Error::Url { url: url.clone(), reason: error.to_string() };
        let mut request = url.as_str().into_client_request().map_err(invalid)?;
        request.headers_mut().extend(client.inner.headers.clone());
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
        let (stream, _) = in_time(operation, base, Box::pin(connect_async(request))).await?;
        let mut socket = Self { stream, operation };
        socket.authenticate(client).await?;
        Ok(socket)
    }

    async fn authenticate(&mut self, client: &Client) -> Result<()> {
        let token = match &client.config().credentials {
            Credentials::None => None,
            Credentials::Basic(token) | Credentials::Bearer(token) => Some(token),
        };
        self.send(&json!({"type": "auth", "token": token})).await?;
        let answer = timeout(HANDSHAKE_TIME, self.receive()).await;
        let answer = answer.map_err(|_| self.ended("it did not answer the handshake"))??;
        if answer["type"] == "auth_success" {
            return Ok(());
        }
        Err(Error::Status {
            operation: self.operation.to_owned(),
            status: 401,
            message: error::message(401, &answer["reason"]),
            body: answer,
        })
    }

    pub(crate) async fn send(&mut self, message: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(message).expect("messages are plain data with text keys");
        let sent = self.stream.send(Message::text(text)).await;
        sent.map_err(|error| self.ended(error.to_string()))
    }

    /// The next JSON message. Pings the server when it is silent for long, so that a dead connection is noticed.
    pub(crate) async fn receive(&mut self) -> Result<Value> {
        let mut asked = false;
        loop {
            let patience = if asked { PONG_TIME } else { SILENCE };
            match timeout(patience, self.stream.next()).await {
                Ok(message) => {
                    asked = false;
                    if let Some(value) = self.decode(message)? {
                        return Ok(value);
                    }
                }
                Err(_) if asked => return Err(self.ended("it does not answer pings")),
                Err(_) => {
                    asked = true;
                    let ping = self.stream.send(Message::Ping(Vec::new().into())).await;
                    ping.map_err(|error| self.ended(error.to_string()))?;
                }
            }
        }
    }

    /// Waits until the server has read all that was sent before.
    pub(crate) async fn checkpoint(&mut self) -> Result<()> {
        let token = Uuid::new_v4().as_bytes().to_vec();
        let ping = self.stream.send(Message::Ping(token.clone().into())).await;
        ping.map_err(|error| self.ended(error.to_string()))?;
        loop {
            let next = timeout(PONG_TIME, self.stream.next()).await;
            match next.map_err(|_| self.ended("it does not answer pings"))? {
                Some(Ok(Message::Pong(answer))) if answer == token => return Ok(()),
                other => drop(self.decode(other)?),
            }
        }
    }

    pub(crate) async fn close(mut self) {
        let _ = timeout(PONG_TIME, self.stream.close(None)).await;
    }

    fn decode(&self, message: Option<tungstenite::Result<Message>>) -> Result<Option<Value>> {
        match message {
            Some(Ok(Message::Text(text))) => serde_json::from_str(&text).map(Some).map_err(|error| self.misread(error)),
            Some(Ok(Message::Binary(bytes))) => {
                serde_json::from_slice(&bytes).map(Some).map_err(|error| self.misread(error))
            }
            Some(Ok(Message::Close(frame))) => {
                Err(self.ended(frame.map_or_else(|| "no reason given".to_owned(), |frame| frame.reason.to_string())))
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
            Some(Err(error)) => Err(self.ended(error.to_string())),
            None => Err(self.ended("the connection was closed")),
        }
    }

    fn misread(&self, source: serde_json::Error) -> Error {
        Error::Decode { operation: self.operation.to_owned(), source }
    }

    fn ended(&self, reason: impl Into<String>) -> Error {
        Error::Stream { operation: self.operation.to_owned(), reason: reason.into() }
    }
}

async fn in_time<T>(operation: &str, url: &str, connecting: impl Future<Output = tungstenite::Result<T>>) -> Result<T> {
    let unreachable = |source: Box<dyn std::error::Error + Send + Sync>| Error::Unreachable {
        operation: operation.to_owned(),
        url: url.to_owned(),
        source,
    };
    match timeout(HANDSHAKE_TIME, connecting).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(tungstenite::Error::Http(answer))) => Err(Error::Status {
            operation: operation.to_owned(),
            status: answer.status().as_u16(),
            message: error::message(answer.status().as_u16(), &Value::Null),
            body: Value::Null,
        }),
        Ok(Err(error)) => Err(unreachable(error.into())),
        Err(elapsed) => Err(unreachable(elapsed.into())),
    }
}
