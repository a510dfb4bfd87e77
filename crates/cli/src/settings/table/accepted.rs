//! Settings of the reference that this binary accepts without acting on them, so that an environment or profile made
//! for it is taken as it is. Their values are not checked; the worker hands the SDK's ones to the runs it starts.

/// What the Python SDK reads in the process of a flow run.
pub mod sdk {
    use super::super::Fallback::{Is, Unset};

    super::super::settings! {
        /// HTTP/2 to the API.
        API_ENABLE_HTTP2 = Anything "api.enable_http2" Is("false"), Sdk Both;
        /// Compare the server's version at start.
        CLIENT_SERVER_VERSION_CHECK_ENABLED = Anything "client.server_version_check_enabled" Is("true"), Sdk Both;
        /// Prometheus metrics of the SDK's client.
        CLIENT_METRICS_ENABLED = Anything "client.metrics.enabled" Is("false"), Sdk Both
            also "PREFECT_CLIENT_ENABLE_METRICS";
        /// Port of those metrics.
        CLIENT_METRICS_PORT = Anything "client.metrics.port" Is("4201"), Sdk Both;
        /// No warning about an unusual API URL.
        SILENCE_API_URL_MISCONFIGURATION = Anything "silence_api_url_misconfiguration" Is("false"), Sdk Both;
        /// Registry namespace of built images.
        DEPLOYMENTS_DEFAULT_DOCKER_BUILD_NAMESPACE = Anything "deployments.default_docker_build_namespace" Unset, Sdk
            Both also "PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE";
        /// Most events waiting in the SDK; 0 is no bound.
        EVENTS_WORKER_MAX_QUEUE_SIZE = Anything "events.worker_max_queue_size" Is("0"), Sdk Both;
        /// Pause between two heartbeats of a flow run.
        FLOWS_HEARTBEAT_FREQUENCY = Anything "flows.heartbeat_frequency" Is("180"), Sdk Both
            also "PREFECT_RUNNER_HEARTBEAT_FREQUENCY";
        /// Retries of flows that set none.
        FLOWS_DEFAULT_RETRIES = Anything "flows.default_retries" Is("0"), Sdk Both
            also "PREFECT_FLOW_DEFAULT_RETRIES";
        /// Pause before those retries.
        FLOWS_DEFAULT_RETRY_DELAY_SECONDS = Anything "flows.default_retry_delay_seconds" Is("0"), Sdk Both
            also "PREFECT_FLOW_DEFAULT_RETRY_DELAY_SECONDS";
        /// Log level of the SDK's inner workings.
        INTERNAL_LOGGING_LEVEL = Anything "internal.logging_level" Is("ERROR"), Sdk Both
            also "PREFECT_LOGGING_INTERNAL_LEVEL";
        /// File that configures Python's logging.
        LOGGING_CONFIG_PATH = Anything "logging.config_path" Unset, Sdk Both also "PREFECT_LOGGING_SETTINGS_PATH";
        /// Loggers whose lines also become run logs.
        LOGGING_EXTRA_LOGGERS = Anything "logging.extra_loggers" Unset, Sdk Both;
        /// Log what flows and tasks print.
        LOGGING_LOG_PRINTS = Anything "logging.log_prints" Is("false"), Sdk Both;
        /// Colours in logs on a terminal.
        LOGGING_COLORS = Anything "logging.colors" Is("true"), Sdk Both;
        /// Markup in log lines.
        LOGGING_MARKUP = Anything "logging.markup" Is("false"), Sdk Both;
        /// Send logs to the API.
        LOGGING_TO_API_ENABLED = Anything "logging.to_api.enabled" Is("true"), Sdk Both;
        /// Pause between two batches of logs.
        LOGGING_TO_API_BATCH_INTERVAL = Anything "logging.to_api.batch_interval" Is("2.0"), Sdk Both;
        /// Most bytes of a batch of logs.
        LOGGING_TO_API_BATCH_SIZE = Anything "logging.to_api.batch_size" Is("4000000"), Sdk Both;
        /// Most characters of a log line.
        LOGGING_TO_API_MAX_LOG_SIZE = Anything "logging.to_api.max_log_size" Is("1000000"), Sdk Both;
        /// What a log line outside of any run does: `warn`, `error` or `ignore`.
        LOGGING_TO_API_WHEN_MISSING_FLOW = Anything "logging.to_api.when_missing_flow" Is("warn"), Sdk Both;
        /// Serializer of results.
        RESULTS_DEFAULT_SERIALIZER = Anything "results.default_serializer" Is("pickle"), Sdk Both;
        /// Persist results unless told otherwise.
        RESULTS_PERSIST_BY_DEFAULT = Anything "results.persist_by_default" Is("false"), Sdk Both;
        /// Block that stores results.
        RESULTS_DEFAULT_STORAGE_BLOCK = Anything "results.default_storage_block" Unset, Sdk Both
            also "PREFECT_DEFAULT_RESULT_STORAGE_BLOCK";
        /// Folder of results that are stored locally.
        RESULTS_LOCAL_STORAGE_PATH = Anything "results.local_storage_path" Unset, Sdk Both
            also "PREFECT_LOCAL_STORAGE_PATH";
        /// Processes that a runner has at most.
        RUNNER_PROCESS_LIMIT = Anything "runner.process_limit" Is("5"), Sdk Both;
        /// Pause between two polls of a runner.
        RUNNER_POLL_FREQUENCY = Anything "runner.poll_frequency" Is("10"), Sdk Both;
        /// A runner that cannot watch for cancellation stops.
        RUNNER_CRASH_ON_CANCELLATION_FAILURE = Anything "runner.crash_on_cancellation_failure" Is("false"), Sdk Both;
        /// Runners may install what a flow needs.
        RUNNER_AUTO_INSTALL_DEPENDENCIES = Anything "runner.auto_install_dependencies" Is("false"), Sdk Both;
        /// Web server of a runner.
        RUNNER_SERVER_ENABLE = Anything "runner.server.enable" Is("false"), Sdk Both;
        /// Its address.
        RUNNER_SERVER_HOST = Anything "runner.server.host" Is("localhost"), Sdk Both;
        /// Its port.
        RUNNER_SERVER_PORT = Anything "runner.server.port" Is("8080"), Sdk Both;
        /// Its log level.
        RUNNER_SERVER_LOG_LEVEL = Anything "runner.server.log_level" Is("ERROR"), Sdk Both;
        /// Polls that a healthy runner may miss.
        RUNNER_SERVER_MISSED_POLLS_TOLERANCE = Anything "runner.server.missed_polls_tolerance" Is("2"), Sdk Both;
        /// Start a server of one's own when no API is set.
        EPHEMERAL_ENABLED = Anything "server.ephemeral.enabled" Is("false"), Sdk Both
            also "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE";
        /// How long that server may take to start.
        EPHEMERAL_STARTUP_TIMEOUT_SECONDS = Anything "server.ephemeral.startup_timeout_seconds" Is("20"), Sdk Both;
        /// Compute results anew and store them again.
        TASKS_REFRESH_CACHE = Anything "tasks.refresh_cache" Is("false"), Sdk Both;
        /// No caching unless a task asks for it.
        TASKS_DEFAULT_NO_CACHE = Anything "tasks.default_no_cache" Is("false"), Sdk Both;
        /// No caching at all.
        TASKS_DISABLE_CACHING = Anything "tasks.disable_caching" Is("false"), Sdk Both;
        /// Retries of tasks that set none.
        TASKS_DEFAULT_RETRIES = Anything "tasks.default_retries" Is("0"), Sdk Both
            also "PREFECT_TASK_DEFAULT_RETRIES";
        /// Pause before those retries.
        TASKS_DEFAULT_RETRY_DELAY_SECONDS = Anything "tasks.default_retry_delay_seconds" Is("0"), Sdk Both
            also "PREFECT_TASK_DEFAULT_RETRY_DELAY_SECONDS";
        /// Persist task results unless told otherwise.
        TASKS_DEFAULT_PERSIST_RESULT = Anything "tasks.default_persist_result" Unset, Sdk Both;
        /// Threads of the default task runner.
        TASKS_RUNNER_THREAD_POOL_MAX_WORKERS = Anything "tasks.runner.thread_pool_max_workers" Unset, Sdk Both
            also "PREFECT_TASK_RUNNER_THREAD_POOL_MAX_WORKERS";
        /// Processes of the process-pool task runner.
        TASKS_RUNNER_PROCESS_POOL_MAX_WORKERS = Anything "tasks.runner.process_pool_max_workers" Unset, Sdk Both;
        /// Block that stores the parameters of background tasks.
        TASKS_SCHEDULING_DEFAULT_STORAGE_BLOCK = Anything "tasks.scheduling.default_storage_block" Unset, Sdk Both
            also "PREFECT_TASK_SCHEDULING_DEFAULT_STORAGE_BLOCK";
        /// Delete background tasks that could not be submitted.
        TASKS_SCHEDULING_DELETE_FAILED_SUBMISSIONS = Anything "tasks.scheduling.delete_failed_submissions"
            Is("true"), Sdk Both also "PREFECT_TASK_SCHEDULING_DELETE_FAILED_SUBMISSIONS";
        /// Warn about experimental features.
        EXPERIMENTS_WARN = Anything "experiments.warn" Is("true"), Sdk Both also "PREFECT_EXPERIMENTAL_WARN";
        /// Start plugins of the SDK.
        PLUGINS_ENABLED = Anything "plugins.enabled" Is("false"), Sdk Both also "PREFECT_EXPERIMENTS_PLUGINS_ENABLED";
        /// Plugins to load; unset is all.
        PLUGINS_ALLOW = Anything "plugins.allow" Unset, Sdk Both also "PREFECT_EXPERIMENTS_PLUGINS_ALLOW";
        /// Plugins to leave out.
        PLUGINS_DENY = Anything "plugins.deny" Unset, Sdk Both also "PREFECT_EXPERIMENTS_PLUGINS_DENY";
        /// How long a plugin may take to start.
        PLUGINS_SETUP_TIMEOUT_SECONDS = Anything "plugins.setup_timeout_seconds" Is("20.0"), Sdk Both
            also "PREFECT_EXPERIMENTS_PLUGINS_SETUP_TIMEOUT_SECONDS";
        /// A plugin that fails stops the program.
        PLUGINS_STRICT = Anything "plugins.strict" Is("false"), Sdk Both also "PREFECT_EXPERIMENTS_PLUGINS_STRICT";
        /// Find plugins but do not run them.
        PLUGINS_SAFE_MODE = Anything "plugins.safe_mode" Is("false"), Sdk Both
            also "PREFECT_EXPERIMENTS_PLUGINS_SAFE_MODE";
        /// Report the use of memory and processor.
        TELEMETRY_ENABLE_RESOURCE_METRICS = Anything "telemetry.enable_resource_metrics" Is("true"), Sdk Both;
        /// Pause between those reports.
        TELEMETRY_RESOURCE_METRICS_INTERVAL_SECONDS = Anything "telemetry.resource_metrics_interval_seconds" Is("10"),
            Sdk Both;
        /// The SDK runs under its tests.
        TESTING_TEST_MODE = Anything "testing.test_mode" Is("false"), Sdk Both also "PREFECT_TEST_MODE";
        /// The SDK runs under its unit tests.
        TESTING_UNIT_TEST_MODE = Anything "testing.unit_test_mode" Is("false"), Sdk Both
            also "PREFECT_UNIT_TEST_MODE";
        /// Debug mode of the event loop under those tests.
        TESTING_UNIT_TEST_LOOP_DEBUG = Anything "testing.unit_test_loop_debug" Is("true"), Sdk Both
            also "PREFECT_UNIT_TEST_LOOP_DEBUG";
        /// A setting for the SDK's tests of settings.
        TESTING_TEST_SETTING = Anything "testing.test_setting" Is("FOO"), Sdk Both also "PREFECT_TEST_SETTING";
    }
}

