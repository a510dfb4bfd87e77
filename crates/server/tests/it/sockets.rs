//! Sockets as clients speak to them, and the events they send.

use std::net::SocketAddr;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tidegate_core::time::Timestamp;
use tidegate_testkit::within;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        http::{HeaderValue, Request, Response},
        protocol::CloseFrame,
    },
};
use uuid::Uuid;

use crate::support::TestServer;

pub struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// Opens a socket with the subprotocol and without its first message.
    pub async fn raw(server: &TestServer, path: &str) -> Self {
        Self::open(server.address, path, true, None).await.unwrap()
    }

    pub async fn open(
        address: SocketAddr,
        path: &str,
        subprotocol: bool,
        receive_buffer: Option<u32>,
    ) -> Result<Self, Box<Error>> {
        Self::dial(address, request(address, path, subprotocol), receive_buffer).await
    }

    /// Opens a socket with an `Authorization` header.
    pub async fn with_header(
        server: &TestServer,
        path: &str,
        subprotocol: bool,
        authorization: &str,
    ) -> Result<Self, Box<Error>> {
        let mut request = request(server.address, path, subprotocol);
        request.headers_mut().insert("authorization", HeaderValue::from_str(authorization).unwrap());
        Self::dial(server.address, request, None).await
    }

    async fn dial(address: SocketAddr, request: Request<()>, receive_buffer: Option<u32>) -> Result<Self, Box<Error>> {
        let subprotocol = request.headers().contains_key("sec-websocket-protocol");
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        let stream = socket.connect(address).await.unwrap();
        let (stream, response): (_, Response<_>) = client_async(request, stream).await.map_err(Box::new)?;
        assert_eq!(response.headers().contains_key("sec-websocket-protocol"), subprotocol);
        Ok(Self(stream))
    }

    /// An open socket that has proved itself.
    pub async fn connect(server: &TestServer, path: &str) -> Self {
        let mut socket = Self::raw(server, path).await;
        socket.authenticate(json!(null)).await;
        socket
    }

    pub async fn authenticate(&mut self, token: Value) {
        self.send(&json!({ "type": "auth", "token": token })).await;
        assert_eq!(self.receive().await, json!({ "type": "auth_success" }));
    }

    /// A subscription.
    pub async fn subscribe(server: &TestServer, path: &str, filter: Value, backfill: bool) -> Self {
        let mut socket = Self::connect(server, path).await;
        socket.send(&json!({ "type": "filter", "filter": filter, "backfill": backfill })).await;
        socket
    }

    pub async fn send(&mut self, message: &Value) {
        self.send_text(message.to_string()).await;
    }

    pub async fn send_text(&mut self, text: String) {
        within("a send", self.0.send(Message::text(text))).await.unwrap();
    }

    /// Waits for the answer to a ping: everything before is committed. Answers what the server said before it.
    pub async fn flush(&mut self) -> Vec<Value> {
        self.0.send(Message::Ping("flush".into())).await.unwrap();
        let mut said = Vec::new();
        let answered = async {
            loop {
                match self.next().await {
                    Message::Pong(payload) if payload.as_ref() == b"flush" => return,
                    Message::Text(text) => said.push(serde_json::from_str(&text).unwrap()),
                    _ => {}
                }
            }
        };
        within("the answer to a ping", answered).await;
        said
    }

    /// The next message.
    pub async fn receive(&mut self) -> Value {
        let message = async {
            loop {
                match self.next().await {
                    Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                    Message::Close(frame) => panic!("the server closed the socket: {frame:?}"),
                    _ => {}
                }
            }
        };
        within("a message", message).await
    }

    /// The good-bye, whatever was said before it.
    pub async fn closed(&mut self) -> CloseFrame {
        let good_bye = async {
            loop {
                if let Message::Close(frame) = self.next().await {
                    return frame.unwrap();
                }
            }
        };
        within("the good-bye", good_bye).await
    }

    async fn next(&mut self) -> Message {
        self.0.next().await.unwrap().unwrap()
    }
}

fn request(address: SocketAddr, path: &str, subprotocol: bool) -> Request<()> {
    let mut request = format!("ws://{address}/api{path}").into_client_request().unwrap();
    if subprotocol {
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("prefect"));
    }
    request
}

/// An event of a resource, as engines send it.
pub fn event(name: &str, resource: &str, occurred: Timestamp) -> Value {
    json!({
        "occurred": occurred,
        "event": name,
        "resource": { "prefect.resource.id": resource },
        "related": [],
        "payload": {},
        "id": Uuid::new_v4(),
    })
}
