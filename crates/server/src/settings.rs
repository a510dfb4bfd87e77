//! The server's settings as plain values. Where they come from (flags, environment, files) is the binary's business.

use std::{net::SocketAddr, path::PathBuf};

/// Everything a server needs to know. Durations are seconds.
#[derive(Clone, Debug)]
pub struct Settings {
    pub listen: SocketAddr,
    /// Folder of the encryption key and, by default, of the SQLite file.
    pub home: PathBuf,
    pub database_url: String,
    pub migrate_on_start: bool,
    /// `user:password` that every request must carry; without it and without keys the API is open.
    pub auth_string: Option<String>,
    /// Tokens that are as good as the auth string, for clients that know keys only.
    pub api_keys: Vec<String>,
    /// A prefix in front of `/api`, for proxies; empty or `/something`.
    pub base_path: String,
    /// The web UI to serve; `None` serves the API only.
    pub ui: Option<Ui>,
    pub cors_allowed_origins: String,
    pub cors_allowed_methods: String,
    pub cors_allowed_headers: String,
    /// Default and maximum of `limit`.
    pub default_limit: i64,
    /// Largest serialized size of parameters, bytes; 0 switches the check off.
    pub max_parameter_size: usize,
    /// Largest request body, bytes.
    pub max_body_size: usize,
    pub csrf_enabled: bool,
    pub csrf_token_seconds: f64,
    pub websocket_ping_seconds: f64,
    /// How long requests and sockets get to finish at shutdown.
    pub shutdown_grace_seconds: f64,
    /// A base64 key of 32 bytes for block documents; without it one is made in `home`.
    pub encryption_key: Option<String>,
    /// Whether automations may send to private addresses. When unset, they may where this server is to be reached from its
    /// own machine only: whoever can tell it to could send there too.
    pub allow_private_urls: Option<bool>,
    /// Where links in notifications lead; when unset, to this server.
    pub ui_url: Option<String>,
    pub services_enabled: bool,
    pub services: Services,
    pub events: Events,
    pub webhooks: Webhooks,
    pub logs_stream_out: bool,
    /// Owner leases: how long a silent owner keeps a run.
    pub lease_seconds: f64,
    /// How long a run whose client sends heartbeat events may be silent.
    pub heartbeat_lease_seconds: f64,
    pub deployment_lease_seconds: f64,
    pub deployment_slot_wait_seconds: f64,
    pub tag_slot_wait_seconds: f64,
    pub maximum_slot_wait_seconds: f64,
    /// How long a worker has for a clean-up before it is another's, and how often it is tried.
    pub cleanup_lease_seconds: f64,
    pub cleanup_max_deliveries: i64,
    pub max_cache_key_length: usize,
    pub graph_max_nodes: usize,
    pub graph_max_artifacts: usize,
}

/// A web UI that was built for this API.
#[derive(Clone, Debug)]
pub struct Ui {
    /// The folder of an installed `prefect` package, or of one bundle.
    pub from: PathBuf,
    /// Where its pages find the API; `None` is where they come from.
    pub api_url: Option<String>,
    /// Which of two generations a browser gets that has not chosen.
    pub prefers_second: bool,
}

/// The loops. An interval of zero seconds is taken as one millisecond.
#[derive(Clone, Debug)]
pub struct Services {
    pub scheduler: Loop,
    pub scheduler_max_runs: i64,
    pub scheduler_min_runs: i64,
    pub scheduler_max_scheduled_seconds: f64,
    pub scheduler_min_scheduled_seconds: f64,
    pub late_runs: Loop,
    pub late_after_seconds: f64,
    pub pause_expirations: Loop,
    pub cancellation_cleanup: Loop,
    pub cancelling_timeout_seconds: f64,
    pub foreman: Loop,
    pub foreman_heartbeat_multiple: f64,
    pub foreman_fallback_heartbeat_seconds: f64,
    pub foreman_deployment_timeout_seconds: f64,
    pub foreman_queue_timeout_seconds: f64,
    pub leases: Loop,
    pub triggers: Loop,
    pub automation_actions: Loop,
    pub log_search: Loop,
    pub retention: Loop,
    pub event_retention_seconds: f64,
    pub log_retention_seconds: f64,
    /// Runs older than this are deleted with all they hold; 0 keeps them.
    pub run_retention_seconds: f64,
}

#[derive(Clone, Copy, Debug)]
pub struct Loop {
    pub enabled: bool,
    pub seconds: f64,
}

