//! The server's own settings, filled from what was found. The only place that knows both names.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use anyhow::Context;
use tidegate_server::{Events, Loop, Services, Ui, Webhooks};

use super::Settings;
use super::database::Database;
use super::table::{self, Setting, server, services};

pub fn of_settings(settings: &Settings) -> anyhow::Result<tidegate_server::Settings> {
    let home = settings.home();
    let text = |setting: &'static Setting| settings.text(setting).unwrap_or_default().to_owned();
    let seconds = |setting: &'static Setting| settings.duration(setting).as_secs_f64();
    let size = |setting: &'static Setting| usize::try_from(settings.count(setting)).unwrap_or(usize::MAX);
    let defaults = tidegate_server::Settings::new(home);
    Ok(tidegate_server::Settings {
        listen: listen(settings)?,
        database_url: Database::of_settings(settings)?.url(settings),
        migrate_on_start: settings.flag(&table::database::MIGRATE_ON_START),
        auth_string: settings.text(&server::API_AUTH_STRING).map(ToOwned::to_owned),
        api_keys: settings.list(&server::API_KEYS),
        base_path: base_path(settings),
        ui: ui(settings),
        cors_allowed_origins: text(&server::API_CORS_ALLOWED_ORIGINS),
        cors_allowed_methods: text(&server::API_CORS_ALLOWED_METHODS),
        cors_allowed_headers: text(&server::API_CORS_ALLOWED_HEADERS),
        default_limit: signed(settings.count(&server::API_DEFAULT_LIMIT)),
        max_parameter_size: size(&server::API_MAX_PARAMETER_SIZE),
        max_body_size: size(&server::API_MAX_BODY_SIZE),
        csrf_enabled: settings.flag(&server::API_CSRF_PROTECTION_ENABLED),
        csrf_token_seconds: seconds(&server::API_CSRF_TOKEN_EXPIRATION),
        websocket_ping_seconds: seconds(&server::API_WEBSOCKET_PING_INTERVAL),
        shutdown_grace_seconds: seconds(&server::SHUTDOWN_GRACE_SECONDS),
        encryption_key: settings.text(&server::ENCRYPTION_KEY).map(ToOwned::to_owned),
        allow_private_urls: settings.flag_if_set(&server::ALLOW_PRIVATE_URLS),
        ui_url: settings.text(&table::client::UI_URL).map(ToOwned::to_owned),
        services_enabled: settings.flag(&server::SERVICES_ENABLED),
        services: services_of(settings),
        events: events_of(settings),
        webhooks: Webhooks {
            maximum_body_bytes: size(&server::WEBHOOKS_MAX_BODY_SIZE),
            requests_per_minute: signed(settings.count(&server::WEBHOOKS_REQUESTS_PER_MINUTE)),
            request_retention_seconds: seconds(&server::WEBHOOKS_REQUEST_RETENTION_PERIOD),
            requests_kept: signed(settings.count(&server::WEBHOOKS_REQUESTS_KEPT)),
        },
        logs_stream_out: settings.flag(&services::LOGS_STREAM_OUT_ENABLED),
        lease_seconds: seconds(&server::LEASE_SECONDS),
        heartbeat_lease_seconds: seconds(&server::HEARTBEAT_LEASE_SECONDS),
        deployment_lease_seconds: seconds(&services::CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION),
        deployment_slot_wait_seconds: seconds(&services::DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS),
        tag_slot_wait_seconds: seconds(&services::TASKS_TAG_CONCURRENCY_SLOT_WAIT_SECONDS),
        maximum_slot_wait_seconds: seconds(&services::CONCURRENCY_MAXIMUM_CONCURRENCY_SLOT_WAIT_SECONDS),
        cleanup_lease_seconds: seconds(&server::WORKER_CHANNEL_CLEANUP_LEASE_SECONDS),
        cleanup_max_deliveries: signed(settings.count(&server::WORKER_CHANNEL_CLEANUP_MAX_DELIVERY_ATTEMPTS)),
        max_cache_key_length: size(&services::TASKS_MAX_CACHE_KEY_LENGTH),
        graph_max_nodes: size(&server::FLOW_RUN_GRAPH_MAX_NODES),
        graph_max_artifacts: size(&server::FLOW_RUN_GRAPH_MAX_ARTIFACTS),
        ..defaults
    })
}

fn ui(settings: &Settings) -> Option<Ui> {
    let from = settings.path(&server::UI_FROM).filter(|_| settings.flag(&server::UI_ENABLED))?;
    Some(Ui {
        from,
        api_url: settings.text(&server::UI_API_URL).map(ToOwned::to_owned),
        prefers_second: settings.flag(&server::UI_V2_ENABLED),
    })
}

