//! Requests of automations to this server's own API: the same routes and the same answers as for any client, without a
//! way through the network.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode, header},
};
use base64::Engine;
use serde_json::Value;
use tidegate_api::automations::Automation;
use tower::ServiceExt;

use crate::App;

/// Answers larger than this are not read.
const LARGEST: usize = 64 * 1024 * 1024;

/// The API, from inside.
pub struct Requests(Router);

/// What the API answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl Answer {
    pub fn is_good(&self) -> bool {
        self.status.as_u16() < 300
    }
}

impl Requests {
    pub fn new(app: App) -> Self {
        Self(crate::router::inner(app))
    }

    pub async fn get(&self, path: &str, automation: &Automation) -> anyhow::Result<Answer> {
        self.send(Method::GET, path, None, automation).await
    }

    pub async fn post(&self, path: &str, body: Value, automation: &Automation) -> anyhow::Result<Answer> {
        self.send(Method::POST, path, Some(body), automation).await
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        automation: &Automation,
    ) -> anyhow::Result<Answer> {
        let name = base64::engine::general_purpose::STANDARD.encode(&automation.name);
        let request = Request::builder()
            .method(method)
            .uri(format!("/api{path}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header("prefect-automation-id", automation.id.to_string())
            .header("prefect-automation-name", name)
            .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))?;
        let Ok(response) = self.0.clone().oneshot(request).await;
        let status = response.status();
        let bytes = to_bytes(response.into_body(), LARGEST).await?;
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_default() })
    }
}
