//! A server of a test's own: the real one, on a free port, with a fresh database and a clock that moves when told.

use std::net::SocketAddr;

use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_server::{Loop, Server, Settings};
use tidegate_testkit::{Clock, FreshDatabase, eventually, within};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub struct TestServer {
    pub clock: Clock,
    pub address: SocketAddr,
    pub database_url: String,
    http: reqwest::Client,
    soft: CancellationToken,
    hard: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
    _home: TempDir,
    database: Option<FreshDatabase>,
}

/// What a request was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl TestServer {
    /// On SQLite, with the defaults.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// On SQLite, with settings that differ.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::on(tidegate_testkit::sqlite().await, change).await
    }

    pub async fn on(database: FreshDatabase, change: impl FnOnce(&mut Settings)) -> Self {
        let server = Self::bind(&database.url, Clock::new(), change).await;
        Self { database: Some(database), ..server }
    }

    /// One more server on the database of another one; they live by one clock.
    pub async fn beside(other: &Self, change: impl FnOnce(&mut Settings)) -> Self {
        Self::bind(&other.database_url, other.clock.clone(), change).await
    }

    /// Stops this server, and starts another one on its database.
    pub async fn again(self, change: impl FnOnce(&mut Settings)) -> Self {
        self.stop();
        let Self { clock, database_url, serving, database, .. } = self;
        within("the server's end", serving).await.unwrap().unwrap();
        Self { database, ..Self::bind(&database_url, clock, change).await }
    }

    async fn bind(database_url: &str, clock: Clock, change: impl FnOnce(&mut Settings)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(home.path().to_owned());
        settings.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        settings.database_url = database_url.to_owned();
        change(&mut settings);
        // A server that ended a moment ago lets go of its SQLite file when its last task does.
        let server =
            eventually("a free database", async || Server::bind(settings.clone(), clock.shared()).await.ok()).await;
        let address = server.local_addr().unwrap();
        let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
        let serving = tokio::spawn(server.serve(soft.clone(), hard.clone()));
        Self {
            clock,
            address,
            database_url: database_url.to_owned(),
            http: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
            soft,
            hard,
            serving,
            _home: home,
            database: None,
        }
    }

    /// A request to a path of the whole server, `/api` included where it is meant.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address))
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let response = within("the answer", request.send()).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    /// Reads an API path; it must be there.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.send(self.request(Method::GET, &format!("/api{path}"))).await;
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text);
        answer.json()
    }

    /// Posts to an API path; it must be accepted.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.send(self.request(Method::POST, &format!("/api{path}")).json(&body)).await;
        assert!(matches!(answer.status, 200..=204), "POST {path}: {} {}", answer.status, answer.text);
        if answer.text.is_empty() { Value::Null } else { answer.json() }
    }

    pub async fn set_state(&self, run: &str, kind: &str) -> Value {
        self.post(&format!("/flow_runs/{run}/set_state"), json!({ "state": { "type": kind } })).await
    }

    /// A number that this process tells at `/metrics`; all servers of these tests share it. `line` is the name with labels.
    pub async fn metric(&self, line: &str) -> u64 {
        let text = self.send(self.request(Method::GET, "/metrics")).await.text;
        let value = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// Waits until a service has made a whole pass that began after this call.
    pub async fn pass_of(&self, service: &str) {
        let passes = async || self.get("/admin/services").await[service]["passes"].as_u64().unwrap();
        // The pass under way may have begun before.
        let enough = passes().await + 2;
        eventually("a pass", async || (passes().await >= enough).then_some(())).await;
    }

    /// What the first SIGTERM does.
    pub fn stop(&self) {
        self.soft.cancel();
    }

    /// What the second one does.
    pub fn stop_at_once(&self) {
        self.hard.cancel();
    }

    /// Waits for the end of `serve`.
    pub async fn ended(self) {
        within("the server's end", self.serving).await.unwrap().unwrap();
    }
}

/// A loop that comes round many times a second.
pub fn often() -> Loop {
    Loop { enabled: true, seconds: 0.01 }
}

/// The id of an answer.
pub fn id_of(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}
