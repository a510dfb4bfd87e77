//! One cluster's API: a client from where the worker stands or from a job's own configuration, and requests in raw JSON
//! whose refusals say what they are. Knows no runs.

use std::{sync::Arc, time::Duration};

use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use kube::{
    Client, Config,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

/// No single request of ours takes longer, watches aside.
const REQUEST: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);
const FIRST_RETRY: Duration = Duration::from_millis(300);
const LAST_RETRY: Duration = Duration::from_secs(10);

/// A request that did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    /// `None`: there was no answer.
    pub(crate) status: Option<u16>,
    /// Kubernetes' word for it (`Forbidden`, `AlreadyExists`, …), or HTTP's.
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn is(&self, status: u16) -> bool {
        self.status == Some(status)
    }

    /// Whether the same request may succeed a moment later.
    pub(crate) fn is_transient(&self) -> bool {
        self.status.is_none_or(|status| matches!(status, 408 | 429 | 500 | 502 | 503 | 504))
    }

    fn unheard(error: &dyn std::error::Error) -> Self {
        let message = format!("the Kubernetes API cannot be reached: {}", chain(error));
        Self { status: None, reason: "Unreachable".to_owned(), message, retry_after: None }
    }
}

/// How long transient refusals are borne, and how many of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) tries: Option<u32>,
    pub(crate) within: Duration,
}

/// A client of one cluster.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) client: Client,
    /// Where it is, and in which part of it one is by default.
    pub(crate) address: Arc<str>,
}

impl Cluster {
    /// The cluster that the worker runs in, or the one of its kubeconfig.
    pub(crate) async fn own() -> anyhow::Result<Self> {
        let config = match Config::incluster() {
            Ok(config) => config,
            Err(_) => Config::from_kubeconfig(&KubeConfigOptions::default()).await?,
        };
        Self::connect(config)
    }

    /// The cluster of a `cluster_config` in a job: a kubeconfig, as an object or as text, and the context to use.
    pub(crate) async fn configured(given: &Map<String, Value>) -> anyhow::Result<Self> {
        let kubeconfig: Kubeconfig = match given.get("config") {
            Some(Value::String(text)) => Kubeconfig::from_yaml(text)?,
            Some(config) => serde_json::from_value(config.clone())?,
            None => anyhow::bail!("`cluster_config` has no `config`"),
        };
        let context = given.get("context_name").and_then(Value::as_str).map(str::to_owned);
        let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
        Self::connect(Config::from_custom_kubeconfig(kubeconfig, &options).await?)
    }

    fn connect(mut config: Config) -> anyhow::Result<Self> {
        // The program may have chosen one already, which is then the one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        // Which refusals are borne, and for how long, is decided here and not below.
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT);
        let address = format!("{} {}", config.cluster_url, config.default_namespace).into();
        Ok(Self { client: Client::try_from(config)?, address })
    }

    /// What tells this cluster from others: the uid of its oldest namespace. `None` where it may not be read.
    pub(crate) async fn uid(&self) -> Result<Option<String>, Refusal> {
        match self.get("/api/v1/namespaces/kube-system").await {
            Ok(namespace) => Ok(namespace["metadata"]["uid"].as_str().map(str::to_owned)),
            Err(refusal) if refusal.is_transient() => Err(refusal),
            Err(_) => Ok(None),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, Refusal> {
        self.request(Method::GET, path, "application/json", None).await
    }

    pub(crate) async fn create(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        self.request(Method::POST, path, "application/json", Some(body)).await
    }

    pub(crate) async fn replace(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        self.request(Method::PUT, path, "application/json", Some(body)).await
    }

    pub(crate) async fn merge(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        self.request(Method::PATCH, path, "application/merge-patch+json", Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str, options: &Value) -> Result<Value, Refusal> {
        self.request(Method::DELETE, path, "application/json", Some(options)).await
    }

    /// Asks again while refusals are transient: at the server's own pace where it names one, else with growing pauses that
    /// differ from worker to worker. No pause outlasts the patience, which one last try ends.
    pub(crate) async fn persist<T, F, A>(patience: Patience, ask: F) -> Result<T, Refusal>
    where
        F: Fn() -> A + Send,
        A: Future<Output = Result<T, Refusal>> + Send,
    {
        let began = Instant::now();
        let (mut wait, mut tries) = (FIRST_RETRY, 0);
        loop {
            let refusal = match ask().await {
                Ok(answer) => return Ok(answer),
                Err(refusal) => refusal,
            };
            tries += 1;
            let is_spent = patience.tries.is_some_and(|most| tries >= most) || began.elapsed() > patience.within;
            if !refusal.is_transient() || is_spent {
                return Err(refusal);
            }
            warn!("the Kubernetes API is asked again: {refusal}");
            let left = patience.within.saturating_sub(began.elapsed());
            sleep(refusal.retry_after.unwrap_or_else(|| jittered(wait)).min(left)).await;
            wait = (wait * 2).min(LAST_RETRY);
        }
    }

    async fn request(&self, method: Method, path: &str, content: &str, body: Option<&Value>) -> Result<Value, Refusal> {
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, content);
        let request = request.body(Body::from(bytes)).map_err(|error| Refusal::unheard(&error))?;
        let exchange = async {
            let response = self.client.send(request).await.map_err(|error| Refusal::unheard(&error))?;
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await.map_err(|error| Refusal::unheard(&error))?.to_bytes();
            Ok((parts, bytes))
        };
        let (parts, bytes) = match timeout(REQUEST, exchange).await {
            Ok(answer) => answer?,
            Err(elapsed) => return Err(Refusal::unheard(&elapsed)),
        };
        if parts.status.is_success() {
            // An answer that is no JSON says no more than that it went well.
            return Ok(serde_json::from_slice(&bytes).unwrap_or_default());
        }
        let retry_after = parts.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Err(refusal(parts.status, &bytes, retry_after.map(Duration::from_secs)))
    }
}

fn refusal(status: StatusCode, body: &[u8], retry_after: Option<Duration>) -> Refusal {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let reason = answer["reason"].as_str().filter(|reason| !reason.is_empty());
    let reason = reason.or(status.canonical_reason()).unwrap_or("Unknown").to_owned();
    let message = answer["message"].as_str().map_or_else(|| text_of(body), str::to_owned);
    Refusal { status: Some(status.as_u16()), reason, message, retry_after }
}

fn text_of(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(500)]).trim().to_owned()
}

/// An error with all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Between half and one and a half of a pause.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let random = (uuid::Uuid::new_v4().as_u128() % 1000) as f64 / 1000.0;
    pause.mul_f64(0.5 + random)
}
