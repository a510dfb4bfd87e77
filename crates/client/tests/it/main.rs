//! The client against a small API server in this process.

#![allow(clippy::unwrap_used, reason = "tests")]

mod http;
mod streams;

use axum::Router;
use tidegate_client::{Client, Config};

/// Serves `api` under `/api` on a free port for as long as the test runs.
async fn serve(api: Router) -> Config {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let config = Config::new(format!("http://{}/api", listener.local_addr().unwrap()));
    tokio::spawn(async move { axum::serve(listener, Router::new().nest("/api", api)).await.unwrap() });
    config
}

async fn client(api: Router) -> Client {
    Client::new(serve(api).await).unwrap()
}