/// What tunes parts of the reference that do not exist here.
pub mod nobody {
    use super::super::Fallback::{Is, Unset};

    super::super::settings! {
        /// Address of the hosted service's API.
        CLOUD_API_URL = Anything "cloud.api_url" Unset, Nobody Both;
        /// How long an idle connection is kept.
        API_KEEPALIVE_TIMEOUT = Anything "server.api.keepalive_timeout" Is("5"), Nobody Both;
        /// How long the answer to a WebSocket's ping may take.
        API_WEBSOCKET_PING_TIMEOUT = Anything "server.api.websocket_ping_timeout" Is("20"), Nobody Both;
        /// Register the built-in block types at start: always done here.
        REGISTER_BLOCKS_ON_START = Anything "server.register_blocks_on_start" Is("true"), Nobody Both
            also "PREFECT_API_BLOCKS_REGISTER_ON_START";
        /// Path that the web UI is served under.
        UI_SERVE_BASE = Anything "server.ui.serve_base" Is("/"), Nobody Both also "PREFECT_UI_SERVE_BASE";
        /// Connections that SQLAlchemy keeps.
        POOL_SIZE = Anything "server.database.sqlalchemy.pool_size" Is("5"), Nobody Both
            also "PREFECT_SQLALCHEMY_POOL_SIZE";
        /// Connections beyond the kept ones.
        MAX_OVERFLOW = Anything "server.database.sqlalchemy.max_overflow" Is("10"), Nobody Both
            also "PREFECT_SQLALCHEMY_MAX_OVERFLOW";
        /// Deployments that the scheduler handles in one go.
        SCHEDULER_DEPLOYMENT_BATCH_SIZE = Anything "server.services.scheduler.deployment_batch_size" Is("100"), Nobody
            Both also "PREFECT_API_SERVICES_SCHEDULER_DEPLOYMENT_BATCH_SIZE";
        /// Runs that it inserts in one go.
        SCHEDULER_INSERT_BATCH_SIZE = Anything "server.services.scheduler.insert_batch_size" Is("500"), Nobody Both
            also "PREFECT_API_SERVICES_SCHEDULER_INSERT_BATCH_SIZE";
        /// Rows deleted in one transaction.
        DB_VACUUM_BATCH_SIZE = Anything "server.services.db_vacuum.batch_size" Is("200"), Nobody Both;
        /// Telemetry to the hosted service.
        CLOUD_ENABLE_ORCHESTRATION_TELEMETRY = Anything "cloud.enable_orchestration_telemetry" Is("true"), Nobody Both;
        /// Most characters of a log line there.
        CLOUD_MAX_LOG_SIZE = Anything "cloud.max_log_size" Is("25000"), Nobody Both;
        /// Address of its web UI.
        CLOUD_UI_URL = Anything "cloud.ui_url" Unset, Nobody Both;
        /// Usage reports: Tidegate sends none.
        ANALYTICS_ENABLED = Anything "server.analytics_enabled" Is("false"), Nobody Both;
        /// Prometheus metrics of the server: always on here, at `/metrics`.
        METRICS_ENABLED = Anything "server.metrics_enabled" Is("true"), Nobody Both
            also "PREFECT_API_ENABLE_METRICS";
        /// Log errors that are tried again.
        LOG_RETRYABLE_ERRORS = Anything "server.log_retryable_errors" Is("false"), Nobody Both
            also "PREFECT_API_LOG_RETRYABLE_ERRORS";
        /// Remember which blocks were registered.
        MEMOIZE_BLOCK_AUTO_REGISTRATION = Anything "server.memoize_block_auto_registration" Is("true"), Nobody Both
            also "PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION";
        /// Where that is remembered.
        MEMO_STORE_PATH = Anything "server.memo_store_path" Unset, Nobody Both also "PREFECT_MEMO_STORE_PATH";
        /// Most runs of a deployment's schedules: see the scheduler's `max_runs`.
        DEPLOYMENT_SCHEDULE_MAX_SCHEDULED_RUNS = Anything "server.deployment_schedule_max_scheduled_runs" Is("50"),
            Nobody Both also "PREFECT_DEPLOYMENT_SCHEDULE_MAX_SCHEDULED_RUNS";
        /// Where leases are kept: here in the database, always.
        CONCURRENCY_LEASE_STORAGE = Anything "server.concurrency.lease_storage" Unset, Nobody Both;
        /// asyncpg's statement cache.
        STATEMENT_CACHE_SIZE = Anything "server.database.sqlalchemy.connect_args.statement_cache_size" Unset, Nobody
            Both;
        /// SQLAlchemy's statement cache.
        PREPARED_STATEMENT_CACHE_SIZE = Anything
            "server.database.sqlalchemy.connect_args.prepared_statement_cache_size" Unset, Nobody Both;
        /// Age at which SQLAlchemy replaces a connection.
        POOL_RECYCLE = Anything "server.database.sqlalchemy.pool_recycle" Is("3600"), Nobody Both;
        /// How long SQLAlchemy waits for a connection.
        POOL_TIMEOUT = Anything "server.database.sqlalchemy.pool_timeout" Is("30.0"), Nobody Both;
        /// Log all SQL.
        ECHO = Anything "server.database.echo" Is("false"), Nobody Both also "PREFECT_API_DATABASE_ECHO";
        /// How long a migration's statement may take.
        MIGRATION_TIMEOUT = Anything "server.database.migration_timeout" Unset, Nobody Both;
        /// Name of the job queue.
        DOCKET_NAME = Anything "server.docket.name" Unset, Nobody Both;
        /// Redis behind the job queue: none is needed.
        DOCKET_URL = Anything "server.docket.url" Unset, Nobody Both;
        /// Cache of related resources.
        EVENTS_RELATED_RESOURCE_CACHE_TTL = Anything "server.events.related_resource_cache_ttl" Is("300"), Nobody Both
            also "PREFECT_API_EVENTS_RELATED_RESOURCE_CACHE_TTL";
        /// How long buckets of automations outlive their end.
        EVENTS_EXPIRED_BUCKET_BUFFER = Anything "server.events.expired_bucket_buffer" Is("60"), Nobody Both
            also "PREFECT_EVENTS_EXPIRED_BUCKET_BUFFER";
        /// Pause between two evaluations of proactive automations.
        EVENTS_PROACTIVE_GRANULARITY = Anything "server.events.proactive_granularity" Is("5"), Nobody Both
            also "PREFECT_EVENTS_PROACTIVE_GRANULARITY";
        /// Module of the message broker.
        EVENTS_MESSAGING_BROKER = Anything "server.events.messaging_broker" Unset, Nobody Both
            also "PREFECT_MESSAGING_BROKER";
        /// Module of the broker's cache.
        EVENTS_MESSAGING_CACHE = Anything "server.events.messaging_cache" Unset, Nobody Both
            also "PREFECT_MESSAGING_CACHE";
        /// Module that orders events.
        EVENTS_CAUSAL_ORDERING = Anything "server.events.causal_ordering" Unset, Nobody Both;
        /// Hand logs to the stream: always on here.
        LOGS_STREAM_PUBLISHING_ENABLED = Anything "server.logs.stream_publishing_enabled" Is("true"), Nobody Both;
        /// Pause between two looks for orphaned logs and artifacts.
        DB_VACUUM_ORPHAN_CLEANUP_LOOP_SECONDS = Anything "server.services.db_vacuum.orphan_cleanup_loop_seconds"
            Is("86400"), Nobody Both;
        /// Retention of single kinds of events.
        DB_VACUUM_EVENT_RETENTION_OVERRIDES = Anything "server.services.db_vacuum.event_retention_overrides" Unset,
            Nobody Both;
        /// Write events in a service of its own.
        EVENT_PERSISTER_ENABLED = Anything "server.services.event_persister.enabled" Is("true"), Nobody Both
            also "PREFECT_API_SERVICES_EVENT_PERSISTER_ENABLED";
        /// Events written in one go.
        EVENT_PERSISTER_BATCH_SIZE = Anything "server.services.event_persister.batch_size" Is("20"), Nobody Both
            also "PREFECT_API_SERVICES_EVENT_PERSISTER_BATCH_SIZE";
        /// Events read in one go.
        EVENT_PERSISTER_READ_BATCH_SIZE = Anything "server.services.event_persister.read_batch_size" Is("1"), Nobody
            Both also "PREFECT_API_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE";
        /// Longest pause between two writes.
        EVENT_PERSISTER_FLUSH_INTERVAL = Anything "server.services.event_persister.flush_interval" Is("5"), Nobody
            Both also "PREFECT_API_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL";
        /// Events waiting to be written.
        EVENT_PERSISTER_QUEUE_MAX_SIZE = Anything "server.services.event_persister.queue_max_size" Is("50000"), Nobody
            Both;
        /// Tries before events are dropped: here they are not answered before they are written.
        EVENT_PERSISTER_MAX_FLUSH_RETRIES = Anything "server.services.event_persister.max_flush_retries" Is("5"),
            Nobody Both;
        /// Print every event.
        EVENT_LOGGER_ENABLED = Anything "server.services.event_logger.enabled" Is("false"), Nobody Both
            also "PREFECT_API_SERVICES_EVENT_LOGGER_ENABLED";
        /// Look for cleanup messages whose lease is over.
        CLEANUP_RECONCILER_ENABLED = Anything "server.services.cleanup_reconciler.enabled" Is("true"), Nobody Both;
        /// Pause between those looks.
        CLEANUP_RECONCILER_LOOP_SECONDS = Anything "server.services.cleanup_reconciler.loop_seconds" Is("5"), Nobody
            Both;
        /// Messages handled in one go.
        CLEANUP_RECONCILER_BATCH_SIZE = Anything "server.services.cleanup_reconciler.batch_size" Is("100"), Nobody
            Both;
        /// Record task runs in a service of its own.
        TASK_RUN_RECORDER_ENABLED = Anything "server.services.task_run_recorder.enabled" Is("true"), Nobody Both
            also "PREFECT_API_SERVICES_TASK_RUN_RECORDER_ENABLED";
        /// Events it reads in one go.
        TASK_RUN_RECORDER_READ_BATCH_SIZE = Anything "server.services.task_run_recorder.read_batch_size" Is("1"),
            Nobody Both;
        /// Task runs it writes in one go.
        TASK_RUN_RECORDER_BATCH_SIZE = Anything "server.services.task_run_recorder.batch_size" Is("1"), Nobody Both;
        /// Longest pause between two writes.
        TASK_RUN_RECORDER_FLUSH_INTERVAL = Anything "server.services.task_run_recorder.flush_interval" Is("5"), Nobody
            Both;
        /// Events read in one go for them.
        TRIGGERS_READ_BATCH_SIZE = Anything "server.services.triggers.read_batch_size" Is("1"), Nobody Both;
        /// Pause before listening to PostgreSQL again.
        TRIGGERS_PG_NOTIFY_RECONNECT_INTERVAL_SECONDS = Anything
            "server.services.triggers.pg_notify_reconnect_interval_seconds" Is("10"), Nobody Both;
        /// Pause between two checks of that connection.
        TRIGGERS_PG_NOTIFY_HEARTBEAT_INTERVAL_SECONDS = Anything
            "server.services.triggers.pg_notify_heartbeat_interval_seconds" Is("5"), Nobody Both;
        /// Background tasks that wait for a task worker.
        TASKS_SCHEDULING_MAX_SCHEDULED_QUEUE_SIZE = Anything "server.tasks.scheduling.max_scheduled_queue_size"
            Is("1000"), Nobody Both also "PREFECT_TASK_SCHEDULING_MAX_SCHEDULED_QUEUE_SIZE";
        /// Retries that wait for a task worker.
        TASKS_SCHEDULING_MAX_RETRY_QUEUE_SIZE = Anything "server.tasks.scheduling.max_retry_queue_size" Is("100"),
            Nobody Both also "PREFECT_TASK_SCHEDULING_MAX_RETRY_QUEUE_SIZE";
        /// When a pending background task is handed out again.
        TASKS_SCHEDULING_PENDING_TASK_TIMEOUT = Anything "server.tasks.scheduling.pending_task_timeout" Is("0"),
            Nobody Both also "PREFECT_TASK_SCHEDULING_PENDING_TASK_TIMEOUT";
        /// Folder of the web UI's files: here they are in the binary.
        UI_STATIC_DIRECTORY = Anything "server.ui.static_directory" Unset, Nobody Both
            also "PREFECT_UI_STATIC_DIRECTORY";
        /// Advertising in the web UI.
        UI_SHOW_PROMOTIONAL_CONTENT = Anything "server.ui.show_promotional_content" Is("false"), Nobody Both;
        /// Module that keeps cleanup messages.
        WORKER_CHANNEL_CLEANUP_QUEUE_STORAGE = Anything "server.worker_channel.cleanup_queue_storage" Unset, Nobody
            Both;
        /// How long a finished cleanup message is remembered.
        WORKER_CHANNEL_CLEANUP_COMPLETED_IDEMPOTENCY_RETENTION_SECONDS = Anything
            "server.worker_channel.cleanup_completed_idempotency_retention_seconds" Unset, Nobody Both;
        /// Pause between two polls for cancelled runs: see `worker.query_seconds`.
        WORKER_CANCELLATION_POLL_SECONDS = Anything "worker.cancellation_poll_seconds" Is("120"), Nobody Both;
        /// Cancel pending runs on the worker's side: ours always does.
        WORKER_ENABLE_CANCELLATION = Anything "worker.enable_cancellation" Is("true"), Nobody Both;
    }
}