fn services_of(settings: &Settings) -> Services {
    let seconds = |setting: &'static Setting| settings.duration(setting).as_secs_f64();
    let every = |enabled: &'static Setting, pause: &'static Setting| Loop {
        enabled: settings.flag(enabled),
        seconds: settings.duration(pause).as_secs_f64(),
    };
    // One scheduler does what the reference splits in two: the more frequent of both pauses holds.
    let scheduler = every(&services::SCHEDULER_ENABLED, &services::SCHEDULER_LOOP_SECONDS);
    let recent = seconds(&services::SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS);
    let deletes_runs = match settings.text(&services::DB_VACUUM_ENABLED).unwrap_or_default().to_lowercase().as_str() {
        "true" | "1" => true,
        names => names.contains("flow_runs"),
    };
    let defaults = Services::default();
    Services {
        scheduler: Loop { seconds: scheduler.seconds.min(recent), ..scheduler },
        scheduler_max_runs: signed(settings.count(&services::SCHEDULER_MAX_RUNS)),
        scheduler_min_runs: signed(settings.count(&services::SCHEDULER_MIN_RUNS)),
        scheduler_max_scheduled_seconds: seconds(&services::SCHEDULER_MAX_SCHEDULED_TIME),
        scheduler_min_scheduled_seconds: seconds(&services::SCHEDULER_MIN_SCHEDULED_TIME),
        late_runs: every(&services::LATE_RUNS_ENABLED, &services::LATE_RUNS_LOOP_SECONDS),
        late_after_seconds: seconds(&services::LATE_RUNS_AFTER_SECONDS),
        pause_expirations: every(&services::PAUSE_EXPIRATIONS_ENABLED, &services::PAUSE_EXPIRATIONS_LOOP_SECONDS),
        cancellation_cleanup: every(
            &services::CANCELLATION_CLEANUP_ENABLED,
            &services::CANCELLATION_CLEANUP_LOOP_SECONDS,
        ),
        cancelling_timeout_seconds: seconds(&services::CANCELLATION_CLEANUP_CANCELLING_TIMEOUT_SECONDS),
        foreman: every(&services::FOREMAN_ENABLED, &services::FOREMAN_LOOP_SECONDS),
        foreman_heartbeat_multiple: settings.number(&services::FOREMAN_INACTIVITY_HEARTBEAT_MULTIPLE),
        foreman_fallback_heartbeat_seconds: seconds(&services::FOREMAN_FALLBACK_HEARTBEAT_INTERVAL_SECONDS),
        foreman_deployment_timeout_seconds: seconds(&services::FOREMAN_DEPLOYMENT_LAST_POLLED_TIMEOUT_SECONDS),
        foreman_queue_timeout_seconds: seconds(&services::FOREMAN_WORK_QUEUE_LAST_POLLED_TIMEOUT_SECONDS),
        triggers: Loop { enabled: settings.flag(&services::TRIGGERS_ENABLED), ..defaults.triggers },
        automation_actions: Loop { enabled: settings.flag(&services::TRIGGERS_ENABLED), ..defaults.automation_actions },
        leases: every(&services::REPOSSESSOR_ENABLED, &services::REPOSSESSOR_LOOP_SECONDS),
        log_search: defaults.log_search,
        retention: Loop {
            enabled: !settings.list(&services::DB_VACUUM_ENABLED).is_empty(),
            seconds: seconds(&services::DB_VACUUM_LOOP_SECONDS),
        },
        event_retention_seconds: seconds(&services::EVENTS_RETENTION_PERIOD),
        log_retention_seconds: seconds(&services::LOGS_RETENTION_PERIOD),
        run_retention_seconds: if deletes_runs { seconds(&services::DB_VACUUM_RETENTION_PERIOD) } else { 0.0 },
    }
}

fn events_of(settings: &Settings) -> Events {
    let size = |setting: &'static Setting| usize::try_from(settings.count(setting)).unwrap_or(usize::MAX);
    Events {
        stream_out: settings.flag(&services::EVENTS_STREAM_OUT_ENABLED),
        maximum_labels: size(&services::EVENTS_MAXIMUM_LABELS_PER_RESOURCE),
        maximum_related: size(&services::EVENTS_MAXIMUM_RELATED_RESOURCES),
        maximum_size_bytes: size(&services::EVENTS_MAXIMUM_SIZE_BYTES),
        maximum_name_length: size(&services::EVENTS_MAXIMUM_EVENT_NAME_LENGTH),
        backfill_seconds: settings.duration(&services::EVENTS_MAXIMUM_WEBSOCKET_BACKFILL).as_secs_f64(),
        backfill_page: signed(settings.count(&services::EVENTS_WEBSOCKET_BACKFILL_PAGE_SIZE)),
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Where to listen; a host name is looked up.
fn listen(settings: &Settings) -> anyhow::Result<SocketAddr> {
    let host = settings.text(&server::API_HOST).unwrap_or("127.0.0.1");
    let port = u16::try_from(settings.count(&server::API_PORT)).context("the port must be at most 65535")?;
    let mut addresses = (host.trim_matches(['[', ']']), port)
        .to_socket_addrs()
        .with_context(|| format!("`{host}` is no host to listen on"))?;
    addresses.next().with_context(|| format!("host `{host}` has no address"))
}

/// A base path as the server wants it: empty or `/something`.
pub fn base_path(settings: &Settings) -> String {
    let path = settings.text(&server::API_BASE_PATH).unwrap_or_default().trim_matches('/');
    // The reference's base path includes the API's own `/api`, ours is what is in front of it.
    let path = path.strip_suffix("api").map_or(path, |front| front.trim_end_matches('/'));
    if path.is_empty() { String::new() } else { format!("/{path}") }
}

/// The grace period, for who waits for a server to stop.
pub fn grace(settings: &Settings) -> Duration {
    settings.duration(&server::SHUTDOWN_GRACE_SECONDS)
}
