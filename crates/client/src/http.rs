//! Sending a request and reading its answer: headers, credentials, retries, errors. Knows no noun of the API.

use std::{
    fmt::Write,
    fs,
    sync::{Arc, OnceLock},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use reqwest::{
    Certificate, Method, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tracing::debug;

use crate::{
    Config, Credentials, Error, Result,
    csrf::Csrf,
    error,
    retry::{self, Policy},
};

/// What a reference server takes for one of its own clients of this age.
const USER_AGENT_TEXT: &str = concat!("prefect/3.8.8 (API 0.8.4) tidegate/", env!("CARGO_PKG_VERSION"));
const API_VERSION: &str = "0.8.4";

/// A client of one API. Cheap to clone; the connection pool is made at the first request and shared by all clones.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) headers: HeaderMap,
    base: String,
    policy: Policy,
    csrf: Option<Csrf>,
    http: OnceLock<reqwest::Client>,
}

/// A successful answer, not yet decoded.
#[derive(Clone, Debug)]
pub struct Response {
    operation: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Response {
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        // Answers without a body decode as null, for operations that promise nothing.
        let body: &[u8] = if self.body.is_empty() { b"null" } else { &self.body };
        serde_json::from_slice(body).map_err(|source| Error::Decode { operation: self.operation.clone(), source })
    }
}

/// How patiently one request is made.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) timeout: Duration,
    pub(crate) max_retries: u32,
}

