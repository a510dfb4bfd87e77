//! Sockets of the load tool: the handshake that clients of the reference use, and events over it.

use anyhow::{Context, bail, ensure};
use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

pub type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A socket of this server, past its handshake.
pub async fn open(port: u16, path: &str) -> anyhow::Result<Stream> {
    let mut request = format!("ws://127.0.0.1:{port}{path}").into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("prefect"));
    let (mut socket, _) = connect_async(request).await?;
    socket.send(Message::text(r#"{"type":"auth","token":null}"#)).await?;
    let answer = socket.next().await.transpose()?;
    ensure!(
        answer.as_ref().is_some_and(|answer| answer.to_string().contains("auth_success")),
        "{answer:?} to the token"
    );
    Ok(socket)
}

/// Waits for the next message, whatever signs of life come before it.
pub async fn next_text(socket: &mut Stream) -> anyhow::Result<()> {
    loop {
        match socket.next().await.context("the socket was closed")?? {
            Message::Text(_) => return Ok(()),
            Message::Ping(_) | Message::Pong(_) => {}
            other => bail!("{other:?} instead of a message"),
        }
    }
}

/// Returns once the server has read all that was sent: the answer to a ping comes after it.
pub async fn settle(socket: &mut Stream) -> anyhow::Result<()> {
    socket.send(Message::Ping(Vec::new().into())).await?;
    while !matches!(socket.next().await.transpose()?, Some(Message::Pong(_)) | None) {}
    Ok(())
}
