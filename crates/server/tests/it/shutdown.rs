//! How a server stops: what is in hand is finished, sockets are told, and nobody is waited for longer than the grace.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidegate_testkit::within;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    sockets::{Socket, event},
    support::TestServer,
};

const BODY: &str = r#"{"name": "in-hand"}"#;

/// A request whose body is still to come.
async fn half_a_request(server: &TestServer) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /api/flows/ HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n\
         content-length: {}\r\n\r\n",
        BODY.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body once the handler reads it: the request is in hand.
    let mut line = [0; 25];
    within("the go-ahead", stream.read_exact(&mut line)).await.unwrap();
    assert_eq!(&line, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

async fn is_refusing(address: std::net::SocketAddr) {
    within("the port's end", async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_in_hand_is_finished_and_then_the_server_ends() {
    let server = TestServer::start().await;
    let mut stream = half_a_request(&server).await;
    server.stop();
    is_refusing(server.address).await;
    stream.write_all(BODY.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within("the answer", stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    assert!(answer.contains("in-hand"), "{answer}");
    server.ended().await;
}

#[tokio::test]
async fn sockets_are_told_and_long_polls_answered_within_the_grace() {
    let server = TestServer::start().await;
    server.post("/work_pools/", json!({ "name": "p", "type": "process" })).await;
    let mut sender = Socket::connect(&server, "/events/in").await;
    let mut listener = Socket::subscribe(&server, "/events/out", json!({}), true).await;
    let mut logs = Socket::subscribe(&server, "/logs/out", json!({}), false).await;
    logs.flush().await;
    sender.send(&event("last.words", "x", server.clock.now())).await;
    let heard = async { while listener.receive().await["event"]["event"] != "last.words" {} };
    within("the last words", heard).await;

    let wait = json!({ "worker_name": "w", "limit": 1, "wait_seconds": 60 });
    let polls = async {
        let answer = server.post("/work_pools/p/claim", wait).await;
        assert_eq!(answer, json!({ "runs": [], "cancelling": [] }));
    };
    let stop = async {
        // The poll is noted on the queue, so it is being held.
        tidegate_testkit::eventually("the poll", async || {
            let queue = server.get("/work_pools/p/queues/default").await;
            (queue["last_polled"] != Value::Null).then_some(())
        })
        .await;
        server.stop();
    };
    tokio::join!(polls, stop);
    for socket in [&mut sender, &mut listener, &mut logs] {
        let good_bye = socket.closed().await;
        assert_eq!((u16::from(good_bye.code), good_bye.reason.as_str()), (1001, "the server is stopping"));
    }
    server.ended().await;
}

#[tokio::test]
async fn a_client_that_never_finishes_is_not_waited_for_longer_than_the_grace() {
    let server = TestServer::with(|settings| settings.shutdown_grace_seconds = 0.3).await;
    let _stream = half_a_request(&server).await;
    let started = Instant::now();
    server.stop();
    server.ended().await;
    assert!(started.elapsed() >= Duration::from_millis(300), "it was not given its grace");
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let server = TestServer::with(|settings| settings.shutdown_grace_seconds = 3600.0).await;
    let _stream = half_a_request(&server).await;
    server.stop();
    is_refusing(server.address).await;
    server.stop_at_once();
    server.ended().await;
}
