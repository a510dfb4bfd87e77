//! Settings of the API server: where it listens, whom it lets in, what it serves, what it keeps.

use super::Fallback::{Is, Unset};

super::settings! {
    /// Address to listen on.
    API_HOST = Text "server.api.host" Is("127.0.0.1"), Server Both;
    /// Port to listen on; 0 takes a free one.
    API_PORT = Integer "server.api.port" Is("4200"), Server Both;
    /// Path under which everything is served, such as `/orchestrator`.
    API_BASE_PATH = Text "server.api.base_path" Unset, Server Both;
    /// `user:password` that every request must carry.
    API_AUTH_STRING = Secret "server.api.auth_string" Unset, Server Both;
    /// Tokens that are as good as the auth string, for clients that are set up with an API key (`PREFECT_API_KEY`).
    API_KEYS = Secret "server.api.keys" Unset, Server Own;
    /// Page size of lists when the caller names none, and the most that a caller may ask for.
    API_DEFAULT_LIMIT = Integer "server.api.default_limit" Is("200"), Server Both also "PREFECT_API_DEFAULT_LIMIT";
    /// Refuse changing requests without a CSRF token.
    API_CSRF_PROTECTION_ENABLED = Flag "server.api.csrf_protection_enabled" Is("false"), Server Both
        also "PREFECT_SERVER_CSRF_PROTECTION_ENABLED";
    /// How long a CSRF token is good.
    API_CSRF_TOKEN_EXPIRATION = Seconds "server.api.csrf_token_expiration" Is("3600"), Server Both
        also "PREFECT_SERVER_CSRF_TOKEN_EXPIRATION";
    /// Origins whose pages may call the API; `*` is any.
    API_CORS_ALLOWED_ORIGINS = List "server.api.cors_allowed_origins" Is("*"), Server Both
        also "PREFECT_SERVER_CORS_ALLOWED_ORIGINS";
    /// Methods that pages of other origins may use.
    API_CORS_ALLOWED_METHODS = List "server.api.cors_allowed_methods" Is("*"), Server Both
        also "PREFECT_SERVER_CORS_ALLOWED_METHODS";
    /// Headers that pages of other origins may send.
    API_CORS_ALLOWED_HEADERS = List "server.api.cors_allowed_headers" Is("*"), Server Both
        also "PREFECT_SERVER_CORS_ALLOWED_HEADERS";
    /// How often a quiet WebSocket is pinged.
    API_WEBSOCKET_PING_INTERVAL = Seconds "server.api.websocket_ping_interval" Is("20"), Server Both;
    /// Most bytes of JSON that the parameters of a run or deployment may have.
    API_MAX_PARAMETER_SIZE = Integer "server.api.max_parameter_size" Is("524288"), Server Both;
    /// Most bytes in the body of a request.
    API_MAX_BODY_SIZE = Integer "server.api.max_body_size" Is("33554432"), Server Own;
    /// Serve the web UI of `server.ui.from`.
    UI_ENABLED = Flag "server.ui.enabled" Is("true"), Server Both also "PREFECT_UI_ENABLED";
    /// Folder of a web UI made for this API: the package `prefect` where it is installed, or one that holds `index.html`.
    UI_FROM = Path "server.ui.from" Unset, Server Own;
    /// Where the pages of the web UI find the API; unset means where they come from.
    UI_API_URL = Text "server.ui.api_url" Unset, Server Both also "PREFECT_UI_API_URL";
    /// Of two generations of the web UI, open the second for who has not chosen.
    UI_V2_ENABLED = Flag "server.ui.v2_enabled" Is("true"), Server Both;
    /// How long SIGTERM waits for requests and sockets in hand.
    SHUTDOWN_GRACE_SECONDS = Seconds "server.shutdown_grace_seconds" Is("10"), Server Own;
    /// How much the server logs.
    LOGGING_LEVEL = Level "server.logging_level" Is("WARNING"), Server Both also "PREFECT_LOGGING_SERVER_LEVEL";
    /// Key that block secrets are encrypted with: 32 bytes in base64. When unset, one is made at the first start and kept
    /// in Tidegate's home, readable by its owner only.
    ENCRYPTION_KEY = Secret "server.encryption_key" Unset, Server Both;
    /// Let automations send to private addresses. When unset, they may where the server listens on loopback only.
    ALLOW_PRIVATE_URLS = Flag "server.allow_private_urls" Unset, Server Own;
    /// Lease of a run's owner: how long it may be silent before the run is taken from it.
    LEASE_SECONDS = Seconds "server.lease_seconds" Is("30"), Server Own;
    /// How long a run whose client sends heartbeats may be silent before it counts as crashed.
    HEARTBEAT_LEASE_SECONDS = Seconds "server.heartbeat_lease_seconds" Is("540"), Server Own;
    /// Most bytes in the body of a request to an incoming webhook.
    WEBHOOKS_MAX_BODY_SIZE = Integer "server.webhooks.max_body_size" Is("1048576"), Server Own;
    /// Requests a minute that an incoming webhook takes where it has no limit of its own; each server counts for itself.
    WEBHOOKS_REQUESTS_PER_MINUTE = Integer "server.webhooks.requests_per_minute" Is("600"), Server Own;
    /// Age at which requests of incoming webhooks leave their log.
    WEBHOOKS_REQUEST_RETENTION_PERIOD = Seconds "server.webhooks.request_retention_period" Is("604800"), Server Own;
    /// Requests that the log keeps of each incoming webhook.
    WEBHOOKS_REQUESTS_KEPT = Integer "server.webhooks.requests_kept" Is("1000"), Server Own;
    /// How long a worker has to clean up after a run before another is asked.
    WORKER_CHANNEL_CLEANUP_LEASE_SECONDS = Seconds "server.worker_channel.cleanup_lease_seconds" Is("30"), Server Both;
    /// How often workers are asked to clean up after a run.
    WORKER_CHANNEL_CLEANUP_MAX_DELIVERY_ATTEMPTS = Integer "server.worker_channel.cleanup_max_delivery_attempts"
        Is("3"), Server Both;
    /// Run the background services in this process.
    SERVICES_ENABLED = Flag "server.services.enabled" Is("true"), Server Own;
    /// Most nodes in the graph of a run.
    FLOW_RUN_GRAPH_MAX_NODES = Integer "server.flow_run_graph.max_nodes" Is("10000"), Server Both
        also "PREFECT_API_MAX_FLOW_RUN_GRAPH_NODES";
    /// Most artifacts in the graph of a run.
    FLOW_RUN_GRAPH_MAX_ARTIFACTS = Integer "server.flow_run_graph.max_artifacts" Is("10000"), Server Both
        also "PREFECT_API_MAX_FLOW_RUN_GRAPH_ARTIFACTS";
}