#[derive(Clone, Debug)]
pub struct Events {
    pub stream_out: bool,
    pub maximum_labels: usize,
    pub maximum_related: usize,
    pub maximum_size_bytes: usize,
    pub maximum_name_length: usize,
    pub backfill_seconds: f64,
    pub backfill_page: i64,
}

/// What incoming webhooks take.
#[derive(Clone, Debug)]
pub struct Webhooks {
    /// Largest request body, bytes.
    pub maximum_body_bytes: usize,
    /// Of each webhook, where it does not say otherwise.
    pub requests_per_minute: i64,
    /// Requests older than this leave the log; 0 keeps them.
    pub request_retention_seconds: f64,
    /// Requests that the log keeps of each webhook.
    pub requests_kept: i64,
}

const DAY: f64 = 86_400.0;

impl Settings {
    /// The defaults, with data under `home` and the port that Prefect's clients expect.
    pub fn new(home: PathBuf) -> Self {
        let database_url = format!("sqlite:///{}", home.join("tidegate.db").display());
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 4200)),
            database_url,
            home,
            migrate_on_start: true,
            auth_string: None,
            api_keys: Vec::new(),
            base_path: String::new(),
            ui: None,
            cors_allowed_origins: "*".into(),
            cors_allowed_methods: "*".into(),
            cors_allowed_headers: "*".into(),
            default_limit: 200,
            max_parameter_size: 512 * 1024,
            max_body_size: 32 * 1024 * 1024,
            csrf_enabled: false,
            csrf_token_seconds: 3600.0,
            websocket_ping_seconds: 20.0,
            shutdown_grace_seconds: 10.0,
            encryption_key: None,
            allow_private_urls: None,
            ui_url: None,
            services_enabled: true,
            services: Services::default(),
            events: Events::default(),
            webhooks: Webhooks::default(),
            logs_stream_out: true,
            lease_seconds: 30.0,
            heartbeat_lease_seconds: 540.0,
            deployment_lease_seconds: 300.0,
            deployment_slot_wait_seconds: 30.0,
            tag_slot_wait_seconds: 10.0,
            maximum_slot_wait_seconds: 30.0,
            cleanup_lease_seconds: 30.0,
            cleanup_max_deliveries: 3,
            max_cache_key_length: 2000,
            graph_max_nodes: 10_000,
            graph_max_artifacts: 10_000,
        }
    }

    pub fn allows_private_urls(&self) -> bool {
        self.allow_private_urls.unwrap_or(self.listen.ip().is_loopback())
    }

    /// The root of links to the UI.
    pub fn ui_url(&self) -> String {
        self.ui_url.clone().unwrap_or_else(|| format!("http://{}{}", self.listen, self.base_path))
    }
}

impl Default for Services {
    fn default() -> Self {
        let every = |seconds| Loop { enabled: true, seconds };
        Self {
            scheduler: every(5.0),
            scheduler_max_runs: 100,
            scheduler_min_runs: 3,
            scheduler_max_scheduled_seconds: 100.0 * DAY,
            scheduler_min_scheduled_seconds: 3600.0,
            late_runs: every(5.0),
            late_after_seconds: 15.0,
            pause_expirations: every(5.0),
            cancellation_cleanup: every(20.0),
            cancelling_timeout_seconds: 300.0,
            foreman: every(15.0),
            foreman_heartbeat_multiple: 3.0,
            foreman_fallback_heartbeat_seconds: 30.0,
            foreman_deployment_timeout_seconds: 60.0,
            foreman_queue_timeout_seconds: 60.0,
            leases: every(2.0),
            triggers: every(1.0),
            automation_actions: every(1.0),
            log_search: every(2.0),
            retention: every(3600.0),
            event_retention_seconds: 7.0 * DAY,
            log_retention_seconds: 30.0 * DAY,
            run_retention_seconds: 90.0 * DAY,
        }
    }
}

impl Default for Events {
    fn default() -> Self {
        Self {
            stream_out: true,
            maximum_labels: 500,
            maximum_related: 100,
            maximum_size_bytes: 1_500_000,
            maximum_name_length: 1024,
            backfill_seconds: 900.0,
            backfill_page: 250,
        }
    }
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            maximum_body_bytes: 1024 * 1024,
            requests_per_minute: 600,
            request_retention_seconds: 7.0 * DAY,
            requests_kept: 1000,
        }
    }
}