impl Client {
    /// Checks the settings; nothing is sent and no certificate is read before the first request.
    pub fn new(config: Config) -> Result<Self> {
        let url = |reason: String| Error::Url { url: config.api_url.clone(), reason };
        let parsed = Url::parse(&config.api_url).map_err(|error| url(error.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
            return Err(url("it must begin with http:// or https:// and name a host".to_owned()));
        }
        let headers = default_headers(&config)?;
        let inner = Inner {
            base: config.api_url.trim_end_matches('/').to_owned(),
            policy: Policy {
                max_retries: config.max_retries,
                jitter: config.retry_jitter,
                extra_codes: config.retry_extra_codes.clone(),
            },
            csrf: config.csrf.then(Csrf::new),
            http: OnceLock::new(),
            headers,
            config,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The API's address, without a slash at its end.
    pub fn api_url(&self) -> &str {
        &self.inner.base
    }

    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Sends a request to any path of the API (beginning with `/`), with a JSON body if given, and retries what is worth
    /// retrying. A status of 400 or more is an error.
    pub async fn request(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Response> {
        let config = &self.inner.config;
        let patience = Patience { timeout: config.timeout, max_retries: self.inner.policy.max_retries };
        self.request_with(patience, method, path, body).await
    }

    pub(crate) async fn request_with(
        &self,
        patience: Patience,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Response> {
        let operation = format!("{method} {}", path.split('?').next().unwrap_or(path));
        let mut retries = 0;
        let mut has_new_token = false;
        loop {
            let tokens = match &self.inner.csrf {
                // Boxed: fetching a token is itself a request, and as patient as this one; it is not repeated here.
                Some(csrf) if method != Method::GET => Box::pin(csrf.headers(self)).await?,
                _ => Vec::new(),
            };
            let outcome = self.send(patience.timeout, &operation, &method, path, tokens, body.clone()).await;
            let (error, retry_after) = match outcome {
                Ok((response, _)) if response.status < 400 => return Ok(response),
                Ok((response, retry_after)) => (refusal(response), retry_after),
                Err(error @ Error::Unreachable { .. }) => (error, None),
                Err(error) => return Err(error),
            };
            if let Some(csrf) = self.inner.csrf.as_ref().filter(|_| error.status() == Some(403) && !has_new_token) {
                has_new_token = true;
                csrf.forget().await;
                continue;
            }
            let is_worth_it = error.status().is_none_or(|status| self.inner.policy.is_retried(status));
            if !is_worth_it || retries >= patience.max_retries {
                return Err(error);
            }
            retries += 1;
            let wait = self.inner.policy.wait(retries, retry_after.as_deref(), retry::random());
            debug!(operation, retries, wait_seconds = wait.as_secs_f64(), "{error}; trying again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn send(
        &self,
        timeout: Duration,
        operation: &str,
        method: &Method,
        path: &str,
        tokens: Vec<(&'static str, String)>,
        body: Option<Bytes>,
    ) -> Result<(Response, Option<String>)> {
        let url = format!("{}{path}", self.inner.base);
        let unreachable = |source: reqwest::Error| Error::Unreachable {
            operation: operation.to_owned(),
            url: self.inner.base.clone(),
            source: source.without_url().into(),
        };
        let mut request =
            self.http()?.request(method.clone(), url).headers(self.inner.headers.clone()).timeout(timeout);
        for (name, value) in tokens {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let answer = request.send().await.map_err(unreachable)?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = answer.bytes().await.map_err(unreachable)?;
        Ok((Response { operation: operation.to_owned(), status, headers, body }, retry_after))
    }

    fn http(&self) -> Result<&reqwest::Client> {
        if let Some(http) = self.inner.http.get() {
            return Ok(http);
        }
        let made = build(&self.inner.config, self.inner.base.starts_with("https:"))?;
        Ok(self.inner.http.get_or_init(|| made))
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.request(Method::GET, path, None).await?.json()
    }

    /// Like `get`, but absence is an answer.
    pub(crate) async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>> {
        match self.get(path).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        self.request(Method::POST, path, Some(encode(body))).await?.json()
    }

    /// For operations that answer with nothing to read.
    pub(crate) async fn tell(&self, method: Method, path: &str, body: &impl Serialize) -> Result<()> {
        self.request(method, path, Some(encode(body))).await.map(drop)
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<()> {
        self.request(Method::DELETE, path, None).await.map(drop)
    }
}

pub(crate) fn encode(body: &impl Serialize) -> Bytes {
    serde_json::to_vec(body).expect("request bodies are plain data with text keys").into()
}

/// A name as one segment of a path.
pub(crate) fn segment(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@".contains(&byte) {
            encoded.push(byte as char);
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn refusal(response: Response) -> Error {
    let text = || Value::String(String::from_utf8_lossy(&response.body).trim().chars().take(500).collect());
    let body = serde_json::from_slice(&response.body).unwrap_or_else(|_| text());
    Error::Status {
        message: error::message(response.status, &body),
        operation: response.operation,
        status: response.status,
        body,
    }
}

fn default_headers(config: &Config) -> Result<HeaderMap> {
    let bad = |name: &str| Error::Setup(format!("`{name}` is not a header that can be sent"));
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(USER_AGENT_TEXT));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert("x-prefect-api-version", HeaderValue::from_static(API_VERSION));
    let authorization = match &config.credentials {
        Credentials::None => None,
        Credentials::Basic(text) => Some(format!("Basic {}", BASE64_STANDARD.encode(text))),
        Credentials::Bearer(key) => Some(format!("Bearer {key}")),
    };
    if let Some(text) = authorization {
        let mut value = HeaderValue::from_str(&text).map_err(|_| bad("Authorization"))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    for (name, value) in &config.custom_headers {
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad(name))?;
        headers.insert(parsed, HeaderValue::from_str(value).map_err(|_| bad(name))?);
    }
    Ok(headers)
}

fn build(config: &Config, needs_tls: bool) -> Result<reqwest::Client> {
    let setup = |error: reqwest::Error| Error::Setup(error.to_string());
    // The reference server closes idle connections after five seconds; a request on one of those would fail.
    let mut builder = reqwest::Client::builder().tcp_nodelay(true).pool_idle_timeout(Duration::from_secs(4));
    if !needs_tls {
        // Reading the system's certificates takes longer than most commands do.
        builder = builder.tls_certs_only([]);
    } else if let Some(path) = &config.certificate_file {
        let pem = fs::read(path).map_err(|error| Error::Setup(format!("`{}`: {error}", path.display())))?;
        builder = builder.tls_certs_only(Certificate::from_pem_bundle(&pem).map_err(setup)?);
    }
    if config.accept_invalid_certificates {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    builder.build().map_err(setup)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_single_path_segments() {
        assert_eq!(segment("my-pool_1"), "my-pool_1");
        assert_eq!(segment("a/b c%ä"), "a%2Fb%20c%25%C3%A4");
    }

    #[test]
    fn an_address_that_is_none_is_refused_before_any_request() {
        for address in ["", "localhost:4200/api", "ftp://host/api", "/api"] {
            let error = Client::new(Config::new(address)).unwrap_err();
            assert!(matches!(error, Error::Url { .. }) && error.hint().is_some(), "{address}");
        }
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let mut config = Config::new("http://127.0.0.1/api");
        config.credentials = Credentials::Basic("ada:enigma".into());
        let client = Client::new(config).unwrap();
        assert!(!format!("{client:?}").contains("enigma") && !format!("{client:?}").contains("YWRhOm"));
    }
}
